package data

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Rows are images without labels.
type Rows struct {
	Name   string   // the file
	IDs    []string // of the images, as they are in the file; nil: it has none
	Inputs int      // pixels of an image
	Pixels []uint8  // N × Inputs, row-major
	Scale  Scale    // what the pixels are to a network

	// Notes are lines for the user: what was left out of the file.
	Notes []string
}

// Len returns N, the number of images.
func (r *Rows) Len() int { return len(r.Pixels) / r.Inputs }

// Image returns the pixels of image i, a slice of r.Pixels.
func (r *Rows) Image(i int) []uint8 {
	return r.Pixels[i*r.Inputs : (i+1)*r.Inputs : (i+1)*r.Inputs]
}

// Names of columns, in lower case, the more telling ones first.
var (
	idColumns    = []string{"id", "imageid", "image_id", "index", "unnamed: 0", ""}
	labelColumns = []string{"label", "class", "target", "y", "digit"}
)

// ReadRows reads images of a given number of pixels from a file without labels: CSV with a
// row for each image, or IDX images. The file may be gzipped.
//
// The values of CSV are whole numbers from 0 to 255. Its first row may name the
// columns. Then a column of identifiers may stand anywhere: it has the name id,
// which may be empty, or one of the usual names (id, ImageId, index, no name). A
// column of labels by its name, and further columns of identifiers, are left out
// with a note. Without names, every column is a pixel.
func ReadRows(ctx context.Context, path string, inputs int, id string) (*Rows, error) {
	in, err := openInput("rows", path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	return readRows(ctx, in, inputs, id)
}

func readRows(ctx context.Context, in *input, inputs int, id string) (*Rows, error) {
	r := bufio.NewReaderSize(in.r, 1<<18)
	in.r = r
	// What is wrong with the first bytes is seen when they are read.
	if head, _ := r.Peek(4); len(head) == 4 && binary.BigEndian.Uint32(head) == idxImages {
		return readImages(ctx, in, inputs)
	}
	p := rowParser{
		csvParser: csvParser{path: in.path, size: in.size, longest: maxLine, end: '\n', other: '\r'},
		id:        strings.ToLower(id), rows: &Rows{Name: in.path, Inputs: inputs},
	}
	lines := bufio.NewReaderSize(in, 1<<18)
	for end := false; !end; {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("rows: %s: %w", in.path, err)
		}
		line, err := p.readLine(lines)
		p.number++
		if end = errors.Is(err, io.EOF); err != nil && !end {
			return nil, err
		}
		if err := p.parse(bytes.TrimRight(line, "\r\n")); err != nil {
			return nil, fmt.Errorf("rows: %s:%d: %w", in.path, p.number, err)
		}
	}
	if len(p.rows.Pixels) == 0 {
		return nil, fmt.Errorf("rows: %s: no images: want rows of %d values", in.path, inputs)
	}
	return p.rows, nil
}

// readImages reads an IDX file of images.
func readImages(ctx context.Context, in *input, inputs int) (*Rows, error) {
	head, err := readHeader(in, idxImages, "images", "rows", "columns")
	if err != nil {
		return nil, err
	}
	n, rows, cols := head[0], head[1], head[2]
	if int64(rows)*int64(cols) != int64(inputs) {
		return nil, in.errorf(8, "images of %d×%d pixels, and the network has %d inputs", rows, cols, inputs)
	}
	pixels, err := readBody(ctx, in, int64(n)*int64(inputs), fmt.Sprintf("%d images of %d×%d pixels", n, rows, cols))
	if err != nil {
		return nil, err
	}
	return &Rows{Name: in.path, Inputs: inputs, Pixels: pixels}, nil
}

// role is what a column is.
type role uint8

const (
	pixelColumn role = iota
	idColumn
	unusedColumn
)

// rowParser takes the lines of a CSV file.
type rowParser struct {
	csvParser // its lines
	id        string
	comma     byte   // what separates fields; 0 before the first line
	roles     []role // of the columns
	names     []string
	fields    [][]byte // of the current line
	rows      *Rows
}

// parse takes a line, without its end.
func (p *rowParser) parse(line []byte) error {
	if p.number == 1 {
		if bytes.HasPrefix(line, []byte("\xff\xfe")) || bytes.HasPrefix(line, []byte("\xfe\xff")) {
			return errors.New("this is UTF-16: save the file as UTF-8")
		}
		line = bytes.TrimPrefix(line, []byte("\ufeff"))
	}
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	first := p.comma == 0
	if first {
		p.comma = separator(line)
	}
	if err := p.split(line); err != nil {
		return err
	}
	if first {
		named := namesColumns(p.fields)
		if err := p.columns(named); err != nil || named {
			return err
		}
	}
	if len(p.fields) != len(p.roles) {
		return fmt.Errorf("the row has %d fields, want %d as in the first", len(p.fields), len(p.roles))
	}
	if p.rows.Len() == math.MaxInt32 {
		return fmt.Errorf("more than %d images", math.MaxInt32)
	}
	for i, field := range p.fields {
		switch p.roles[i] {
		case idColumn:
			p.rows.IDs = append(p.rows.IDs, string(field))
		case pixelColumn:
			v, ok := pixel(field)
			if !ok {
				return fmt.Errorf("field %d%s is %s, want a whole number from 0 to 255", i+1, p.name(i), quote(field))
			}
			p.rows.Pixels = append(p.rows.Pixels, v)
		}
	}
	return nil
}

