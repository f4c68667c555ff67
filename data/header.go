package data

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"trainer/data/lang"
)

// layout says what the columns of a CSV file are.
type layout struct {
	separator byte
	columns   []columns // from left to right
	width     int       // pixels of an image
	labelled  bool      // whether a column is the label
	labelAt   int       // which, counted from 0
	advised   bool      // whether nothing but its place says that it is the label
	names0    []string  // of all columns; nil without a header line
	notes     []Note
}

// columns are neighbours of one kind.
type columns struct {
	kind  columnKind
	count int
}

type columnKind int

const (
	pixelColumns columnKind = iota
	labelColumn
	idColumn     // identifiers of images without labels
	otherColumns // left out
)

// count returns the number of columns.
func (l *layout) count() (n int) {
	for _, c := range l.columns {
		n += c.count
	}
	return n
}

// The names of the columns that have a meaning, in lower case.
var (
	labelNamed = []string{"label", "class", "target", "y", "digit"}
	indexNamed = []string{"", "index", "id"}
)

func isLabelName(name string) bool { return slices.Contains(labelNamed, strings.ToLower(name)) }

// isIndexName tells whether a column of this name numbers the lines. Pandas calls
// such a column "Unnamed: 0" when it reads a file whose header has no name for it.
func isIndexName(name string) bool {
	name = strings.ToLower(name)
	return slices.Contains(indexNamed, name) || strings.HasPrefix(name, "unnamed:")
}

// separatorOf returns the separator of a line: of comma, tab and semicolon the one
// that leaves most fields that are a number or free of the other two. It returns 0
// if the line has none of them.
func separatorOf(line []byte) byte {
	best, most := byte(0), 0
	for _, separator := range []byte{',', '\t', ';'} {
		if bytes.IndexByte(line, separator) < 0 {
			continue
		}
		p := csvParser{layout: layout{separator: separator}}
		good := 0
		for i := 0; i <= len(line); {
			field, end := p.field(line, i)
			if _, ok := p.parseNumber(field); ok || !bytes.ContainsAny(field, ",\t;") {
				good++
			}
			i = end + 1
		}
		if good > most {
			best, most = separator, good
		}
	}
	return best
}

// isHeader tells whether the first line names the columns. A line of numbers is an
// image, unless they are 0, 1, 2, … or 1, 2, 3, …, or an image that pandas took
// for a header: it makes 0, 0.1, 0.2, … of equal names. A line with one name among
// numbers is an image with that label, unless the name or the numbers say
// otherwise.
func (p *csvParser) isHeader(fields []string) bool {
	var numbers []float64
	var texts, names []string
	for _, f := range fields {
		if v, ok := p.parseNumber([]byte(f)); ok {
			numbers, texts = append(numbers, v), append(texts, f)
		} else {
			names = append(names, f)
		}
	}
	if isRunning(numbers) || isMangled(texts) {
		return true
	}
	switch len(names) {
	case 0:
		return false
	case 1:
		return isLabelName(names[0]) && len(names[0]) > 1
	}
	return 2*len(names) >= len(fields)
}

// isRunning tells whether numbers are 0, 1, 2, … or 1, 2, 3, …
func isRunning(numbers []float64) bool {
	if len(numbers) < 3 || numbers[0] != 0 && numbers[0] != 1 {
		return false
	}
	for i, v := range numbers {
		if v != numbers[0]+float64(i) {
			return false
		}
	}
	return true
}

// isMangled tells whether texts are different names of which pandas made some
// from equal ones: a, a.1, a.2, …
func isMangled(texts []string) bool {
	count := map[string]int{}
	made := 0
	for _, t := range texts {
		if dot := strings.LastIndexByte(t, '.'); dot > 0 && count[t[:dot]] > 0 && t[dot+1:] == strconv.Itoa(count[t[:dot]]) {
			count[t[:dot]]++
			made++
			continue
		}
		if count[t] > 0 {
			return false
		}
		count[t]++
	}
	return made >= 2
}

