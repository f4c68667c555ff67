// Package cuda is the machine that runs compiled programs on an NVIDIA GPU,
// through gorgonia.org/cu.
//
// A pass is one launch: the program is an array of instructions in device
// memory, and a kernel that stays on the device loops over mini-batches and
// instructions (package kernel). Single samples and small mini-batches run in
// one block with the parameters in its shared memory, larger ones on the whole
// device, evaluation too. Sets are resident on the device.
//
// It is built with the tag gpu (see the Makefile's target gpu); without it, and
// where there is no driver or device, New says so and what to do. Everything
// here is tested without a GPU: the kernels are compiled for the CPU and
// launched by a fake driver.
package cuda

import (
	"errors"
	"fmt"

	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// Options change how a machine computes. The zero value is good.
type Options struct {
	Device int // ordinal of the device

	// Mode is how training steps run: "block", "grid" or "dense"; "": the
	// fastest that takes the program.
	Mode string
}

// blockRows is the largest mini-batch that one block trains as fast as the
// grid: an estimate, from the cost of a grid-wide barrier.
const blockRows = 8

// Built says whether this program was built with CUDA: with the tag gpu.
func Built() bool { return driver.Status().Built }

// Check reports why CUDA cannot be used, or nil.
func Check() error { return driver.Status().Require(kernel.LeastCUDA) }

// Devices lists the devices; the error says why CUDA cannot be used.
func Devices() ([]driver.Info, error) {
	if err := Check(); err != nil {
		return nil, err
	}
	return driver.Devices()
}

// DriverVersion returns the newest CUDA that the driver supports, as "12.4".
func DriverVersion() string { return driver.FormatVersion(driver.Status().Version) }

// modes returns the modes to try for a step with batch samples, best first.
func modes(o Options, batch int, cooperative bool) []kernel.Mode {
	switch {
	case o.Mode == "block":
		return []kernel.Mode{kernel.Block}
	case o.Mode == "grid":
		return []kernel.Mode{kernel.Grid}
	case o.Mode == "dense":
		return []kernel.Mode{kernel.Dense}
	case batch == 1:
		return []kernel.Mode{kernel.Dense, kernel.Block}
	case batch <= blockRows || !cooperative:
		return []kernel.Mode{kernel.Block}
	}
	return []kernel.Mode{kernel.Grid, kernel.Block}
}

// encodeStep encodes a training step for a device, in the first mode that takes
// it, and says why not in those that are faster. blocks says how many blocks of
// a grid launch are resident.
func encodeStep(p *ir.Program, o Options, batch int, info driver.Info, cost string, blocks func(entry string) (int, error)) (im *kernel.Image, slower string, err error) {
	var refused []error
	for _, mode := range modes(o, batch, info.Cooperative) {
		k := kernel.Options{Mode: mode, Shared: info.SharedPerBlock, Cost: cost}
		if mode == kernel.Grid {
			var err error
			if k.Blocks, err = blocks(gridEntry(p.Elem)); err != nil {
				return nil, "", err
			}
		}
		im, err := kernel.Encode(p, k)
		if err == nil {
			if len(refused) > 0 {
				slower = fmt.Sprintf(" (slower than possible: %v)", errors.Join(refused...))
			}
			return im, slower, nil
		}
		refused = append(refused, err)
	}
	return nil, "", errors.Join(refused...)
}

func gridEntry(e ir.Elem) string {
	if e == ir.Float64 {
		return "vm_grid_f64"
	}
	return "vm_grid_f32"
}

// ModeOf says in which mode a device trains a network with batch samples a
// step, and where the parameters are.
func ModeOf(n model.Network, compile vm.Compiler, batch int, info driver.Info) (string, error) {
	p, err := compile.Step(batch)
	if err != nil {
		return "", fmt.Errorf("cuda: %w", err)
	}
	im, slower, err := encodeStep(p, Options{}, batch, info, "", func(string) (int, error) { return info.Multiprocessors, nil })
	if err != nil {
		return "", fmt.Errorf("cuda: %v: %w", n, err)
	}
	return modeText(im) + slower, nil
}

func modeText(im *kernel.Image) string {
	where := "parameters in global memory"
	if im.Options.Mode == kernel.Dense || im.Flags&kernel.FlagParamsShared != 0 {
		where = "parameters in shared memory"
	}
	return fmt.Sprintf("%v mode, %s, %d bytes of shared memory a block", im.Options.Mode, where, im.SharedBytes)
}
