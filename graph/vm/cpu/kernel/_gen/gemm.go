package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tileSize returns the number of rows of a tile and the number of vectors in each
// of them. A step of the sum loads rows + vectors times for rows·vectors fused
// multiply-adds. A core starts two of each per cycle, so both sizes leave the loads
// idle at times. 12 rows of 2 vectors and 8 of 3 were not faster with AVX-512, and
// 8 rows waste least at the edge of a mini-batch.
func (m *machine) tileSize() (rows, vectors int) {
	if m.registers == 32 {
		return 8, 2
	}
	return 4, 3
}

// tile adds the product of two packed panels to a tile of c. Each element has one
// accumulator, which takes its terms in the order of k, so an element has the same
// bits at every position of the tile.
func (m *machine) tile() {
	rows, vectors := m.tileSize()
	columns := vectors * m.width / m.size
	m.function("tile", "c []T, n int, a, b []T",
		fmt.Sprintf("c[i·n + j] += Σ_k a[k·%d + i]·b[k·%d + j], i < %[1]d, j < %[2]d, k < len(a)/%[1]d", rows, columns))
	c, stride := base("c"), m.stride("n")
	a, b, left := base("a"), base("b"), m.bytes("a")
	stepA, stepB := rows*m.size, vectors*m.width

	Comment("Load c into the cache while the sums are computed.")
	row := GP64()
	MOVQ(c, row)
	for range rows {
		for at := 0; at < stepB; at += 64 {
			PREFETCHT0(Mem{Base: row, Disp: at})
		}
		PREFETCHT0(Mem{Base: row, Disp: stepB - 1})
		ADDQ(stride, row)
	}

	acc := m.vecs(rows * vectors) // [row][vector]
	for _, v := range acc {
		m.zero(v)
	}
	step := func(k int) {
		part := m.vecs(vectors)
		for j, v := range part {
			m.move(Mem{Base: b, Disp: k*stepB + j*m.width}, v)
		}
		for i := range rows {
			weight := m.vec()
			m.bcast(Mem{Base: a, Disp: k*stepA + i*m.size}, weight)
			for j, v := range part {
				m.fma(v, weight, acc[i*vectors+j])
			}
		}
	}
	const unroll = 4
	SUBQ(U32(unroll*stepA), left)
	JLT(LabelRef("rest"))
	Label("steps")
	for k := range unroll {
		step(k)
	}
	ADDQ(U32(unroll*stepA), a)
	ADDQ(U32(unroll*stepB), b)
	SUBQ(U32(unroll*stepA), left)
	JGE(LabelRef("steps"))
	Label("rest")
	ADDQ(U32(unroll*stepA), left)
	JZ(LabelRef("sum"))
	Label("step")
	step(0)
	ADDQ(U32(stepA), a)
	ADDQ(U32(stepB), b)
	SUBQ(U32(stepA), left)
	JNZ(LabelRef("step"))

	Label("sum")
	for i := range rows {
		for j := range vectors {
			at := Mem{Base: c, Disp: j * m.width}
			m.add(at, acc[i*vectors+j], acc[i*vectors+j])
			m.move(acc[i*vectors+j], at)
		}
		ADDQ(stride, c)
	}
	m.ret()
}

// pack copies rows of x to successive addresses. It has one loop for each width of
// a panel.
func (m *machine) pack() {
	rows, vectors := m.tileSize()
	bodies := []int{vectors * m.width, rows * m.size} // in bytes
	m.function("pack", "p []T, w int, x []T, n int",
		fmt.Sprintf("p[k·w + i] = x[k·n + i], i < w, k < len(p)/w; w is %d or %d", bodies[1]/m.size, bodies[0]/m.size))
	p, width, x, stride := base("p"), m.stride("w"), base("x"), m.stride("n")
	left := m.bytes("p")
	CMPQ(width, U32(bodies[0]))
	JNE(LabelRef(fmt.Sprintf("test%d", bodies[1])))
	for _, bytes := range bodies {
		test, loop := fmt.Sprintf("test%d", bytes), fmt.Sprintf("row%d", bytes)
		JMP(LabelRef(test))
		Label(loop)
		for at := 0; at < bytes; {
			v := m.vec()
			var part reg.Register = v
			size := m.width
			for size > bytes-at {
				size /= 2
			}
			switch size {
			case 32:
				part = v.AsY()
			case 16:
				part = v.AsX()
			}
			VMOVUPS(Mem{Base: x, Disp: at}, part)
			VMOVUPS(part, Mem{Base: p, Disp: at})
			at += size
		}
		ADDQ(stride, x)
		ADDQ(U32(bytes), p)
		SUBQ(U32(bytes), left)
		Label(test)
		TESTQ(left, left)
		JGT(LabelRef(loop))
		m.ret()
	}
}

