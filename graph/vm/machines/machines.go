// Package machines is the door to the machines, and the only package that knows
// them all:
//
//	m, why, err := machines.Open(network, machines.Options{})
//
// A machine is chosen by two words that are independent of each other. Kind
// says how to compute, and Device where the compiled machine runs; every pair
// of them has a meaning:
//
//	           auto                     cpu   cuda
//	compiled   cuda where it works      cpu   cuda, or an error
//	           and is estimated to
//	           be faster, else cpu
//	interpret  on the CPU, with any device
//	tape       on the CPU, with any device
package machines

import (
	"errors"
	"fmt"

	"trainer/data/lang"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/cuda"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/tape"
)

// Device is where the compiled machine runs.
type Device string

// The devices.
const (
	Auto Device = "auto" // a CUDA device where one works and is estimated to be faster, else the CPU
	CPU  Device = "cpu"
	CUDA Device = "cuda" // the first CUDA device, or an error
)

// Kind is how a network is computed.
type Kind string

// The kinds of machines. All compute the same mathematics: see package vm.
const (
	Compiled  Kind = "compiled"  // the compiled program, by the fast kernels of a device
	Interpret Kind = "interpret" // the compiled program, by plain loops on the CPU
	Tape      Kind = "tape"      // the expression graph as it is, by Gorgonia on the CPU
)

// Options say how a network is to be computed. The zero value is good: the
// fastest machine that works here.
type Options struct {
	Device Device // "": Auto
	Kind   Kind   // "": Compiled

	// Listing takes the update order of the textbook's listing, which Tape does
	// not have: it updates the output weights first, and takes the hidden δ from
	// the updated weights.
	Listing bool

	Cores int // of the CPU, that the compiled machine uses at most; 0: all that Go uses

	// Batch and Runs say what the machine will be used for: Batch samples a step
	// (0: 1), and Runs runs that are trained together (vm.NewFleet; 0: 1). Only Auto
	// depends on them, and what Open says.
	Batch, Runs int
}

// Open makes a machine, with parameters of zero, for a network in the network's
// precision. why is a line for the user: which machine it is, why this one, and
// how it computes.
//
// The error of an asked-for device that does not work says what to do. Under
// Auto it is no error: the CPU takes over, and why has the reason.
func Open(network model.Network, o Options) (m vm.VM, why lang.Text, err error) {
	return open(network, o, installed)
}

// gpu is what Open asks of CUDA.
type gpu struct {
	built func() bool
	make  func(model.Network, vm.Compiler, cuda.Options) (vm.VM, error)

	// estimate returns the time of a step, of batch samples of each run.
	estimate func(n model.Network, compiler vm.Compiler, batch, runs int) (cuda.Estimate, error)
}

// installed is this computer's.
var installed = gpu{built: cuda.Built, make: cuda.New, estimate: estimateFirst}

// open is Open, with a CUDA of its own.
func open(network model.Network, o Options, g gpu) (m vm.VM, why lang.Text, err error) {
	if o, err = o.complete(); err != nil {
		return nil, why, err
	}
	var reason lang.Text // why this machine, where the options leave it open
	switch o.Kind {
	case Interpret:
		m, err = interpret.New(network, Compiler(network, o))
	case Tape:
		m, err = tape.New(network)
	default:
		m, reason, err = openCompiled(network, o, g)
	}
	if err != nil {
		return nil, why, err
	}
	if o.Kind != Compiled && o.Device == CUDA {
		reason = lang.Text{En: " (on the CPU: the device cuda is for the compiled machine)", Zh: "（在 CPU 上：cuda 设备用于编译后的程序）"}
	}
	how, err := describe(m, o)
	if err != nil {
		return nil, why, errors.Join(err, m.Close())
	}
	return m, lang.Text{En: "machine %s%s: %s", Zh: "计算设备 %s%s：%s"}.With(m.Name(), reason, how), nil
}

// openCompiled makes the compiled machine of a device, and says why it is this
// device's under Auto.
func openCompiled(network model.Network, o Options, g gpu) (m vm.VM, reason lang.Text, err error) {
	compiler := Compiler(network, o)
	switch o.Device {
	case CUDA:
		if m, err = g.make(network, compiler, cuda.Options{}); err != nil {
			return nil, reason, fmt.Errorf("%w\nor use the CPU: device cpu", err)
		}
		return m, reason, nil
	case Auto:
		if m, reason = openFaster(network, compiler, o, g); m != nil {
			return m, reason, nil
		}
	}
	m, err = cpu.New(network, compiler, cpu.Options{Cores: o.Cores})
	return m, reason, err
}

// autoText says why auto takes a device.
var autoText = lang.Text{En: " (auto: %v)", Zh: "（auto：%v）"}

// openFaster makes the CUDA machine if that works and is estimated to be faster than
// the CPU. m is nil if not. reason says why.
func openFaster(network model.Network, compiler vm.Compiler, o Options, g gpu) (m vm.VM, reason lang.Text) {
	if !g.built() {
		return nil, lang.Text{En: " (auto: built without CUDA)", Zh: "（auto：编译时未包含 CUDA）"}
	}
	e, err := g.estimate(network, compiler, o.Batch, o.Runs)
	if err == nil {
		onCPU := cpuStep(network, o.Batch, o.Runs)
		reason = compare(onCPU, e)
		if e.Seconds >= onCPU {
			return nil, lang.Text{En: " (auto: %s; -device cuda takes the GPU)", Zh: "（auto：%s；-device cuda 使用 GPU）"}.With(reason)
		}
		m, err = g.make(network, compiler, cuda.Options{})
	}
	if err != nil {
		return nil, autoText.With(err)
	}
	return m, autoText.With(reason)
}

// describe says how m computes what the options announce.
func describe(m vm.VM, o Options) (lang.Text, error) {
	how, err := m.Describe(o.Batch)
	if _, ok := m.(vm.Fleeter); ok && o.Runs > 1 {
		// Runs that are trained together have modes of their own.
		return lang.Text{En: "compiled, all runs in one launch", Zh: "已编译，所有训练一次启动"}, err
	}
	return how, err
}

// complete returns o with its defaults, or what is wrong with it.
func (o Options) complete() (Options, error) {
	if o.Device == "" {
		o.Device = Auto
	}
	if o.Kind == "" {
		o.Kind = Compiled
	}
	if o.Batch == 0 {
		o.Batch = 1
	}
	if o.Runs == 0 {
		o.Runs = 1
	}
	switch {
	case o.Device != Auto && o.Device != CPU && o.Device != CUDA:
		return o, fmt.Errorf("unknown device %q: want %s, %s or %s", o.Device, Auto, CPU, CUDA)
	case o.Kind != Compiled && o.Kind != Interpret && o.Kind != Tape:
		return o, fmt.Errorf("unknown machine %q: want %s, %s or %s", o.Kind, Compiled, Interpret, Tape)
	case o.Kind == Tape && o.Listing:
		return o, errors.New("the listing's update order needs a compiled program, and the machine tape runs the graph as it is: use another machine")
	}
	return o, nil
}

// Compiler returns the compiler of a network's programs, as the machines of
// these options use it.
func Compiler(network model.Network, o Options) lower.Compiler {
	return lower.Compiler{Network: network, Options: lower.Options{Listing: o.Listing}}
}
