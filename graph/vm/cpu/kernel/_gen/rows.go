package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows describes a walk over rows of w, each with a weight: all rows, or those of the
// entries of a sparse row.
type rows struct {
	m        *machine
	entries  reg.GPVirtual // address of the entries; nil: all rows
	val      reg.GPVirtual // address of the weights of the rows, or of the table of an entry's values
	count    reg.GPVirtual // number of rows
	w        reg.GPVirtual // address of the column block in row 0
	stride   reg.GPVirtual // bytes from one row to the next
	tail     reg.GPVirtual // address of the rest of row 0, if rows are split; then a row has rowBytes before it
	rowBytes int
	mark     reg.GPVirtual // address of a byte for each row, which becomes 1 when the row is visited; nil: none
	reverse  bool          // from the last row to the first; only with entries

	// The state of one walk:
	// next is the address of the next entry, or else of the next weight, left is the
	// number of rows to visit, and row is the address of the next row.
	next, left, row reg.GPVirtual
}

// begin emits the start of a walk over the rows of a column block.
func (r *rows) begin() {
	r.next, r.left = GP64(), GP64()
	MOVQ(r.count, r.left)
	switch {
	case r.entries == nil:
		MOVQ(r.val, r.next)
		r.row = GP64()
		MOVQ(r.w, r.row)
	case r.reverse:
		LEAQ(Mem{Base: r.entries, Index: r.left, Scale: entrySize}, r.next)
	default:
		MOVQ(r.entries, r.next)
	}
}

// address is where a segment of a row is.
type address func(p segment) Mem

// whole returns the addresses in a row that is not split.
func whole(row Mem) address { return func(p segment) Mem { return row.Offset(p.at) } }

// each emits the bodies for the next k rows. f emits the body for row s of these,
// given the addresses in the row and a register with its weight in all lanes.
func (r *rows) each(k int, f func(s int, row address, weight reg.VecVirtual)) {
	size := r.m.size
	if r.entries != nil {
		size = entrySize
	}
	if r.reverse {
		SUBQ(U8(k*size), r.next)
	}
	for s := range k {
		weight := r.m.vec()
		if r.entries == nil {
			r.m.bcast(Mem{Base: r.next, Disp: s * size}, weight)
			f(s, whole(Mem{Base: r.row}), weight)
			ADDQ(r.stride, r.row)
			continue
		}
		value, at := GP64(), GP64()
		MOVWQZX(Mem{Base: r.next, Disp: s*size + entrySize/2}, value)
		r.m.bcast(Mem{Base: r.val, Index: value, Scale: uint8(r.m.size)}, weight)
		MOVWQZX(Mem{Base: r.next, Disp: s * size}, at)
		if r.mark != nil {
			MOVB(U8(1), Mem{Base: r.mark, Index: at, Scale: 1})
		}
		if r.tail == nil {
			IMULQ(r.stride, at)
			f(s, whole(Mem{Base: r.w, Index: at, Scale: 1}), weight)
			continue
		}
		rest := GP64()
		IMUL3Q(U32(r.rowBytes), at, rest)
		SHLQ(U8(4), at)
		row := whole(Mem{Base: r.w, Index: rest, Scale: 1})
		f(s, func(p segment) Mem {
			if p.at == r.rowBytes {
				return Mem{Base: r.tail, Index: at, Scale: 1}
			}
			return row(p)
		}, weight)
	}
	if !r.reverse {
		ADDQ(U8(k*size), r.next)
	}
}

// walk emits a loop over all rows, unrolled by k.
func (r *rows) walk(label string, k int, f func(s int, row address, weight reg.VecVirtual)) {
	r.begin()
	if k > 1 {
		SUBQ(U8(k), r.left)
		JLT(LabelRef(label + "rest"))
		Label(label + "rows")
		r.each(k, f)
		SUBQ(U8(k), r.left)
		JGE(LabelRef(label + "rows"))
		Label(label + "rest")
		ADDQ(U8(k), r.left)
	}
	TESTQ(r.left, r.left)
	JZ(LabelRef(label + "done"))
	Label(label + "row")
	r.each(1, f)
	DECQ(r.left)
	JNZ(LabelRef(label + "row"))
	Label(label + "done")
}

// columns emits a loop over column blocks, and the end of the kernel. Blocks of
// blockMax quanta come first; one block of fewer quanta may follow. block emits the
// code for one block size. The registers in move hold addresses, which columns
// advances from block to block.
func (m *machine) columns(bytes reg.GPVirtual, move []reg.GPVirtual, block func(label string, segments []segment)) {
	left := GP64()
	MOVQ(bytes, left)
	Label("columns")
	m.dispatch(left, 0, m.blockMax)
	for q := m.blockMax; q > 0; q-- {
		Comment(fmt.Sprintf("Column block of %d bytes.", q*quantum))
		Label(fmt.Sprintf("block%d", q))
		block(fmt.Sprintf("block%d", q), m.segments(q*quantum))
		if q < m.blockMax {
			m.ret()
			continue
		}
		for _, r := range move {
			ADDQ(U32(q*quantum), r)
		}
		SUBQ(U32(q*quantum), left)
		JMP(LabelRef("columns"))
	}
	Label("block0")
	m.ret()
}

