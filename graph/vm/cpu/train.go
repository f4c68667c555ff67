package cpu

import (
	"context"
	"fmt"

	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu/kernel"
)

const (
	// chunkSamples is the largest number of samples of a mini-batch that a core takes
	// at a time, some ten microseconds of work.
	chunkSamples = 32
	// pollSamples is the number of samples between two looks at whether a pass is
	// cancelled: a quarter of a millisecond.
	pollSamples = 256
	// checkSamples is the number of samples between two checks that all parameters
	// are finite. A check takes a few microseconds.
	checkSamples = 8192
)

// Train implements vm.VM.
//
// Train checks the parameters after every checkSamples samples, because a value that
// is not finite stays so. If one is not finite, Train runs this interval again from
// the parameters before it, and checks after each step to find the first bad one.
func (m *machine[T]) Train(ctx context.Context, p vm.Pass) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	set, err := m.resident(p.Set)
	if err != nil {
		return fmt.Errorf("cpu: %w", err)
	}
	t := &trainer[T]{machine: m, pass: p, set: set, samples: p.Samples(), lastStep: p.Steps() - 1}
	if t.lastStep > 0 {
		if t.full, err = t.planOf(p.Batch); err != nil {
			return fmt.Errorf("cpu: %w", err)
		}
	}
	if t.lastStep >= 0 {
		if t.last, err = t.planOf(p.Samples() - t.lastStep*p.Batch); err != nil {
			return fmt.Errorf("cpu: %w", err)
		}
		if batch := min(p.Batch, t.samples); t.last.parallel && batch > 1 && m.cores > 1 {
			t.team = newTeam(min(m.cores, batch), t.chunk)
			defer t.team.dismiss()
		}
	}
	interval := max(1, checkSamples/p.Batch)
	for from := 0; from < p.Steps(); from += interval {
		m.saved.copyFrom(m.state)
		to := min(from+interval, p.Steps())
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

// trainer is a pass in progress.
type trainer[T kernel.Float] struct {
	*machine[T]
	pass              vm.Pass
	set               *rows[T]
	samples, lastStep int // of the pass

	full *plan[T] // of every step but the last
	last *plan[T] // of the last step
	team *team    // nil: one core

	plan  *plan[T] // of the present step
	first int      // its first sample
}

func (t *trainer[T]) planOf(batch int) (*plan[T], error) {
	pl, err := t.machine.plan(batch, t.pass.Costs != nil)
	if err == nil {
		t.set.begin(pl)
	}
	return pl, err
}

// run makes the steps from..to-1, or fewer if ctx is done. It returns the first step
// that it did not make.
func (t *trainer[T]) run(ctx context.Context, from, to int) (int, error) {
	every := max(1, pollSamples/t.pass.Batch)
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

// step makes one step, block by block.
func (t *trainer[T]) step(step int) {
	t.plan = t.full
	if step == t.lastStep {
		t.plan = t.last
	}
	pl := t.plan
	pl.rate = T(t.pass.Rate)
	first, batch := step*t.pass.Batch, pl.program.Batch
	for before := 0; before < batch; before += len(pl.samples) {
		t.first = first + before
		pl.block(before, min(len(pl.samples), batch-before))
		if t.team == nil {
			t.load(0, pl.count)
			pl.run()
			continue
		}
		chunks := min(pl.count, max(2*t.cores, (pl.count+chunkSamples-1)/chunkSamples))
		for stage := range pl.stages {
			t.team.run(2*stage, chunks)
			t.team.run(2*stage+1, min(t.cores, inputParts))
		}
	}
	if t.pass.Costs != nil {
		t.pass.Costs[step] = pl.cost()
	}
}

// chunk runs one chunk of a stage: in even phases the per-sample instructions of some
// samples, in odd phases one part of the instructions over the whole batch.
func (t *trainer[T]) chunk(phase, chunk, chunks int) {
	stage := phase / 2
	if phase%2 == 1 {
		t.plan.runWhole(stage, chunk, chunks)
		return
	}
	n := t.plan.count
	from, to := n*chunk/chunks, n*(chunk+1)/chunks
	if stage == 0 {
		t.load(from, to)
	}
	t.plan.runSamples(stage, from, to)
}

// load loads the samples of the rows from..to-1 of the batch.
func (t *trainer[T]) load(from, to int) {
	for r := from; r < to; r++ {
		k := t.first + r
		i := t.sample(k)
		t.set.load(t.plan, r, i)
		t.plan.samples[r].target = t.set.target[t.set.labels[i]]
		if k+1 < t.samples {
			t.set.prefetch(&t.kernel, t.sample(k+1))
		}
	}
}

// sample returns the index in the set of the k-th sample of the pass.
func (t *trainer[T]) sample(k int) int {
	if t.pass.Order == nil {
		return k
	}
	return int(t.pass.Order[k])
}

// nonFinite returns the name of the first parameter that is not finite, or "".
func (m *machine[T]) nonFinite() string {
	for k, t := range m.state {
		if !model.Finite(t.data) {
			return m.network.TensorNames()[k]
		}
	}
	return ""
}

// locate runs the steps from..to-1 again from the saved parameters. It returns an
// error that names the first step after which a parameter is not finite.
func (t *trainer[T]) locate(from, to int) error {
	t.state.copyFrom(t.saved)
	for step := from; step < to; step++ {
		t.step(step)
		if bad := t.nonFinite(); bad != "" {
			return &vm.NonFiniteError{Tensor: bad, Step: step}
		}
	}
	return fmt.Errorf("BUG: cpu: steps %d to %d gave a value that is not finite, but not when run again", from+1, to)
}
