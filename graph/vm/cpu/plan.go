package cpu

import (
	"slices"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// plan is a program that is ready to run: its buffers, and its instructions as
// functions that know their operands.
//
// The instructions are in stages. A stage first runs its per-sample instructions
// (products with weights, activations, deltas) and then its instructions over the
// whole batch (updates, sums), in order. The per-sample instructions run sample by
// sample, so that the values of a sample stay in the nearest cache, and several
// samples run in parallel. A per-sample instruction moves ahead only of instructions
// whose results it does not read.
type plan[T kernel.Float] struct {
	program *ir.Program
	kernel  kernel.Set[T]
	samples []sample[T] // one for each row of the batch
	rate    T           // η of the updates
	stages  []stage[T]
	buffer  []matrix[T] // by ir.Ref

	// parallel says that every instruction over the whole batch has a kernel. Then
	// several cores can share each of them.
	parallel bool

	x, y   matrix[T] // dense copies of the samples, for plain loops
	copied bool      // whether an instruction reads x or y
}

// sample is a sample of the batch. Its input is either sparse (index, value) or dense.
type sample[T kernel.Float] struct {
	index  []uint16
	value  []T
	dense  []T
	target []T // padded
}

type stage[T kernel.Float] struct {
	samples [][]func()              // for each sample, its instructions
	whole   []func(part, parts int) // the instructions over the whole batch; see entry
}

// newPlan prepares p. parameters are those of p, in the order of p.Parameters.
func newPlan[T kernel.Float](p *ir.Program, k kernel.Set[T], parameters tensors[T]) *plan[T] {
	pl := &plan[T]{
		program: p, kernel: k, samples: make([]sample[T], p.Batch), buffer: make([]matrix[T], len(p.Buffers)), parallel: true,
	}
	for r, b := range p.Buffers {
		if b.Kind == ir.Parameter {
			pl.buffer[r], parameters = parameters[0], parameters[1:]
			continue
		}
		pl.buffer[r] = byRows[T](b.Rows, b.Cols)
		switch b.Kind {
		case ir.Data:
			pl.x = pl.buffer[r]
		case ir.Target:
			pl.y = pl.buffer[r]
		}
	}
	written := map[ir.Ref]bool{} // in the present stage, by instructions over the whole batch
	pl.stages = []stage[T]{{samples: make([][]func(), p.Batch)}}
	for _, in := range p.Code {
		e := pl.entry(in)
		st := &pl.stages[len(pl.stages)-1]
		if e.sample == nil {
			written[in.Dst] = true
			pl.parallel = pl.parallel && e.kernel != ""
			st.whole = append(st.whole, e.whole)
			continue
		}
		if slices.ContainsFunc(in.Args, func(r ir.Ref) bool { return written[r] }) {
			pl.stages = append(pl.stages, stage[T]{samples: make([][]func(), p.Batch)})
			st = &pl.stages[len(pl.stages)-1]
			clear(written)
		}
		for r := range p.Batch {
			st.samples[r] = append(st.samples[r], e.sample(r))
		}
	}
	return pl
}

// run runs the plan on one core.
func (pl *plan[T]) run() {
	if pl.copied {
		pl.copySamples()
	}
	for s := range pl.stages {
		pl.perSampleStage(s, 0, len(pl.samples))
		pl.wholeStage(s, 0, 1)
	}
}

// perSampleStage runs the per-sample instructions of a stage for the samples
// from..to-1.
func (pl *plan[T]) perSampleStage(stage, from, to int) {
	for _, instructions := range pl.stages[stage].samples[from:to] {
		for _, do := range instructions {
			do()
		}
	}
}

// wholeStage runs one part of the instructions of a stage over the whole batch.
func (pl *plan[T]) wholeStage(stage, part, parts int) {
	for _, do := range pl.stages[stage].whole {
		do(part, parts)
	}
}

// cost returns the cost of the last run. The program must compute it.
func (pl *plan[T]) cost() float64 { return float64(pl.buffer[pl.program.Cost].at(0, 0)) }

// copySamples writes the samples into x and y.
func (pl *plan[T]) copySamples() {
	for r := range pl.samples {
		s := &pl.samples[r]
		if pl.x.data != nil {
			row := pl.x.row(r)
			clear(row)
			copy(row, s.dense)
			for k, j := range s.index {
				row[j] = s.value[k]
			}
		}
		if pl.y.data != nil {
			copy(pl.y.row(r), s.target)
		}
	}
}
