package kernel

import (
	"errors"
	"fmt"
)

// The limits of exchange.cu.
const (
	exchangeThreads = 256 // also the largest batch
	exchangeUnits   = 4   // hidden units of a slice
	exchangeStrip   = 16  // inputs that a thread loads at once
	exchangeHidden  = 256
	exchangeOutputs = 16
	exchangeOwn     = 4 // most samples whose deltas a block computes, one after the other
	exchangeChunk   = sumBlock * exchangeWarps
	exchangeWarps   = exchangeThreads / 32
)

// exchange encodes the training step of a network with one hidden layer as one
// instruction.
func (e *encoder) exchange() error {
	in, operands, err := e.hiddenLayerStep(exchangeHidden, exchangeOutputs)
	if err != nil {
		return fmt.Errorf("not a float32 step of a network with one hidden layer (%w): use grid mode", err)
	}
	batch, im := e.p.Batch, e.image
	if e.o.Threads < exchangeThreads {
		return fmt.Errorf("blocks of %d threads, want at least %d: use grid mode", e.o.Threads, exchangeThreads)
	}
	e.o.Threads = exchangeThreads
	im.Options = e.o
	own := (batch + e.o.Blocks - 1) / e.o.Blocks
	switch {
	case batch == 1:
		return errors.New("mini-batches of 1 sample: use fused or block mode")
	case batch > exchangeThreads:
		return fmt.Errorf("mini-batches of %d samples, want at most %d: use grid mode", batch, exchangeThreads)
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
	if chunk > exchangeChunk {
		return fmt.Errorf("%d inputs of each of %d blocks, want at most %d: use grid mode", chunk, e.o.Blocks, exchangeChunk)
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
	outs := (outputs + 3) &^ 3
	groups3 := (hidden + biased + exchangeUnits - 1) / exchangeUnits
	units3 := groups3 * exchangeUnits
	im.ArenaCount = 2 * (2*batch*(parts*units+units+units3+outs+1) + 2*outputs*units3 + 2) // words of 8 bytes
	columns := (batch + 3) &^ 3
	pitch := (columns/4 | 1) * 4
	own = (batch + im.Options.Blocks - 1) / im.Options.Blocks
	own3 := (outputs*groups3 + im.Options.Blocks - 1) / im.Options.Blocks
	im.Entry = ExchangeEntry
	for _, words := range []int{
		2 * chunk * pitch, chunk * exchangeUnits, exchangeWarps * exchangeUnits * max(chunk, pitch), exchangeUnits * pitch,
		exchangeWarps * units, own * units3, own * exchangeOutputs, own * exchangeOutputs, 2 * own * exchangeOutputs, outs * units3,
		own3 * exchangeUnits, own3 * exchangeUnits, own3 * exchangeWarps * exchangeUnits, exchangeWarps, 2 * columns, 1,
	} {
		im.SharedBytes += (4*words + 15) &^ 15
	}
	if im.SharedBytes > e.o.Shared {
		return fmt.Errorf("the step needs %d bytes of shared memory and a block may have %d: use grid mode", im.SharedBytes, e.o.Shared)
	}
	return nil
}
