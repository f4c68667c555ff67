package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"trainer/configs"
	"trainer/data/files"
	"trainer/train/suggest"
	"trainer/train/terminal"
)

// maxFile is the maximum size of a configuration file, in bytes.
const maxFile = 1 << 20

// maxValuesOfFile is the maximum number of keys and values in a file, far more than a
// configuration has.
const maxValuesOfFile = 50_000

// setFlag is the beginning of Problem.File for a problem of a setting.
const setFlag = "-set "

// Read reads the file or the preset that name stands for, as Find says, and applies
// the settings in order. Each setting is key=value, as in "train.rate.initial=0.5" or
// "model.layers=[784,30,10]". If name is empty, Read applies the settings to the
// defaults. The error is an *Error.
//
// A setting replaces the value in the file. A setting of model.init.std, rule or file
// replaces all three.
func Read(name string, sets []string) (Config, error) {
	return read(name, sets).result()
}

// Parse is Read for the text of a file. name is what messages call it.
func Parse(text []byte, name string, sets []string) (Config, error) {
	r := newReader()
	r.file = name
	r.source(text)
	for _, s := range sets {
		r.set(s)
	}
	return r.result()
}

// read reads what Read reads, and does not check it as a whole.
func read(name string, sets []string) *reader {
	r := newReader()
	r.open(name)
	for _, s := range sets {
		r.set(s)
	}
	return r
}

// open reads the file or the preset that name stands for, if it is not empty.
func (r *reader) open(name string) {
	if name == "" {
		return
	}
	path, preset := Find(name)
	r.file = path
	if source, err := sourceOf(path, preset); err != nil {
		r.report(Problem{File: path}, "%v", err)
	} else {
		r.source(source)
	}
}

// Find returns the file that a name stands for: the file of that name; or, for the
// name of a preset, name.yaml or name.yml in the current directory, or the preset.
// For a preset, path is its name.
func Find(name string) (path string, preset bool) {
	if isFile(name) {
		return name, false
	}
	if !slices.Contains(configs.Names(), name) {
		return name, false
	}
	for _, extension := range extensions {
		if isFile(name + extension) {
			return name + extension, false
		}
	}
	return name, true
}

// IsName reports whether name looks like that of a configuration: a file.yaml, or a
// preset.
func IsName(name string) bool {
	return slices.Contains(extensions, filepath.Ext(name)) || slices.Contains(configs.Names(), name)
}

// extensions are those of YAML files.
var extensions = []string{".yaml", ".yml"}

// isFile reports whether path is there and no folder.
func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.IsDir()
}

// sourceOf returns the content of a file or of a preset.
func sourceOf(path string, preset bool) ([]byte, error) {
	if preset {
		source, _ := configs.Read(path)
		return source, nil
	}
	source, err := readAtMost(path)
	if err != nil {
		err = fmt.Errorf("%w%s", err, otherFile(path))
	}
	return source, err
}

// otherFile suggests what to give in place of a file that cannot be read.
func otherFile(path string) string {
	candidates := make([]suggest.Candidate, 0, len(configs.Names()))
	for _, name := range configs.Names() {
		candidates = append(candidates, suggest.Candidate{Means: name, Names: []string{name, name + extensions[0], name + extensions[1]}})
	}
	for _, name := range []string{path + extensions[0], path + extensions[1], filepath.Join(path, "config.yaml")} {
		if isFile(name) {
			return ": did you mean " + name + "?"
		}
	}
	if near := suggest.Nearest(filepath.Base(path), candidates); near != "" {
		return ": did you mean " + near + ", which is built in?"
	}
	if filepath.Ext(path) == "" {
		return "; the built-in configurations are " + strings.Join(configs.Names(), ", ")
	}
	return ""
}

// reader gathers a configuration and its problems.
type reader struct {
	config   Config
	file     string
	lines    []string // of the file or setting that is being read
	problems []Problem
	places   map[string]Problem // the place of each key that the user gave, without a message
	bad      map[string]bool    // keys whose value is not legal
	setting  string             // the setting that is being read; "": the file is

	sweeps    bool       // whether a sweep is read
	sweepNode *yaml.Node // then, the group sweep of the file
}

func newReader() *reader {
	return &reader{config: Default(), places: map[string]Problem{}, bad: map[string]bool{}}
}

