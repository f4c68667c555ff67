package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// samples emits a loop over the sparse rows of a mini-batch, within a column block.
// Row r has the entries lo[r] to hi[r]-1 of idx and val. body emits the code for
// one row; dense is advanced by the stride after each row, and restored.
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
	Load(Param("idx").Base(), r.idx)
	LEAQ(Mem{Base: r.idx, Index: first, Scale: 2}, r.idx)
	Load(Param("val").Base(), r.val)
	LEAQ(Mem{Base: r.val, Index: first, Scale: uint8(m.size)}, r.val)
	body()
	ADDQ(r.stride, dense)
	INCQ(row)
	JMP(LabelRef(label + "sample"))
	Label(label + "end")
	IMULQ(r.stride, row)
	SUBQ(row, dense)
}

// sparseParams are the parameters of both kernels of this file.
const sparseParams = "n, width int, lo, hi []int, idx []uint16, val []%[1]s"

func (m *machine) sparseRows(w reg.GPVirtual) (r *rows, bytes reg.GPVirtual) {
	stride, bytes := GP64(), GP64()
	Load(Param("n"), stride)
	SHLQ(U8(m.log2size()), stride)
	Load(Param("width"), bytes)
	SHLQ(U8(m.log2size()), bytes)
	return &rows{m: m, idx: GP64(), val: GP64(), count: GP64(), w: w, stride: stride}, bytes
}

func (m *machine) sparseMatMul() {
	m.function("sparseMatMul", "z, w []%[1]s, "+sparseParams,
		"z[r·n + j] += Σ_k val[k]·w[idx[k]·n + j], lo[r] ≤ k < hi[r], j < width; the sum starts from zero")
	z := base("z")
	r, bytes := m.sparseRows(base("w"))
	m.columns(bytes, []reg.GPVirtual{z, r.w}, func(label string, segments []segment) {
		n := len(segments)
		k := m.unroll(n)
		m.samples(label, r, z, func() {
			acc := m.vecs(k * n)
			for _, v := range acc {
				m.zero(v)
			}
			r.walk(label, k, func(s int, row Mem, weight reg.VecVirtual) {
				for j, p := range segments {
					m.fma(row.Offset(p.at), p.of(weight), p.of(acc[s*n+j]))
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
	m.function("sparseOuter", "w, d []%[1]s, first int, "+sparseParams,
		"w[(idx[k] − first)·n + j] += val[k]·d[r·n + j], lo[r] ≤ k < hi[r], j < width; r ascending")
	d := base("d")
	r, bytes := m.sparseRows(base("w"))
	first := GP64()
	Load(Param("first"), first)
	IMULQ(r.stride, first)
	SUBQ(first, r.w)
	half := *m
	half.width = 32 // see update
	r.m = &half
	half.columns(bytes, []reg.GPVirtual{d, r.w}, func(label string, segments []segment) {
		half.samples(label, r, d, func() { half.addRows(label, r, d, segments) })
	})
}
