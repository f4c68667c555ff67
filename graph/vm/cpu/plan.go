package cpu

import (
	"slices"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// plan is a program made ready to run: buffers in memory, and instructions as
// functions that know where their operands are.
//
// The instructions are in stages. A stage first does what is one row's affair
// (a sample's: products with weights, element-wise maps), row by row, so that a
// sample's values stay in the nearest cache, and rows in parallel; then what
// takes all rows together (updates, sums), in order. An instruction is moved
// ahead only over those whose results it does not read.
type plan[T kernel.Float] struct {
	lanes  []lane[T] // a sample for each row of the batch
	rate   T         // η of the updates
	stages []stage[T]
	buffer []matrix[T] // by ir.Ref
	simple bool        // every instruction over all rows is an update with a kernel: they may run in parts

	x, y   matrix[T] // dense copies of the samples, for the plain loops
	copied bool      // whether something reads x and y
	loss   matrix[T] // 1×1, the cost; of a step's program with cost
}

// lane is a sample of the batch. Its input is sparse (index, value) or dense.
type lane[T kernel.Float] struct {
	index  []uint16
	value  []T
	dense  []T
	target []T // padded
}

type stage[T kernel.Float] struct {
	rows  [][]func()              // of each row
	whole []func(part, parts int) // over all rows; part 0 of 1 is all of it
}

// newPlan prepares p over its parameters. Without outputs, what only they need
// is left out.
func newPlan[T kernel.Float](p *ir.Program, k kernel.Set[T], parameters tensors[T], outputs bool) *plan[T] {
	if !outputs {
		p = updatesOnly(p)
	}
	pl := &plan[T]{lanes: make([]lane[T], p.Batch), buffer: make([]matrix[T], len(p.Buffers)), simple: true}
	for r, b := range p.Buffers {
		switch b.Kind {
		case ir.Parameter:
			pl.buffer[r] = parameters[b.Name]
		default:
			pl.buffer[r] = byRows[T](b.Rows, b.Cols)
			switch b.Kind {
			case ir.Data:
				pl.x = pl.buffer[r]
			case ir.Target:
				pl.y = pl.buffer[r]
			}
		}
	}
	m := newMatcher(p, k, pl)
	written := map[ir.Ref]bool{} // by the current stage's instructions over all rows
	pl.stages = []stage[T]{{rows: make([][]func(), p.Batch)}}
	for i, in := range p.Code {
		st := &pl.stages[len(pl.stages)-1]
		if row := m.row(i); row != nil {
			if slices.ContainsFunc(m.reads(i), func(r ir.Ref) bool { return written[r] }) {
				pl.stages = append(pl.stages, stage[T]{rows: make([][]func(), p.Batch)})
				st = &pl.stages[len(pl.stages)-1]
				clear(written)
			}
			for r := range p.Batch {
				st.rows[r] = append(st.rows[r], row(r))
			}
			continue
		}
		written[in.Dst] = true
		if whole := m.update(i); whole != nil {
			st.whole = append(st.whole, whole)
			continue
		}
		pl.simple = false
		args := make([]matrix[T], len(in.Args))
		for k, a := range in.Args {
			args[k] = pl.buffer[a]
			pl.copied = pl.copied || p.Buffers[a].Kind == ir.Data || p.Buffers[a].Kind == ir.Target
		}
		run := generic(in, pl.buffer[in.Dst], args, &pl.rate)
		st.whole = append(st.whole, func(part, _ int) {
			if part == 0 {
				run()
			}
		})
	}
	if len(p.Outputs) > 1 {
		pl.loss = pl.buffer[p.Outputs[1]]
	}
	return pl
}

// updatesOnly returns p without what no update needs.
func updatesOnly(p *ir.Program) *ir.Program {
	p = p.Clone()
	p.Outputs = nil
	needed := make([]bool, len(p.Buffers))
	for i := len(p.Code) - 1; i >= 0; i-- {
		in := p.Code[i]
		if !in.Op.IsUpdate() && !needed[in.Dst] {
			p.Code = slices.Delete(p.Code, i, i+1)
			continue
		}
		for _, a := range in.Args {
			needed[a] = true
		}
	}
	return p
}

// run executes the plan on one core.
func (pl *plan[T]) run() {
	if pl.copied {
		pl.copySamples()
	}
	for s := range pl.stages {
		pl.rows(s, 0, len(pl.lanes))
		pl.whole(s, 0, 1)
	}
}

// rows executes the rows from..to-1 of a stage.
func (pl *plan[T]) rows(stage, from, to int) {
	for _, row := range pl.stages[stage].rows[from:to] {
		for _, do := range row {
			do()
		}
	}
}

// whole executes a part of what a stage has over all rows.
func (pl *plan[T]) whole(stage, part, parts int) {
	for _, do := range pl.stages[stage].whole {
		do(part, parts)
	}
}

// cost returns the cost of the last run.
func (pl *plan[T]) cost() float64 { return float64(pl.loss.at(0, 0)) }

// copySamples writes the lanes into x and y.
func (pl *plan[T]) copySamples() {
	for r := range pl.lanes {
		l := &pl.lanes[r]
		if pl.x.data != nil {
			row := pl.x.row(r)
			clear(row)
			copy(row, l.dense)
			for k, j := range l.index {
				row[j] = l.value[k]
			}
		}
		if pl.y.data != nil {
			copy(pl.y.row(r), l.target)
		}
	}
}
