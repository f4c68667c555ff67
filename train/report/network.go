package report

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strconv"

	"trainer/data/lang"
	"trainer/graph/model"
)

// mostUnits is how many units are shown with their weights.
const mostUnits = 100

// unit is a unit of the first layer with weights.
type unit struct {
	Image template.URL
	Name  string // its number
	Note  string // the output that it moves most
	Title string
}

// units is the picture of the first layer with weights.
type units struct {
	List  []unit
	All   int    // in the layer
	Scale string // the weight with the full colour
	Low   string // and its negative
	Strip bool
	Key   template.URL // the colours
	Only  bool         // there is no hidden layer: the units are the outputs
	Noted bool         // the units have the output that they move most
}

// Units returns the weights of the first layer as images; nil where there are none.
func (v *view) Units() *units {
	if len(v.Parameters) == 0 {
		return nil
	}
	first := v.Parameters[0]
	if len(first.Weight) == 0 || first.In < 1 {
		return nil
	}
	rows, cols := 1, first.In
	for _, s := range v.Sets {
		if s.Rows*s.Cols == first.In {
			rows, cols = s.Rows, s.Cols
		}
	}
	scale := quantile(first.Weight, 0.998)
	u := &units{All: first.Out, Scale: short(scale), Low: short(-scale), Strip: rows == 1 || cols == 1, Only: len(v.Parameters) == 1, Noted: len(v.Parameters) == 2, Key: uri(keyImage())}
	for _, i := range v.strongest(first.Out) {
		weights := first.Weight[i*first.In:][:first.In]
		one := unit{Image: uri(signedImage(rows, cols, weights, scale)), Name: strconv.Itoa(i)}
		switch {
		case u.Only:
			one.Note = cut(16, v.ClassName(i))
		case len(v.Parameters) == 2:
			out := v.Parameters[1]
			k, w := strongestOf(out, i)
			sign := "+"
			if w < 0 {
				sign = "−"
			}
			one.Note = sign + " " + cut(10, v.ClassName(k))
			one.Title = v.say(lang.Text{En: "unit %s: its largest weight to an output is %s, to class %s", Zh: "单元 %s：通向输出的最大权重为 %s，指向类别 %s"}, one.Name, short(w), cut(60, v.ClassName(k)))
		}
		u.List = append(u.List, one)
	}
	return u
}

// strongest returns the units to show, in their order: all, or those with the largest
// weights to the next layer.
func (v *view) strongest(n int) []int {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	if n <= mostUnits {
		return list
	}
	if len(v.Parameters) > 1 {
		next := v.Parameters[1]
		norms := make([]float64, n)
		for k, w := range next.Weight {
			norms[k%next.In] += w * w
		}
		slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(norms[b], norms[a]) })
	}
	list = list[:mostUnits]
	slices.Sort(list)
	return list
}

// strongestOf returns the output to which node i has the largest weight, and the
// weight.
func strongestOf(out model.Layer, i int) (k int, w float64) {
	for node := range out.Out {
		if x := out.Weight[node*out.In+i]; math.Abs(x) > math.Abs(w) {
			k, w = node, x
		}
	}
	return k, w
}

// quantile returns the q-quantile of the magnitudes of values.
func quantile(values []float64, q float64) float64 {
	const most = 100_000
	step := max(1, len(values)/most)
	var sizes []float64
	for i := 0; i < len(values); i += step {
		if v := math.Abs(values[i]); finite(v) {
			sizes = append(sizes, v)
		}
	}
	if len(sizes) == 0 {
		return 0
	}
	slices.Sort(sizes)
	return sizes[min(int(q*float64(len(sizes))), len(sizes)-1)]
}

// layer is a layer in the picture of the network, with what leads to it.
type layer struct {
	Symbol   string // a^2
	Nodes    string
	Note     string // input, hidden, output
	Dots     []int  // places of the dots that stand for nodes
	More     bool   // there are more nodes than dots
	Shape    string // of the weights that lead to it: 50×784
	Forward  []string
	Backward []string
	Gap      bool // layers before it are left out
}

// The bounds of the picture of the network.
const (
	mostDots   = 10
	mostLayers = 8
)

