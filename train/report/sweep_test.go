package report_test

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"trainer/data/lang"
	"trainer/train/figure"
	"trainer/train/report"
)

// sweepOf returns the page of a sweep over keys with so many values, of n seeds each.
func sweepOf(seeds int, values ...int) *report.Sweep {
	s := &report.Sweep{Name: "<search>", Dataset: "MNIST & more", Seeds: seeds, Chosen: figure.TestOnlySet, Plan: "seed: 1\nsweep: …\n"}
	s.Figure = figure.Sweep{Title: "MNIST: sweep", Set: s.Chosen, Best: 2}
	points := 1
	for i, n := range values {
		k := figure.SweptKey{Name: fmt.Sprintf("train.key%d", i)}
		for v := range n {
			k.Labels = append(k.Labels, fmt.Sprintf("<%d>", v+1))
			if i == 0 {
				k.Numbers = append(k.Numbers, math.Pow(1.5, float64(v)))
			}
		}
		s.Figure.Keys = append(s.Figure.Keys, k)
		points *= n
	}
	for p := range points {
		point := figure.SweptPoint{}
		rest := p
		for i := len(values) - 1; i >= 0; i-- {
			point.Values = append([]int{rest % values[i]}, point.Values...)
			rest /= values[i]
		}
		for k := range seeds {
			a := 0.9 + 0.001*float64(p*seeds+k)
			r := report.SweepRun{Number: p*seeds + k + 1, Folder: fmt.Sprintf("runs/%d & co", p), Link: "runs/x%20y/accuracy.svg", Values: make([]string, len(values)), Seed: uint64(k), Seconds: 1.5}
			if p == 0 {
				r.Note = "failed: <cost>"
			} else {
				r.Epoch, r.Accuracy, r.Test = 3, a, a
				point.Accuracies = append(point.Accuracies, a)
				s.Figure.Curves = append(s.Figure.Curves, figure.SweptRun{Accuracy: []float64{a / 2, a - 0.01, a}, Point: p})
			}
			s.Runs = append(s.Runs, r)
		}
		s.Figure.Points, s.Order, s.Test = append(s.Figure.Points, point), append(s.Order, p), append(s.Test, 0.5)
	}
	s.Total = len(s.Runs) + 1
	s.Missing = []string{"9-missing"}
	best := s.Runs[len(s.Runs)-1]
	s.Best = &best
	return s
}

// TestSweepPage: the sections, the warnings, a row for each combination and run, and the
// pictures of one key, two keys and more, in both languages.
func TestSweepPage(t *testing.T) {
	for name, c := range map[string]struct {
		s                  *report.Sweep
		charts, heat, rows int
	}{
		"one key":    {sweepOf(3, 4), 1, 0, 4},
		"two keys":   {sweepOf(2, 3, 4), 0, 1, 12},
		"three keys": {sweepOf(1, 2, 3, 2), 3, 0, 12},
		"many":       {sweepOf(1, 300, 3), 0, 0, 400},
	} {
		for _, l := range []lang.Language{lang.English, lang.Chinese} {
			p := render(t, func(b *bytes.Buffer) error { return c.s.HTML(b, l) })
			if n := len(p.find("keys", "figure")); c.charts > 0 && n != c.charts {
				t.Errorf("%s: %d charts of keys, want %d", name, n, c.charts)
			}
			heat := 0
			for _, svg := range p.find("keys", "svg") {
				if attribute(svg, "role") == "img" {
					heat++
				}
			}
			if heat != c.heat {
				t.Errorf("%s: %d heat maps, want %d", name, heat, c.heat)
			}
			if n := len(p.find("combinations", "tr")) - 1; n != c.rows {
				t.Errorf("%s: %d combinations, want %d", name, n, c.rows)
			}
			if n := len(p.find("runs", "tr")) - 1; n != min(len(c.s.Runs), 400) {
				t.Errorf("%s: %d runs", name, n)
			}
			if n := len(p.find("runs", "a")); n != min(len(c.s.Runs), 400) {
				t.Errorf("%s: %d links to runs", name, n)
			}
			p.each(func(n *html.Node) {
				if attribute(n, "style") != "" {
					t.Errorf("%s: an inline style, which the policy forbids", name)
				}
			})
			text := words(p.root, nil)
			for _, want := range []string{"9-missing", "failed: <cost>", "train.key0", "MNIST & more", "sweep: …"} {
				if !strings.Contains(text, want) {
					t.Errorf("%s: the page lacks %q", name, want)
				}
			}
		}
	}
	// Nothing came back but failures.
	none := sweepOf(1, 2)
	none.Figure.Best, none.Figure.Curves, none.Best = -1, nil, nil
	none.Figure.Points[1].Accuracies = nil
	text := words(render(t, func(b *bytes.Buffer) error { return none.HTML(b, lang.English) }).root, nil)
	if !strings.Contains(text, "No run has completed an epoch.") {
		t.Error(text)
	}
}

// isRunLink reports whether a link leads from the page of a sweep to a file of a run.
func isRunLink(n *html.Node) bool {
	return n.Data == "a" && strings.HasPrefix(attribute(n, "href"), "runs/")
}
