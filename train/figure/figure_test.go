package figure

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"trainer/data/lang"
	"trainer/train/figure/glyph"
)

// must returns a figure.
func must(t *testing.T, f interface{ Figure() (*Figure, error) }) *Figure {
	t.Helper()
	figure, err := f.Figure()
	if err != nil {
		t.Fatal(err)
	}
	return figure
}

func svgOf(t *testing.T, f *Figure) string {
	t.Helper()
	var b strings.Builder
	if err := f.SVG(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func pngOf(t *testing.T, f *Figure) image.Image {
	t.Helper()
	var b bytes.Buffer
	if err := f.PNG(&b); err != nil {
		t.Fatal(err)
	}
	m, err := png.Decode(&b)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestSVG: it is XML, needs no font and nothing from elsewhere, and every text stands in
// it for readers who do not see it.
func TestSVG(t *testing.T) {
	for name, f := range gallery(t) {
		s := svgOf(t, f)
		text := false
		for d := xml.NewDecoder(strings.NewReader(s)); ; {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			e, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			text = text || e.Name.Local == "text"
			for _, a := range e.Attr {
				if a.Name.Local == "href" && !strings.HasPrefix(a.Value, "#") && !strings.HasPrefix(a.Value, "data:image/png;base64,") {
					t.Errorf("%s: <%s> takes %.40s", name, e.Name.Local, a.Value)
				}
			}
		}
		if text != (name == "odd") {
			t.Errorf("%s: there is text that is no outline: %v", name, text)
		}
		for _, word := range record(f).words() {
			if !strings.Contains(s, `aria-label="`+escape(word)+`"`) {
				t.Errorf("%s: no %s", name, word)
			}
		}
	}
}

// TestOutlines: the outline of a letter is at the same place in both formats.
func TestOutlines(t *testing.T) {
	// An I without a serif is a bar: from 93 to 191 of 1000 in Liberation Sans.
	f := &Figure{width: 100, height: 100, draw: func(c canvas) {
		c.text(label{x: 20, y: 80, size: 60, color: textColor, text: "I"})
		c.text(label{x: 90, y: 80, at: middle, up: true, size: 60, color: red, text: "I"})
	}}
	m := pngOf(t, f)
	dark := func(x, y int, want color.NRGBA) {
		t.Helper()
		if got := color.NRGBAModel.Convert(m.At(x, y)); got != want {
			t.Errorf("pixel %d, %d is %v, want %v", x, y, got, want)
		}
	}
	outline, _ := glyph.Of('I')
	var xs []float64
	for _, s := range outline.Path {
		xs = append(xs, s.Args[0][0])
	}
	middleOfBar := (slices.Min(xs) + slices.Max(xs)) / 2 * 60 / glyph.Em
	at := int(2 * (20 + middleOfBar))
	dark(at, 2*60, textColor)
	dark(at, 2*30, white)
	dark(at+20, 2*60, white)
	// Turned, its base line is at x = 90, and it goes up from y = 80 on.
	dark(2*70, 2*80, red)
	dark(2*95, 2*80, white)
	s := svgOf(t, f)
	if !strings.Contains(s, fmt.Sprintf(`M%d 0`, int(math.Round(xs[0])))) && !strings.Contains(s, `id="c1" d="M`) {
		t.Errorf("no outline in %s", s)
	}
	if strings.Count(s, "<path id=") != 1 || strings.Count(s, "<use ") != 2 || !strings.Contains(s, "rotate(-90)") {
		t.Errorf("want one outline, used twice, once turned:\n%s", s)
	}
}

// TestMissing: a character without an outline is never dropped. It is text in an SVG,
// with its room, a box in a PNG, and known to the caller.
func TestMissing(t *testing.T) {
	odd := training(learning(3, 1))
	odd.Title = oddTitle
	f := must(t, odd)
	missing := f.Missing()
	for _, r := range oddTitle {
		_, ok := glyph.Of(r)
		if ok == strings.ContainsRune(missing, r) {
			t.Errorf("%c has an outline: %v, and is missing: %v", r, ok, !ok)
		}
	}
	if r := []rune(missing); !slices.IsSorted(r) || len(slices.Compact(r)) != len([]rune(missing)) || len(r) < 10 {
		t.Errorf("missing: %q, want each once, in order", missing)
	}
	s := svgOf(t, f)
	for _, want := range []string{`textLength="2000" lengthAdjust="spacingAndGlyphs" font-family="sans-serif">鑫淼</text>`, `>한국어</text>`, ">\U00020BB7</text>"} {
		if !strings.Contains(s, want) {
			t.Errorf("the SVG has no %s", want)
		}
	}
	if got := must(t, training(learning(3, 1))).Missing(); got != "" {
		t.Errorf("missing: %q, want nothing", got)
	}

	box := &Figure{width: 40, height: 40, draw: func(c canvas) {
		c.text(label{x: 10, y: 30, size: 20, color: textColor, text: "鑫"})
	}}
	m := pngOf(t, box)
	ink := func(x0, y0, x1, y1 int) (n int) {
		for y := y0; y < y1; y++ {
			for x := x0; x < x1; x++ {
				if g := color.GrayModel.Convert(m.At(x, y)).(color.Gray); g.Y < 128 {
					n++
				}
			}
		}
		return n
	}
	// The box goes from 0.08 to 0.92 em, of 40 pixels each.
	if left, right, inside := ink(20, 20, 28, 66), ink(52, 20, 60, 66), ink(30, 36, 50, 56); left < 60 || right < 60 || inside != 0 {
		t.Errorf("%d dark pixels on the left of the box, %d on the right, %d inside", left, right, inside)
	}
}

// TestClean: what cannot be seen cannot be hidden in a title either.
func TestClean(t *testing.T) {
	if got := clean("a\nb\x1b[31m\u202ec\u200bd\xff\ufffee"); got != "a b [31mcde" {
		t.Errorf("%q", got)
	}
}

// TestShorten: a long text is cut to the width.
func TestShorten(t *testing.T) {
	for _, text := range []string{strings.Repeat("ü", 200), strings.Repeat("数", 200), strings.Repeat("i", 100_000)} {
		got := shorten(text, 14, 300)
		if w := measure(got, 14); w > 300 || w < 270 || !strings.HasSuffix(got, "…") {
			t.Errorf("%.5s…: %d characters of width %v", text, len([]rune(got)), w)
		}
	}
	if got := shorten("short", 14, 300); got != "short" {
		t.Errorf("%q", got)
	}
}

// TestLanguages: the words of the listing, and English ones.
func TestLanguages(t *testing.T) {
	run := validated(3, 1)
	last := func(v []float64) string { return fmt.Sprintf("%.4f", v[2]) }
	for l, want := range map[lang.Language][]string{
		lang.English: {"epoch", "accuracy", "cost", "training " + last(run.Accuracy.Train), "test " + last(run.Accuracy.Test), "validation " + last(run.Accuracy.Validation), "training " + last(run.Cost.Train)},
		lang.Chinese: {"迭代轮数", "准确率", "代价", "训练准确率 " + last(run.Accuracy.Train), "测试准确率 " + last(run.Accuracy.Test), "验证准确率 " + last(run.Accuracy.Validation), "训练代价 " + last(run.Cost.Train)},
	} {
		tr := training(run)
		tr.Language = l
		words := record(must(t, tr)).words()
		for _, w := range want {
			if !slices.Contains(words, w) {
				t.Errorf("%v: no %q in %q", l, w, words)
			}
		}
	}
}

// TestBest: a note and a ring say which epoch is the best, and on which set it was
// chosen.
func TestBest(t *testing.T) {
	three, two, none, absent := validated(50, 1), learning(50, 1), learning(50, 1), learning(50, 1)
	none.Best, absent.Best = 0, 51
	notFinite := learning(50, 1)
	notFinite.Accuracy.Test[notFinite.Best-1] = math.NaN()
	for _, test := range []struct {
		run  Run
		note string
	}{
		{three, fmt.Sprintf("○ best epoch: 49 (%.4f), chosen on the validation set", three.Accuracy.Validation[48])},
		{two, fmt.Sprintf("○ best epoch: 49 (%.4f), chosen on the test set", two.Accuracy.Test[48])},
		{none, ""}, {absent, ""}, {notFinite, ""},
	} {
		r := record(must(t, training(test.run)))
		i := slices.IndexFunc(r.words(), func(s string) bool { return strings.HasPrefix(s, "○") })
		if (i >= 0) != (test.note != "") || i >= 0 && r.words()[i] != test.note {
			t.Errorf("%q, want the note %q", r.words(), test.note)
		}
		if len(r.rings) != min(1, len(test.note)) {
			t.Errorf("%d rings for %q", len(r.rings), test.note)
		}
	}
}

// TestWithoutColours: the curves of a run differ in their dashes, and so do the pieces
// beside their labels.
func TestWithoutColours(t *testing.T) {
	r := record(must(t, training(validated(50, 1))))
	dashes := map[string]int{}
	for _, l := range r.lines {
		if l.width == 1.8 {
			dashes[fmt.Sprint(l.dash)]++
		}
	}
	// Two panels, each with a curve and a piece for three sets.
	if len(dashes) != 3 {
		t.Errorf("dashes %v, want three", dashes)
	}
	for d, n := range dashes {
		if n != 4 {
			t.Errorf("%d lines with the dashes %s, want 4", n, d)
		}
	}
}

// TestSeveral: the curves of all runs are thin and pale but those of the best, and it is
// said which run that is and how many are drawn.
func TestSeveral(t *testing.T) {
	for _, test := range []struct {
		n, thin int
		note    string
	}{{8, 7, "8 runs; strong: run 3, the best"}, {101, 100, "101 runs; strong: run 3, the best"}, {150, 100, "150 runs, of which 101 are drawn; strong: run 3, the best"}} {
		tr := several(test.n)
		r := record(must(t, tr))
		thin, strong := 0, 0
		for _, l := range r.lines {
			if l.width == 0.7 && l.color == pale(blue) {
				thin++
			}
			if l.width == 1.8 && l.color == blue && len(l.path) > 2 {
				strong++
				if want := len(tr.Runs[3].Accuracy.Test); len(l.path) != want {
					t.Errorf("%d runs: the strong curve has %d epochs, want %d", test.n, len(l.path), want)
				}
			}
		}
		if thin != 2*test.thin || strong != 2 {
			t.Errorf("%d runs: %d thin curves and %d strong ones, want %d and 2", test.n, thin, strong, 2*test.thin)
		}
		if !slices.Contains(r.words(), test.note) {
			t.Errorf("%d runs: %q, want %q", test.n, r.words(), test.note)
		}
	}
}

// TestOneEpoch: a curve of one epoch is a dot.
func TestOneEpoch(t *testing.T) {
	r := record(must(t, training(learning(1, 1))))
	if len(r.dots) != 4 {
		t.Errorf("%d dots, want one for each set in each panel", len(r.dots))
	}
	if words := r.words(); slices.Index(words, "1") < 0 || slices.Contains(words, "2") {
		t.Errorf("%q", words)
	}
}

// TestGuessing: a run that learns nothing looks like that: flat, on the line of guessing.
func TestGuessing(t *testing.T) {
	r := record(must(t, training(guessing(50))))
	if !slices.Contains(r.words(), "guessing 0.1") {
		t.Errorf("no line of guessing: %q", r.words())
	}
	for _, l := range r.lines {
		if l.width == 1.8 && len(l.path) > 2 {
			lo, hi := math.Inf(1), math.Inf(-1)
			for _, p := range l.path {
				lo, hi = min(lo, p.y), max(hi, p.y)
			}
			if hi-lo > panelHeight/10 {
				t.Errorf("a curve from %v to %v: noise fills the panel of %v", lo, hi, panelHeight)
			}
		}
	}
	if words := record(must(t, training(learning(50, 1)))).words(); slices.ContainsFunc(words, func(s string) bool { return strings.HasPrefix(s, "guessing") }) {
		t.Error("a line of guessing far below the curves")
	}
}

// TestOddInput: values that are not finite are left out, sets may be missing.
func TestOddInput(t *testing.T) {
	nan := math.NaN()
	for name, test := range map[string]struct {
		accuracy Curves
		want     string
	}{
		"no test":    {Curves{Train: []float64{0.5, 0.6}}, "training 0.6000"},
		"lengths":    {Curves{Train: []float64{0.5, 0.6}, Test: []float64{0.4}}, "test 0.4000"},
		"not finite": {Curves{Train: []float64{0.5, nan, math.Inf(1)}, Test: []float64{0.4, 0.5, nan}}, "test 0.5000"},
		"all 1":      {Curves{Train: []float64{1, 1, 1}, Test: []float64{1, 1, 1}}, "1.000"},
		"all 0":      {Curves{Train: []float64{0}}, "0.0"},
	} {
		f := must(t, Training{Runs: []Run{{Accuracy: test.accuracy, Cost: Curves{Train: []float64{nan}}}}})
		if words := record(f).words(); !slices.Contains(words, test.want) || slices.Contains(words, "NaN") || slices.Contains(words, "cost") {
			t.Errorf("%s: %q, want %q and no cost", name, words, test.want)
		}
		if strings.Contains(svgOf(t, f), "NaN") {
			t.Errorf("%s: the SVG has a NaN", name)
		}
	}
	for _, bad := range []Training{{}, {Runs: []Run{{}}}, {Runs: []Run{{Accuracy: Curves{Train: []float64{nan}}}}}, {Runs: []Run{learning(2, 1)}, Best: 1}, {Runs: []Run{learning(2, 1)}, Best: -1}} {
		if _, err := bad.Figure(); err == nil {
			t.Errorf("no error for %+v", bad)
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteError(t *testing.T) {
	f := must(t, training(learning(2, 1)))
	for _, write := range []func(io.Writer) error{f.SVG, f.PNG} {
		if err := write(failing{}); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("error %v, want %v", err, io.ErrShortWrite)
		}
	}
}

// TestPNG: the file has the pixels that were drawn.
func TestPNG(t *testing.T) {
	f := must(t, matrix(10))
	r := newPNG(f.width, f.height)
	f.draw(r)
	m := pngOf(t, f)
	if m.Bounds() != r.m.Bounds() || m.Bounds().Dx() != int(2*f.width) {
		t.Fatalf("%v, drawn %v, want two pixels a point of %v×%v", m.Bounds(), r.m.Bounds(), f.width, f.height)
	}
	for y := range m.Bounds().Dy() {
		for x := range m.Bounds().Dx() {
			if got, want := color.RGBAModel.Convert(m.At(x, y)), r.m.RGBAAt(x, y); got != want {
				t.Fatalf("pixel %d, %d is %v, want %v", x, y, got, want)
			}
		}
	}
}

// TestThin: a curve of many epochs keeps its extremes and its end.
func TestThin(t *testing.T) {
	var path []point
	for i := range 10_000 {
		path = append(path, point{float64(i) / 100, math.Sin(float64(i))})
	}
	path[5003].y, path[7017].y = 9, -9
	got := thin(path, 0.5)
	if len(got) > 402 || len(got) < 300 {
		t.Errorf("%d points", len(got))
	}
	if !slices.Contains(got, path[5003]) || !slices.Contains(got, path[7017]) || got[len(got)-1] != path[len(path)-1] {
		t.Error("an extreme or the end is lost")
	}
	if !slices.IsSortedFunc(got, func(a, b point) int { return int(1000 * (a.x - b.x)) }) {
		t.Error("the order is lost")
	}
	if few := path[:3]; !slices.Equal(thin(few, 0.001), few) {
		t.Errorf("%v", thin(few, 0.001))
	}
	if thin(nil, 1) != nil {
		t.Error("points out of nothing")
	}
}

// TestSpread: labels keep their order, their distance, and the panel.
func TestSpread(t *testing.T) {
	for _, ys := range [][]float64{{50}, {50, 50, 50}, {0, 1, 2}, {98, 99, 100}, {10, 50, 52}} {
		var all []ending
		for _, y := range ys {
			all = append(all, ending{y: y})
		}
		spread(all, 5, 95)
		for i, e := range all {
			if e.y < 5 || e.y > 95 || i > 0 && e.y < all[i-1].y+lineHeight-1e-9 {
				t.Errorf("%v: %+v", ys, all)
			}
		}
	}
}
