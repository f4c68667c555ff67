package main

import (
	"errors"
	"fmt"

	"trainer/graph/vm"
	"trainer/graph/vm/tape"
	"trainer/train/config"
)

// newMachine makes the machine that the configuration asks for, and says in a
// line which it is and why.
func newMachine(c config.Config) (m vm.VM, chose string, err error) {
	switch c.Device {
	case "cuda":
		return nil, "", errors.New("device cuda: this version has no CUDA machine: use -device cpu, or auto, which takes CUDA once there is one")
	case "auto":
		chose = "device cpu (auto: this version has no CUDA machine)"
	case "cpu":
		chose = "device cpu"
	}
	m, err = tape.New(c.Network())
	if err != nil {
		return nil, "", err
	}
	return m, fmt.Sprintf("%s, machine %s: Gorgonia's TapeMachine", chose, m.Name()), nil
}