// dispatch emits a binary search for the block size and a jump to its block. left
// holds the number of remaining bytes, at least low quanta; more than high quanta
// lead to block high.
func (m *machine) dispatch(left reg.GPVirtual, low, high int) {
	if low == high {
		JMP(LabelRef(fmt.Sprintf("block%d", low)))
		return
	}
	middle := (low + high + 1) / 2
	CMPQ(left, U32(middle*quantum))
	if middle == high {
		JGE(LabelRef(fmt.Sprintf("block%d", high)))
	} else {
		JGE(LabelRef(fmt.Sprintf("from%d", middle)))
	}
	m.dispatch(left, low, middle-1)
	if middle < high {
		Label(fmt.Sprintf("from%d", middle))
		m.dispatch(left, middle, high)
	}
}

// segment is a part of a column block that one vector register holds. at is its
// offset in bytes.
type segment struct{ at, width int }

// of returns the part of register v that has the width of the segment.
func (p segment) of(v reg.VecVirtual) reg.Register {
	switch p.width {
	case tailBytes:
		return v.AsX()
	case quantum:
		return v.AsY()
	}
	return v.AsZ()
}

// segments divides a column block into whole vectors. If 32 bytes remain and a
// vector has 64, the last segment is half a vector.
func (m *machine) segments(bytes int) []segment {
	var list []segment
	for at := 0; at < bytes; at += m.width {
		list = append(list, segment{at, min(m.width, bytes-at)})
	}
	return list
}

// unroll returns the number of rows by which to unroll a sum over n vectors. Each
// unrolled row has its own accumulators. A fused multiply-add has a latency of 4
// cycles, and a core starts up to 2 per cycle, so 8 accumulators are enough.
func (m *machine) unroll(n int) int {
	for _, k := range []int{4, 2} {
		if k*n <= 8 && k*n+2 <= m.registers {
			return k
		}
	}
	return 1
}

// sum emits out = start + Σ weight·row for all column blocks. The register start
// holds an address; if it is nil, the sum starts at zero.
func (m *machine) sum(r *rows, bytes, out, start reg.GPVirtual) {
	move := []reg.GPVirtual{out, r.w}
	if start != nil {
		move = append(move, start)
	}
	m.columns(bytes, move, func(label string, segments []segment) {
		m.sumRows(label, r, out, start, segments)
	})
}

// sumRows emits out = start + Σ weight·row for the rows of a walk, in one column block.
func (m *machine) sumRows(label string, r *rows, out, start reg.GPVirtual, segments []segment) {
	n := len(segments)
	k := m.unroll(n)
	acc := m.vecs(k * n) // [row mod k][segment]
	for j, v := range acc {
		if j < n && start != nil {
			p := segments[j]
			VMOVUPS(Mem{Base: start, Disp: p.at}, p.of(v))
		} else {
			m.zero(v)
		}
	}
	r.walk(label, k, func(s int, row address, weight reg.VecVirtual) {
		for j, p := range segments {
			m.fma(row(p), p.of(weight), p.of(acc[s*n+j]))
		}
	})
	for h := k / 2; h > 0; h /= 2 {
		for j := range h * n {
			m.add(acc[h*n+j], acc[j], acc[j])
		}
	}
	for j, p := range segments {
		VMOVUPS(p.of(acc[j]), Mem{Base: out, Disp: p.at})
	}
}

// updates emits a kernel with updates of rows. With AVX-512 there is a second one, with
// vectors of 32 bytes.
func (m *machine) updates(name, params, loop string, rows func(m *machine) (r *rows, bytes, g reg.GPVirtual)) {
	emit := func(m *machine, name string) {
		m.function(name, params, loop)
		r, bytes, g := rows(m)
		add := func(label string, segments []segment) { m.addRows(label, r, g, segments) }
		if r.tail != nil {
			m.split(bytes, r, add)
		} else {
			m.columns(bytes, []reg.GPVirtual{g, r.w}, add)
		}
	}
	emit(m, name)
	if m.width > quantum {
		half := *m
		half.width = quantum
		emit(&half, name+"Halves")
	}
}

// tailBytes is the length of the rest of a split row.
const tailBytes = 16

// splitMax is the most bytes of a split row before the rest. The rest must be in the same
// column block, so that the sums are those of SparseDot, and AVX2 has registers for 12
// vectors and the rest.
func (m *machine) splitMax() int { return (m.blockMax - 2) * quantum }

