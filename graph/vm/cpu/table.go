package cpu

import (
	"sort"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// entry says how an instruction runs. Either sample or whole is set.
type entry struct {
	kernel string // its name, "" for plain loops

	// sample returns a function that runs the instruction for row r of the batch.
	// The function neither reads nor writes other rows.
	sample func(r int) func()

	// whole runs one part of the instruction over all rows; part 0 of 1 is all of
	// it. Parts may run in parallel, because they write different elements. Each
	// element adds the samples in their order, for any number of parts.
	whole func(part, parts int)
}

// entry is the table of the machine: instruction → kernel. An op without a kernel
// runs as ir.Loop, and so does an instruction whose operands do not have the layout
// that its kernel needs.
func (pl *plan[T]) entry(in ir.Instr) entry {
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

// loop is the entry of an instruction that runs as ir.Loop, its definition.
func (pl *plan[T]) loop(in ir.Instr) entry {
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
	return entry{whole: func(part, _ int) {
		if part == 0 {
			run(pl.rate)
		}
	}}
}

// perSample reports whether r is a temporary with one row per sample.
func (pl *plan[T]) perSample(r ir.Ref) bool {
	b := pl.program.Buffers[r]
	return b.Kind == ir.Temporary && b.Rows == pl.program.Batch
}

// product is one of three: z = x Wᵀ (+ b) over the pixels that are not zero, with W
// by input; z = a Wᵀ (+ b); or e = δ W.
func (pl *plan[T]) product(in ir.Instr) entry {
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
	case x.Kind == ir.Data && byOutput && w.ByInput:
		return entry{kernel: "SparseDot", sample: func(r int) func() {
			short, row, s := z.short(r), z.row(r), &pl.samples[r]
			start := bias[:len(short)]
			return func() {
				if s.dense == nil {
					k.SparseDot(short, start, weights.data, s.index, s.value)
					return
				}
				k.VecMat(short, weights.data, s.dense)
				k.Axpy(row, bias, 1)
			}
		}}
	case x.Kind == ir.Temporary && byOutput && !w.ByInput:
		a := pl.buffer[in.Args[0]]
		return entry{kernel: "MatVec", sample: func(r int) func() {
			z, a, b := z.row(r)[:z.cols], a.row(r), bias[:z.cols]
			return func() { k.MatVec(z, b, weights.data, a) }
		}}
	case x.Kind == ir.Temporary && !byOutput && !w.ByInput:
		d := pl.buffer[in.Args[0]]
		return entry{kernel: "VecMat", sample: func(r int) func() {
			e, d := z.short(r), d.row(r)[:d.cols]
			return func() { k.VecMat(e, weights.data, d) }
		}}
	}
	return pl.loop(in)
}

// activate is a = g(z).
func (pl *plan[T]) activate(in ir.Instr) entry {
	if !pl.perSample(in.Dst) || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	name, g := "Sigmoid", pl.kernel.Sigmoid
	if in.G == ir.FnTanh {
		name, g = "Tanh", pl.kernel.Tanh
	}
	a, z := pl.buffer[in.Dst], pl.buffer[in.Args[0]]
	return entry{kernel: name, sample: func(r int) func() {
		to, from := a.row(r), z.row(r)
		return func() { g(to, from, a.cols) }
	}}
}

// outputDelta is A.64: δ = (a − y) ⊙ g'(z)·c, and with Rate times −η.
func (pl *plan[T]) outputDelta(in ir.Instr) entry {
	if !pl.perSample(in.Dst) || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	name, delta := "SigmoidOutputDelta", pl.kernel.SigmoidOutputDelta
	if in.G == ir.FnTanh {
		name, delta = "TanhOutputDelta", pl.kernel.TanhOutputDelta
	}
	to, from, c := pl.buffer[in.Dst], pl.buffer[in.Args[0]], T(in.Value)
	return entry{kernel: name, sample: func(r int) func() {
		d, a, s := to.row(r), from.row(r), &pl.samples[r]
		if in.Rate {
			return func() { delta(d, a, s.target, -pl.rate*c) }
		}
		return func() { delta(d, a, s.target, c) }
	}}
}

// hiddenDelta is A.65: δ = e ⊙ g'(z).
func (pl *plan[T]) hiddenDelta(in ir.Instr) entry {
	if !pl.perSample(in.Dst) || !pl.perSample(in.Args[0]) || !pl.perSample(in.Args[1]) {
		return pl.loop(in)
	}
	name, delta := "SigmoidDelta", pl.kernel.SigmoidDelta
	if in.G == ir.FnTanh {
		name, delta = "TanhDelta", pl.kernel.TanhDelta
	}
	to, from, of := pl.buffer[in.Dst], pl.buffer[in.Args[0]], pl.buffer[in.Args[1]]
	return entry{kernel: name, sample: func(r int) func() {
		d, e, a := to.row(r), from.row(r), of.row(r)
		return func() { delta(d, e, a) }
	}}
}

// rankUpdate is A.62 with −η in δ: W += Σ δ aᵀ; or W += Σ δ xᵀ over the pixels that
// are not zero, with W by input.
func (pl *plan[T]) rankUpdate(in ir.Instr) entry {
	if !in.Rate || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	w, d, k := pl.buffer[in.Dst], pl.buffer[in.Args[0]], &pl.kernel
	byInput := pl.program.Buffers[in.Dst].ByInput
	switch {
	case pl.program.Buffers[in.Args[1]].Kind == ir.Data && byInput:
		deltas := eachRow(pl, d.short)
		return entry{kernel: "SparseAxpy", whole: func(part, parts int) {
			for r := range pl.samples {
				if s := &pl.samples[r]; parts == 1 && s.dense == nil {
					k.SparseAxpy(w.data, deltas[r], s.index, s.value)
				} else {
					inputUpdate(k, w, s, deltas[r], part, parts)
				}
			}
		}}
	case pl.perSample(in.Args[1]) && !byInput:
		deltas, a := eachRow(pl, d.row), eachRow(pl, pl.buffer[in.Args[1]].short)
		return entry{kernel: "Rank1", whole: func(part, parts int) {
			from, to := w.rows*part/parts, w.rows*(part+1)/parts
			rows := w.data[from*w.rowStride : to*w.rowStride]
			for r, delta := range deltas {
				k.Rank1(rows, delta[from:to], a[r])
			}
		}}
	}
	return pl.loop(in)
}

// rowUpdate is A.63 with −η in δ: b += Σ δ.
func (pl *plan[T]) rowUpdate(in ir.Instr) entry {
	b := pl.program.Buffers[in.Dst]
	if !in.Rate || b.Rows != 1 || b.ByInput || !pl.perSample(in.Args[0]) {
		return pl.loop(in)
	}
	bias, deltas, k := pl.buffer[in.Dst], eachRow(pl, pl.buffer[in.Args[0]].row), &pl.kernel
	return entry{kernel: "Axpy", whole: func(part, _ int) {
		if part == 0 {
			for _, delta := range deltas {
				k.Axpy(bias.data, delta, 1)
			}
		}
	}}
}

// eachRow returns row(r) for each sample of the batch.
func eachRow[T kernel.Float](pl *plan[T], row func(r int) []T) [][]T {
	rows := make([][]T, len(pl.samples))
	for r := range rows {
		rows[r] = row(r)
	}
	return rows
}

// inputUpdate does one part of W += δ xᵀ for one sample. A part is a range of the
// inputs.
func inputUpdate[T kernel.Float](k *kernel.Set[T], w matrix[T], s *sample[T], delta []T, part, parts int) {
	from, to := w.cols*part/parts, w.cols*(part+1)/parts
	if s.dense != nil {
		k.Rank1(w.data[from*w.colStride:to*w.colStride], s.dense[from:to], delta)
		return
	}
	a, b := search(s.index, from), search(s.index, to)
	k.SparseAxpy(w.data, delta, s.index[a:b], s.value[a:b])
}

// search returns the number of indices below i.
func search(index []uint16, i int) int {
	return sort.Search(len(index), func(k int) bool { return int(index[k]) >= i })
}
