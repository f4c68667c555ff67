package data

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"trainer/data/lang"
)

// table is what is in one or more files of one kind, before it is decided which
// class a label is, and which input a value.
type table struct {
	path       string // of the first file
	rows, cols int
	pixels     []uint8
	wide       []float32 // in place of pixels, where values are no whole numbers of 0 to 255
	labels     []uint8   // codes
	names      labelNames
	labelled   bool     // whether the files have labels
	ids        []string // of images without labels; or nil

	place  func(image int) string // "csv: f.csv:7": where the label of an image is
	outer  string                 // the first value outside of 0 to 255, as an error
	advice string                 // what to do if the labels are wrong, after a ";"; or ""
	notes  []Note

	imagesSum string // of the images as the file has them (see Set.Sums); "" if nobody asked
}

// Note is something that the user of a data set should know.
type Note struct {
	Warning bool // whether something is likely to be wrong
	Text    lang.Text
	Framed  bool // whether it has several lines, and is to be seen
}

// remark and warning return notes.
func remark(text lang.Text, args ...any) Note  { return Note{Text: text.With(args...)} }
func warning(text lang.Text, args ...any) Note { return Note{Warning: true, Text: text.With(args...)} }

// of returns the note about another file in place of a file.
func (n Note) of(file, other string) Note {
	n.Text.En = strings.Replace(n.Text.En, file, other, 1)
	n.Text.Zh = strings.Replace(n.Text.Zh, file, other, 1)
	return n
}

func (t *table) inputs() int { return t.rows * t.cols }

// join appends another table of the same kind of images.
func (t *table) join(u *table) error {
	if t.rows != u.rows || t.cols != u.cols {
		return fmt.Errorf("data: %s has images of %d×%d pixels, but %s of %d×%d; want one size", t.path, t.rows, t.cols, u.path, u.rows, u.cols)
	}
	if t.labelled != u.labelled {
		return fmt.Errorf("data: of %s and %s only one has labels", t.path, u.path)
	}
	for i, code := range u.labels {
		if t.names.texts != nil || u.names.texts != nil {
			var problem string
			if code, problem = t.names.textCode(u.names.text(code)); problem != "" {
				return fmt.Errorf("%s: label %s, %s", u.place(i), quote([]byte(u.names.text(u.labels[i]))), problem)
			}
		}
		t.names.seen[code] = true
		t.labels = append(t.labels, code)
	}
	if t.wide != nil || u.wide != nil {
		t.wide = append(t.wideValues(), u.wideValues()...)
		t.pixels = nil
	} else {
		t.pixels = append(t.pixels, u.pixels...)
	}
	first, n := t.place, len(t.labels)-len(u.labels)
	t.place = func(image int) string {
		if image < n {
			return first(image)
		}
		return u.place(image - n)
	}
	if t.outer == "" {
		t.outer = u.outer
	}
	t.notes = append(t.notes, u.notes...)
	return nil
}

// wideValues returns the pixels as numbers of any kind.
func (t *table) wideValues() []float32 {
	if t.wide != nil {
		return t.wide
	}
	wide := make([]float32, len(t.pixels))
	for k, p := range t.pixels {
		wide[k] = float32(p)
	}
	return wide
}

// first returns the first image with a label.
func (t *table) first(code uint8) int { return slices.Index(t.labels, code) }

// codes returns the codes of the labels that occur, in order.
func (t *table) codes() (codes []uint8) {
	for code, seen := range t.names.seen {
		if seen {
			codes = append(codes, uint8(code))
		}
	}
	return codes
}

// texts returns the labels that occur.
func (t *table) texts() (texts []string) {
	for _, code := range t.codes() {
		texts = append(texts, t.names.text(code))
	}
	return texts
}

// extent returns the lowest and the highest value of all pixels.
func (t *table) extent() Range {
	if t.wide != nil {
		return Range{float64(slices.Min(t.wide)), float64(slices.Max(t.wide))}
	}
	r := Range{math.MaxUint8, 0}
	for from := 0; from < len(t.pixels) && r != (Range{0, math.MaxUint8}); from += 1 << 12 {
		for _, p := range t.pixels[from:min(from+1<<12, len(t.pixels))] {
			r.Low, r.High = min(r.Low, float64(p)), max(r.High, float64(p))
		}
	}
	return r
}

