package kernel

import (
	"bytes"
	"encoding/binary"
)

// Params is the argument of a launch, as struct Params of machine.h says: the
// same fields in the same order. Fields of type Address are addresses of
// device memory, 0 where optional and not there. T is the element type.
//
// Image.Params fills in what the image knows; the rest is the launch's.
type Params struct {
	Code        Address // Image.Code
	Operands    Address // Image.Operands
	Bytecode    Address // Image.Bytecode
	Constants   Address // Image.Constants
	Table       Address // T[256]: pixel/255, see Table
	Parameters  Address // T[replicas][ParamStride]: see Image.Pack
	Update      Address // what updates change, like Parameters; 0: Parameters itself; not Dense
	Arena       Address // T[replicas or blocks of Tiles][ArenaStride]; not needed with FlagArenaShared
	Pixels      Address // u8[samples][inputs]; needed with Image.NeedsDense
	Values      Address // T[samples][inputs], in place of Pixels
	RowStart    Address // u32[samples+1], the non-zero pixels of each sample; needed with Image.NeedsRows
	RowIndex    Address // u16, which pixel
	RowPixel    Address // u8, its value
	RowValue    Address // T, in place of RowPixel
	Labels      Address // u8[samples]
	Targets     Address // T[samples][classes], in place of Labels
	Order       Address // i32[replicas][OrderStride]: the samples to visit; 0: all, in their order
	Rates       Address // f64[replicas]: the learning rates
	Costs       Address // T[replicas][CostStride], by step; optional
	Outputs     Address // T[replicas][OutputStride]: see Image.Outputs; optional; not Dense
	Predictions Address // T[samples][classes]: a^L, Tiles only; optional
	SampleCosts Address // f64[samples]: ½‖y − a^L‖², Tiles only; optional; wants Labels or Targets
	Confusion   Address // u32[classes][classes], label then prediction, added to, Tiles only; optional; wants Labels
	Status      Address // Status[replicas], not Tiles; device memory, or host memory that the device can write; optional
	Stop        Address // u32, not Tiles: 1 ends the launch at the next look; device or host memory; optional
	Control     Address // u32[4], zero at launch; Grid only

	ParamStride, ArenaStride, OrderStride, CostStride, OutputStride uint64 // elements

	Position  uint64 // in the order, of the first sample of the first step
	End       uint64 // in the order, behind the last sample of the pass
	FirstStep uint64 // the number of the first step, in Costs

	Steps     uint32 // of this launch; of Tiles: mini-batches, the last may be ragged
	PollEvery uint32 // steps between two looks at Stop and Status; 0: never

	Instructions, OperandCount, BytecodeCount, ConstantCount uint32
	Batch, Inputs, Classes, Flags                            uint32
	ParamCount, ArenaCount                                   uint32
	OutputFirst, OutputCount                                 uint32
}

// Address is an address of device memory.
type Address uint64

// Addresses is how many addresses a Params begins with.
const Addresses = 26

// Bits of Params.Flags.
const (
	FlagParamsShared = 1 // the parameters are in shared memory during the launch
	FlagArenaShared  = 2 // the temporaries are in shared memory
	FlagTiles        = 4 // blocks share the mini-batches
)

// Status is what a launch says of itself.
type Status struct {
	Step      uint32 // steps done in this launch
	NonFinite uint32 // 1 + the step of this launch after which a parameter or the cost was first not finite; 0: none
	Stopped   uint32 // 1: it ended before its last step
	_         uint32
}

// StatusSize is the bytes of a Status.
const StatusSize = 16

// ControlSize is the bytes of Params.Control.
const ControlSize = 16

// Bytes returns p as the device reads it.
func (p Params) Bytes() []byte { return encode(p) }

// DecodeStatus reads a Status.
func DecodeStatus(b []byte) Status {
	return Status{
		Step:      binary.LittleEndian.Uint32(b),
		NonFinite: binary.LittleEndian.Uint32(b[4:]),
		Stopped:   binary.LittleEndian.Uint32(b[8:]),
	}
}

// encode writes fixed-size values little endian, one after the other.
func encode(v any) []byte {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, v); err != nil {
		panic("BUG: kernel: " + err.Error())
	}
	return b.Bytes()
}

// Table returns what a pixel of each value is as an input: T(float64(p)/255),
// as data.Input has it.
func Table[T float32 | float64]() [256]T {
	var t [256]T
	for p := range t {
		t[p] = T(float64(p) / 255)
	}
	return t
}
