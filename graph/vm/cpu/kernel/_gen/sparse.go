package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// samples emits a loop over the sparse rows of a mini-batch, within a column block.
// Row r has the entries lo[r] to hi[r]-1 of x. body emits the code for
// one row; dense is advanced by n elements after each row, and restored.
func (m *machine) samples(label string, r *rows, dense reg.GPVirtual, body func()) {
	row := GP64()
	XORQ(row, row)
	Label(label + "sample")
	Load(Param("lo").Len(), r.count)
	CMPQ(row, r.count)
	JGE(LabelRef(label + "end"))
	first := GP64()
	Load(Param("lo").Base(), first)
	MOVQ(Mem{Base: first, Index: row, Scale: 8}, first)
	Load(Param("hi").Base(), r.count)
	MOVQ(Mem{Base: r.count, Index: row, Scale: 8}, r.count)
	SUBQ(first, r.count)
	Load(Param("x").Base(), r.entries)
	LEAQ(Mem{Base: r.entries, Index: first, Scale: entrySize}, r.entries)
	body()
	n := GP64()
	Load(Param("n"), n)
	LEAQ(Mem{Base: dense, Index: n, Scale: uint8(m.size)}, dense)
	INCQ(row)
	JMP(LabelRef(label + "sample"))
	Label(label + "end")
	n = GP64()
	Load(Param("n"), n)
	IMULQ(n, row)
	SHLQ(U8(m.log2size()), row)
	SUBQ(row, dense)
}

// sparseParams are the last parameters of SparseMatMul and SparseOuter.
const sparseParams = "width int, lo, hi []int, x []uint32, table []T"

// sparseRows returns a walk over rows of w with the stride in the named parameter.
func (m *machine) sparseRows(w reg.GPVirtual, rowStride string) (r *rows, bytes reg.GPVirtual) {
	stride, bytes := GP64(), GP64()
	Load(Param(rowStride), stride)
	SHLQ(U8(m.log2size()), stride)
	Load(Param("width"), bytes)
	SHLQ(U8(m.log2size()), bytes)
	return &rows{m: m, entries: GP64(), val: base("table"), count: GP64(), w: w, stride: stride}, bytes
}

func (m *machine) sparseMatMul() {
	m.function("sparseMatMul", "z, w []T, n int, "+sparseParams,
		"z[r·n + j] += Σ_k value(x[k])·w[input(x[k])·n + j], lo[r] ≤ k < hi[r], j < width; the sum starts from zero")
	z := base("z")
	r, bytes := m.sparseRows(base("w"), "n")
	m.columns(bytes, []reg.GPVirtual{z, r.w}, func(label string, segments []segment) {
		n := len(segments)
		k := m.unroll(n)
		m.samples(label, r, z, func() {
			acc := m.vecs(k * n)
			for _, v := range acc {
				m.zero(v)
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
				m.add(Mem{Base: z, Disp: p.at}, p.of(acc[j]), p.of(acc[j]))
				VMOVUPS(p.of(acc[j]), Mem{Base: z, Disp: p.at})
			}
		})
	})
}

func (m *machine) sparseOuter() {
	m.function("sparseOuter", "sum, d []T, touched []uint8, first, m, n int, "+sparseParams,
		"sum[(input(x[k]) − first)·m + j] += value(x[k])·d[r·n + j], touched[input(x[k]) − first] = 1, lo[r] ≤ k < hi[r], j < width; r ascending")
	d := base("d")
	r, bytes := m.sparseRows(base("sum"), "m")
	r.mark = base("touched")
	first := GP64()
	Load(Param("first"), first)
	SUBQ(first, r.mark)
	IMULQ(r.stride, first)
	SUBQ(first, r.w)
	m.columns(bytes, []reg.GPVirtual{d, r.w}, func(label string, segments []segment) {
		m.samples(label, r, d, func() { m.addRows(label, r, d, segments) })
	})
}

// drainRows has no column blocks: it walks along each row that is touched.
func (m *machine) drainRows() {
	m.function("drainRows", "w, sum []T, touched []uint8, n, m, width int",
		"w[i·n + j] += sum[i·m + j], then sum[i·m + j] = 0, j < width, where touched[i] ≠ 0; then touched[i] = 0")
	w, sum, mark, rows := base("w"), base("sum"), base("touched"), length("touched")
	n, stride, bytes := GP64(), GP64(), GP64()
	for k, r := range []reg.GPVirtual{n, stride, bytes} {
		Load(Param([]string{"n", "m", "width"}[k]), r)
		SHLQ(U8(m.log2size()), r)
	}
	half := *m
	half.width = quantum
	zero := m.vec()
	m.zero(zero)
	i := GP64()
	XORQ(i, i)
	JMP(LabelRef("test"))
	Label("row")
	CMPB(Mem{Base: mark, Index: i, Scale: 1}, U8(0))
	JE(LabelRef("next"))
	MOVB(U8(0), Mem{Base: mark, Index: i, Scale: 1})
	at, end := GP64(), GP64()
	XORQ(at, at)
	LEAQ(Mem{Base: bytes, Disp: -m.width}, end)
	JMP(LabelRef("testvector"))
	drain := func(m *machine) {
		v := m.vec()
		z := segment{width: m.width}.of(zero)
		m.move(Mem{Base: w, Index: at, Scale: 1}, v)
		m.add(Mem{Base: sum, Index: at, Scale: 1}, v, v)
		m.move(v, Mem{Base: w, Index: at, Scale: 1})
		m.move(z, Mem{Base: sum, Index: at, Scale: 1})
	}
	Label("vector")
	drain(m)
	ADDQ(U8(m.width), at)
	Label("testvector")
	CMPQ(at, end)
	JLE(LabelRef("vector"))
	if m.width > quantum {
		CMPQ(at, bytes)
		JGE(LabelRef("next"))
		drain(&half)
	}
	Label("next")
	ADDQ(n, w)
	ADDQ(stride, sum)
	INCQ(i)
	Label("test")
	CMPQ(i, rows)
	JLT(LabelRef("row"))
	m.ret()
}
