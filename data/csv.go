package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"trainer/data/lang"
)

// maxLine is the length of the longest line that is read: an image of maxImage
// pixels, up to four bytes each.
const maxLine = 4*(maxImage+1) + 2

// ReadCSV reads a set from a file with a line for each image: a label and the
// pixels, as whole numbers of 0 to 255, in any form that Open reads. The file may
// be gzipped, whatever its name. Labels are numbers less than classes, which is
// at most 256. The set is named after the file.
//
// The first line decides how many pixels an image has; where that is a square the
// images are √N×√N, else 1×N. A first line that is no image is a header. The
// label is the column that the header calls label, class, target, y or digit,
// else the first. Errors name file, line and column (in bytes, both from 1) and
// say what was wanted. Memory is bounded by the bytes that are really there.
func ReadCSV(ctx context.Context, path string, classes int) (*Set, error) {
	if err := checkClasses("csv", classes); err != nil {
		return nil, err
	}
	t, err := readCSVFile(ctx, path, csvOptions{values: Range{0, 255}})
	if err != nil {
		return nil, err
	}
	return t.set(classes)
}

// csvOptions say how to read a file.
type csvOptions struct {
	label  string // data.csv.label; "": auto
	values Range  // of the pixels; zero: not known yet
	inputs int    // where not 0, the images have so many pixels and no labels
	id     string // where there are no labels: the name of the column of identifiers, or ""
}

func readCSVFile(ctx context.Context, path string, o csvOptions) (*table, error) {
	in, err := openInput("csv", path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	return readCSV(ctx, in, o)
}

func readCSV(ctx context.Context, in *input, o csvOptions) (*table, error) {
	if what := in.foreign(); what != "" {
		return nil, in.errorf(0, "%s", what)
	}
	p := csvParser{options: o, path: in.path, size: in.size, longest: maxLine, end: '\n', other: '\r'}
	if in.packed {
		p.size *= 10
	}
	r := bufio.NewReaderSize(in, 1<<18)
	p.findLineEnd(r)
	for last := false; !last; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("csv: %s: %w", in.path, err)
		}
		chunk, err := p.readLine(r)
		if last = errors.Is(err, io.EOF); err != nil && !last {
			return nil, err
		}
		if err := p.split(bytes.TrimRight(chunk, "\r\n")); err != nil {
			return nil, err
		}
	}
	return p.table()
}

// csvParser reads a file line by line.
type csvParser struct {
	options    csvOptions
	path       string
	size       int64 // bytes of the file, or a guess at them when unpacked
	longest    int   // most bytes of a line
	end, other byte  // what ends a line: \n, or \r in files that have only that; the other of the two

	long   []byte // a line that does not fit into the reader
	number int    // of the current line, from 1
	shift  int    // bytes of the current line before its first field

	layout
	first  int // number of the line that said so, 0 before
	pixels []uint8
	wide   []float32 // in place of pixels, once a value is no whole number of 0 to 255
	isWide bool
	outer  string // the first value outside of 0 to 255, and its place
	labels []uint8
	names  labelNames
	ids    []string // of the images
	gaps   []gap
}

// gap says that the images from one on are in lines that are further down.
type gap struct{ image, line int }

// errWide says that the line has a value that is no whole number of 0 to 255.
var errWide = errors.New("wide")

// errorf returns an error at a column of the current line.
func (p *csvParser) errorf(col int, format string, args ...any) error {
	return fmt.Errorf("csv: %s:%d:%d: %w", p.path, max(p.number, 1), col+p.shift, fmt.Errorf(format, args...))
}

// findLineEnd looks for the first end of a line. In a file that ends lines with
// \r alone there is no \n.
func (p *csvParser) findLineEnd(r *bufio.Reader) {
	head, _ := r.Peek(r.Size()) // an error comes again when the lines are read
	i := bytes.IndexByte(head, '\r')
	if i < 0 || bytes.IndexByte(head[:i], '\n') >= 0 {
		return
	}
	rest := bytes.TrimLeft(head[i:], "\r")
	if len(rest) > 0 && rest[0] != '\n' {
		p.end, p.other = '\r', '\n'
	}
}

