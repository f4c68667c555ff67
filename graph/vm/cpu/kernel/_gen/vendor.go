package main

import (
	. "github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

// vendor emits a function that says who made the processor.
func vendor() {
	TEXT("vendor", NOSPLIT, "func() uint32")
	Doc("vendor: the first four letters of the vendor's name, the first one in the lowest byte")
	Comment("CPUID with 0 in EAX (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2)")
	XORL(reg.EAX, reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	Store(reg.EBX, ReturnIndex(0))
	RET()
}
