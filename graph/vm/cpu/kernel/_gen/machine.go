package main

import (
	"fmt"
	"strings"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// quantum is the granularity of the length of a vector along rows, in bytes (see
// kernel.Width).
const quantum = 32

// entrySize is the size of an entry of a sparse row in bytes: two words of 16 bits, the
// input and the place of its value in the table.
const entrySize = 4

// elem is an element type and its instructions.
type elem struct {
	name     string // the Go type
	suffix   string // of function names
	size     int    // bytes
	mantissa uint64 // number of fraction bits

	add, sub, mul, div, min, max, and, andn, or func(...Op)
	compare                                     func(...Op)
	keep                                        func(from, k, to Op) // the lanes of the mask k; 0 in the others
	fma, fnma                                   func(...Op)          // x·y + acc, acc − x·y
	bcast                                       func(...Op)
	paddInt, shiftLeft                          func(...Op)
	unpackLow, unpackHigh                       func(...Op)
	lanesShuffle                                func(...Op) // selects 128-bit lanes of two zmm registers
}

var float32Elem = elem{
	name: "float32", suffix: "F32", size: 4, mantissa: 23,
	add: VADDPS, sub: VSUBPS, mul: VMULPS, div: VDIVPS, min: VMINPS, max: VMAXPS, and: VANDPS, andn: VANDNPS, or: VORPS,
	compare: VCMPPS, keep: VMOVAPS_Z,
	fma: VFMADD231PS, fnma: VFNMADD231PS, bcast: VBROADCASTSS, paddInt: VPADDD, shiftLeft: VPSLLD,
	unpackLow: VUNPCKLPS, unpackHigh: VUNPCKHPS, lanesShuffle: VSHUFF32X4,
}

var float64Elem = elem{
	name: "float64", suffix: "F64", size: 8, mantissa: 52,
	add: VADDPD, sub: VSUBPD, mul: VMULPD, div: VDIVPD, min: VMINPD, max: VMAXPD, and: VANDPD, andn: VANDNPD, or: VORPD,
	compare: VCMPPD, keep: VMOVAPD_Z,
	fma: VFMADD231PD, fnma: VFNMADD231PD, bcast: VBROADCASTSD, paddInt: VPADDQ, shiftLeft: VPSLLQ,
	unpackLow: VUNPCKLPD, unpackHigh: VUNPCKHPD, lanesShuffle: VSHUFF64X2,
}

// machine is an instruction set together with an element type.
type machine struct {
	elem
	isa       string // suffix of function names
	width     int    // bytes per vector
	registers int    // number of vector registers
	blockMax  int    // quanta of the widest column block, which needs a register per vector and two more
}

func newMachine(isa string, e elem) (*machine, error) {
	switch isa {
	case "avx512":
		return &machine{elem: e, isa: "AVX512", width: 64, registers: 32, blockMax: 16}, nil
	case "avx2":
		return &machine{elem: e, isa: "AVX2", width: 32, registers: 16, blockMax: 14}, nil
	}
	return nil, fmt.Errorf("-isa %q: want avx512 or avx2", isa)
}

// function begins a kernel. In params, T is the element type. loop is
// the reference loop; it becomes the comment of the stub and of the assembly.
func (m *machine) function(name, params, loop string) {
	name += m.suffix + m.isa
	TEXT(name, NOSPLIT, "func("+strings.ReplaceAll(params, "T", m.name)+")")
	Doc(fmt.Sprintf("%s: %s", name, loop))
	Comment(loop)
}

// ret ends a kernel. Without VZEROUPPER, SSE code that runs next may be slow.
func (m *machine) ret() {
	VZEROUPPER()
	RET()
}

// vec returns a new vector register.
func (m *machine) vec() reg.VecVirtual {
	if m.width == 64 {
		return ZMM()
	}
	return YMM()
}

func (m *machine) vecs(n int) []reg.VecVirtual {
	v := make([]reg.VecVirtual, n)
	for i := range v {
		v[i] = m.vec()
	}
	return v
}

// move loads or stores a whole vector.
func (m *machine) move(from, to Op) { VMOVUPS(from, to) }

func (m *machine) zero(v reg.VecVirtual) {
	if m.width == 64 {
		VPXORD(v, v, v)
	} else {
		VPXOR(v, v, v)
	}
}

// base loads the address of the data of a slice parameter.
func base(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name).Base(), r)
	return r
}

// length loads the length of a slice parameter.
func length(name string) reg.GPVirtual {
	r := GP64()
	Load(Param(name).Len(), r)
	return r
}

// bytes loads the length of a slice parameter in bytes.
func (m *machine) bytes(name string) reg.GPVirtual {
	r := length(name)
	SHLQ(U8(m.log2size()), r)
	return r
}

func (m *machine) log2size() int {
	if m.size == 4 {
		return 2
	}
	return 3
}

// scalar loads a parameter of the element type into all lanes of a vector.
func (m *machine) scalar(name string) reg.VecVirtual {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	v := m.vec()
	m.bcast(p.Addr, v)
	return v
}
