package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"trainer/train/figure"
	"trainer/train/lang"
)

// Sweep is what the page of a sweep shows.
type Sweep struct {
	Figure  figure.Sweep // its curves and results, without the best run's epoch
	Name    string       // of the configuration
	Dataset string
	Seeds   int
	Chosen  lang.Text // on which set the best is chosen: "validation"
	Failed  int       // runs with a value that is not finite
	Missing []string  // the runs that have not ended
	Total   int       // all runs
	Runs    []SweepRun
	Order   []int // the points, the best first
	Test    []float64
	Best    *SweepRun // the best run
	Plan    string    // sweep.yaml
}

// SweepRun is a run on the page.
type SweepRun struct {
	Number   int
	Folder   string
	Link     string // to something of the run, from the folder of the page; "": none
	Values   []string
	Seed     uint64
	Note     string  // why it has no result, or that it stopped early
	Epoch    int     // the best; 0: none
	Accuracy float64 // then, on the set on which the best is chosen
	Test     float64 // accuracy on the test set
	Seconds  float64
}

// HTML writes the page of a sweep.
func (s *Sweep) HTML(w io.Writer, l lang.Language) error {
	return execute(w, l, "sweep", &sweepView{view: view{Data: &Data{}, L: l}, S: s})
}

// sweepView is a sweep in a language.
type sweepView struct {
	view
	S *Sweep
}

// The bounds of the page of a sweep.
const (
	mostSweepCurves = 300
	mostSweepRows   = 400
	mostSweepPlan   = 20_000 // characters
)

// Title is that of the page.
func (v *sweepView) Title() string { return v.S.Figure.Title }

// Accuracy names the accuracy that decides.
func (v *sweepView) Accuracy() string {
	return v.say(lang.Text{En: "%s accuracy", Zh: "%s准确率"}, v.S.Chosen)
}

// Keys returns the swept keys.
func (v *sweepView) Keys() (names []string) {
	for _, k := range v.S.Figure.Keys {
		names = append(names, k.Name)
	}
	return names
}

// mean returns the mean and the standard deviation of a point; NaN without a result.
func (v *sweepView) mean(point int) (mean, sd float64) {
	return v.S.Figure.Points[point].Mean()
}

// Headline returns the best mean accuracy; NaN if there is none.
func (v *sweepView) Headline() float64 {
	if v.S.Figure.Best < 0 {
		return math.NaN()
	}
	m, _ := v.mean(v.S.Figure.Best)
	return m
}

// What says what the headline is.
func (v *sweepView) What() string {
	if v.S.Seeds > 1 {
		return v.say(lang.Text{En: "%s accuracy of the best combination, mean of %d seeds", Zh: "最好组合的%s准确率（%d 个种子的平均）"}, v.S.Chosen, v.S.Seeds)
	}
	return v.say(lang.Text{En: "%s accuracy of the best run", Zh: "最好的一次训练的%s准确率"}, v.S.Chosen)
}

// Facts are what is known of the sweep as a whole.
func (v *sweepView) Facts() []fact {
	s := v.S
	var facts []fact
	if best := s.Figure.Best; best >= 0 {
		for k, value := range s.Figure.Points[best].Values {
			facts = append(facts, fact{Name: s.Figure.Keys[k].Name, Value: cut(60, s.Figure.Keys[k].Labels[value])})
		}
		if _, sd := v.mean(best); s.Seeds > 1 && finite(sd) {
			facts = append(facts, fact{Name: v.say(lang.Text{En: "standard deviation", Zh: "标准差"}), Value: figureOf(sd)})
		}
		if s.Chosen != figure.TestOnlySet && best < len(s.Test) {
			facts = append(facts, fact{Name: v.say(lang.Text{En: "test accuracy", Zh: "测试准确率"}), Value: figureOf(s.Test[best])})
		}
	}
	runs := count(len(s.Runs))
	if len(s.Missing) > 0 {
		runs = v.say(lang.Text{En: "%s of %s", Zh: "%[2]s 次中的 %[1]s 次"}, count(len(s.Runs)), count(s.Total))
	}
	facts = append(facts,
		fact{Name: v.say(lang.Text{En: "runs", Zh: "训练次数"}), Value: runs},
		fact{Name: v.say(lang.Text{En: "data set", Zh: "数据集"}), Value: cut(80, s.Dataset)},
		fact{Name: v.say(lang.Text{En: "chosen on", Zh: "选择依据"}), Value: v.say(lang.Text{En: "the %s set", Zh: "%s集"}, s.Chosen)})
	if s.Failed > 0 {
		facts = append(facts, fact{Name: v.say(lang.Text{En: "failed", Zh: "失败"}), Value: count(s.Failed)})
	}
	return facts
}

