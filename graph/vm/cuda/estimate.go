package cuda

import (
	"fmt"
	"strings"

	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// Estimate is an estimate of the time of a training step on a device. No GPU has
// confirmed it: it comes from cycles that were counted on the emulator.
type Estimate struct {
	Device  driver.Info
	Seconds float64 // of a step of all runs
}

// EstimateStep estimates a step of batch samples on a device, for runs that are trained
// together.
func EstimateStep(n model.Network, compile vm.Compiler, batch, runs int, info driver.Info) (Estimate, error) {
	p, err := compile.Step(batch)
	if err != nil {
		return Estimate{}, fmt.Errorf("cuda: %w", err)
	}
	if runs > 1 {
		info.Cooperative = false // as in a fleet
	}
	im, _, err := encodeStep(p, Options{}, batch, info, func() (int, error) { return info.Multiprocessors, nil })
	if err != nil {
		return Estimate{}, fmt.Errorf("cuda: %v: %w", n, err)
	}
	cycles := stepCycles(im, info.Multiprocessors)
	if !im.Options.Mode.Together() {
		cycles *= float64((runs + info.Multiprocessors - 1) / info.Multiprocessors)
	}
	return Estimate{info, cycles / (1e3 * float64(info.ClockKHz))}, nil
}

// stepCycles returns the cycles of a step: lines through the counts of
// kernel/cycles.txt, which are of 784-50-10 with one and eight samples, of 392-60-10 in
// fused mode, and of more in exchange mode. TestStepCycles holds them against each other.
func stepCycles(im *kernel.Image, multiprocessors int) float64 {
	p := im.Program
	weights, inputs := 0, 0
	for _, b := range p.Buffers {
		switch b.Kind {
		case ir.Parameter:
			weights += b.Len()
		case ir.Data:
			inputs = b.Cols
		}
	}
	work := 3 * float64(weights) * float64(p.Batch) // multiplications
	switch im.Options.Mode {
	case kernel.Fused:
		cycles := 1480 + 2.55*float64(inputs)
		if strings.HasPrefix(im.Entry, "vm_fused_one") { // it works on one sample at a time
			cycles *= 1.5
		}
		return cycles
	case kernel.Exchange:
		// Most of it is latency. It is an assumption that each further sample of a block
		// takes 2,000.
		blocks := im.Options.Blocks
		return 8800 + 0.006*work/float64(blocks) + 2000*float64((p.Batch-1)/blocks)
	case kernel.Grid:
		// One count, without the cost: 44,800 for 15.3 million products on 132
		// multiprocessors. It is an assumption that 10,000 of them, for barriers and
		// latencies, do not depend on the work.
		return 10_000 + 0.0023*work*132/float64(multiprocessors)
	}
	return 7300 + 0.15*work
}