// assign finds out which column is the label, and which are left out. fields are
// those of the header, or of the first image.
func (p *csvParser) assign(fields []string, header bool) error {
	n, o := len(fields), p.options
	kinds := make([]columnKind, n)
	say := func(text lang.Text, args ...any) {
		p.notes = append(p.notes, remark(lang.Text{En: "%s: %s", Zh: "%s：%s"}, p.path, text.With(args...)))
	}
	indices := 0
	if header {
		p.names0 = fields
		for i, name := range fields {
			if isIndexName(name) {
				kinds[i] = otherColumns
				indices++
			}
		}
	}
	var err error
	if p.labelAt, p.advised, err = p.chooseLabel(kinds, o.label); err != nil {
		return err
	}
	p.labelled = p.labelAt >= 0
	if !header && p.labelAt > 0 && !isSquare(n-1) && isSquare(n-2) && (fields[0] == "0" || fields[0] == "1") {
		kinds[0] = otherColumns // the images are square without it
	}
	if p.labelled {
		kinds[p.labelAt] = labelColumn
	}
	for i, k := range kinds {
		if k == otherColumns {
			say(lang.Text{En: "column %s is left out: it numbers the lines", Zh: "略去列 %s：它是行号"}, p.columnName(i))
		}
	}
	p.arrange(kinds)
	if p.width == 0 {
		return fmt.Errorf("no column of pixels among %d, want label,p0,p1,…", n)
	}
	if p.width > maxImage {
		return fmt.Errorf("an image of %d pixels, want at most %d", p.width, maxImage)
	}
	if header && isNumeric(fields) {
		say(lang.Text{En: "line %d (%s, …) is a header, and no image", Zh: "第 %d 行（%s, …）是表头，不是图像"}, p.number, strings.Join(fields[:min(3, n)], ", "))
	}
	switch {
	case header && p.advised:
		say(lang.Text{En: "no column is named %s: column %s is taken for the label (data.csv.label)", Zh: "没有名为 %s 的列：把列 %s 作为标签（data.csv.label）"}, orText(labelNamed), p.columnName(p.labelAt))
	case p.advised:
		say(lang.Text{En: "no header line: the first column is taken for the label (data.csv.label)", Zh: "没有表头：把第一列作为标签（data.csv.label）"})
	case header && p.labelled && p.labelAt != indices:
		say(lang.Text{En: "the label is column %s", Zh: "标签是列 %s"}, p.columnName(p.labelAt))
	}
	return nil
}

// arrange says what each column is.
func (l *layout) arrange(kinds []columnKind) {
	for _, k := range kinds {
		if last := len(l.columns) - 1; last >= 0 && l.columns[last].kind == k {
			l.columns[last].count++
		} else {
			l.columns = append(l.columns, columns{k, 1})
		}
		if k == pixelColumns {
			l.width++
		}
	}
}

func isSquare(n int) bool {
	side := int(math.Sqrt(float64(n)))
	return side > 0 && side*side == n
}

// isNumeric tells whether all names are numbers.
func isNumeric(names []string) bool {
	return !slices.ContainsFunc(names, func(s string) bool { _, err := strconv.ParseFloat(s, 64); return err != nil })
}

