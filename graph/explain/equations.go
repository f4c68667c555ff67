package explain

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/delta"
	"trainer/graph/gradcheck"
	"trainer/graph/model"
	"trainer/graph/vm"
)

const (
	machine    = "machine"
	programmed = "program"

	// The update orders.
	simultaneous = "simultaneous"
	listing      = "listing"
)

// train takes one step with the one image of set.
func train(m vm.VM, set *data.Set, rate float64) error {
	return m.Train(context.Background(), vm.Pass{Set: set, Batch: 1, Rate: rate})
}

// explanation puts the derivation together, in the order of the book.
func (d *derivation) explanation() (Explanation, error) {
	e := Explanation{
		Sample: d.o.Sample, Network: d.n.Text(), Layers: slices.Clone(d.n.Layers), Machine: d.m.Name(), Rate: d.o.Rate,
		Label: int(d.set.Labels[0]), Answer: largest(d.output), Input: d.x, Target: d.y, Output: d.output,
		Groups: []Group{
			d.forward(), d.costs(), d.descent(), d.outputLayer(), d.hiddenLayers(), d.biases(), d.updates(), d.algorithm(),
		},
		Gradient: d.gradient(),
		Step:     d.step(),
	}
	e.Difference = e.Step.Difference
	finite := true
	for _, g := range e.Groups {
		for _, q := range g.Equations {
			e.Difference = max(e.Difference, q.Difference)
			finite = finite && model.Finite([]float64{q.Value.Norm, q.Value.Min, q.Value.Max})
		}
	}
	g := e.Gradient
	finite = finite && model.Finite([]float64{e.Difference, e.Step.CostAfter, g.Machine, g.Delta, g.Differences, g.Error})
	if !finite {
		return Explanation{}, errNotFinite
	}
	return e, nil
}

// vector and the functions below make an equation from its two computations: byHand
// is that of package delta.
func vector(number, formula, function, symbol string, byHand, other []float64, against string, in []Instruction) Equation {
	return Equation{
		Number: number, Formula: formula, Function: function, Instructions: in, Symbol: symbol,
		Value: valueOf(len(byHand), 1, byHand), Against: against, Difference: Difference(other, byHand),
	}
}

func scalar(number, formula, function, symbol string, byHand, other float64, against string, in []Instruction) Equation {
	return vector(number, formula, function, symbol, []float64{byHand}, []float64{other}, against, in)
}

func matrix(number, formula, function, symbol string, byHand, other delta.Matrix, in []Instruction) Equation {
	values := flat(byHand)
	return Equation{
		Number: number, Formula: formula, Function: function, Instructions: in, Symbol: symbol,
		Value: valueOf(len(byHand), len(byHand[0]), values), Against: machine, Difference: Difference(flat(other), values),
	}
}

func flat(m delta.Matrix) (values []float64) {
	for _, row := range m {
		values = append(values, row...)
	}
	return values
}

// L returns the number of the output layer.
func (d *derivation) L() int { return d.net.L() }

// in returns the instructions that write buffers: in("d", 3) those of d3.
func (d *derivation) in(prefix string, l int, more ...string) []Instruction {
	return d.program.instructions(append(more, fmt.Sprint(prefix, l))...)
}

// of returns the program's values of a buffer.
func (d *derivation) of(prefix string, l int) []float64 {
	return d.program.values[fmt.Sprint(prefix, l)]
}

func (d *derivation) forward() Group {
	g := Group{Title: lang.Text{En: "Forward pass", Zh: "前向传播"}}
	for l := 2; l <= d.L(); l++ {
		z := fmt.Sprintf("z^%d = W^%d a^%d", l, l, l-1)
		if d.n.Bias {
			z += fmt.Sprintf(" + b^%d", l)
		}
		a := fmt.Sprintf("a^%d = g(z^%d), g = %v", l, l, d.n.Activation)
		aOther, against := d.of("a", l), programmed
		if l == d.L() {
			aOther, against = d.output, machine
		}
		g.Equations = append(g.Equations,
			vector("", z, "delta.Forward", fmt.Sprintf("z^%d", l), d.pass.Z[l], d.of("z", l), programmed, d.in("z", l)),
			vector("", a, "delta.Forward", fmt.Sprintf("a^%d", l), d.pass.A[l], aOther, against, d.in("a", l)))
	}
	return g
}

