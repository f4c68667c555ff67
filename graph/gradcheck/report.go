package gradcheck

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"text/tabwriter"

	"trainer/graph/vm"
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
	Machine string   `json:"machine"`
	Network string   `json:"network"`
	Seed    uint64   `json:"seed"`
	At      string   `json:"at"`    // "random parameters" or "given parameters"
	Cases   []string `json:"cases"` // names of the cases, in order
	Rows    []Row    `json:"rows"`

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
	Value Number `json:"value"`
	A     Number `json:"a"` // from the first gradient of the pair
	B     Number `json:"b"`
	Case  string `json:"case"`
	Row   int    `json:"row"` // i and j of w_ij, from 0
	Col   int    `json:"col"`
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
	rep := Report{Machine: m.Name(), Network: m.Network().String(), Seed: o.Seed, At: "random parameters"}
	if o.Parameters != nil {
		rep.At = "given parameters"
	}
	return rep
}

// compare adds the comparison of a and b, the values of element k (row-major) in
// the case with the given name. allowed is the largest absolute difference that
// rounding can cause.
func (row *Row) compare(name string, k int, a, b, allowed float64) {
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

// Text writes the report as a table, followed by the rows that failed.
func (rep Report) Text(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Gradients of %s on machine %s, at %s, seed %d.\n\n", rep.Network, rep.Machine, rep.At, rep.Seed)
	b.WriteString("  symbolic     the machine's gradients, from the derivatives that Gorgonia finds in the graph\n")
	b.WriteString("  delta        the textbook's equations A.45 to A.66, derived by hand\n")
	b.WriteString("  differences  central differences of the cost A.46\n\n")
	var lines strings.Builder
	line := func(cells ...string) { lines.WriteString(strings.Join(cells, "\t") + "\n") }
	at := func(d Difference) string { return fmt.Sprintf("%s #%d", d.at(), slices.Index(rep.Cases, d.Case)+1) }
	line("layer", "tensor", "shape", "pair", "compared", "floored", "absolute", "at", "relative", "at", "bound", "")
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
		verdict := "ok"
		if !r.OK {
			verdict = "FAILED"
		}
		line(layer, name, shape, r.Pair, fmt.Sprint(r.Compared), fmt.Sprint(r.Floored),
			fmt.Sprintf("%.1e", float64(r.Absolute.Value)), at(r.Absolute),
			fmt.Sprintf("%.1e", float64(r.Relative.Value)), at(r.Relative),
			fmt.Sprintf("%.0e", r.Bound), verdict)
	}
	if err := align(&b, lines.String()); err != nil {
		return err
	}
	b.WriteString(`
  compared     number of elements compared, over all cases
  floored      number of these that are so small that rounding alone can reach the bound;
               most are, where the activation is saturated
  absolute     the largest |a − b|; at: its element [i,j] and case
  relative     the largest |a − b| / max(|a|, |b|, floor); it must not exceed the bound

`)
	if rep.SigmoidOne > 0 {
		fmt.Fprintf(&b, "The machine returns 1 for σ(z) from z = %g on. The check allows an error of 1 − σ(z) there.\n\n", rep.SigmoidOne)
	}
	lines.Reset()
	for i, name := range rep.Cases {
		lines.WriteString("  #" + fmt.Sprint(i+1) + "\t" + name + "\n")
	}
	if err := align(&b, lines.String()); err != nil {
		return err
	}
	b.WriteString("\n")
	failed := rep.Failed()
	for _, r := range failed {
		d := r.Relative
		fmt.Fprintf(&b, "%s%s, %s: %.9g and %.9g, relative difference %.1e, case %q.\n",
			r.Tensor, d.at(), r.Pair, float64(d.A), float64(d.B), float64(d.Value), d.Case)
	}
	if len(failed) == 0 {
		fmt.Fprintf(&b, "All %d comparisons agree.\n", len(rep.Rows))
	} else {
		fmt.Fprintf(&b, "%d of %d comparisons exceed their bound.\n", len(failed), len(rep.Rows))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// align writes lines of tab-separated cells as aligned columns.
func align(w io.Writer, lines string) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if _, err := io.WriteString(table, lines); err != nil {
		return err
	}
	return table.Flush()
}

// at formats the position of the element: "[3,7]".
func (d Difference) at() string { return fmt.Sprintf("[%d,%d]", d.Row, d.Col) }
