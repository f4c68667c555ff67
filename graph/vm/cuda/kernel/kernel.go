// Package kernel holds the code that runs on the GPU, and encodes compiled
// programs for it.
//
// The kernels (machine.h and the .cu files) are a virtual machine: a program is
// an array of instructions in device memory, and a kernel that runs for a whole
// pass loops over mini-batches and instructions. README.md explains how to read
// them. Encode makes the array. A program runs in one of these modes:
//
//   - Block: each block is an independent run, with its parameters in its shared
//     memory if they fit. Zero pixels are skipped. It is for single samples, small
//     mini-batches, and all float64 training.
//   - Fused: like Block, for single-sample steps in float32 of a network with one
//     hidden layer. The whole step is one instruction.
//   - Exchange: all blocks execute one program, for mini-batches in float32 of a
//     network with one hidden layer. The whole step is one instruction, and blocks wait
//     only for the values that they need. The launch is cooperative.
//   - Grid: all blocks execute one program, for larger mini-batches in float32.
//     The launch is cooperative. No sum depends on the order in which blocks
//     arrive.
//   - Tiles: the blocks share the mini-batches of a program without updates, for
//     evaluation and prediction.
//
// Params is the argument of every launch. Image.Entry is the name of the kernel.
// PTX is the code that the driver compiles, and Cubin the same, compiled for one
// kind of device; generate.sh makes both from the sources, without a GPU.
//
// This package does not call the driver. The tests compile the kernels for the
// CPU with host/shim.h (see package kerneltest), so they need no GPU. Errors
// begin with "kernel:" and say what does not fit.
package kernel

import "embed"

// Sources are the sources of the kernels and of the host shim, for kerneltest.
//
//go:embed machine.h block.cu exchange.cu fused.cu grid.cu kernels.cu host/shim.h host/run.cpp
var Sources embed.FS

// PTX is the code of all kernels, for the driver's compiler.
//
//go:embed kernels.ptx
var PTX string

// Cubin is PTX, compiled for devices of compute capability CubinCapability. Other
// devices, and drivers that refuse it, take PTX.
//
//go:embed kernels.sm_90.cubin
var Cubin string

// CubinCapability is that of Hopper, 9.0.
const CubinCapability = 90

// The oldest driver and device that PTX supports; see its header.
const (
	LeastCUDA       = 12000 // cuDriverGetVersion must answer this or more
	LeastCapability = 70    // compute capability 7.0
)
