package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"trainer/graph/model"
	"trainer/train/suggest"
)

// Numbers are written as in JSON. This excludes forms that YAML 1.1, YAML 1.2 and
// people read differently (010, 1_000, 0x10, .5, +1).
var (
	integerForm = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
	numberForm  = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)
)

// notEmpty is the pattern of a text of at least one character.
var notEmpty = regexp.MustCompile(`.`)

// quoted is the set of styles that mark a scalar as a text.
const quoted = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

// complaint says what is wrong with a node.
type complaint struct {
	node *yaml.Node
	text string
}

// decode sets the value of the key in c to that of n. If n is not legal, it returns
// complaints and does not change c.
func (k *key) decode(c *Config, n *yaml.Node) []complaint {
	value, complaints := k.value(n)
	if complaints != nil {
		return complaints
	}
	if k.exclusive {
		c.Model.Init = Init{BiasStd: c.Model.Init.BiasStd}
	}
	store(k.field(c), value)
	return nil
}

// value returns the value of n in the type of the key: string, bool, int64, float64,
// []int, []float64, []string or Bound.
func (k *key) value(n *yaml.Node) (any, []complaint) {
	if n.Kind == yaml.SequenceNode && len(n.Content) >= k.least && len(n.Content) <= k.most {
		switch k.kind {
		case list:
			return entries(k.entry(), n, func(v any) int { return int(v.(int64)) })
		case perLayer:
			return entries(k.entry(), n, func(v any) float64 { return v.(float64) })
		case texts:
			return entries(k.entry(), n, func(v any) string { return v.(string) })
		}
	}
	if k.kind == texts && n.Kind == yaml.ScalarNode {
		if one, bad := k.entry().value(n); bad == nil {
			return []string{one.(string)}, nil
		}
	}
	if k.auto && n.Kind == yaml.ScalarNode && n.Value == "auto" {
		return Bound{}, nil
	}
	value, hint := k.parse(n)
	if value != nil {
		return value, nil
	}
	if hint != "" {
		hint = "; " + hint
	}
	return nil, []complaint{{n, "have " + show(n) + ", want " + k.legal() + hint}}
}

// entry returns a key that describes an entry of a list.
func (k *key) entry() *key {
	e := &key{kind: integer, min: k.min, max: k.max, aboveMin: k.aboveMin, isPath: k.isPath}
	switch k.kind {
	case perLayer:
		e.kind = number
	case texts:
		*e = key{kind: text, isPath: k.isPath, most: 4096, scalar: k.scalar, pattern: notEmpty, patternDoc: "that is not empty"}
	}
	return e
}

// entries returns the values of the entries of n, or a complaint for each entry that
// is not legal.
func entries[T any](entry *key, n *yaml.Node, of func(any) T) (any, []complaint) {
	var values []T
	var complaints []complaint
	for i, child := range n.Content {
		v, bad := entry.value(child)
		if bad == nil {
			values = append(values, of(v))
			continue
		}
		complaints = append(complaints, complaint{child, fmt.Sprintf("entry %d: %s", i+1, bad[0].text)})
	}
	return values, complaints
}

// parse returns the value of a scalar. If the scalar is not legal, it returns nil and
// a hint for the message, which may be empty.
func (k *key) parse(n *yaml.Node) (value any, hint string) {
	switch {
	case k.kind == list && n.Kind == yaml.ScalarNode:
		return nil, "write it as " + k.def
	case n.Kind != yaml.ScalarNode:
		return nil, ""
	case n.Tag == "!!null" && k.isPath && n.Value == "~":
		return nil, `write "~/" for the home folder`
	case n.Tag == "!!null":
		return nil, "for the default, leave the key out"
	}
	s := n.Value
	switch k.kind {
	case text:
		return k.parseText(s, n.Tag)
	case choice:
		if slices.Contains(k.choices, s) {
			return s, ""
		}
		return nil, k.nearestChoice(s)
	}
	if n.Style&quoted != 0 {
		if v, _ := k.parsePlain(s); v != nil {
			return nil, "remove the quotes"
		}
		return nil, ""
	}
	return k.parsePlain(s)
}

