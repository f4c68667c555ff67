package cpu

import (
	"slices"
	"sort"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// matcher finds the instructions that kernels compute. What it does not know
// runs as plain loops: slower, and right.
type matcher[T kernel.Float] struct {
	program *ir.Program
	kernel  kernel.Set[T]
	plan    *plan[T]
	readers [][]int // by ir.Ref: the instructions that read it

	bias map[int]ir.Ref // MatMul → the row that the kernel adds at once

	// scaled are the temporaries that hold −η times their value: a δ that
	// enters nothing but updates and other such δs. With it an update is
	// W += δ aᵀ, and η costs nothing.
	scaled map[ir.Ref]bool
}

func newMatcher[T kernel.Float](p *ir.Program, k kernel.Set[T], pl *plan[T]) *matcher[T] {
	m := &matcher[T]{
		program: p, kernel: k, plan: pl,
		readers: make([][]int, len(p.Buffers)),
		bias:    map[int]ir.Ref{}, scaled: map[ir.Ref]bool{},
	}
	for i, in := range p.Code {
		for _, a := range in.Args {
			m.readers[a] = append(m.readers[a], i)
		}
	}
	for i := range p.Code {
		m.foldBias(i)
	}
	for i, in := range p.Code {
		if _, _, ok := m.outputDelta(i); ok && m.scalable(in.Dst) {
			m.markScaled(in.Dst)
		}
	}
	return m
}

// The element-wise expressions that have kernels. Arguments are numbered in
// the order of first use.
var (
	arg0, arg1 = ir.Arg(0), ir.Arg(1)
	one        = ir.Const(1)

	sigmoidOfSum = ir.Sigmoid(ir.Add(arg0, arg1))
	tanhOfSum    = ir.Tanh(ir.Add(arg0, arg1))

	sigmoidSlope1 = ir.Sub(one, arg1)
	sigmoidDelta  = ir.Mul(ir.Mul(arg0, arg1), sigmoidSlope1)                   // e·a·(1 − a)
	tanhDelta     = ir.Mul(arg0, ir.Sub(one, ir.Mul(arg1, arg1)))               // e·(1 − a·a)
	sigmoidOutput = ir.Mul(ir.Mul(ir.Sub(arg0, arg1), arg0), ir.Sub(one, arg0)) // (a − y)·a·(1 − a)
	tanhOutput    = ir.Mul(ir.Sub(arg0, arg1), ir.Sub(one, ir.Mul(arg0, arg0))) // (a − y)·(1 − a·a)
)

// foldBias makes the product i start from a bias instead of zero, when a
// bias and an activation is all that is made of it.
func (m *matcher[T]) foldBias(i int) {
	in := m.program.Code[i]
	if in.Op != ir.MatMul || !m.product(i) || len(m.readers[in.Dst]) != 1 || m.isOutput(in.Dst) {
		return
	}
	k := m.readers[in.Dst][0]
	next := m.program.Code[k]
	if next.Op != ir.Map || next.Expr != sigmoidOfSum && next.Expr != tanhOfSum || next.Args[0] != in.Dst ||
		!m.sameShape(in.Dst, next.Dst) {
		return
	}
	b := m.program.Buffers[next.Args[1]]
	if b.Kind != ir.Parameter || b.Rows != 1 || b.Cols != m.program.Buffers[in.Dst].Cols {
		return
	}
	for _, between := range m.program.Code[i:k] {
		if between.Dst == next.Args[1] {
			return // the bias is updated before it is added
		}
	}
	m.bias[i] = next.Args[1]
}

// product reports whether i is the product of rows with a parameter as the
// kernels have it: x·Wᵀ, a·Wᵀ or δ·W.
func (m *matcher[T]) product(i int) bool {
	in := m.program.Code[i]
	if in.Op != ir.MatMul || in.TransA || !m.perRow(in.Dst) {
		return false
	}
	a, w := m.program.Buffers[in.Args[0]], m.program.Buffers[in.Args[1]]
	if w.Kind != ir.Parameter || a.Kind == ir.Parameter || a.Rows != m.program.Batch {
		return false
	}
	byRows := m.plan.buffer[in.Args[1]].contiguous()
	switch a.Kind {
	case ir.Data:
		return in.TransB && !byRows
	case ir.Temporary:
		return byRows
	}
	return false
}

// perRow reports whether r has a row for each sample.
func (m *matcher[T]) perRow(r ir.Ref) bool {
	b := m.program.Buffers[r]
	return b.Kind == ir.Temporary && b.Rows == m.program.Batch
}

func (m *matcher[T]) sameShape(r, s ir.Ref) bool {
	a, b := m.program.Buffers[r], m.program.Buffers[s]
	return a.Rows == b.Rows && a.Cols == b.Cols
}

// hiddenDelta reports whether i is A.65, e ⊙ g'(z) with e = Wᵀδ in Args[0].
func (m *matcher[T]) hiddenDelta(i int) bool {
	in := m.program.Code[i]
	return in.Op == ir.Map && (in.Expr == sigmoidDelta || in.Expr == tanhDelta) && m.perRow(in.Dst) &&
		m.perRow(in.Args[0]) && m.sameShape(in.Args[0], in.Dst) && m.perRow(in.Args[1]) && m.sameShape(in.Args[1], in.Dst)
}

func (m *matcher[T]) isOutput(r ir.Ref) bool { return slices.Contains(m.program.Outputs, r) }

// reads returns what instruction i reads, a folded bias included.
func (m *matcher[T]) reads(i int) []ir.Ref {
	if b, ok := m.bias[i]; ok {
		return append([]ir.Ref{b}, m.program.Code[i].Args...)
	}
	return m.program.Code[i].Args
}

// row returns what makes instruction i for a row of the batch, or nil if no
// kernel does that.
func (m *matcher[T]) row(i int) func(r int) func() {
	in := m.program.Code[i]
	switch {
	case m.product(i):
		return m.productRow(i)
	case in.Op == ir.Map && m.perRow(in.Dst):
		return m.mapRow(i)
	}
	return nil
}

func (m *matcher[T]) productRow(i int) func(r int) func() {
	in, k := m.program.Code[i], &m.kernel
	dst, w := m.plan.buffer[in.Dst], m.plan.buffer[in.Args[1]]
	if !in.TransB { // δ·W
		d := m.plan.buffer[in.Args[0]]
		return func(r int) func() {
			g, d := dst.short(r), d.row(r)[:d.cols]
			return func() { k.VecMat(g, w.data, d) }
		}
	}
	bias := kernel.Aligned[T](dst.rowStride)
	if b, ok := m.bias[i]; ok {
		bias = m.plan.buffer[b].data
	}
	if m.program.Buffers[in.Args[0]].Kind == ir.Data {
		return func(r int) func() {
			z, b, l := dst.short(r), bias[:len(dst.short(r))], &m.plan.lanes[r]
			return func() {
				if l.dense == nil {
					k.SparseDot(z, b, w.data, l.index, l.value)
					return
				}
				k.VecMat(z, w.data, l.dense)
				k.Axpy(dst.row(r), bias, 1)
			}
		}
	}
	a := m.plan.buffer[in.Args[0]]
	return func(r int) func() {
		z, a, b := dst.row(r)[:dst.cols], a.row(r), bias[:dst.cols]
		return func() { k.MatVec(z, b, w.data, a) }
	}
}

func (m *matcher[T]) mapRow(i int) func(r int) func() {
	in, k := m.program.Code[i], &m.kernel
	dst := m.plan.buffer[in.Dst]
	if a, factor, ok := m.outputDelta(i); ok {
		return m.outputDeltaRow(in, a, factor)
	}
	if m.hiddenDelta(i) && m.scaled[in.Dst] == m.scaled[in.Args[0]] {
		f := k.SigmoidDelta
		if in.Expr == tanhDelta {
			f = k.TanhDelta
		}
		e, a := m.plan.buffer[in.Args[0]], m.plan.buffer[in.Args[1]]
		return func(r int) func() {
			d, e, a := dst.row(r), e.row(r), a.row(r)
			return func() { f(d, e, a) }
		}
	}
	if !m.perRow(in.Args[0]) || !m.sameShape(in.Args[0], in.Dst) {
		return nil
	}
	z := m.plan.buffer[in.Args[0]]
	activation := func(f func(a, z []T, n int)) func(r int) func() {
		return func(r int) func() {
			a, z := dst.row(r), z.row(r)
			return func() { f(a, z, dst.cols) }
		}
	}
	switch biased := m.addsFoldedBias(i); {
	case in.Expr == ir.Sigmoid(arg0), in.Expr == sigmoidOfSum && biased:
		return activation(k.Sigmoid)
	case in.Expr == ir.Tanh(arg0), in.Expr == tanhOfSum && biased:
		return activation(k.Tanh)
	}
	return nil
}

// addsFoldedBias reports whether the bias that Map i adds is in its first
// argument already.
func (m *matcher[T]) addsFoldedBias(i int) bool {
	in := m.program.Code[i]
	for k, b := range m.bias {
		if m.program.Code[k].Dst == in.Args[0] && len(in.Args) == 2 && b == in.Args[1] {
			return true
		}
	}
	return false
}

// outputDelta reports whether i is A.64, c·(a − y) ⊙ g'(z) with y the target, and
// which a and c.
func (m *matcher[T]) outputDelta(i int) (a ir.Ref, c float64, ok bool) {
	in := m.program.Code[i]
	if in.Op != ir.Map || len(in.Args) != 2 || !m.perRow(in.Dst) {
		return 0, 0, false
	}
	a, c = in.Args[0], 1
	y := in.Args[1]
	cols := m.program.Buffers[in.Dst].Cols
	if !m.perRow(a) || m.program.Buffers[a].Cols != cols || m.program.Buffers[y].Kind != ir.Target || m.program.Buffers[y].Cols != cols {
		return 0, 0, false
	}
	terms := in.Expr.Terms()
	if n := len(terms); n > 2 && terms[n-2].Fn == ir.FnConst {
		c = terms[n-2].Value
	}
	for _, e := range []ir.Expr{sigmoidOutput, tanhOutput} {
		if in.Expr == e || in.Expr == ir.Mul(e, ir.Const(c)) {
			return a, c, true
		}
	}
	return 0, 0, false
}

func (m *matcher[T]) outputDeltaRow(in ir.Instr, aRef ir.Ref, factor float64) func(r int) func() {
	f := m.kernel.SigmoidOutputDelta
	if in.Expr == tanhOutput || in.Expr == ir.Mul(tanhOutput, ir.Const(factor)) {
		f = m.kernel.TanhOutputDelta
	}
	dst, a, scaled, pl, c := m.plan.buffer[in.Dst], m.plan.buffer[aRef], m.scaled[in.Dst], m.plan, T(factor)
	return func(r int) func() {
		d, a, l := dst.row(r), a.row(r), &pl.lanes[r]
		if scaled {
			return func() { f(d, a, l.target, -pl.rate*c) }
		}
		return func() { f(d, a, l.target, c) }
	}
}

// scalable reports whether r may hold −η times its value: all that reads it is
// linear in it, and an update or scalable in turn.
func (m *matcher[T]) scalable(r ir.Ref) bool {
	if m.isOutput(r) {
		return false
	}
	for _, i := range m.readers[r] {
		in := m.program.Code[i]
		switch {
		case in.Op == ir.RankUpdate && in.Args[0] == r && in.Args[1] != r && m.rankUpdate(i):
		case (in.Op == ir.RowUpdate || in.Op == ir.Update) && m.rowUpdate(i):
		case in.Op == ir.MatMul && in.Args[0] == r && !in.TransB && m.product(i) && m.scalable(in.Dst):
		case m.hiddenDelta(i) && in.Args[0] == r && m.scalable(in.Dst):
		default:
			return false
		}
	}
	return true
}

// markScaled marks r and what is linear in it.
func (m *matcher[T]) markScaled(r ir.Ref) {
	m.scaled[r] = true
	for _, i := range m.readers[r] {
		if in := m.program.Code[i]; !in.Op.IsUpdate() {
			m.markScaled(in.Dst)
		}
	}
}

// rankUpdate reports whether i is W −= η·δᵀ·a, with a row of δ and one of a or
// x for each sample, in the layouts of the kernels.
func (m *matcher[T]) rankUpdate(i int) bool {
	in := m.program.Code[i]
	if in.Op != ir.RankUpdate || !m.perRow(in.Args[0]) {
		return false
	}
	byRows := m.plan.buffer[in.Dst].contiguous()
	if m.program.Buffers[in.Args[1]].Kind == ir.Data {
		return !byRows
	}
	return byRows && m.perRow(in.Args[1])
}

// rowUpdate reports whether i is b −= η·Σδ.
func (m *matcher[T]) rowUpdate(i int) bool {
	in := m.program.Code[i]
	return (in.Op == ir.RowUpdate || in.Op == ir.Update) && m.program.Buffers[in.Dst].Rows == 1 && m.perRow(in.Args[0]) &&
		m.plan.buffer[in.Dst].contiguous()
}

// update returns update i by kernels, or nil. Parts of it may run at the same
// time: they change different elements, and each element takes the samples in
// their order, however many parts there are.
func (m *matcher[T]) update(i int) func(part, parts int) {
	in, k, pl := m.program.Code[i], &m.kernel, m.plan
	if !in.Op.IsUpdate() || !m.scaled[in.Args[0]] {
		return nil
	}
	w, d := pl.buffer[in.Dst], pl.buffer[in.Args[0]]
	deltas, short := make([][]T, len(pl.lanes)), make([][]T, len(pl.lanes))
	for r := range pl.lanes {
		deltas[r], short[r] = d.row(r), d.short(r)
	}
	switch {
	case m.rowUpdate(i):
		return func(part, _ int) {
			if part != 0 {
				return
			}
			for _, delta := range deltas {
				k.Axpy(w.data, delta, 1)
			}
		}
	case m.rankUpdate(i) && m.program.Buffers[in.Args[1]].Kind == ir.Data:
		return func(part, parts int) {
			for r := range pl.lanes {
				if l := &pl.lanes[r]; parts == 1 && l.dense == nil {
					k.SparseAxpy(w.data, short[r], l.index, l.value)
				} else {
					m.inputUpdate(w, l, short[r], part, parts)
				}
			}
		}
	case m.rankUpdate(i):
		a := make([][]T, len(pl.lanes))
		for r := range a {
			a[r] = pl.buffer[in.Args[1]].short(r)
		}
		return func(part, parts int) {
			from, to := w.rows*part/parts, w.rows*(part+1)/parts
			rows := w.data[from*w.rowStride : to*w.rowStride]
			for r, delta := range deltas {
				k.Rank1(rows, delta[from:to], a[r])
			}
		}
	}
	return nil
}

// inputUpdate is a part of W += δᵀ x, of one sample: that of some of the inputs.
func (m *matcher[T]) inputUpdate(w matrix[T], l *lane[T], delta []T, part, parts int) {
	from, to := w.cols*part/parts, w.cols*(part+1)/parts
	if l.dense != nil {
		m.kernel.Rank1(w.data[from*w.colStride:to*w.colStride], l.dense[from:to], delta)
		return
	}
	a, b := search(l.index, from), search(l.index, to)
	m.kernel.SparseAxpy(w.data, delta, l.index[a:b], l.value[a:b])
}

// search returns the number of indices below i.
func search(index []uint16, i int) int {
	return sort.Search(len(index), func(k int) bool { return int(index[k]) >= i })
}
