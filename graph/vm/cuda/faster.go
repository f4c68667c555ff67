package cuda

import (
	"fmt"
	"time"

	"trainer/graph/model"
	"trainer/graph/vm/cuda/driver"
)

// The costs of 784-50-10, for Faster. Those of the CPU are measured: an epoch of
// 60,000 samples takes a core 0.055 to 0.07 s at every batch size. Those of the
// device are estimates from the instructions of the kernels, for an H100 at 1.98
// GHz: no device has been measured yet.
const (
	costParameters = 784*50 + 50 + 50*10 + 10
	cpuSample      = 1100 * time.Nanosecond // of a core
	blockSample    = 2000 * time.Nanosecond // of a block, which is one run's
	gridStep       = 60 * time.Microsecond  // of the grid: barriers, and what few blocks do
	gridSample     = 50 * time.Nanosecond   // and for each sample
)

// Faster reports whether this machine is expected to train faster than so many cores
// of a CPU: a network, with batch samples a step, and runs that are trained together.
// The estimate takes the cost of a sample to be proportional to the number of
// parameters. why is the estimate, for the user. It is for the choice of a device: it
// does not say whether CUDA works.
func Faster(n model.Network, batch, runs, cores int, info driver.Info) (faster bool, why string) {
	parameters := 0
	for l, inputs := range n.Layers[:len(n.Layers)-1] {
		parameters += (inputs + 1) * n.Layers[l+1]
	}
	samples := func(cost time.Duration, count int) time.Duration {
		return time.Duration(float64(cost) * float64(count) * float64(parameters) / costParameters)
	}
	cpu := samples(cpuSample, batch*runs) / time.Duration(max(1, min(cores, batch*runs)))
	waves := (runs + max(1, info.Multiprocessors) - 1) / max(1, info.Multiprocessors)
	device := samples(blockSample, batch*waves)
	if runs == 1 && batch > blockRows && info.Cooperative && n.Precision == model.Float32 {
		device = gridStep + samples(gridSample, batch)
	}
	what := "a step"
	if runs > 1 {
		what = fmt.Sprintf("a step of %d runs", runs)
	}
	return device < cpu, fmt.Sprintf("%s takes about %v on %s, by an estimate that no measurement has confirmed, and %v on %s",
		what, short(device), info.Name, short(cpu), count(cores, "core"))
}

// short rounds d to two digits.
func short(d time.Duration) time.Duration {
	unit := time.Duration(1)
	for d >= 100*unit {
		unit *= 10
	}
	return d.Round(unit)
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
