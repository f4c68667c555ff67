package kernel

import (
	"fmt"
	"slices"

	"trainer/graph/ir"
)

// The limits of fused.cu.
const (
	fusedHidden      = 64
	fusedOutputs     = 16
	fusedGroup       = 2 // samples; a group of one needs less shared memory
	fusedRing        = 4 // groups whose samples are in shared memory
	fusedHelpers     = 2
	fusedThreads     = 32 * (1 + fusedHelpers + 1) // the least: the chain, the helpers, and one warp for rows
	fusedWideThreads = 384                         // the most of vm_fused_wide_f32
)

// fusedProgram is what fused.cu computes, but for the shapes. The activation may
// also be tanh; the bias (then a product is a matmul) and the cost may be missing.
// W3 may be updated before e2 is computed.
var fusedProgram = ir.MustParse(`program "fused" float32 batch 1
  x  data      1x1
  y  target    1x1
  W2 parameter 1x1 by input
  b2 parameter 1x1
  W3 parameter 1x1
  b3 parameter 1x1
  z2 temporary 1x1
  a2 temporary 1x1
  z3 temporary 1x1
  a3 temporary 1x1
  s  temporary 1x1
  t  temporary 1x1
  E  temporary 1x1
  d3 temporary 1x1
  e2 temporary 1x1
  d2 temporary 1x1
  cost E
  0  z2  = affine x W2 b2
  1  a2  = activate sigmoid z2
  2  z3  = affine a2 W3 b3
  3  a3  = activate sigmoid z3
  4  s   = map square(y - a3)
  5  t   = sumall s
  6  E   = map t * 0.5
  7  d3  = outputdelta sigmoid a3 y * -rate
  8  e2  = matmul d3 W3
  9  W3 += d3^T a2
  10 b3 += d3
  11 d2  = hiddendelta sigmoid e2 a2
  12 W2 += d2^T x
  13 b2 += d2
`)

// fuse encodes the training step of a network with one hidden layer as one
// instruction.
func (e *encoder) fuse() error {
	in, operands, err := e.fusedStep()
	if err != nil {
		return fmt.Errorf("not a single-sample float32 step of a network with one hidden layer (%w): use block mode", err)
	}
	im := e.image
	im.NeedsRows, im.Barriers = true, 3
	if err := e.finish([]instr{in}, operands, nil, nil); err != nil {
		return err
	}
	if e.o.Threads < fusedThreads {
		return fmt.Errorf("blocks of %d threads, want at least %d: use block mode", e.o.Threads, fusedThreads)
	}
	wide := in.Rows > 56 || in.Cols > 10
	if wide {
		e.o.Threads = min(e.o.Threads, fusedWideThreads)
		im.Options = e.o
	}
	base := im.SharedBytes
	im.Entry, im.SharedBytes = "vm_fused_f32", base+e.fusedBytes(in, operands, fusedGroup)
	switch {
	case wide:
		im.Entry = "vm_fused_wide_f32"
	case im.SharedBytes > e.o.Shared:
		im.Entry, im.SharedBytes = "vm_fused_one_f32", base+e.fusedBytes(in, operands, 1)
	}
	if im.SharedBytes > e.o.Shared {
		return fmt.Errorf("the step needs %d bytes of shared memory and a block may have %d: use block mode", im.SharedBytes, e.o.Shared)
	}
	return nil
}

// fusedBytes returns the size of struct Fused.
func (e *encoder) fusedBytes(in instr, operands []operand, group int) (bytes int) {
	inputs, rows := int(in.Inner), e.o.Threads/32-1-fusedHelpers
	for _, words := range []int{
		inputs * int(operands[in.Dst].Cs), fusedRing * group * inputs, fusedRing * group * fusedOutputs,
		2 * inputs * 2 * group, 2 * inputs, 2 * fusedHelpers, 2 * rows * group * fusedHidden, 2 * fusedHelpers * group * 2 * group,
		2 * group * fusedHidden, fusedHidden, fusedOutputs, 1,
	} {
		bytes += (4*words + 15) &^ 15
	}
	return bytes
}

