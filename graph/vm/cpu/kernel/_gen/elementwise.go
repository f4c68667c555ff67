package main

import (
	"fmt"
	"math"
	"slices"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// each emits a loop over n bytes, one vector at a time, and the end of the kernel.
// f emits the body for the vector at an offset.
func (m *machine) each(n reg.GPVirtual, f func(at reg.GPVirtual)) {
	at := GP64()
	XORQ(at, at)
	JMP(LabelRef("test"))
	Label("vector")
	f(at)
	ADDQ(U8(m.width), at)
	Label("test")
	CMPQ(at, n)
	JLT(LabelRef("vector"))
	m.ret()
}

func (m *machine) axpy() {
	m.function("axpy", "y, x []T, alpha T", "y[j] += alpha·x[j]")
	y, x, n, alpha := base("y"), base("x"), m.bytes("y"), m.scalar("alpha")
	m.each(n, func(at reg.GPVirtual) {
		v := m.vec()
		m.move(Mem{Base: y, Index: at, Scale: 1}, v)
		m.fma(Mem{Base: x, Index: at, Scale: 1}, alpha, v)
		m.move(v, Mem{Base: y, Index: at, Scale: 1})
	})
}

func (m *machine) drain() {
	m.function("drain", "y, x []T", "y[j] += x[j], then x[j] = 0")
	y, x, n, zero := base("y"), base("x"), m.bytes("y"), m.vec()
	m.zero(zero)
	m.each(n, func(at reg.GPVirtual) {
		v := m.vec()
		m.move(Mem{Base: y, Index: at, Scale: 1}, v)
		m.add(Mem{Base: x, Index: at, Scale: 1}, v, v)
		m.move(v, Mem{Base: y, Index: at, Scale: 1})
		m.move(zero, Mem{Base: x, Index: at, Scale: 1})
	})
}

func (m *machine) deltas() {
	c := m.constants("delta", []constant{{name: "sign", bits: 1 << (8*m.size - 1)}, {name: "normal", bits: 1 << m.mantissa}})
	sigmoid := func(v, one reg.VecVirtual) reg.VecVirtual {
		t := m.vec()
		m.sub(v, one, t)
		m.mul(v, t, t)
		return t
	}
	tanh := func(v, one reg.VecVirtual) reg.VecVirtual {
		t := m.vec()
		m.move(one, t)
		m.fnma(v, v, t)
		return t
	}
	for _, g := range []struct {
		name, formula string
		slope         func(v, one reg.VecVirtual) reg.VecVirtual
	}{
		{"sigmoid", "·a[j]·(1 − a[j]), 0 if subnormal", sigmoid},
		{"tanh", "·(1 − a[j]²), 0 if subnormal", tanh},
	} {
		m.function(g.name+"Delta", "d, g, a []T", "d[j] = g[j]"+g.formula)
		dp, gp, ap, n, one := base("d"), base("g"), base("a"), m.bytes("d"), c.load("one")
		sign, normal := c.load("sign"), c.load("normal")
		m.each(n, func(at reg.GPVirtual) {
			v := m.vec()
			m.move(Mem{Base: ap, Index: at, Scale: 1}, v)
			s := g.slope(v, one)
			m.mul(Mem{Base: gp, Index: at, Scale: 1}, s, s)
			m.flush(s, sign, normal)
			m.move(s, Mem{Base: dp, Index: at, Scale: 1})
		})

		m.function(g.name+"OutputDelta", "d, a, y []T, alpha T", "d[j] = alpha·(a[j] − y[j])"+g.formula)
		dp, ap, yp, n, alpha, one := base("d"), base("a"), base("y"), m.bytes("d"), m.scalar("alpha"), c.load("one")
		sign, normal = c.load("sign"), c.load("normal")
		m.each(n, func(at reg.GPVirtual) {
			v := m.vec()
			m.move(Mem{Base: ap, Index: at, Scale: 1}, v)
			s := g.slope(v, one)
			e := m.vec()
			m.sub(Mem{Base: yp, Index: at, Scale: 1}, v, e)
			m.mul(alpha, e, e)
			m.mul(e, s, s)
			m.flush(s, sign, normal)
			m.move(s, Mem{Base: dp, Index: at, Scale: 1})
		})
	}
}

// flush sets the lanes of v that are subnormal to zero: many processors take a hundred
// times as long for a product with such a number. NaN stays NaN.
func (m *machine) flush(v, sign, normal reg.VecVirtual) {
	const notLess = U8(5) // or not comparable
	size := m.vec()
	m.andn(v, sign, size)
	if m.width == 64 {
		k := K()
		m.compare(notLess, normal, size, k)
		m.keep(v, k, v)
		return
	}
	m.compare(notLess, normal, size, size)
	m.and(size, v, v)
}

// tailMask emits a table of 64 bytes with all bits set, followed by 64 bytes of
// zeros. A vector loaded n bytes before the middle of the table is a mask for the
// first n bytes.
func tailMask() Mem {
	t := GLOBL("tail", RODATA|NOPTR)
	for i := range 16 {
		v := U64(math.MaxUint64)
		if i >= 8 {
			v = 0
		}
		DATA(8*i, v)
	}
	return t
}

// constants is a table of scalars of the element type.
type constants struct {
	m     *machine
	table Mem
	names []string // in the order of the table
	at    map[string]int
	ready map[string]reg.VecVirtual // the constants that are in registers
}

type constant struct {
	name  string
	value float64 // rounded to the element type
	bits  uint64  // if not zero, the bit pattern to use in place of value
}

// constants emits a table of the constant 1, called one, and those in list.
func (m *machine) constants(name string, list []constant) *constants {
	c := &constants{m: m, at: map[string]int{}, table: GLOBL(name+m.suffix, RODATA|NOPTR)}
	for i, k := range append([]constant{{name: "one", value: 1}}, list...) {
		c.names = append(c.names, k.name)
		c.at[k.name] = i * m.size
		switch {
		case k.bits != 0 && m.size == 4:
			DATA(i*m.size, U32(k.bits))
		case k.bits != 0:
			DATA(i*m.size, U64(k.bits))
		case m.size == 4:
			DATA(i*m.size, F32(k.value))
		default:
			DATA(i*m.size, F64(k.value))
		}
	}
	return c
}

// load emits a load of a constant into all lanes of a new register.
func (c *constants) load(name string) reg.VecVirtual {
	at, ok := c.at[name]
	if !ok {
		panic(fmt.Sprintf("BUG: no constant %s", name))
	}
	v := c.m.vec()
	c.m.bcast(c.table.Offset(at), v)
	return v
}

// hoist emits loads of all constants except unused, ahead of a loop. With fewer
// than 32 registers it does nothing, and get loads each constant where it is used.
func (c *constants) hoist(unused ...string) {
	c.ready = map[string]reg.VecVirtual{}
	if c.m.registers < 32 {
		return
	}
	for _, name := range c.names {
		if !slices.Contains(unused, name) {
			c.ready[name] = c.load(name)
		}
	}
}

// get returns a register that holds a constant.
func (c *constants) get(name string) reg.VecVirtual {
	if v, ok := c.ready[name]; ok {
		return v
	}
	return c.load(name)
}