// chooseLabel returns the column of the label. advised says that nothing but its
// place speaks for it.
func (p *csvParser) chooseLabel(kinds []columnKind, option string) (column int, advised bool, err error) {
	n := len(kinds)
	firstLeft := slices.Index(kinds, pixelColumns)
	switch option {
	case "", "auto":
		column, err := p.namedLabel()
		if column >= 0 || err != nil {
			return column, false, err
		}
		if firstLeft < 0 {
			return 0, false, fmt.Errorf("no column of pixels among %d, want label,p0,p1,…", n)
		}
		return firstLeft, true, p.refusePixel(firstLeft)
	case "first":
		return max(firstLeft, 0), false, nil
	case "last":
		for column = n - 1; column > 0 && kinds[column] == otherColumns; column-- {
		}
		return column, false, nil
	}
	named := slices.IndexFunc(p.names0, func(name string) bool { return strings.EqualFold(name, option) })
	if number, err := strconv.Atoi(option); err == nil {
		switch {
		case number < 1 || number > n:
			return 0, false, fmt.Errorf("data.csv.label is column %d, and there are %d, counted from 1", number, n)
		case named >= 0 && named != number-1:
			return 0, false, fmt.Errorf("data.csv.label is %d: that is the number of column %s and the name of column %s; if it is the first or the last, write first or last",
				number, p.columnName(number-1), p.columnName(named))
		}
		return number - 1, false, nil
	}
	switch {
	case named >= 0:
		return named, false, nil
	case p.names0 == nil:
		return 0, false, fmt.Errorf("data.csv.label is %s, and the file has no header line: write first, last, or the number of the column", strconv.Quote(option))
	}
	return 0, false, fmt.Errorf("data.csv.label is %s, and no column has that name: the %d columns are %s", strconv.Quote(option), n, shorten(p.names0))
}

// namedLabel returns the column that its name says is the label, or -1.
func (p *csvParser) namedLabel() (int, error) {
	column := -1
	for i, name := range p.names0 {
		switch {
		case !isLabelName(name):
		case column >= 0:
			return 0, fmt.Errorf("columns %s and %s may both be the label: say which in data.csv.label", p.columnName(column), p.columnName(i))
		default:
			column = i
		}
	}
	return column, nil
}

// errNoLabels is in the error for a file of images without labels.
var errNoLabels = errors.New("these images have no labels")

// refusePixel returns an error if the name of a column says that it is a pixel:
// pixel0 before pixel1 and pixel2.
func (p *csvParser) refusePixel(column int) error {
	form := nameForm(p.nameOf(column))
	if form == "" || form == "#" || form != nameForm(p.nameOf(column+1)) || form != nameForm(p.nameOf(column+2)) {
		return nil
	}
	if other := p.otherForm(form); other >= 0 {
		return fmt.Errorf("no column is named %s, and column %s looks like a pixel: if the label is column %s, set data.csv.label to %s",
			orList(labelNamed), p.columnName(column), p.columnName(other), strconv.Quote(p.names0[other]))
	}
	return fmt.Errorf("no column is named %s, and column %s looks like a pixel: %w, so they are neither for training nor for a test "+
		"(trainer predict -data classifies them); if a column is the label after all, say which in data.csv.label", orList(labelNamed), p.columnName(column), errNoLabels)
}

// nameOf returns the name of a column; "" if there is none.
func (p *csvParser) nameOf(column int) string {
	if column < len(p.names0) {
		return p.names0[column]
	}
	return ""
}

// otherForm returns the only column that is named in another way than most and
// has no meaning known by its name, or -1.
func (p *csvParser) otherForm(form string) int {
	other := -1
	for i, name := range p.names0 {
		if nameForm(name) == form || isIndexName(name) {
			continue
		}
		if other >= 0 {
			return -1
		}
		other = i
	}
	return other
}

// nameForm returns a name with # for each number in it.
func nameForm(name string) string {
	var b strings.Builder
	digits := false
	for _, r := range name {
		digit := r >= '0' && r <= '9'
		switch {
		case !digit:
			b.WriteRune(r)
		case !digits:
			b.WriteByte('#')
		}
		digits = digit
	}
	return b.String()
}

// columnName returns what a column is called: its number, counted from 1, and its
// name.
func (p *csvParser) columnName(i int) string {
	if i < len(p.names0) {
		return fmt.Sprintf("%d (%s)", i+1, quote([]byte(p.names0[i])))
	}
	return strconv.Itoa(i + 1)
}

