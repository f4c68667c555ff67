// Package cpu is the machine that runs compiled programs on the processor, with
// the vector kernels of package kernel.
//
// Single-sample steps depend on each other and run on one core. Mini-batches and
// evaluations run on all cores. The result does not depend on the number of cores:
// each element of a parameter adds the samples of a batch in their order, and sums
// over a set are taken over blocks of fixed size.
//
// Data sets are resident, as the pixels that are not zero, or as all pixels if most
// are not zero. One table (table.go) says which kernel runs an instruction. An
// instruction without a kernel runs as a plain loop.
package cpu

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"slices"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu/kernel"
)

// Options configures how a machine computes. The zero value is ready to use.
type Options struct {
	Cores   int    // the most cores to use; 0: GOMAXPROCS, and one for mini-batches that are too small to share
	Kernels string // "avx512", "avx2" or "go"; "": the fastest that the processor has
}

// New returns a machine for a network, in the precision of the network. Its
// parameters are zero. compile makes its programs.
func New(network model.Network, compile vm.Compiler, o Options) (vm.VM, error) {
	if err := network.Check(); err != nil {
		return nil, fmt.Errorf("cpu: %w", err)
	}
	if n := network.Inputs(); n > math.MaxUint16+1 {
		return nil, fmt.Errorf("cpu: %d inputs: this machine takes up to %d: use machine interpret or tape", n, math.MaxUint16+1)
	}
	if network.Precision == model.Float64 {
		return newMachine(network, compile, o, kernel.Float64())
	}
	return newMachine(network, compile, o, kernel.Float32())
}

// machine is the vm.VM for one element type.
type machine[T kernel.Float] struct {
	network model.Network
	compile vm.Compiler
	cores   int
	obeys   bool // whether Options said how many cores
	kernel  kernel.Set[T]
	forward *ir.Program // of forwardRows samples
	state   tensors[T]  // the parameters
	saved   tensors[T]  // the parameters at the last check in which all were finite

	steps     map[int]*plan[T] // by batch size
	costs     map[int]*plan[T] // steps that compute the cost too
	evaluator *evaluator[T]    // over state
	snapshot  *snapshot[T]     // nil before the first one; then it is used again
	sets      *residents[T]
}

func newMachine[T kernel.Float](n model.Network, compile vm.Compiler, o Options, sets []kernel.Set[T]) (vm.VM, error) {
	m := &machine[T]{
		network: n, compile: compile, cores: o.Cores, obeys: o.Cores > 0, kernel: sets[0],
		steps: map[int]*plan[T]{}, costs: map[int]*plan[T]{}, sets: &residents[T]{rows: map[*data.Set]*rows[T]{}},
	}
	if o.Cores == 0 {
		m.cores = runtime.GOMAXPROCS(0)
	}
	if o.Kernels != "" {
		found := false
		for _, s := range sets {
			if s.Name == o.Kernels {
				m.kernel, found = s, true
			}
		}
		if !found {
			return nil, fmt.Errorf("cpu: this processor or build has no kernels %q", o.Kernels)
		}
	}
	var err error
	if m.forward, err = compile.Forward(forwardRows); err != nil {
		return nil, err
	}
	m.state = newTensors[T](m.forward)
	m.saved = m.state.like()
	m.evaluator = newEvaluator(m, m.state)
	return m, nil
}

// Name implements vm.VM.
func (m *machine[T]) Name() string { return "cpu" }

// Describe implements vm.VM: which kernels on how many cores.
func (m *machine[T]) Describe(batch int) (lang.Text, error) {
	if err := vm.CheckBatchSize(batch); err != nil {
		return lang.Text{}, fmt.Errorf("cpu: %w", err)
	}
	cores := lang.Text{En: "one core", Zh: "单核"}
	if n := m.workers(batch); n > 1 {
		cores = lang.Text{En: "at most %d cores", Zh: "最多 %d 核"}.With(n)
	}
	return lang.Text{En: "compiled, %s kernels, %s", Zh: "已编译，%s 内核，%s"}.With(kernelNames[m.kernel.Name], cores), nil
}