// readLine returns the next line with its end; it is valid until the next call.
// The last line comes with io.EOF, and may be empty.
func (p *csvParser) readLine(r *bufio.Reader) ([]byte, error) {
	line, err := r.ReadSlice(p.end)
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	p.long = append(p.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice(p.end)
		p.long = append(p.long, line...)
		if len(p.long) > p.longest {
			p.number++
			return nil, p.errorf(1, "a line of more than %d bytes, want at most %d pixels", p.longest, maxImage)
		}
	}
	return p.long, err
}

// split takes what is between two line ends. There may be ends of the other kind
// in it.
func (p *csvParser) split(chunk []byte) error {
	for {
		line, rest, more := bytes.Cut(chunk, []byte{p.other})
		p.number++
		p.shift = 0
		if err := p.parse(line); err != nil {
			return err
		}
		if !more {
			return nil
		}
		chunk = rest
	}
}

// parse takes a line, without its end.
func (p *csvParser) parse(line []byte) error {
	if p.number == 1 {
		if bare := bytes.TrimPrefix(line, []byte("\ufeff")); len(bare) < len(line) {
			line, p.shift = bare, len(line)-len(bare)
		}
	}
	if len(line) == 0 || (line[0] < '0' || line[0] > '9') && len(bytes.Trim(line, " \t,;\"'")) == 0 {
		return nil
	}
	if p.first == 0 {
		header, err := p.begin(line)
		if err != nil || header {
			return err
		}
	}
	if p.pixels == nil && !p.isWide {
		// A pixel takes two bytes or more, so this holds the whole file.
		p.pixels = make([]uint8, 0, min(p.size/2, math.MaxInt/2))
		p.labels = make([]uint8, 0, min(p.size/2/int64(p.width)+1, math.MaxInt/2))
	}
	if len(p.labels) == math.MaxInt32 {
		return p.errorf(1, "more than %d images", math.MaxInt32)
	}
	if at := len(p.labels); len(p.gaps) == 0 || p.line(at) != p.number {
		p.gaps = append(p.gaps, gap{at, p.number})
	}
	err := p.image(line)
	if errors.Is(err, errWide) {
		p.widen()
		err = p.image(line)
	}
	return err
}

// begin takes the first line that is not blank, which may be a header. It finds
// out what the columns are.
func (p *csvParser) begin(line []byte) (header bool, err error) {
	bare := bytes.TrimSpace(line)
	if bytes.HasPrefix(bytes.ToLower(bare), []byte("sep=")) {
		return true, nil // a spreadsheet's: the separator shows in the next line as well
	}
	if comment := bytes.HasPrefix(bare, []byte("#")); comment {
		if line = bytes.TrimLeft(bare, "# \t"); separatorOf(line) == 0 {
			return true, nil
		}
		header = true
	}
	if p.separator = separatorOf(line); p.separator == 0 {
		if n := len(bytes.Fields(line)); n > 1 {
			return false, p.errorf(1, "%d columns with spaces between them, want commas, tabs or semicolons: label,p0,p1,…", n)
		}
		return false, p.errorf(1, "a line of one field %s, want label,p0,p1,… with commas", quote(line))
	}
	fields := p.fields(line)
	if len(fields) > maxImage+1 {
		return false, p.errorf(1, "a line of %d columns, want at most %d pixels", len(fields), maxImage)
	}
	if !header {
		header = p.isHeader(fields)
	}
	p.first = p.number
	assign := p.assign
	if p.options.inputs > 0 {
		assign = p.assignRows
	}
	if err := assign(fields, header); err != nil {
		return false, p.errorf(1, "%w", err)
	}
	return header, nil
}

// line returns the number of the line of an image.
func (p *csvParser) line(image int) int {
	i, found := slices.BinarySearchFunc(p.gaps, image, func(g gap, image int) int { return g.image - image })
	if !found {
		i--
	}
	return p.gaps[i].line + image - p.gaps[i].image
}