// separator returns what separates the fields of a first line: a comma, or, where
// there is none, a tab or a semicolon.
func separator(line []byte) byte {
	for _, c := range []byte(",\t;") {
		if bytes.IndexByte(line, c) >= 0 {
			return c
		}
	}
	return ','
}

// split sets the fields of a line, without spaces and quotes around them.
func (p *rowParser) split(line []byte) error {
	p.fields = p.fields[:0]
	if bytes.IndexByte(line, '"') >= 0 {
		r := csv.NewReader(bytes.NewReader(line))
		r.Comma, r.TrimLeadingSpace = rune(p.comma), p.comma != '\t'
		record, err := r.Read()
		if err != nil {
			return fmt.Errorf("the quotes do not match: %w", err)
		}
		for _, field := range record {
			p.fields = append(p.fields, bytes.TrimSpace([]byte(field)))
		}
		return nil
	}
	for {
		at := bytes.IndexByte(line, p.comma)
		if at < 0 {
			p.fields = append(p.fields, bytes.TrimSpace(line))
			return nil
		}
		p.fields = append(p.fields, bytes.TrimSpace(line[:at]))
		line = line[at+1:]
	}
}

// namesColumns reports whether a first row names the columns: most of its fields
// are no numbers, or its numbers are a running count from 0 or 1.
func namesColumns(fields [][]byte) bool {
	words, running := 0, 0
	var start, last float64
	for _, field := range fields {
		v, err := strconv.ParseFloat(string(field), 64)
		switch {
		case err != nil:
			words++
		case running == 0:
			start, last, running = v, v, 1
		case v == last+1:
			last, running = v, running+1
		}
	}
	return 2*words > len(fields) || (start == 0 || start == 1) && running > 2 && running+words == len(fields)
}

// columns finds out what each column is from the fields of the first row, which
// may be names.
func (p *rowParser) columns(named bool) error {
	want := p.rows.Inputs
	p.roles = make([]role, len(p.fields))
	if !named {
		switch n := len(p.fields); {
		case n == want+1:
			return fmt.Errorf("the row has %d fields, and the network %d inputs: one column is too many, and no first row says which; "+
				"add a row of names, such as id,pixel0,… or label,pixel0,…", n, want)
		case n != want:
			return fmt.Errorf("the row has %d fields, and the network %d inputs", n, want)
		}
		return nil
	}
	for _, field := range p.fields {
		p.names = append(p.names, strings.ToLower(string(field)))
	}
	id := -1
	if p.id != "" {
		id = slices.Index(p.names, p.id)
	}
	for _, name := range idColumns {
		if at := slices.Index(p.names, name); at >= 0 && id < 0 {
			id = at
		}
	}
	pixels := 0
	for i, name := range p.names {
		switch {
		case i == id:
			p.roles[i] = idColumn
		case slices.Contains(labelColumns, name):
			p.roles[i] = unusedColumn
			p.note(i, "it has labels, and `trainer eval` compares with them")
		case slices.Contains(idColumns, name):
			p.roles[i] = unusedColumn
			p.note(i, "it counts the rows")
		default:
			pixels++
		}
	}
	if pixels != want {
		which := ""
		if id >= 0 {
			which = fmt.Sprintf(" beside the identifiers in column %d%s", id+1, p.name(id))
		}
		return fmt.Errorf("%d columns of pixels%s, and the network has %d inputs", pixels, which, want)
	}
	return nil
}

// maxNotes is the number of notes that are made.
const maxNotes = 10

// note says why a column is left out.
func (p *rowParser) note(column int, why string) {
	if len(p.rows.Notes) < maxNotes {
		p.rows.Notes = append(p.rows.Notes, fmt.Sprintf("%s: column %d%s is left out: %s", p.path, column+1, p.name(column), why))
	}
}

// name returns the name of a column for a message, or "".
func (p *rowParser) name(column int) string {
	if column >= len(p.names) {
		return ""
	}
	return " (" + quote([]byte(p.names[column])) + ")"
}

// pixel parses a whole number from 0 to 255, which may be written as 5.0 or 5e0.
func pixel(field []byte) (v uint8, ok bool) {
	n := 0
	for _, c := range field {
		if c < '0' || c > '9' || n > math.MaxUint8 {
			f, err := strconv.ParseFloat(string(field), 64)
			return uint8(f), err == nil && f >= 0 && f <= math.MaxUint8 && f == math.Trunc(f)
		}
		n = 10*n + int(c-'0')
	}
	return uint8(n), len(field) > 0 && n <= math.MaxUint8
}
