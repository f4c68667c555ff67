package gradcheck

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/train/terminal"
)

// pair is a pair of gradients that are compared.
type pair int

const (
	pairSymbolicDelta pair = iota
	pairSymbolicDifferences
	pairDeltaDifferences
	pairEnd
)

var pairNames = [pairEnd]string{"symbolic × delta", "symbolic × differences", "delta × differences"}

// Report is the result of a check.
type Report struct {
	Machine string      `json:"machine"`
	Network lang.Text   `json:"network"`
	Seed    uint64      `json:"seed"`
	At      lang.Text   `json:"at"`    // "random parameters" or "given parameters"
	Cases   []lang.Text `json:"cases"` // names of the cases, in order
	Rows    []Row       `json:"rows"`

	SigmoidOne float64 `json:"sigmoid_one,omitempty"` // the z from which on the machine returns 1 for σ(z); 0: never
}

// Row is the comparison of one pair of gradients for one tensor or for the cost.
type Row struct {
	Layer    int        `json:"layer"` // l, from 2; 0 for the cost
	Tensor   string     `json:"tensor"`
	Shape    [2]int     `json:"shape"` // a bias is n^l × 1
	Pair     string     `json:"pair"`
	Compared int        `json:"compared"` // number of elements compared, over all cases
	Floored  int        `json:"floored"`  // number of these that are smaller than the floor
	Absolute Difference `json:"absolute"` // the largest |a − b|
	Relative Difference `json:"relative"` // the largest |a − b| / max(|a|, |b|, floor)
	Bound    float64    `json:"bound"`    // on Relative
	OK       bool       `json:"ok"`
}

// Difference is the difference of two numbers a and b, and where it occurred.
type Difference struct {
	Value Number    `json:"value"`
	A     Number    `json:"a"` // from the first gradient of the pair
	B     Number    `json:"b"`
	Case  lang.Text `json:"case"`
	Row   int       `json:"row"` // i and j of w_ij, from 0
	Col   int       `json:"col"`
}

// Number is a float64. In JSON it is null if it is not finite.
type Number float64

// MarshalJSON implements json.Marshaler.
func (v Number) MarshalJSON() ([]byte, error) {
	if f := float64(v); !math.IsNaN(f) && !math.IsInf(f, 0) {
		return json.Marshal(f)
	}
	return []byte("null"), nil
}

func newReport(m vm.VM, o Options) Report {
	rep := Report{Machine: m.Name(), Network: m.Network().Text(), Seed: o.Seed, At: lang.Text{En: "random parameters", Zh: "随机参数"}}
	if o.Parameters != nil {
		rep.At = lang.Text{En: "given parameters", Zh: "给定的参数"}
	}
	return rep
}

// compare adds the comparison of a and b, the values of element k (row-major) in
// the case with the given name. allowed is the largest absolute difference that
// rounding can cause.
func (row *Row) compare(name lang.Text, k int, a, b, allowed float64) {
	absolute := math.Abs(a - b)
	size, floor := max(math.Abs(a), math.Abs(b)), allowed/row.Bound
	relative := absolute / max(size, floor)
	if size < floor {
		row.Floored++
	}
	switch {
	case absolute == 0:
		relative = 0 // also if the floor is 0, where the quotient is NaN
	case math.IsNaN(absolute) || math.IsInf(absolute, 0):
		absolute, relative = math.Inf(1), math.Inf(1)
	}
	d := Difference{A: Number(a), B: Number(b), Case: name, Row: k / row.Shape[1], Col: k % row.Shape[1]}
	if row.Compared == 0 || absolute > float64(row.Absolute.Value) {
		row.Absolute = d
		row.Absolute.Value = Number(absolute)
	}
	if row.Compared == 0 || relative > float64(row.Relative.Value) {
		row.Relative = d
		row.Relative.Value = Number(relative)
	}
	row.Compared++
	row.OK = row.OK && relative <= row.Bound
}

// row returns the row for t and p, and adds one if there is none. The pointer is
// valid until the next call.
func (rep *Report) row(t tensor, p pair) *Row {
	for i := range rep.Rows {
		if r := &rep.Rows[i]; r.Tensor == t.name && r.Pair == pairNames[p] {
			return r
		}
	}
	rep.Rows = append(rep.Rows, Row{
		Layer: t.layer, Tensor: t.name, Shape: [2]int{t.rows, t.cols},
		Pair: pairNames[p], Bound: t.bounds[p], OK: true,
	})
	return &rep.Rows[len(rep.Rows)-1]
}

// OK reports whether every row is within its bound.
func (rep Report) OK() bool { return len(rep.Rows) > 0 && len(rep.Failed()) == 0 }

// Failed returns the rows whose difference exceeds the bound.
func (rep Report) Failed() []Row {
	var failed []Row
	for _, r := range rep.Rows {
		if !r.OK {
			failed = append(failed, r)
		}
	}
	return failed
}

// JSON returns the report as an indented JSON object: the fields of Report and
// "ok".
func (rep Report) JSON() ([]byte, error) {
	return json.MarshalIndent(struct {
		OK bool `json:"ok"`
		Report
	}{rep.OK(), rep}, "", "  ")
}

