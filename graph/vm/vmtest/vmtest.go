// Package vmtest is the conformance suite of the machines: one suite, run
// against every vm.VM. It compares with reference runs that were made outside
// of this program (testdata: float64 NumPy), with package delta's equations,
// and with the machine itself where that must not matter: the cut of a pass
// into passes, a second run, what was evaluated meanwhile.
package vmtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Options say what a machine is not expected to do. What is left out is
// skipped by name and so shows in the test's output.
type Options struct {
	Precisions []model.Precision // what the machine computes in; nil: both
	Skip       map[string]string // reference case → why this machine does not run it
}

// New makes a machine for a network. With listing, its steps are in the
// listing's update order.
type New func(n model.Network, listing bool) (vm.VM, error)

// Run runs the suite against the machines that newVM makes, and closes them.
func Run(t *testing.T, newVM New, options Options) {
	precisions := options.Precisions
	if precisions == nil {
		precisions = []model.Precision{model.Float32, model.Float64}
	}
	for _, precision := range precisions {
		t.Run(precision.String(), func(t *testing.T) {
			s := suite{newVM: newVM, options: options, precision: precision}
			t.Run("Reference", s.reference)
			t.Run("Gradients", s.gradients)
			t.Run("GradientsChangeNothing", s.gradientsChangeNothing)
			t.Run("Order", s.order)
			t.Run("SplitPass", s.splitPass)
			t.Run("Extremes", s.extremes)
			t.Run("Evaluate", s.evaluate)
			t.Run("Snapshot", s.snapshot)
			t.Run("Predict", s.predict)
			t.Run("Repeatable", s.repeatable)
			t.Run("Describe", s.describe)
			t.Run("Parameters", s.parameters)
			t.Run("Progress", s.progress)
			t.Run("Cancel", s.cancel)
			t.Run("NonFinite", s.nonFinite)
			t.Run("Refuses", s.refuses)
		})
	}
}

type suite struct {
	newVM     New
	options   Options
	precision model.Precision
}

// network returns a network in the suite's precision.
func (s suite) network(bias bool, layers ...int) model.Network {
	return model.Network{Layers: layers, Bias: bias, Precision: s.precision}
}

// machine makes a machine for n that is closed with the test. With p not nil
// it has these parameters.
func (s suite) machine(t *testing.T, n model.Network, p model.Parameters) vm.VM {
	t.Helper()
	return s.machineOf(t, n, p, false)
}

