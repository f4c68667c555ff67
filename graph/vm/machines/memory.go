package machines

import (
	"math/bits"
	"runtime"

	"trainer/data"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm/cuda"
)

// Memory returns the bytes of the computer's memory that a machine of these options
// takes at least, with the given sets. It is a little less than the machine takes, so
// that a training that fits is not refused. Of a CUDA device, which may be taken, the
// machine itself says what it lacks.
func Memory(n model.Network, o Options, sets ...*data.Set) int64 {
	o, err := o.complete()
	if err != nil || o.Kind == Compiled && (o.Device == CUDA || o.Device == Auto && cuda.Built()) {
		return 0
	}
	cores := o.Cores
	if cores == 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	size := int64(4)
	if n.Precision == model.Float64 {
		size = 8
	}
	parameters, nodes := int64(n.Size()), int64(0)
	for _, nodesOfLayer := range n.Layers {
		nodes += int64(nodesOfLayer)
	}
	rows, copies := o.Batch, int64(1)
	count := 1 // of machines
	switch o.Kind {
	case Tape:
		copies = 3 // the parameters, their gradients, and a copy to bind
	case Compiled:
		copies = 2 // the parameters, and those of the last check
		if o.Batch == 1 && o.Runs > 1 {
			count = min(o.Runs, cores)
		} else if o.Batch == 1 && cores > 1 {
			copies++ // a snapshot
		}
		if o.Batch > ir.SumBlock { // the sums of blocks
			rows = ir.SumBlock
			copies += int64(bits.Len(uint((o.Batch + ir.SumBlock - 1) / ir.SumBlock)))
		}
	case Interpret: // has one copy
	}
	need := parameters*copies*size + int64(rows)*nodes*2*size
	for _, set := range sets {
		if set != nil && o.Kind == Compiled {
			need += resident(set, size)
		}
	}
	return need * int64(count)
}

// resident returns about the bytes of a set in a machine with elements of the given
// size. It looks at some of the pixels.
func resident(set *data.Set, size int64) int64 {
	const every = 997
	seen, ink := int64(0), int64(0)
	for i := 0; i < len(set.Pixels); i += every {
		seen++
		if set.Pixels[i] != 0 {
			ink++
		}
	}
	if seen == 0 {
		return 0
	}
	pixels := int64(len(set.Pixels))
	const entry = 4 // see package kernel of the CPU machine
	return min(pixels*size, pixels*ink/seen*entry)
}