// kernelNames are the kernels' names for people.
var kernelNames = map[string]lang.Text{
	"avx512": {En: "AVX-512", Zh: "AVX-512"}, "avx2": {En: "AVX2", Zh: "AVX2"}, "go": {En: "pure Go", Zh: "纯 Go"},
}

// Network implements vm.VM.
func (m *machine[T]) Network() model.Network { return m.network }

// Load implements vm.VM.
func (m *machine[T]) Load(set *data.Set) error {
	if _, err := m.resident(set); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	return nil
}

// Unload implements vm.VM.
func (m *machine[T]) Unload(set *data.Set) error {
	m.sets.put(set, nil)
	return nil
}

// resident returns the rows of a set. It makes them at the first call.
func (m *machine[T]) resident(set *data.Set) (*rows[T], error) {
	if err := vm.CheckSet(set, m.network); err != nil {
		return nil, err
	}
	r := m.sets.get(set)
	if r == nil {
		r = newRows[T](set, m.network.Outputs(), m.cores)
		m.sets.put(set, r)
	}
	return r, nil
}

// SetParameters implements vm.VM.
func (m *machine[T]) SetParameters(p model.Parameters) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	m.state.write(p)
	return nil
}

// Parameters implements vm.VM.
func (m *machine[T]) Parameters() (model.Parameters, error) { return m.state.read(m.network), nil }

// plan returns the plan of a step with batch samples, with or without its cost.
func (m *machine[T]) plan(batch int, cost bool) (*plan[T], error) {
	known, compile := m.steps, m.compile.Step
	if cost {
		known, compile = m.costs, m.compile.StepWithCost
	}
	if pl := known[batch]; pl != nil {
		return pl, nil
	}
	p, err := compile(batch)
	if err != nil {
		return nil, err
	}
	known[batch] = newPlan(p, m.kernel, m.state)
	return known[batch], nil
}

// Predict implements vm.VM.
func (m *machine[T]) Predict(x []float64) ([]float64, error) {
	in, out := m.network.Inputs(), m.network.Outputs()
	if len(x)%in != 0 {
		return nil, fmt.Errorf("cpu: predict: %d values, want rows of %d", len(x), in)
	}
	a := make([]float64, 0, len(x)/in*out)
	s := inputRows[T](x, in)
	f := m.evaluator.worker(0)
	s.begin(f.plan)
	for from := 0; from < s.len(); from += forwardRows {
		n := min(forwardRows, s.len()-from)
		for r := range n {
			s.load(f.plan, r, from+r)
		}
		f.run(n)
		for r := range n {
			a = append(a, f.of(r)...)
		}
	}
	return a, nil
}

// Gradients implements vm.VM: see ir.Gradients.
func (m *machine[T]) Gradients(x, y []float64) (float64, model.Parameters, error) {
	batch, err := vm.CheckBatch(x, y, m.network)
	if err != nil {
		return 0, nil, fmt.Errorf("cpu: gradients: %w", err)
	}
	p, err := m.compile.StepWithCost(batch)
	if err != nil {
		return 0, nil, fmt.Errorf("cpu: gradients: %w", err)
	}
	gradients := m.state.like()
	pl := newPlan(ir.Gradients(p), m.kernel, slices.Concat(m.state, gradients))
	rows, out := inputRows[T](x, m.network.Inputs()), m.network.Outputs()
	rows.begin(pl)
	for r := range batch {
		rows.load(pl, r, r)
		target := kernel.Aligned[T](kernel.Pad[T](out))
		for k, v := range y[r*out : (r+1)*out] {
			target[k] = T(v)
		}
		pl.samples[r].target = target
	}
	pl.rate = -1
	pl.block(0, batch)
	pl.open()
	pl.run()
	pl.close()
	return pl.cost(), gradients.read(m.network), nil
}

// Close implements vm.VM.
func (m *machine[T]) Close() error {
	m.sets.clear()
	return nil
}

// Evaluate implements vm.VM.
func (m *machine[T]) Evaluate(ctx context.Context, set *data.Set) (vm.Score, error) {
	r, err := m.resident(set)
	if err != nil {
		return vm.Score{}, fmt.Errorf("cpu: %w", err)
	}
	return m.evaluator.evaluate(ctx, r, m.cores)
}
