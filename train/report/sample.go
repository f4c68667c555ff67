package report

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"

	"trainer/data/lang"
	"trainer/graph/explain"
)

// sampleView is the sample that is explained.
type sampleView struct {
	Image         template.URL
	Strip         bool
	Label, Answer string
	Right         bool
	Hidden        []hiddenLayer
	Outputs       []bar
	Difference    string
	Rate          string
	Groups        []groupView
	Gradient      gradientView
	Step          []stepRow
}

// hiddenLayer is the activations of a hidden layer.
type hiddenLayer struct {
	Symbol string
	Image  template.URL
	Nodes  string
}

// mostSampleOutputs is how many outputs of the sample are shown.
const mostSampleOutputs = 20

// groupView is a group of equations.
type groupView struct {
	Title     string
	Note      string
	Equations []equationView
	Left      int // equations that are left out
}

// equationView is an equation with its numbers.
type equationView struct {
	Number, Formula, Function, Symbol string
	Instructions                      []instructionText
	Values                            []string     // of a number or a short vector
	Summary                           string       // of anything larger
	Strip                             template.URL // the values of a long vector
	Difference                        string
}

type instructionText struct{ Number, Text string }

// mostEquations is how many equations of a group are shown.
const mostEquations = 16

// SampleView returns the sample that is explained.
func (v *view) SampleView() sampleView {
	e := v.Explained
	s := sampleView{
		Image: uri(v.Sample.image()), Strip: v.Sample.strip(), Label: cut(60, v.ClassName(e.Label)), Answer: cut(60, v.ClassName(e.Answer)), Right: e.Label == e.Answer,
		Difference: small(e.Difference), Rate: short(e.Rate),
	}
	outputs := make([]int, len(e.Output))
	for k := range outputs {
		outputs[k] = k
	}
	if len(outputs) > mostSampleOutputs {
		slices.SortStableFunc(outputs, func(a, b int) int { return cmp.Compare(e.Output[b], e.Output[a]) })
		outputs = outputs[:mostSampleOutputs]
	}
	for _, k := range outputs {
		s.Outputs = append(s.Outputs, v.output(k, e.Output[k], e.Label, e.Answer))
	}
	for _, g := range e.Groups {
		s.Groups = append(s.Groups, v.group(g))
	}
	if len(e.Groups) > 0 {
		for _, q := range e.Groups[0].Equations {
			if n := len(q.Value.Values); strings.HasPrefix(q.Symbol, "a^") && q.Symbol != fmt.Sprintf("a^%d", len(e.Layers)) {
				s.Hidden = append(s.Hidden, hiddenLayer{q.Symbol, uri(signedImage(1, n, q.Value.Values, 1)), count(n)})
			}
		}
	}
	s.Hidden = s.Hidden[:min(len(s.Hidden), 6)]
	s.Gradient = v.threeWays(e.Gradient)
	s.Step = v.stepRows(e)
	return s
}

func (v *view) group(g explain.Group) groupView {
	out := groupView{Title: g.Title.In(v.L), Note: g.Note.In(v.L), Left: max(0, len(g.Equations)-mostEquations)}
	for _, q := range g.Equations[:min(len(g.Equations), mostEquations)] {
		out.Equations = append(out.Equations, v.equation(q))
	}
	return out
}

// fewValues is how many values are shown one by one.
const fewValues = 10

func (v *view) equation(q explain.Equation) equationView {
	e := equationView{Number: q.Number, Formula: q.Formula, Function: q.Function, Symbol: q.Symbol, Difference: small(q.Difference)}
	for _, in := range q.Instructions {
		number := "·"
		if in.Number >= 0 {
			number = strconv.Itoa(in.Number)
		}
		e.Instructions = append(e.Instructions, instructionText{number, in.Text})
	}
	value := q.Value
	if n := len(value.Values); n > 0 && n <= fewValues {
		for _, x := range value.Values {
			e.Values = append(e.Values, short(x))
		}
		return e
	}
	size := fmt.Sprintf("%d×%d", value.Rows, value.Cols)
	if value.Cols == 1 {
		size = strconv.Itoa(value.Rows)
	}
	var largest []string
	for _, entry := range value.Largest {
		at := fmt.Sprintf("[%d,%d]", entry.I, entry.J)
		if value.Cols == 1 {
			at = fmt.Sprintf("[%d]", entry.I)
		}
		largest = append(largest, at+" "+short(entry.Value))
	}
	e.Summary = v.say(lang.Text{En: "%s values from %s to %s, norm %s, %s of them 0", Zh: "%s 个值，从 %s 到 %s，范数 %s，其中 %s 个为 0"},
		size, short(value.Min), short(value.Max), short(value.Norm), count(value.Zeros))
	if largest != nil {
		e.Summary += v.say(lang.Text{En: "; largest %s", Zh: "；最大的有 %s"}, strings.Join(largest, ", "))
	}
	if n := len(value.Values); n > 0 {
		e.Strip = uri(signedImage(1, n, value.Values, max(-value.Min, value.Max)))
	}
	return e
}

// gradientView is one gradient in three ways.
type gradientView struct {
	Symbol, Parameter                  string
	Machine, Delta, Differences        string
	DeltaOff, DifferencesOff, Rounding string
}

func (v *view) threeWays(g explain.Gradient) gradientView {
	long := func(x float64) string { return minus(strconv.FormatFloat(x+0, 'e', 15, 64)) }
	off := func(x float64) string { return small(max(x-g.Machine, g.Machine-x)) }
	return gradientView{
		Symbol: "∂E/∂" + g.Weight.String(), Parameter: g.Weight.String() + " = " + short(g.Parameter), Machine: long(g.Machine), Delta: long(g.Delta), Differences: long(g.Differences),
		DeltaOff: off(g.Delta), DifferencesOff: off(g.Differences), Rounding: small(g.Error),
	}
}

// stepRow is a number before and after a step.
type stepRow struct{ Name, Before, After, Change string }

func (v *view) stepRows(e *explain.Explanation) []stepRow {
	rows := []stepRow{{"E", short(e.Step.CostBefore), short(e.Step.CostAfter), short(e.Step.CostAfter - e.Step.CostBefore)}}
	for k := range e.Step.Before[:min(len(e.Step.Before), mostSampleOutputs)] {
		b, a := e.Step.Before[k], e.Step.After[k]
		rows = append(rows, stepRow{fmt.Sprintf("a^%d[%d]", len(e.Layers), k), short(b), short(a), short(a - b)})
	}
	return rows
}
