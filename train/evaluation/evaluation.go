// Package evaluation says how well a machine's parameters do on the sets of a
// data set: cost, accuracy, and which classes are taken for which.
package evaluation

import (
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/train/terminal"
)

// Report is the outcome on the sets that there are.
type Report struct {
	Model      string    `json:"model"`          // the file; the caller's to fill in
	Note       string    `json:"note,omitempty"` // of the choice of the file; likewise
	Network    lang.Text `json:"network"`
	Dataset    string    `json:"dataset"`
	Source     string    `json:"source"` // where the data set came from
	Train      *Result   `json:"train,omitempty"`
	Validation *Result   `json:"validation,omitempty"`
	Test       Result    `json:"test"`

	Wrong []Mistake `json:"wrong,omitempty"` // on the test set; the caller's to fill in, with Worst
}

// Result is the outcome on a set.
type Result struct {
	Samples   int     `json:"samples"`
	Cost      float64 `json:"cost"` // A.46
	Correct   int     `json:"correct"`
	Accuracy  float64 `json:"accuracy"`
	Confusion [][]int `json:"confusion"` // [label][predicted]
	Classes   []Class `json:"classes"`
}

// Run evaluates the machine's parameters on the test set, and on the training and
// validation sets where d has them. A cost that is not finite is an error.
func Run(ctx context.Context, m vm.VM, d *data.Dataset) (Report, error) {
	r := Report{Network: m.Network().Text(), Dataset: d.Name, Source: d.Source}
	for _, part := range []struct {
		set *data.Set
		to  **Result
	}{{d.Train, &r.Train}, {d.Validation, &r.Validation}} {
		if part.set != nil {
			result, err := on(ctx, m, part.set)
			if err != nil {
				return Report{}, err
			}
			*part.to = &result
		}
	}
	var err error
	r.Test, err = on(ctx, m, d.Test)
	return r, err
}

// on returns the outcome on a set.
func on(ctx context.Context, m vm.VM, set *data.Set) (Result, error) {
	s, err := m.Evaluate(ctx, set)
	if err != nil {
		return Result{}, err
	}
	if math.IsNaN(s.Cost) || math.IsInf(s.Cost, 0) {
		return Result{}, fmt.Errorf("%s: the cost is %v: the weights are too large for %v", set.Name, s.Cost, m.Network().Precision)
	}
	return Result{s.Samples, s.Cost, s.Correct, s.Accuracy(), s.Confusion, Classes(s.Confusion, set.ClassName)}, nil
}

// What the tables say.
var (
	modelText      = lang.Text{En: "model", Zh: "模型"}
	networkText    = lang.Text{En: "network", Zh: "网络"}
	dataText       = lang.Text{En: "data", Zh: "数据"}
	fromText       = lang.Text{En: "%s, from %s", Zh: "%s，来自 %s"}
	trainText      = lang.Text{En: "train", Zh: "训练集"}
	validationText = lang.Text{En: "validation", Zh: "验证集"}
	testText       = lang.Text{En: "test", Zh: "测试集"}
	resultText     = lang.Text{En: "accuracy %.4f (%d of %d), cost %.5f", Zh: "准确率 %.4f（%d / %d），代价 %.5f"}
	confusionText  = lang.Text{
		En: "Confusion on the test set: a row for each label, a column for each prediction.",
		Zh: "测试集上的混淆矩阵：每行一个标签，每列一个预测。",
	}
	classesText = lang.Text{
		En: "Precision: of those taken for the class, the share that is right. Recall: of those of the class, the share found.",
		Zh: "精确率：判为该类的样本中正确的比例。召回率：该类样本中被找出的比例。",
	}
	classHeader = lang.Text{En: "class|samples|precision|recall", Zh: "类别|样本|精确率|召回率"}
	nameText    = lang.Text{En: "name", Zh: "名称"}
	wrongText   = lang.Text{
		En: "The worst mistakes on the test set, by index from 0, with the outputs for the label and for the answer.",
		Zh: "测试集上最严重的错误，序号从 0 开始，以及标签和答案对应的输出。",
	}
	wrongHeader = lang.Text{En: "image|label|answer|a(label)|a(answer)", Zh: "图像|标签|答案|a(标签)|a(答案)"}
)

// Text writes the report as tables, in a language.
func (r Report) Text(w io.Writer, l lang.Language) error {
	rows := [][2]string{
		{modelText.In(l), terminal.Line(r.Model)},
		{networkText.In(l), r.Network.In(l)},
		{dataText.In(l), fromText.Format(l, terminal.Line(r.Dataset), terminal.Line(r.Source))},
	}
	for _, part := range []struct {
		name lang.Text
		*Result
	}{{trainText, r.Train}, {validationText, r.Validation}, {testText, &r.Test}} {
		if part.Result != nil {
			rows = append(rows, [2]string{part.name.In(l), resultText.Format(l, part.Accuracy, part.Correct, part.Samples, part.Cost)})
		}
	}
	if err := lines(w, terminal.Pairs(rows)...); err != nil {
		return err
	}
	if err := lines(w, "", confusionText.In(l)); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	for k := range r.Test.Confusion {
		_, _ = fmt.Fprintf(t, "\t%d", k)
	}
	_, _ = fmt.Fprintln(t, "\t")
	for label, row := range r.Test.Confusion {
		_, _ = fmt.Fprintf(t, "%d", label)
		for _, n := range row {
			_, _ = fmt.Fprintf(t, "\t%d", n)
		}
		_, _ = fmt.Fprintln(t, "\t")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if err := r.Test.classTable(w, l); err != nil || len(r.Wrong) == 0 {
		return err
	}
	return r.wrongTable(w, l)
}

func lines(w io.Writer, lines ...string) error {
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// classTable writes the outcome for each class.
func (r *Result) classTable(w io.Writer, l lang.Language) error {
	table := [][]string{strings.Split(classHeader.In(l), "|")}
	for _, c := range r.Classes {
		table = append(table, []string{strconv.Itoa(c.Label), strconv.Itoa(c.Samples), c.Precision.text(), c.Recall.text()})
	}
	text := terminal.Table(table)
	if r.named() {
		text[0] += "  " + nameText.In(l)
		for i, c := range r.Classes {
			text[i+1] += "  " + terminal.Line(c.Name)
		}
	}
	return lines(w, append([]string{"", classesText.In(l)}, text...)...)
}

// named reports whether the classes have names.
func (r *Result) named() bool {
	return slices.ContainsFunc(r.Classes, func(c Class) bool { return c.Name != strconv.Itoa(c.Label) })
}

// wrongTable writes the mistakes.
func (r *Report) wrongTable(w io.Writer, l lang.Language) error {
	table := [][]string{strings.Split(wrongHeader.In(l), "|")}
	for _, m := range r.Wrong {
		table = append(table, []string{
			strconv.Itoa(m.Index), strconv.Itoa(m.Label), strconv.Itoa(m.Answer), m.Outputs[m.Label].text(), m.Outputs[m.Answer].text(),
		})
	}
	return lines(w, append([]string{"", wrongText.In(l)}, terminal.Table(table)...)...)
}
