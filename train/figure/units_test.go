package figure

import (
	"image/color"
	"math"
	"slices"
	"testing"

	"trainer/data/lang"
)

// TestUnits: a unit's weights are at the places of their pixels, on one scale.
func TestUnits(t *testing.T) {
	// Two units of 2×3 pixels: weights of −1, 0, 1 and between.
	u := Units{Rows: 2, Cols: 3, Weights: []float64{
		-1, 0, 1,
		0.5, 0, 0,
		0, 0, 0,
		0, 0, -0.5,
	}}
	r := record(must(t, u))
	m := r.picture[0]
	// An image of 3 columns has 37 pixels a weight, so the gap is one weight wide.
	if size := m.Bounds().Size(); size.X != 7 || size.Y != 2 {
		t.Fatalf("an image of %v, want two tiles of 3×2 and a gap", size)
	}
	at := func(x, y int) color.NRGBA { return m.At(x, y).(color.NRGBA) }
	zero, gap := at(1, 0), at(3, 0)
	if gap != white {
		t.Errorf("the gap is %v", gap)
	}
	if zero.R != zero.G || zero.G != zero.B {
		t.Errorf("zero is %v, want grey", zero)
	}
	for _, want := range []struct {
		x, y int
		c    color.NRGBA
	}{{0, 0, palette[1].(color.NRGBA)}, {2, 0, palette[shades+1].(color.NRGBA)}, {0, 1, palette[1+shades*3/4+1].(color.NRGBA)}, {4, 0, zero}, {6, 1, palette[1+shades/4+1].(color.NRGBA)}} {
		if got := at(want.x, want.y); math.Abs(luminance(got)-luminance(want.c)) > 0.01 {
			t.Errorf("pixel %d, %d is %v, want %v", want.x, want.y, got, want.c)
		}
	}
}

// TestPalette: a weight is the lighter, the larger it is: the sign is there without
// colours too.
func TestPalette(t *testing.T) {
	if len(palette) > 256 {
		t.Fatalf("%d colours", len(palette))
	}
	before := -1.0
	for v := -1.0; v <= 1; v += 2.0 / shades {
		l := luminance(palette[shade(v)].(color.NRGBA))
		if l < before {
			t.Errorf("%v is darker than the weight before: %v after %v", v, l, before)
		}
		before = l
	}
	if shade(math.NaN()) != shade(0) || shade(-9) != shade(-1) || shade(math.Inf(1)) != shade(1) {
		t.Error("NaN, or a weight beyond the scale")
	}
}

// TestUnitsNotes: of many units the first are drawn, and weights beyond the scale are cut;
// the notes say so.
func TestUnitsNotes(t *testing.T) {
	few, many := units(50), units(1000)
	constant := Units{Rows: 28, Cols: 28, Weights: slices.Repeat([]float64{0.25}, 784)}
	outputs := units(10)
	outputs.Outputs, outputs.Epoch = true, 0
	zh := units(50)
	zh.Language = lang.Chinese
	for _, test := range []struct {
		u    Units
		want string
		cut  bool
	}{
		{few, "the weights of all hidden units (50) after epoch 41", true},
		{many, "the weights of the first 105 of 1000 hidden units after epoch 41", true},
		{outputs, "the weights of all outputs (10)", true},
		{constant, "the weights of all hidden units (1)", false},
		{zh, "全部50个隐藏节点的权重，第41次迭代后", true},
	} {
		words := record(must(t, test.u)).words()
		cut := slices.ContainsFunc(words, func(s string) bool { return len(s) > 20 && s != test.want && s != title })
		if !slices.Contains(words, test.want) || cut != test.cut {
			t.Errorf("%q, want %q, and a note on the cut: %v", words, test.want, test.cut)
		}
	}
}

// TestUnitsShapes: images of any shape and size; one pixel is the mean of many weights of
// a large one.
func TestUnitsShapes(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {8, 8}, {20, 30}, {113, 113}, {500, 300}, {4, 2000}} {
		u := Units{Rows: size[0], Cols: size[1]}
		for range 3 {
			for range size[0] * size[1] / 2 {
				u.Weights = append(u.Weights, 1, -1)
			}
			if size[0]*size[1]%2 == 1 {
				u.Weights = append(u.Weights, 0)
			}
		}
		f := must(t, u)
		r := record(f)
		if a := r.areas[0]; a.X-a.x > 600 || a.Y-a.y > 300 || a.X-a.x < 70 {
			t.Errorf("%v: three images at %v", size, a)
		}
		if size[0] == 500 { // 5 × 5 weights of ±1 in turn
			if l := r.picture[0].At(10, 10).(color.NRGBA); math.Abs(luminance(l)-luminance(palette[shade(0)].(color.NRGBA))) > 0.1 {
				t.Errorf("the mean of ±1 is %v", l)
			}
		}
	}
	bad := math.NaN()
	if w := record(must(t, Units{Rows: 1, Cols: 2, Weights: []float64{bad, math.Inf(1)}})).words(); slices.Contains(w, "NaN") {
		t.Errorf("%q", w)
	}
	for _, u := range []Units{{}, {Rows: 2, Cols: 2}, {Rows: 2, Cols: 2, Weights: make([]float64, 5)}, {Rows: 0, Cols: 2, Weights: make([]float64, 4)}} {
		if _, err := u.Figure(); err == nil {
			t.Errorf("no error for %+v", u)
		}
	}
}
