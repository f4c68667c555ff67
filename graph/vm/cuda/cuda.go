// Package cuda is the machine that runs compiled programs on an NVIDIA GPU,
// through gorgonia.org/cu.
//
// The program is an array of instructions in device memory, and a kernel that
// runs for a whole pass loops over mini-batches and instructions (see package
// kernel). Single samples run in one block, with the parameters in its shared memory
// if they fit, and so do small mini-batches of networks that have not one hidden
// layer. Other mini-batches and evaluations run on the whole device. Sets are
// resident on the device.
//
// The machine is built with the tag gpu (see the Makefile's target gpu). Without
// the tag, a driver or a device, New returns an error that says what to do. The
// tests need no GPU: they compile the kernels for the CPU, and a fake driver
// launches them.
package cuda

import (
	"errors"
	"fmt"
	"strings"

	"trainer/data/lang"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// Options are optional: their zero value is a good choice.
type Options struct {
	Device int // number of the device

	// Mode is the mode of training steps: "block", "fused", "exchange" or "grid" (see
	// package kernel). "" is the fastest that can run the program.
	Mode string
}

// blockRows is the largest mini-batch that one block trains as fast as the
// grid. It is an estimate from the cost of a grid-wide barrier.
const blockRows = 8

// Built reports whether this program was built with CUDA (tag gpu).
func Built() bool { return driver.Status().Built }

// Check returns nil if CUDA can be used, otherwise the reason why not.
func Check() error { return driver.Status().Require(kernel.LeastCUDA) }

// Devices returns the devices. The error says why CUDA cannot be used.
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
	case o.Mode == "fused":
		return []kernel.Mode{kernel.Fused}
	case o.Mode == "exchange":
		return []kernel.Mode{kernel.Exchange}
	case batch == 1:
		return []kernel.Mode{kernel.Fused, kernel.Block}
	case !cooperative:
		return []kernel.Mode{kernel.Block}
	case batch <= blockRows:
		return []kernel.Mode{kernel.Exchange, kernel.Block}
	}
	return []kernel.Mode{kernel.Exchange, kernel.Grid, kernel.Block}
}

// encodeStep encodes a training step for a device, in the first mode that can
// run it; exchange mode only if it is estimated to be faster than the next one. slower is
// none, or says why the faster modes cannot. blocks returns the most blocks of a launch
// whose blocks wait for each other.
func encodeStep(p *ir.Program, o Options, batch int, info driver.Info, blocks func() (int, error)) (im *kernel.Image, slower lang.Text, err error) {
	var refused []string
	for _, mode := range modes(o, batch, info.Cooperative) {
		if mode == kernel.Exchange && p.Elem == ir.Float64 && o.Mode == "" {
			continue // it never runs float64, so it is not what makes this slower
		}
		k := kernel.Options{Mode: mode, Shared: info.SharedPerBlock}
		if mode.Together() {
			var err error
			if k.Blocks, err = blocks(); err != nil {
				return nil, slower, err
			}
		}
		other, err := kernel.Encode(p, k)
		switch {
		case err != nil:
			refused = append(refused, err.Error())
			continue
		case im != nil && stepCycles(im, info.Multiprocessors) <= stepCycles(other, info.Multiprocessors):
			return im, slower, nil
		case im == nil && mode == kernel.Exchange && o.Mode == "":
			im = other // if the next one is not faster
			continue
		}
		if len(refused) > 0 {
			slower = lang.Text{En: " (slower than possible: %v)", Zh: "（比可能的慢：%v）"}.With(strings.Join(refused, "; "))
		}
		return other, slower, nil
	}
	if im != nil {
		return im, slower, nil
	}
	return nil, slower, errors.New(strings.Join(refused, "; "))
}

// ModeOf describes the mode in which a device trains a network with batch
// samples a step.
func ModeOf(n model.Network, compile vm.Compiler, batch int, info driver.Info) (lang.Text, error) {
	p, err := compile.Step(batch)
	if err != nil {
		return lang.Text{}, fmt.Errorf("cuda: %w", err)
	}
	im, slower, err := encodeStep(p, Options{}, batch, info, func() (int, error) { return info.Multiprocessors, nil })
	if err != nil {
		return lang.Text{}, fmt.Errorf("cuda: %v: %w", n, err)
	}
	return modeText(im).Plus(slower), nil
}

func modeText(im *kernel.Image) lang.Text {
	where := lang.Text{En: "parameters in global memory", Zh: "参数在全局内存中"}
	if im.Options.Mode == kernel.Fused || im.Options.Mode == kernel.Exchange || im.Flags&kernel.FlagParamsShared != 0 {
		where = lang.Text{En: "parameters in shared memory", Zh: "参数在共享内存中"}
	}
	return lang.Text{En: "%v mode, %s, %d bytes of shared memory a block", Zh: "%v 模式，%s，每块 %d 字节共享内存"}.With(im.Options.Mode, where, im.SharedBytes)
}
