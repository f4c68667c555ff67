package describe

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/lang"
)

// corners returns a set of 4×4 images of values 0 to 16: one with ink in the upper
// left corner for a, one with ink in the lower right one for b; two of a.
func corners() *data.Set {
	s := &data.Set{Name: "corners", Rows: 4, Cols: 4, Classes: 3, ClassNames: []string{"a", "b", "c"},
		Labels: []uint8{1, 0, 0}, Pixels: make([]uint8, 48), Scale: data.Scale{Pixels: data.Range{Low: 0, High: 16}}}
	for _, k := range []int{0, 1, 4, 5} {
		s.Image(0)[k+10] = 16
		s.Image(1)[k] = 16
		s.Image(2)[k] = 8
	}
	return s
}

func TestText(t *testing.T) {
	s := corners()
	d := &data.Dataset{Name: "mine", Source: "folder", Train: s, Validation: s.Slice(0, 1), Test: s.Slice(1, 3), Values: data.Range{Low: 0, High: 16}}
	r := New(d, []data.Note{{Text: lang.Text{En: "this"}}, {Warning: true, Text: lang.Text{En: "that"}}})
	var b bytes.Buffer
	if err := r.Text(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	want := `data     mine, from folder
images   3 training, 1 validation, 2 test, 4×4 pixels: 16 inputs
values   0 to 16, as inputs 0 to 1
classes  3, with targets 0 and 1

  class  training  validation  test
      a         2           0     2
      b         1           1     0
      c         0           0     0

note: this
warning: that
a     b
██
        ██
`
	if b.String() != want {
		t.Errorf("have:\n%s\nwant:\n%s", b.String(), want)
	}
	text, err := json.Marshal(r)
	if err != nil || !strings.Contains(string(text), `"sets":[{"name":"training","images":3,"counts":[2,1,0]}`) {
		t.Errorf("%s, %v", text, err)
	}
}

// TestBlocks: a large image is reduced, and many classes take several lines.
func TestBlocks(t *testing.T) {
	s := &data.Set{Rows: 32, Cols: 32, Classes: 12, Labels: make([]uint8, 12), Pixels: make([]uint8, 12*1024)}
	for i := range s.Labels {
		s.Labels[i] = uint8(i)
		for k := range 512 {
			s.Image(i)[k] = 255
		}
	}
	var b bytes.Buffer
	if err := Blocks(&b, s); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimRight(b.String(), "\n"), "\n")
	if len(lines) != 3*9 && !strings.HasPrefix(lines[9], "4 ") {
		t.Fatalf("%d lines:\n%s", len(lines), b.String())
	}
	for i, line := range lines[1:5] {
		if line != strings.TrimRight(strings.Repeat(strings.Repeat("█", 16)+"  ", 4), " ") {
			t.Errorf("line %d: %q", i, line)
		}
	}
	if lines[5] != "" {
		t.Errorf("the lower half: %q", lines[5])
	}
}

func TestSheet(t *testing.T) {
	m := Sheet(corners())
	zoom := 56 / 4
	if want := image.Rect(0, 0, 2*(4*zoom+2)+2, 2*(4*zoom+2)+2); m.Bounds() != want {
		t.Fatalf("bounds %v, want %v", m.Bounds(), want)
	}
	at := func(row, col, x, y int) uint8 {
		g, _ := m.At(2+col*(4*zoom+2)+zoom*x+zoom/2, 2+row*(4*zoom+2)+zoom*y+zoom/2).(color.Gray)
		return g.Y
	}
	for _, c := range []struct {
		row, col, x, y int
		want           uint8
	}{{0, 0, 0, 0, 255}, {0, 0, 3, 3, 0}, {0, 1, 1, 1, 128}, {1, 0, 3, 3, 255}, {1, 0, 0, 0, 0}, {1, 1, 0, 0, 96}} {
		if got := at(c.row, c.col, c.x, c.y); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}
