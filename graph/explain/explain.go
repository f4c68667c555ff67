// Package explain computes the textbook's derivation for one sample: each equation
// from A.45 to A.66 in the order of the book, with its formula, the function of
// package delta that is this equation, the instructions of the compiled program that
// compute it, and this sample's numbers.
//
// The numbers are computed twice. The equations by hand (package delta) are one
// computation. The other one is, for the outputs, the cost, the gradients and the
// parameters after a step, the machine; and for values inside the network, which a
// machine does not give away, the compiled program, run by the loops that define it
// (ir.Interpret). Each equation says which of the two its numbers were compared with,
// and how far they differ.
//
// All is in float64, whatever the precision of the trained network: the machine must
// be one for float64. In float64 the two agree to about 1e-15.
//
// Layers are numbered as in the book, from 1. Nodes count from 0, as in package
// delta. An Explanation is plain data for any form of output; Text is one.
package explain

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/delta"
	"trainer/graph/gradcheck"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Options says what to explain.
type Options struct {
	Sample string // what the sample is called: "image 17 of MNIST test"
	Rate   float64

	// Listing says that the machine and the compiler use the update order of the
	// textbook's listing.
	Listing bool

	// Weight is the parameter whose gradient is computed in three ways; nil: the
	// weight of W^2 with the largest gradient.
	Weight *Weight
}

// Weight names a parameter: w_ij of W^l, or b_i of b^l.
type Weight struct {
	Layer int  `json:"layer"` // l, from 2
	I     int  `json:"i"`     // node of layer l, from 0
	J     int  `json:"j"`     // node of layer l−1, from 0; 0 of a bias
	Bias  bool `json:"bias,omitempty"`
}

// String returns the book's symbol: "w^2[17,405]".
func (w Weight) String() string {
	if w.Bias {
		return fmt.Sprintf("b^%d[%d]", w.Layer, w.I)
	}
	return fmt.Sprintf("w^%d[%d,%d]", w.Layer, w.I, w.J)
}

// Explanation is the derivation with one sample's numbers.
type Explanation struct {
	Sample  string    `json:"sample"`
	Network lang.Text `json:"network"`
	Layers  []int     `json:"layers"` // n^1 … n^L
	Machine string    `json:"machine"`
	Rate    float64   `json:"rate"` // η
	Label   int       `json:"label"`
	Answer  int       `json:"answer"` // the class with the largest output; the first of equals
	Input   []float64 `json:"input"`  // x
	Target  []float64 `json:"target"` // y
	Output  []float64 `json:"output"` // a^L, the machine's

	Groups     []Group  `json:"groups"`
	Gradient   Gradient `json:"gradient"`
	Step       Step     `json:"step"`
	Difference float64  `json:"difference"` // the largest of all Groups and of the step
}

// Group is a part of the derivation.
type Group struct {
	Title     lang.Text  `json:"title"`         // English in JSON, as Note
	Note      lang.Text  `json:"note,omitzero"` // why it has no equations, or how to read them
	Equations []Equation `json:"equations,omitempty"`
}

// Equation is an equation of the book for one layer.
type Equation struct {
	Number       string        `json:"number"` // "A.45"; "" for the forward pass, which has none
	Formula      string        `json:"formula"`
	Function     string        `json:"function"`     // that is this equation: "delta.Cost"
	Instructions []Instruction `json:"instructions"` // that compute it, in order
	Symbol       string        `json:"symbol"`       // of its numbers: "δ^3"
	Value        Value         `json:"value"`        // by Function
	Against      string        `json:"against"`      // what it was compared with: "machine" or "program"
	Difference   float64       `json:"difference"`   // see Difference
}

// Instruction is an instruction of the compiled program for single samples.
type Instruction struct {
	// Number is that in the program that trains, as `trainer graph` prints
	// it; −1 for an instruction that only a program with the cost has.
	Number int    `json:"number"`
	Text   string `json:"text"`
}

// Value is a number, a vector or a matrix. A matrix is given by its norm and its
// largest entries.
type Value struct {
	Rows    int       `json:"rows"`
	Cols    int       `json:"cols"`
	Values  []float64 `json:"values,omitempty"` // of a number or a vector
	Norm    float64   `json:"norm"`             // the root of the sum of the squares
	Min     float64   `json:"min"`
	Max     float64   `json:"max"`
	Zeros   int       `json:"zeros"`   // entries that are 0
	Largest []Entry   `json:"largest"` // by magnitude
}

// Entry is an entry of a matrix, or of a vector, whose column is 0.
type Entry struct {
	I     int     `json:"i"`
	J     int     `json:"j"`
	Value float64 `json:"value"`
}

// Gradient is the derivative ∂E/∂w of one parameter, in three ways that share no
// derivation.
type Gradient struct {
	Weight      Weight  `json:"weight"`
	Parameter   float64 `json:"parameter"`         // its value
	Machine     float64 `json:"machine"`           // symbolic, by Gorgonia, compiled
	Delta       float64 `json:"delta"`             // by hand
	Differences float64 `json:"differences"`       // central differences of the cost
	Error       float64 `json:"differences_error"` // a bound on the rounding error of Differences
}

