package compare

import (
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"strings"

	"trainer/data/lang"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/terminal"
)

// The messages.
var (
	runHead     = lang.Text{En: "run", Zh: "训练"}
	keysHead    = lang.Text{En: "keys that differ", Zh: "不同的配置项"}
	noKeys      = lang.Text{En: "No key differs.", Zh: "配置完全相同。"}
	networkRow  = lang.Text{En: "network", Zh: "网络"}
	epochsRow   = lang.Text{En: "epochs", Zh: "迭代轮数"}
	secondsRow  = lang.Text{En: "seconds of training", Zh: "训练用时（秒）"}
	lastTrain   = lang.Text{En: "last epoch: training accuracy", Zh: "最后一次迭代：训练准确率"}
	lastTest    = lang.Text{En: "last epoch: test accuracy", Zh: "最后一次迭代：测试准确率"}
	lastCost    = lang.Text{En: "last epoch: test cost", Zh: "最后一次迭代：测试代价"}
	bestRow     = lang.Text{En: "best epoch", Zh: "最佳迭代"}
	bestChosen  = lang.Text{En: "best epoch: validation accuracy", Zh: "最佳迭代：验证准确率"}
	bestTest    = lang.Text{En: "best epoch: test accuracy", Zh: "最佳迭代：测试准确率"}
	chosenOn    = lang.Text{En: "A best epoch without a validation accuracy was chosen on the test set, which flatters it.", Zh: "没有验证准确率的最佳迭代是按测试集选出的，结果偏乐观。"}
	answersHead = lang.Text{En: "The answers for %s, %d images, of each model beside those of the first:", Zh: "各模型对%s（%d个图像）的回答，逐个与第一个模型比较："}
	modelRow    = lang.Text{En: "model", Zh: "模型"}
	accuracyRow = lang.Text{En: "accuracy", Zh: "准确率"}
	bothRow     = lang.Text{En: "both right", Zh: "两者都对"}
	firstRow    = lang.Text{En: "only the first right", Zh: "仅第一个对"}
	otherRow    = lang.Text{En: "only this one right", Zh: "仅本模型对"}
	neitherRow  = lang.Text{En: "both wrong", Zh: "两者都错"}
	differRow   = lang.Text{En: "difference of the accuracies", Zh: "准确率之差"}
	intervalRow = lang.Text{En: "its interval of 95 %", Zh: "其95%置信区间"}
	pRow        = lang.Text{En: "p of McNemar's exact test", Zh: "McNemar精确检验的p值"}
	resultRow   = lang.Text{En: "this one is", Zh: "本模型"}
	better      = lang.Text{En: "better", Zh: "更好"}
	worse       = lang.Text{En: "worse", Zh: "更差"}
	unclear     = lang.Text{En: "not clearly another", Zh: "差别不显著"}
	meaning     = lang.Text{En: "p is the probability of such a difference between models that are equally good; below %.2f it counts here.", Zh: "p是两个同样好的模型出现这样差别的概率；这里以小于%.2f为显著。"}
	caution     = lang.Text{En: "It is about these two models, not about other seeds: for those, train several runs of each.", Zh: "它只针对这两个模型，不涉及其他随机种子；要比较不同的种子，请各训练多次。"}
)

// significant is the p below which a model is called better.
const significant = 0.05

