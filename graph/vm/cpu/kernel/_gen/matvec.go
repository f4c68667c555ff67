package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// matVec processes blocks of 8 rows, then of 4, 2 and 1. With float64 and AVX2 it
// starts with 4, because the sums of a block must fit into one vector. A block has
// one accumulator per row. storeSums reduces the accumulators at the end.
func (m *machine) matVec() {
	m.function("matVec", "z, b, w, a []T", "z[i] = b[i] + Σ_j w[i·n + j]·a[j], n = len(a)")
	z, b, w, a := base("z"), base("b"), base("w"), base("a")
	left, stride := length("z"), m.bytes("a")

	maxRows := min(8, m.width/m.size)
	times := map[int]reg.GPVirtual{1: stride} // odd multiples of stride
	for k := 3; k < maxRows; k += 2 {
		times[k] = GP64()
		LEAQ(Mem{Base: times[k-2], Index: stride, Scale: 2}, times[k])
	}
	row := func(p reg.GPVirtual, i int) Mem {
		mem := Mem{Base: p}
		for odd, scale := i, uint8(1); odd > 0; odd, scale = odd/2, scale*2 {
			if odd%2 == 1 {
				mem.Index, mem.Scale = times[odd], scale
				break
			}
		}
		return mem
	}
	for k := maxRows; k > 0; k /= 2 {
		label := fmt.Sprintf("rows%d", k)
		next := fmt.Sprintf("rows%d", k/2)
		if k > 1 {
			Comment(fmt.Sprintf("Blocks of %d rows.", k))
		} else {
			Comment("Single rows.")
		}
		Label(label)
		CMPQ(left, U8(k))
		JLT(LabelRef(next))
		acc := m.vecs(k)
		for _, v := range acc {
			m.zero(v)
		}
		p, q, n := GP64(), GP64(), GP64()
		MOVQ(w, p)
		MOVQ(a, q)
		MOVQ(stride, n)
		TESTQ(n, n)
		JZ(LabelRef(label + "sum"))
		Label(label + "columns")
		v := m.vec()
		m.move(Mem{Base: q}, v)
		for i := range k {
			m.fma(row(p, i), v, acc[i])
		}
		ADDQ(U8(m.width), p)
		ADDQ(U8(m.width), q)
		SUBQ(U8(m.width), n)
		JNZ(LabelRef(label + "columns"))
		Label(label + "sum")
		m.storeSums(acc, z, b)
		ADDQ(U8(k*m.size), z)
		ADDQ(U8(k*m.size), b)
		if k > 1 {
			t := GP64()
			MOVQ(stride, t)
			SHLQ(U8(log2(k)), t)
			ADDQ(t, w)
		} else {
			ADDQ(stride, w)
		}
		SUBQ(U8(k), left)
		JMP(LabelRef(label))
	}
	Label("rows0")
	m.ret()
}

func log2(k int) int {
	n := 0
	for ; k > 1; k /= 2 {
		n++
	}
	return n
}

// storeSums emits z[i] = b[i] + the sum of all elements of acc[i].
func (m *machine) storeSums(acc []reg.VecVirtual, z, b reg.GPVirtual) {
	rows := len(acc)
	vs := make([]reg.Register, rows)
	for i, v := range acc {
		vs[i] = v
	}

	// Within the 128-bit lanes: merge pairs of registers until each lane of a
	// register holds a partial sum for each of its rows, in order.
	perLane := 1
	if rows >= 2 {
		vs = m.merge(vs, m.unpackLow, m.unpackHigh)
		perLane = 2
	}
	if m.size == 4 && rows >= 4 {
		vs = m.merge(vs, VUNPCKLPD, VUNPCKHPD)
		perLane = 4
	}

	// Across the 128-bit lanes.
	width := m.width
	if width == 64 && len(vs) >= 2 {
		vs = m.shuffleLanes(vs)
		if len(vs) >= 2 {
			vs = m.shuffleLanes(vs)
		} else {
			high := YMM()
			VEXTRACTF64X4(U8(1), vs[0], high)
			vs = []reg.Register{vs[0].(reg.VecVirtual).AsY(), high}
			width = 32
		}
	}
	if width == 32 && len(vs) == 2 {
		low, high := YMM(), YMM()
		if m.registers == 32 { // only the EVEX forms can address all 32 registers
			VSHUFF64X2(U8(0), vs[1], vs[0], low)
			VSHUFF64X2(U8(3), vs[1], vs[0], high)
		} else {
			VPERM2F128(U8(0x20), vs[1], vs[0], low)
			VPERM2F128(U8(0x31), vs[1], vs[0], high)
		}
		m.add(high, low, low)
		vs = []reg.Register{low}
	} else if len(vs) == 1 && rows*m.size <= 16 {
		v := vs[0]
		if width == 64 {
			high := YMM()
			VEXTRACTF64X4(U8(1), v, high)
			low := v.(reg.VecVirtual).AsY()
			m.add(high, low, low)
			v = low
		}
		high := XMM()
		if m.registers == 32 {
			VEXTRACTF32X4(U8(1), v, high)
		} else {
			VEXTRACTF128(U8(1), v, high)
		}
		low := asX(v)
		m.add(high, low, low)
		vs[0] = low
	}

	// Add the elements that are still separate within a lane.
	v := vs[0]
	for n := 16 / m.size; perLane < n && rows < n; n /= 2 {
		t := XMM()
		if n == 4 || m.size == 8 {
			VUNPCKHPD(v, v, t) // the upper half
		} else {
			VMOVSHDUP(v, t) // element 1
		}
		m.add(t, v, v)
	}

	switch bytes := rows * m.size; bytes {
	case 4:
		VADDSS(Mem{Base: b}, v, v)
		VMOVSS(v, Mem{Base: z})
	case 8:
		t := XMM()
		VMOVSD(Mem{Base: b}, t)
		m.add(t, v, v)
		VMOVSD(v, Mem{Base: z})
	default:
		m.add(Mem{Base: b}, v, v)
		VMOVUPS(v, Mem{Base: z})
	}
}

func asX(v reg.Register) reg.Register {
	return v.(interface{ AsX() reg.Register }).AsX()
}

// merge emits, for each pair of vectors u and v, the sum of low(u, v) and
// high(u, v), which interleave the low and the high halves of their 128-bit lanes.
// A lane of four elements becomes [u0+u2, v0+v2, u1+u3, v1+v3], and a lane of two
// becomes [u0+u1, v0+v1].
func (m *machine) merge(vs []reg.Register, low, high func(...Op)) []reg.Register {
	var out []reg.Register
	for i := 0; i < len(vs); i += 2 {
		l, h := m.vec(), m.vec()
		low(vs[i+1], vs[i], l)
		high(vs[i+1], vs[i], h)
		m.add(h, l, l)
		out = append(out, l)
	}
	return out
}

// shuffleLanes emits, for each pair of vectors u, v of four lanes:
// [u0+u1, u2+u3, v0+v1, v2+v3].
func (m *machine) shuffleLanes(vs []reg.Register) []reg.Register {
	var out []reg.Register
	for i := 0; i < len(vs); i += 2 {
		even, odd := ZMM(), ZMM()
		m.lanesShuffle(U8(0x88), vs[i+1], vs[i], even)
		m.lanesShuffle(U8(0xdd), vs[i+1], vs[i], odd)
		m.add(odd, even, even)
		out = append(out, even)
	}
	return out
}
