package cpu

import (
	"context"
	"fmt"

	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu/kernel"
)

const (
	// rowsAPiece is the number of samples of a mini-batch that a core takes at a
	// time, some microseconds' work.
	rowsAPiece = 8
	// glance is the number of samples after which a pass looks whether it is
	// cancelled: a quarter of a millisecond.
	glance = 256
	// chunk is the number of samples after which the parameters are looked
	// through for what is not finite: it takes some microseconds.
	chunk = 8192
)

// Train implements vm.VM.
//
// Whether all values are finite is looked at after every chunk of steps: what
// is not finite stays so. If it happened, the chunk is run again from the
// parameters before it, step by step, to say where.
func (m *machine[T]) Train(ctx context.Context, p vm.Pass) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	set, err := m.resident(p.Set)
	if err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	t := &trainer[T]{machine: m, pass: p, set: set, samples: p.Samples(), lastStep: p.Steps() - 1}
	if t.full, err = t.planOf(p.Batch); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	if t.last, err = t.planOf(p.Samples() - (p.Steps()-1)*p.Batch); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	if t.full.simple && p.Batch > 1 && m.cores > 1 {
		t.team = newTeam(min(m.cores, p.Batch), t.piece)
		defer t.team.dismiss()
	}
	stepsAChunk := max(1, chunk/p.Batch)
	for from := 0; from < p.Steps(); from += stepsAChunk {
		m.saved.copyFrom(m.state)
		to := min(from+stepsAChunk, p.Steps())
		done, err := t.run(ctx, from, to)
		if m.nonFinite() != "" {
			return t.locate(from, done)
		}
		if p.Progress != nil && done > from {
			p.Progress(min(done*p.Batch, p.Samples()))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// trainer is a pass under way.
type trainer[T kernel.Float] struct {
	*machine[T]
	pass              vm.Pass
	set               *rows[T]
	samples, lastStep int // of the pass

	full *plan[T] // of a whole batch
	last *plan[T] // of the last step
	team *team    // nil: one core

	plan  *plan[T] // of the present step
	first int      // its first sample
}

func (t *trainer[T]) planOf(batch int) (*plan[T], error) {
	if batch == 0 {
		return nil, nil // no samples at all
	}
	return t.machine.plan(batch, t.pass.Costs != nil)
}

// run makes the steps from..to-1, or as many as there are until ctx is done,
// and returns the first that it did not make.
func (t *trainer[T]) run(ctx context.Context, from, to int) (int, error) {
	every := max(1, glance/t.pass.Batch)
	for step := from; step < to; step++ {
		if step%every == 0 {
			if err := ctx.Err(); err != nil {
				return step, err
			}
		}
		t.step(step)
	}
	return to, nil
}

// step makes one step.
func (t *trainer[T]) step(step int) {
	t.plan = t.full
	if step == t.lastStep {
		t.plan = t.last
	}
	t.plan.rate = T(t.pass.Rate)
	t.first = step * t.pass.Batch
	if t.team != nil {
		rows := (len(t.plan.lanes) + rowsAPiece - 1) / rowsAPiece
		for stage := range t.plan.stages {
			t.team.run(2*stage, rows)
			t.team.run(2*stage+1, t.cores)
		}
	} else {
		t.load(0, len(t.plan.lanes))
		t.plan.run()
	}
	if t.pass.Costs != nil {
		t.pass.Costs[step] = t.plan.cost()
	}
}

// piece does a piece of a stage: in even phases of its rows, in odd ones of what
// is over all rows.
func (t *trainer[T]) piece(phase, piece, pieces int) {
	stage := phase / 2
	if phase%2 == 1 {
		t.plan.whole(stage, piece, pieces)
		return
	}
	n := len(t.plan.lanes)
	from, to := n*piece/pieces, n*(piece+1)/pieces
	if stage == 0 {
		t.load(from, to)
	}
	t.plan.rows(stage, from, to)
}

// load gives the rows from..to-1 of the batch their samples.
func (t *trainer[T]) load(from, to int) {
	for r := from; r < to; r++ {
		k := t.first + r
		i := t.sample(k)
		l := &t.plan.lanes[r]
		t.set.load(l, i)
		l.target = t.targets[t.set.labels[i]]
		if k+1 < t.samples {
			t.set.prefetch(&t.kernel, t.sample(k+1))
		}
	}
}

// sample returns the k-th sample of the pass.
func (t *trainer[T]) sample(k int) int {
	if t.pass.Order == nil {
		return k
	}
	return int(t.pass.Order[k])
}

// nonFinite returns the name of the first parameter that is not finite, or "".
func (m *machine[T]) nonFinite() string {
	for _, t := range m.named {
		if !model.Finite(t.data) {
			return t.name
		}
	}
	return ""
}

// locate runs the steps from..to-1 again from the saved parameters, up to the
// one that makes one of them not finite.
func (t *trainer[T]) locate(from, to int) error {
	t.state.copyFrom(t.saved)
	for step := from; step < to; step++ {
		t.step(step)
		if bad := t.nonFinite(); bad != "" {
			return &vm.NonFiniteError{Tensor: bad, Step: step}
		}
	}
	return fmt.Errorf("BUG: cpu: steps %d to %d gave a value that is not finite, and a second time did not", from+1, to)
}
