// Package interpret is the machine that runs compiled programs with ir.Interpret, in
// the plain loops that define the instructions. It is slow. The results of the fast
// machines are compared with its results.
package interpret

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// New returns a machine whose parameters are zero. compile makes its programs.
func New(network model.Network, compile vm.Compiler) (vm.VM, error) {
	if err := network.Check(); err != nil {
		return nil, fmt.Errorf("interpret: %w", err)
	}
	if network.Precision == model.Float64 {
		return newMachine[float64](network, compile), nil
	}
	return newMachine[float32](network, compile), nil
}

// machine is the vm.VM for one element type.
type machine[T data.Float] struct {
	network    model.Network
	compile    vm.Compiler
	parameters [][]T              // in the order of model.Parameters.Tensors
	steps      map[int]program[T] // by batch size
	costs      map[int]program[T] // steps that compute the cost too
	forward    map[int]program[T]
}

// program is a program with its memory. Its parameters are those of the machine.
type program[T data.Float] struct {
	*ir.Program
	memory *ir.Memory[T]
	x, y   []T // y is nil in a forward pass
}

func newMachine[T data.Float](n model.Network, compile vm.Compiler) *machine[T] {
	m := &machine[T]{
		network: n, compile: compile,
		steps: map[int]program[T]{}, costs: map[int]program[T]{}, forward: map[int]program[T]{},
	}
	model.NewParameters(n).Tensors(func(_ string, _ []int, values []float64) {
		m.parameters = append(m.parameters, make([]T, len(values)))
	})
	return m
}

// bind gives p its memory. The first parameters of p are those of the machine; the
// others start at zero.
func (m *machine[T]) bind(p *ir.Program) program[T] {
	b := program[T]{Program: p, memory: ir.NewMemory[T](p)}
	for r, buffer := range p.Buffers {
		switch buffer.Kind {
		case ir.Data:
			b.x = b.memory.Buf[r]
		case ir.Target:
			b.y = b.memory.Buf[r]
		}
	}
	for k, r := range p.Parameters()[:len(m.parameters)] {
		b.memory.Buf[r] = m.parameters[k]
	}
	return b
}

// get returns the program for a batch size. It makes the program at the first call.
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
func (m *machine[T]) Describe(batch int) (lang.Text, error) {
	if err := vm.CheckBatchSize(batch); err != nil {
		return lang.Text{}, fmt.Errorf("interpret: %w", err)
	}
	return lang.Text{En: "compiled, plain loops, one core", Zh: "已编译，普通循环，单核"}, nil
}

// Network implements vm.VM.
func (m *machine[T]) Network() model.Network { return m.network }

// Load implements vm.VM. It only checks the set: images are converted when they are
// used.
func (m *machine[T]) Load(set *data.Set) error { return vm.CheckSet(set, m.network) }

// Unload implements vm.VM. Nothing is resident.
func (m *machine[T]) Unload(*data.Set) error { return nil }

// SetParameters implements vm.VM.
func (m *machine[T]) SetParameters(p model.Parameters) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("interpret: %w", err)
	}
	k := 0
	p.Tensors(func(_ string, _ []int, values []float64) {
		convert(m.parameters[k], values)
		k++
	})
	return nil
}

// Parameters implements vm.VM.
func (m *machine[T]) Parameters() (model.Parameters, error) {
	return m.read(m.parameters), nil
}

func (m *machine[T]) read(tensors [][]T) model.Parameters {
	p := model.NewParameters(m.network)
	k := 0
	p.Tensors(func(_ string, _ []int, values []float64) {
		convert(values, tensors[k])
		k++
	})
	return p
}

// Train implements vm.VM.
func (m *machine[T]) Train(ctx context.Context, p vm.Pass) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("interpret: %w", err)
	}
	known, compile := m.steps, m.compile.Step
	if p.Costs != nil {
		known, compile = m.costs, m.compile.StepWithCost
	}
	for step := range p.Steps() {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := step*p.Batch, min((step+1)*p.Batch, p.Samples())
		b, err := m.get(known, compile, to-from)
		if err != nil {
			return err
		}
		for k := from; k < to; k++ {
			m.load(b, k-from, p.Set, p.Sample(k))
		}
		if err := m.step(ctx, b, T(p.Rate)); err != nil {
			return fmt.Errorf("interpret: step %d: %w", step+1, err)
		}
		if p.Costs != nil {
			p.Costs[step] = b.cost()
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

// step makes a training step. If ctx is done before it ends, the parameters are those
// before it.
func (m *machine[T]) step(ctx context.Context, b program[T], rate T) error {
	before := make([][]T, len(m.parameters))
	for k, values := range m.parameters {
		before[k] = slices.Clone(values)
	}
	err := vm.Abandon(ctx, func() error { return ir.Interpret(b.Program, b.memory, rate) })
	if err != nil {
		// The step may still be running: its memory is left to it.
		m.parameters = before
		clear(m.steps)
		clear(m.costs)
		clear(m.forward)
	}
	return err
}

// load copies sample i of set into a row of the mini-batch.
func (m *machine[T]) load(b program[T], row int, set *data.Set, i int) {
	in, out := m.network.Inputs(), m.network.Outputs()
	data.Input(b.x[row*in:(row+1)*in], set, i)
	if b.y != nil {
		data.Target(b.y[row*out:(row+1)*out], set, set.Labels[i])
	}
}

// output returns a^L of the last run.
func (b program[T]) output() []T { return b.memory.Buf[b.Output] }

// cost returns the cost of the last run. The program must compute it.
func (b program[T]) cost() float64 { return float64(b.memory.Buf[b.Cost][0]) }

func (m *machine[T]) nonFinite() string {
	for k, name := range m.network.TensorNames() {
		if !model.Finite(m.parameters[k]) {
			return name
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
	score := vm.NewScoreOf(set, m.network.Outputs())
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
	for k, values := range m.parameters {
		copy(s.parameters[k], values)
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
	p, err := m.compile.StepWithCost(rows)
	if err != nil {
		return 0, nil, fmt.Errorf("interpret: gradients: %w", err)
	}
	b := m.bind(ir.Gradients(p))
	convert(b.x, x)
	convert(b.y, y)
	if err := ir.Interpret(b.Program, b.memory, -1); err != nil {
		return 0, nil, fmt.Errorf("interpret: gradients: %w", err)
	}
	var gradients [][]T
	for _, r := range b.Parameters()[len(m.parameters):] {
		gradients = append(gradients, b.memory.Buf[r])
	}
	return b.cost(), m.read(gradients), nil
}

// Close implements vm.VM.
func (m *machine[T]) Close() error { return nil }

// convert copies src to dst in dst's type.
func convert[D, S data.Float](dst []D, src []S) {
	for i, v := range src {
		dst[i] = D(v)
	}
}
