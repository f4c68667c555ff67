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
)

// maxLine is the length of the longest line that is read: an image of maxImage pixels.
const maxLine = 4*(maxImage+1) + 2

// ReadCSV reads a set from a file with a line for each image, as the listing
// does: label,p0,p1,…,pN-1, all whole numbers, the pixels 0 to 255. The file may
// be gzipped, whatever its name. Labels must be less than classes, which is at
// most 256. The set is named after the file.
//
// The first line decides N, any number from 1; where N is a square the images
// are √N×√N, else 1×N. A byte order mark, CRLF line ends, one header line and
// blank lines at the end are read over. Errors name file, line and column (in
// bytes, both from 1) and say what was wanted. Memory is bounded by the bytes
// that are really there.
func ReadCSV(ctx context.Context, path string, classes int) (*Set, error) {
	if err := checkClasses("csv", classes); err != nil {
		return nil, err
	}
	in, err := openInput("csv", path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	return readCSV(ctx, in, classes)
}

func readCSV(ctx context.Context, in *input, classes int) (*Set, error) {
	p := csvParser{path: in.path, size: in.size, classes: classes, longest: maxLine}
	if in.packed {
		p.size *= 10
	}
	r := bufio.NewReaderSize(in, 1<<18)
	for end := false; !end; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("csv: %s: %w", in.path, err)
		}
		line, err := p.readLine(r)
		if end = errors.Is(err, io.EOF); err != nil && !end {
			return nil, err
		}
		if err := p.parse(line); err != nil {
			return nil, err
		}
	}
	if len(p.labels) == 0 {
		return nil, p.errorf(1, "no images: want lines of label,p0,p1,…")
	}
	rows, cols := 1, p.width
	if side := int(math.Sqrt(float64(p.width))); side*side == p.width {
		rows, cols = side, side
	}
	return &Set{Name: in.path, Rows: rows, Cols: cols, Classes: classes, Pixels: p.pixels, Labels: p.labels}, nil
}

type csvParser struct {
	path    string
	size    int64 // bytes of the file, or a guess at them when unpacked
	classes int
	longest int // most bytes of a line

	long   []byte // a line that does not fit into the reader
	number int    // of the current line, from 1
	blank  int    // number of the first of the blank lines just read, or 0
	shift  int    // bytes of the current line before its first field
	width  int    // pixels in a line, 0 until known
	first  int    // number of the line that said so
	pixels []uint8
	labels []uint8
}

// errorf returns an error at a column of the current line.
func (p *csvParser) errorf(col int, format string, args ...any) error {
	return fmt.Errorf("csv: %s:%d:%d: %w", p.path, max(p.number, 1), col+p.shift, fmt.Errorf(format, args...))
}

// readLine returns the next line with its end; it is valid until the next call.
// The last line comes with io.EOF, and may be empty.
func (p *csvParser) readLine(r *bufio.Reader) ([]byte, error) {
	p.number++
	p.shift = 0
	line, err := r.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return line, err
	}
	p.long = append(p.long[:0], line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = r.ReadSlice('\n')
		p.long = append(p.long, line...)
		if len(p.long) > p.longest {
			return nil, p.errorf(1, "a line of more than %d bytes, want at most %d pixels", p.longest, maxImage)
		}
	}
	return p.long, err
}