// fusedStep finds the instructions of fusedProgram in the program, and returns the
// instruction of fused.cu. Their order may differ: but for that of W3, no update
// changes what a later instruction reads. Then all parameters and the cost are
// known; what else the program computes, nothing reads.
func (e *encoder) fusedStep() (in instr, operands []operand, err error) {
	p, want := e.p, fusedProgram
	parameters, names := p.Parameters(), []string{"W2", "b2", "W3", "b3"}
	biased := len(parameters) == 4
	if !biased {
		names = []string{"W2", "W3"}
	}
	if p.Elem != want.Elem || p.Batch != want.Batch || len(parameters) != len(names) {
		return in, nil, fmt.Errorf("%v, batch %d, %d parameters", p.Elem, p.Batch, len(parameters))
	}
	is := make([]ir.Ref, len(want.Buffers)) // the buffer of p that a buffer of fusedProgram is
	for r, b := range want.Buffers {
		is[r] = ir.None
		switch k := slices.Index(names, b.Name); {
		case b.Kind == ir.Data || b.Kind == ir.Target:
			is[r] = ir.Ref(slices.IndexFunc(p.Buffers, func(own ir.Buffer) bool { return own.Kind == b.Kind }))
		case k >= 0 && p.Buffers[parameters[k]].ByInput != b.ByInput:
			return in, nil, fmt.Errorf("the layout of %s", b.Name)
		case k >= 0:
			is[r] = parameters[k]
		}
	}
	activation := slices.IndexFunc(p.Code, func(own ir.Instr) bool { return own.Op == ir.Activate })
	at := map[string]int{} // the index in p of the instruction that writes a buffer of fusedProgram
	for i, w := range want.Code {
		name, args := want.Buffers[w.Dst].Name, w.Args
		w.Args = nil
		switch {
		case !biased && w.Op == ir.Update, p.Cost == ir.None && (w.Op == ir.Map || w.Op == ir.SumAll):
			continue
		case !biased && w.Op == ir.Affine:
			w.Op, w.TransB, args = ir.MatMul, true, args[:2]
		case w.G != 0 && activation >= 0:
			w.G = p.Code[activation].G
		}
		for _, a := range args {
			w.Args = append(w.Args, is[a])
		}
		k := slices.IndexFunc(p.Code, func(own ir.Instr) bool {
			return own.Computes(w) && (own.Dst == is[w.Dst] || !w.Op.IsUpdate())
		})
		if k < 0 {
			return in, nil, fmt.Errorf("it has no %q", want.Text(i))
		}
		is[w.Dst], at[name] = p.Code[k].Dst, k
	}
	if is[want.Cost] != p.Cost {
		return in, nil, fmt.Errorf("the cost %s", p.Buffers[p.Cost].Name)
	}
	in = instr{Dst: 0, Raw: none, A: 1, B: none}
	if biased {
		in.Raw, in.A, in.B = 1, 2, 3
	}
	for _, r := range parameters {
		operands = append(operands, e.view(r, false).operand)
	}
	w2, w3 := p.Buffers[parameters[0]], p.Buffers[parameters[in.A]]
	in.Inner, in.Rows, in.Cols = uint32(w2.Cols), uint32(w2.Rows), uint32(w3.Rows)
	if w2.Rows > fusedHidden || w3.Rows > fusedOutputs {
		return in, nil, fmt.Errorf("%d hidden units and %d outputs, want at most %d and %d", w2.Rows, w3.Rows, fusedHidden, fusedOutputs)
	}
	if p.Code[activation].G == ir.FnTanh {
		in.Form = 1
	}
	if at["W3"] < at["e2"] {
		in.Sink = 1
	}
	return in, operands, nil
}