// image takes the line of an image. After errWide nothing of it is kept.
func (p *csvParser) image(line []byte) error {
	rows := len(p.labels)
	var dst []uint8
	if !p.isWide {
		have := rows * p.width
		p.pixels = slices.Grow(p.pixels[:have], p.width)[:have+p.width]
		dst = p.pixels[have:]
	}
	labels := p.labels
	next, pixel := 0, 0 // where the next field begins, and which pixel is next
	for _, c := range p.columns {
		var err error
		switch c.kind {
		case pixelColumns:
			if p.isWide {
				next, err = p.wideValues(line, next, c.count, pixel)
			} else {
				next, err = p.bytes(line, next, dst[pixel:pixel+c.count], pixel)
			}
			pixel += c.count
		case labelColumn:
			next, err = p.label(line, next)
		case idColumn:
			if next > len(line) {
				return p.short(line)
			}
			var field []byte
			field, next = p.field(line, next)
			next++
			p.ids = append(p.ids[:rows], string(field))
		case otherColumns:
			for range c.count {
				if next > len(line) {
					err = p.short(line)
					break
				}
				_, end := p.field(line, next)
				next = end + 1
			}
		}
		if errors.Is(err, errWide) {
			p.labels = labels
		}
		if err != nil {
			return err
		}
	}
	if !p.labelled {
		p.labels = append(p.labels, 0)
	}
	if next <= len(line) && len(bytes.Trim(line[next:], " \t\"'")) > 0 {
		return p.errorf(next+1, "the line has %d columns, want %d as in line %d", len(p.fields(line)), p.count(), p.first)
	}
	return nil
}

// short is the error for a line that ends early.
func (p *csvParser) short(line []byte) error {
	return p.errorf(len(line)+1, "the line ends after %d columns, want %d as in line %d", len(p.fields(line)), p.count(), p.first)
}

// bytes reads len(dst) fields, the first of which begins at line[i], and returns
// where the next one begins. Plain whole numbers of 0 to 255 go the fast way.
func (p *csvParser) bytes(line []byte, i int, dst []uint8, pixel int) (next int, err error) {
	separator := p.separator
	for k := range dst {
		start := i
		v := uint(0)
		for ; i < len(line) && line[i] != separator; i++ {
			d := line[i] - '0'
			if v = 10*v + uint(d); d > 9 || v > math.MaxUint8 {
				v = math.MaxUint
				break
			}
		}
		if i <= start || v == math.MaxUint { // empty, past the end, or not plain
			var value float64
			if value, i, err = p.value(line, start, pixel+k); err != nil {
				return 0, err
			}
			if v = uint(max(value, 0)); float64(v) != value || v > math.MaxUint8 {
				return 0, errWide
			}
		}
		dst[k] = uint8(v)
		i++
	}
	return i, nil
}

// wideValues is bytes for numbers of any kind: it appends them to p.wide.
func (p *csvParser) wideValues(line []byte, i, count, pixel int) (next int, err error) {
	for k := range count {
		start := i
		var v float64
		if v, i, err = p.value(line, start, pixel+k); err != nil {
			return 0, err
		}
		if r := p.options.values; r != (Range{}) && (v < r.Low || v > r.High) {
			field, _ := p.field(line, start)
			return 0, p.errorf(start+1, "pixel %d is %s, want a number from %v", pixel+k, quote(field), r)
		} else if r == (Range{}) && p.outer == "" && (v < 0 || v > math.MaxUint8) {
			field, _ := p.field(line, start)
			p.outer = p.errorf(start+1, "pixel %d is %s, want a number from 0 to 255", pixel+k, quote(field)).Error()
		}
		p.wide = append(p.wide, float32(v))
		i++
	}
	return i, nil
}

// widen makes the pixels so far numbers of any kind.
func (p *csvParser) widen() {
	whole := p.pixels[:len(p.labels)*p.width]
	p.wide = make([]float32, 0, max(int64(len(whole)), min(p.size/4, math.MaxInt/8)))
	for _, v := range whole {
		p.wide = append(p.wide, float32(v))
	}
	p.pixels, p.isWide = nil, true
}

