package serve

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"trainer/data"
	"trainer/data/digits"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
)

// network is that of the tests.
var network = model.Network{Layers: []int{784, 50, 10}, Bias: true}

func newMachine(n model.Network) func() (vm.VM, error) {
	return func() (vm.VM, error) {
		return cpu.New(n, lower.Compiler{Network: n}, cpu.Options{Cores: 1})
	}
}

// learned returns the parameters of a network that knows the built-in digits.
var learned = sync.OnceValues(func() (model.Parameters, error) {
	set := data.GenerateDigits(7, 6000, 0).Train
	m, err := newMachine(network)()
	if err != nil {
		return nil, err
	}
	if err := m.SetParameters(model.NormalLayers(network, model.FanInRule(network), data.Stream(1, "serve test", 0))); err != nil {
		return nil, err
	}
	for epoch := range 12 {
		pass := vm.Pass{Set: set, Order: data.Shuffled(set.Len(), 1, epoch), Batch: 1, Rate: 0.3}
		if err := m.Train(context.Background(), pass); err != nil {
			return nil, err
		}
	}
	p, err := m.Parameters()
	if err != nil {
		return nil, err
	}
	return p, m.Close()
})

// newPage makes a page of the learned network.
func newPage(t *testing.T, change func(*Options)) *Page {
	t.Helper()
	p, err := learned()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Name: "test", Network: network, Rows: 28, Cols: 28, Rate: 0.1, NewMachine: newMachine(network), Digits: true, Seed: 1}
	if change != nil {
		change(&o)
	}
	page, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := page.Close(); err != nil {
			t.Error(err)
		}
	})
	if o.Network.Inputs() == network.Inputs() {
		if err := page.SetParameters(p); err != nil {
			t.Fatal(err)
		}
	}
	return page
}

// written returns the strokes of the n-th built-in digit of a class, on the paper.
func written(digit, n int) []stroke {
	streams := func(purpose string, n uint64) *rand.Rand { return data.Stream(1, purpose, n) }
	for i := 0; ; i++ {
		lines, label := digits.Lines(streams, digits.Test, i)
		if int(label) != digit {
			continue
		}
		if n == 0 {
			return onPaper(lines)
		}
		n--
	}
}
