package cpu_test

import (
	"context"
	"math"
	"runtime"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/cpu/kernel"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/tape"
	"trainer/graph/vm/vmtest"
)

// with returns a vmtest.New that makes machines with these options.
func with(o cpu.Options) vmtest.New {
	return func(n model.Network, listing bool) (vm.VM, error) {
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

// TestDescribe: which kernels, and how many cores a pass uses.
func TestDescribe(t *testing.T) {
	n := model.Network{Layers: []int{4, 3}}
	for _, c := range []struct {
		cores, batch int
		want         string
	}{
		{3, 1, "compiled, pure Go kernels, one core"}, {3, 2, "compiled, pure Go kernels, at most 2 cores"},
		{3, 128, "compiled, pure Go kernels, at most 3 cores"}, {1, 128, "compiled, pure Go kernels, one core"},
	} {
		m, err := with(cpu.Options{Cores: c.cores, Kernels: "go"})(n, false)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Describe(c.batch); err != nil || got.En != c.want {
			t.Errorf("%d cores, batch %d: %q, %v; want %q", c.cores, c.batch, got, err, c.want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	// Without Options.Cores, a mini-batch that is too small to share stays on one core.
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	for batch, want := range map[int]string{10: "one core", 128: "at most 2 cores"} {
		m, err := with(cpu.Options{})(model.Network{Layers: []int{784, 50, 10}}, false)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := m.Describe(batch); err != nil || !strings.HasSuffix(got.En, want) {
			t.Errorf("batch %d: %q, %v; want %s", batch, got, err, want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
	for _, k := range kernel.Float32() {
		m, err := with(cpu.Options{Kernels: k.Name})(n, false)
		if err != nil {
			t.Fatal(err)
		}
		if text, err := m.Describe(1); err != nil || strings.Contains(text.En, ",  ") {
			t.Errorf("kernels %s have no name for people: %q, %v", k.Name, text, err)
		}
	}
}

// TestExact: a mini-batch in float32 is as exact as the definition, on any kernels.
func TestExact(t *testing.T) {
	most := 60_000
	for _, k := range kernel.Float32() {
		t.Run(k.Name, func(t *testing.T) { vmtest.Exact(t, with(cpu.Options{Kernels: k.Name}), definition, most) })
		most = 1000 // what is left differs in the kernels only
	}
}

func definition(n model.Network, listing bool) (vm.VM, error) {
	return interpret.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}})
}

// TestRandomNetworksAgainstTape: the compiled program and Gorgonia's own machine give
// the same gradients, and the same weights after many steps, for random networks. The
// two share the expression graph and nothing else.
func TestRandomNetworksAgainstTape(t *testing.T) {
	random := data.Stream(1, "random networks", 0)
	for range 12 {
		n := model.Network{Layers: []int{1 + random.IntN(40)}, Bias: random.IntN(2) == 0, Activation: model.Activation(random.IntN(2)), Precision: model.Float64}
		for range 1 + random.IntN(3) {
			n.Layers = append(n.Layers, 1+random.IntN(40))
		}
		batch := 1 + random.IntN(7)
		set := &data.Set{Name: "random", Rows: 1, Cols: n.Inputs(), Classes: n.Outputs(), Pixels: make([]uint8, 60*n.Inputs()), Labels: make([]uint8, 60)}
		for i := range set.Pixels {
			set.Pixels[i] = uint8(random.IntN(256) * random.IntN(2))
		}
		x, y := make([]float64, batch*n.Inputs()), make([]float64, batch*n.Outputs())
		for i := range x {
			x[i] = random.Float64()
		}
		for i := range y {
			y[i] = random.Float64()
		}
		for i := range set.Labels {
			set.Labels[i] = uint8(random.IntN(n.Outputs()))
		}
		p := model.Normal(n, 0.3, random)
		compiled, err := with(cpu.Options{})(n, false)
		if err != nil {
			t.Fatal(err)
		}
		witness, err := tape.New(n)
		if err != nil {
			t.Fatal(err)
		}
		var gradients, after [2]model.Parameters
		for i, m := range []vm.VM{compiled, witness} {
			if err := m.SetParameters(p); err != nil {
				t.Fatal(err)
			}
			if _, gradients[i], err = m.Gradients(x, y); err != nil {
				t.Fatal(err)
			}
			if err := m.Train(context.Background(), vm.Pass{Set: set, Batch: batch, Rate: 0.1}); err != nil {
				t.Fatal(err)
			}
			if after[i], err = m.Parameters(); err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
		// Sums of 40 terms have 40 roundings of 2^-53, in at most 60 steps.
		for what, pair := range map[string][2]model.Parameters{"gradient": gradients, "weights": after} {
			var values []float64
			pair[1].Tensors(func(_ string, _ []int, v []float64) { values = append(values, v...) })
			k := 0
			pair[0].Tensors(func(name string, _ []int, v []float64) {
				for i, got := range v {
					if want := values[k]; math.Abs(got-want) > 1e-12 {
						t.Fatalf("%v, batch %d: %s %s[%d] is %v, on the tape %v", n, batch, what, name, i, got, want)
					}
					k++
				}
			})
		}
	}
}

// BenchmarkTrain times training steps of the textbook's network, per sample.
func BenchmarkTrain(b *testing.B) { vmtest.BenchmarkTrain(b, with(cpu.Options{})) }

// BenchmarkTrainOneCore is the same on one core.
func BenchmarkTrainOneCore(b *testing.B) { vmtest.BenchmarkTrain(b, with(cpu.Options{Cores: 1})) }

// BenchmarkEvaluate times the forward pass of the textbook's network, per sample.
func BenchmarkEvaluate(b *testing.B) { vmtest.BenchmarkEvaluate(b, with(cpu.Options{})) }