// split emits a kernel for rows that are split. bytes is the length of a row with its
// rest.
func (m *machine) split(bytes reg.GPVirtual, r *rows, block func(label string, segments []segment)) {
	for n := 64; n <= m.splitMax(); n += 64 {
		CMPQ(bytes, U32(n+tailBytes))
		JE(LabelRef(fmt.Sprintf("row%d", n)))
	}
	m.ret()
	for n := 64; n <= m.splitMax(); n += 64 {
		Comment(fmt.Sprintf("Rows of %d bytes, and the rest.", n))
		Label(fmt.Sprintf("row%d", n))
		r.rowBytes = n
		block(fmt.Sprintf("row%d", n), append(m.segments(n), segment{n, tailBytes}))
		m.ret()
	}
}

// addRows emits row += weight·g for the rows of a walk, in one column block. The
// vectors of g are in registers.
func (m *machine) addRows(label string, r *rows, g reg.GPVirtual, segments []segment) {
	n := len(segments)
	add := m.vecs(n)
	for j, p := range segments {
		VMOVUPS(Mem{Base: g, Disp: p.at}, p.of(add[j]))
	}
	k := 1
	if m.registers == 32 {
		k = 2
	}
	r.walk(label, k, func(_ int, row address, weight reg.VecVirtual) {
		// One group uses all registers that are free.
		free := m.registers - n - 1
		for j := 0; j < n; j += free {
			part := m.vecs(min(free, n-j))
			for i, v := range part {
				p := segments[j+i]
				VMOVUPS(row(p), p.of(v))
			}
			for i, v := range part {
				p := segments[j+i]
				m.fma(p.of(add[j+i]), p.of(weight), p.of(v))
			}
			for i, v := range part {
				p := segments[j+i]
				VMOVUPS(p.of(v), row(p))
			}
		}
	})
}

// stride emits the row stride in bytes: the length of a row, rounded up to a
// multiple of 64.
func stride(bytes reg.GPVirtual) reg.GPVirtual {
	s := GP64()
	LEAQ(Mem{Base: bytes, Disp: 63}, s)
	ANDQ(I8(-64), s)
	return s
}

func (m *machine) sparseDot() {
	m.function("sparseDot", "z, b, w []T, x []uint32, table []T", "z[j] = b[j] + Σ_k value(x[k])·w[input(x[k])·n + j], n = Pad(len(z))")
	bytes := m.bytes("z")
	r := &rows{m: m, entries: base("x"), val: base("table"), count: length("x"), w: base("w"), stride: stride(bytes)}
	m.sum(r, bytes, base("z"), base("b"))
}

func (m *machine) sparseAxpy() {
	m.updates("sparseAxpy", "w, g []T, x []uint32, table []T", "w[input(x[k])·n + j] += value(x[k])·g[j], n = Pad(len(g)); k in descending order", func(m *machine) (r *rows, bytes, g reg.GPVirtual) {
		bytes = m.bytes("g")
		return &rows{m: m, entries: base("x"), val: base("table"), count: length("x"), w: base("w"), stride: stride(bytes), reverse: true}, bytes, base("g")
	})
}

func (m *machine) splitDot() {
	m.function("splitDot", "z, b, w, tail []T, x []uint32, table []T",
		"as SparseDot; the last 16 bytes of a row are in tail")
	bytes, z, b := m.bytes("z"), base("z"), base("b")
	r := &rows{m: m, entries: base("x"), val: base("table"), count: length("x"), w: base("w"), tail: base("tail")}
	m.split(bytes, r, func(label string, segments []segment) { m.sumRows(label, r, z, b, segments) })
}

func (m *machine) splitAxpy() {
	m.updates("splitAxpy", "w, tail, g []T, x []uint32, table []T", "as SparseAxpy; the last 16 bytes of a row are in tail", func(m *machine) (r *rows, bytes, g reg.GPVirtual) {
		return &rows{m: m, entries: base("x"), val: base("table"), count: length("x"), w: base("w"), tail: base("tail"), reverse: true}, m.bytes("g"), base("g")
	})
}

func (m *machine) vecMat() {
	m.function("vecMat", "g, w, d []T", "g[j] = Σ_i d[i]·w[i·n + j], n = Pad(len(g))")
	bytes := m.bytes("g")
	r := &rows{m: m, val: base("d"), count: length("d"), w: base("w"), stride: stride(bytes)}
	m.sum(r, bytes, base("g"), nil)
}

func (m *machine) rank1() {
	m.updates("rank1", "w, d, a []T", "w[i·n + j] += d[i]·a[j], n = Pad(len(a))", func(m *machine) (r *rows, bytes, a reg.GPVirtual) {
		bytes = m.bytes("a")
		return &rows{m: m, val: base("d"), count: length("d"), w: base("w"), stride: stride(bytes)}, bytes, base("a")
	})
}
