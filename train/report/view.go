package report

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"trainer/graph/model"
	"trainer/train"
	"trainer/train/lang"
)

// view is a report in a language, with what the template asks for.
type view struct {
	*Data
	L lang.Language
}

// count formats a whole number with commas: 60,000.
func count(n int) string {
	s := strconv.Itoa(n)
	for at := len(s) - 3; at > 0 && s[at-1] != '-'; at -= 3 {
		s = s[:at] + "," + s[at:]
	}
	return s
}

// short formats a number for reading. A zero has no sign.
func short(v float64) string { return minus(strconv.FormatFloat(v+0, 'g', 5, 64)) }

// small formats a difference.
func small(v float64) string { return minus(strconv.FormatFloat(v+0, 'g', 2, 64)) }

// minus writes the sign as the formulas do.
func minus(s string) string { return strings.ReplaceAll(s, "-", "−") }

// cut shortens text of a file to a number of characters.
func cut(most int, s string) string {
	s = strings.ToValidUTF8(s[:min(len(s), (most+1)*utf8.UTFMax)], "\uFFFD")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}

// say formats a message of Go code.
func (v *view) say(t lang.Text, args ...any) string { return t.Format(v.L, args...) }

// Lang is the language of the page, as HTML names it.
func (v *view) Lang() string {
	if v.L == lang.Chinese {
		return "zh-Hans"
	}
	return "en"
}

// Sections returns the sections, for the menu.
func (v *view) Sections() []Section { return Sections() }

// Why says why a section lacks something, or "".
func (v *view) Why(s Section) string {
	err := v.Missing[s]
	if err == nil {
		return ""
	}
	return cut(500, err.Error())
}

// Net is the network.
func (v *view) Net() model.Network { return v.Config.Network() }

// Layers returns "784-50-10".
func (v *view) Layers() string {
	sizes := make([]string, len(v.Net().Layers))
	for i, n := range v.Net().Layers {
		sizes[i] = strconv.Itoa(n)
	}
	return cut(60, strings.Join(sizes, "-"))
}

// Title is that of the page: what was trained, on what.
func (v *view) Title() string {
	if v.Dataset == "" {
		return v.Layers()
	}
	return v.say(lang.Text{En: "%s on %s", Zh: "%[2]s 上的 %[1]s 网络"}, v.Layers(), cut(80, v.Dataset))
}

// Headline is the test accuracy of the model; NaN if it is not known.
func (v *view) Headline() float64 {
	if v.Test != nil {
		return v.Test.Accuracy
	}
	if best := v.Best(); best >= 0 {
		return v.Epochs[best].TestAccuracy
	}
	return math.NaN()
}

// Known reports whether a number is one.
func (v *view) Known(x float64) bool { return finite(x) }

// Percent formats a share.
func (v *view) Percent(x float64) string {
	if !finite(x) {
		return "–"
	}
	return strconv.FormatFloat(100*x, 'f', 2, 64) + " %"
}

// fact is a line of the result.
type fact struct{ Name, Value, Note string }

// Facts are the numbers beside the headline.
func (v *view) Facts() []fact {
	var list []fact
	add := func(value, note string, name lang.Text) { list = append(list, fact{v.say(name), value, note}) }
	if best := v.Best(); best >= 0 {
		e, last := v.Epochs[best], v.Epochs[len(v.Epochs)-1]
		chosen := lang.Text{En: "chosen on the test set", Zh: "在测试集上选出"}
		if v.Validated() {
			chosen = lang.Text{En: "chosen on the validation set", Zh: "在验证集上选出"}
		}
		add(v.say(lang.Text{En: "%d of %d", Zh: "第 %d 轮（共 %d 轮）"}, e.Number, last.Number), v.say(chosen), lang.Text{En: "Best epoch", Zh: "最佳迭代"})
		add(figureOf(e.TrainAccuracy), "", lang.Text{En: "Training accuracy", Zh: "训练准确率"})
		if finite(e.ValidationAccuracy) {
			add(figureOf(e.ValidationAccuracy), "", lang.Text{En: "Validation accuracy", Zh: "验证准确率"})
		}
		add(figureOf(e.TestCost), v.say(lang.Text{En: "training: %s", Zh: "训练集：%s"}, figureOf(e.TrainCost)), lang.Text{En: "Test cost", Zh: "测试代价"})
		if last.Number != e.Number {
			add(figureOf(last.TestAccuracy), v.say(lang.Text{En: "after epoch %d", Zh: "第 %d 轮之后"}, last.Number), lang.Text{En: "Test accuracy at the end", Zh: "结束时的测试准确率"})
		}
	}
	add(count(v.Net().Size()), "", lang.Text{En: "Parameters", Zh: "参数个数"})
	if s := v.Speed(); s.TrainSeconds > 0 {
		note := ""
		if s.Step > 0 {
			note = v.say(lang.Text{En: "%s a step", Zh: "每步 %s"}, s.StepText())
		}
		add(duration(s.TrainSeconds), note, lang.Text{En: "Training time", Zh: "训练用时"})
	}
	return list
}