// value returns the number in the field that begins at line[start], and where the
// field ends.
func (p *csvParser) value(line []byte, start, pixel int) (v float64, end int, err error) {
	if start > len(line) {
		return 0, 0, p.short(line)
	}
	field, end := p.field(line, start)
	v, ok := p.parseNumber(field)
	if ok && math.Abs(v) <= math.MaxFloat32 {
		return v, end, nil
	}
	if slices.Equal(p.names0, p.fields(line)) {
		return 0, 0, p.errorf(1, "this is the header again: two files joined? Remove the line")
	}
	return 0, 0, p.errorf(start+1, "pixel %d is %s, want a number", pixel, quote(line[start:end]))
}

// label reads the label, which begins at line[i], and returns where the next
// field begins.
func (p *csvParser) label(line []byte, i int) (next int, err error) {
	if i > len(line) {
		return 0, p.short(line)
	}
	field, end := p.field(line, i)
	code, problem := p.names.code(field, p.parseNumber)
	if problem != "" {
		return 0, p.errorf(i+1, "label is %s, %s%s", quote(line[i:end]), problem, p.advice())
	}
	p.labels = append(p.labels, code)
	return end + 1, nil
}

// field returns the field that begins at line[start], without spaces and quotes
// around it, and where it ends: at a separator, or at the end of the line.
func (p *csvParser) field(line []byte, start int) (field []byte, end int) {
	i := start
	for i < len(line) && (line[i] == ' ' || line[i] == '\t' && p.separator != '\t') {
		i++
	}
	// A separator in quotes is none, and two quotes in quotes are one.
	for i < len(line) && line[i] == '"' {
		closing := bytes.IndexByte(line[i+1:], '"')
		if closing < 0 {
			break
		}
		i += closing + 2
	}
	if end = bytes.IndexByte(line[i:], p.separator); end < 0 {
		end = len(line)
	} else {
		end += i
	}
	field = bytes.Trim(line[start:end], " \t")
	for _, q := range []byte{'"', '\''} {
		if n := len(field); n >= 2 && field[0] == q && field[n-1] == q {
			return bytes.Trim(field[1:n-1], " \t"), end
		}
	}
	return field, end
}

// fields returns all fields of a line, as texts. A separator at the end of the
// line begins no field.
func (p *csvParser) fields(line []byte) (fields []string) {
	for i := 0; i <= len(line); {
		field, end := p.field(line, i)
		if end == len(line) && len(field) == 0 && len(fields) > 0 {
			break
		}
		fields = append(fields, string(field))
		i = end + 1
	}
	return fields
}

// parseNumber returns the value of 5, 5.0, 5e0 and so on; where the separator is
// no comma, also that of 5,0.
func (p *csvParser) parseNumber(field []byte) (v float64, ok bool) {
	// 5 and 5.000 need no strconv.
	i, n := 0, 0
	for ; i < len(field) && i < 7 && field[i]-'0' <= 9; i++ {
		n = 10*n + int(field[i]-'0')
	}
	if i > 0 && (i == len(field) || field[i] == '.' && len(bytes.Trim(field[i+1:], "0")) == 0) {
		return float64(n), true
	}
	if len(field) == 0 || len(field) > 64 {
		return 0, false
	}
	for k, c := range field {
		switch {
		case c-'0' <= 9, c == '.', c == '-', c == '+', c == 'e', c == 'E':
		case c == ',' && p.separator != ',' && k > 0:
			field = bytes.Replace(field, []byte(","), []byte("."), 1)
			return p.parseNumber(field)
		default:
			return 0, false
		}
	}
	v, err := strconv.ParseFloat(string(field), 64)
	return v, err == nil
}