// Diagram returns the layers of the network.
func (v *view) Diagram() []layer {
	n := v.Net()
	L := len(n.Layers)
	var list []layer
	for i, nodes := range n.Layers {
		if L > mostLayers && i >= mostLayers/2 && i < L-mostLayers/2 {
			continue
		}
		l := i + 1
		row := layer{Symbol: fmt.Sprintf("a^%d", l), Nodes: count(nodes), More: nodes > mostDots, Note: v.say(lang.Text{En: "hidden", Zh: "隐藏层"})}
		row.Gap = L > mostLayers && i == L-mostLayers/2
		for k := range min(nodes, mostDots) {
			row.Dots = append(row.Dots, 8+14*k)
		}
		switch l {
		case 1:
			row.Symbol, row.Note = "a^1 = x", v.say(lang.Text{En: "input", Zh: "输入层"})
		case L:
			row.Note = v.say(lang.Text{En: "output", Zh: "输出层"})
		}
		if l > 1 {
			row.Shape = fmt.Sprintf("W^%d: %d×%d", l, nodes, n.Layers[i-1])
			z := fmt.Sprintf("z^%d = W^%d a^%d", l, l, l-1)
			if n.Bias {
				z += fmt.Sprintf(" + b^%d", l)
			}
			row.Forward = []string{z, fmt.Sprintf("a^%d = g(z^%d)", l, l)}
			if l == L {
				row.Backward = []string{fmt.Sprintf("δ^%d = −(y − a^%d) ⊙ g'(z^%d)", l, l, l)}
			} else {
				row.Backward = []string{fmt.Sprintf("δ^%d = ((W^%d)ᵀ δ^%d) ⊙ g'(z^%d)", l, l+1, l+1, l)}
			}
			row.Backward = append(row.Backward, fmt.Sprintf("W^%d ← W^%d − η δ^%d (a^%d)ᵀ", l, l, l, l-1))
		}
		list = append(list, row)
	}
	return list
}

// DotsHeight is the height of the dots of a layer.
func (l layer) DotsHeight() int { return 14*len(l.Dots) + 4 }

// instructionRow is an instruction of the compiled program.
type instructionRow struct {
	Number int
	Text   string
	Note   string
	Gap    bool   // instructions before it are left out
	Kind   string // forward, backward or update
}

// mostInstructions is how many instructions are shown.
const mostInstructions = 100

// Instructions returns the compiled program of a training step.
func (v *view) Instructions() []instructionRow {
	p := v.Program
	if p == nil {
		return nil
	}
	var rows []instructionRow
	n := len(p.Code)
	forward := true
	for k, in := range p.Code {
		kind := "backward"
		switch {
		case in.Op.IsUpdate():
			kind = "update"
		case forward:
			kind = "forward"
		}
		forward = forward && in.Dst != p.Output
		if n > mostInstructions && k >= mostInstructions/2 && k < n-mostInstructions/2 {
			continue
		}
		rows = append(rows, instructionRow{
			Number: k, Text: p.Text(k), Note: in.Note, Kind: kind,
			Gap: n > mostInstructions && k == n-mostInstructions/2,
		})
	}
	return rows
}

// Batch is how many samples a step has.
func (v *view) Batch() int { return v.Config.Train.Batch }

// gradientRow is a row of the gradient check.
type gradientRow struct {
	Tensor, Shape, Pair, Compared, Absolute, Relative, Bound string
	OK, First                                                bool
}

// mostGradientRows is how many rows of the gradient check are shown.
const mostGradientRows = 120

// The pairs of gradients, by their names in package gradcheck.
var pairNames = map[string]lang.Text{
	"symbolic × delta":       {En: "symbolic × delta", Zh: "符号 × 手推"},
	"symbolic × differences": {En: "symbolic × differences", Zh: "符号 × 差分"},
	"delta × differences":    {En: "delta × differences", Zh: "手推 × 差分"},
}

// GradientRows returns the rows of the gradient check, those that failed first.
func (v *view) GradientRows() []gradientRow {
	var rows []gradientRow
	tensor := ""
	for _, failed := range []bool{true, false} {
		for _, r := range v.Gradients.Rows {
			if r.OK == failed || len(rows) == mostGradientRows {
				continue
			}
			pair := r.Pair
			if text, ok := pairNames[pair]; ok {
				pair = v.say(text)
			}
			name := r.Tensor
			if r.Layer == 0 {
				name = v.say(lang.Text{En: "cost", Zh: "代价"})
			}
			rows = append(rows, gradientRow{
				Tensor: name, Shape: fmt.Sprintf("%d×%d", r.Shape[0], r.Shape[1]), Pair: pair, Compared: count(r.Compared),
				Absolute: exponent(float64(r.Absolute.Value)), Relative: exponent(float64(r.Relative.Value)), Bound: strconv.FormatFloat(r.Bound, 'e', 0, 64),
				OK: r.OK, First: r.Tensor != tensor,
			})
			tensor = r.Tensor
		}
	}
	return rows
}

func exponent(v float64) string { return strconv.FormatFloat(v, 'e', 1, 64) }

// GradientCases is how many cases the check has.
func (v *view) GradientCases() int { return len(v.Gradients.Cases) }

// FailedGradients is how many comparisons exceed their bound.
func (v *view) FailedGradients() int { return len(v.Gradients.Failed()) }
