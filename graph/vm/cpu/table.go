package cpu

import (
	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// entry is how an instruction runs: by its kernel, or as a plain loop.
type entry[T kernel.Float] struct {
	kernel string // its name, "" for plain loops

	// A per-sample instruction reads and writes nothing of other samples. sample
	// returns what it does for row r of the batch. samples does it for the rows
	// from..to-1 of a mini-batch; nil: as sample does, row by row.
	sample  func(r int) func()
	samples func(from, to int)

	// The other instructions work on the whole batch, or block of one: all does
	// what one does; part does a part of it, and parts may run at the same time; a
	// gradient is an update of a mini-batch.
	all      func()
	part     func(part, parts int)
	gradient *gradient[T]
}

// entry is the table of the machine: instruction → kernel. An instruction whose
// operands are not laid out as its kernel wants them, and an op that has no
// kernel, runs as ir.Loop.
func (pl *plan[T]) entry(in ir.Instr) entry[T] {
	switch in.Op {
	case ir.MatMul, ir.Affine:
		return pl.product(in)
	case ir.Activate:
		return pl.activate(in)
	case ir.OutputDelta:
		return pl.outputDelta(in)
	case ir.HiddenDelta:
		return pl.hiddenDelta(in)
	case ir.RankUpdate:
		return pl.rankUpdate(in)
	case ir.Update, ir.RowUpdate:
		return pl.rowUpdate(in)
	}
	return pl.loop(in) // Fill, Transpose, Reshape, Repeat, SumRows, SumAll, Map: only the cost needs some of these
}

// loop runs an instruction by its definition.
func (pl *plan[T]) loop(in ir.Instr) entry[T] {
	view := func(r ir.Ref) ir.Matrix[T] {
		pl.copied = pl.copied || pl.program.Buffers[r].Kind == ir.Data || pl.program.Buffers[r].Kind == ir.Target
		m := pl.buffer[r]
		return ir.Matrix[T]{V: m.data, Rows: m.rows, Cols: m.cols, RowStride: m.rowStride, ColStride: m.colStride}
	}
	args := make([]ir.Matrix[T], len(in.Args))
	for k, r := range in.Args {
		args[k] = view(r)
	}
	run := ir.Loop(in, view(in.Dst), args)
	return entry[T]{all: func() { run(pl.rate) }}
}

// perSample reports whether r is a temporary with one row per sample.
func (pl *plan[T]) perSample(r ir.Ref) bool {
	b := pl.program.Buffers[r]
	return b.Kind == ir.Temporary && b.Rows == pl.program.Batch
}

// product is z = x Wᵀ (+ b) over the pixels that are not zero, with W by input;
// z = a Wᵀ (+ b); or e = δ W.
func (pl *plan[T]) product(in ir.Instr) entry[T] {
	x, w := pl.program.Buffers[in.Args[0]], pl.program.Buffers[in.Args[1]]
	if in.TransA || x.Rows != pl.program.Batch || w.Kind != ir.Parameter || !pl.perSample(in.Dst) {
		return pl.loop(in)
	}
	z, weights := pl.buffer[in.Dst], pl.buffer[in.Args[1]]
	bias := kernel.Aligned[T](z.rowStride)
	if in.Op == ir.Affine {
		if b := pl.program.Buffers[in.Args[2]]; b.Kind != ir.Parameter || b.ByInput {
			return pl.loop(in)
		}
		bias = pl.buffer[in.Args[2]].data
	}
	byOutput := in.Op == ir.Affine || in.TransB
	switch k := &pl.kernel; {
	case x.Kind == ir.Temporary && !w.ByInput && wide(w.Rows, w.Cols, pl.program.Batch):
		from := weights.view()
		if byOutput {
			from = from.Transposed()
		}
		return entry[T]{kernel: "Product", part: pl.shareColumns(z, bias, pl.buffer[in.Args[0]], from)}
	case x.Kind == ir.Data && byOutput && w.ByInput:
		layer := newInputLayer(pl, weights)
		dense := func(r int) {
			k.VecMat(z.short(r), weights.data, pl.samples[r].dense)
			k.Axpy(z.row(r), bias, 1)
		}
		if layer.wide() && len(pl.samples) > 1 {
			return entry[T]{kernel: "SparseMatMul", part: func(part, parts int) {
				if pl.samples[0].dense != nil {
					for r := pl.count * part / parts; r < pl.count*(part+1)/parts && !pl.stopped(); r++ {
						dense(r)
					}
					return
				}
				first, last := layer.columns(part, parts)
				for r := range pl.count {
					copy(z.row(r)[first:last], bias[first:last])
				}
				layer.product(z, 0, pl.count, first, last)
			}}
		}
		sp, zero := pl.split(in.Args[1]), kernel.Aligned[T](z.rowStride)
		return entry[T]{kernel: "SparseDot, SplitDot, SparseMatMul", sample: func(r int) func() {
			short, s := z.short(r), &pl.samples[r]
			start := bias[:len(short)]
			return func() {
				switch {
				case s.dense != nil:
					dense(r)
				case sp != nil && sp.open:
					n := sp.n + sp.rest
					k.SplitDot(short[:n], start[:n], sp.w, sp.tail, s.entries, pl.table)
				default:
					k.SparseDot(short, start, weights.data, s.entries, pl.table)
				}
			}
		}, samples: func(from, to int) {
			if pl.samples[from].dense != nil {
				for r := from; r < to; r++ {
					dense(r)
				}
				return
			}
			if sp != nil && sp.open {
				for r := from; r < to; r++ { // with the bits of layer.product
					n := sp.n + sp.rest
					k.SplitDot(z.row(r)[:n], zero[:n], sp.w, sp.tail, pl.samples[r].entries, pl.table)
					k.Axpy(z.row(r), bias, 1)
				}
				return
			}
			for r := from; r < to; r++ {
				copy(z.row(r), bias)
			}
			layer.product(z, from, to, 0, layer.width)
		}}
	case x.Kind == ir.Temporary && byOutput && !w.ByInput:
		a := pl.buffer[in.Args[0]]
		return entry[T]{kernel: "MatVec", sample: func(r int) func() {
			z, a, b := z.row(r)[:z.cols], a.row(r), bias[:z.cols]
			return func() { k.MatVec(z, b, weights.data, a) }
		}}
	case x.Kind == ir.Temporary && !byOutput && !w.ByInput:
		d := pl.buffer[in.Args[0]]
		return entry[T]{kernel: "VecMat", sample: func(r int) func() {
			e, d := z.short(r), d.row(r)[:d.cols]
			return func() { k.VecMat(e, weights.data, d) }
		}}
	}
	return pl.loop(in)
}

// The least rows and columns of weights, and samples, with which a matrix product
// is faster than a product of the weights with each sample.
// For a gradient, a tile of rows is enough if they are long.
const (
	wideSide    = 48
	wideSamples = 8
	longRow     = 256
)

// wide reports whether products of a batch with weights of this shape are matrix products.
func wide(rows, cols, batch int) bool {
	return min(rows, cols) >= wideSide && batch >= wideSamples
}

// shareColumns returns z = x·w + b for the samples of a block, divided among the
// cores by columns of z.
func (pl *plan[T]) shareColumns(z matrix[T], b []T, x matrix[T], w kernel.Matrix[T]) func(part, parts int) {
	spaces := make([]kernel.Workspace[T], inputParts)
	return func(part, parts int) {
		tile := pl.kernel.TileCols
		tiles := (z.cols + tile - 1) / tile
		first, last := min(z.cols, tiles*part/parts*tile), min(z.cols, tiles*(part+1)/parts*tile)
		for r := range pl.count {
			copy(z.row(r)[first:last], b[first:last])
		}
		pl.kernel.Product(&spaces[part], z.view().Block(0, first, pl.count, last-first), x.view().Block(0, 0, pl.count, x.cols),
			w.Block(0, first, w.Rows, last-first))
	}
}

// activate is a = g(z).
func (pl *plan[T]) activate(in ir.Instr) entry[T] {
	if !pl.perSample(in.Dst) || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	name, k := "Sigmoid", &pl.kernel
	if in.G == ir.FnTanh {
		name = "Tanh"
	}
	a, z := pl.buffer[in.Dst], pl.buffer[in.Args[0]]
	return entry[T]{kernel: name, sample: func(r int) func() {
		to, from := a.row(r), z.row(r)
		if in.G == ir.FnTanh {
			return func() { k.Tanh(to, from, a.cols) }
		}
		return func() { k.Sigmoid(to, from, a.cols) }
	}}
}

// outputDelta is A.64: δ = (a − y) ⊙ g'(z)·c, times −η if the rate is folded in.
func (pl *plan[T]) outputDelta(in ir.Instr) entry[T] {
	if !pl.perSample(in.Dst) || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	name, k := "SigmoidOutputDelta", &pl.kernel
	if in.G == ir.FnTanh {
		name = "TanhOutputDelta"
	}
	to, from, c := pl.buffer[in.Dst], pl.buffer[in.Args[0]], T(in.Value)
	alpha := func() T {
		if in.Rate {
			return -pl.rate * c
		}
		return c
	}
	return entry[T]{kernel: name, sample: func(r int) func() {
		d, a, s := to.row(r), from.row(r), &pl.samples[r]
		if in.G == ir.FnTanh {
			return func() { k.TanhOutputDelta(d, a, s.target, alpha()) }
		}
		return func() { k.SigmoidOutputDelta(d, a, s.target, alpha()) }
	}}
}

// hiddenDelta is A.65: δ = e ⊙ g'(z).
func (pl *plan[T]) hiddenDelta(in ir.Instr) entry[T] {
	if !pl.perSample(in.Dst) || !pl.perSample(in.Args[0]) || !pl.perSample(in.Args[1]) {
		return pl.loop(in)
	}
	name, k := "SigmoidDelta", &pl.kernel
	if in.G == ir.FnTanh {
		name = "TanhDelta"
	}
	to, from, of := pl.buffer[in.Dst], pl.buffer[in.Args[0]], pl.buffer[in.Args[1]]
	return entry[T]{kernel: name, sample: func(r int) func() {
		d, e, a := to.row(r), from.row(r), of.row(r)
		if in.G == ir.FnTanh {
			return func() { k.TanhDelta(d, e, a) }
		}
		return func() { k.SigmoidDelta(d, e, a) }
	}}
}

// rankUpdate is A.62 with the rate in δ: W += Σ δ aᵀ, or W += Σ δ xᵀ over the
// pixels that are not zero, with W by input.
func (pl *plan[T]) rankUpdate(in ir.Instr) entry[T] {
	if !in.Rate || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	w, d, k := pl.buffer[in.Dst], pl.buffer[in.Args[0]], &pl.kernel
	byInput := pl.program.Buffers[in.Dst].ByInput
	switch {
	case pl.program.Buffers[in.Args[1]].Kind == ir.Data && byInput:
		if pl.program.Batch == 1 {
			s, delta, sp := &pl.samples[0], d.short(0), pl.split(in.Dst)
			if sp != nil {
				sp.updated = true
			}
			return entry[T]{kernel: "SparseAxpy, SplitAxpy, Rank1", all: func() {
				switch {
				case s.dense != nil:
					k.Rank1(w.data, s.dense, delta)
				case sp != nil && sp.open:
					k.SplitAxpy(sp.w, sp.tail, delta[:sp.n+sp.rest], s.entries, pl.table)
				default:
					k.SparseAxpy(w.data, delta, s.entries, pl.table)
				}
			}}
		}
		return entry[T]{kernel: "SparseOuter, Rank1", gradient: pl.inputGradient(w, d)}
	case pl.perSample(in.Args[1]) && !byInput:
		a := pl.buffer[in.Args[1]]
		if pl.program.Batch == 1 {
			delta, a := d.row(0)[:w.rows], a.short(0)
			return entry[T]{kernel: "Rank1", all: func() { k.Rank1(w.data, delta, a) }}
		}
		g := newGradient(k, w, pl.program.Batch)
		if wide(w.rows, w.cols, pl.program.Batch) || w.rows >= k.TileRows && w.cols >= longRow && pl.program.Batch >= wideSamples {
			spaces := make([]kernel.Workspace[T], len(g.edges))
			g.add = func(sum []T, p, q, from, to int) {
				first, last := g.edges[p], g.edges[q]
				k.Product(&spaces[p], kernel.ByRows(sum, last-first, w.cols, w.rowStride),
					d.view().Block(from, first, to-from, last-first).Transposed(), a.view().Block(from, 0, to-from, a.cols))
			}
			return entry[T]{kernel: "Product", gradient: g}
		}
		g.add = func(sum []T, p, q, from, to int) {
			first, last := g.edges[p], g.edges[q]
			for r := from; r < to && !pl.stopped(); r++ {
				k.Rank1(sum, d.row(r)[first:last], a.short(r))
			}
		}
		return entry[T]{kernel: "Rank1", gradient: g}
	}
	return pl.loop(in)
}

// inputGradient is Σ δ xᵀ of a mini-batch, with W by input.
func (pl *plan[T]) inputGradient(w, d matrix[T]) *gradient[T] {
	k := &pl.kernel
	g := newGradient(k, w, pl.program.Batch)
	g.input = newInputSum(pl, w, d)
	if !g.input.wide() {
		g.group = g.input.group
	}
	g.add = func(sum []T, p, q, from, to int) {
		if pl.samples[from].dense == nil {
			g.input.add(sum, p, q, from, to)
			return
		}
		for r := from; r < to && !pl.stopped(); r++ {
			k.Rank1(sum, pl.samples[r].dense[g.edges[p]:g.edges[q]], d.short(r))
		}
	}
	return g
}

// rowUpdate is A.63 with the rate in δ: b += Σ δ.
func (pl *plan[T]) rowUpdate(in ir.Instr) entry[T] {
	buffer := pl.program.Buffers[in.Dst]
	if !in.Rate || buffer.Rows != 1 || buffer.ByInput || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	b, d, k := pl.buffer[in.Dst], pl.buffer[in.Args[0]], &pl.kernel
	if pl.program.Batch == 1 {
		delta := d.row(0)
		return entry[T]{kernel: "Axpy", all: func() { k.Axpy(b.data, delta, 1) }}
	}
	g := newGradient(k, b, pl.program.Batch)
	g.add = func(sum []T, _, _, from, to int) {
		for r := from; r < to; r++ {
			k.Axpy(sum, d.row(r), 1)
		}
	}
	return entry[T]{kernel: "Axpy", gradient: g}
}
