package cpu

import (
	"slices"
	"sync/atomic"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// plan is a program that is ready to run: its buffers, and its instructions as
// functions that know their operands.
//
// The instructions are in stages. A stage runs first its per-sample instructions
// (products with weights, activations, deltas), some samples at a time, so that
// their values stay in the nearest cache, and samples in parallel; then the
// instructions over the whole batch (updates, sums), in order. A per-sample
// instruction moves ahead only of instructions whose results it does not read.
//
// A mini-batch whose updates all come last is taken in blocks of ir.SumBlock
// samples, so memory does not grow with it.
type plan[T kernel.Float] struct {
	program *ir.Program
	kernel  kernel.Set[T] // without its checks, once a step has passed them
	checked kernel.Set[T]
	trusted bool
	samples []sample[T] // one for each row of a block
	rate    T           // η of the updates
	stages  []stage[T]
	buffer  []matrix[T] // by ir.Ref; those with a row for each sample have the rows of a block

	// The block that runs: its samples are samples[:count], samples before..before+
	// count-1 of the mini-batch.
	before, count int

	// The sparse inputs of the samples of a mini-batch: sample r has the entries
	// bounds[p][r] to bounds[p+1][r]-1 in part p of the inputs.
	bounds  [inputParts + 1][]int
	entries []uint32
	table   []T  // of the values of the entries
	sparse  bool // whether the samples are

	splits map[ir.Ref]*split[T]

	// parallel says that every instruction over the whole batch has a kernel. Then
	// several cores can share each of them.
	parallel bool

	// stop says that the results are not wanted any more. Nil: it does not happen.
	stop *atomic.Bool

	x, y   matrix[T] // dense copies of the samples, for plain loops
	copied bool      // whether an instruction reads x or y
}

// sample is a sample of the batch. Its input is either sparse (entries) or dense.
type sample[T kernel.Float] struct {
	entries []uint32
	dense   []T
	target  []T // padded
}

type stage[T kernel.Float] struct {
	single  []func()             // the per-sample instructions, of a batch of one
	samples []func(from, to int) // the same, of a mini-batch
	whole   []entry[T]           // the others
}

// newPlan prepares p. parameters are those of p, in the order of p.Parameters.
func newPlan[T kernel.Float](p *ir.Program, k kernel.Set[T], parameters tensors[T]) *plan[T] {
	pl := planOf(p, k, parameters, min(p.Batch, ir.SumBlock))
	if len(pl.samples) < p.Batch && (!pl.parallel || readsUpdated(p)) {
		return planOf(p, k, parameters, p.Batch)
	}
	return pl
}

// readsUpdated reports whether an instruction reads a parameter that one before it
// has updated, as in the listing's order. Then the block that updates it must be the
// whole mini-batch.
func readsUpdated(p *ir.Program) bool {
	updated := map[ir.Ref]bool{}
	for _, in := range p.Code {
		if slices.ContainsFunc(in.Args, func(r ir.Ref) bool { return updated[r] }) {
			return true
		}
		updated[in.Dst] = in.Op.IsUpdate()
	}
	return false
}

// planOf prepares p to run for the given number of samples at a time.
func planOf[T kernel.Float](p *ir.Program, k kernel.Set[T], parameters tensors[T], rows int) *plan[T] {
	pl := &plan[T]{
		program: p, kernel: k, checked: k, samples: make([]sample[T], rows), buffer: make([]matrix[T], len(p.Buffers)),
		stages: make([]stage[T], 1), parallel: true,
	}
	for i := range pl.bounds {
		pl.bounds[i] = make([]int, rows)
	}
	for r, b := range p.Buffers {
		switch {
		case b.Kind == ir.Parameter:
			pl.buffer[r], parameters = parameters[0], parameters[1:]
		case b.Rows == p.Batch:
			pl.buffer[r] = byRows[T](rows, b.Cols)
		default:
			pl.buffer[r] = byRows[T](b.Rows, b.Cols)
		}
		switch b.Kind {
		case ir.Data:
			pl.x = pl.buffer[r]
		case ir.Target:
			pl.y = pl.buffer[r]
		}
	}
	written := map[ir.Ref]bool{} // by the instructions of the present stage over the whole batch
	for _, in := range p.Code {
		e := pl.entry(in)
		if e.all == nil && slices.ContainsFunc(in.Args, func(r ir.Ref) bool { return written[r] }) {
			// It reads, perhaps on another core, what this stage computes last.
			pl.stages = append(pl.stages, stage[T]{})
			clear(written)
		}
		st := &pl.stages[len(pl.stages)-1]
		if e.sample != nil {
			st.add(e, rows)
			continue
		}
		written[in.Dst] = true
		pl.parallel = pl.parallel && e.kernel != ""
		st.whole = append(st.whole, e)
	}
	pl.keepSplits()
	return pl
}

// add adds a per-sample instruction.
func (st *stage[T]) add(e entry[T], rows int) {
	if rows == 1 {
		st.single = append(st.single, e.sample(0))
		return
	}
	if e.samples == nil {
		each := make([]func(), rows)
		for r := range each {
			each[r] = e.sample(r)
		}
		e.samples = func(from, to int) {
			for _, do := range each[from:to] {
				do()
			}
		}
	}
	st.samples = append(st.samples, e.samples)
}

// run executes the plan on one core, for the block that is loaded.
func (pl *plan[T]) run() {
	if pl.copied {
		pl.copySamples()
	}
	for s := range pl.stages {
		pl.runSamples(s, 0, pl.count)
		pl.runWhole(s, 0, 1)
	}
}

// block says which samples of the mini-batch are loaded: count of them, after the
// first before.
func (pl *plan[T]) block(before, count int) { pl.before, pl.count = before, count }

// runSamples executes the per-sample instructions of a stage for the samples
// from..to-1.
func (pl *plan[T]) runSamples(stage, from, to int) {
	st := &pl.stages[stage]
	for _, do := range st.single {
		do()
	}
	for _, do := range st.samples {
		do(from, to)
	}
}

// runWhole executes a part of what a stage does over the whole batch. Parts may
// run at the same time.
func (pl *plan[T]) runWhole(stage, part, parts int) {
	for _, e := range pl.stages[stage].whole {
		switch {
		case pl.stopped():
			return
		case e.gradient != nil:
			e.gradient.run(pl.before, pl.count, pl.before+pl.count == pl.program.Batch, part, parts)
		case e.part != nil:
			e.part(part, parts)
		case part == 0:
			e.all()
		}
	}
}

// trust leaves out the checks of the kernels from now on, as a step has passed them: the
// later steps with samples of the same set call them with the same lengths.
func (pl *plan[T]) trust() {
	if !pl.trusted {
		pl.kernel, pl.trusted = pl.checked.Unchecked(), true
	}
}

// distrust makes the plan check again.
func (pl *plan[T]) distrust() { pl.kernel, pl.trusted = pl.checked, false }

// stopped reports whether the step is abandoned, so that work can be left out.
func (pl *plan[T]) stopped() bool { return pl.stop != nil && pl.stop.Load() }

// chunks returns the most chunks into which a phase can be divided. pl can be nil.
func (pl *plan[T]) chunks() int {
	if pl == nil {
		return 0
	}
	return max(inputParts, len(pl.samples))
}

// cost returns the cost of the last run. The program computes it.
func (pl *plan[T]) cost() float64 { return float64(pl.buffer[pl.program.Cost].at(0, 0)) }

// copySamples writes the samples into x and y.
func (pl *plan[T]) copySamples() {
	for r := range pl.samples {
		s := &pl.samples[r]
		if pl.x.data != nil {
			row := pl.x.row(r)
			clear(row)
			copy(row, s.dense)
			for _, e := range s.entries {
				row[uint16(e)] = pl.table[e>>16]
			}
		}
		if pl.y.data != nil {
			copy(pl.y.row(r), s.target)
		}
	}
}