// result checks the configuration as a whole and returns it, or its problems.
func (r *reader) result() (Config, error) {
	r.check()
	if err := asError(r.problems); err != nil {
		return Config{}, err
	}
	return r.config, nil
}

// report adds a problem at a place.
func (r *reader) report(at Problem, format string, args ...any) {
	at.Message = fmt.Sprintf(format, args...)
	r.problems = append(r.problems, at)
}

// at returns the place of a node of the file, or of the setting that is being read.
func (r *reader) at(n *yaml.Node, path string) Problem {
	if r.setting != "" {
		return Problem{File: setFlag + r.setting, Path: path}
	}
	return Problem{File: r.file, Line: n.Line, Column: n.Column, Path: path}
}

// source decodes the content of the file into the configuration.
func (r *reader) source(source []byte) {
	r.lines = splitLines(string(source))
	root, problem := parse(source)
	if problem.Message != "" {
		r.syntax(problem)
	} else if root == nil {
		r.report(Problem{File: r.file}, "is empty: write at least one key, such as `seed: 1`, or leave out -config for the defaults")
	}
	if root != nil {
		r.refuse(root, "")
		r.group(root, "")
	}
}

// readAtMost returns the content of a file of at most maxFile bytes. For a larger
// file it returns an error without reading all of it.
func readAtMost(path string) ([]byte, error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	source, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, cause(err)
	}
	if len(source) > maxFile {
		return nil, errors.New("is larger than 1 MiB: this is no configuration of the trainer")
	}
	return source, nil
}

// cause removes the path from an error of the file system, because the place already
// contains it.
func cause(err error) error {
	if e := (*os.PathError)(nil); errors.As(err, &e) {
		return fmt.Errorf("cannot %s the file: %w", e.Op, e.Err)
	}
	return err
}

// parse returns the root node of the first document in source, or nil if there is
// none. It also returns the problem of source, if any: source is not YAML, or has a
// second document. The problem has a line and column if they are known.
func parse(source []byte) (root *yaml.Node, problem Problem) {
	if problem := checkCharacters(source); problem.Message != "" {
		return nil, problem
	}
	if n := countValues(source); n > maxValuesOfFile {
		return nil, Problem{Message: fmt.Sprintf("has some %d keys and values: this is no configuration of the trainer", n)}
	}
	loader, err := yaml.NewLoader(bytes.NewReader(source))
	if err != nil {
		return nil, Problem{Message: err.Error()}
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF):
		return nil, Problem{}
	case err != nil:
		return nil, notYAML(err)
	}
	if len(first.Content) == 1 {
		root = first.Content[0]
	}
	if root != nil && root.Tag == "!!null" && root.Value == "" {
		root = nil // "---" alone
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err == nil:
		problem = Problem{Line: second.Line, Column: second.Column, Message: "a second document begins here: want one in a file"}
	default:
		problem = notYAML(err)
	}
	return root, problem
}

// countValues returns about the number of keys and values in a file: each takes a thousand
// bytes of memory when it is parsed.
func countValues(source []byte) (n int) {
	for _, c := range source {
		switch c {
		case ',', '\n', ':', '[', '{', '-', '?':
			n++
		}
	}
	return n
}

// notYAML returns the problem that the YAML parser reports.
func notYAML(err error) Problem {
	e := (*yaml.LoadError)(nil)
	if !errors.As(err, &e) {
		return Problem{Message: "is not YAML: " + err.Error()}
	}
	p := Problem{Line: e.Mark.Line, Column: e.Mark.Column, Message: "is not YAML: " + e.Message}
	if e.ContextMsg != "" {
		p.Message += " " + e.ContextMsg
	}
	if m := e.ContextMark; m.Line > 0 && m != e.Mark {
		p.Message += fmt.Sprintf(" that begins at %d:%d", m.Line, m.Column)
	}
	return p
}

// checkCharacters returns the place of the first byte that is not UTF-8, or of
// the first character that YAML does not allow.
func checkCharacters(source []byte) Problem {
	line, column := 1, 1
	for i := 0; i < len(source); {
		c, size := utf8.DecodeRune(source[i:])
		if c == utf8.RuneError && size == 1 {
			return Problem{Line: line, Column: column,
				Message: fmt.Sprintf("byte 0x%02x is not UTF-8: use UTF-8", source[i])}
		}
		if !allowed(c) {
			return Problem{Line: line, Column: column,
				Message: fmt.Sprintf("control character %U is not allowed: remove it", c)}
		}
		switch {
		case c == '\n':
			line, column = line+1, 1
		case i == 0 && c == '\ufeff': // a byte order mark
		default:
			column++
		}
		i += size
	}
	return Problem{}
}

