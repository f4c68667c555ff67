// Command gen generates the assembly of package kernel with avo: all kernels, in
// float32 and float64, for one instruction set. README.md of package kernel
// describes how it is organised.
//
//	go run -C _gen . -isa avx512 -out ../avx512_amd64.s -stubs ../avx512_amd64.go -pkg kernel
package main

import (
	"flag"
	"log"

	. "github.com/mmcloughlin/avo/build"
)

func main() {
	log.SetFlags(0)
	isa := flag.String("isa", "", "instruction set: avx512 or avx2")
	flag.Parse() // avo defines -out, -stubs and -pkg

	ConstraintExpr("!noasm")
	if *isa == "avx512" {
		vendor()
	}
	tail := tailMask()
	for _, t := range []elem{float32Elem, float64Elem} {
		m, err := newMachine(*isa, t)
		if err != nil {
			log.Fatal(err)
		}
		m.sparseDot()
		m.sparseAxpy()
		m.splitDot()
		m.splitAxpy()
		m.sparseMatMul()
		m.sparseOuter()
		m.drainRows()
		m.matVec()
		m.vecMat()
		m.rank1()
		m.axpy()
		m.drain()
		m.activations(tail)
		m.deltas()
		m.prefetch()
		m.tile()
		m.pack()
		m.packTransposed()
	}
	Generate()
}
