package kernel

import (
	"errors"
	"fmt"
)

// The limits of exchange.cu.
const (
	exchangeThreads = 128
	exchangeUnits   = 4  // hidden units of a slice
	exchangeStrip   = 16 // inputs that a thread loads at once
	exchangeHidden  = 256
	exchangeOutputs = 16
	// sumBlock terms in a thread are the most of a sum over the samples, of which a thread
	// has every 8th, and of one over the inputs.
	exchangeBatch = 8 * sumBlock
	exchangeOwn   = 4 // most samples whose deltas a block computes, one after the other
)

// exchange encodes the training step of a network with one hidden layer as one
// instruction.
func (e *encoder) exchange() error {
	in, operands, err := e.hiddenLayerStep(exchangeHidden, exchangeOutputs)
	if err != nil {
		return fmt.Errorf("not a float32 step of a network with one hidden layer (%w): use grid mode", err)
	}
	batch, im := e.p.Batch, e.image
	e.o.Threads = min(e.o.Threads, exchangeThreads)
	im.Options = e.o
	own := (batch + e.o.Blocks - 1) / e.o.Blocks
	switch {
	case batch == 1:
		return errors.New("mini-batches of 1 sample: use fused or block mode")
	case batch > exchangeBatch*e.o.Threads/exchangeThreads:
		return fmt.Errorf("mini-batches of %d samples, want at most %d: use grid mode", batch, exchangeBatch)
	case own > exchangeOwn:
		return fmt.Errorf("mini-batches of %d samples on %d blocks, want at most %d on each: use grid mode", batch, e.o.Blocks, exchangeOwn)
	}

	// The slices: as many parts of the inputs as there are blocks for.
	biased := 0
	if in.Raw != none {
		biased = 1
	}
	inputs, hidden := int(in.Inner)+biased, int(in.Rows)
	groups := (hidden + exchangeUnits - 1) / exchangeUnits
	most := e.o.Blocks / groups
	if most == 0 {
		return fmt.Errorf("%d hidden units on %d blocks, want at most %d on each: use grid mode", hidden, e.o.Blocks, exchangeUnits)
	}
	chunk := ((inputs+most-1)/most + exchangeStrip - 1) / exchangeStrip * exchangeStrip
	if chunk > sumBlock*e.o.Threads/32 {
		return fmt.Errorf("%d inputs of each of %d blocks, want at most %d: use grid mode", chunk, e.o.Blocks, sumBlock*e.o.Threads/32)
	}
	parts := (inputs + chunk - 1) / chunk
	in.Splits, in.Chunk = uint32(parts), uint32(chunk)
	im.Options.Blocks = max(groups*parts, min(batch, e.o.Blocks))
	im.NeedsPixels, im.Barriers, im.Ragged = true, 0, true
	if err := e.finish([]instr{in}, operands, nil, nil); err != nil {
		return err
	}

	// The memory of struct Exchange.
	units, outputs := groups*exchangeUnits, int(in.Cols)
	groups3 := (hidden + biased + exchangeUnits - 1) / exchangeUnits
	units3 := groups3 * exchangeUnits
	im.ArenaCount = 2 * (2*batch*(parts*units+units+units3+(outputs+1)&^1+1) + 2*outputs*units3 + 2) // words of 8 bytes
	warps, columns := e.o.Threads/32, (batch+3)&^3
	pitch := (columns/4 | 1) * 4
	own = (batch + im.Options.Blocks - 1) / im.Options.Blocks
	own3 := (outputs*groups3 + im.Options.Blocks - 1) / im.Options.Blocks
	im.Entry = ExchangeEntry
	for _, words := range []int{
		2 * chunk * pitch, chunk * exchangeUnits, warps * exchangeUnits * max(chunk, pitch), exchangeUnits * pitch, warps * units, own * units3,
		own * exchangeOutputs, own * exchangeOutputs, 2 * own * exchangeOutputs, outputs * units3, own3 * exchangeUnits,
		own3 * warps * exchangeUnits, warps, 2 * columns, 1,
	} {
		im.SharedBytes += (4*words + 15) &^ 15
	}
	if im.SharedBytes > e.o.Shared {
		return fmt.Errorf("the step needs %d bytes of shared memory and a block may have %d: use grid mode", im.SharedBytes, e.o.Shared)
	}
	return nil
}