func (d *derivation) costs() Group {
	L := d.L()
	in := d.program.cost()
	mean := delta.MeanCost(d.net, []delta.Vector{d.x}, []delta.Vector{d.y})
	return Group{Title: lang.Text{En: "Cost", Zh: "代价"}, Note: lang.Text{
		En: "training does not compute it: the gradients do not need it",
		Zh: "训练时不计算它：求梯度用不到它",
	}, Equations: []Equation{
		scalar("A.45", fmt.Sprintf("E = ½ ‖y − a^%d‖²", L), "delta.Cost", "E", delta.Cost(d.y, d.pass.A[L]), d.cost, machine, in),
		scalar("A.46", "E_t = 1/N Σ_i E_i, here N = 1", "delta.MeanCost", "E_t", mean, d.cost, machine, in[max(len(in)-1, 0):]),
	}}
}

// scaled returns c times a matrix.
func scaled(c float64, m delta.Matrix) delta.Matrix {
	s := make(delta.Matrix, len(m))
	for i, row := range m {
		s[i] = delta.Scale(c, row)
	}
	return s
}

// minus returns the matrix a − b.
func minus(a, b delta.Matrix) delta.Matrix {
	m := make(delta.Matrix, len(a))
	for i := range a {
		m[i] = delta.Minus(a[i], b[i])
	}
	return m
}

func (d *derivation) descent() Group {
	g := Group{Title: lang.Text{En: "Gradient descent", Zh: "梯度下降"}, Note: lang.Text{
		En: "the change of the parameters, with η = %.6g", Zh: "参数的变化量，η = %.6g",
	}.With(d.o.Rate)}
	mean := delta.MeanGradients([]delta.Gradients{delta.Backpropagate(d.net, d.x, d.y)})
	for l := 2; l <= d.L(); l++ {
		g.Equations = append(g.Equations, matrix("A.47", fmt.Sprintf("W^%d ← W^%d − η ∂E_t/∂W^%d", l, l, l), "delta.DescendWeights", fmt.Sprintf("−η ∂E_t/∂W^%d", l),
			scaled(-d.o.Rate, mean.W[l]), scaled(-d.o.Rate, d.gradients.W[l]), d.in("W", l)))
	}
	for l := 2; l <= d.L() && d.n.Bias; l++ {
		g.Equations = append(g.Equations, vector("A.48", fmt.Sprintf("b^%d ← b^%d − η ∂E_t/∂b^%d", l, l, l), "delta.DescendBias", fmt.Sprintf("−η ∂E_t/∂b^%d", l),
			delta.Scale(-d.o.Rate, mean.B[l]), delta.Scale(-d.o.Rate, d.gradients.B[l]), machine, d.in("b", l)))
	}
	if !d.n.Bias {
		g.Note = g.Note.Plus(lang.Text{En: "; the network has no bias, so there is no A.48", Zh: "；网络没有偏置，所以没有 A.48"})
	}
	return g
}

// element returns the weight of a layer that stands for all in equations element by
// element: the chosen one, or the one with the largest gradient.
func (d *derivation) element(l int) (i, j int) {
	if w := d.o.Weight; w != nil && w.Layer == l {
		return w.I, w.J
	}
	best := 0.0
	for r, row := range d.gradients.W[l] {
		for c, v := range row {
			if math.Abs(v) > best {
				i, j, best = r, c, math.Abs(v)
			}
		}
	}
	return i, j
}

