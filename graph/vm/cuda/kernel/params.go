package kernel

import (
	"bytes"
	"encoding/binary"
)

// Params is the argument of a launch, by value. It has the fields of struct Params in
// machine.h, in the same order. Fields of type Address are addresses in device
// memory; optional ones may be 0. T is the element type.
//
// Image.Supply sets what the image knows; the caller sets the rest.
type Params struct {
	Code        Address // Image.Code
	Operands    Address // Image.Operands
	Bytecode    Address // Image.Bytecode
	Constants   Address // Image.Constants
	Table       Address // T[TableLen]: the inputs of data.TableOf, and the two targets of data.Scale.TargetRange
	Parameters  Address // T[runs][ParamStride]: placed as Image.Placements says
	Arena       Address // T[runs, or blocks of Tiles][ArenaStride]: the temporaries; not needed with FlagArenaShared
	Pixels      Address // u8[samples][inputs]; needed if Image.NeedsPixels
	Values      Address // T[samples][inputs], instead of Pixels
	RowStart    Address // u32[samples+1]: where the entries of each sample begin; needed if Image.NeedsRows
	RowIndex    Address // u16[entries]: which pixel; only those with an input that is not zero have an entry
	RowPixel    Address // u8[entries]: its value
	RowValue    Address // T[entries], instead of RowPixel
	Labels      Address // u8[samples]
	Targets     Address // T[samples][classes], instead of Labels
	Order       Address // i32[runs][OrderStride]: the samples to visit; 0: all, in file order
	Rates       Address // f64[runs]: the learning rates
	Costs       Address // T[runs][CostStride], by step; optional
	Predictions Address // T[samples][classes]: a^L; Tiles only; optional
	TileCosts   Address // f64[Steps][ceil(batch/32)]: the sum of ½‖y − a^L‖² of 32 samples; Tiles only; optional; requires Labels or Targets
	Confusion   Address // u32[classes][classes], label then prediction: the kernel adds to it; Tiles only; optional; requires Labels
	Status      Address // Status[runs]: device memory, or host memory that the device can write; not Tiles; optional
	Stop        Address // u32: set to 1, it ends the launch after a step; device or host memory; not Tiles; optional
	Control     Address // ControlSize bytes, zero at launch; Grid only
	Ended       Address // u32[runs]: a run whose word is not 0 does nothing; the kernel sets it to 1 if the run ends early; optional

	ParamStride, ArenaStride, OrderStride, CostStride uint64 // elements

	Position  uint64 // index in the order of the first sample
	End       uint64 // index in the order after the last sample of the pass
	FirstStep uint64 // number of the first step, in Costs

	Steps     uint32 // of this launch; in Tiles: mini-batches, of which the last may be ragged
	PollEvery uint32 // the kernel reads Stop and writes Status every PollEvery steps; 0: never; in Fused mode rounding depends on it, see fused.cu

	Instructions, OperandCount, BytecodeCount, ConstantCount uint32
	Batch, Inputs, Classes, Flags                            uint32
	ParamCount, ArenaCount                                   uint32
}

// Address is an address in device memory.
type Address uint64

// Bits of Params.Flags.
const (
	FlagParamsShared = 1 // the parameters are in shared memory during the launch
	FlagArenaShared  = 2 // the temporaries are in shared memory
	FlagTiles        = 4 // the blocks share the mini-batches
)

// Status is the progress of a run.
type Status struct {
	Step      uint32 // steps done in this launch
	NonFinite uint32 // 1 + the step of this launch after which a parameter or the cost was first not finite; 0: none
	Stopped   uint32 // 1: the run ended before its last step
	_         uint32
}

// StatusSize is the size of a Status in bytes.
const StatusSize = 16

// TableLen is the number of elements of Params.Table: TABLE.
const TableLen = 256 + 2

// ControlSize is the size of Params.Control in bytes: CONTROL_WORDS.
const ControlSize = 256

// Bytes returns p as the device reads it.
func (p Params) Bytes() []byte { return encode(p) }

// encode returns fixed-size values, little endian.
func encode(v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		panic("BUG: kernel: " + err.Error())
	}
	return b.Bytes()
}