// outside returns the place of the first value that is not in r.
func (t *table) outside(r Range) string {
	for k := range t.rows * t.cols * len(t.labels) {
		var v float64
		if t.wide != nil {
			v = float64(t.wide[k])
		} else {
			v = float64(t.pixels[k])
		}
		if v < r.Low || v > r.High {
			return fmt.Sprintf("data: %s: image %d (counted from 1), pixel %d is %s", t.path, k/t.inputs()+1, k%t.inputs(), formatNumber(v))
		}
	}
	return "data: " + t.path
}

// set returns the table as a set of the labels 0 to classes-1 and the values 0 to
// 255.
func (t *table) set(classes int) (*Set, error) {
	if _, _, err := quantize(Range{0, math.MaxUint8}, t); err != nil {
		return nil, err
	}
	c, err := classesOf(nil, classes, t)
	if err != nil {
		return nil, err
	}
	return c.set(t)
}

// rangeOf decides which values become the lowest and the highest input, and says
// so where that is not plain.
func rangeOf(asked Range, tables ...*table) (r Range, notes []Note, err error) {
	found := Range{math.Inf(1), math.Inf(-1)}
	wide := false
	for _, t := range tables {
		e := t.extent()
		found = Range{min(found.Low, e.Low), max(found.High, e.High)}
		wide = wide || t.wide != nil
	}
	path := tables[0].path
	if asked != (Range{}) {
		for _, t := range tables {
			if e := t.extent(); e.Low < asked.Low || e.High > asked.High {
				return r, nil, fmt.Errorf("%s: the values go from %v, and data.values from %v", t.outside(asked), e, asked)
			}
		}
		if found.High < asked.Low+(asked.High-asked.Low)/4 {
			notes = append(notes, warning(lang.Text{En: "%s: data.values is from %s, and the largest value found is %s", Zh: "%s：data.values 的范围是 %s，而实际最大值是 %s"}, path, asked.text(), formatNumber(found.High)))
		}
		return asked, notes, nil
	}
	for _, t := range tables {
		if t.outer != "" {
			return r, nil, fmt.Errorf("%s; the values go from %v: if all are right, set data.values (min and max)", t.outer, found)
		}
	}
	r = Range{0, math.MaxUint8}
	for _, most := range []float64{1, 16} {
		if found.High > 0 && found.High <= most {
			r.High = most
			break
		}
	}
	switch {
	case r.High < math.MaxUint8:
		notes = append(notes, remark(lang.Text{En: "%s: the largest value is %s: values are taken to go from %s (data.values)", Zh: "%s：最大值是 %s：取值范围按 %s 处理（data.values）"}, path, formatNumber(found.High), r.text()))
	case found.High == 0:
		return r, nil, fmt.Errorf("data: %s: all pixels are 0", path)
	case found.High < 128:
		notes = append(notes, warning(lang.Text{En: "%s: the largest value is %s, and values are taken to go from %s: if they do not, set data.values.max", Zh: "%s：最大值是 %s，而取值范围按 %s 处理：如果不对，请设置 data.values.max"}, path, formatNumber(found.High), r.text()))
	}
	return r, notes, nil
}

// quantize makes bytes of the values of tables, where they are none. It returns the
// bytes that stand for the ends of r.
func quantize(r Range, tables ...*table) (bytes Range, notes []Note, err error) {
	wide := slices.ContainsFunc(tables, func(t *table) bool { return t.wide != nil })
	if !wide && r.Low >= 0 && r.High <= math.MaxUint8 && r == (Range{math.Trunc(r.Low), math.Trunc(r.High)}) {
		return r, nil, nil
	}
	worst := 0.0
	for _, t := range tables {
		values := t.wideValues()
		t.pixels = make([]uint8, len(values))
		for k, v := range values {
			x := 255 * ((float64(v) - r.Low) / (r.High - r.Low))
			if x < 0 || x > math.MaxUint8 || math.IsNaN(x) {
				return r, nil, fmt.Errorf("data: %s: a value of %s, want %v (data.values)", t.path, formatNumber(float64(v)), r)
			}
			t.pixels[k] = uint8(math.Round(x))
			worst = max(worst, math.Abs(x-math.Round(x)))
		}
		t.wide = nil
	}
	if worst > 0.01 { // else they were such steps, written with few digits
		step := (r.High - r.Low) / math.MaxUint8
		notes = append(notes, remark(lang.Text{En: "%s: values are rounded to 256 steps of %s from %s, by at most %s", Zh: "%s：数值取整为 256 级，每级 %s，范围 %s，误差最多 %s"},
			tables[0].path, formatNumber(step), r.text(), strconv.FormatFloat(worst*step, 'g', 2, 64)))
	}
	return Range{0, math.MaxUint8}, notes, nil
}

