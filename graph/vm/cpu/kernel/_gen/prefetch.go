package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// prefetch emits one prefetch instruction per cache line of a sparse row.
func (m *machine) prefetch() {
	m.function("prefetch", "x []uint32", "loads x into the first-level cache")
	at, left := base("x"), length("x")
	SHLQ(U8(2), left)
	JMP(LabelRef("test"))
	Label("line")
	PREFETCHT0(Mem{Base: at})
	ADDQ(U8(64), at)
	SUBQ(U8(64), left)
	Label("test")
	TESTQ(left, left)
	JGT(LabelRef("line"))
	RET()
}