func (s suite) machineOf(t *testing.T, n model.Network, p model.Parameters, listing bool) vm.VM {
	t.Helper()
	m, err := s.newVM(n, listing)
	if err != nil {
		t.Fatalf("new machine for %v: %v", n, err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	if p != nil {
		must(t, m.SetParameters(p))
	}
	return m
}

// networks are the shapes that the property tests run on: the textbook's, one
// without a hidden layer, and sizes that are no multiple of a vector's length.
func (s suite) networks() []model.Network {
	tanh := s.network(true, 9, 7, 5, 3)
	tanh.Activation = model.Tanh
	if testing.Short() { // also under the race detector: the shapes without the size
		return []model.Network{s.network(true, 35, 17, 33, 2), s.network(false, 1, 1, 1), tanh}
	}
	return []model.Network{
		s.network(false, 784, 50, 10),
		s.network(true, 784, 50, 10),
		s.network(true, 16, 4),
		s.network(true, 6, 5, 4, 3),
		s.network(false, 1, 1, 1),
		s.network(true, 35, 17, 33, 2),
		tanh,
	}
}

// parameters draws parameters with biases that are not zero.
func randomParameters(n model.Network, seed uint64) model.Parameters {
	random := data.Stream(seed, "vmtest parameters", 0)
	p := model.Normal(n, 0.3, random)
	for _, l := range p {
		for i := range l.Bias {
			l.Bias[i] = 0.3 * random.NormFloat64()
		}
	}
	p.Round(n.Precision)
	return p
}

// randomSet draws a set that fits n, about a fifth of its pixels not zero, as
// in MNIST.
func randomSet(n model.Network, samples int, seed uint64) *data.Set {
	random := data.Stream(seed, "vmtest set", 0)
	set := &data.Set{Name: "random", Rows: 1, Cols: n.Inputs(), Classes: n.Outputs(),
		Pixels: make([]uint8, samples*n.Inputs()), Labels: make([]uint8, samples)}
	for i := range set.Pixels {
		if random.IntN(5) == 0 {
			set.Pixels[i] = uint8(1 + random.IntN(255))
		}
	}
	for i := range set.Labels {
		set.Labels[i] = uint8(random.IntN(set.Classes))
	}
	return set
}

func train(t *testing.T, m vm.VM, p vm.Pass) {
	t.Helper()
	must(t, m.Train(context.Background(), p))
}

func parametersOf(t *testing.T, m vm.VM) model.Parameters {
	t.Helper()
	p, err := m.Parameters()
	must(t, err)
	return p
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// same fails unless got and want hold the same bits.
func same(t *testing.T, what string, got, want model.Parameters) {
	t.Helper()
	near(t, what, got, want, 0)
}

// near fails unless each tensor of got is that of want, within bound times
// the tensor's largest magnitude.
func near(t *testing.T, what string, got, want model.Parameters, bound float64) {
	t.Helper()
	values := map[string][]float64{}
	got.Tensors(func(name string, _ []int, v []float64) { values[name] = v })
	want.Tensors(func(name string, _ []int, w []float64) {
		nearValues(t, what+": "+name, values[name], w, bound)
		delete(values, name)
	})
	for name := range values {
		t.Errorf("%s: %s should not be there", what, name)
	}
}

// nearValues fails unless |got − want| ≤ bound · max|want| for all elements.
func nearValues(t *testing.T, what string, got, want []float64, bound float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	largest := 0.0
	for _, v := range want {
		largest = max(largest, math.Abs(v))
	}
	worst, at := 0.0, -1
	for i, v := range want {
		d := math.Abs(got[i] - v)
		if math.IsNaN(d) || d > worst {
			worst, at = d, i
		}
		if math.IsNaN(d) {
			break
		}
	}
	if at >= 0 && !(worst <= bound*largest) {
		t.Errorf("%s: element %d is %v, want %v: %.3g of the largest magnitude, at most %.3g",
			what, at, got[at], want[at], worst/largest, bound)
	}
}

// order: a pass over an order is the pass over the set so ordered.
func (s suite) order(t *testing.T) {
	for _, n := range s.networks() {
		for _, batch := range []int{1, 4} {
			t.Run(fmt.Sprintf("%v batch %d", n, batch), func(t *testing.T) {
				set := randomSet(n, 11, 1)
				order := []int32{10, 3, 3, 0, 7, 1, 9} // with one twice, and some not at all
				ordered := randomSet(n, len(order), 2)
				for k, i := range order {
					copy(ordered.Image(k), set.Image(int(i)))
					ordered.Labels[k] = set.Labels[i]
				}
				p := randomParameters(n, 3)
				a, b := s.machine(t, n, p), s.machine(t, n, p)
				train(t, a, vm.Pass{Set: set, Order: order, Batch: batch, Rate: 0.5})
				train(t, b, vm.Pass{Set: ordered, Batch: batch, Rate: 0.5})
				same(t, "ordered pass", parametersOf(t, a), parametersOf(t, b))
			})
		}
	}
}

// splitPass: a pass cut in two at a batch's end is the whole pass, the ragged
// last batch included, with an evaluation and a prediction between the two.
func (s suite) splitPass(t *testing.T) {
	for _, n := range s.networks() {
		for _, batch := range []int{1, 3, 8} {
			t.Run(fmt.Sprintf("%v batch %d", n, batch), func(t *testing.T) {
				set := randomSet(n, 2*batch+batch/2, 4)
				p := randomParameters(n, 5)
				whole, halves := s.machine(t, n, p), s.machine(t, n, p)
				costs := make([]float64, vm.Pass{Set: set, Batch: batch}.Steps())
				train(t, whole, vm.Pass{Set: set, Batch: batch, Rate: 0.5, Costs: costs})

				first, second := set.Slice(0, batch), set.Slice(batch, set.Len())
				got := make([]float64, len(costs))
				train(t, halves, vm.Pass{Set: first, Batch: batch, Rate: 0.5, Costs: got[:1]})
				_, err := halves.Evaluate(context.Background(), set)
				must(t, err)
				_, err = halves.Predict(make([]float64, 2*n.Inputs()))
				must(t, err)
				train(t, halves, vm.Pass{Set: second, Batch: batch, Rate: 0.5, Costs: got[1:]})
				same(t, "two passes", parametersOf(t, halves), parametersOf(t, whole))
				nearValues(t, "costs", got, costs, 0)
			})
		}
	}
}

// repeatable: the same pass from the same parameters gives the same bits.
func (s suite) repeatable(t *testing.T) {
	n := s.network(true, 784, 50, 10)
	set := randomSet(n, 70, 6)
	for _, batch := range []int{1, 32} {
		var first model.Parameters
		for range 2 {
			m := s.machine(t, n, randomParameters(n, 7))
			train(t, m, vm.Pass{Set: set, Batch: batch, Rate: 0.5})
			p := parametersOf(t, m)
			if first == nil {
				first = p
			}
			same(t, fmt.Sprintf("second run, batch %d", batch), p, first)
		}
	}
}

// parameters: what is set is what is read, rounded; the machine keeps copies.
func (s suite) parameters(t *testing.T) {
	for _, n := range s.networks() {
		p := randomParameters(n, 8)
		p[0].Weight[0] = math.Pi // no float32
		m := s.machine(t, n, p)
		want := p.Clone()
		want.Round(n.Precision)
		same(t, n.String(), parametersOf(t, m), want)

		p[0].Weight[0] = 7
		parametersOf(t, m)[0].Weight[0] = 8
		same(t, n.String()+", after the caller's copies changed", parametersOf(t, m), want)
		if m.Network().String() != n.String() {
			t.Errorf("machine for %v says that it is for %v", n, m.Network())
		}
	}
}

// describe: a line for each batch size, which changes nothing; no line for a
// size that no step can have.
func (s suite) describe(t *testing.T) {
	n := s.network(true, 16, 4)
	p := randomParameters(n, 11)
	m := s.machine(t, n, p)
	for _, batch := range []int{1, 7, 128} {
		if text, err := m.Describe(batch); err != nil || text == "" || strings.ContainsAny(text, "\n\r") {
			t.Errorf("batch %d: %q, %v; want a line", batch, text, err)
		}
	}
	if text, err := m.Describe(0); err == nil || text != "" {
		t.Errorf("batch 0: %q, %v; want an error", text, err)
	}
	same(t, "after it was described", parametersOf(t, m), p)
	if name := m.Name(); name == "" || strings.ContainsAny(name, " \n") {
		t.Errorf("the machine's name is %q, want a word", name)
	}
}

// progress: counts rise, and end at the number of samples.
func (s suite) progress(t *testing.T) {
	n := s.network(true, 16, 4)
	m := s.machine(t, n, randomParameters(n, 9))
	var seen []int
	train(t, m, vm.Pass{Set: randomSet(n, 23, 10), Batch: 5, Rate: 0.1, Progress: func(done int) { seen = append(seen, done) }})
	for i, done := range seen {
		if done < 1 || i > 0 && done < seen[i-1] {
			t.Fatalf("progress %v does not rise", seen)
		}
	}
	if len(seen) == 0 || seen[len(seen)-1] != 23 {
		t.Errorf("progress %v, want 23 at last", seen)
	}
}

// cancel: a pass that is cancelled ends with the context's error and whole
// steps only.
func (s suite) cancel(t *testing.T) {
	n := s.network(true, 16, 4)
	p := randomParameters(n, 11)
	const samples, batch = 20000, 2
	set := randomSet(n, samples, 12)
	m := s.machine(t, n, p)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	err := m.Train(ctx, vm.Pass{Set: set, Batch: batch, Rate: 0.1, Progress: func(int) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled pass: %v, want %v", err, context.Canceled)
	}
	if stepsTo(t, s.machine(t, n, p), vm.Pass{Set: set, Batch: batch, Rate: 0.1}, parametersOf(t, m)) == 0 {
		t.Error("the pass reported progress, and made no step")
	}
}

// stepsTo returns how many steps of a pass lead m to the parameters p.
func stepsTo(t *testing.T, m vm.VM, pass vm.Pass, p model.Parameters) int {
	t.Helper()
	for step := 0; ; step++ {
		if equal(parametersOf(t, m), p) {
			return step
		}
		if (step+1)*pass.Batch > pass.Set.Len() {
			t.Fatal("no number of whole steps leads to the parameters after the cancelled pass")
		}
		next := pass
		next.Set = pass.Set.Slice(step*pass.Batch, (step+1)*pass.Batch)
		train(t, m, next)
	}
}

func equal(a, b model.Parameters) bool {
	same := true
	for i := range a {
		for j, v := range a[i].Weight {
			same = same && v == b[i].Weight[j]
		}
		for j, v := range a[i].Bias {
			same = same && v == b[i].Bias[j]
		}
	}
	return same
}

// nonFinite: weights driven out of the type's range stop the pass at that
// step, by name.
//
// Sigmoids saturate before anything overflows, so it takes a construction:
// 4-2-1 with W^3 = (1000, −1000). An image of pixel 0 sees W^2 = (1000, −1000),
// so a^2 = (1, 0), a^3 = σ(1000) = 1 = y, and every δ is 0: nothing changes.
// An image of pixel 1 sees W^2 = 0, so a^2 = (½, ½), z^3 = 0, δ^3 = −1/8 and
// δ^2 = ∓1000/32: times the largest η that is finite, it is not.
func (s suite) nonFinite(t *testing.T) {
	n, p, set, rate := s.overflow()
	for _, batch := range []int{1, 2} {
		m := s.machine(t, n, p)
		same(t, "parameters", parametersOf(t, m), p)
		err := m.Train(context.Background(), vm.Pass{Set: set, Batch: batch, Rate: rate})
		var bad *vm.NonFiniteError
		if !errors.As(err, &bad) {
			t.Fatalf("batch %d: weights out of range: %v, want a NonFiniteError", batch, err)
		}
		if want := (vm.NonFiniteError{Tensor: "layers.0.weight", Step: 4 / batch}); *bad != want {
			t.Errorf("batch %d: %+v, want %+v", batch, *bad, want)
		}
	}
}

// overflow returns the construction of nonFinite: the fifth sample of the set
// takes the parameters out of the type's range.
func (s suite) overflow() (n model.Network, p model.Parameters, set *data.Set, rate float64) {
	n = s.network(false, 4, 2, 1)
	p = model.NewParameters(n)
	p[0].Weight[0], p[0].Weight[4] = 1000, -1000
	p[1].Weight[0], p[1].Weight[1] = 1000, -1000
	set = &data.Set{Name: "overflow", Rows: 2, Cols: 2, Classes: 1, Pixels: make([]uint8, 8*4), Labels: make([]uint8, 8)}
	for i := range 8 {
		set.Image(i)[i/4] = 255
	}
	if s.precision == model.Float32 {
		return n, p, set, math.MaxFloat32
	}
	return n, p, set, math.MaxFloat64
}

// refuses: what does not fit the network is an error, and changes nothing.
func (s suite) refuses(t *testing.T) {
	n := s.network(true, 16, 5, 4)
	p := randomParameters(n, 15)
	m := s.machine(t, n, p)
	fits := randomSet(n, 6, 16)
	wide := randomSet(s.network(true, 17, 4), 6, 17)
	many := randomSet(s.network(true, 16, 5), 6, 18)
	pass := func(p vm.Pass) error { return m.Train(context.Background(), p) }
	short := p.Clone()
	short[1].Weight = short[1].Weight[1:]
	noBias := p.Clone()
	noBias[0].Bias = nil
	_, evaluate := m.Evaluate(context.Background(), wide)
	_, predict := m.Predict(make([]float64, 17))
	_, _, gradients := m.Gradients(make([]float64, 32), make([]float64, 4))
	for what, err := range map[string]error{
		"set of 17 pixels":        pass(vm.Pass{Set: wide, Batch: 1, Rate: 0.1}),
		"set of 5 classes":        pass(vm.Pass{Set: many, Batch: 1, Rate: 0.1}),
		"batch of 0":              pass(vm.Pass{Set: fits, Batch: 0, Rate: 0.1}),
		"sample 6 of 6":           pass(vm.Pass{Set: fits, Batch: 1, Rate: 0.1, Order: []int32{6}}),
		"sample −1":               pass(vm.Pass{Set: fits, Batch: 1, Rate: 0.1, Order: []int32{-1}}),
		"room for 5 of 6 costs":   pass(vm.Pass{Set: fits, Batch: 1, Rate: 0.1, Costs: make([]float64, 5)}),
		"load of 17 pixels":       m.Load(wide),
		"evaluation of 17 pixels": evaluate,
		"prediction of 17 pixels": predict,
		"one target for two":      gradients,
		"parameters of one layer": m.SetParameters(p[:1]),
		"parameters without bias": m.SetParameters(noBias),
		"parameters that are few": m.SetParameters(short),
		"network without a layer": second(s.newVM(s.network(true, 16), false)),
		"network with no nodes":   second(s.newVM(s.network(true, 16, 0, 4), false)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	same(t, "after all of it", parametersOf(t, m), p)
}

func second[A any](_ A, err error) error { return err }

// uniform draws n numbers between from and to, rounded to the precision.
func (s suite) uniform(random *rand.Rand, n int, from, to float64) []float64 {
	v := make([]float64, n)
	for i := range v {
		v[i] = from + (to-from)*random.Float64()
		if s.precision == model.Float32 {
			v[i] = float64(float32(v[i]))
		}
	}
	return v
}
