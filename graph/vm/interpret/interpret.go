// Package interpret is the machine that runs compiled programs by ir.Interpret:
// plain loops, the definition of every instruction. It shows what a program
// means, and witnesses for the fast machines.
package interpret

import (
	"context"
	"fmt"
	"runtime"

	"trainer/data"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// New makes a machine with parameters of zero. compile makes its programs.
func New(network model.Network, compile vm.Compiler) (vm.VM, error) {
	if err := network.Check(); err != nil {
		return nil, fmt.Errorf("interpret: %w", err)
	}
	if network.Precision == model.Float64 {
		return newMachine[float64](network, compile), nil
	}
	return newMachine[float32](network, compile), nil
}

// machine is the vm.VM of an element type.
type machine[T data.Float] struct {
	network   model.Network
	compile   vm.Compiler
	parameter map[string][]T     // by the name in programs
	steps     map[int]program[T] // by batch size
	forward   map[int]program[T]
}

// program is a program with its memory. Memory of parameters is the machine's.
type program[T data.Float] struct {
	*ir.Program
	memory *ir.Memory[T]
	x, y   []T // y is nil in a forward pass
}

func newMachine[T data.Float](n model.Network, compile vm.Compiler) *machine[T] {
	m := &machine[T]{network: n, compile: compile, parameter: map[string][]T{}, steps: map[int]program[T]{}, forward: map[int]program[T]{}}
	for i, l := range model.NewParameters(n) {
		w, b := model.Symbols(i)
		m.parameter[w] = make([]T, len(l.Weight))
		m.parameter[b] = make([]T, len(l.Bias))
	}
	return m
}

// bind gives p memory. Parameters that are not the machine's begin at zero.
func (m *machine[T]) bind(p *ir.Program) program[T] {
	b := program[T]{Program: p, memory: ir.NewMemory[T](p)}
	for r, buffer := range p.Buffers {
		switch buffer.Kind {
		case ir.Data:
			b.x = b.memory.Buf[r]
		case ir.Target:
			b.y = b.memory.Buf[r]
		case ir.Parameter:
			if own, ok := m.parameter[buffer.Name]; ok {
				b.memory.Buf[r] = own
			}
		}
	}
	return b
}

// get returns the program of a batch size, and makes it the first time.
func (m *machine[T]) get(known map[int]program[T], compile func(int) (*ir.Program, error), batch int) (program[T], error) {
	if b, ok := known[batch]; ok {
		return b, nil
	}
	p, err := compile(batch)
	if err != nil {
		return program[T]{}, fmt.Errorf("interpret: %w", err)
	}
	known[batch] = m.bind(p)
	return known[batch], nil
}

// Name implements vm.VM.
func (m *machine[T]) Name() string { return "interpret" }

// Describe implements vm.VM.
func (m *machine[T]) Describe(batch int) (string, error) {
	if err := vm.CheckBatchSize(batch); err != nil {
		return "", fmt.Errorf("interpret: %w", err)
	}
	return "compiled, plain loops, one core", nil
}

// Network implements vm.VM.
func (m *machine[T]) Network() model.Network { return m.network }

// Load implements vm.VM: rows are converted when they are used.
func (m *machine[T]) Load(set *data.Set) error { return vm.CheckSet(set, m.network) }

// SetParameters implements vm.VM.
func (m *machine[T]) SetParameters(p model.Parameters) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("interpret: %w", err)
	}
	for i, l := range p {
		w, b := model.Symbols(i)
		convert(m.parameter[w], l.Weight)
		convert(m.parameter[b], l.Bias)
	}
	return nil
}

// Parameters implements vm.VM.
func (m *machine[T]) Parameters() (model.Parameters, error) {
	p := model.NewParameters(m.network)
	for i, l := range p {
		w, b := model.Symbols(i)
		convert(l.Weight, m.parameter[w])
		convert(l.Bias, m.parameter[b])
	}
	return p, nil
}

// Train implements vm.VM.
func (m *machine[T]) Train(ctx context.Context, p vm.Pass) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("interpret: %w", err)
	}
	for step := range p.Steps() {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := step*p.Batch, min((step+1)*p.Batch, p.Samples())
		b, err := m.get(m.steps, m.compile.Step, to-from)
		if err != nil {
			return err
		}
		for k := from; k < to; k++ {
			m.load(b, k-from, p.Set, p.Sample(k))
		}
		if err := ir.Interpret(b.Program, b.memory, T(p.Rate)); err != nil {
			return fmt.Errorf("interpret: step %d: %w", step+1, err)
		}
		cost := float64(b.cost())
		if p.Costs != nil {
			p.Costs[step] = cost
		}
		if bad := m.nonFinite(); bad != "" {
			return &vm.NonFiniteError{Tensor: bad, Step: step}
		}
		if p.Progress != nil {
			p.Progress(to)
		}
	}
	return nil
}

