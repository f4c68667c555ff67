package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// rows walks over weighted rows of w: all of them, or those of a sparse row.
type rows struct {
	m      *machine
	idx    reg.GPVirtual // address of the indices; nil: all rows
	val    reg.GPVirtual // address of the weights of the rows
	count  reg.GPVirtual // of rows
	w      reg.GPVirtual // address of the column block in row 0
	stride reg.GPVirtual // bytes from row to row
	back   bool          // sparse rows only: the last row first

	// Of one walk:
	i, v, left, row reg.GPVirtual
}

// begin starts a walk over the rows of a column block.
func (r *rows) begin() {
	r.v, r.left = GP64(), GP64()
	MOVQ(r.val, r.v)
	MOVQ(r.count, r.left)
	if r.idx != nil {
		r.i = GP64()
		MOVQ(r.idx, r.i)
		if r.back {
			LEAQ(Mem{Base: r.i, Index: r.left, Scale: 2}, r.i)
			LEAQ(Mem{Base: r.v, Index: r.left, Scale: uint8(r.m.size)}, r.v)
		}
	} else {
		r.row = GP64()
		MOVQ(r.w, r.row)
	}
}

// each emits body for the next k rows: f takes the address of the row and its
// weight in all lanes.
func (r *rows) each(k int, f func(s int, row Mem, weight reg.VecVirtual)) {
	if r.back {
		SUBQ(U8(2*k), r.i)
		SUBQ(U8(k*r.m.size), r.v)
	}
	for s := range k {
		weight := r.m.vec()
		r.m.bcast(Mem{Base: r.v, Disp: s * r.m.size}, weight)
		if r.idx != nil {
			at := GP64()
			MOVWQZX(Mem{Base: r.i, Disp: 2 * s}, at)
			IMULQ(r.stride, at)
			f(s, Mem{Base: r.w, Index: at, Scale: 1}, weight)
		} else {
			f(s, Mem{Base: r.row}, weight)
			ADDQ(r.stride, r.row)
		}
	}
	if r.back {
		return
	}
	if r.idx != nil {
		ADDQ(U8(2*k), r.i)
	}
	ADDQ(U8(k*r.m.size), r.v)
}