// parsePlain parses a value that is written without quotes.
func (k *key) parsePlain(s string) (value any, hint string) {
	switch k.kind {
	case boolean:
		switch s {
		case "true":
			return true, ""
		case "false":
			return false, ""
		}
		return nil, booleanHint(s)
	case integer:
		return k.parseInteger(s)
	default:
		return k.parseNumber(s)
	}
}

// booleanHint says how to write s, which is neither true nor false.
func booleanHint(s string) string {
	switch strings.ToLower(s) {
	case "true", "yes", "on", "y", "1":
		return "write true"
	case "false", "no", "off", "n", "0":
		return "write false"
	}
	return ""
}

// parseText parses the value of a text key. A scalar such as 2026 or true without
// quotes is not a text, because YAML readers read it as a number or a boolean.
func (k *key) parseText(s, tag string) (value any, hint string) {
	number := tag == "!!int" || tag == "!!float"
	switch {
	case tag != "!!str" && (!k.scalar || !number):
		return nil, fmt.Sprintf("write it in quotes, %q", s)
	case strings.ContainsRune(s, 0):
		return nil, "remove the zero character"
	case utf8.RuneCountInString(s) > k.most:
		return nil, fmt.Sprintf("it has more than %d characters", k.most)
	case k.pattern != nil && !k.pattern.MatchString(s):
		return nil, ""
	}
	if k.isPath {
		path, err := pathOf(s)
		if err != nil {
			return nil, err.Error()
		}
		return path, ""
	}
	return s, ""
}

// parseInteger parses a whole number and checks its range.
func (k *key) parseInteger(s string) (value any, hint string) {
	if !integerForm.MatchString(s) {
		return nil, k.integerHint(s)
	}
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil || !k.inRange(float64(v)) {
		return nil, ""
	}
	return v, ""
}

// integerHint says how to write s, which is not in integerForm, if it is a legal value
// then.
func (k *key) integerHint(s string) string {
	digits := strings.TrimLeft(strings.TrimPrefix(s, "-"), "0")
	legal := func(digits string) bool {
		v, err := strconv.ParseFloat(digits, 64)
		return err == nil && k.inRange(v) && integerForm.MatchString(digits)
	}
	switch {
	case strings.HasPrefix(s, "0") && legal(digits):
		return "write " + digits + ", without the leading zero"
	case numberForm.MatchString(s):
		if v, err := strconv.ParseFloat(s, 64); err == nil && v == math.Trunc(v) && math.Abs(v) <= maxSeed {
			if whole := strconv.FormatInt(int64(v), 10); legal(whole) {
				return "write " + whole
			}
		}
		return ""
	case strings.ContainsAny(s, "0123456789"):
		return "write decimal digits only"
	}
	return ""
}

