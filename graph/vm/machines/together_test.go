package machines_test

import (
	"context"
	"sync"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
)

// TestTogether: machines of all kinds compile and train at the same time, as in a sweep.
// The race detector finds what they share.
func TestTogether(t *testing.T) {
	var all sync.WaitGroup
	for i := range 3 {
		for _, kind := range []machines.Kind{machines.Compiled, machines.Interpret, machines.Tape} {
			all.Go(func() {
				n := model.Network{Layers: []int{784, 3 + i, 10}, Bias: i != 1, Activation: model.Activation(i % 2)}
				m, _, err := machines.Open(n, machines.Options{Kind: kind, Device: machines.CPU})
				if err != nil {
					t.Error(err)
					return
				}
				defer func() { _ = m.Close() }()
				if err := m.SetParameters(model.Normal(n, 0.5, data.Stream(1, "together", 0))); err != nil {
					t.Error(err)
				}
				set := data.GenerateDigits(1, 20, 10).Train
				for _, batch := range []int{1, 3, 20} {
					if err := m.Train(context.Background(), vm.Pass{Set: set, Batch: batch, Rate: 0.1}); err != nil {
						t.Error(err)
					}
					if _, err := m.Evaluate(context.Background(), set); err != nil {
						t.Error(err)
					}
				}
			})
		}
	}
	all.Wait()
}
