package tape_test

import (
	"testing"

	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/tape"
	"trainer/graph/vm/vmtest"
)

func newVM(n model.Network, _ bool) (vm.VM, error) { return tape.New(n) }

func TestConformance(t *testing.T) {
	vmtest.Run(t, newVM, vmtest.Options{Skip: map[string]string{
		"textbook-listing": "the tape computes all gradients before it updates; the order of the listing needs a compiled program",
	}})
}

// BenchmarkTrain measures a training step of the textbook's network, per sample.
func BenchmarkTrain(b *testing.B) { vmtest.BenchmarkTrain(b, newVM) }

// BenchmarkEvaluate measures a forward pass of the textbook's network, per
// sample.
func BenchmarkEvaluate(b *testing.B) { vmtest.BenchmarkEvaluate(b, newVM) }

func TestAbandonedStep(t *testing.T) { vmtest.Abandoned(t, newVM) }
