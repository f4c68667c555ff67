package figure

import (
	"bytes"
	"encoding/binary"
	"encoding/xml"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/recorder"
)

// learning returns curves similar to those of a run: 0.93 after the first epoch,
// and then an ever slower rise.
func learning(epochs int) Curve {
	c := Curve{Title: "digits (built in), 784-50-10 <&>"}
	for i := range epochs {
		e := float64(i + 1)
		c.Train = append(c.Train, 0.99-0.06/math.Sqrt(e))
		c.Test = append(c.Test, 0.968-0.04/e+0.002*math.Sin(3*e))
	}
	return c
}

// validated returns such curves with a validation set, whose best epoch is the last
// but one.
func validated(epochs int) Curve {
	c := learning(epochs)
	for _, a := range c.Test {
		c.Validation = append(c.Validation, a+0.004)
	}
	c.Best = max(1, epochs-1)
	return c
}

func svg(t *testing.T, c Curve) string {
	t.Helper()
	var b strings.Builder
	if err := SVG(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSVG(t *testing.T) {
	for _, epochs := range []int{1, 2, 50, 1000} {
		s := svg(t, learning(epochs))
		for d := xml.NewDecoder(strings.NewReader(s)); ; {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range []string{
			`width="720pt" height="288pt"`, // 10×4 inches of 72 points
			">digits (built in), 784-50-10 &lt;&amp;&gt;</text>",
			">epoch</text>", ">accuracy</text>", ">1</text>",
			">training (0.", ">test (0.", fmt.Sprintf("at epoch %d)</text>", epochs),
			"stroke:#D62728", "stroke:#1F5FB4", "sans-serif",
		} {
			if !strings.Contains(s, want) {
				t.Errorf("%d epochs: the figure has no %s", epochs, want)
			}
		}
		if s != svg(t, learning(epochs)) {
			t.Errorf("%d epochs: two figures of the same curve differ", epochs)
		}
	}
}

// TestValidation: a third curve, and the legend says which set the best epoch was
// chosen on. The ring is on that set's curve.
func TestValidation(t *testing.T) {
	for _, epochs := range []int{1, 2, 50, 1000} {
		three := validated(epochs)
		two := three
		two.Validation = nil
		s := svg(t, three)
		best := fmt.Sprintf(">best: epoch %d (%.4f), chosen on the ", three.Best, three.Validation[three.Best-1])
		for _, want := range []string{"stroke:#E68A00", ">training (0.", ">validation (0.", ">test (0.", best + "validation set</text>"} {
			if !strings.Contains(s, want) {
				t.Errorf("%d epochs: the figure has no %s", epochs, want)
			}
		}
		s = svg(t, two)
		best = fmt.Sprintf(">best: epoch %d (%.4f), chosen on the ", two.Best, two.Test[two.Best-1])
		if !strings.Contains(s, best+"test set</text>") || strings.Contains(s, "validation") || strings.Contains(s, "#E68A00") {
			t.Errorf("%d epochs without validation: want %s and no validation set", epochs, best)
		}
	}
	none := learning(3)
	if s := svg(t, none); strings.Contains(s, "best") {
		t.Error("a figure without a best epoch marks one")
	}
	none.Best = 4
	none.Test[1] = math.NaN()
	if s := svg(t, none); strings.Contains(s, "best") {
		t.Error("a figure marks an epoch that it does not have")
	}
}

func TestPNG(t *testing.T) {
	var a, b bytes.Buffer
	if err := PNG(&a, learning(1)); err != nil {
		t.Fatal(err)
	}
	if err := PNG(&b, learning(1)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two figures of the same curve differ")
	}
	m, err := png.Decode(&a)
	if err != nil {
		t.Fatal(err)
	}
	if m.Bounds() != image.Rect(0, 0, 1500, 600) { // 10×4 inches at 150 dpi
		t.Errorf("figure of %v, want 1500×600", m.Bounds())
	}
	pixels, ok := m.(*image.RGBA) // the decoder's type for an image without alpha
	if !ok {
		t.Fatalf("image of type %T", m)
	}
	var white, isRed, isBlue int
	for pix := pixels.Pix; len(pix) > 0; pix = pix[4:] {
		switch binary.BigEndian.Uint32(pix) {
		case 0xffffffff:
			white++
		case 0xd62728ff:
			isRed++
		case 0x1f5fb4ff:
			isBlue++
		}
	}
	// A dot of radius 3 points, 6¼ pixels, has an area of 122 pixels.
	if white < 750_000 || isRed < 122 || isBlue < 122 {
		t.Errorf("%d white pixels, %d red, %d blue; want at least 750000, 122 and 122", white, isRed, isBlue)
	}
}

func TestOddInput(t *testing.T) {
	nan := math.NaN()
	for name, tt := range map[string]struct {
		c       Curve
		has     string
		hasNone string
	}{
		"no test":     {Curve{Train: []float64{0.5, 0.6}}, "training (0.6000 at epoch 2)", ">test ("},
		"lengths":     {Curve{Train: []float64{0.5, 0.6}, Test: []float64{0.4}}, "test (0.4000 at epoch 1)", "NaN"},
		"not finite":  {Curve{Train: []float64{0.5, nan, math.Inf(1)}, Test: []float64{0.4, 0.5, nan}}, "test (0.5000 at epoch 2)", "NaN"},
		"all 1":       {Curve{Train: []float64{1, 1, 1}, Test: []float64{1, 1, 1}}, ">1.000</text>", ">1.002</text>"},
		"all 0":       {Curve{Train: []float64{0}}, ">0.000</text>", ">-0.00"},
		"long title":  {Curve{Title: strings.Repeat("ü", 200), Train: []float64{0.5}}, strings.Repeat("ü", 89) + "…<", "NaN"},
		"whole range": {Curve{Train: []float64{0, 1}}, ">0.8</text>", ">1.2</text>"},
	} {
		t.Run(name, func(t *testing.T) {
			s := svg(t, tt.c)
			if !strings.Contains(s, tt.has) || strings.Contains(s, tt.hasNone) {
				t.Errorf("want %q and not %q in\n%s", tt.has, tt.hasNone, s)
			}
		})
	}
	for _, c := range []Curve{{}, {Train: []float64{nan}}} {
		if err := SVG(io.Discard, c); err == nil {
			t.Error("no error for no accuracy")
		}
		if err := PNG(io.Discard, c); err == nil {
			t.Error("no error for no accuracy")
		}
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func TestWriteError(t *testing.T) {
	for _, write := range []func(io.Writer, Curve) error{SVG, PNG} {
		if err := write(failing{}, learning(2)); !errors.Is(err, io.ErrShortWrite) {
			t.Errorf("error %v, want %v", err, io.ErrShortWrite)
		}
	}
}

func labels(ticks []plot.Tick) string {
	s := make([]string, 0, len(ticks))
	for _, t := range ticks {
		s = append(s, t.Label)
	}
	return strings.Join(s, " ")
}

func TestXTicks(t *testing.T) {
	for epochs, want := range map[int]string{
		1:    "1",
		2:    "1 2",
		10:   "1 2 3 4 5 6 7 8 9 10",
		11:   "2 4 6 8 10",
		21:   "2 4 6 8 10 12 14 16 18 20",
		22:   "1 5 10 15 20",
		50:   "1 5 10 15 20 25 30 35 40 45 50",
		100:  "1 10 20 30 40 50 60 70 80 90 100",
		1000: "1 100 200 300 400 500 600 700 800 900 1000",
	} {
		if got := labels(xTicks(epochs)); got != want {
			t.Errorf("%d epochs: %s, want %s", epochs, got, want)
		}
	}
	for epochs := 1; epochs < 30000; epochs += 1 + epochs/50 {
		ticks := xTicks(epochs)
		if n := len(ticks); n < 1 || epochs > 3 && n < 4 || n > 11 || ticks[n-1].Value > float64(epochs) {
			t.Errorf("%d epochs: %s", epochs, labels(ticks))
		}
	}
}

func TestYTicks(t *testing.T) {
	for _, tt := range []struct {
		lo, hi float64
		want   string
	}{
		{0.93, 0.99, "0.93 0.94 0.95 0.96 0.97 0.98 0.99"},
		{0.9, 1.003, "0.90 0.92 0.94 0.96 0.98 1.00"},
		{0.925, 0.935, "0.926 0.928 0.930 0.932 0.934"},
		{-0.06, 1.06, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{0.995, 1.005, "0.996 0.998 1.000"},
	} {
		if got := labels(yTicks(tt.lo, tt.hi)); got != tt.want {
			t.Errorf("%v to %v: %s, want %s", tt.lo, tt.hi, got, tt.want)
		}
	}
	// For many ranges: all labels are different and within the range.
	for lo := 0.0; lo < 0.99; lo += 0.0137 {
		for hi := lo + 0.01; hi < 1.01; hi += 0.0171 {
			a, b := yRange(plotter.XYs{{Y: lo}, {Y: min(hi, 1)}})
			ticks := yTicks(a, b)
			l := strings.Fields(labels(ticks))
			if n := len(l); n < 3 || n > 9 || len(slices.Compact(l)) != n || ticks[0].Value < a || ticks[n-1].Value > b {
				t.Errorf("%v to %v: %s", a, b, labels(ticks))
			}
		}
	}
}

// TestLegend checks that the legend finds a corner in which it covers no curve.
func TestLegend(t *testing.T) {
	falling, dip := learning(50), learning(50)
	slices.Reverse(falling.Train)
	slices.Reverse(falling.Test)
	for i := 35; i < 50; i++ {
		dip.Test[i] = 0.8 // the usual place of the legend
	}
	for name, c := range map[string]Curve{"1": learning(1), "2": learning(2), "50": learning(50), "1000": learning(1000), "falling": falling, "dip": dip,
		"validation 1": validated(1), "validation 2": validated(2), "validation 50": validated(50), "validation 1000": validated(1000)} {
		p, err := newPlot(c)
		if err != nil {
			t.Fatal(err)
		}
		l := &legend{Legend: plot.NewLegend(), curves: []plotter.XYs{points(c.Train), points(c.Validation), points(c.Test)}}
		size := vg.Point{X: 190, Y: 42}
		if c.Best > 0 {
			size = vg.Point{X: 300, Y: 67} // with the longest entry: see three curves in a PNG
		}
		canvas := p.DataCanvas(draw.NewCanvas(new(recorder.Canvas), width, height))
		box := l.best(canvas, p, size, 8)
		if n := l.covered(canvas, p, box); n != 0 {
			t.Errorf("%s: the legend covers %d points", name, n)
		}
		if box.Min.X < canvas.Min.X || box.Max.X > canvas.Max.X || box.Min.Y < canvas.Min.Y || box.Max.Y > canvas.Max.Y {
			t.Errorf("%s: the legend at %v is outside of %v", name, box, canvas.Rectangle)
		}
	}
}

func BenchmarkBoth(b *testing.B) {
	c := learning(50)
	for b.Loop() {
		if err := errors.Join(SVG(io.Discard, c), PNG(io.Discard, c)); err != nil {
			b.Fatal(err)
		}
	}
}
