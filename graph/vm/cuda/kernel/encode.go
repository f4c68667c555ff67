package kernel

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"trainer/graph/internal/enum"
	"trainer/graph/ir"
)

// Mode says which kernel runs a program.
type Mode uint8

// The modes; see the package comment.
const (
	Block Mode = iota
	Grid
	Tiles
	Fused
	Exchange
)

var modes = enum.New[Mode]("mode", "block", "grid", "tiles", "fused", "exchange")

func (m Mode) String() string { return modes.Name(m) }

// The kernels of the modes in which all blocks execute one program.
const (
	GridEntry     = "vm_grid_f32"
	ExchangeEntry = "vm_exchange_f32"
)

// Cooperative reports whether the blocks of a kernel wait for each other.
func Cooperative(entry string) bool { return entry == GridEntry || entry == ExchangeEntry }

// Together reports whether all blocks of a launch execute one program, and wait for each
// other.
func (m Mode) Together() bool { return m == Grid || m == Exchange }

// MaxThreads is the largest number of threads of a block.
const MaxThreads = 512

// Options say how to encode a program.
type Options struct {
	Mode    Mode
	Threads int // threads of a block, a multiple of 32; 0: as many as the kernel may have

	// Grid: blocks of the launch, all resident at once; at least 1. Exchange: the most
	// blocks; those of the image are as many as it needs.
	Blocks int

	// Shared is the number of bytes of dynamic shared memory that a block may
	// have: the device's MAX_SHARED_MEMORY_PER_BLOCK_OPTIN. If they do not fit,
	// the parameters are in global memory, and then the temporaries too.
	Shared int
}

// Image is an encoded program.
type Image struct {
	Program *ir.Program
	Options Options // with the defaults filled in

	// The tables that go to device memory, 8-byte aligned; see Params.
	Code, Operands, Bytecode, Constants []byte

	Entry       string // name of the kernel
	SharedBytes int    // dynamic shared memory of the launch
	Flags       uint32

	Placements   []Placement // of Program.Parameters, in their order
	ParamCount   int         // elements of the parameters of one run
	ArenaCount   int         // elements of the temporaries of one run, or of one block of Tiles
	NeedsPixels  bool        // the launch needs Params.Pixels or Values
	NeedsRows    bool        // the launch needs Params.RowStart, RowIndex, and RowPixel or RowValue
	Barriers     int         // barriers of all threads in a step; Exchange: of the grid
	Ragged       bool        // the last step of a launch may have fewer samples
	instructions int
}

// Placement says where a parameter is: in the N elements from Offset on. See At.
type Placement struct {
	Offset, RowStride, ColStride, N int
}

// At returns the index of element (i,j) among the parameters of a run.
func (p Placement) At(i, j int) int { return p.Offset + i*p.RowStride + j*p.ColStride }

// The enumerations of machine.h.
const (
	opFill = iota
	opCopy
	opDot
	opFinish
	opRows
	opRowsAdd
	opPixels
	opScore
)

const (
	sinkStore = iota
	sinkMap
	sinkUpdate
	sinkAdd
	sinkCost
)

const (
	spaceParam = iota
	spaceArena
	spaceData
	spaceTarget
	spaceOne
	spaceSelf
)

const (
	formCode = iota
	formSigmoid
	formTanh
	formSigmoidOut
	formTanhOut
	formSigmoidBack
	formTanhBack
)

const (
	barrierNone = iota
	barrierWarp
	barrierAll
)

const (
	none     = math.MaxUint32
	tile     = 8                   // TILE
	sumBlock = 64                  // SUM_BLOCK
	sumTerms = sumBlock * sumBlock // most terms that a thread adds: see struct Sums
)

// operand is struct Operand.
type operand struct {
	Space, Offset uint32
	Rs, Cs        int32
	Cols          uint32
	Prs, Pcs      int32
	Pad           uint32
}

// instr is struct Instr.
type instr struct {
	Op, Sink, Form, Barrier uint32
	Warp                    uint32
	Rows, Cols, Inner       uint32
	Lanes, Splits, Chunk    uint32
	Dst, Raw, A, B, Bias    uint32
	Arg, Args               uint32
	Code, Terms             uint32
	Chained, Rated          uint32
	Value                   float64
}