// Warnings are what a reader should know about the result.
func (v *view) Warnings() []string {
	var list []string
	best := v.Best()
	switch {
	case best < 0 && v.Model.Samples > 0:
		list = append(list, v.say(lang.Text{
			En: "The run was interrupted in its first epoch, after %s samples. What follows is of the parameters at that moment.",
			Zh: "训练在第一轮中断，当时已训练 %s 个样本。以下内容来自当时的参数。",
		}, count(v.Model.Samples)))
	case best < 0:
		list = append(list, v.say(lang.Text{
			En: "The run has completed no epoch. What follows is of its first parameters.",
			Zh: "训练没有完成任何一轮。以下内容来自初始参数。",
		}))
	case v.Test != nil && v.Model.Epoch == v.Epochs[best].Number && math.Abs(v.Test.Accuracy-v.Epochs[best].TestAccuracy) > 0.002:
		list = append(list, v.say(lang.Text{
			En: "The run has noted the test accuracy %s, and the model has %s on the test set that was found now: the data or the files have changed.",
			Zh: "训练时记录的测试准确率为 %s，而模型在现有测试集上的准确率为 %s：数据或文件已改变。",
		}, figureOf(v.Epochs[best].TestAccuracy), figureOf(v.Test.Accuracy)))
	}
	if v.Advice != "" {
		return append(list, v.say(lang.Text{En: "the run %s", Zh: "本次训练 %s"}, cut(600, v.Advice)))
	}
	for _, text := range warningsIn(v.Log) {
		list = append(list, cut(600, text))
	}
	return list
}

// speed is what a run took.
type speed struct {
	TrainSeconds, EvalSeconds float64
	Epochs                    int
	Samples                   int     // of the training set; 0: not known
	Step                      float64 // seconds
}

// Speed returns what the run took. The runs of several train together: then it is
// that of all.
func (v *view) Speed() speed {
	var s speed
	for _, e := range v.Epochs {
		if finite(e.TrainSeconds) && finite(e.EvalSeconds) {
			s.TrainSeconds += e.TrainSeconds
			s.EvalSeconds += e.EvalSeconds
			s.Epochs++
		}
	}
	for _, set := range v.Sets {
		if set.Part == Training {
			s.Samples = set.Images
		}
	}
	batch := v.Config.Train.Batch
	if s.Samples > 0 && batch > 0 && s.Epochs > 0 {
		s.Step = s.TrainSeconds / float64(s.Epochs*((s.Samples+batch-1)/batch)*max(1, len(v.Runs)))
	}
	return s
}

// StepText is the time of a step.
func (s speed) StepText() string { return duration(s.Step) }

// PerEpoch is the time of training for an epoch.
func (s speed) PerEpoch() string { return duration(s.TrainSeconds / float64(max(s.Epochs, 1))) }

// EvalPerEpoch is the time of the evaluations after an epoch.
func (s speed) EvalPerEpoch() string { return duration(s.EvalSeconds / float64(max(s.Epochs, 1))) }

// PerSecond is how many samples were visited in a second.
func (s speed) PerSecond(runs int) string {
	return count(int(float64(s.Samples*s.Epochs*max(1, runs))/s.TrainSeconds + 0.5))
}

// duration formats seconds with three digits.
func duration(seconds float64) string {
	unit, name := 1.0, "s"
	switch {
	case seconds >= 120:
		return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
	case seconds < 1e-3:
		unit, name = 1e-6, "µs"
	case seconds < 1:
		unit, name = 1e-3, "ms"
	}
	v := seconds / unit
	return strconv.FormatFloat(v, 'f', max(0, 2-max(0, int(math.Log10(max(v, 1))))), 64) + " " + name
}

// runRow is a row of the table of several runs.
type runRow struct {
	Run, Seed, Rate, Best, Epoch, Last, Note string
	Top                                      bool
}

// The bounds of what is shown of several runs.
const (
	mostRunRows   = 200
	mostRunCurves = 100
)

