package main

import (
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train/config"
)

// newMachine makes the machine that the configuration asks for, and says in a
// line which it is and why.
func newMachine(c config.Config) (m vm.VM, why string, err error) {
	return machines.Open(c.Network(), machineOptions(c))
}

func machineOptions(c config.Config) machines.Options {
	return machines.Options{
		Device: machines.Device(c.Device), Kind: machines.Kind(c.Machine),
		Listing: c.Train.UpdateOrder == "listing",
		Batch:   c.Train.Batch, Runs: c.Train.Runs.Count,
	}
}
