package main

import (
	"fmt"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/graph/vm/machines/memory"
	"trainer/train/config"
)

// newMachine makes the machine that the configuration asks for, and says in a
// line which it is and why.
func newMachine(c config.Config) (m vm.VM, why lang.Text, err error) {
	if err := checkMemory(c, 0); err != nil {
		return nil, lang.Text{}, err
	}
	return machines.Open(c.Network(), machineOptions(c))
}

func machineOptions(c config.Config) machines.Options {
	return machines.Options{
		Device: machines.Device(c.Device), Kind: machines.Kind(c.Machine),
		Listing: c.Train.UpdateOrder == "listing",
		Batch:   c.Train.Batch, Runs: c.Train.Runs.Count,
	}
}

// checkMemory returns a usageError if the machine for the given sets, and more bytes,
// do not fit in memory.
func checkMemory(c config.Config, more int64, sets ...*data.Set) error {
	n := c.Network()
	need := more + machines.Memory(n, machineOptions(c), sets...)
	if err := memory.Check(need); err != nil {
		what := fmt.Sprintf("a network of %d weights and biases, batch %d", n.Size(), c.Train.Batch)
		if runs := c.Train.Runs.Count; runs > 1 {
			what += fmt.Sprintf(", %d runs", runs)
		}
		return usageError(fmt.Sprintf("%s, %v: use fewer or smaller layers (model.layers), a smaller batch (train.batch), or fewer runs (train.runs.count)", what, err))
	}
	return nil
}