// classing says which class a label is.
type classing struct {
	names   []string         // of the classes; nil: their numbers
	classes int              // of the sets
	of      map[string]uint8 // by label; nil: the code is the class
	notes   []Note
}

// set returns a table as a set. Its pixels are bytes.
func (c classing) set(t *table) (*Set, error) {
	s := &Set{Name: t.path, Rows: t.rows, Cols: t.cols, Classes: c.classes, Pixels: t.pixels, Labels: t.labels, ClassNames: c.names}
	if c.of == nil {
		return s, nil
	}
	var class [256]uint8
	for _, code := range t.codes() {
		k, ok := c.of[t.names.text(code)]
		if !ok {
			return nil, fmt.Errorf("BUG: %s: no class for label %q", t.path, t.names.text(code))
		}
		class[code] = k
	}
	for i, code := range s.Labels {
		s.Labels[i] = class[code]
	}
	return s, nil
}

// classesOf decides which class a label is. names are those of data.classes, or
// nil. outputs is how many classes the network has, 0 if that is not known.
//
// Whole numbers from 0 are classes as they are. Other labels are, in sorted order,
// the classes 0, 1, …
func classesOf(names []string, outputs int, tables ...*table) (c classing, err error) {
	texts := map[string]bool{}
	for _, t := range tables {
		for _, text := range t.texts() {
			texts[text] = true
		}
	}
	sorted := make([]string, 0, len(texts))
	for text := range texts {
		sorted = append(sorted, text)
	}
	slices.SortFunc(sorted, compareLabels)
	lowest, numeric := labelNumber(sorted[0])
	highest, last := labelNumber(sorted[len(sorted)-1])
	numeric = numeric && last // numbers come first

	c.classes = outputs
	switch {
	case names != nil:
		if err := c.byName(names, sorted, numeric, lowest, highest, tables); err != nil {
			return c, err
		}
	case !numeric || lowest < 0:
		c.names = sorted
		c.number(sorted)
		c.notes = append(c.notes, remark(lang.Text{En: "%s: the labels are, in sorted order, the classes 0 to %d: %s", Zh: "%s：标签按排序依次为类别 0 至 %d：%s"}, tables[0].path, len(sorted)-1, shorten(sorted)))
	case fromOne(sorted, lowest, highest) && highest == outputs:
		c.names = nil
		for k := range outputs {
			c.names = append(c.names, strconv.Itoa(k+1))
		}
		c.number(c.names)
		c.notes = append(c.notes, remark(lang.Text{En: "%s: the labels go from 1 to %d: they are the classes 0 to %d", Zh: "%s：标签从 1 到 %d：即类别 0 至 %d"}, tables[0].path, outputs, outputs-1))
	case outputs > 0 && highest >= outputs:
		return c, tooLarge(sorted, outputs, lowest, highest, tables)
	case highest > math.MaxUint8:
		return c, fmt.Errorf("data: %s: labels up to %d, want at most 255%s", tables[0].path, highest, tables[0].advice)
	case outputs == 0:
		c.classes = highest + 1
	}
	if c.names != nil {
		if outputs > 0 && len(c.names) > outputs {
			where := "data: " + tables[0].path
			if _, ok := labelNumber(sorted[0]); ok && names == nil {
				text := sorted[slices.IndexFunc(sorted, func(l string) bool { _, ok := labelNumber(l); return !ok })]
				where = fmt.Sprintf("%s: label %s among numbers", placeOf(text, tables), quote([]byte(text)))
			}
			return c, OutputsError(fmt.Sprintf("%s: %d classes (%s), and a network of %s: %s%s",
				where, len(c.names), shorten(c.names), countOf(outputs, "output"), wantOutputs(len(c.names), outputs), tables[0].advice))
		}
		if outputs == 0 {
			c.classes = len(c.names)
		}
	}
	if c.classes > math.MaxUint8+1 {
		c.classes = math.MaxUint8 + 1 // labels are bytes
	}
	return c, nil
}