// The words of Report.Text.
var (
	headText = lang.Text{
		En: "Gradients of %s on machine %s, at %s, seed %d.",
		Zh: "%s 在计算设备 %s 上的梯度，取%s，种子 %d。",
	}
	gradientsText = []lang.Text{
		{En: "symbolic     the machine's gradients, from the derivatives that Gorgonia finds in the graph", Zh: "symbolic     计算设备的梯度，来自 Gorgonia 在图中求出的导数"},
		{En: "delta        the textbook's equations A.45 to A.66, derived by hand", Zh: "delta        教科书手工推导的公式 A.45 至 A.66"},
		{En: "differences  central differences of the cost A.46", Zh: "differences  代价 A.46 的中心差分"},
	}
	columnsText = []lang.Text{
		{En: "layer", Zh: "层"}, {En: "tensor", Zh: "张量"}, {En: "shape", Zh: "形状"}, {En: "pair", Zh: "比较"}, {En: "compared", Zh: "元素数"},
		{En: "floored", Zh: "过小数"}, {En: "absolute", Zh: "绝对"}, {En: "at", Zh: "位置"}, {En: "relative", Zh: "相对"}, {En: "at", Zh: "位置"}, {En: "bound", Zh: "上限"},
	}
	okText     = lang.Text{En: "ok", Zh: "一致"}
	failedText = lang.Text{En: "FAILED", Zh: "不一致"}
	legendText = []lang.Text{
		{En: "compared     number of elements compared, over all cases", Zh: "元素数  所有用例中比较的元素个数"},
		{En: "floored      number of these that are so small that rounding alone can reach the bound;", Zh: "过小数  其中小到仅舍入误差就可能达到上限的个数；"},
		{En: "             most are, where the activation is saturated", Zh: "        激活函数饱和时大多如此"},
		{En: "absolute     the largest |a − b|; at: its element [i,j] and case", Zh: "绝对    最大的 |a − b|；位置：其元素 [i,j] 和用例"},
		{En: "relative     the largest |a − b| / max(|a|, |b|, floor); it must not exceed the bound", Zh: "相对    最大的 |a − b| / max(|a|, |b|, 下限)；不得超过上限"},
	}
	sigmoidOneText = lang.Text{
		En: "The machine returns 1 for σ(z) from z = %g on. The check allows an error of 1 − σ(z) there.",
		Zh: "从 z = %g 起，计算设备的 σ(z) 为 1。比较在那里允许 1 − σ(z) 的误差。",
	}
	failureText = lang.Text{
		En: "%s%s, %s: %.9g and %.9g, relative difference %.1e, case %q.",
		Zh: "%s%s，%s：%.9g 与 %.9g，相对差 %.1e，用例 %q。",
	}
	agreeText  = lang.Text{En: "All %d comparisons agree.", Zh: "全部 %d 项比较一致。"}
	exceedText = lang.Text{En: "%d of %d comparisons exceed their bound.", Zh: "%[2]d 项比较中有 %[1]d 项超过上限。"}
)

// Text writes the report as a table, followed by the rows that failed.
func (rep Report) Text(w io.Writer, l lang.Language) error {
	indented := func(texts []lang.Text) (lines []string) {
		for _, t := range texts {
			lines = append(lines, "  "+t.In(l))
		}
		return append(lines, "")
	}
	lines := []string{headText.Format(l, rep.Network, rep.Machine, rep.At, rep.Seed), ""}
	lines = append(lines, indented(gradientsText)...)
	lines = append(lines, terminal.LeftTable(rep.table(l))...)
	lines = append(append(lines, ""), indented(legendText)...)
	if rep.SigmoidOne > 0 {
		lines = append(lines, sigmoidOneText.Format(l, rep.SigmoidOne), "")
	}
	var cases [][2]string
	for i, name := range rep.Cases {
		cases = append(cases, [2]string{fmt.Sprintf("  #%d", i+1), name.In(l)})
	}
	lines = append(append(lines, terminal.Pairs(cases)...), "")
	failed := rep.Failed()
	for _, r := range failed {
		d := r.Relative
		lines = append(lines, failureText.Format(l, r.Tensor, d.at(), r.Pair, float64(d.A), float64(d.B), float64(d.Value), d.Case.In(l)))
	}
	if len(failed) == 0 {
		lines = append(lines, agreeText.Format(l, len(rep.Rows)))
	} else {
		lines = append(lines, exceedText.Format(l, len(failed), len(rep.Rows)))
	}
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// table returns a line of cells for each row, after one of headings.
func (rep Report) table(l lang.Language) [][]string {
	var head []string
	for _, t := range columnsText {
		head = append(head, t.In(l))
	}
	table := [][]string{append(head, "")}
	at := func(d Difference) string { return fmt.Sprintf("%s #%d", d.at(), slices.Index(rep.Cases, d.Case)+1) }
	tensor := ""
	for _, r := range rep.Rows {
		layer, name, shape := fmt.Sprint(r.Layer), r.Tensor, fmt.Sprintf("%d×%d", r.Shape[0], r.Shape[1])
		if r.Layer == 0 {
			layer = "-"
		}
		if name == tensor { // the row above shows them
			layer, name, shape = "", "", ""
		}
		tensor = r.Tensor
		verdict := okText
		if !r.OK {
			verdict = failedText
		}
		table = append(table, []string{layer, name, shape, r.Pair, fmt.Sprint(r.Compared), fmt.Sprint(r.Floored),
			fmt.Sprintf("%.1e", float64(r.Absolute.Value)), at(r.Absolute),
			fmt.Sprintf("%.1e", float64(r.Relative.Value)), at(r.Relative),
			fmt.Sprintf("%.0e", r.Bound), verdict.In(l)})
	}
	return table
}

// at formats the position of the element: "[3,7]".
func (d Difference) at() string { return fmt.Sprintf("[%d,%d]", d.Row, d.Col) }
