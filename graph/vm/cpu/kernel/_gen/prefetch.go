package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// prefetch emits one prefetch instruction per cache line of a sparse row.
func (m *machine) prefetch() {
	m.function("prefetch", "idx []uint16, val []%[1]s", "loads idx and val into the first-level cache")
	for _, p := range []struct {
		name string
		log2 int
	}{{"idx", 1}, {"val", m.log2size()}} {
		at, left := base(p.name), length(p.name)
		SHLQ(U8(p.log2), left)
		JMP(LabelRef(p.name + "test"))
		Label(p.name + "line")
		PREFETCHT0(Mem{Base: at})
		ADDQ(U8(64), at)
		SUBQ(U8(64), left)
		Label(p.name + "test")
		TESTQ(left, left)
		JGT(LabelRef(p.name + "line"))
	}
	RET()
}
