package cpu

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu/kernel"
)

// TestSplit: steps with split rows give the same bits as without, and the parameters are
// back in the machine's state whenever somebody reads them.
func TestSplit(t *testing.T) {
	for _, layers := range [][]int{{100, 50, 10}, {100, 34, 17, 10}} {
		for _, bias := range []bool{true, false} {
			if testing.Short() && bias != (len(layers) == 3) {
				continue
			}
			t.Run(fmt.Sprintf("%v/%v/float32", layers, bias), func(t *testing.T) {
				testSplit(t, model.Network{Layers: layers, Bias: bias}, kernel.Float32())
			})
			t.Run(fmt.Sprintf("%v/%v/float64", layers, bias), func(t *testing.T) {
				testSplit(t, model.Network{Layers: layers, Bias: bias, Precision: model.Float64}, kernel.Float64())
			})
		}
	}
}

func testSplit[T kernel.Float](t *testing.T, n model.Network, sets []kernel.Set[T]) {
	sparse, dense := randomSet(101, 100, 0.2), randomSet(31, 100, 1)
	x := make([]float64, 100)
	data.Input(x, sparse, 0)
	y := make([]float64, n.Outputs())
	y[1] = 1
	for _, set := range sets {
		var used [2]bool // by steps, by evaluations
		results := func(columns int) (all []any) {
			v, err := newMachine(n, compiler(n), Options{}, []kernel.Set[T]{set})
			if err != nil {
				t.Fatal(err)
			}
			m := v.(*machine[T])
			m.kernel.SplitCols = columns
			m.evaluator = newEvaluator(m, m.state)
			if err := m.SetParameters(parameters(n)); err != nil {
				t.Fatal(err)
			}
			note := func(more ...any) {
				p, err := m.Parameters()
				if err != nil {
					t.Fatal(err)
				}
				all = append(append(all, p), more...)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			passes := []struct {
				ctx context.Context
				vm.Pass
				fails error
			}{
				{t.Context(), vm.Pass{Set: sparse, Batch: 1, Rate: 0.3}, nil},
				{t.Context(), vm.Pass{Set: sparse, Batch: 1, Rate: 0.3, Costs: make([]float64, 101)}, nil},
				{t.Context(), vm.Pass{Set: sparse, Batch: 10, Rate: 0.3}, nil}, // the last step has one sample
				{t.Context(), vm.Pass{Set: dense, Batch: 1, Rate: 0.3}, nil},
				{ctx, vm.Pass{Set: sparse, Batch: 1, Rate: 0.3, Progress: func(int) { cancel() }}, nil},
				{ctx, vm.Pass{Set: sparse, Batch: 1, Rate: 0.3}, context.Canceled},
				{t.Context(), vm.Pass{Set: sparse, Batch: 1, Rate: math.MaxFloat64}, &vm.NonFiniteError{}},
			}
			if n.Precision == model.Float64 {
				passes = passes[:len(passes)-1] // this rate is infinite in float32 only
			}
			for _, pass := range passes {
				err := m.Train(pass.ctx, pass.Pass)
				if pass.fails == nil && err != nil || pass.fails != nil && err == nil {
					t.Fatalf("%+v: %v, want %v", pass, err, pass.fails)
				}
				var bad *vm.NonFiniteError
				if errors.As(err, &bad) {
					all = append(all, *bad)
					if err := m.SetParameters(parameters(n)); err != nil {
						t.Fatal(err)
					}
				}
				cost, gradients, err := m.Gradients(x, y)
				if err != nil {
					t.Fatal(err)
				}
				score, err := m.Evaluate(t.Context(), sparse)
				if err != nil {
					t.Fatal(err)
				}
				note(pass.Costs, cost, gradients, score)
			}
			used = [2]bool{len(m.steps[1].splits) > 0, len(m.evaluator.worker(0).plan.splits) > 0}
			if len(m.steps[10].splits) > 0 {
				t.Error("mini-batches have split rows, and update whole ones")
			}
			return all
		}
		want := results(0)
		if used != [2]bool{} {
			t.Fatal("rows are split that should not be")
		}
		got := results(set.SplitCols)
		for i := range want {
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("%s: result %d (%T) has other bits with split rows", set.Name, i, want[i])
			}
		}
		if used != [2]bool{true, true} {
			t.Errorf("%s: rows are split by steps and evaluations: %v", set.Name, used)
		}
	}
}

// TestInputRows: inputs that come from no image are sparse rows, and dense ones if they
// have more different values than a table.
func TestInputRows(t *testing.T) {
	n := model.Network{Layers: []int{784, 50, 10}, Precision: model.Float64}
	m, err := New(n, compiler(n), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetParameters(parameters(n)); err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float64, 90*784)
	for i := range x {
		x[i] = rng.Float64()
	}
	x[5], x[6], x[7] = 0, -1, 1e-300
	if s := inputRows[float64](x[:80*784], 784); s.dense != nil || len(s.entry) != 80*784-1 {
		t.Error("80 samples are not sparse")
	}
	if s := inputRows[float64](x, 784); s.dense == nil {
		t.Error("90 samples with 70,000 different values are not dense")
	}
	few := slices.Clone(x)
	for i, v := range few {
		few[i] = math.Round(8 * v)
	}
	s := inputRows[float64](few, 784)
	if s.dense != nil {
		t.Error("90 samples with 9 different values are not sparse")
	}
	for i := range 90 {
		for k := s.start[i]; k < s.start[i+1]; k++ {
			if v := few[i*784+int(uint16(s.entry[k]))]; v == 0 || s.table[s.entry[k]>>16] != v {
				t.Fatalf("sample %d: entry %d is not %v", i, k, v)
			}
		}
	}
	all, err := m.Predict(x)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(x); i += 784 {
		one, err := m.Predict(x[i : i+784])
		if err != nil {
			t.Fatal(err)
		}
		for k, v := range one {
			if w := all[i/784*10+k]; math.Abs(v-w) > 1e-12 {
				t.Fatalf("sample %d, output %d: %v alone, %v with others", i/784, k, v, w)
			}
		}
	}
}