// labelColumn says which column is the label.
func (p *csvParser) labelColumn() string { return "column " + p.columnName(p.labelAt) }

// advice says, where nothing but its place speaks for the column of the label,
// which column may be it instead.
func (p *csvParser) advice() string {
	if !p.advised || len(p.labels) == 0 {
		return ""
	}
	if p.numbersLines() {
		return "; it numbers the lines, and is not the label: say which column is in data.csv.label (2, last)"
	}
	if i := p.otherForm(nameForm(p.nameOf(p.labelAt))); i >= 0 {
		return fmt.Sprintf("; the label may be column %s: then set data.csv.label to %s", p.columnName(i), strconv.Quote(p.names0[i]))
	}
	if last := p.valuesOf(p.width - 1); last.isLabel() {
		return fmt.Sprintf("; column %s, the last, has whole numbers from %d to %d: if it is the label, set data.csv.label to last",
			p.columnName(p.count()-1), last.lowest, last.lowest+last.different-1)
	}
	return "; if the label is in another column, say which in data.csv.label"
}

// numbersLines tells whether the labels so far are 0, 1, 2, … or 1, 2, 3, …, too many
// for a coincidence.
func (p *csvParser) numbersLines() bool {
	first, err := strconv.Atoi(p.names.text(p.labels[0]))
	if len(p.labels) < 11 || err != nil || first > 1 {
		return false
	}
	for i, code := range p.labels {
		if p.names.text(code) != strconv.Itoa(first+i) {
			return false
		}
	}
	return true
}

// looksLikePixels tells whether the first column is hardly the label, and the last
// one hardly anything else.
func (p *csvParser) looksLikePixels() bool {
	if !p.advised {
		return false
	}
	var first values
	for _, code := range p.labels {
		first.add(float64(code))
	}
	last := p.valuesOf(p.width - 1)
	if p.names.texts != nil || !last.isLabel() {
		return false
	}
	return !first.isLabel() && (first.different < last.different || first.different > 2*last.different)
}

// valuesOf returns the values of a pixel.
func (p *csvParser) valuesOf(pixel int) (v values) {
	for i := range p.labels {
		if k := i*p.width + pixel; p.isWide {
			v.add(float64(p.wide[k]))
		} else {
			v.add(float64(p.pixels[k]))
		}
	}
	return v
}

// values says which values a column has.
type values struct {
	total, different int
	lowest           int
	count            [256]int // by value
	other            bool     // whether one is no whole number of 0 to 255
}

func (v *values) add(x float64) {
	v.total++
	k := uint8(min(max(x, 0), math.MaxUint8))
	if float64(k) != x {
		v.other = true
		return
	}
	if v.count[k]++; v.count[k] == 1 {
		if v.different++; v.different == 1 || int(k) < v.lowest {
			v.lowest = int(k)
		}
	}
}

// isLabel tells whether a column may well be the label: all whole numbers from 0
// or 1 to a few more, and no value in nearly all lines.
func (v *values) isLabel() bool {
	if v.other || v.different < 2 || v.different > 100 || v.lowest > 1 {
		return false
	}
	for k := range v.different {
		if n := v.count[v.lowest+k]; n == 0 || float64(n) > 0.9*float64(v.total) {
			return false
		}
	}
	return true
}

// orText joins words in both languages: "a, b or c".
func orText(words []string) lang.Text {
	last := len(words) - 1
	return lang.Text{En: "%s or %s", Zh: "%s 或 %s"}.With(strings.Join(words[:last], ", "), words[last])
}

// orList joins words: "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " or " + words[len(words)-1]
}

// shorten lists names from a file, quoted, the first ones and the last.
func shorten(names []string) string {
	var list []string
	for i, name := range names {
		if i == 3 && len(names) > 5 {
			list = append(list, "…")
		}
		if i < 3 || i > len(names)-3 {
			list = append(list, quote([]byte(name)))
		}
	}
	return strings.Join(list, ", ")
}
