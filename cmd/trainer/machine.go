package main

import (
	"errors"
	"fmt"

	"trainer/graph/lower"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/cuda"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/tape"
	"trainer/train/config"
)

// newMachine makes the machine that the configuration asks for, and says in a
// line which it is and why.
func newMachine(c config.Config) (m vm.VM, chose string, err error) {
	compiler := newCompiler(c)
	device, why := c.Device, ""
	if device == "auto" {
		device, why = autoDevice(c)
	}
	if device == "cuda" {
		m, err = cuda.New(c.Network(), compiler, cuda.Options{})
		switch {
		case err == nil:
			return described(m, "cuda"+why, c)
		case c.Device == "cuda":
			return nil, "", fmt.Errorf("%w\nor use the processor: -device cpu", err)
		}
		// Under auto the processor takes over, and the line says why.
		device, why = "cpu", fmt.Sprintf(" (auto: %v)", err)
	}
	switch c.VM {
	case "tape":
		m, err = tape.New(c.Network())
	case "interpret":
		m, err = interpret.New(c.Network(), compiler)
	default:
		m, err = cpu.New(c.Network(), compiler, cpu.Options{})
	}
	if err != nil {
		return nil, "", err
	}
	return described(m, device+why, c)
}

func described(m vm.VM, device string, c config.Config) (vm.VM, string, error) {
	how, err := m.Describe(c.Train.Batch)
	if err != nil {
		return nil, "", errors.Join(err, m.Close())
	}
	return m, fmt.Sprintf("device %s, vm %s: %s", device, m.Name(), how), nil
}

// autoDevice returns the device that auto takes, and why.
func autoDevice(c config.Config) (device, why string) {
	if c.VM != "auto" {
		return "cpu", fmt.Sprintf(" (auto: vm %s)", c.VM)
	}
	if !cuda.Built() {
		return "cpu", " (auto: built without CUDA)"
	}
	if err := cuda.Check(); err != nil {
		return "cpu", fmt.Sprintf(" (auto: %v)", err)
	}
	return "cuda", " (auto: there is one)"
}

func newCompiler(c config.Config) lower.Compiler {
	return lower.Compiler{Network: c.Network(), Options: lowerOptions(c)}
}

func lowerOptions(c config.Config) lower.Options {
	return lower.Options{Listing: c.Train.UpdateOrder == "listing"}
}