// Step is one step of gradient descent on the sample.
type Step struct {
	Order       string    `json:"order"`       // "simultaneous", or "listing"
	CostBefore  float64   `json:"cost_before"` // E
	CostAfter   float64   `json:"cost_after"`
	Before      []float64 `json:"before"` // a^L
	After       []float64 `json:"after"`
	AnswerAfter int       `json:"answer_after"`
	Difference  float64   `json:"difference"` // of E and a^L after the step, machine and delta
}

// Explain explains what m does with the one image of set. c makes the programs that m
// runs. m is left with the parameters that it had.
func Explain(m vm.VM, c vm.Compiler, set *data.Set, o Options) (e Explanation, err error) {
	n := m.Network()
	if err := check(n, set, o); err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	p, err := m.Parameters()
	if err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	d, err := newDerivation(m, c, set, p, o)
	if err == nil {
		e, err = d.explanation()
	}
	if restored := m.SetParameters(p); err == nil {
		err = restored
	}
	if err != nil {
		return Explanation{}, fmt.Errorf("explain: %w", err)
	}
	return e, nil
}

func check(n model.Network, set *data.Set, o Options) error {
	if n.Precision != model.Float64 {
		return fmt.Errorf("machine for %v: want one for %v", n.Precision, model.Float64)
	}
	if set.Len() != 1 {
		return fmt.Errorf("%d images: want one", set.Len())
	}
	if err := vm.CheckSet(set, n); err != nil {
		return err
	}
	if !(o.Rate > 0) || math.IsInf(o.Rate, 0) {
		return fmt.Errorf("rate %v: want a positive number", o.Rate)
	}
	if o.Weight != nil {
		return o.Weight.Check(n)
	}
	return nil
}

// Check returns an error if n has no such parameter.
func (w Weight) Check(n model.Network) error {
	switch {
	case w.Layer < 2 || w.Layer > len(n.Layers):
		return fmt.Errorf("%v: layer %d, want 2 to %d", w, w.Layer, len(n.Layers))
	case w.I < 0 || w.I >= n.Layers[w.Layer-1]:
		return fmt.Errorf("%v: node %d of layer %d, want 0 to %d", w, w.I, w.Layer, n.Layers[w.Layer-1]-1)
	case w.Bias && !n.Bias:
		return fmt.Errorf("%v: the network has no bias", w)
	case !w.Bias && (w.J < 0 || w.J >= n.Layers[w.Layer-2]):
		return fmt.Errorf("%v: node %d of layer %d, want 0 to %d", w, w.J, w.Layer-1, n.Layers[w.Layer-2]-1)
	}
	return nil
}

// derivation is what both computations know of a sample.
type derivation struct {
	n    model.Network
	m    vm.VM
	set  *data.Set
	o    Options
	x, y delta.Vector

	// By hand.
	net    delta.Network
	pass   delta.Pass
	deltas []delta.Vector
	after  delta.Network // after the step

	// By the machine.
	output, outputAfter []float64
	cost, costAfter     float64
	gradients           delta.Gradients
	stepped             delta.Network

	// By the program.
	program program
}

func newDerivation(m vm.VM, c vm.Compiler, set *data.Set, p model.Parameters, o Options) (*derivation, error) {
	n := m.Network()
	d := &derivation{n: n, m: m, set: set, o: o, x: make(delta.Vector, n.Inputs()), y: make(delta.Vector, n.Outputs())}
	data.Input(d.x, set, 0)
	data.OneHot(d.y, set.Labels[0])

	d.net = gradcheck.ToDelta(n, p.Clone())
	d.pass = delta.Forward(d.net, d.x)
	for l := 2; l <= d.net.L(); l++ {
		if !model.Finite(d.pass.Z[l]) {
			return nil, fmt.Errorf("z^%d is not finite: the parameters are too large", l)
		}
	}
	d.deltas = delta.Deltas(d.net, d.pass, d.y)
	d.after = gradcheck.ToDelta(n, p.Clone())
	step := delta.StepSample
	if o.Listing {
		step = delta.StepListing
	}
	step(d.after, d.x, d.y, o.Rate)

	if err := d.runMachine(); err != nil {
		return nil, err
	}
	var err error
	d.program, err = runProgram(c, p, d.x, d.y)
	return d, err
}

