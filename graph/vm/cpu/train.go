package cpu

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"trainer/graph/vm"
	"trainer/graph/vm/cpu/kernel"
)

// How often something is done in a pass depends on the work of a sample too, about
// one multiplication for each parameter: a pass of the largest network must not take
// longer to stop than one of the smallest.
const (
	// chunkSamples is the largest number of samples of a mini-batch that a core takes
	// at a time, some ten microseconds of work for a small network. A chunk has at most
	// chunkWork parameters × samples, a tenth of a second.
	chunkSamples = 32
	chunkWork    = 500e6
	// pollSamples is the number of samples between two looks at whether a pass is
	// cancelled: a quarter of a millisecond.
	pollSamples = 256
	pollWork    = 10e6
	// checkSamples is the number of samples between two checks that all parameters
	// are finite. A check takes a few microseconds.
	checkSamples = 8192
	checkWork    = 8e9
	// teamWork is the least work of a stage of a mini-batch that several cores share. The
	// lines of memory that move between the cores, and the waits, take longer than they
	// save in a smaller one. On a Xeon of the fifth generation, two cores took 1.3 times
	// as long as one for batch 32 of 784-300-100-10, which has four stages, 0.9 times for
	// 64, and 0.8 times for batch 128 of 784-50-10.
	teamWork = 2.6e6
	// longWork is the work of a step from which it is abandoned, rather than made,
	// when the pass is cancelled meanwhile.
	longWork = 200e6
	// progressEvery is the time between two reports of progress.
	progressEvery = 100 * time.Millisecond
)

// atMost returns n, or less if so many samples of the network are more than work.
func (m *machine[T]) atMost(n int, work float64) int {
	return max(1, min(n, int(work/float64(m.network.Size()))))
}

// workers returns the number of cores that share a mini-batch.
func (m *machine[T]) workers(batch int) int {
	if !m.obeys && float64(batch)*float64(m.network.Size()) < teamWork*float64(m.stages(batch)) {
		return 1
	}
	return min(m.cores, batch)
}

// stages returns the number of stages of a step (see plan). The products of wide layers,
// forward and back, are work of all cores for all samples, and begin a stage.
func (m *machine[T]) stages(batch int) int {
	n := 1
	for l := 1; l < len(m.network.Layers); l++ {
		in, out := m.network.Layers[l-1], m.network.Layers[l]
		switch {
		case l == 1 && batch > 1 && kernel.Width[T](out) > m.kernel.BlockCols:
			n++
		case l > 1 && wide(out, in, batch):
			n += 2
		}
	}
	return n
}

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
	t := &trainer[T]{machine: m, pass: p, set: set, samples: p.Samples(), lastStep: p.Steps() - 1, reported: time.Now()}
	t.chunkSize = m.atMost(chunkSamples, chunkWork)
	if long := float64(m.network.Size())*float64(min(p.Batch, t.samples)) > longWork; long && p.Batch > 1 {
		t.stop = new(atomic.Bool)
		defer context.AfterFunc(ctx, func() { t.stop.Store(true) })()
	}
	if t.lastStep > 0 {
		if t.full, err = t.planOf(p.Batch); err != nil {
			return fmt.Errorf("cpu: %w", err)
		}
	}
	if t.lastStep >= 0 {
		if t.last, err = t.planOf(p.Samples() - t.lastStep*p.Batch); err != nil {
			return fmt.Errorf("cpu: %w", err)
		}
		if n := m.workers(min(p.Batch, t.samples)); t.last.parallel && n > 1 {
			t.team = newTeam(n, max(t.last.chunks(), t.full.chunks()), t.chunk)
			defer t.team.dismiss()
		}
	}
	interval := max(1, m.atMost(checkSamples, checkWork)/p.Batch)
	for from := 0; from < p.Steps(); from += interval {
		m.saved.copyFrom(m.state, m.cores)
		to := min(from+interval, p.Steps())
		done, err := t.run(ctx, from, to)
		if done > from && m.nonFinite() != "" {
			err := t.locate(ctx, from, done)
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) { // the interval is as if it had not begun
				t.state.copyFrom(t.saved, t.cores)
				if p.Progress != nil {
					p.Progress(from * p.Batch)
				}
			}
			return err
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

	chunkSize int          // samples of a chunk, at most
	stop      *atomic.Bool // whether to abandon a step; nil if steps are short
	reported  time.Time    // when progress was last due

	plan  *plan[T] // of the present step; it has the split parameters, if steps have any
	first int      // its first sample
}