// parse takes a line, with its end.
func (p *csvParser) parse(line []byte) error {
	line = bytes.TrimSuffix(line, []byte("\n"))
	line = bytes.TrimSuffix(line, []byte("\r"))
	if p.number == 1 {
		if bare := bytes.TrimPrefix(line, []byte("\ufeff")); len(bare) < len(line) {
			line, p.shift = bare, len(line)-len(bare)
		}
	}
	if len(line) == 0 {
		if p.blank == 0 {
			p.blank = p.number
		}
		return nil
	}
	if p.blank != 0 {
		p.number = p.blank
		return p.errorf(1, "blank line before the last, want label,p0,p1,…")
	}
	if p.width == 0 {
		if p.width = bytes.Count(line, []byte(",")); p.width == 0 {
			return p.errorf(1, "a line of one field %s, want label,p0,p1,… with commas", quote(line))
		}
		if p.width > maxImage {
			return p.errorf(1, "an image of %d pixels, want at most %d", p.width, maxImage)
		}
		p.first = p.number
		if p.number == 1 && isHeader(line) {
			return nil
		}
	}
	if p.pixels == nil {
		// A pixel takes two bytes or more, so this holds the whole file.
		p.pixels = make([]uint8, 0, min(p.size/2, math.MaxInt/2))
		p.labels = make([]uint8, 0, min(p.size/2/int64(p.width)+1, math.MaxInt/2))
	}
	if len(p.labels) == math.MaxInt32 {
		return p.errorf(1, "more than %d images", math.MaxInt32)
	}
	return p.image(line)
}

// image takes the line of an image.
func (p *csvParser) image(line []byte) error {
	label, i := 0, 0
	for ; i < len(line) && line[i] != ','; i++ {
		d := line[i] - '0'
		if d > 9 || label > math.MaxUint8 {
			label = math.MaxInt
			break
		}
		label = 10*label + int(d)
	}
	if i == 0 || label >= p.classes {
		return p.fieldError(line, 0, "label", p.classes-1)
	}
	p.labels = append(p.labels, uint8(label))

	have := len(p.pixels)
	p.pixels = slices.Grow(p.pixels, p.width)[:have+p.width]
	dst := p.pixels[have:]
	n := 0
	// Here line[i] is the comma before pixel n.
	for i < len(line) {
		start := i + 1
		if n == len(dst) {
			return p.errorf(start+1, "the line has %d pixels, want %d as in line %d",
				bytes.Count(line, []byte(",")), p.width, p.first)
		}
		v := uint(0)
		for i = start; i < len(line) && line[i] != ','; i++ {
			d := line[i] - '0'
			if v = 10*v + uint(d); d > 9 || v > math.MaxUint8 {
				return p.fieldError(line, start, "pixel "+strconv.Itoa(n), math.MaxUint8)
			}
		}
		if i == start {
			return p.fieldError(line, start, "pixel "+strconv.Itoa(n), math.MaxUint8)
		}
		dst[n] = uint8(v)
		n++
	}
	if n < len(dst) {
		return p.errorf(len(line)+1, "the line ends after %d pixels, want %d as in line %d", n, p.width, p.first)
	}
	return nil
}

// fieldError is the error for the field that starts at line[start].
func (p *csvParser) fieldError(line []byte, start int, what string, most int) error {
	field, _, _ := bytes.Cut(line[start:], []byte(","))
	return p.errorf(start+1, "%s is %s, want a whole number from 0 to %d", what, quote(field), most)
}

// quote returns a field for an error, at most some 40 bytes of it.
func quote(field []byte) string {
	if len(field) > 40 {
		return strconv.Quote(string(field[:40])) + "…"
	}
	return strconv.Quote(string(field))
}

// isHeader tells whether a first line names the columns: it begins with "label",
// or neither of its first two fields begins like a number. A first line with one
// bad number is thus an error, not a header.
func isHeader(line []byte) bool {
	fields := bytes.SplitN(line, []byte(","), 3)
	name := func(f []byte) string { return strings.Trim(string(f), "\"' \t") }
	if strings.EqualFold(name(fields[0]), "label") {
		return true
	}
	for _, f := range fields[:2] {
		if s := name(f); s == "" || strings.ContainsRune("0123456789+-.", rune(s[0])) {
			return false
		}
	}
	return true
}

// WriteCSV writes s as ReadCSV reads it, without a header line.
func WriteCSV(w io.Writer, s *Set) error {
	b := bufio.NewWriterSize(w, 1<<17)
	line := make([]byte, 0, 4*(s.Inputs()+1))
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