// runMachine has the machine predict, take the gradients and take a step.
func (d *derivation) runMachine() error {
	evaluate := func() (output []float64, cost float64, g model.Parameters, err error) {
		if output, err = d.m.Predict(d.x); err != nil {
			return nil, 0, nil, err
		}
		cost, g, err = d.m.Gradients(d.x, d.y)
		return output, cost, g, err
	}
	var g model.Parameters
	var err error
	if d.output, d.cost, g, err = evaluate(); err != nil {
		return err
	}
	own := gradcheck.ToDelta(d.n, g)
	d.gradients = delta.Gradients{W: own.W, B: own.B}
	if err := train(d.m, d.set, d.o.Rate); err != nil {
		return err
	}
	p, err := d.m.Parameters()
	if err != nil {
		return err
	}
	d.stepped = gradcheck.ToDelta(d.n, p)
	d.outputAfter, d.costAfter, _, err = evaluate()
	return err
}

// program is the compiled step for single samples with the values of its buffers.
type program struct {
	train  *ir.Program // as it trains
	costed *ir.Program // with the cost
	values map[string][]float64
}

// runProgram runs the program with η = −1, so that the factor −η of its deltas is 1
// and nothing is subtracted from the parameters but their gradients.
func runProgram(c vm.Compiler, p model.Parameters, x, y []float64) (r program, err error) {
	if r.train, err = c.Step(1); err != nil {
		return r, err
	}
	if r.costed, err = c.StepWithCost(1); err != nil {
		return r, err
	}
	q := ir.Gradients(r.costed)
	memory := ir.NewMemory[float64](q)
	for ref, b := range q.Buffers {
		switch b.Kind {
		case ir.Data:
			copy(memory.Buf[ref], x)
		case ir.Target:
			copy(memory.Buf[ref], y)
		}
	}
	parameters := q.Parameters()
	p.Tensors(func(_ string, _ []int, values []float64) {
		copy(memory.Buf[parameters[0]], values)
		parameters = parameters[1:]
	})
	if err := ir.Interpret(q, memory, -1); err != nil {
		return r, err
	}
	r.values = map[string][]float64{}
	for ref, b := range q.Buffers {
		r.values[b.Name] = memory.Buf[ref]
	}
	return r, nil
}

// instructions returns the instructions that write the named buffers, in the order
// of the program.
func (r program) instructions(names ...string) (list []Instruction) {
	for k, in := range r.costed.Code {
		if slices.Contains(names, r.costed.Buffers[in.Dst].Name) {
			list = append(list, r.instruction(k))
		}
	}
	return list
}

// cost returns the instructions that compute the cost from the output.
func (r program) cost() (list []Instruction) {
	needed := map[ir.Ref]bool{r.costed.Cost: true}
	for k, in := range slices.Backward(r.costed.Code) {
		if needed[in.Dst] && in.Dst != r.costed.Output && !in.Op.IsUpdate() {
			list = append(list, r.instruction(k))
			for _, a := range in.Args {
				needed[a] = true
			}
		}
	}
	slices.Reverse(list)
	return list
}

func (r program) instruction(k int) Instruction {
	text := r.costed.Text(k)
	number := slices.IndexFunc(r.train.Code, func(in ir.Instr) bool {
		return r.train.Buffers[in.Dst].Name == r.costed.Buffers[r.costed.Code[k].Dst].Name
	})
	if number >= 0 && r.train.Text(number) != text {
		number = -1
	}
	return Instruction{number, text}
}

// Difference returns the largest difference of two vectors: |v − w|, or that divided
// by |w| where |w| is larger than 1. It is infinite if the lengths differ or a
// difference is not a number.
func Difference(v, w []float64) float64 {
	if len(v) != len(w) {
		return math.Inf(1)
	}
	largest := 0.0
	for k := range v {
		d := math.Abs(v[k]-w[k]) / max(1, math.Abs(w[k]))
		if math.IsNaN(d) {
			return math.Inf(1)
		}
		largest = max(largest, d)
	}
	return largest
}

// largestEntries is how many entries of a vector or matrix a Value names.
const largestEntries = 4

// valueOf describes a matrix.
func valueOf(rows, cols int, values []float64) Value {
	v := Value{Rows: rows, Cols: cols, Min: math.Inf(1), Max: math.Inf(-1)}
	if rows == 1 || cols == 1 {
		v.Values = slices.Clone(values)
	}
	scale := 0.0 // the largest magnitude: squares of larger numbers may overflow
	for _, x := range values {
		scale = max(scale, math.Abs(x))
	}
	for k, x := range values {
		v.Min, v.Max = min(v.Min, x), max(v.Max, x)
		if x == 0 {
			v.Zeros++
		}
		if scale > 0 {
			v.Norm += (x / scale) * (x / scale)
		}
		at := len(v.Largest)
		for at > 0 && math.Abs(v.Largest[at-1].Value) < math.Abs(x) {
			at--
		}
		if at < largestEntries && x != 0 {
			v.Largest = slices.Insert(v.Largest, at, Entry{k / cols, k % cols, x})
			v.Largest = v.Largest[:min(len(v.Largest), largestEntries)]
		}
	}
	v.Norm = scale * math.Sqrt(v.Norm)
	return v
}

// errNotFinite is the error for numbers that JSON cannot hold.
var errNotFinite = errors.New("a number is not finite: the parameters are too large")