// Warnings says what lacks.
func (v *sweepView) Warnings() (list []string) {
	if n := len(v.S.Missing); n > 0 {
		list = append(list, v.say(lang.Text{En: "%d of %d runs are missing: %s", Zh: "共 %[2]d 次训练，缺 %[1]d 次：%[3]s"}, n, v.S.Total, cut(500, strings.Join(v.S.Missing, ", "))))
	}
	if v.S.Chosen == figure.TestOnlySet && v.S.Figure.Best >= 0 {
		list = append(list, v.say(lang.Text{
			En: "There is no validation set, so the best is chosen on the test set: its accuracy is a little too good. data.validation sets images apart.",
			Zh: "没有验证集，因此按测试集选出最好的：其准确率略微偏高。data.validation 可以留出验证图像。",
		}))
	}
	return list
}

// Curves returns the chart of all runs.
func (v *sweepView) Curves() *chart {
	f := v.S.Figure
	longest := 0
	for _, r := range f.Curves {
		longest = max(longest, len(r.Accuracy))
	}
	var epochs []float64
	shown := thinned(longest, mostPoints/2)
	for _, i := range shown {
		epochs = append(epochs, float64(i+1))
	}
	strong := f.Strongest()
	var thinLines, lines []line
	for i, r := range f.Curves {
		g := f.Group(r)
		l := line{class: thin}
		if strong[g] == i {
			l.class = colour(g)
			l.name = v.say(lang.Text{En: "the best", Zh: "最好的"})
			if len(f.Keys) > 0 {
				l.name = figure.ShortKey(f.Keys[0].Name) + " " + cut(30, f.Keys[0].Labels[g])
			}
		}
		for _, e := range shown {
			value := math.NaN()
			if e < len(r.Accuracy) {
				value = r.Accuracy[e]
			}
			l.values = append(l.values, value)
		}
		if l.class == thin {
			thinLines = append(thinLines, l)
		} else {
			lines = append(lines, l)
		}
	}
	thinLines = thinLines[:min(len(thinLines), mostSweepCurves)]
	c := newChart("sweep", v.Accuracy(), 320, epochs, append(thinLines, lines...), false, 0)
	if c == nil {
		return nil
	}
	for i := range c.Series {
		if c.Series[i].Class != thin {
			c.Named = append(c.Named, c.Series[i])
		}
	}
	if len(c.Named) > mostColours {
		c.Named = nil
	}
	return c
}

// keyChart is the results against a key.
type keyChart struct {
	Name   string
	Height int
	X, Y   []tick
	D      string // the line of the means, in a square of 1000×1000
	Bars   []errorBar
	Dots   []mark
	Small  []mark
	Best   []mark
}

// errorBar is a mean with its spread.
type errorBar struct{ X, Low, High string }

// Against returns a chart for each key, if there are not two of them in a grid.
func (v *sweepView) Against() (charts []keyChart) {
	f := v.S.Figure
	if v.Heat() != nil {
		return nil
	}
	for k := range f.Keys {
		if c := v.against(k); c != nil && len(charts) < 8 {
			charts = append(charts, *c)
		}
	}
	return charts
}

func (v *sweepView) against(k int) *keyChart {
	f := v.S.Figure
	low, top := math.Inf(1), math.Inf(-1)
	for _, p := range f.Points {
		for _, a := range p.Accuracies {
			low, top = min(low, a), max(top, a)
		}
	}
	if low > top {
		return nil
	}
	y := &chart{Height: 260}
	y.scaleY(low, top, false)
	c := &keyChart{Name: f.Keys[k].Name, Height: y.Height, Y: y.Y}
	places, ticks, log := f.Keys[k].Places(560)
	if log {
		c.Name = v.say(lang.Text{En: "%s (logarithmic)", Zh: "%s（对数坐标）"}, c.Name)
	}
	for _, t := range ticks {
		c.X = append(c.X, tick{percent(t.At), t.Label})
	}
	at := func(value int, a float64) mark {
		return mark{percent(places[value]), pixels(y.y(a) * float64(y.Height))}
	}
	order := make([]int, 0, len(f.Points))
	for i, p := range f.Points {
		if len(p.Accuracies) > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		if d := places[f.Points[a].Values[k]] - places[f.Points[b].Values[k]]; d != 0 {
			return int(math.Copysign(1, d))
		}
		return 0
	})
	single := len(f.Keys) == 1
	for _, i := range order {
		p := f.Points[i]
		mean, sd := p.Mean()
		value := p.Values[k]
		c.Dots = append(c.Dots, at(value, mean))
		if i == f.Best {
			c.Best = append(c.Best, at(value, mean))
		}
		if !single {
			continue
		}
		letter := "L"
		if c.D == "" {
			letter = "M"
		}
		if f.Keys[k].Numbers != nil {
			c.D += fmt.Sprintf("%s%.1f %.1f", letter, 1000*places[value], 1000*y.y(mean))
		}
		if sd > 0 {
			c.Bars = append(c.Bars, errorBar{percent(places[value]), at(value, mean-sd).Y, at(value, mean+sd).Y})
			for _, a := range p.Accuracies {
				c.Small = append(c.Small, at(value, a))
			}
		}
	}
	return c
}

// heatMap is the means over a grid of two keys.
type heatMap struct {
	Row, Column string // the keys
	Columns     []heatLabel
	Rows        []heatLabel
	Cells       []heatCell
	W, H, Left  int
	CellW       float64
}

