package main

import (
	"fmt"
	"math"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// expConstants emits the constants of expm1 and returns the degree of its
// polynomial.
//
// The argument is reduced as by Cody and Waite (Software Manual for the Elementary
// Functions, 1980, chapter 6): x = k·ln 2 + r, |r| ≤ ln 2 / 2. ln 2 is the sum of
// two constants, and the product of k and the first one is exact. A Taylor
// polynomial approximates e^r − 1. The first omitted term is below a quarter of an
// ulp of e^r: r^8/8! ≤ 5.2e-9 in float32, r^14/14! ≤ 4.2e-18 in float64.
//
// Adding 1.5·2^mantissa to x/ln 2 rounds it to the integer k and leaves k in the
// low bits of the sum.
func (m *machine) expConstants() (c *constants, degree int) {
	list := []constant{
		{name: "sign", bits: 1 << (8*m.size - 1)},
		{name: "minusTwo", value: -2},
		{name: "log2e", value: math.Log2E},
		{name: "round", value: 1.5 * float64(uint64(1)<<m.mantissa)},
	}
	if m.size == 4 {
		// 355/512 has 9 bits. At the limits of x, k is 126 and −126.
		degree = 7
		list = append(list,
			constant{name: "largest", value: 87.33}, constant{name: "smallest", value: -87.33},
			constant{name: "ln2high", value: 355. / 512}, constant{name: "ln2low", value: -2.12194440054690582768e-4})
	} else {
		// ln2high has the upper 32 bits of ln 2. At the limits of x, k is 1022
		// and −1021.
		degree = 13
		list = append(list,
			constant{name: "largest", value: 708.3}, constant{name: "smallest", value: -708},
			constant{name: "ln2high", value: 6.93147180369123816490e-01}, constant{name: "ln2low", value: 1.90821492927058770002e-10})
	}
	f := 1.0
	for k := 2; k <= degree; k++ {
		f *= float64(k)
		list = append(list, constant{name: fmt.Sprintf("c%d", k), value: 1 / f})
	}
	return m.constants("exp", list), degree
}

// expm1 emits p and s with e^x = s + s·p, where s is a power of two and |p| < ½.
// It limits x to the range of the constants. NaN stays NaN.
func (m *machine) expm1(x reg.VecVirtual, c *constants, degree int) (p, s reg.VecVirtual) {
	// MIN and MAX return their second operand, x, if an operand is NaN.
	m.min(x, c.get("largest"), x)
	m.max(x, c.get("smallest"), x)
	k := m.vec()
	m.move(c.get("round"), k)
	m.fma(c.get("log2e"), x, k)
	s = m.vec()
	m.shiftLeft(U8(m.mantissa), k, s)
	m.paddInt(c.get("one"), s, s)
	m.sub(c.get("round"), k, k)
	m.fnma(c.get("ln2high"), k, x)
	m.fnma(c.get("ln2low"), k, x)

	// p = x + x²·(1/2! + x/3! + …). Even and odd powers have separate Horner
	// chains in x², which run in parallel.
	m.mul(x, x, k)
	chain := func(first int) reg.VecVirtual {
		q := m.vec()
		m.move(c.get(fmt.Sprintf("c%d", first)), q)
		for i := first - 2; i >= 2; i -= 2 {
			t := m.vec()
			m.move(c.get(fmt.Sprintf("c%d", i)), t)
			m.fma(k, q, t)
			q = t
		}
		return q
	}
	odd, even := chain(degree), chain(degree-1)
	m.fma(x, odd, even)
	m.fma(k, even, x)
	return x, s
}

func (m *machine) activations(tail Mem) {
	c, degree := m.expConstants()
	for _, g := range []struct {
		name, loop string
		unused     []string // constants that it does not use
		of         func(z reg.VecVirtual) reg.VecVirtual
	}{
		{"sigmoid", "a[j] = 1/(1 + e^−z[j])", []string{"sign", "minusTwo"}, func(z reg.VecVirtual) reg.VecVirtual {
			x := m.vec()
			m.zero(x)
			m.sub(z, x, x)
			p, s := m.expm1(x, c, degree)
			m.fma(p, s, s)
			one := c.get("one")
			m.add(one, s, s)
			m.div(s, one, s)
			return s
		}},
		// tanh |z| = −m/(2 + m) with m = e^(−2|z|) − 1, which is accurate near
		// zero.
		{"tanh", "a[j] = tanh(z[j])", nil, func(z reg.VecVirtual) reg.VecVirtual {
			x := m.vec()
			m.andn(z, c.get("sign"), x)
			m.mul(c.get("minusTwo"), x, x)
			p, s := m.expm1(x, c, degree)
			e := m.vec()
			m.sub(c.get("one"), s, e)
			m.fma(p, s, e)
			d := m.vec()
			m.sub(c.get("minusTwo"), e, d)
			m.div(d, e, e)
			m.andn(e, c.get("sign"), e)
			m.and(c.get("sign"), z, z)
			m.or(z, e, e)
			return e
		}},
	} {
		m.function(g.name, "a, z []T, n int", g.loop+" for j < n, 0 for n ≤ j < len(a)")
		ap, zp, bytes := base("a"), base("z"), m.bytes("a")
		n := GP64()
		Load(Param("n"), n)
		SHLQ(U8(m.log2size()), n)
		middle := GP64()
		LEAQ(tail.Offset(64), middle)
		width, none := GP64(), GP64()
		MOVQ(U32(m.width), width)
		XORQ(none, none)
		c.hoist(g.unused...)
		m.each(bytes, func(at reg.GPVirtual) {
			z := m.vec()
			m.move(Mem{Base: zp, Index: at, Scale: 1}, z)
			v := g.of(z)
			// in: the number of bytes of this vector before n, 0 to width.
			in := GP64()
			MOVQ(n, in)
			SUBQ(at, in)
			CMOVQLT(none, in)
			CMPQ(in, width)
			CMOVQGT(width, in)
			NEGQ(in)
			m.and(Mem{Base: middle, Index: in, Scale: 1}, v, v)
			m.move(v, Mem{Base: ap, Index: at, Scale: 1})
		})
	}
}