// table returns what was read.
func (p *csvParser) table() (*table, error) {
	if len(p.labels) == 0 {
		want := "label,p0,p1,…"
		if p.options.inputs > 0 {
			want = fmt.Sprintf("%d values", p.options.inputs)
		}
		return nil, p.errorf(1, "no images: want lines of %s", want)
	}
	rows, cols := 1, p.width
	if isSquare(p.width) {
		rows = int(math.Sqrt(float64(p.width)))
		cols = rows
	}
	t := &table{
		path: p.path, rows: rows, cols: cols, pixels: p.pixels, wide: p.wide, labels: p.labels, names: p.names, labelled: p.labelled, ids: p.ids,
		outer: p.outer, notes: p.notes, advice: p.advice(),
		place: func(image int) string { return fmt.Sprintf("csv: %s:%d", p.path, p.line(image)) },
	}
	if rows == 1 && cols > 1 && p.options.inputs == 0 {
		t.notes = append(t.notes, warning(lang.Text{En: "%s: images of %d pixels, which is no square: taken for 1×%d", Zh: "%s：图像有 %d 个像素，不是正方形：按 1×%d 处理"}, p.path, cols, cols))
	}
	if p.advised && p.numbersLines() {
		return nil, fmt.Errorf("csv: %s: %s is no label%s", p.path, p.labelColumn(), t.advice)
	}
	if p.looksLikePixels() {
		return nil, fmt.Errorf("csv: %s: %s looks like a pixel, and not like the label%s", p.path, p.labelColumn(), t.advice)
	}
	return t, nil
}

// quote returns a field for an error, at most some 40 bytes of it.
func quote(field []byte) string {
	if len(field) > 40 {
		return strconv.Quote(string(field[:40])) + "…"
	}
	return strconv.Quote(string(field))
}

// WriteCSV writes s as ReadCSV reads it, with a header line.
func WriteCSV(w io.Writer, s *Set) error {
	b := bufio.NewWriterSize(w, 1<<17)
	line := []byte("label")
	for j := range s.Inputs() {
		line = append(line, ",p"...)
		line = strconv.AppendInt(line, int64(j), 10)
	}
	if _, err := b.Write(append(line, '\n')); err != nil {
		return err
	}
	for i, label := range s.Labels {
		line = strconv.AppendUint(line[:0], uint64(label), 10)
		for _, v := range s.Image(i) {
			line = append(line, ',')
			line = strconv.AppendUint(line, uint64(v), 10)
		}
		line = append(line, '\n')
		if _, err := b.Write(line); err != nil {
			return err
		}
	}
	return b.Flush()
}

// labelNames gives each label a code: its value where all labels are whole
// numbers from 0 to 255, else the number of the text in the order of the file.
type labelNames struct {
	texts []string // by code; nil as long as the codes are the values
	codes map[string]uint8
	seen  [256]bool // codes
}

// maxLabel is the longest label, in bytes.
const maxLabel = 64

// code returns the code of a label, or what is wrong with it.
func (n *labelNames) code(field []byte, number func([]byte) (float64, bool)) (code uint8, problem string) {
	v, isNumber := number(field)
	switch {
	case isNumber && (v != math.Trunc(v) || math.Abs(v) > 1<<53):
		return 0, "want a whole number or a name"
	case isNumber && v >= 0 && v <= math.MaxUint8 && n.texts == nil:
		n.seen[uint8(v)] = true
		return uint8(v), ""
	}
	text := string(field)
	if isNumber {
		text = strconv.FormatInt(int64(v), 10)
	}
	switch strings.ToLower(text) {
	case "", "na", "nan", "n/a", "null", "none", "?":
		return 0, "which is no label"
	}
	if len(text) > maxLabel || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return 0, fmt.Sprintf("want a number or a name of at most %d bytes", maxLabel)
	}
	return n.textCode(text)
}

// textCode returns the code of a text, and gives it one if it has none.
func (n *labelNames) textCode(text string) (code uint8, problem string) {
	if n.codes == nil {
		n.codes, n.texts = map[string]uint8{}, make([]string, 0, 16)
		// The values so far are their own codes, and the texts in between are
		// not used by any label.
		last := 255
		for last >= 0 && !n.seen[last] {
			last--
		}
		for v := 0; v <= last; v++ {
			n.texts = append(n.texts, strconv.Itoa(v))
			n.codes[n.texts[v]] = uint8(v)
		}
	}
	code, ok := n.codes[text]
	if !ok {
		if len(n.texts) > math.MaxUint8 {
			return 0, "which is one more than 256 different labels"
		}
		code = uint8(len(n.texts))
		n.codes[text] = code
		n.texts = append(n.texts, text)
	}
	n.seen[code] = true
	return code, ""
}

// text returns the label of a code.
func (n *labelNames) text(code uint8) string {
	if n.texts == nil {
		return strconv.Itoa(int(code))
	}
	return n.texts[code]
}
