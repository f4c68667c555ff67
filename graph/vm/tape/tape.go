// Package tape trains with Gorgonia's own TapeMachine and VanillaSolver.
//
// The TapeMachine runs the expression graph node by node. Package tape shares no
// code with the compiler or with the other machines. It is slow; its purpose is
// an independent result to compare theirs with.
package tape

import (
	"context"
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// evalBatch is the number of samples per forward run. It is large enough that
// Gorgonia's overhead per node does not matter.
const evalBatch = 500

// VM implements vm.VM. The graphs of all batch sizes share the tensors of the
// parameters.
type VM struct {
	network model.Network
	weight  []*tensor.Dense // W^l
	bias    []*tensor.Dense // b^l as 1 × n^l; nil without bias
	steps   map[int]*tape   // by batch size
	forward map[int]*tape   // by batch size
}

// New returns a machine whose parameters are all zero.
func New(network model.Network) (*VM, error) {
	if err := network.Check(); err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	m := &VM{network: network, steps: map[int]*tape{}, forward: map[int]*tape{}}
	for i, out := range network.Layers[1:] {
		m.weight = append(m.weight, m.dense(out, network.Layers[i]))
		if network.Bias {
			m.bias = append(m.bias, m.dense(1, out))
		}
	}
	return m, nil
}

// Name implements vm.VM.
func (m *VM) Name() string { return "tape" }

// Describe implements vm.VM.
func (m *VM) Describe(batch int) (lang.Text, error) {
	if err := vm.CheckBatchSize(batch); err != nil {
		return lang.Text{}, fmt.Errorf("tape: %w", err)
	}
	return lang.Text{En: "not compiled, Gorgonia's TapeMachine on the graph", Zh: "未编译，由 Gorgonia 的 TapeMachine 直接运行图"}, nil
}

// Network implements vm.VM.
func (m *VM) Network() model.Network { return m.network }

// SigmoidOne implements vm.Clamped: it returns the z from which Gorgonia v0.9.18 takes σ(z) for 1, where
// it is 1 − 5.6e-9 (float64) and 1 − 3.1e-7 (float32) still. The gradient check
// allows for it.
func (m *VM) SigmoidOne() float64 {
	if m.network.Precision == model.Float32 {
		return 15
	}
	return 19
}

// Load implements vm.VM. It only checks the set: Train and Evaluate convert
// samples when they use them.
func (m *VM) Load(set *data.Set) error { return vm.CheckSet(set, m.network) }

// Unload implements vm.VM. Nothing is resident.
func (m *VM) Unload(*data.Set) error { return nil }

// SetParameters implements vm.VM.
func (m *VM) SetParameters(p model.Parameters) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	for i, l := range p {
		write(m.weight[i], l.Weight)
		if m.bias != nil {
			write(m.bias[i], l.Bias)
		}
	}
	return nil
}

// Parameters implements vm.VM.
func (m *VM) Parameters() (model.Parameters, error) {
	p := model.NewParameters(m.network)
	for i, l := range p {
		read(l.Weight, m.weight[i])
		if m.bias != nil {
			read(l.Bias, m.bias[i])
		}
	}
	return p, nil
}

// Train implements vm.VM.
func (m *VM) Train(ctx context.Context, p vm.Pass) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("tape: %w", err)
	}
	solver := gorgonia.NewVanillaSolver(gorgonia.WithLearnRate(p.Rate))
	samples := p.Samples()
	for step := range p.Steps() {
		if err := ctx.Err(); err != nil {
			return err
		}
		from, to := step*p.Batch, min((step+1)*p.Batch, samples)
		t, err := m.step(to - from)
		if err != nil {
			return err
		}
		for row, k := 0, from; k < to; row, k = row+1, k+1 {
			t.load(row, p.Set, p.Sample(k))
		}
		if err := m.run(ctx, t); err != nil {
			return fmt.Errorf("tape: step %d: %w", step+1, err)
		}
		cost := scalar(t.cost)
		if p.Costs != nil {
			p.Costs[step] = cost
		}
		if err := solver.Step(gorgonia.NodesToValueGrads(t.graph.Learnables())); err != nil {
			return fmt.Errorf("tape: step %d: %w", step+1, err)
		}
		if bad := m.nonFinite(cost); bad != "" {
			return &vm.NonFiniteError{Tensor: bad, Step: step}
		}
		if p.Progress != nil {
			p.Progress(to)
		}
	}
	return nil
}

// run executes a tape of m once, unless ctx is done before it ends.
func (m *VM) run(ctx context.Context, t *tape) error {
	err := vm.Abandon(ctx, t.run)
	if err != nil {
		// The tape may still be running, and reads the parameters: they are left to it.
		for i, w := range m.weight {
			m.weight[i] = w.Clone().(*tensor.Dense)
			if m.bias != nil {
				m.bias[i] = m.bias[i].Clone().(*tensor.Dense)
			}
		}
		clear(m.steps)
		clear(m.forward)
	}
	return err
}

