package figure

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"trainer/data/lang"
)

// swept returns the figure of a sweep over keys with so many values. The first key is a
// rate, the second a list, and others are words. Some runs have no result.
func swept(l lang.Language, seeds int, values ...int) Sweep {
	s := Sweep{Title: title, Note: "a note", Language: l, Set: ValidationSet, Best: -1}
	points := 1
	for i, n := range values {
		k := SweptKey{Name: []string{"train.rate.initial", "model.layers", "model.init.rule", "x"}[min(i, 3)]}
		for v := range n {
			switch i {
			case 0:
				r := 0.001 * math.Pow(2, float64(v))
				k.Labels, k.Numbers = append(k.Labels, fmt.Sprint(r)), append(k.Numbers, r)
			case 1:
				k.Labels = append(k.Labels, fmt.Sprintf("784-%d-10", 10*(v+1)))
			default:
				k.Labels = append(k.Labels, strings.Repeat("word", v+1))
			}
		}
		s.Keys = append(s.Keys, k)
		points *= n
	}
	random := rand.New(rand.NewPCG(5, 6))
	best := 0.0
	for p := range points {
		point := SweptPoint{Values: make([]int, len(values))}
		rest := p
		for i := len(values) - 1; i >= 0; i-- {
			point.Values[i], rest = rest%values[i], rest/values[i]
		}
		for range seeds {
			r := SweptRun{Point: p}
			if p != 1 {
				level := 0.9 + 0.05*math.Sin(float64(p)) + 0.01*random.Float64()
				for e := range 12 {
					r.Accuracy = append(r.Accuracy, level-0.2/float64(e+1))
				}
				point.Accuracies = append(point.Accuracies, r.Accuracy[11])
			}
			s.Curves = append(s.Curves, r)
		}
		if m, _ := point.Mean(); m > best {
			s.Best, best = p, m
		}
		s.Points = append(s.Points, point)
	}
	return s
}

// rates returns the figure of a search for a rate.
func rates(l lang.Language) RateSearch {
	r := RateSearch{Title: title, Language: l, Steepest: 30, Suggested: 0.1}
	for i := range 80 {
		x := float64(i) / 10
		r.Rates = append(r.Rates, 1e-4*math.Pow(10, x))
		cost := 0.45 - 0.4/(1+math.Exp(-3*(x-3))) + 0.5/(1+math.Exp(-4*(x-6)))
		r.Costs, r.Smooth = append(r.Costs, cost*(1+0.02*math.Sin(9*x))), append(r.Smooth, cost)
	}
	return r
}

// TestSweep: what the figure shows for one key, two keys and more.
func TestSweep(t *testing.T) {
	one := record(must(t, swept(lang.English, 3, 9)))
	if n := len(one.rings); n != 1 {
		t.Errorf("%d rings around the best", n)
	}
	for _, want := range []string{"train.rate.initial (logarithmic)", "validation accuracy", "rate.initial"} {
		if !slices.Contains(one.words(), want) {
			t.Errorf("one key: no %q in %q", want, one.words())
		}
	}
	two := swept(lang.English, 2, 4, 5)
	words := record(must(t, two)).words()
	for i, p := range two.Points {
		mean, _ := p.Mean()
		if i == 1 {
			if !slices.Contains(words, "–") {
				t.Error("two keys: a cell without a result is not marked")
			}
		} else if !slices.Contains(words, fourDigits(mean)) {
			t.Errorf("two keys: no %s in the heat map", fourDigits(mean))
		}
	}
	three := record(must(t, swept(lang.English, 1, 3, 2, 4)))
	if len(three.rings) != 3 {
		t.Errorf("three keys: %d rings, want one in each panel", len(three.rings))
	}
	if _, err := (Sweep{Curves: []SweptRun{{}}}).Figure(); err == nil {
		t.Error("a figure of nothing")
	}
}

// TestIsLog: which values want a logarithmic axis.
func TestIsLog(t *testing.T) {
	for _, c := range []struct {
		values []float64
		want   bool
	}{
		{[]float64{0.01, 0.1, 1}, true}, {[]float64{1, 0.01}, true}, {[]float64{0.01, 0.03, 0.1, 0.3}, true},
		{[]float64{1, 2, 3}, false}, {[]float64{10, 20, 30, 40, 50, 60, 70, 80, 90, 100}, false}, {[]float64{0, 1, 100}, false},
		{[]float64{-1, 10, 1000}, false}, {[]float64{5}, false}, {[]float64{10, 50}, false},
	} {
		if got := IsLog(c.values); got != c.want {
			t.Errorf("%v: %t", c.values, got)
		}
	}
	places, ticks, log := SweptKey{Name: "k", Labels: []string{"0.01", "0.1", "1"}, Numbers: []float64{0.01, 0.1, 1}}.Places(300)
	if d := places[1] - places[0]; !log || math.Abs(d-(places[2]-places[1])) > 1e-12 || len(ticks) != 3 || ticks[1].Label != "0.1" {
		t.Errorf("places %v, ticks %v", places, ticks)
	}
}

func TestShortKey(t *testing.T) {
	for key, want := range map[string]string{"seed": "seed", "train.batch": "batch", "train.rate.initial": "rate.initial"} {
		if got := ShortKey(key); got != want {
			t.Errorf("%s: %s", key, got)
		}
	}
}
