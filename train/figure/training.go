package figure

import (
	"errors"
	"fmt"
	"image/color"
	"math"
	"slices"
	"strconv"

	"trainer/data/lang"
)

// Training is what the figure of a training shows: the accuracy and the cost of each
// run over the epochs, side by side. The curves of the best run are strong and have a
// label; the others are thin.
type Training struct {
	Title    string // above the figure, cut to its width
	Language lang.Language
	Runs     []Run
	Best     int // the index of the best run
	Classes  int // of the data set: a line shows the accuracy of guessing; 0: none does
}

// Run is the data of a run.
type Run struct {
	Accuracy Curves // from 0 to 1
	Cost     Curves

	// Best is the epoch whose parameters are the best, counted from 1. It was chosen on
	// the validation set, if there is one, else on the test set. 0: no epoch is marked.
	Best int
}

// Curves are values on each set. Element i is that after epoch i+1. They may have
// different lengths; an empty one is not drawn, nor are values that are not finite.
type Curves struct {
	Train, Validation, Test []float64
}

// sets returns the curves with what tells them apart.
func (c Curves) sets() []curve {
	return []curve{
		{lang.Text{En: "training", Zh: "训练"}, c.Train, red, []float64{5, 2.5}},
		{lang.Text{En: "validation", Zh: "验证"}, c.Validation, orange, []float64{6, 2, 1.5, 2}},
		{lang.Text{En: "test", Zh: "测试"}, c.Test, blue, nil},
	}
}

type curve struct {
	name   lang.Text
	values []float64
	color  color.NRGBA
	dash   []float64
}

// The messages of the figure. The names of the axes, and those of the curves in Chinese,
// are the textbook's.
var (
	epochsText   = lang.Text{En: "epoch", Zh: "迭代轮数"}
	accuracyText = lang.Text{En: "accuracy", Zh: "准确率"}
	costText     = lang.Text{En: "cost", Zh: "代价"}
	logCostText  = lang.Text{En: "cost (logarithmic)", Zh: "代价（对数坐标）"}
	chanceText   = lang.Text{En: "guessing %.4g", Zh: "随机猜测 %.4g"}

	accuracyEnding = lang.Text{En: "%s %s", Zh: "%s准确率 %s"}
	costEnding     = lang.Text{En: "%s %s", Zh: "%s代价 %s"}
	bestText       = lang.Text{En: "○ best epoch: %d (%.4f), chosen on the %s set", Zh: "○ 最佳：第%d次迭代（%.4f），按%s集选出"}
	runText        = lang.Text{En: "%d runs; strong: run %d, the best", Zh: "共%d次独立训练；粗线：编号%d，最佳"}
	someRunsText   = lang.Text{En: "%d runs, of which %d are drawn; strong: run %d, the best", Zh: "共%d次独立训练，画出其中%d次；粗线：编号%d，最佳"}
)

// fewEpochs is the largest number of epochs for which each epoch has a dot.
const fewEpochs = 20

// mostThin is the largest number of runs that are drawn thin. More are left out, and
// a note says so.
const mostThin = 100

// The size of the figure of a training, in points.
const (
	trainingWidth = 12 * 72
	panelHeight   = 216
)

// Figure returns the figure. It is an error if the best run has no finite accuracy.
func (t Training) Figure() (*Figure, error) {
	if t.Best < 0 || t.Best >= len(t.Runs) {
		return nil, fmt.Errorf("figure: run %d of %d", t.Best, len(t.Runs))
	}
	best := t.Runs[t.Best]
	if len(values([]Run{best}, Run.accuracy)) == 0 {
		return nil, errors.New("figure: no accuracy to draw: train for at least one epoch")
	}
	notes := []string{t.runsNote(), t.bestNote()}
	drawn := t.drawn()
	top := heading(t.Title, notes...)
	return &Figure{
		width: trainingWidth, height: math.Ceil(top + panelHeight + below + margin),
		label: described(append([]string{t.Title}, notes...)...),
		draw: func(c canvas) {
			head(c, trainingWidth, t.Title, notes...)
			const gap = 24.0
			width := (trainingWidth - 2*margin - gap) / 2
			t.accuracy(c, drawn, margin, top, width)
			t.cost(c, drawn, margin+width+gap, top, width)
		},
	}, nil
}

func (r Run) accuracy() Curves { return r.Accuracy }
func (r Run) cost() Curves     { return r.Cost }

// drawn returns the runs that are drawn, the best one last.
func (t Training) drawn() []Run {
	var runs []Run
	for i, r := range t.Runs {
		if i != t.Best && len(runs) < mostThin {
			runs = append(runs, r)
		}
	}
	return append(runs, t.Runs[t.Best])
}

// runsNote says how many runs there are, if they are several.
func (t Training) runsNote() string {
	switch n := len(t.Runs); {
	case n == 1:
		return ""
	case n > mostThin+1:
		return someRunsText.Format(t.Language, n, mostThin+1, t.Best)
	default:
		return runText.Format(t.Language, n, t.Best)
	}
}

// judge returns the curve of a run on which its best epoch was chosen, and that epoch's
// accuracy, if the epoch is there.
func (r Run) judge() (chosen curve, accuracy float64, ok bool) {
	sets := r.Accuracy.sets()
	chosen = sets[2]
	if len(r.Accuracy.Validation) > 0 {
		chosen = sets[1]
	}
	if r.Best < 1 || r.Best > len(chosen.values) || !finite(chosen.values[r.Best-1]) {
		return chosen, 0, false
	}
	return chosen, chosen.values[r.Best-1], true
}

