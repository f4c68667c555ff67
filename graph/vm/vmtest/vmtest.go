// Package vmtest is the conformance suite of the machines. Every vm.VM runs the same
// suite. It compares a machine with reference runs that were made outside of this
// program (testdata, from float64 NumPy), with the equations of package delta, and
// with itself under changes that must not matter: a pass is split into several, a
// run is repeated, an evaluation comes in between.
package vmtest

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Options declares what a machine is not expected to do. The suite skips it by name,
// so the output of the test shows it.
type Options struct {
	Precisions []model.Precision // the precisions of the machine; nil: both
	Skip       map[string]string // reference case → why this machine does not run it

	// Split is how much a pass of single samples in float32 may differ if it is split
	// where the machine would not have stopped, relative to the largest magnitude. 0 is
	// not at all.
	Split float64
}

// New makes a machine for a network. With listing, the machine uses the update order
// of the listing.
type New func(n model.Network, listing bool) (vm.VM, error)

// Run runs the suite with machines that newVM makes. It closes them.
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
			t.Run("Unload", s.unload)
			t.Run("Predict", s.predict)
			t.Run("Repeatable", s.repeatable)
			t.Run("Describe", s.describe)
			t.Run("Parameters", s.parameters)
			t.Run("Progress", s.progress)
			t.Run("Parts", s.parts)
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

// machine returns a machine for n, which is closed at the end of the test. If p is
// not nil, the machine has these parameters.
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

