package lower

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"trainer/data"
	"trainer/graph"
	"trainer/graph/delta"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm/vmtest"
)

// TestInstructionCount pins the size of the programs of the textbook's network. A
// compiled layer has two instructions (z and a), δ^3 is one, δ^2 is two (e and δ),
// each parameter has one update, and the cost, if it is asked for, is three (squares,
// sum and mean).
func TestInstructionCount(t *testing.T) {
	for _, tt := range []struct {
		activation     model.Activation
		bias           bool
		batch          int
		nodes, lowered int
	}{
		{model.Sigmoid, false, 1, 39, 9},
		{model.Sigmoid, true, 1, 43, 11},
		{model.Sigmoid, false, 128, 39, 9},
		{model.Sigmoid, true, 128, 53, 11},
		{model.Tanh, false, 1, 37, 9},
		{model.Tanh, true, 128, 51, 11},
	} {
		n := model.Network{Layers: []int{784, 50, 10}, Activation: tt.activation, Bias: tt.bias}
		imported := 0
		p := lowered(t, graph.Step, n, tt.batch, Options{Trace: func(pass string, p *ir.Program) {
			if pass == "import" {
				imported = len(p.Code)
			}
		}})
		if imported != tt.nodes || len(p.Code) != tt.lowered {
			t.Errorf("%v batch %d: %d instructions, lowered from %d; want %d from %d\n%s", n, tt.batch, len(p.Code), imported, tt.lowered, tt.nodes, p)
		}
		if with := lowered(t, graph.Step, n, tt.batch, Options{Cost: true}); len(with.Code) != tt.lowered+3 || with.Cost == ir.None || p.Cost != ir.None {
			t.Errorf("%v batch %d: %d instructions with the cost, want %d\n%s", n, tt.batch, len(with.Code), tt.lowered+3, with)
		}
		forward := lowered(t, graph.Forward, n, tt.batch, Options{})
		if len(forward.Code) != 4 {
			t.Errorf("%v batch %d: forward in %d instructions, want 4\n%s", n, tt.batch, len(forward.Code), forward)
		}
	}
}

// textbook is a step of the textbook's network with biases, in the order of the
// equations.
const textbook = `
program "step 784-50-10 sigmoid, with bias, float32" float32 batch 1
  x    data      1x784
  W2   parameter 50x784 by input
  b2   parameter 1x50
  z2   temporary 1x50
  a2   temporary 1x50
  W3   parameter 10x50
  b3   parameter 1x10
  z3   temporary 1x10
  a3   temporary 1x10
  y    target    1x10
  d3   temporary 1x10
  e2   temporary 1x50
  d2   temporary 1x50
  output a3
  0  z2  = affine x W2 b2                   ; z^2 = W^2 a^1 + b^2
  1  a2  = activate sigmoid z2              ; a^2 = g(z^2)
  2  z3  = affine a2 W3 b3                  ; z^3 = W^3 a^2 + b^3
  3  a3  = activate sigmoid z3              ; a^3 = g(z^3)
  4  d3  = outputdelta sigmoid a3 y * -rate ; −η × δ^3 (A.64)
  5  b3 += d3                               ; b^3 ← b^3 − η δ^3 (A.63)
  6  e2  = matmul d3 W3                     ; −η × (W^3)ᵀ δ^3 of A.65
  7  W3 += d3^T a2                          ; W^3 ← W^3 − η δ^3 (a^2)ᵀ (A.62)
  8  d2  = hiddendelta sigmoid e2 a2        ; −η × δ^2 (A.65)
  9  W2 += d2^T x                           ; W^2 ← W^2 − η δ^2 (a^1)ᵀ (A.62)
  10 b2 += d2                               ; b^2 ← b^2 − η δ^2 (A.63)
`

func TestTextbookProgram(t *testing.T) {
	p := lowered(t, graph.Step, model.Network{Layers: []int{784, 50, 10}, Bias: true}, 1, Options{})
	if want := parse(t, textbook); !p.Equal(want) {
		t.Errorf("have\n%swant\n%s", p, want)
	}
	p = lowered(t, graph.Step, model.Network{Layers: []int{784, 50, 10}, Bias: true}, 128, Options{})
	var notes []string
	for _, in := range p.Code {
		if in.Op.IsUpdate() {
			notes = append(notes, in.Note)
		}
	}
	want := []string{
		"b^3 ← b^3 − η/|S| Σ δ^3 (A.63, A.66)", "W^3 ← W^3 − η/|S| Σ δ^3 (a^2)ᵀ (A.62, A.66)",
		"W^2 ← W^2 − η/|S| Σ δ^2 (a^1)ᵀ (A.62, A.66)", "b^2 ← b^2 − η/|S| Σ δ^2 (A.63, A.66)",
	}
	if !slices.Equal(notes, want) {
		t.Errorf("notes %q, want %q", notes, want)
	}
}