// bestNote says which epoch of the best run is the best.
func (t Training) bestNote() string {
	r := t.Runs[t.Best]
	chosen, accuracy, ok := r.judge()
	if !ok {
		return ""
	}
	return bestText.Format(t.Language, r.Best, accuracy, chosen.name)
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// values returns the finite values of all sets of some runs.
func values(runs []Run, of func(Run) Curves) (all []float64) {
	for _, r := range runs {
		for _, s := range of(r).sets() {
			for _, v := range s.values {
				if finite(v) {
					all = append(all, v)
				}
			}
		}
	}
	return all
}

// accuracy draws the panel of the accuracies.
func (t Training) accuracy(c canvas, runs []Run, x, y, width float64) {
	up := accuracyScale(values(runs, Run.accuracy))
	f := frame{x: x, y: y, width: width, up: up, ticks: accuracyTicks(up), name: accuracyText}
	if chance := 1 / float64(t.Classes); t.Classes > 1 && chance > up.lo && chance < up.hi {
		f.level, f.levelName = chance, chanceText.Format(t.Language, chance)
	}
	p := t.panel(c, runs, Run.accuracy, accuracyEnding, f)
	if best := runs[len(runs)-1]; best.Best > 0 {
		if _, accuracy, ok := best.judge(); ok {
			c.ring(p.place(best.Best, accuracy), 5, stroke{color: textColor, width: 1})
		}
	}
}

// cost draws the panel of the costs.
func (t Training) cost(c canvas, runs []Run, x, y, width float64) {
	all := values(runs, Run.cost)
	if len(all) == 0 {
		return
	}
	up := costScale(all)
	name := costText
	if up.log {
		name = logCostText
	}
	t.panel(c, runs, Run.cost, costEnding, frame{x: x, y: y, width: width, up: up, ticks: costTicks(up), name: name})
}

// frame is where a panel is, and its vertical axis.
type frame struct {
	x, y, width float64
	up          scale
	ticks       []tick
	name        lang.Text

	level     float64 // has a line
	levelName string  // "": there is none
}

// fourDigits formats a result with four decimals, or four digits if it is small.
func fourDigits(v float64) string {
	if math.Abs(v) >= 0.001 || v == 0 {
		return strconv.FormatFloat(v, 'f', 4, 64)
	}
	return minus(strconv.FormatFloat(v, 'g', 4, 64))
}

// panel draws the curves of all runs, the last one strong.
func (t Training) panel(c canvas, runs []Run, of func(Run) Curves, format lang.Text, f frame) panel {
	epochs := 1
	for _, r := range runs {
		for _, s := range of(r).sets() {
			epochs = max(epochs, len(s.values))
		}
	}
	strong := of(runs[len(runs)-1]).sets()
	labels := make([]string, len(strong))
	right := measure(f.levelName, textSize)
	for i, s := range strong {
		if last := lastFinite(s.values); last >= 0 {
			labels[i] = format.Format(t.Language, s.name, fourDigits(s.values[last]))
			right = max(right, measure(labels[i], textSize))
		}
	}
	left := leftOf(f.ticks)
	p := panel{x: f.x + left, y: f.y, h: panelHeight, across: epochScale(epochs), up: f.up}
	p.w = f.width - left - leader - right
	widest := measure(fmt.Sprint(epochs), textSize) + 8
	p.axes(c, epochTicks(epochs, max(2, min(10, int(p.w/widest)-1))), f.ticks, left, epochsText.In(t.Language), f.name.In(t.Language))

	for _, r := range runs[:len(runs)-1] {
		for _, s := range of(r).sets() {
			if path := thin(p.path(s.values), 2); len(path) == 1 {
				c.dot(path[0], 1.5, pale(s.color))
			} else if len(path) > 1 {
				c.line(path, stroke{color: pale(s.color), width: 0.7, dash: s.dash})
			}
		}
	}
	var ends []ending
	if f.levelName != "" {
		dotted := []float64{1, 3}
		at := p.place(1, f.level).y
		c.line([]point{{p.x, at}, {p.x + p.w, at}}, stroke{color: noteColor, width: 1, dash: dotted})
		ends = append(ends, ending{from: point{p.x + p.w, at}, color: noteColor, dash: dotted, text: f.levelName})
	}
	for i, s := range strong {
		all := p.path(s.values)
		if len(all) == 0 {
			continue
		}
		if path := thin(all, 0.5); len(path) > 1 {
			width := 1.8
			if len(path) > 300 {
				width = 1
			}
			c.line(path, stroke{color: s.color, width: width, dash: s.dash})
		}
		if epochs <= fewEpochs {
			for _, at := range all {
				c.dot(at, 2.6, s.color)
			}
		}
		ends = append(ends, ending{from: all[len(all)-1], color: s.color, dash: s.dash, text: labels[i]})
	}
	p.endings(c, ends)
	return p
}

// lastFinite returns the index of the last finite value, -1 if there is none.
func lastFinite(values []float64) int {
	for i, v := range slices.Backward(values) {
		if finite(v) {
			return i
		}
	}
	return -1
}

// pale returns a lighter colour.
func pale(c color.NRGBA) color.NRGBA {
	mix := func(v uint8) uint8 { return uint8((2*int(v) + 3*0xff) / 5) }
	return color.NRGBA{R: mix(c.R), G: mix(c.G), B: mix(c.B), A: 0xff}
}