const operandSize = 32 // bytes of struct Operand

type encoder struct {
	p     *ir.Program
	o     Options
	image *Image
	place map[ir.Ref]Placement
	temps map[int]*temp
	next  int // number of the next scratch
	steps []*step
}

// Encode encodes a program for the device. The error says why the kernels, or
// those of the mode, cannot run it.
func Encode(p *ir.Program, o Options) (*Image, error) {
	if err := ir.Verify(p); err != nil {
		return nil, fmt.Errorf("kernel: %w", err)
	}
	if o.Threads == 0 {
		o.Threads = MaxThreads
	}
	e := &encoder{p: p, o: o, place: map[ir.Ref]Placement{}, temps: map[int]*temp{}, next: len(p.Buffers), image: &Image{Program: p, Options: o}}
	passes := []func() error{e.check, e.layout, e.translate, e.join, e.split, e.arena, e.barriers, e.emit}
	switch o.Mode {
	case Fused:
		passes = []func() error{e.check, e.layout, e.fuse}
	case Exchange:
		passes = []func() error{e.check, e.layout, e.exchange}
	}
	for _, pass := range passes {
		if err := pass(); err != nil {
			return nil, fmt.Errorf("kernel: %s, %v mode: %w", p.Name, o.Mode, err)
		}
	}
	return e.image, nil
}

func (e *encoder) check() error {
	o := e.o
	switch {
	case !modes.Has(o.Mode):
		return errors.New("want mode block, grid, tiles, fused or exchange")
	case o.Threads < 32 || o.Threads > MaxThreads || o.Threads%32 != 0:
		return fmt.Errorf("blocks of %d threads, want a multiple of 32 up to %d", o.Threads, MaxThreads)
	case o.Mode.Together() && o.Blocks < 1:
		return fmt.Errorf("a grid of %d blocks, want 1 or more", o.Blocks)
	case o.Mode == Grid && e.p.Elem == ir.Float64:
		return errors.New("the grid computes in float32: use block mode for float64")
	case o.Mode == Tiles && (e.p.Output == ir.None || e.p.Cost != ir.None):
		return errors.New("tiles mode scores the output: the program must have one, and no cost")
	}
	for i, in := range e.p.Code {
		if in.Op.IsUpdate() && o.Mode == Tiles {
			return fmt.Errorf("#%d updates %s, and tiles have no order: use block or grid mode", i, e.p.Buffers[in.Dst].Name)
		}
	}
	return nil
}

// layout places the parameters. Those that are by input are stored one column
// after the other, so that the weights of a pixel are adjacent. Each column has an
// even number of elements.
func (e *encoder) layout() error {
	at := 0
	for _, r := range e.p.Parameters() {
		b := e.p.Buffers[r]
		pl := Placement{Offset: at, RowStride: b.Cols, ColStride: 1, N: b.Len()}
		if b.ByInput {
			pl.RowStride, pl.ColStride = 1, (b.Rows+1)&^1
			pl.N = b.Cols * pl.ColStride
		}
		e.place[r] = pl
		e.image.Placements = append(e.image.Placements, pl)
		at += (pl.N + 3) &^ 3
		if at > ir.MaxLen {
			return fmt.Errorf("more than %d elements of parameters", ir.MaxLen)
		}
	}
	e.image.ParamCount = at
	return nil
}