// allowed reports whether YAML allows c in a file (YAML 1.2, c-printable).
func allowed(c rune) bool {
	switch {
	case c == '\t', c == '\n', c == '\r', c == 0x85:
		return true
	case c < 0x20, c >= 0x7f && c < 0xa0, c == 0xfffe, c == 0xffff:
		return false
	}
	return true
}

// syntax reports the problem of a file that is not one YAML document. If the cause is
// a tab, it reports all tabs, because an editor that inserts one usually inserts
// more.
func (r *reader) syntax(problem Problem) {
	problem.File = r.file
	if n := problem.Line; n < 1 || n > len(r.lines) || tabIn(r.lines[n-1]) == 0 {
		problem.Message += r.escapesHint(problem.Line)
		r.problems = append(r.problems, problem)
		return
	}
	for i, line := range r.lines {
		if column := tabIn(line); column > 0 {
			r.report(Problem{File: r.file, Line: i + 1, Column: column}, "a tab: indent with spaces")
		}
	}
}

// doubleQuotedBackslash matches a line with a backslash in double quotes that is no
// pair of backslashes.
var doubleQuotedBackslash = regexp.MustCompile(`"(?:[^"\\]|\\\\)*\\[^\\]?`)

// escapesHint returns what to add to the message of a syntax error in a line: advice
// if there or in the line before is a backslash in double quotes. A quote after it
// does not end the text, so the error is often in the next line.
func (r *reader) escapesHint(line int) string {
	for n := max(line-1, 1); n <= min(line, len(r.lines)); n++ {
		if doubleQuotedBackslash.MatchString(r.lines[n-1]) {
			return "; " + escapesAdvice
		}
	}
	return ""
}

// tabIn returns the column of the first tab in the indentation of a line, or 0 if
// there is none.
func tabIn(line string) int {
	indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	return strings.IndexByte(indent, '\t') + 1
}

// refuse reports the features of YAML that are not allowed in a configuration, in n
// and everywhere below it.
func (r *reader) refuse(n *yaml.Node, path string) {
	switch {
	case n.Kind == yaml.AliasNode:
		r.report(r.at(n, path), "alias *%s: aliases are not allowed, write the value itself", n.Value)
	case n.Anchor != "":
		r.report(r.at(n, path), "anchor &%s: anchors are not allowed, remove it", n.Anchor)
	case n.Style&yaml.TaggedStyle != 0:
		r.report(r.at(n, path), "tag %s: tags are not allowed, remove it", n.Tag)
	}
	for i, child := range n.Content {
		below := path
		if n.Kind == yaml.MappingNode {
			if known := join(path, n.Content[i-i%2].Value); find(known) != nil {
				below = known // the path of an unknown key may be very long
			}
		}
		r.refuse(child, below)
	}
}

// refused reports whether refuse reports a problem for n itself.
func refused(n *yaml.Node) bool {
	return n.Kind == yaml.AliasNode || n.Anchor != "" || n.Style&yaml.TaggedStyle != 0
}