type heatLabel struct {
	At   string
	Text string
}

type heatCell struct {
	X, Y, TX, TY, Opacity string
	Text, Title           string
	On, Best              bool
}

// Heat returns the heat map of a grid of two keys, else nil.
func (v *sweepView) Heat() *heatMap {
	f := v.S.Figure
	if len(f.Keys) != 2 || !f.IsGrid() {
		return nil
	}
	rows, columns := f.Keys[0], f.Keys[1]
	const h, left = 36, 150
	w := max(44, 700/len(columns.Labels))
	m := &heatMap{Row: rows.Name, Column: columns.Name, Left: left, W: left + w*len(columns.Labels) + 4, H: 30 + h*len(rows.Labels) + 4, CellW: float64(w)}
	short := func(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }
	for i, l := range rows.Labels {
		m.Rows = append(m.Rows, heatLabel{short(30 + h*(float64(i)+0.5)), cut(20, l)})
	}
	step := max(1, 60/w)
	for i, l := range columns.Labels {
		if i%step == 0 {
			m.Columns = append(m.Columns, heatLabel{short(left + float64(w)*(float64(i)+0.5)), cut(max(6, w/8), l)})
		}
	}
	low, top := math.Inf(1), math.Inf(-1)
	for i := range f.Points {
		if mean, _ := v.mean(i); finite(mean) {
			low, top = min(low, mean), max(top, mean)
		}
	}
	for i, p := range f.Points {
		x, y := left+float64(w*p.Values[1]), 30+float64(h*p.Values[0])
		c := heatCell{X: short(x), Y: short(y), TX: short(x + float64(w)/2), TY: short(y + h/2), Opacity: "0", Text: "–", Best: i == f.Best}
		mean, sd := v.mean(i)
		c.Title = fmt.Sprintf("%s=%s %s=%s", rows.Name, rows.Labels[p.Values[0]], columns.Name, columns.Labels[p.Values[1]])
		if finite(mean) {
			share := 1.0
			if top > low {
				share = (mean - low) / (top - low)
			}
			opacity := 0.06 + 0.9*share
			c.Opacity, c.On, c.Text = strconv.FormatFloat(opacity, 'f', 3, 64), opacity > 0.55, figureOf(mean)
			c.Title += ": " + figureOf(mean)
			if sd > 0 {
				c.Title += " ± " + figureOf(sd)
			}
		}
		m.Cells = append(m.Cells, c)
	}
	return m
}

// combinationRow is a combination in the table.
type combinationRow struct {
	Values                            []string
	Mean, SD, Least, Most, Test, Runs string
	Top                               bool
}

// Combinations returns the combinations, the best first.
func (v *sweepView) Combinations() (rows []combinationRow) {
	f := v.S.Figure
	for _, i := range v.S.Order[:min(len(v.S.Order), mostSweepRows)] {
		p := f.Points[i]
		r := combinationRow{Mean: "–", SD: "–", Least: "–", Most: "–", Test: "–", Runs: count(len(p.Accuracies)), Top: i == f.Best}
		for k, value := range p.Values {
			r.Values = append(r.Values, cut(60, f.Keys[k].Labels[value]))
		}
		if len(p.Accuracies) > 0 {
			mean, sd := p.Mean()
			r.Mean, r.Least, r.Most = figureOf(mean), figureOf(slices.Min(p.Accuracies)), figureOf(slices.Max(p.Accuracies))
			if len(p.Accuracies) > 1 {
				r.SD = figureOf(sd)
			}
			if i < len(v.S.Test) {
				r.Test = figureOf(v.S.Test[i])
			}
		}
		rows = append(rows, r)
	}
	return rows
}

// MoreCombinations says how many are left out of the table.
func (v *sweepView) MoreCombinations() int { return max(0, len(v.S.Order)-mostSweepRows) }

// sweepRow is a run in the table.
type sweepRow struct {
	SweepRun
	Top                   bool
	Best, Tested, Seconds string
}

// Runs returns the runs, in their order.
func (v *sweepView) Runs() (rows []sweepRow) {
	for _, r := range v.S.Runs[:min(len(v.S.Runs), mostSweepRows)] {
		row := sweepRow{SweepRun: r, Best: "–", Tested: "–", Seconds: duration(r.Seconds), Top: v.S.Best != nil && r.Number == v.S.Best.Number}
		row.Note = cut(200, r.Note)
		if r.Epoch > 0 {
			row.Best, row.Tested = figureOf(r.Accuracy), figureOf(r.Test)
		}
		rows = append(rows, row)
	}
	return rows
}

// MoreRuns says how many are left out of the table.
func (v *sweepView) MoreRuns() int { return max(0, len(v.S.Runs)-mostSweepRows) }

// Validated reports whether the best is chosen on a validation set.
func (v *sweepView) Validated() bool { return v.S.Chosen != figure.TestOnlySet }

// Plan returns the text of sweep.yaml, cut.
func (v *sweepView) Plan() string { return cut(mostSweepPlan, v.S.Plan) }