func (d *derivation) outputLayer() Group {
	L := d.L()
	i, j := d.element(L)
	a, z, aPrev := d.pass.A[L], d.pass.Z[L], d.pass.A[L-1]
	act, dL := d.net.G, d.deltas[L]
	symbolW, symbolD := fmt.Sprintf("∂E/∂w^%d[%d,%d]", L, i, j), fmt.Sprintf("δ^%d[%d]", L, i)
	inD, inW := d.in("d", L), d.in("W", L)
	other, otherD := d.gradients.W[L], d.of("d", L)
	return Group{
		Title: lang.Text{En: "Output layer, l = %d", Zh: "输出层，l = %d"}.With(L),
		Note:  lang.Text{En: "element by element for i = %d, j = %d", Zh: "逐元素，取 i = %d，j = %d"}.With(i, j),
		Equations: []Equation{
			scalar("A.49", fmt.Sprintf("∂E/∂w_ij^%d = −(y_i − a_i^%d) g'(z_i^%d) a_j^%d", L, L, L, L-1), "delta.OutputWeightElement", symbolW,
				delta.OutputWeightElement(act, d.y, a, z, aPrev, i, j), other[i][j], machine, inW),
			scalar("A.50", fmt.Sprintf("δ_i^%d = ∂E/∂z_i^%d = ∂E/∂a_i^%d g'(z_i^%d)", L, L, L, L), "delta.NodeDelta", symbolD,
				delta.NodeDelta(act, -(d.y[i]-a[i]), z[i]), otherD[i], programmed, inD),
			scalar("A.51", fmt.Sprintf("∂E/∂w_ij^%d = δ_i^%d a_j^%d", L, L, L-1), "delta.WeightElement", symbolW,
				delta.WeightElement(dL, aPrev, i, j), other[i][j], machine, inW),
			scalar("A.52", fmt.Sprintf("δ_i^%d = −(y_i − a_i^%d) g'(z_i^%d)", L, L, L), "delta.OutputDeltaElement", symbolD,
				delta.OutputDeltaElement(act, d.y, a, z, i), otherD[i], programmed, inD),
			matrix("A.53", fmt.Sprintf("∂E/∂w_ij^%d = δ_i^%d a_j^%d for all i, j", L, L, L-1), "delta.OutputWeightElements", fmt.Sprintf("∂E/∂W^%d", L),
				delta.OutputWeightElements(dL, aPrev), other, inW),
			vector("A.54", fmt.Sprintf("δ^%d = −(y − a^%d) ⊙ g'(z^%d)", L, L, L), "delta.OutputDelta", fmt.Sprintf("δ^%d", L),
				delta.OutputDelta(act, d.y, a, z), otherD, programmed, inD),
			matrix("A.55", fmt.Sprintf("∇_{W^%d} E = δ^%d (a^%d)ᵀ", L, L, L-1), "delta.WeightGradient", fmt.Sprintf("∇_{W^%d} E", L),
				delta.WeightGradient(dL, aPrev), other, inW),
		},
	}
}