// group decodes the keys of the group at path. The path of the whole file is "".
func (r *reader) group(n *yaml.Node, path string) {
	if refused(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		hint := ""
		if n.Tag == "!!null" {
			hint = "; to keep all defaults, leave the key out"
		}
		r.report(r.at(n, path), "have %s, want keys: %s%s", show(n), childNames(path), hint)
		return
	}
	lines := map[string]int{}
	var exclusive string // the first of keys that exclude each other
	for i := 0; i+1 < len(n.Content); i += 2 {
		name, value := n.Content[i], n.Content[i+1]
		if refused(name) {
			continue
		}
		if name.Tag == "!!merge" {
			r.report(r.at(name, join(path, "<<")), "merge keys are not allowed: write the keys themselves")
			continue
		}
		if name.Kind != yaml.ScalarNode {
			r.report(r.at(name, path), "have %s for a key, want a name: %s", show(name), childNames(path))
			continue
		}
		below := join(path, name.Value)
		if below == sweepGroup && r.setting == "" {
			switch {
			case !r.sweeps:
				r.report(r.at(name, below), "only trainer sweep reads this: train with trainer sweep -config %s, or remove it", terminal.Line(r.file))
			case r.sweepNode != nil:
				r.report(r.at(name, below), "is given a second time: remove one")
			default:
				r.sweepNode = value
			}
			continue
		}
		k := find(below)
		if k == nil || k.parent() != path {
			message := "unknown key"
			if len(r.problems) < shown { // to find what is meant takes long
				message = unknown(path, name.Value)
			}
			r.report(r.at(name, join(path, show(name))), "%s", message)
			continue
		}
		if line, ok := lines[name.Value]; ok {
			r.report(r.at(name, below), "is given a second time: it is in line %d already, remove one", line)
			continue
		}
		lines[name.Value] = name.Line
		if k.exclusive {
			if exclusive != "" {
				r.report(r.at(name, below), "excludes %s, which is given too: give one of %s", join(path, exclusive), strings.Join(exclusives(path), ", "))
				continue
			}
			exclusive = name.Value
		}
		if k.kind == group {
			r.groupOrAuto(k, value)
			continue
		}
		r.decode(k, value, r.at(value, below))
	}
}

// groupOrAuto decodes the keys of the group k, or the word auto where it stands for
// all of them.
func (r *reader) groupOrAuto(k *key, n *yaml.Node) {
	if !k.auto || n.Kind != yaml.ScalarNode || n.Value != "auto" || refused(n) {
		r.group(n, k.path)
		return
	}
	for _, child := range children(k.path) {
		r.decode(child, n, r.at(n, child.path))
	}
}

// decode sets the value of k from n. at is the place of n.
func (r *reader) decode(k *key, n *yaml.Node, at Problem) {
	r.places[k.path] = at
	if refused(n) || slices.ContainsFunc(n.Content, refused) {
		r.bad[k.path] = true
		return
	}
	var complaints []complaint
	if k.isPath && r.hasEscapes(n) {
		complaints = []complaint{{n, "have " + show(n) + ": " + escapesAdvice}}
	} else {
		complaints = k.decode(&r.config, n)
	}
	r.bad[k.path] = complaints != nil
	for _, c := range complaints {
		if at.Line > 0 {
			at = r.at(c.node, k.path)
		}
		r.report(at, "%s", c.text)
	}
}

// set applies a setting, key=value.
func (r *reader) set(setting string) {
	path, value, ok := strings.Cut(setting, "=")
	at := Problem{File: setFlag + terminal.Shorten(terminal.Line(setting), 200), Path: path}
	if !ok {
		at.Path = ""
		r.report(at, "want key=value, as in -set train.epochs=5")
		return
	}
	k := find(path)
	if k == nil {
		r.report(at, "%s", unknown("", path))
		return
	}
	r.lines = splitLines(value)
	n, problem := parse([]byte(value))
	if k.kind == texts && !strings.ContainsAny(value[:min(1, len(value))], `["'`) && checkCharacters([]byte(value)).Message == "" {
		// A pattern such as *.csv would be an alias.
		n, problem = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}, Problem{}
		if value == "" {
			n = &yaml.Node{Kind: yaml.SequenceNode}
		}
	}
	switch {
	case problem.Message != "":
		r.report(at, "%s%s", problem.Message, r.escapesHint(problem.Line))
		return
	case n == nil:
		n = &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null"}
		if strings.TrimSpace(value) != "" {
			n.LineComment = value
		}
	}
	if n.HeadComment+n.LineComment+n.FootComment != "" {
		r.report(at, `YAML reads a comment or nothing here: write the value in quotes, as in '%s="…"'`, path)
		return
	}
	if k.kind == text && n.Kind == yaml.ScalarNode && !refused(n) {
		n.Tag = "!!str" // the type is known: -set name=2026 needs no quotes
	}
	if refused(n) || slices.ContainsFunc(n.Content, refused) {
		r.report(at, "anchors, aliases and tags are not allowed: write the value in quotes, or remove them")
	}
	if k.kind != group {
		r.decode(k, n, at)
		return
	}
	if n.Kind != yaml.MappingNode && (!k.auto || n.Value != "auto") {
		r.report(at, "is a group: set one of its keys, %s", childNames(path))
		return
	}
	r.setting = setting
	r.groupOrAuto(k, n)
	r.setting = ""
}
