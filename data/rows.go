package data

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"trainer/data/lang"
)

// Rows are images without labels.
type Rows struct {
	Name   string   // the file
	IDs    []string // of the images, as they are in the file; nil: it has none
	Inputs int      // pixels of an image
	Pixels []uint8  // N × Inputs, row-major
	Scale  Scale    // what the pixels are to a network

	// Notes are what the user should know: what was left out of the file.
	Notes []Note
}

// Len returns N, the number of images.
func (r *Rows) Len() int { return len(r.Pixels) / r.Inputs }

// Image returns the pixels of image i, a slice of r.Pixels.
func (r *Rows) Image(i int) []uint8 {
	return r.Pixels[i*r.Inputs : (i+1)*r.Inputs : (i+1)*r.Inputs]
}

// RowOptions say how to read Rows.
type RowOptions struct {
	Inputs    int    // pixels of an image: the inputs of the network
	ID        string // the name of the column of identifiers, in any case; "": the usual names only
	Values    Range  // the values of the file that are the lowest and the highest input; zero: found out
	Ends      Range  // the lowest and the highest input; zero: 0 and 1
	Transpose bool   // swap rows and columns of the images
}

// idNames are the usual names of a column of identifiers, in lower case, the more
// telling ones first.
var idNames = []string{"id", "imageid", "image_id", "index", "unnamed: 0", ""}

// ReadRows reads images from a file without labels: CSV in the forms that Open reads,
// or IDX images. The file may be gzipped.
//
// The first row of CSV may name the columns. Then a column of identifiers may be
// anywhere. A column of labels by its name, and further columns of identifiers, are
// left out with a note. Without names, every column is a pixel.
func ReadRows(ctx context.Context, path string, o RowOptions) (*Rows, error) {
	in, err := openInput("rows", path)
	if err != nil {
		return nil, err
	}
	defer in.close()
	return readRows(ctx, in, o)
}

func readRows(ctx context.Context, in *input, o RowOptions) (*Rows, error) {
	b := bufio.NewReaderSize(in.r, 1<<18)
	in.r = b
	var t *table
	var err error
	// What is wrong with the first bytes is seen when they are read.
	if head, _ := b.Peek(4); len(head) == 4 && binary.BigEndian.Uint32(head) == idxImages {
		t, err = readImages(ctx, in, o.Inputs)
	} else {
		t, err = readCSV(ctx, in, csvOptions{values: o.Values, inputs: o.Inputs, id: o.ID})
	}
	if err != nil {
		return nil, err
	}
	r := &Rows{Name: in.path, IDs: t.ids, Inputs: o.Inputs, Notes: t.notes}
	values, notes, err := rangeOf(o.Values, t)
	if err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, notes...)
	if r.Scale.Pixels, notes, err = quantize(values, t); err != nil {
		return nil, err
	}
	r.Notes = append(r.Notes, notes...)
	r.Scale.Inputs = o.Ends
	if r.Pixels = t.pixels; o.Transpose {
		(&Set{Rows: t.rows, Cols: t.cols, Pixels: t.pixels, Labels: make([]uint8, r.Len())}).transpose()
	}
	return r, nil
}

// readImages reads an IDX file of images.
func readImages(ctx context.Context, in *input, inputs int) (*table, error) {
	head, err := readHeader(in, idxImages, "images", "rows", "columns")
	if err != nil {
		return nil, err
	}
	n, rows, cols := head[0], head[1], head[2]
	if int64(rows)*int64(cols) != int64(inputs) {
		return nil, in.errorf(8, "images of %d×%d pixels, and the network has %d inputs", rows, cols, inputs)
	}
	pixels, err := readBody(ctx, in, int64(n)*int64(inputs), fmt.Sprintf("%d images of %d×%d pixels", n, rows, cols), nil)
	if err != nil {
		return nil, err
	}
	return &table{path: in.path, rows: int(rows), cols: int(cols), pixels: pixels}, nil
}

// assignRows is assign for a file without labels: it finds out which columns are the
// pixels of an image, and which one has the identifiers.
func (p *csvParser) assignRows(fields []string, header bool) error {
	want := p.options.inputs
	kinds := make([]columnKind, len(fields))
	if !header {
		switch n := len(fields); {
		case n == want+1:
			return fmt.Errorf("the row has %d fields, and the network %d inputs: one column is too many, and no first row says which; "+
				"add a row of names, such as id,pixel0,… or label,pixel0,…", n, want)
		case n != want:
			return fmt.Errorf("the row has %d fields, and the network %d inputs", n, want)
		}
		p.arrange(kinds)
		return nil
	}
	p.names0 = fields
	var names []string
	for _, f := range fields {
		names = append(names, strings.ToLower(f))
	}
	id := -1
	if name := strings.ToLower(p.options.id); name != "" {
		id = slices.Index(names, name)
	}
	for _, name := range idNames {
		if id < 0 {
			id = slices.Index(names, name)
		}
	}
	leftOut := 0
	for i, name := range names {
		var why lang.Text
		switch {
		case i == id:
			kinds[i] = idColumn
			continue
		case isLabelName(name):
			why = lang.Text{En: "it has labels, and `trainer eval` compares with them", Zh: "它是标签，`trainer eval` 会与之比较"}
		case isIndexName(name):
			why = lang.Text{En: "it counts the rows", Zh: "它是行号"}
		default:
			continue
		}
		kinds[i] = otherColumns
		if leftOut++; leftOut <= maxNotes {
			p.notes = append(p.notes, remark(lang.Text{En: "%s: column %s is left out: %s", Zh: "%s：略去列 %s：%s"}, p.path, p.columnName(i), why))
		}
	}
	p.arrange(kinds)
	if p.width != want {
		beside := ""
		if id >= 0 {
			beside = " beside the identifiers in column " + p.columnName(id)
		}
		return fmt.Errorf("%d columns of pixels%s, and the network has %d inputs", p.width, beside, want)
	}
	return nil
}

// maxNotes is the number of columns of which a note says that they are left out.
const maxNotes = 10