// packTransposed transposes four rows at a time: blocks of 4×4 elements within the
// 128-bit lanes (float32) or within 256 bits (float64).
func (m *machine) packTransposed() {
	m.function("packTransposed", "p []T, w int, x []T, n int", "p[k·w + i] = x[i·n + k], i < w, k < len(p)/w; w is a multiple of 4")
	p, width, x, stride := base("p"), m.stride("w"), base("x"), m.stride("n")
	end := m.bytes("p")
	ADDQ(p, end)
	left := GP64() // bytes of a row of p
	MOVQ(width, left)
	// The address of row i of a group of four is x + i·stride.
	triple := GP64()
	LEAQ(Mem{Base: stride, Index: stride, Scale: 2}, triple)
	tripleWidth := GP64()
	LEAQ(Mem{Base: width, Index: width, Scale: 2}, tripleWidth)
	at := func(base, one, three reg.GPVirtual, i int) Mem {
		return []Mem{{Base: base}, {Base: base, Index: one, Scale: 1}, {Base: base, Index: one, Scale: 2}, {Base: base, Index: three, Scale: 1}}[i]
	}

	wide := *m
	blocks := m.width / 16 // of 4×4 elements in a step
	if m.size == 8 {
		wide.width, blocks = 32, 1
	}

	Comment("Four rows of x, four columns of p.")
	Label("group")
	TESTQ(left, left)
	JZ(LabelRef("end"))
	from, to := GP64(), GP64()
	MOVQ(x, from)
	MOVQ(p, to)
	Label("block")
	// A step of 4·blocks columns writes that number of rows of p.
	last := GP64()
	LEAQ(at(to, width, tripleWidth, 3), last)
	for range blocks - 1 {
		LEAQ(Mem{Base: last, Index: width, Scale: 4}, last)
	}
	CMPQ(last, end)
	JGE(LabelRef("column"))
	v := wide.vecs(4)
	for i := range v {
		wide.move(at(from, stride, triple, i), v[i])
	}
	t := wide.transpose4(v)
	for l := range blocks {
		for k := range t {
			to := at(to, width, tripleWidth, k)
			switch {
			case m.size == 8:
				VMOVUPD(t[k], to)
			case l == 0:
				VMOVUPS(t[k].AsX(), to)
			case wide.width == 64:
				VEXTRACTF32X4(U8(l), t[k], to)
			default:
				VEXTRACTF128(U8(l), t[k], to)
			}
		}
		LEAQ(Mem{Base: to, Index: width, Scale: 4}, to)
	}
	ADDQ(U32(blocks*4*m.size), from)
	JMP(LabelRef("block"))

	Label("column")
	CMPQ(to, end)
	JGE(LabelRef("next"))
	for i := range 4 {
		e := GP64()
		if m.size == 4 {
			MOVL(at(from, stride, triple, i), e.As32())
			MOVL(e.As32(), Mem{Base: to, Disp: i * 4})
		} else {
			MOVQ(at(from, stride, triple, i), e)
			MOVQ(e, Mem{Base: to, Disp: i * 8})
		}
	}
	ADDQ(U8(m.size), from)
	ADDQ(width, to)
	JMP(LabelRef("column"))

	Label("next")
	LEAQ(Mem{Base: x, Index: stride, Scale: 4}, x)
	ADDQ(U8(4*m.size), p)
	SUBQ(U8(4*m.size), left)
	JMP(LabelRef("group"))
	Label("end")
	m.ret()
}

// transpose4 emits the transposition of 4×4 blocks: in each 128-bit lane of four
// vectors of float32, or of four vectors of four float64.
func (m *machine) transpose4(v []reg.VecVirtual) []reg.VecVirtual {
	t, u := m.vecs(4), m.vecs(4)
	for i := 0; i < 4; i += 2 {
		if m.size == 4 {
			// t0 = [v0₀ v1₀ v0₁ v1₁], t1 = [v0₂ v1₂ v0₃ v1₃], t2 and t3 from v2 and v3.
			VUNPCKLPS(v[i+1], v[i], t[i])
			VUNPCKHPS(v[i+1], v[i], t[i+1])
		} else {
			// t0 = [v0₀ v1₀ v0₂ v1₂], t1 = [v0₁ v1₁ v0₃ v1₃], t2 and t3 from v2 and v3.
			VUNPCKLPD(v[i+1], v[i], t[i])
			VUNPCKHPD(v[i+1], v[i], t[i+1])
		}
	}
	if m.size == 4 {
		VUNPCKLPD(t[2], t[0], u[0])
		VUNPCKHPD(t[2], t[0], u[1])
		VUNPCKLPD(t[3], t[1], u[2])
		VUNPCKHPD(t[3], t[1], u[3])
	} else {
		VPERM2F128(U8(0x20), t[2], t[0], u[0])
		VPERM2F128(U8(0x20), t[3], t[1], u[1])
		VPERM2F128(U8(0x31), t[2], t[0], u[2])
		VPERM2F128(U8(0x31), t[3], t[1], u[3])
	}
	return u
}

// stride loads a parameter that counts elements, in bytes.
func (m *machine) stride(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name), r)
	SHLQ(U8(m.log2size()), r)
	return r
}
