package cpu_test

import (
	"testing"

	"trainer/graph"
	"trainer/graph/lower"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/cpu/kernel"
	"trainer/graph/vm/vmtest"
)

// with returns a maker of machines with some options.
func with(o cpu.Options) vmtest.New {
	return func(n graph.Network, listing bool) (vm.VM, error) {
		return cpu.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}}, o)
	}
}

func TestConformance(t *testing.T) {
	for _, k := range kernel.Float32() {
		t.Run(k.Name, func(t *testing.T) {
			vmtest.Run(t, with(cpu.Options{Kernels: k.Name}), vmtest.Options{})
		})
	}
	if testing.Short() {
		return
	}
	t.Run("one core", func(t *testing.T) { vmtest.Run(t, with(cpu.Options{Cores: 1}), vmtest.Options{}) })
	t.Run("three cores", func(t *testing.T) { vmtest.Run(t, with(cpu.Options{Cores: 3}), vmtest.Options{}) })
}

// BenchmarkTrain is a training step of the textbook's network, per sample.
func BenchmarkTrain(b *testing.B) { vmtest.BenchmarkTrain(b, with(cpu.Options{})) }

// BenchmarkTrainOneCore is the same on one core.
func BenchmarkTrainOneCore(b *testing.B) { vmtest.BenchmarkTrain(b, with(cpu.Options{Cores: 1})) }

// BenchmarkEvaluate is a forward pass of the textbook's network, per sample.
func BenchmarkEvaluate(b *testing.B) { vmtest.BenchmarkEvaluate(b, with(cpu.Options{})) }
