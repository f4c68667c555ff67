// Package kernel holds the code that runs on the GPU, and turns a compiled
// program into the form that it executes.
//
// The kernels (machine.h and the .cu files) are a virtual machine: a program
// is an array of instructions in device memory, and a kernel that runs on the
// device for a whole pass loops over mini-batches and instructions. Encode
// makes the array. These modes run it:
//
//   - Block: a block is a run of its own, with its parameters in its shared
//     memory where they fit. Zero pixels are skipped. For single samples and
//     small mini-batches; block r of a launch is replica r.
//   - Dense: Block for the textbook's case, single samples and one hidden
//     layer, in float32: the same mathematics, written out.
//   - Grid: all blocks run one program, for larger mini-batches. The launch
//     is cooperative. No sum depends on the order in which blocks arrive.
//   - Tiles: the blocks share the mini-batches of a program without updates:
//     evaluation and prediction.
//
// A Params is the argument of every launch. Entry is the name of the kernel.
// PTX is the code for the driver to compile; it is generated from the sources
// by generate.sh, without a GPU.
//
// Nothing here calls the driver, so all of it, the kernels included, is tested
// without one: host/shim.h compiles the kernels for the CPU (see package
// kerneltest). Errors begin with "kernel:" and say what does not fit.
package kernel

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"strings"
)

// Sources are the kernels' sources and those of the host shim.
//
//go:embed machine.h block.cu dense.cu grid.cu kernels.cu host/shim.h host/run.cpp
var Sources embed.FS

// PTX is the code of all kernels, for the driver's compiler.
//
//go:embed kernels.ptx
var PTX string

// Least driver and device for PTX; see its header.
const (
	LeastDriver     = "525.60.13" // the driver of CUDA 12.0, whose compiler made PTX
	LeastCUDA       = 12000       // what cuDriverGetVersion must answer at least
	LeastCapability = 70          // compute capability 7.0
)

// Entries returns the names of the kernels in PTX.
func Entries() []string {
	return []string{"vm_block_f32", "vm_block_f64", "vm_dense_f32", "vm_grid_f32", "vm_grid_f64"}
}

// deviceSources are the files that PTX is made of, in the order of the hash.
var deviceSources = []string{"machine.h", "block.cu", "dense.cu", "grid.cu", "kernels.cu"}

// SourceHash returns the hash of the sources that PTX is made of.
func SourceHash() string {
	h := sha256.New()
	for _, name := range deviceSources {
		text, err := fs.ReadFile(Sources, name)
		if err != nil {
			panic("BUG: kernel: " + err.Error())
		}
		h.Write(text)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// CheckPTX reports that PTX is not made of the sources.
func CheckPTX() error {
	if want := "// source " + SourceHash(); !strings.Contains(PTX, want) {
		return fmt.Errorf("kernel: kernels.ptx is not made of these sources: run generate.sh in its folder")
	}
	return nil
}