func (t *trainer[T]) planOf(batch int) (*plan[T], error) {
	pl, err := t.machine.plan(batch, t.pass.Costs != nil)
	if err == nil {
		t.set.begin(pl)
		pl.stop = t.stop
	}
	return pl, err
}

// due reports whether it is time to report progress.
func (t *trainer[T]) due() bool {
	now := time.Now()
	if now.Sub(t.reported) < progressEvery {
		return false
	}
	t.reported = now
	return true
}

// run makes the steps from..to-1, or fewer if ctx is done. It returns the first step
// that it did not make: from, if it abandons a long step.
func (t *trainer[T]) run(ctx context.Context, from, to int) (int, error) {
	defer t.choose(nil)
	every := max(1, t.atMost(pollSamples, pollWork)/t.pass.Batch)
	for step := from; step < to; step++ {
		if step%every == 0 {
			if err := ctx.Err(); err != nil {
				return step, err
			}
			if t.pass.Progress != nil && step > from && t.due() {
				t.pass.Progress(step * t.pass.Batch)
			}
		}
		if !t.step(step) {
			if t.pass.Progress != nil {
				t.pass.Progress(from * t.pass.Batch)
			}
			return from, ctx.Err()
		}
	}
	return to, nil
}

// step makes one step, block by block. If the pass is cancelled during a long step, it
// returns to the saved parameters and reports false.
func (t *trainer[T]) step(step int) bool {
	pl := t.full
	if step == t.lastStep {
		pl = t.last
	}
	t.choose(pl)
	pl.rate = T(t.pass.Rate)
	first, batch := step*t.pass.Batch, pl.program.Batch
	for before := 0; before < batch && !pl.stopped(); before += len(pl.samples) {
		t.first = first + before
		pl.block(before, min(len(pl.samples), batch-before))
		if t.stop != nil && t.pass.Partial != nil && t.due() {
			t.pass.Partial(t.first)
		}
		chunks := (pl.count + t.chunkSize - 1) / t.chunkSize
		switch {
		case t.team != nil:
			chunks = min(pl.count, max(2*t.cores, chunks))
			for stage := range pl.stages {
				t.team.run(2*stage, chunks)
				t.team.run(2*stage+1, min(t.cores, inputParts))
			}
		case t.stop != nil && pl.parallel:
			for stage := range pl.stages {
				for c := range chunks {
					t.chunk(2*stage, c, chunks)
				}
				t.chunk(2*stage+1, 0, 1)
			}
		default:
			t.load(0, pl.count)
			pl.run()
		}
	}
	if pl.stopped() {
		t.choose(nil)
		t.state.copyFrom(t.saved, t.cores)
		return false
	}
	pl.trust()
	if t.pass.Costs != nil {
		t.pass.Costs[step] = pl.cost()
	}
	return true
}

// choose makes pl the plan of the present step, or none if it is nil: then the parameters
// are in the machine's state.
func (t *trainer[T]) choose(pl *plan[T]) {
	if pl == t.plan {
		return
	}
	if t.plan != nil {
		t.plan.close()
	}
	if pl != nil {
		pl.open()
	}
	t.plan = pl
}

// chunk runs one chunk of a stage: in even phases the per-sample instructions of some
// samples, in odd phases one part of the instructions over the whole batch.
func (t *trainer[T]) chunk(phase, chunk, chunks int) {
	if t.plan.stopped() {
		return
	}
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
			t.set.prefetch(&t.kernel, t.sample(k+1), t.sample(min(k+2, t.samples-1)))
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
	if k := m.state.nonFinite(m.cores); k >= 0 {
		return m.network.TensorNames()[k]
	}
	return ""
}

// locate runs the steps from..to-1 again from the saved parameters. It returns an
// error that names the first step after which a parameter is not finite.
func (t *trainer[T]) locate(ctx context.Context, from, to int) error {
	t.state.copyFrom(t.saved, t.cores)
	for step := from; step < to; step++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !t.step(step) {
			return ctx.Err()
		}
		t.choose(nil)
		if bad := t.nonFinite(); bad != "" {
			return &vm.NonFiniteError{Tensor: bad, Step: step}
		}
	}
	return fmt.Errorf("BUG: cpu: steps %d to %d gave a value that is not finite, but not when run again", from+1, to)
}