// Text writes the report as tables, a column for each run.
func (r Report) Text(w io.Writer, l lang.Language) error {
	var out strings.Builder
	names := make([]string, len(r.Runs))
	for i, run := range r.Runs {
		names[i] = terminal.Line(run.Name)
	}
	head := func(t lang.Text) table { return table{rows: [][]string{append([]string{t.In(l)}, names...)}} }

	if len(r.Differences) == 0 {
		out.WriteString(noKeys.In(l) + "\n")
	} else {
		t := head(keysHead)
		for _, d := range r.Differences {
			t.add(d.Path, cells(d))
		}
		t.write(&out)
	}

	out.WriteByte('\n')
	t := head(runHead)
	each := func(name lang.Text, f func(Result) string) {
		var row []string
		for _, run := range r.Runs {
			row = append(row, f(run))
		}
		t.add(name.In(l), row)
	}
	metric := func(of func(Result) *train.Metrics, f func(train.Metrics) string) func(Result) string {
		return func(r Result) string {
			if m := of(r); m != nil {
				return f(*m)
			}
			return "-"
		}
	}
	last := func(r Result) *train.Metrics { return r.Last }
	best := func(r Result) *train.Metrics { return r.Best }
	each(networkRow, func(r Result) string { return r.Network.In(l) })
	each(epochsRow, func(r Result) string { return strconv.Itoa(r.Epochs) })
	each(secondsRow, func(r Result) string { return fmt.Sprintf("%.1f", r.Seconds) })
	each(lastTrain, metric(last, func(m train.Metrics) string { return fourDigits(m.TrainAccuracy) }))
	each(lastTest, metric(last, func(m train.Metrics) string { return fourDigits(m.TestAccuracy) }))
	each(lastCost, metric(last, func(m train.Metrics) string { return fmt.Sprintf("%.5f", m.TestCost) }))
	each(bestRow, metric(best, func(m train.Metrics) string { return strconv.Itoa(m.Epoch) }))
	onTest, onValidation := false, false
	for _, run := range r.Runs {
		if run.Best != nil {
			onValidation = onValidation || run.Best.Validation != nil
			onTest = onTest || run.Best.Validation == nil
		}
	}
	if onValidation {
		each(bestChosen, metric(best, func(m train.Metrics) string {
			if m.Validation == nil {
				return "-"
			}
			return fourDigits(m.ValidationAccuracy)
		}))
	}
	each(bestTest, metric(best, func(m train.Metrics) string { return fourDigits(m.TestAccuracy) }))
	t.write(&out)
	if onTest {
		out.WriteString(chosenOn.In(l) + "\n")
	}

	out.WriteString("\n" + answersHead.Format(l, terminal.Line(r.TestSet), r.Pairs[0].Samples) + "\n")
	t = head(runHead)
	each(modelRow, func(r Result) string { return terminal.Line(filepath.Base(r.Model)) })
	each(accuracyRow, func(r Result) string { return fourDigits(r.Accuracy) })
	pair := func(name lang.Text, f func(Pair) string) {
		row := []string{""}
		for _, p := range r.Pairs {
			row = append(row, f(p))
		}
		t.add(name.In(l), row)
	}
	pair(bothRow, func(p Pair) string { return strconv.Itoa(p.Both) })
	pair(firstRow, func(p Pair) string { return strconv.Itoa(p.OnlyFirst) })
	pair(otherRow, func(p Pair) string { return strconv.Itoa(p.OnlySecond) })
	pair(neitherRow, func(p Pair) string { return strconv.Itoa(p.Neither) })
	pair(differRow, func(p Pair) string { return fmt.Sprintf("%+.4f", p.Difference) })
	pair(intervalRow, func(p Pair) string { return fmt.Sprintf("%+.4f … %+.4f", p.Low, p.High) })
	pair(pRow, func(p Pair) string { return fmt.Sprintf("%.3g", p.P) })
	pair(resultRow, func(p Pair) string {
		switch {
		case p.P >= significant:
			return unclear.In(l)
		case p.Difference > 0:
			return better.In(l)
		}
		return worse.In(l)
	})
	t.write(&out)
	out.WriteString(meaning.Format(l, significant) + "\n" + caution.In(l) + "\n")
	_, err := io.WriteString(w, out.String())
	return err
}

func fourDigits(v float64) string { return strconv.FormatFloat(v, 'f', 4, 64) }

// cells returns the values of a key, short enough for a table.
func cells(d config.Difference) []string {
	const widest = 40
	var out []string
	for _, v := range d.Values {
		if v == "" {
			v = "-"
		}
		out = append(out, terminal.Shorten(terminal.Line(v), widest))
	}
	return out
}

// table is text in columns, each as wide as its widest cell.
type table struct{ rows [][]string }

func (t *table) add(name string, cells []string) {
	t.rows = append(t.rows, append([]string{"  " + name}, cells...))
}

func (t *table) write(b *strings.Builder) {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], terminal.Columns(cell))
		}
	}
	for _, row := range t.rows {
		line := ""
		for i, cell := range row {
			line += cell + strings.Repeat(" ", widths[i]-terminal.Columns(cell)+2)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}
