package figure

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"trainer/data/lang"
)

var out = flag.String("out", "", "write the figures of the gallery to this `folder`, to look at them")

// learning returns a run that learns: 0.93 after the first epoch, and then an ever
// slower rise.
func learning(epochs int, seed uint64) Run {
	r := rand.New(rand.NewPCG(seed, 1))
	var run Run
	for i := range epochs {
		e := float64(i + 1)
		run.Accuracy.Train = append(run.Accuracy.Train, 0.99-0.06/math.Sqrt(e))
		run.Accuracy.Test = append(run.Accuracy.Test, 0.968-0.04/e+0.002*r.NormFloat64())
		run.Cost.Train = append(run.Cost.Train, 0.01+0.05/math.Sqrt(e))
		run.Cost.Test = append(run.Cost.Test, 0.022+0.04/e+0.0005*r.NormFloat64())
	}
	run.Best = max(1, epochs-1)
	return run
}

// validated returns such a run with a validation set.
func validated(epochs int, seed uint64) Run {
	r := learning(epochs, seed)
	for i, a := range r.Accuracy.Test {
		r.Accuracy.Validation = append(r.Accuracy.Validation, a+0.003)
		r.Cost.Validation = append(r.Cost.Validation, 0.9*r.Cost.Test[i])
	}
	return r
}

// guessing returns a run that learns nothing.
func guessing(epochs int) Run {
	var run Run
	for i := range epochs {
		v := []float64{0.0987, 0.1124, 0.1022, 0.0993, 0.1090}[i%5]
		run.Accuracy.Train = append(run.Accuracy.Train, v)
		run.Accuracy.Test = append(run.Accuracy.Test, v+0.001)
		run.Cost.Train = append(run.Cost.Train, 0.4503-v/100)
		run.Cost.Test = append(run.Cost.Test, 0.4506-v/100)
	}
	run.Best = 2
	return run
}

// steep returns a run whose cost falls by decades.
func steep(epochs int) Run {
	run := learning(epochs, 4)
	for i := range epochs {
		run.Cost.Train[i] = 0.4 * math.Pow(0.8, float64(i))
		run.Cost.Test[i] = 0.02 + 0.4*math.Pow(0.7, float64(i))
	}
	return run
}

const title = "MNIST: 784-50-10 sigmoid, with bias, float32"

// training returns the figure of one run.
func training(r Run) Training { return Training{Title: title, Runs: []Run{r}, Classes: 10} }

// several returns the figure of n runs of different lengths.
func several(n int) Training {
	t := Training{Title: title, Classes: 10, Best: min(3, n-1)}
	for i := range n {
		t.Runs = append(t.Runs, learning(40-i*i/3%30, uint64(i)))
	}
	return t
}

// matrix returns a confusion matrix of n classes with few errors.
func matrix(n int) Matrix {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	m := Matrix{Title: title, Set: TestSet, Epoch: 41}
	for i := range n {
		row := make([]int, n)
		for k := range row {
			row[k] = max(0, r.IntN(40)-30)
		}
		row[i] = 950 + r.IntN(50)
		m.Counts = append(m.Counts, row)
	}
	return m
}

// units returns n units with edges as weights.
func units(n int) Units {
	r := rand.New(rand.NewPCG(uint64(n), 1))
	u := Units{Title: title, Rows: 28, Cols: 28, Epoch: 41}
	for k := range n {
		for y := -14.0; y < 14; y++ {
			for x := -14.0; x < 14; x++ {
				edge := 0.5 * math.Exp(-(x*x+y*y)/60) * math.Sin(float64(k)+x*0.4+y*0.3*math.Cos(float64(k)))
				u.Weights = append(u.Weights, edge+0.05*r.NormFloat64())
			}
		}
	}
	return u
}

