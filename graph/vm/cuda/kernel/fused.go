package kernel

import "fmt"

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

// fuse encodes the training step of a network with one hidden layer as one
// instruction.
func (e *encoder) fuse() error {
	in, operands, err := e.hiddenLayerStep(fusedHidden, fusedOutputs)
	if err == nil && e.p.Batch != 1 {
		err = fmt.Errorf("batch %d", e.p.Batch)
	}
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
