package interpret_test

import (
	"testing"

	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/vmtest"
)

func newVM(n model.Network, listing bool) (vm.VM, error) {
	return interpret.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}})
}

func TestConformance(t *testing.T) { vmtest.Run(t, newVM, vmtest.Options{}) }

// BenchmarkTrain times training steps of the textbook's network, per sample.
func BenchmarkTrain(b *testing.B) { vmtest.BenchmarkTrain(b, newVM) }

func TestAbandonedStep(t *testing.T) { vmtest.Abandoned(t, newVM) }