// load puts sample i of set into a row of the mini-batch.
func (m *machine[T]) load(b program[T], row int, set *data.Set, i int) {
	in, out := m.network.Inputs(), m.network.Outputs()
	data.Input(b.x[row*in:(row+1)*in], set, i)
	if b.y != nil {
		data.OneHot(b.y[row*out:(row+1)*out], set.Labels[i])
	}
}

// output returns a^L of the last run.
func (b program[T]) output() []T { return b.memory.Buf[b.Outputs[0]] }

// cost returns the cost of the last run of a step.
func (b program[T]) cost() T { return b.memory.Buf[b.Outputs[1]][0] }

func (m *machine[T]) nonFinite() string {
	for i := range m.network.Layers[1:] {
		w, b := model.Symbols(i)
		if !model.Finite(m.parameter[w]) {
			return model.WeightName(i)
		}
		if !model.Finite(m.parameter[b]) {
			return model.BiasName(i)
		}
	}
	return ""
}

// Evaluate implements vm.VM.
func (m *machine[T]) Evaluate(ctx context.Context, set *data.Set) (vm.Score, error) {
	if err := vm.CheckSet(set, m.network); err != nil {
		return vm.Score{}, fmt.Errorf("interpret: %w", err)
	}
	b, err := m.get(m.forward, m.compile.Forward, 1)
	if err != nil {
		return vm.Score{}, err
	}
	score := vm.NewScore(m.network.Outputs())
	a := make([]float64, m.network.Outputs())
	for i := range set.Len() {
		if err := ctx.Err(); err != nil {
			return vm.Score{}, err
		}
		m.load(b, 0, set, i)
		if err := ir.Interpret(b.Program, b.memory, 0); err != nil {
			return vm.Score{}, fmt.Errorf("interpret: evaluate: %w", err)
		}
		convert(a, b.output())
		score.Add(a, set.Labels[i])
	}
	return score.Mean(), nil
}

// Snapshot implements vm.VM.
func (m *machine[T]) Snapshot() (vm.Snapshot, error) {
	s := newMachine[T](m.network, m.compile)
	for name, values := range m.parameter {
		copy(s.parameter[name], values)
	}
	return s, nil
}

// LeavesCoresIdle implements vm.VM.
func (m *machine[T]) LeavesCoresIdle(int) bool { return runtime.GOMAXPROCS(0) > 1 }

// Predict implements vm.VM.
func (m *machine[T]) Predict(x []float64) ([]float64, error) {
	in, out := m.network.Inputs(), m.network.Outputs()
	if len(x)%in != 0 {
		return nil, fmt.Errorf("interpret: predict: %d values, want rows of %d", len(x), in)
	}
	b, err := m.get(m.forward, m.compile.Forward, 1)
	if err != nil {
		return nil, err
	}
	a := make([]float64, len(x)/in*out)
	for row := range len(x) / in {
		convert(b.x, x[row*in:(row+1)*in])
		if err := ir.Interpret(b.Program, b.memory, 0); err != nil {
			return nil, fmt.Errorf("interpret: predict: %w", err)
		}
		convert(a[row*out:(row+1)*out], b.output())
	}
	return a, nil
}

// Gradients implements vm.VM: see ir.Gradients.
func (m *machine[T]) Gradients(x, y []float64) (float64, model.Parameters, error) {
	rows, err := vm.CheckBatch(x, y, m.network)
	if err != nil {
		return 0, nil, fmt.Errorf("interpret: gradients: %w", err)
	}
	p, err := m.compile.Step(rows)
	if err != nil {
		return 0, nil, fmt.Errorf("interpret: gradients: %w", err)
	}
	b := m.bind(ir.Gradients(p))
	convert(b.x, x)
	convert(b.y, y)
	if err := ir.Interpret(b.Program, b.memory, -1); err != nil {
		return 0, nil, fmt.Errorf("interpret: gradients: %w", err)
	}
	g := model.NewParameters(m.network)
	take := func(dst []float64, name string) {
		if r, ok := b.Lookup(ir.GradientPrefix + name); ok {
			convert(dst, b.memory.Buf[r])
		}
	}
	for i, l := range g {
		weight, bias := model.Symbols(i)
		take(l.Weight, weight)
		take(l.Bias, bias)
	}
	return float64(b.cost()), g, nil
}

// Close implements vm.VM.
func (m *machine[T]) Close() error { return nil }

// convert copies src to dst in dst's type.
func convert[D, S data.Float](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}
