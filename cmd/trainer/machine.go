package main

import (
	"errors"
	"fmt"

	"trainer/graph/lower"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/tape"
	"trainer/train/config"
)

// newMachine makes the machine that the configuration asks for, and says in a
// line which it is and why.
func newMachine(c config.Config) (m vm.VM, chose string, err error) {
	chose = "device cpu"
	switch c.Device {
	case "cuda":
		return nil, "", errors.New("device cuda: this version has no CUDA machine: use -device cpu, or auto, which takes CUDA once there is one")
	case "auto":
		chose += " (auto: this version has no CUDA machine)"
	}
	compiler := lower.Compiler{Network: c.Network(), Options: lowerOptions(c)}
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
	return m, fmt.Sprintf("%s, vm %s: %v", chose, m.Name(), m), nil
}

func lowerOptions(c config.Config) lower.Options {
	return lower.Options{Listing: c.Train.UpdateOrder == "listing"}
}
