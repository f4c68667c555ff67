package sweep

import (
	"slices"
	"strconv"
	"strings"

	"trainer/train"
	"trainer/train/config"
	"trainer/train/figure"
	"trainer/train/lang"
	"trainer/train/terminal"
)

var (
	titleText = lang.Text{En: "%s: sweep of %d runs", Zh: "%s：%d 次训练的参数扫描"}
	seedsText = lang.Text{En: "%d seeds", Zh: "%d 个种子"}
	onText    = lang.Text{En: "chosen on the %s set", Zh: "按%s集选出"}
	bestText  = lang.Text{En: "best: %s", Zh: "最好：%s"}
)

// Title names the sweep: its data set and how many runs it has.
func (t *Table) Title(l lang.Language) string {
	name := terminal.Line(t.Dataset)
	if own := t.Plan.Combinations[0].Config.Name; own != config.Default().Name && !strings.EqualFold(own, name) {
		name = own + " · " + name
	}
	return titleText.Format(l, name, len(t.Plan.Combinations))
}

// Set names the set on which the best is chosen.
func (t *Table) Set() lang.Text {
	if t.Chosen == "validation set" {
		return figure.ValidationSet
	}
	return figure.TestOnlySet
}

// note says what else is to be known.
func (t *Table) note(l lang.Language) string {
	var parts []string
	if t.Seeds > 1 {
		parts = append(parts, seedsText.Format(l, t.Seeds))
	}
	if t.Best != nil {
		var best []string
		for _, s := range t.Combinations[t.Best.Combination].Over {
			best = append(best, figure.ShortKey(s.Key)+" "+Label(s.Value))
		}
		if len(best) > 0 {
			parts = append(parts, bestText.Format(l, strings.Join(best, ", ")))
		}
		parts = append(parts, onText.Format(l, t.Set()))
	}
	return strings.Join(parts, " · ")
}

// Label returns a value as figures show it: [784, 50, 10] as 784-50-10.
func Label(value string) string {
	if inner, ok := strings.CutPrefix(value, "["); ok && strings.HasSuffix(inner, "]") && !strings.ContainsAny(inner, `"'[`) {
		return strings.ReplaceAll(strings.TrimSuffix(inner, "]"), ", ", "-")
	}
	return strings.Trim(value, `"`)
}

// Numbers returns the values as numbers, nil if one is none.
func Numbers(values []string) (numbers []float64) {
	for _, v := range values {
		f, err := strconv.ParseFloat(v, 64)
		if err != nil {
			return nil
		}
		numbers = append(numbers, f)
	}
	return numbers
}

// Figure returns the figure of the sweep. It is an error if no run has a whole epoch.
func (t *Table) Figure(l lang.Language) (*figure.Figure, error) { return t.drawing(l).Figure() }

// drawing returns what the figure shows.
func (t *Table) drawing(l lang.Language) figure.Sweep {
	f := figure.Sweep{Title: t.Title(l), Note: t.note(l), Language: l, Set: t.Set(), Best: -1}
	for _, o := range t.Over {
		k := figure.SweptKey{Name: o.Key, Numbers: Numbers(o.Values)}
		for _, v := range o.Values {
			k.Labels = append(k.Labels, Label(v))
		}
		f.Keys = append(f.Keys, k)
	}
	for _, c := range t.Combinations {
		var p figure.SweptPoint
		for i, s := range c.Over {
			p.Values = append(p.Values, slices.Index(t.Over[i].Values, s.Value))
		}
		f.Points = append(f.Points, p)
	}
	for i, o := range t.Runs {
		r := figure.SweptRun{Point: (o.Run - 1) / max(1, t.Seeds)}
		for _, m := range t.Curves[i] {
			r.Accuracy = append(r.Accuracy, judged(m))
		}
		f.Curves = append(f.Curves, r)
		if o.Best != nil {
			p := &f.Points[r.Point]
			p.Accuracies = append(p.Accuracies, judged(*o.Best))
		}
	}
	if t.Best != nil {
		f.Best = t.Best.Combination
	}
	return f
}

func judged(m train.Metrics) float64 {
	a, _ := m.Judged()
	return a
}