// RunRows returns the runs, the best first.
func (v *view) RunRows() []runRow {
	runs := slices.Clone(v.Runs)
	slices.SortStableFunc(runs, func(a, b train.Run) int {
		x, y := judgedBest(a), judgedBest(b)
		switch {
		case x > y || finite(x) && !finite(y):
			return -1
		case x < y || finite(y) && !finite(x):
			return 1
		}
		return 0
	})
	var rows []runRow
	for i, r := range runs[:min(len(runs), mostRunRows)] {
		row := runRow{Run: strconv.Itoa(r.Run), Seed: strconv.FormatUint(r.Seed, 10), Best: "–", Epoch: "–", Last: "–", Top: i == 0}
		if r.Best != nil && r.Last != nil {
			last, _ := r.Last.Judged()
			row.Best, row.Epoch, row.Last = figureOf(judgedBest(r)), strconv.Itoa(r.Best.Epoch), figureOf(last)
		}
		switch {
		case r.Failed != "":
			row.Note = v.say(lang.Text{En: "failed: %s", Zh: "失败：%s"}, cut(200, r.Failed))
		case r.Advice != "":
			row.Note = cut(300, r.Advice)
		case r.StoppedEarly:
			row.Note = v.say(lang.Text{En: "stopped early", Zh: "提前停止"})
		}
		rows = append(rows, row)
	}
	return rows
}

// judgedBest returns the accuracy by which a run is judged; NaN if it has none.
func judgedBest(r train.Run) float64 {
	if r.Best == nil {
		return math.NaN()
	}
	a, _ := r.Best.Judged()
	return a
}

// The bounds of what is shown of the epochs.
const (
	mostPoints = 600 // of a curve
	mostRows   = 200 // of the table
)

// shownEpochs returns the indices of the epochs to show.
func (v *view) shownEpochs(most int) []int { return thinned(len(v.Epochs), most, v.Best()) }

// Charts returns the pictures of the epochs.
func (v *view) Charts() []*chart {
	shown := v.shownEpochs(mostPoints)
	var epochs []float64
	of := func(get func(Epoch) float64) []float64 {
		values := make([]float64, len(shown))
		for k, i := range shown {
			values[k] = get(v.Epochs[i])
		}
		return values
	}
	for _, i := range shown {
		epochs = append(epochs, float64(v.Epochs[i].Number))
	}
	best := 0
	if b := v.Best(); b >= 0 {
		best = v.Epochs[b].Number
	}
	three := func(train, validation, test func(Epoch) float64) []line {
		lines := []line{{v.say(wordTraining), "s1", of(train)}}
		if v.Validated() {
			lines = append(lines, line{v.say(wordValidation), "s2", of(validation)})
		}
		return append(lines, line{v.say(wordTest), "s0", of(test)})
	}
	var list []*chart
	add := func(c *chart) {
		if c != nil {
			list = append(list, c)
		}
	}
	add(newChart("accuracy", v.say(lang.Text{En: "Accuracy", Zh: "准确率"}), 260, epochs, three(
		func(e Epoch) float64 { return e.TrainAccuracy }, func(e Epoch) float64 { return e.ValidationAccuracy }, func(e Epoch) float64 { return e.TestAccuracy }), false, best))
	add(newChart("cost", v.say(lang.Text{En: "Cost", Zh: "代价"}), 200, epochs, three(
		func(e Epoch) float64 { return e.TrainCost }, func(e Epoch) float64 { return e.ValidationCost }, func(e Epoch) float64 { return e.TestCost }), true, best))
	add(newChart("rate", v.say(lang.Text{En: "Learning rate η", Zh: "学习率 η"}), 90, epochs,
		[]line{{"η", "s3", of(func(e Epoch) float64 { return e.Rate })}}, true, 0))
	add(v.runsChart())
	return list
}

// The names of the parts of a data set.
var (
	wordTraining   = lang.Text{En: "training", Zh: "训练"}
	wordValidation = lang.Text{En: "validation", Zh: "验证"}
	wordTest       = lang.Text{En: "test", Zh: "测试"}
)

// runsChart draws the test accuracy of several runs, each a thin line; nil for one.
func (v *view) runsChart() *chart {
	longest := 0
	for _, c := range v.Curves {
		longest = max(longest, len(c.Values))
	}
	if len(v.Curves) < 2 || longest == 0 {
		return nil
	}
	curves := v.Curves[:min(len(v.Curves), mostRunCurves)]
	shown := thinned(longest, max(20, 20000/len(curves)/2))
	var epochs []float64
	for _, i := range shown {
		epochs = append(epochs, float64(i+1))
	}
	var lines []line
	for _, c := range curves {
		l := line{name: strconv.Itoa(c.Run), class: thin}
		for _, i := range shown {
			value := math.NaN()
			if i < len(c.Values) {
				value = c.Values[i]
			}
			l.values = append(l.values, value)
		}
		lines = append(lines, l)
	}
	return newChart("runs", v.say(lang.Text{En: "Test accuracy of all runs", Zh: "各次训练的测试准确率"}), 200, epochs, lines, false, 0)
}