func (d *derivation) hiddenLayers() Group {
	g := Group{Title: lang.Text{En: "Hidden layers", Zh: "隐藏层"}}
	if d.L() == 2 {
		g.Note = lang.Text{En: "the network has none, so there are no A.56 to A.59", Zh: "网络没有隐藏层，所以没有 A.56 至 A.59"}
		return g
	}
	for l := d.L() - 1; l >= 2; l-- {
		i, j := d.element(l)
		z, aPrev, next, dNext := d.pass.Z[l], d.pass.A[l-1], d.net.W[l+1], d.deltas[l+1]
		symbolD := fmt.Sprintf("δ^%d[%d]", l, i)
		inD, inW := d.in("d", l, fmt.Sprint("e", l)), d.in("W", l)
		other := d.of("d", l)
		g.Equations = append(g.Equations,
			scalar("A.56", fmt.Sprintf("∂E/∂w_ij^%d = δ_i^%d a_j^%d", l, l, l-1), "delta.WeightElement", fmt.Sprintf("∂E/∂w^%d[%d,%d]", l, i, j),
				delta.WeightElement(d.deltas[l], aPrev, i, j), d.gradients.W[l][i][j], machine, inW),
			matrix("A.56", fmt.Sprintf("∇_{W^%d} E = δ^%d (a^%d)ᵀ, for all i, j", l, l, l-1), "delta.WeightGradient", fmt.Sprintf("∇_{W^%d} E", l),
				delta.WeightGradient(d.deltas[l], aPrev), d.gradients.W[l], inW),
			scalar("A.57", fmt.Sprintf("δ_i^%d = Σ_j δ_j^%d ∂z_j^%d/∂z_i^%d", l, l+1, l+1, l), "delta.HiddenDeltaChain", symbolD,
				delta.HiddenDeltaChain(d.net.G, next, dNext, z, i), other[i], programmed, inD),
			scalar("A.58", fmt.Sprintf("δ_i^%d = (Σ_j δ_j^%d w_ji^%d) g'(z_i^%d)", l, l+1, l+1, l), "delta.HiddenDeltaElement", symbolD,
				delta.HiddenDeltaElement(d.net.G, next, dNext, z, i), other[i], programmed, inD),
			vector("A.59", fmt.Sprintf("δ^%d = ((W^%d)ᵀ δ^%d) ⊙ g'(z^%d)", l, l+1, l+1, l), "delta.HiddenDelta", fmt.Sprintf("δ^%d", l),
				delta.HiddenDelta(d.net.G, next, dNext, z), other, programmed, inD))
	}
	slices.SortStableFunc(g.Equations, func(a, b Equation) int { return strings.Compare(a.Number, b.Number) })
	g.Note = lang.Text{En: "element by element for the i, j of the largest gradient", Zh: "逐元素，取梯度最大的 i、j"}
	if w := d.o.Weight; w != nil {
		g.Note = g.Note.Plus(lang.Text{En: ", or of %v", Zh: "，或取 %v"}.With(*w))
	}
	return g
}

func (d *derivation) biases() Group {
	g := Group{Title: lang.Text{En: "Biases", Zh: "偏置"}}
	if !d.n.Bias {
		g.Note = lang.Text{En: "the network has none, so there are no A.60 and A.61", Zh: "网络没有偏置，所以没有 A.60 和 A.61"}
		return g
	}
	for l := d.L(); l >= 2; l-- {
		i, _ := d.element(l)
		g.Equations = append(g.Equations, scalar("A.60", fmt.Sprintf("∂E/∂b_i^%d = δ_i^%d", l, l), "delta.BiasElement", fmt.Sprintf("∂E/∂b^%d[%d]", l, i),
			delta.BiasElement(d.deltas[l], i), d.gradients.B[l][i], machine, d.in("b", l)))
	}
	for l := d.L(); l >= 2; l-- {
		g.Equations = append(g.Equations, vector("A.61", fmt.Sprintf("∇_{b^%d} E = δ^%d", l, l), "delta.BiasGradient", fmt.Sprintf("∇_{b^%d} E", l),
			delta.BiasGradient(d.deltas[l]), d.gradients.B[l], machine, d.in("b", l)))
	}
	return g
}

func (d *derivation) updates() Group {
	g := Group{Title: lang.Text{En: "Updates", Zh: "参数更新"}, Note: lang.Text{
		En: "the change of the parameters in the step", Zh: "这一步中参数的变化量",
	}}
	if d.o.Listing {
		g.Note = g.Note.Plus(lang.Text{
			En: ", in the listing's order: δ of a hidden layer comes from the updated weights",
			Zh: "，按书中程序的次序：隐藏层的 δ 由更新后的权重算出",
		})
	}
	for l := d.L(); l >= 2; l-- {
		g.Equations = append(g.Equations, matrix("A.62", fmt.Sprintf("W^%d ← W^%d − η δ^%d (a^%d)ᵀ", l, l, l, l-1), "delta.UpdateWeights", fmt.Sprintf("ΔW^%d", l),
			minus(d.after.W[l], d.net.W[l]), minus(d.stepped.W[l], d.net.W[l]), d.in("W", l)))
	}
	for l := d.L(); l >= 2 && d.n.Bias; l-- {
		g.Equations = append(g.Equations, vector("A.63", fmt.Sprintf("b^%d ← b^%d − η δ^%d", l, l, l), "delta.UpdateBias", fmt.Sprintf("Δb^%d", l),
			delta.Minus(d.after.B[l], d.net.B[l]), delta.Minus(d.stepped.B[l], d.net.B[l]), machine, d.in("b", l)))
	}
	return g
}

