package machines

import (
	"fmt"

	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda"
)

// What auto compares a device with: a processor of 8 cores of which each makes 75
// multiplications a nanosecond, or 100 with single samples, whose steps are for one
// core. A core of an AMD EPYC (Zen 4) made 104 in single-sample steps of 784-50-10, and
// 68 to 80 in mini-batches of it and of 784-300-100-10, counting the skipped products of
// black pixels. It is not this computer's processor, so that the same configuration takes the
// same device with any number of cores.
const (
	nominalCores     = 8
	coreSingle       = 100e9
	coreBatch        = 75e9
	productsOfWeight = 3 // in z, in the gradient, and in the error or the update
)

// cpuStep estimates the time of a step of all runs on the CPU, in seconds.
func cpuStep(n model.Network, batch, runs int) float64 {
	work := productsOfWeight * float64(n.Size()) * float64(batch) * float64(runs)
	if batch == 1 {
		return work / (coreSingle * float64(min(runs, nominalCores)))
	}
	return work / (coreBatch * nominalCores)
}

// estimateFirst estimates a step on the first CUDA device.
func estimateFirst(n model.Network, compiler vm.Compiler, batch, runs int) (cuda.Estimate, error) {
	devices, err := cuda.Devices()
	if err != nil {
		return cuda.Estimate{}, fmt.Errorf("cuda: %w", err)
	}
	return cuda.EstimateStep(n, compiler, batch, runs, devices[0])
}

// compare says how the estimates of a step on the CPU and on a device compare.
func compare(cpu float64, e cuda.Estimate) lang.Text {
	text := func(seconds float64) string {
		switch {
		case seconds < 1e-3:
			return fmt.Sprintf("%.3g µs", seconds*1e6)
		case seconds < 1:
			return fmt.Sprintf("%.3g ms", seconds*1e3)
		}
		return fmt.Sprintf("%.3g s", seconds)
	}
	return lang.Text{En: "a step is estimated at %s on %s and at %s on a CPU of %d cores; no GPU was measured", Zh: "估计每步在 %[2]s 上需 %[1]s，在 %[4]d 核 CPU 上需 %[3]s；未在 GPU 上实测"}.With(text(e.Seconds), e.Device.Name, text(cpu), nominalCores)
}