// emit writes the tables.
func (e *encoder) emit() error {
	im := e.image
	var code []instr
	var operands []operand
	var bytecode []uint32
	var constants []float64
	put := func(m *matrix) uint32 {
		if m == nil {
			return none
		}
		o := m.operand
		if o.Space == spaceArena {
			o.Offset = uint32(e.temps[m.buf].offset)
		}
		operands = append(operands, o)
		return uint32(len(operands) - 1)
	}
	var all []*step
	for _, s := range e.steps {
		all = append(append(all, s), s.chain...)
	}
	for _, s := range all {
		in := instr{
			Op: uint32(s.op), Sink: uint32(s.sink), Form: uint32(s.form), Barrier: uint32(s.barrier),
			Rows: uint32(s.dst.rows), Cols: uint32(s.dst.cols), Inner: uint32(s.inner),
			Lanes: uint32(s.lanes), Splits: uint32(s.splits), Chunk: uint32(s.chunk),
			Dst: put(s.dst), Raw: put(s.raw), A: put(s.a), B: put(s.b), Bias: put(s.bias),
			Value: s.value, Chained: uint32(len(s.chain)), Code: uint32(len(bytecode)),
		}
		if s.warp {
			in.Warp = 1
		}
		if s.rated {
			in.Rated = 1
		}
		in.Arg, in.Args = uint32(len(operands)), uint32(len(s.args))
		for _, m := range s.args {
			put(m)
		}
		for _, t := range s.expr.Terms() {
			word := uint32(t.Fn)
			switch t.Fn {
			case ir.FnArg:
				word |= uint32(t.Arg) << 8
			case ir.FnConst:
				word |= uint32(len(constants)) << 8
				constants = append(constants, t.Value)
			}
			bytecode = append(bytecode, word)
		}
		in.Terms = uint32(len(bytecode)) - in.Code
		code = append(code, in)
		im.NeedsPixels = im.NeedsPixels || s.op == opPixels ||
			slices.ContainsFunc(s.operands(), func(m *matrix) bool { return m.operand.Space == spaceData })
		im.NeedsRows = im.NeedsRows || s.op == opRows || s.op == opRowsAdd
	}
	return e.finish(code, operands, bytecode, constants)
}

// finish completes the image and decides what is in shared memory.
func (e *encoder) finish(code []instr, operands []operand, bytecode []uint32, constants []float64) error {
	im := e.image
	im.instructions = len(code)
	im.Code, im.Operands, im.Constants = encode(code), encode(operands), encode(constants)
	im.Bytecode = encode(bytecode)
	size, suffix := 4, "_f32"
	if e.p.Elem == ir.Float64 {
		size, suffix = 8, "_f64"
	}
	align := func(bytes int) int { return (bytes + 15) &^ 15 }
	const control = 16 // bytes of Machine::control
	im.SharedBytes = control + align(len(im.Code)) + align(len(im.Operands)) + align(len(im.Constants)) +
		align(len(im.Bytecode)) + align(TableLen*size)
	if im.SharedBytes > e.o.Shared {
		return fmt.Errorf("the program needs %d bytes of shared memory and a block may have %d: use the CPU", im.SharedBytes, e.o.Shared)
	}
	im.Entry = "vm_block" + suffix
	switch e.o.Mode {
	case Grid:
		im.Entry = GridEntry
		return nil
	case Fused, Exchange:
		return nil // fuse and exchange do the rest
	}
	if e.o.Mode == Tiles {
		im.Flags |= FlagTiles
	}
	for _, part := range []struct {
		count int
		flag  uint32
	}{{im.ArenaCount, FlagArenaShared}, {im.ParamCount, FlagParamsShared}} {
		if n := align(part.count * size); im.SharedBytes+n <= e.o.Shared {
			im.SharedBytes += n
			im.Flags |= part.flag
		}
	}
	return nil
}

// Supply writes the fields that the image knows to the argument of a launch.
func (im *Image) Supply(p *Params) {
	p.ParamStride, p.ArenaStride = uint64(im.ParamCount), uint64(im.ArenaCount)
	p.Instructions, p.OperandCount = uint32(im.instructions), uint32(len(im.Operands)/operandSize)
	p.BytecodeCount, p.ConstantCount = uint32(len(im.Bytecode)/4), uint32(len(im.Constants)/8)
	p.Batch, p.Inputs, p.Classes, p.Flags = uint32(im.Program.Batch), 1, 1, im.Flags
	p.ParamCount, p.ArenaCount = uint32(im.ParamCount), uint32(im.ArenaCount)
	for _, b := range im.Program.Buffers {
		switch b.Kind {
		case ir.Data:
			p.Inputs = uint32(b.Cols)
		case ir.Target:
			p.Classes = uint32(b.Cols)
		}
	}
	if im.Options.Mode == Tiles {
		p.Classes = uint32(im.Program.Buffers[im.Program.Output].Cols)
	}
}
