package figure

import (
	"math"
	"slices"
	"testing"

	"trainer/data/lang"
)

// growth returns the figure of measurements with n panels. The time of the first is
// proportional to the quantity, and those of the others grow more slowly.
func growth(n int, l lang.Language) Growth {
	g := Growth{Title: title, Language: l}
	for i := range n {
		p := GrowthPanel{Across: []string{"samples", "batch", "hidden units", "hidden layers", "cores"}[i%5], Note: "50 hidden units, batch 128"}
		for _, at := range []float64{1, 10, 100, 1000, 60_000} {
			p.At = append(p.At, at)
			p.Seconds = append(p.Seconds, 0.001*math.Pow(at, 1/float64(i+1)))
		}
		g.Panels = append(g.Panels, p)
	}
	return g
}

// TestGrowth: each panel has its curve, whose points are in line if the time is
// proportional to the quantity, and its names.
func TestGrowth(t *testing.T) {
	r := record(must(t, growth(5, lang.English)))
	curves := 0
	for _, l := range r.lines {
		if l.width != 1.5 {
			continue
		}
		if curves++; len(l.path) != 5 {
			t.Errorf("a curve of %d points, want 5", len(l.path))
		}
		if curves > 1 {
			continue
		}
		first, last := l.path[0], l.path[4]
		for _, at := range l.path {
			want := first.y + (last.y-first.y)*(at.x-first.x)/(last.x-first.x)
			if math.Abs(at.y-want) > 0.01 {
				t.Errorf("the point %v is not on the line from %v to %v", at, first, last)
			}
		}
	}
	if curves != 5 {
		t.Errorf("%d curves, want 5", curves)
	}
	words := r.words()
	for _, want := range []string{"samples", "cores", "60000", "seconds", "50 hidden units, batch 128"} {
		if !slices.Contains(words, want) {
			t.Errorf("the figure lacks %q: %q", want, words)
		}
	}
	for name, p := range map[string]GrowthPanel{
		"empty": {}, "a time too few": {At: []float64{1, 2}, Seconds: []float64{1}},
		"zero": {At: []float64{0, 1}, Seconds: []float64{1, 1}}, "infinite": {At: []float64{1}, Seconds: []float64{math.Inf(1)}},
	} {
		if _, err := (Growth{Panels: []GrowthPanel{p}}).Figure(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := (Growth{}).Figure(); err == nil {
		t.Error("no panel: no error")
	}
	must(t, Growth{Panels: []GrowthPanel{{At: []float64{1}, Seconds: []float64{2}}}})
}