// number makes the labels, in this order, the classes 0, 1, …
func (c *classing) number(labels []string) {
	c.of = map[string]uint8{}
	for k, label := range labels {
		c.of[label] = uint8(k)
	}
}

// byName makes classes of labels that are names, or numbers of names.
func (c *classing) byName(names, labels []string, numeric bool, lowest, highest int, tables []*table) error {
	c.names = names
	c.number(names)
	missing := slices.IndexFunc(labels, func(l string) bool { _, ok := c.of[l]; return !ok })
	switch {
	case missing < 0:
		return nil
	case numeric && lowest >= 0 && highest < len(names):
		c.of = map[string]uint8{}
		for _, l := range labels {
			v, _ := labelNumber(l)
			c.of[l] = uint8(v)
		}
		return nil
	case numeric && lowest >= 1 && highest <= len(names):
		c.of = map[string]uint8{}
		for _, l := range labels {
			v, _ := labelNumber(l)
			c.of[l] = uint8(v - 1)
		}
		c.notes = append(c.notes, remark(lang.Text{En: "%s: the labels go from %d to %d: 1 is the first of data.classes, %s", Zh: "%s：标签从 %d 到 %d：1 是 data.classes 的第一个，%s"},
			tables[0].path, lowest, highest, quote([]byte(names[0]))))
		return nil
	}
	label := labels[missing]
	for _, l := range labels { // a number that is the number of a name is not to blame
		if v, ok := labelNumber(l); ok && v >= 0 && v < len(names) {
			continue
		}
		if _, ok := c.of[l]; !ok {
			label = l
			break
		}
	}
	return fmt.Errorf("%s: label %s is none of the %d names (data.classes): %s", placeOf(label, tables), quote([]byte(label)), len(names), shorten(names))
}

// tooLarge is the error for labels that are no class of the network.
func tooLarge(sorted []string, outputs, lowest, highest int, tables []*table) error {
	label := sorted[slices.IndexFunc(sorted, func(s string) bool { v, _ := labelNumber(s); return v >= outputs })]
	hint, advice := wantOutputs(highest+1, outputs), ""
	if fromOne(sorted, lowest, highest) && outputs > 1 {
		hint = fmt.Sprintf("the labels go from 1 to %d, so the last of model.layers has to be %d: now it is %d", highest, highest, outputs)
	}
	for _, t := range tables {
		if advice = t.advice; advice != "" {
			break
		}
	}
	if highest > math.MaxUint8 {
		hint = fmt.Sprintf("the labels go up to %d, which is too much for classes", highest)
	}
	return OutputsError(fmt.Sprintf("%s: label %s, want 0 to %d: %s%s", placeOf(label, tables), label, outputs-1, hint, advice))
}

// OutputsError says that a network has too few outputs for the labels of a set.
type OutputsError string

func (e OutputsError) Error() string { return string(e) }

// fromOne tells whether labels are counted from 1: none is 0, and most numbers up to
// the highest are labels.
func fromOne(labels []string, lowest, highest int) bool {
	return lowest == 1 && highest > 1 && 2*len(labels) > highest
}

// wantOutputs says how many outputs a network for so many classes has.
func wantOutputs(classes, outputs int) string {
	if outputs == 1 {
		return fmt.Sprintf("the network has an output for each class, also where there are two: the last of model.layers has to be %d", classes)
	}
	return fmt.Sprintf("the network has %d outputs, one for each class: for these labels the last of model.layers has to be %d", outputs, classes)
}

// placeOf returns where a label is for the first time.
func placeOf(label string, tables []*table) string {
	for _, t := range tables {
		for _, code := range t.codes() {
			if t.names.text(code) == label {
				return strings.TrimSuffix(t.place(t.first(code)), ": ")
			}
		}
	}
	return "data"
}

// labelNumber returns the value of a label that is a whole number.
func labelNumber(label string) (v int, ok bool) {
	v, err := strconv.Atoi(label)
	return v, err == nil && strconv.Itoa(v) == label
}

// compareLabels puts numbers in their order, and before texts.
func compareLabels(a, b string) int {
	x, xOK := labelNumber(a)
	y, yOK := labelNumber(b)
	switch {
	case xOK && yOK:
		return x - y
	case xOK:
		return -1
	case yOK:
		return 1
	}
	return strings.Compare(a, b)
}

func countOf(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
