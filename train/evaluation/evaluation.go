// Package evaluation says how well a machine's parameters do on the sets of a
// data set: cost, accuracy, and which classes are taken for which.
package evaluation

import (
	"context"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train/terminal"
)

// Report is the outcome on the sets that there are.
type Report struct {
	Model      string  `json:"model"`          // the file; the caller's to fill in
	Note       string  `json:"note,omitempty"` // of the choice of the file; likewise
	Network    string  `json:"network"`
	Dataset    string  `json:"dataset"`
	Source     string  `json:"source"` // where the data set came from
	Train      *Result `json:"train,omitempty"`
	Validation *Result `json:"validation,omitempty"`
	Test       Result  `json:"test"`

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
	r := Report{Network: m.Network().String(), Dataset: d.Name, Source: d.Source}
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

// Text writes the report as tables.
func (r Report) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "model\t%s\nnetwork\t%s\ndata\t%s, from %s\n", terminal.Line(r.Model), r.Network, terminal.Line(r.Dataset), terminal.Line(r.Source))
	for _, part := range []struct {
		name string
		*Result
	}{{"train", r.Train}, {"validation", r.Validation}, {"test", &r.Test}} {
		if part.Result == nil {
			continue
		}
		_, _ = fmt.Fprintf(t, "%s\taccuracy %.4f (%d of %d), cost %.5f\n", part.name, part.Accuracy, part.Correct, part.Samples, part.Cost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "\nConfusion on the test set: a row for each label, a column for each prediction.\n")
	t = tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
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
	if err := r.Test.classTable(w); err != nil || len(r.Wrong) == 0 {
		return err
	}
	return r.wrongTable(w)
}

// classTable writes the outcome for each class.
func (r *Result) classTable(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "\nPrecision: of those taken for the class, the share that is right. Recall: of those of the class, the share found.\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "class\tsamples\tprecision\trecall\t%s\n", r.nameOf("name"))
	for _, c := range r.Classes {
		_, _ = fmt.Fprintf(t, "%d\t%d\t%s\t%s\t%s\n", c.Label, c.Samples, c.Precision.text(), c.Recall.text(), r.nameOf("  "+terminal.Line(c.Name)))
	}
	return t.Flush()
}

// nameOf returns s where the classes have names.
func (r *Result) nameOf(s string) string {
	for _, c := range r.Classes {
		if c.Name != strconv.Itoa(c.Label) {
			return s
		}
	}
	return ""
}

// wrongTable writes the mistakes.
func (r *Report) wrongTable(w io.Writer) error {
	_, _ = fmt.Fprintf(w, "\nThe worst mistakes on the test set, by index from 0, with the outputs for the label and for the answer.\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "image\tlabel\tanswer\ta(label)\ta(answer)\t\n")
	for _, m := range r.Wrong {
		_, _ = fmt.Fprintf(t, "%d\t%d\t%d\t%s\t%s\t\n", m.Index, m.Label, m.Answer, m.Outputs[m.Label].text(), m.Outputs[m.Answer].text())
	}
	return t.Flush()
}