// walk emits the loop over all rows, unrolled by k.
func (r *rows) walk(label string, k int, f func(s int, row Mem, weight reg.VecVirtual)) {
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

// columns emits the loop over column blocks of 1 to blockMax quanta, the widest
// ones first. It moves the addresses in move along.
func (m *machine) columns(bytes reg.GPVirtual, move []reg.GPVirtual, block func(label string, pieces []piece)) {
	left := GP64()
	MOVQ(bytes, left)
	Label("columns")
	m.dispatch(left, 0, m.blockMax)
	for q := m.blockMax; q > 0; q-- {
		Comment(fmt.Sprintf("Column block of %d bytes.", q*quantum))
		Label(fmt.Sprintf("block%d", q))
		block(fmt.Sprintf("block%d", q), m.pieces(q*quantum))
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

// dispatch emits the jump to the block for so many bytes, low to high quanta
// or more, by bisection.
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

// piece is a part of a column block that fills a vector.
type piece struct{ at, width int }

// of returns the part of register v that has the width of p.
func (p piece) of(v reg.VecVirtual) reg.Register {
	if p.width == 32 {
		return v.AsY()
	}
	return v.AsZ()
}

// pieces returns whole vectors, and half a vector of 64 bytes where 32 are left.
func (m *machine) pieces(bytes int) []piece {
	var list []piece
	for at := 0; at < bytes; at += m.width {
		list = append(list, piece{at, min(m.width, bytes-at)})
	}
	return list
}

// unroll returns over how many rows to unroll a sum of so many vectors, each
// with its own accumulators: 4 cycles of latency at up to 2 a cycle.
func (m *machine) unroll(vectors int) int {
	for _, k := range []int{4, 2} {
		if k*vectors <= 8 && k*vectors+2 <= m.registers {
			return k
		}
	}
	return 1
}

// sum emits out = start + Σ weight·row for all column blocks; start is zero
// where from is nil.
func (m *machine) sum(r *rows, bytes, out, from reg.GPVirtual) {
	move := []reg.GPVirtual{out, r.w}
	if from != nil {
		move = append(move, from)
	}
	m.columns(bytes, move, func(label string, pieces []piece) {
		n := len(pieces)
		k := m.unroll(n)
		acc := m.vecs(k * n) // [row mod k][piece]
		for j, v := range acc {
			if j < n && from != nil {
				p := pieces[j]
				VMOVUPS(Mem{Base: from, Disp: p.at}, p.of(v))
			} else {
				m.zero(v)
			}
		}
		r.walk(label, k, func(s int, row Mem, weight reg.VecVirtual) {
			for j, p := range pieces {
				m.fma(row.Offset(p.at), p.of(weight), p.of(acc[s*n+j]))
			}
		})
		for h := k / 2; h > 0; h /= 2 {
			for j := range h * n {
				m.add(acc[h*n+j], acc[j], acc[j])
			}
		}
		for j, p := range pieces {
			VMOVUPS(p.of(acc[j]), Mem{Base: out, Disp: p.at})
		}
	})
}

// update emits row += weight·g for all column blocks. Its vectors have 32
// bytes in AVX-512 too: on Zen 4, which stores 32 bytes a cycle, that was up to
// a third faster than storing 64 at a time.
func (m *machine) update(r *rows, bytes, g reg.GPVirtual) {
	half := *m
	half.width = 32
	r.m = &half
	half.columns(bytes, []reg.GPVirtual{g, r.w}, func(label string, pieces []piece) {
		n := len(pieces)
		add := half.vecs(n)
		for j, p := range pieces {
			VMOVUPS(Mem{Base: g, Disp: p.at}, add[j])
		}
		k := 1
		if m.registers == 32 {
			k = 2
		}
		r.walk(label, k, func(_ int, row Mem, weight reg.VecVirtual) {
			// As many vectors at a time as registers are free.
			free := half.registers - n - 1
			for j := 0; j < n; j += free {
				part := half.vecs(min(free, n-j))
				for i, v := range part {
					VMOVUPS(row.Offset(pieces[j+i].at), v)
				}
				for i, v := range part {
					half.fma(add[j+i], weight, v)
				}
				for i, v := range part {
					VMOVUPS(v, row.Offset(pieces[j+i].at))
				}
			}
		})
	})
}

// stride returns the bytes from row to row, for rows of so many bytes: rounded
// up to 64.
func stride(bytes reg.GPVirtual) reg.GPVirtual {
	s := GP64()
	LEAQ(Mem{Base: bytes, Disp: 63}, s)
	ANDQ(I8(-64), s)
	return s
}

func (m *machine) sparseDot() {
	m.function("sparseDot", "z, b, w []%[1]s, idx []uint16, val []%[1]s", "z[j] = b[j] + Σ_k val[k]·w[idx[k]·n + j], n = Pad(len(z))")
	bytes := m.bytes("z")
	r := &rows{m: m, idx: base("idx"), val: base("val"), count: length("idx"), w: base("w"), stride: stride(bytes)}
	m.sum(r, bytes, base("z"), base("b"))
}

func (m *machine) sparseAxpy() {
	m.function("sparseAxpy", "w, g []%[1]s, idx []uint16, val []%[1]s", "w[idx[k]·n + j] += val[k]·g[j], n = Pad(len(g)); the last k first")
	bytes := m.bytes("g")
	r := &rows{m: m, idx: base("idx"), val: base("val"), count: length("idx"), w: base("w"), stride: stride(bytes), back: true}
	m.update(r, bytes, base("g"))
}

func (m *machine) vecMat() {
	m.function("vecMat", "g, w, d []%[1]s", "g[j] = Σ_i d[i]·w[i·n + j], n = Pad(len(g))")
	bytes := m.bytes("g")
	r := &rows{m: m, val: base("d"), count: length("d"), w: base("w"), stride: stride(bytes)}
	m.sum(r, bytes, base("g"), nil)
}

func (m *machine) rank1() {
	m.function("rank1", "w, d, a []%[1]s", "w[i·n + j] += d[i]·a[j], n = Pad(len(a))")
	bytes := m.bytes("a")
	r := &rows{m: m, val: base("d"), count: length("d"), w: base("w"), stride: stride(bytes)}
	m.update(r, bytes, base("a"))
}