func (d *derivation) algorithm() Group {
	L := d.L()
	g := Group{Title: lang.Text{En: "The algorithm", Zh: "算法"}, Note: lang.Text{
		En: "A.64 and A.65 are A.54 and A.59 in the order of the computation; A.66 is for a mini-batch S, here of one sample",
		Zh: "A.64 和 A.65 就是按计算次序排列的 A.54 和 A.59；A.66 用于小批量 S，此处只有一个样本",
	}}
	g.Equations = append(g.Equations, vector("A.64", fmt.Sprintf("δ^%d = −(y − a^%d) ⊙ g'(z^%d)", L, L, L), "delta.Deltas", fmt.Sprintf("δ^%d", L),
		d.deltas[L], d.of("d", L), programmed, d.in("d", L)))
	for l := L - 1; l >= 2; l-- {
		g.Equations = append(g.Equations, vector("A.65", fmt.Sprintf("δ^%d = ((W^%d)ᵀ δ^%d) ⊙ g'(z^%d)", l, l+1, l+1, l), "delta.Deltas", fmt.Sprintf("δ^%d", l),
			d.deltas[l], d.of("d", l), programmed, d.in("d", l, fmt.Sprint("e", l))))
	}
	for l := L; l >= 2; l-- {
		mean := delta.MeanOfProducts([]delta.Vector{d.deltas[l]}, []delta.Vector{d.pass.A[l-1]})
		g.Equations = append(g.Equations, matrix("A.66", fmt.Sprintf("∇_{W^%d} E = 1/|S| Σ_s δ^{s,%d} (a^{s,%d})ᵀ, here |S| = 1", l, l, l-1), "delta.MeanOfProducts", fmt.Sprintf("∇_{W^%d} E", l),
			mean, d.gradients.W[l], d.in("W", l)))
	}
	return g
}

// gradient computes the derivative of the chosen parameter in three ways.
func (d *derivation) gradient() Gradient {
	w := Weight{Layer: 2}
	if d.o.Weight != nil {
		w = *d.o.Weight
	} else {
		w.I, w.J = d.element(2)
	}
	g := Gradient{Weight: w}
	if w.Bias {
		g.Parameter, g.Machine, g.Delta = d.net.B[w.Layer][w.I], d.gradients.B[w.Layer][w.I], delta.BiasElement(d.deltas[w.Layer], w.I)
	} else {
		g.Parameter, g.Machine = d.net.W[w.Layer][w.I][w.J], d.gradients.W[w.Layer][w.I][w.J]
		g.Delta = delta.WeightElement(d.deltas[w.Layer], d.pass.A[w.Layer-1], w.I, w.J)
	}
	g.Differences, g.Error = gradcheck.CentralDifference(d.net, d.x, d.y, w.Layer, w.I, w.J, w.Bias)
	return g
}

func (d *derivation) step() Step {
	after := delta.Output(d.after, d.x)
	s := Step{
		Order:      simultaneous,
		CostBefore: d.cost, CostAfter: d.costAfter,
		Before: d.output, After: d.outputAfter, AnswerAfter: largest(d.outputAfter),
		Difference: max(Difference(d.outputAfter, after), Difference([]float64{d.costAfter}, []float64{delta.Cost(d.y, after)})),
	}
	if d.o.Listing {
		s.Order = listing
	}
	return s
}

// largest returns the index of the largest value, the first of equals.
func largest(values []float64) int { return slices.Index(values, slices.Max(values)) }