// Evaluate implements vm.VM.
func (m *VM) Evaluate(ctx context.Context, set *data.Set) (vm.Score, error) {
	if err := vm.CheckSet(set, m.network); err != nil {
		return vm.Score{}, fmt.Errorf("tape: %w", err)
	}
	outputs := m.network.Outputs()
	score := vm.NewScoreOf(set, outputs)
	a := make([]float64, evalBatch*outputs)
	for from := 0; from < set.Len(); from += evalBatch {
		if err := ctx.Err(); err != nil {
			return vm.Score{}, err
		}
		rows := min(evalBatch, set.Len()-from)
		t, err := m.predict(rows)
		if err != nil {
			return vm.Score{}, err
		}
		for row := range rows {
			t.load(row, set, from+row)
		}
		if err := m.run(ctx, t); err != nil {
			return vm.Score{}, fmt.Errorf("tape: evaluate: %w", err)
		}
		read(a[:rows*outputs], t.output.(*tensor.Dense))
		for row := range rows {
			score.Add(a[row*outputs:(row+1)*outputs], set.Labels[from+row])
		}
	}
	return score.Mean(), nil
}

// Snapshot implements vm.VM.
func (m *VM) Snapshot() (vm.Snapshot, error) {
	p, err := m.Parameters()
	if err != nil {
		return nil, err
	}
	s, err := New(m.network)
	if err != nil {
		return nil, err
	}
	return s, s.SetParameters(p)
}

// LeavesCoresIdle implements vm.VM. It returns false because Gorgonia's matrix products use
// all cores.
func (m *VM) LeavesCoresIdle(int) bool { return false }

// Predict implements vm.VM.
func (m *VM) Predict(x []float64) ([]float64, error) {
	inputs, outputs := m.network.Inputs(), m.network.Outputs()
	if len(x)%inputs != 0 {
		return nil, fmt.Errorf("tape: predict: %d values, want rows of %d", len(x), inputs)
	}
	a := make([]float64, 0, len(x)/inputs*outputs)
	for len(x) > 0 {
		rows := min(evalBatch, len(x)/inputs)
		t, err := m.predict(rows)
		if err != nil {
			return nil, err
		}
		write(t.x, x[:rows*inputs])
		if err := t.run(); err != nil {
			return nil, fmt.Errorf("tape: predict: %w", err)
		}
		a = a[:len(a)+rows*outputs]
		read(a[len(a)-rows*outputs:], t.output.(*tensor.Dense))
		x = x[rows*inputs:]
	}
	return a, nil
}

// Gradients implements vm.VM.
func (m *VM) Gradients(x, y []float64) (float64, model.Parameters, error) {
	rows, err := vm.CheckBatch(x, y, m.network)
	if err != nil {
		return 0, nil, fmt.Errorf("tape: gradients: %w", err)
	}
	t, err := m.step(rows)
	if err != nil {
		return 0, nil, err
	}
	write(t.x, x)
	write(t.y, y)
	if err := t.run(); err != nil {
		return 0, nil, fmt.Errorf("tape: gradients: %w", err)
	}
	g := model.NewParameters(m.network)
	for i, l := range g {
		if err := takeGradient(l.Weight, t.graph.Weight[i]); err != nil {
			return 0, nil, fmt.Errorf("tape: gradients: %w", err)
		}
		if l.Bias == nil {
			continue
		}
		if err := takeGradient(l.Bias, t.graph.Bias[i]); err != nil {
			return 0, nil, fmt.Errorf("tape: gradients: %w", err)
		}
	}
	return scalar(t.cost), g, nil
}

// Close implements vm.VM.
func (m *VM) Close() error {
	for _, tapes := range []map[int]*tape{m.steps, m.forward} {
		for size, t := range tapes {
			if err := t.machine.Close(); err != nil {
				return fmt.Errorf("tape: %w", err)
			}
			delete(tapes, size)
		}
	}
	return nil
}

// nonFinite returns the name of a parameter, or "cost", that is not finite after
// a step. It returns "" if all are finite.
func (m *VM) nonFinite(cost float64) string {
	for i, w := range m.weight {
		if !finite(w) {
			return model.WeightName(i)
		}
		if m.bias != nil && !finite(m.bias[i]) {
			return model.BiasName(i)
		}
	}
	if !model.Finite([]float64{cost}) {
		return "cost"
	}
	return ""
}

// step returns the tape of a training step of batch samples.
func (m *VM) step(batch int) (*tape, error) { return m.tape(m.steps, graph.Step, batch) }

// predict returns the tape of a forward run of batch samples.
func (m *VM) predict(batch int) (*tape, error) { return m.tape(m.forward, graph.Forward, batch) }

func (m *VM) tape(known map[int]*tape, build func(model.Network, int) (*graph.Graph, error), batch int) (*tape, error) {
	if t := known[batch]; t != nil {
		return t, nil
	}
	g, err := build(m.network, batch)
	if err != nil {
		return nil, fmt.Errorf("tape: %w", err)
	}
	t, err := m.newTape(g)
	if err != nil {
		return nil, fmt.Errorf("tape: batch of %d: %w", batch, err)
	}
	known[batch] = t
	return t, nil
}

// dense returns a tensor of zeros in the precision of the network.
func (m *VM) dense(rows, cols int) *tensor.Dense {
	return tensor.New(tensor.Of(graph.Dtype(m.network.Precision)), tensor.WithShape(rows, cols))
}