// parseNumber parses a number and checks its range.
func (k *key) parseNumber(s string) (value any, hint string) {
	if !numberForm.MatchString(s) {
		switch v, err := strconv.ParseFloat(s, 64); {
		case strings.EqualFold(strings.TrimLeft(s, "+-"), ".inf"), strings.EqualFold(s, ".nan"), err == nil && (math.IsNaN(v) || math.IsInf(v, 0)):
			return nil, "it must be finite"
		case strings.ContainsAny(s, "0123456789"):
			return nil, "write it as 10, 0.5 or 1e-3"
		}
		return nil, ""
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil || !k.inRange(v) {
		return nil, ""
	}
	if mantissa, _, _ := strings.Cut(strings.ToLower(s), "e"); v == 0 && strings.ContainsAny(mantissa, "123456789") {
		return nil, "it is too small for float64"
	}
	return v + 0, "" // −0 becomes 0
}

// nearestChoice suggests the legal word that s is most likely to mean.
func (k *key) nearestChoice(s string) string {
	if near := suggest.Nearest(s, k.candidates()); near != "" {
		return "did you mean " + near + "?"
	}
	return ""
}

// store sets the variable to which field points to a value that parse returned.
func store(field, value any) {
	switch f := field.(type) {
	case *string:
		*f = value.(string)
	case *bool:
		*f = value.(bool)
	case *int:
		*f = int(value.(int64))
	case *uint64:
		*f = uint64(value.(int64))
	case *float64:
		*f = value.(float64)
	case *[]int:
		*f = value.([]int)
	case *PerLayer:
		if one, ok := value.(float64); ok {
			value = []float64{one}
		}
		*f = value.([]float64)
	case *[]string:
		*f = value.([]string)
	case *Bound:
		if v, ok := value.(float64); ok {
			value = Bound{v, true}
		}
		*f = value.(Bound)
	case *model.Precision:
		*f, _ = model.ParsePrecision(value.(string))
	case *model.Activation:
		*f, _ = model.ParseActivation(value.(string))
	default:
		panic(fmt.Sprintf("BUG: no way to store a %T", field))
	}
}

// format returns the variable to which field points in YAML syntax.
func format(field any) string {
	switch f := field.(type) {
	case *string:
		return quote(*f)
	case *bool:
		return strconv.FormatBool(*f)
	case *int:
		return strconv.Itoa(*f)
	case *uint64:
		return strconv.FormatUint(*f, 10)
	case *float64:
		return formatNumber(*f)
	case *[]int:
		return strings.ReplaceAll(fmt.Sprint(*f), " ", ", ")
	case *[]float64:
		var values []string
		for _, v := range *f {
			values = append(values, formatNumber(v))
		}
		return "[" + strings.Join(values, ", ") + "]"
	case *PerLayer:
		if len(*f) == 1 {
			return formatNumber((*f)[0])
		}
		return format((*[]float64)(f))
	case *[]string:
		var list []string
		for _, v := range *f {
			list = append(list, strconv.Quote(v))
		}
		return "[" + strings.Join(list, ", ") + "]"
	case *Bound:
		return f.String()
	case *model.Precision:
		return f.String()
	case *model.Activation:
		return f.String()
	}
	panic(fmt.Sprintf("BUG: no way to format a %T", field))
}

// formatNumber returns the shortest form that reads back as v. A whole number up to
// 2^53 has only digits. A number with an exponent also has a point (5.0e-05), because
// readers of YAML 1.1, such as Python's, read 5e-05 as a text.
func formatNumber(v float64) string {
	if v == math.Trunc(v) && math.Abs(v) <= maxSeed {
		return strconv.FormatInt(int64(v), 10)
	}
	s := strconv.FormatFloat(v, 'g', -1, 64)
	if e := strings.IndexByte(s, 'e'); e >= 0 && !strings.Contains(s, ".") {
		s = s[:e] + ".0" + s[e:]
	}
	return s
}

// plainText matches texts that need no quotes in YAML, except for plainWords.
var plainText = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9._/-]*$`)

// plainWords lists words without quotes that some readers of YAML do not read as
// texts.
var plainWords = []string{"true", "false", "null", "yes", "no", "on", "off", "y", "n"}

// quote returns s, which must be UTF-8, in YAML syntax. YAML supports all escapes that
// strconv.Quote uses.
func quote(s string) string {
	if plainText.MatchString(s) && !slices.Contains(plainWords, strings.ToLower(s)) {
		return s
	}
	return strconv.Quote(s)
}

// show formats the value of a node for a message.
func show(n *yaml.Node) string {
	const most = 40
	switch {
	case n.Kind == yaml.MappingNode:
		return "a group"
	case n.Kind == yaml.SequenceNode && len(n.Content) == 1:
		return "a list of 1"
	case n.Kind == yaml.SequenceNode:
		return fmt.Sprintf("a list of %d", len(n.Content))
	case n.Tag == "!!null":
		return "no value"
	}
	if n.Value == "" {
		return `""`
	}
	s := n.Value
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	if q := strconv.Quote(s); n.Style&quoted != 0 || q != `"`+s+`"` {
		return q
	}
	return s
}
