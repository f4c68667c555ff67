package data

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestReadRows(t *testing.T) {
	ctx := context.Background()
	file := func(content string) string {
		path := filepath.Join(t.TempDir(), "rows.csv")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	_, _ = z.Write([]byte("pixel0,pixel1,pixel2\n1,2,30\n255,0,6\n"))
	_ = z.Close()
	set := &Set{Rows: 1, Cols: 3, Pixels: []uint8{1, 2, 30, 255, 0, 6}, Labels: []uint8{0, 0}}
	var images bytes.Buffer
	if err := WriteIDXImages(&images, set); err != nil {
		t.Fatal(err)
	}

	for name, c := range map[string]struct {
		content, id string
		ids         []string
		notes       string
	}{
		"bare":            {"1,2,30\n255,0,6\n", "", nil, ""},
		"kaggle":          {"pixel0,pixel1,pixel2\n1,2,30\n255,0,6", "ImageId", nil, ""},
		"counted":         {"0,1,2\n1,2,30\n255,0,6\n", "", nil, ""},
		"id first":        {"id,pixel0,pixel1,pixel2\na,1,2,30\nb c,255,0,6\n", "", []string{"a", "b c"}, ""},
		"id last":         {"pixel0,pixel1,pixel2,ImageId\n1,2,30,7\n255,0,6,8\n", "", []string{"7", "8"}, ""},
		"id by name":      {"pixel0,Key,pixel1,pixel2\n1,x,2,30\n255,y,0,6\n", "key", []string{"x", "y"}, ""},
		"index":           {",0,1,2\n0,1,2,30\n1,255,0,6\n", "", []string{"0", "1"}, ""},
		"index and id":    {",id,p0,p1,p2\n0,x,1,2,30\n1,y,255,0,6\n", "", []string{"x", "y"}, "counts the rows"},
		"label":           {"label,1x1,1x2,1x3\n7,1,2,30\n8,255,0,6\n", "", nil, `column 1 ("label") is left out`},
		"label last":      {"p0,p1,p2,Class\n1,2,30,7\n255,0,6,8\n", "", nil, `column 4 ("Class") is left out`},
		"other writing":   {"\ufeff\"id\";\"p0\";\"p1\";\"p2\"\r\n\"a;b\"; 1.0 ;\"2\";3e1\r\n\r\nc;255;0;6\r\r\n\n", "", []string{"a;b", "c"}, ""},
		"tabs":            {"1\t2\t30\n255\t0\t6\n", "", nil, ""},
		"gzip":            {packed.String(), "", nil, ""},
		"idx":             {images.String(), "", nil, ""},
		"words for a row": {"a,b,c\n1,2,30\n255,0,6\n", "", nil, ""},
	} {
		r, err := ReadRows(ctx, file(c.content), RowOptions{Inputs: 3, ID: c.id, Values: Range{0, 255}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if r.Len() != 2 || !slices.Equal(r.Pixels, set.Pixels) || !slices.Equal(r.IDs, c.ids) || !slices.Equal(r.Image(1), []uint8{255, 0, 6}) {
			t.Errorf("%s: %+v", name, r)
		}
		if notes := fmt.Sprint(r.Notes); !strings.Contains(notes, c.notes) || (c.notes == "") != (len(r.Notes) == 0) {
			t.Errorf("%s: notes %q, want %q", name, notes, c.notes)
		}
	}

	for name, c := range map[string]struct {
		content string
		want    string
	}{
		"nothing":       {"", "no images"},
		"names only":    {"p0,p1,p2\n", "no images"},
		"one too many":  {"7,1,2,30\n", "one column is too many"},
		"too few":       {"1,2\n", "the row has 2 fields, and the network 3 inputs"},
		"named, fewer":  {"id,p0,p1\n1,2,3\n", `2 columns of pixels beside the identifiers in column 1 ("id"), and the network has 3 inputs`},
		"ragged":        {"1,2,30\n1,2\n", ":2:4: the line ends after 2 columns, want 3 as in line 1"},
		"a large pixel": {"p0,p1,p2\n1,256,3\n", `:2:3: pixel 1 is "256", want a number from 0 to 255`},
		"negative":      {"1,-2,3\n", `:1:3: pixel 1 is "-2"`},
		"empty":         {"1,,3\n", `:1:3: pixel 1 is ""`},
		"a word":        {"1,2,30\n1,x,3\n", `:2:3: pixel 1 is "x"`},
		"NaN":           {"1,NaN,3\n", `:1:3: pixel 1 is "NaN"`},
		"quotes":        {"1,\"2,3\n", `:1:3: pixel 1 is "\"2"`},
		"utf-16":        {"\xff\xfe1\x00,\x00", "this text is in UTF-16, as PowerShell's > writes it: save it as UTF-8"},
		"idx":           {images.String() + "x", "goes on after its last byte"},
	} {
		t.Run(name, func(t *testing.T) {
			path := file(c.content)
			_, err := ReadRows(ctx, path, RowOptions{Inputs: 3, Values: Range{0, 255}})
			requireError(t, err, path, c.want)
		})
	}
	_, err := ReadRows(ctx, file(images.String()), RowOptions{Inputs: 4})
	requireError(t, err, "images of 1×3 pixels, and the network has 4 inputs")
	_, err = ReadRows(ctx, filepath.Join(t.TempDir(), "none"), RowOptions{Inputs: 4})
	requireError(t, err, "no such file")
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := ReadRows(cancelled, file("1,2,30\n"), RowOptions{Inputs: 3}); err == nil {
		t.Error("no error after the context has ended")
	}
}

// TestRowsAsTraining: rows are read as the images of a training are: their values may
// be of any range and kind, and rows and columns swapped.
func TestRowsAsTraining(t *testing.T) {
	ctx := context.Background()
	dir := t.TempDir()
	for name, c := range map[string]struct {
		content string
		options RowOptions
		want    []float64
		notes   string
	}{
		"0 to 16":     {"0,4,8,16\n", RowOptions{Values: Range{0, 16}}, []float64{0, 0.25, 0.5, 1}, ""},
		"found out":   {"0,4,8,16\n", RowOptions{}, []float64{0, 0.25, 0.5, 1}, "values are taken to go from 0 to 16"},
		"fractions":   {"0,0.2,0.6,1\n", RowOptions{Values: Range{0, 1}}, []float64{0, 0.2, 0.6, 1}, ""},
		"with ends":   {"0,51,153,255\n", RowOptions{Values: Range{0, 255}, Ends: Range{0.01, 1}}, []float64{0.01, 0.208, 0.604, 1}, ""},
		"swapped":     {"0,51,153,255\n", RowOptions{Values: Range{0, 255}, Transpose: true}, []float64{0, 0.6, 0.2, 1}, ""},
		"faint":       {"0,0,0,3\n", RowOptions{Values: Range{0, 255}}, []float64{0, 0, 0, 3. / 255}, "the largest value found is 3"},
		"named twice": {"a;b;c;d\n0;51;153;255\n", RowOptions{Values: Range{0, 255}}, []float64{0, 0.2, 0.6, 1}, ""},
	} {
		c.options.Inputs = 4
		r, err := ReadRows(ctx, put(t, dir, strings.ReplaceAll(name, " ", "-")+".csv", []byte(c.content)), c.options)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		inputs := TableOf[float64](r.Scale)
		for k, want := range c.want {
			if have := inputs[r.Pixels[k]]; math.Abs(have-want) > 1e-12 {
				t.Errorf("%s: input %d is %v, want %v", name, k, have, want)
			}
		}
		if notes := fmt.Sprint(r.Notes); !strings.Contains(notes, c.notes) || (c.notes == "") != (len(r.Notes) == 0) {
			t.Errorf("%s: notes %q, want %q", name, notes, c.notes)
		}
	}
	_, err := ReadRows(ctx, put(t, dir, "beyond.csv", []byte("0,1,2,17\n")), RowOptions{Inputs: 4, Values: Range{0, 16}})
	requireError(t, err, "data.values from 0 to 16")
}