// readings is what the cursor of the curves shows: names, and a row for each point.
type readings struct {
	Names []string   `json:"names"`
	X     []float64  `json:"x"` // from 0 to 1
	Rows  [][]string `json:"rows"`
	Start int        `json:"start"`
	Last  int        `json:"-"` // of the rows
}

// Readings returns what the cursor shows.
func (v *view) Readings() readings {
	shown := v.shownEpochs(mostPoints)
	r := readings{Names: []string{v.say(lang.Text{En: "epoch", Zh: "迭代轮数"}), "η"}}
	validated := v.Validated()
	r.Names = append(r.Names, v.columnNames(validated)...)
	from, to := 0.0, 1.0
	if len(shown) > 0 {
		from, to = float64(v.Epochs[0].Number), float64(v.Epochs[len(v.Epochs)-1].Number)
		if from == to {
			from, to = from-1, to+1
		}
	}
	best := v.Best()
	for k, i := range shown {
		e := v.Epochs[i]
		r.X = append(r.X, math.Round((float64(e.Number)-from)/(to-from)*1e4)/1e4)
		r.Rows = append(r.Rows, v.epochCells(e, validated))
		if i == best {
			r.Start = k
		}
	}
	r.Last = max(0, len(r.Rows)-1)
	return r
}

// columnNames returns the columns after the learning rate.
func (v *view) columnNames(validated bool) []string {
	names := []string{v.say(lang.Text{En: "training accuracy", Zh: "训练准确率"}), v.say(lang.Text{En: "test accuracy", Zh: "测试准确率"}),
		v.say(lang.Text{En: "training cost", Zh: "训练代价"}), v.say(lang.Text{En: "test cost", Zh: "测试代价"})}
	if validated {
		names = slices.Insert(names, 1, v.say(lang.Text{En: "validation accuracy", Zh: "验证准确率"}))
		names = slices.Insert(names, 4, v.say(lang.Text{En: "validation cost", Zh: "验证代价"}))
	}
	return names
}

// epochCells returns the cells of an epoch, in the order of the names.
func (v *view) epochCells(e Epoch, validated bool) []string {
	values := []float64{e.TrainAccuracy, e.TestAccuracy, e.TrainCost, e.TestCost}
	if validated {
		values = []float64{e.TrainAccuracy, e.ValidationAccuracy, e.TestAccuracy, e.TrainCost, e.ValidationCost, e.TestCost}
	}
	cells := []string{strconv.Itoa(e.Number), figureOf(e.Rate)}
	for _, x := range values {
		cells = append(cells, figureOf(x))
	}
	return cells
}

// epochRow is a row of the table of epochs.
type epochRow struct {
	Cells []string
	Best  bool
}

// EpochRows returns the table of epochs, and EpochNames its header.
func (v *view) EpochRows() []epochRow {
	var rows []epochRow
	best := v.Best()
	for _, i := range v.shownEpochs(mostRows) {
		rows = append(rows, epochRow{v.epochCells(v.Epochs[i], v.Validated()), i == best})
	}
	return rows
}

// Commands are what to type to have the run, or a part of this page, again.
func (v *view) Commands() []fact {
	folder := shellWord(v.Folder)
	list := []fact{
		{Value: "trainer -config " + shellWord(v.Folder+"/config.yaml"), Name: v.say(lang.Text{En: "train again", Zh: "重新训练"})},
		{Value: "trainer eval " + folder + " -wrong 25", Name: v.say(lang.Text{En: "confusion and mistakes", Zh: "混淆矩阵与错误"})},
		{Value: "trainer explain " + folder + " -image " + strconv.Itoa(v.SampleIndex) + " -step", Name: v.say(lang.Text{En: "the sample, with a step", Zh: "样本的推导与一步更新"})},
		{Value: "trainer gradcheck " + folder, Name: v.say(lang.Text{En: "the gradient check, of more elements", Zh: "更全面的梯度检查"})},
		{Value: "trainer report " + folder, Name: v.say(lang.Text{En: "this page", Zh: "本页"})},
	}
	return list
}

// shellWord quotes a path for a shell where it needs that.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/+=:@%") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// PartName returns what a set is for.
func (v *view) PartName(p Part) (string, error) {
	switch p {
	case Training:
		return v.say(wordTraining), nil
	case Validation:
		return v.say(wordValidation), nil
	case Test:
		return v.say(wordTest), nil
	}
	return "", fmt.Errorf("BUG: part %d of a data set", p)
}

// FoldClasses reports whether there are so many classes that their tables are folded.
func (v *view) FoldClasses() bool { return len(v.Classes) > 30 }