func lowered(t *testing.T, build func(model.Network, int) (*graph.Graph, error), n model.Network, batch int, o Options) *ir.Program {
	t.Helper()
	g, err := build(n, batch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Program(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// state holds what a step changes and what it returns.
type state struct {
	parameters model.Parameters
	output     []float64
	cost       float64
}

// interpret runs p over mem with the state's parameters, and updates the state.
func (s *state) interpret(t *testing.T, p *ir.Program, mem *ir.Memory[float64], x, y []float64, rate float64) {
	t.Helper()
	at := func(name string) []float64 {
		r, ok := p.Lookup(name)
		if !ok {
			t.Fatalf("no buffer %s in\n%s", name, p)
		}
		return mem.Buf[r]
	}
	each := func(f func(buffer, values []float64)) {
		for i, l := range s.parameters {
			f(at(fmt.Sprintf("W%d", i+2)), l.Weight)
			if l.Bias != nil {
				f(at(fmt.Sprintf("b%d", i+2)), l.Bias)
			}
		}
	}
	copy(at("x"), x)
	each(func(buffer, values []float64) { copy(buffer, values) })
	if y != nil {
		copy(at("y"), y)
	}
	if err := ir.Interpret(p, mem, rate); err != nil {
		t.Fatal(err)
	}
	each(func(buffer, values []float64) { copy(values, buffer) })
	s.output = slices.Clone(mem.Buf[p.Output])
	if p.Cost != ir.None {
		s.cost = mem.Buf[p.Cost][0]
	}
}

// compare describes where two states differ, relative to the largest value of a
// tensor, or returns "".
func (s *state) compare(want *state, bound float64) string {
	if d := compare([]float64{s.cost}, []float64{want.cost}, bound); d != "" {
		return "cost: " + d
	}
	if d := compare(s.output, want.output, bound); d != "" {
		return "output: " + d
	}
	difference := ""
	var tensors [][]float64
	want.parameters.Tensors(func(_ string, _ []int, values []float64) { tensors = append(tensors, values) })
	s.parameters.Tensors(func(name string, _ []int, values []float64) {
		if d := compare(values, tensors[0], bound); d != "" && difference == "" {
			difference = name + ": " + d
		}
		tensors = tensors[1:]
	})
	return difference
}

// problem is a network with parameters, and mini-batches for it.
type problem struct {
	network model.Network
	batch   int
	rate    float64
	initial model.Parameters
	xs, ys  [][]float64 // for each step, one row per sample
}

// randomProblem returns a problem for a network with 1 to 4 weight matrices and 1 to
// 40 nodes per layer. The weights have magnitude n^-½, so that few nodes saturate.
func randomProblem(seed uint64, steps int) problem {
	r := rand.New(rand.NewPCG(seed, 4))
	pr := problem{batch: 1 + r.IntN(9), rate: 1.5}
	n := &pr.network
	n.Precision = model.Float64
	for range 2 + r.IntN(4) {
		n.Layers = append(n.Layers, 1+r.IntN(40))
	}
	n.Bias = r.IntN(2) == 0
	n.Activation = model.Activation(r.IntN(2))
	if r.IntN(3) == 0 {
		pr.batch = 1
	}
	pr.initial = model.NewParameters(*n)
	for _, l := range pr.initial {
		for i := range l.Weight {
			l.Weight[i] = r.NormFloat64() / math.Sqrt(float64(l.In))
		}
		for i := range l.Bias {
			l.Bias[i] = r.NormFloat64()
		}
	}
	for range steps {
		x, y := make([]float64, pr.batch*n.Inputs()), make([]float64, pr.batch*n.Outputs())
		for i := range x {
			x[i] = max(0, 2*r.Float64()-1)
		}
		for i := range y {
			y[i] = r.Float64()
		}
		pr.xs, pr.ys = append(pr.xs, x), append(pr.ys, y)
	}
	return pr
}

func (pr problem) String() string { return fmt.Sprintf("%v batch %d", pr.network, pr.batch) }

// delta takes step k with the equations of package delta.
func (s *state) delta(pr problem, k int, listing bool) {
	n := pr.network
	net := delta.Network{W: make([]delta.Matrix, len(s.parameters)+2), G: delta.Sigmoid}
	if n.Activation == model.Tanh {
		net.G = delta.Tanh
	}
	if n.Bias {
		net.B = make([]delta.Vector, len(net.W))
	}
	for i, l := range s.parameters {
		for o := range l.Out { // rows share the state's memory
			net.W[i+2] = append(net.W[i+2], l.Weight[o*l.In:(o+1)*l.In])
		}
		if n.Bias {
			net.B[i+2] = l.Bias
		}
	}
	var xs, ys []delta.Vector
	s.output = nil
	for b := range pr.batch {
		xs = append(xs, pr.xs[k][b*n.Inputs():(b+1)*n.Inputs()])
		ys = append(ys, pr.ys[k][b*n.Outputs():(b+1)*n.Outputs()])
		s.output = append(s.output, delta.Output(net, xs[b])...)
	}
	cost, gradients := delta.MiniBatch(net, xs, ys)
	s.cost = cost
	if listing {
		delta.StepListing(net, xs[0], ys[0], pr.rate)
	} else {
		delta.Step(net, gradients, pr.rate)
	}
}

// problems returns the number of random networks of a test.
func problems(full int) uint64 {
	if testing.Short() {
		return uint64(full / 5)
	}
	return uint64(full)
}

// rounding bounds the relative difference of two ways to compute a float64 step. The
// sums have up to 41 terms, through four layers and back. Their order and the
// grouping of products differ: 40 · 8 · 2^-53 is 4e-14. A difference 1 − a or y − a
// may cancel a digit or two.
const rounding = 1e-12

// TestStages runs the program after the import and after each pass, on random
// networks, and compares the results with those of package delta. The program without
// the cost and the forward program give the same bits as the step.
func TestStages(t *testing.T) {
	for seed := range problems(150) {
		pr := randomProblem(seed, 1)
		want := &state{parameters: pr.initial.Clone()}
		want.delta(pr, 0, false)
		p := lowered(t, graph.Step, pr.network, pr.batch, Options{Cost: true, Trace: func(pass string, p *ir.Program) {
			got := &state{parameters: pr.initial.Clone()}
			got.interpret(t, p, ir.NewMemory[float64](p), pr.xs[0], pr.ys[0], pr.rate)
			if d := got.compare(want, rounding); d != "" {
				t.Fatalf("%v, seed %d, after %s: %s\n%s", pr, seed, pass, d, p)
			}
		}})
		own, without := &state{parameters: pr.initial.Clone()}, &state{parameters: pr.initial.Clone()}
		own.interpret(t, p, ir.NewMemory[float64](p), pr.xs[0], pr.ys[0], pr.rate)
		p = lowered(t, graph.Step, pr.network, pr.batch, Options{})
		without.interpret(t, p, ir.NewMemory[float64](p), pr.xs[0], pr.ys[0], pr.rate)
		without.cost = own.cost
		if d := without.compare(own, 0); d != "" {
			t.Errorf("%v, seed %d: without the cost: %s\n%s", pr, seed, d, p)
		}
		forward := lowered(t, graph.Forward, pr.network, pr.batch, Options{})
		predicted := &state{parameters: pr.initial.Clone(), cost: own.cost}
		predicted.interpret(t, forward, ir.NewMemory[float64](forward), pr.xs[0], nil, pr.rate)
		own.parameters = pr.initial
		if d := predicted.compare(own, 0); d != "" {
			t.Errorf("%v, seed %d: forward: %s\n%s", pr, seed, d, forward)
		}
	}
}

// TestRuns takes many steps with the program and with package delta, in the order of
// the equations, and for single samples in the order of the listing.
func TestRuns(t *testing.T) {
	const steps = 40
	for _, listing := range []bool{false, true} {
		differ := 0
		for seed := range problems(40) {
			pr := randomProblem(seed+1000, steps)
			pr.rate = 0.1 // large steps amplify every difference, including rounding
			if listing {
				pr.batch = 1 // the other samples of each mini-batch are not used
			}
			p := lowered(t, graph.Step, pr.network, pr.batch, Options{Listing: listing, Cost: true})
			other := lowered(t, graph.Step, pr.network, pr.batch, Options{Listing: !listing, Cost: true})
			got, want := &state{parameters: pr.initial.Clone()}, &state{parameters: pr.initial.Clone()}
			mem := ir.NewMemory[float64](p)
			for k := range steps {
				x, y := pr.xs[k][:pr.batch*pr.network.Inputs()], pr.ys[k][:pr.batch*pr.network.Outputs()]
				if k == 0 {
					wrong := &state{parameters: pr.initial.Clone()}
					wrong.interpret(t, other, ir.NewMemory[float64](other), x, y, pr.rate)
					want.delta(pr, k, listing)
					// The order matters if there is a hidden layer: its δ reads the weights of
					// the next layer.
					if same := wrong.compare(want, 1e-6) == ""; same != (len(pr.network.Layers) == 2) {
						t.Errorf("%v, seed %d: the other order gives the same result: %t", pr, seed, same)
					} else if !same {
						differ++
					}
				} else {
					want.delta(pr, k, listing)
				}
				got.interpret(t, p, mem, x, y, pr.rate)
				// The rounding errors of the steps add up.
				if d := got.compare(want, rounding*float64(k+1)); d != "" {
					t.Fatalf("%v, seed %d, listing %t, step %d: %s\n%s", pr, seed, listing, k+1, d, p)
				}
			}
		}
		if differ == 0 {
			t.Error("no network with a hidden layer")
		}
	}
}

// TestReference compares with the reference runs of package vmtest, with its bounds
// for float64. A ragged last batch is a second program over the same parameters.
func TestReference(t *testing.T) {
	names := []string{"textbook-listing", "ragged-batch"}
	if !testing.Short() {
		names = append(names, "sgd", "sgd-bias", "minibatch-bias", "deep-bias")
	}
	for _, name := range names {
		t.Run(name, func(t *testing.T) {
			ref, err := vmtest.LoadReference(name)
			if err != nil {
				t.Fatal(err)
			}
			n := ref.Network
			s := &state{parameters: ref.Initial.Clone()}
			programs := map[int]*ir.Program{}
			memories := map[int]*ir.Memory[float64]{}
			var costs []float64
			for from := 0; from < ref.Set.Len(); from += ref.Batch {
				batch := min(ref.Batch, ref.Set.Len()-from)
				x, y := make([]float64, batch*n.Inputs()), make([]float64, batch*n.Outputs())
				for i := range batch {
					data.Input(x[i*n.Inputs():(i+1)*n.Inputs()], ref.Set, from+i)
					data.OneHot(y[i*n.Outputs():(i+1)*n.Outputs()], ref.Set.Labels[from+i])
				}
				p := programs[batch]
				if p == nil {
					p = lowered(t, graph.Step, n, batch, Options{Listing: ref.Listing, Cost: true})
					programs[batch], memories[batch] = p, ir.NewMemory[float64](p)
				}
				s.interpret(t, p, memories[batch], x, y, ref.Rate)
				costs = append(costs, s.cost)
			}
			if want := 1 + btoi(ref.Set.Len()%ref.Batch != 0); len(programs) != want {
				t.Errorf("%d programs, want %d", len(programs), want)
			}
			for i, want := range ref.Costs {
				if !(math.Abs(costs[i]-want) <= 1e-12*want) {
					t.Errorf("cost of step %d is %v, want %v", i+1, costs[i], want)
				}
			}
			x := make([]float64, ref.Set.Len()*n.Inputs())
			for i := range ref.Set.Len() {
				data.Input(x[i*n.Inputs():(i+1)*n.Inputs()], ref.Set, i)
			}
			p := lowered(t, graph.Forward, n, ref.Set.Len(), Options{})
			s.interpret(t, p, ir.NewMemory[float64](p), x, nil, 0)
			s.cost = 0
			if d := s.compare(&state{parameters: ref.Final, output: ref.Output}, 1e-11); d != "" {
				t.Errorf("after the last step: %s", d)
			}
		})
	}
}

// TestCompiler checks that a Compiler returns the programs of Program, and the errors
// of package graph.
func TestCompiler(t *testing.T) {
	c := Compiler{Network: model.Network{Layers: []int{4, 3, 2}, Bias: true}, Options: Options{Listing: true}}
	for name, tt := range map[string]struct {
		compile func(int) (*ir.Program, error)
		build   func(model.Network, int) (*graph.Graph, error)
		cost    bool
	}{"step": {c.Step, graph.Step, false}, "step with cost": {c.StepWithCost, graph.Step, true}, "forward": {c.Forward, graph.Forward, false}} {
		p, err := tt.compile(3)
		if err != nil {
			t.Fatal(err)
		}
		if want := lowered(t, tt.build, c.Network, 3, Options{Listing: true, Cost: tt.cost}); !p.Equal(want) {
			t.Errorf("%s: have\n%swant\n%s", name, p, want)
		}
		if p, err := tt.compile(0); err == nil || p != nil {
			t.Errorf("%s of a batch of 0: %v, %v; want an error", name, p, err)
		}
	}
}