// networks returns the networks of the property tests: the textbook's, one without a
// hidden layer, and sizes that are not multiples of the length of a vector.
func (s suite) networks() []model.Network {
	tanh := s.network(true, 9, 7, 5, 3)
	tanh.Activation = model.Tanh
	if testing.Short() { // also under the race detector: the same shapes, but small
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

// randomParameters draws parameters with biases that are not zero.
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

// randomSet draws a set that fits n. About a fifth of its pixels are not zero, as in
// MNIST.
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

// near fails unless each tensor of got equals that of want, within bound times the
// largest magnitude of the tensor.
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

// order: a pass with an order gives the same as a pass over a set in that order.
func (s suite) order(t *testing.T) {
	for _, n := range s.networks() {
		for _, batch := range []int{1, 4} {
			t.Run(fmt.Sprintf("%v batch %d", n, batch), func(t *testing.T) {
				set := randomSet(n, 11, 1)
				order := []int32{10, 3, 3, 0, 7, 1, 9} // one sample twice, and some not at all
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

// splitPass: two passes, split at the end of a batch, give the same as the whole pass,
// but for Options.Split, with a ragged last batch, and with an evaluation and a prediction between the two.
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
				bound := 0.0
				if batch == 1 && n.Precision == model.Float32 {
					bound = s.options.Split
				}
				near(t, "two passes", parametersOf(t, halves), parametersOf(t, whole), bound)
				nearValues(t, "costs", got, costs, bound)
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

// parameters: the parameters that are set, rounded, are those that are read. The
// machine keeps copies.
func (s suite) parameters(t *testing.T) {
	for _, n := range s.networks() {
		p := randomParameters(n, 8)
		p[0].Weight[0] = math.Pi // not a float32
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
		if text, err := m.Describe(batch); err != nil || text.IsZero() || strings.ContainsAny(text.En+text.Zh, "\n\r") {
			t.Errorf("batch %d: %q, %v; want a line", batch, text, err)
		}
	}
	if text, err := m.Describe(0); err == nil || !text.IsZero() {
		t.Errorf("batch 0: %q, %v; want an error", text, err)
	}
	same(t, "after it was described", parametersOf(t, m), p)
	if name := m.Name(); name == "" || strings.ContainsAny(name, " \n") {
		t.Errorf("the machine's name is %q, want a word", name)
	}
}

// progress: the counts do not fall, and the last is the number of samples.
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
		t.Errorf("progress %v, want 23 at the end", seen)
	}
}

// cancel: a cancelled pass returns the error of the context and has made whole steps
// only.
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
		t.Error("the pass reported progress but made no step")
	}
}

// parts: a pass that is cancelled, and goes on with the parameters on another machine
// from the sample that the last report of progress names, gives the same bits as one
// that is not.
func (s suite) parts(t *testing.T) {
	n := s.network(true, 49, 20, 10) // a smaller one forgets a difference
	p := randomParameters(n, 13)
	const samples = 8_603 // the CPU looks after 8192
	set := randomSet(n, samples, 14)
	for _, batch := range []int{1, 32} {
		pass := vm.Pass{Set: set, Order: data.Shuffled(samples, 1, 1), Batch: batch, Rate: 0.1}
		whole := s.machine(t, n, p)
		train(t, whole, pass)
		now, done := p, 0
		for stops := 1; done < samples; stops++ {
			m := s.machine(t, n, now)
			ctx, cancel := context.WithCancel(context.Background())
			part := pass
			part.Order = pass.Order[done:]
			from := done
			part.Progress = func(d int) {
				done = from + d
				if stops < 4 && d > 500*stops {
					cancel()
				}
			}
			err := m.Train(ctx, part)
			cancel()
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			now = parametersOf(t, m)
		}
		same(t, fmt.Sprintf("in parts, batch %d", batch), now, parametersOf(t, whole))
	}
}

// stepsTo returns the number of steps of a pass after which m has the parameters p.
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

// nonFinite: if weights leave the range of the element type, the pass stops at that
// step and names the tensor. With other parameters the machine is then as a new one: it
// keeps no value that is not finite where no parameter is, as in the padding of a row.
func (s suite) nonFinite(t *testing.T) {
	for _, layers := range [][]int{{4, 2, 1}, {4, 2, 2, 1}} {
		n, p, set, rate := s.overflow(layers)
		for _, batch := range []int{1, 2} {
			m := s.machine(t, n, p)
			same(t, "parameters", parametersOf(t, m), p)
			err := m.Train(context.Background(), vm.Pass{Set: set, Batch: batch, Rate: rate})
			var bad *vm.NonFiniteError
			if !errors.As(err, &bad) {
				t.Fatalf("%v, batch %d: weights out of range: %v, want a NonFiniteError", n, batch, err)
			}
			if want := (vm.NonFiniteError{Tensor: "layers.0.weight", Step: 4 / batch}); *bad != want {
				t.Errorf("%v, batch %d: %+v, want %+v", n, batch, *bad, want)
			}
			start := randomParameters(n, 27)
			must(t, m.SetParameters(start))
			s.asNew(t, m, s.machine(t, n, start), set)
		}
	}
}

// asNew: both machines, which have the same parameters, give the same from here on.
func (s suite) asNew(t *testing.T, m, fresh vm.VM, set *data.Set) {
	t.Helper()
	x, y := batchOf(set, m.Network(), set.Len())
	for _, batch := range []int{1, 2, 3} {
		for what, of := range map[string]func(m vm.VM) (any, error){
			"score":       func(m vm.VM) (any, error) { return m.Evaluate(context.Background(), set) },
			"predictions": func(m vm.VM) (any, error) { return m.Predict(x) },
			"gradients":   func(m vm.VM) (any, error) { return third(m.Gradients(x, y)) },
		} {
			got, err := of(m)
			must(t, err)
			want, err := of(fresh)
			must(t, err)
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%v, batch %d: %s of a machine that failed: %v, want %v", m.Network(), batch, what, got, want)
			}
		}
		for _, m := range []vm.VM{m, fresh} {
			train(t, m, vm.Pass{Set: set, Batch: batch, Rate: 0.5})
		}
		same(t, "of a machine that failed", parametersOf(t, m), parametersOf(t, fresh))
	}
}

// third leaves out the first value.
func third[A, B any](_ A, b B, err error) (B, error) { return b, err }

// overflow returns a network of these layers, of which the hidden ones have two nodes and
// the last one has one, its parameters, a set and a rate. At the fifth sample of the set,
// a parameter leaves the range of the element type.
//
// Sigmoids saturate before anything overflows, so the case is constructed. The weights of a
// hidden layer are (1000, −1000) and the opposite, and those of the output (1000, −1000).
// For an image with only pixel 0, the weights of the pixel are (1000, −1000), so every a
// of a hidden layer is (1, 0), a^L = σ(1000) = 1 = y, every δ is 0, and nothing changes. For
// an image with only pixel 1 they are 0, so every a is (½, ½), z^L = 0, δ^L = −1/8, and the
// δ before it is ∓1000/32. Times the largest finite η, that is infinite.
func (s suite) overflow(layers []int) (n model.Network, p model.Parameters, set *data.Set, rate float64) {
	n = s.network(false, layers...)
	p = model.NewParameters(n)
	p[0].Weight[0], p[0].Weight[4] = 1000, -1000
	for l := 1; l < len(p); l++ {
		for k := range p[l].Weight {
			p[l].Weight[k] = 1000 * float64(1-2*((k+k/2)%2))
		}
	}
	set = &data.Set{Name: "overflow", Rows: 2, Cols: 2, Classes: 1, Pixels: make([]uint8, 8*4), Labels: make([]uint8, 8)}
	for i := range 8 {
		set.Image(i)[i/4] = 255
	}
	if s.precision == model.Float32 {
		return n, p, set, math.MaxFloat32
	}
	return n, p, set, math.MaxFloat64
}

// refuses: arguments that do not fit the network give an error and change nothing.
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