// overlay returns the curves of n trainings of different lengths, one of which ended in
// numbers that are not finite.
func overlay(n int, l lang.Language) Overlay {
	o := Overlay{Title: title, Language: l}
	for i := range n {
		r := learning(max(1, 50-7*i), uint64(i))
		o.Curves = append(o.Curves, Overlaid{Name: fmt.Sprintf("runs/20260102-150405-mnist-%d", i), Accuracy: r.Accuracy.Test, Cost: r.Cost.Test})
	}
	if n > 2 {
		c := o.Curves[2].Cost
		c[len(c)-1] = math.NaN()
		o.Curves[1].Cost = []float64{math.Inf(1)}
	}
	return o
}

// oddTitle has characters that no font of ours has.
const oddTitle = "手写数字 くずし字 \U00020BB7野家 鑫淼 한국어 عربى ⟨&⟩: 784-50-10"

// gallery returns figures of all kinds.
func gallery(t testing.TB) map[string]*Figure {
	t.Helper()
	zh := training(validated(50, 3))
	zh.Language, zh.Title = lang.Chinese, "MNIST：784-50-10 sigmoid，含偏置，float32"
	severalZh := several(8)
	severalZh.Language = lang.Chinese
	odd := training(validated(50, 3))
	odd.Title = oddTitle
	long := training(learning(50, 1))
	long.Title = fmt.Sprintf("%0200d", 7)
	clothes, letters := matrix(10), matrix(26)
	clothes.Language, clothes.Name = lang.Chinese, func(k int) string {
		return []string{"T恤/上衣", "裤子", "套头衫", "连衣裙", "外套", "凉鞋", "衬衫", "运动鞋", "包", "短靴和很长很长很长的名字"}[k]
	}
	letters.Name = func(k int) string { return string(rune('A' + k)) }
	unitsZh := units(1000)
	unitsZh.Language = lang.Chinese
	outputs := units(10)
	outputs.Outputs = true

	all := map[string]*Figure{}
	for name, f := range map[string]interface{ Figure() (*Figure, error) }{
		"epochs-1": training(learning(1, 1)), "epochs-2": training(learning(2, 1)), "epochs-50": training(learning(50, 1)),
		"epochs-300": training(learning(300, 2)), "epochs-10000": training(learning(10_000, 2)),
		"guessing": training(guessing(50)), "steep": training(steep(50)),
		"validated-1": training(validated(1, 3)), "validated-50": training(validated(50, 3)),
		"several": several(8), "several-150": several(150), "zh": zh, "several-zh": severalZh, "odd": odd, "long": long,
		"confusion-2": matrix(2), "confusion-10": matrix(10), "confusion-zh": clothes, "confusion-26": letters,
		"confusion-47": matrix(47), "confusion-256": matrix(256),
		"overlay-2": overlay(2, lang.English), "overlay-40": overlay(40, lang.Chinese),
		"growth": growth(5, lang.English), "growth-zh": growth(4, lang.Chinese),
		"sweep-0": swept(lang.English, 3), "sweep-1": swept(lang.English, 3, 9), "sweep-1-zh": swept(lang.Chinese, 1, 30), "sweep-2": swept(lang.Chinese, 2, 4, 5),
		"sweep-2-wide": swept(lang.English, 1, 30, 31), "sweep-3": swept(lang.Chinese, 1, 3, 2, 4), "rate": rates(lang.English), "rate-zh": rates(lang.Chinese),
		"hidden-1": units(1), "hidden-50": units(50), "hidden-1000-zh": unitsZh, "outputs": outputs,
	} {
		var err error
		if all[name], err = f.Figure(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return all
}

// recorder is a canvas that keeps what is drawn.
type recorder struct {
	nothing
	texts   []label
	lines   []recorded
	dots    []point
	rings   []point
	areas   []area
	picture []*image.Paletted
}

type recorded struct {
	path []point
	stroke
}

// area is a rectangle, from x, y to X, Y.
type area struct{ x, y, X, Y float64 }

func (r *recorder) text(t label)                           { r.texts = append(r.texts, t) }
func (r *recorder) line(p []point, s stroke)               { r.lines = append(r.lines, recorded{p, s}) }
func (r *recorder) dot(at point, _ float64, _ color.NRGBA) { r.dots = append(r.dots, at) }
func (r *recorder) ring(at point, _ float64, _ stroke)     { r.rings = append(r.rings, at) }
func (r *recorder) pixels(x, y, w, h float64, m *image.Paletted) {
	r.areas = append(r.areas, area{x, y, x + w, y + h})
	r.picture = append(r.picture, m)
}

// record draws a figure.
func record(f *Figure) *recorder {
	r := &recorder{}
	f.draw(r)
	return r
}

// words returns the texts of a figure.
func (r *recorder) words() (all []string) {
	for _, t := range r.texts {
		all = append(all, t.text)
	}
	return all
}

// area returns what a text covers: digits and letters without descenders are about 0.72
// of the size high.
func (t label) area() area {
	w := measure(t.text, t.size)
	from := -float64(t.at) * w
	if t.up {
		return area{t.x - 0.72*t.size, t.y - from - w, t.x, t.y - from}
	}
	return area{t.x + from, t.y - 0.72*t.size, t.x + from + w, t.y}
}

// TestRoom: no text leaves its figure or covers another, and no line leaves the figure.
func TestRoom(t *testing.T) {
	for name, f := range gallery(t) {
		r := record(f)
		inside := func(a area) bool { return a.x >= 0 && a.y >= 0 && a.X <= f.width && a.Y <= f.height }
		var areas []area
		for _, text := range r.texts {
			a := text.area()
			if !inside(a) {
				t.Errorf("%s: %q at %v is outside of %v×%v", name, text.text, a, f.width, f.height)
			}
			for i, b := range areas {
				if a.x < b.X && b.x < a.X && a.y < b.Y && b.y < a.Y {
					t.Errorf("%s: %q covers %q", name, text.text, r.texts[i].text)
				}
			}
			areas = append(areas, a)
		}
		for _, l := range r.lines {
			for _, p := range l.path {
				if !inside(area{p.x, p.y, p.x, p.y}) {
					t.Errorf("%s: a line at %v is outside of %v×%v", name, p, f.width, f.height)
				}
			}
		}
		for _, a := range r.areas {
			if !inside(a) {
				t.Errorf("%s: an image at %v is outside of %v×%v", name, a, f.width, f.height)
			}
		}
	}
}

// TestGallery: the same bytes each time. With -out it writes the figures.
func TestGallery(t *testing.T) {
	first, second := gallery(t), gallery(t)
	for _, name := range slices.Sorted(maps.Keys(first)) {
		if testing.Short() && *out == "" && name != "zh" {
			continue
		}
		for extension, write := range map[string]func(*Figure, *bytes.Buffer) error{
			".svg": func(f *Figure, b *bytes.Buffer) error { return f.SVG(b) },
			".png": func(f *Figure, b *bytes.Buffer) error { return f.PNG(b) },
		} {
			var a, b bytes.Buffer
			if err := write(first[name], &a); err != nil {
				t.Fatal(err)
			}
			if err := write(second[name], &b); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a.Bytes(), b.Bytes()) {
				t.Errorf("%s%s has other bytes the second time", name, extension)
			}
			if *out != "" {
				if err := os.WriteFile(filepath.Join(*out, name+extension), a.Bytes(), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkRun is what the figures add to a run of 50 epochs of 784-50-10, without the
// writing to the disk.
func BenchmarkRun(b *testing.B) {
	t, u, m := training(learning(50, 1)), units(50), matrix(10)
	for b.Loop() {
		var figures []*Figure
		for _, f := range []interface{ Figure() (*Figure, error) }{t, u, m} {
			f, err := f.Figure()
			if err != nil {
				b.Fatal(err)
			}
			figures = append(figures, f)
		}
		for _, f := range figures {
			f.Missing()
		}
		if _, _, err := Encode(figures...); err != nil {
			b.Fatal(err)
		}
	}
}
