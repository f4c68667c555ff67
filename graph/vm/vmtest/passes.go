package vmtest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/gradcheck"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// epsilon returns the unit roundoff of the suite's precision.
func (s suite) epsilon() float64 {
	if s.precision == model.Float32 {
		return 0x1p-24
	}
	return 0x1p-53
}

// gradients: Gradients agrees with package delta at every parameter, and with central
// differences. These are of package delta's cost, so they are the same for each machine,
// and most of the time goes into them: all of them are taken for the smallest networks
// only.
func (s suite) gradients(t *testing.T) {
	for _, n := range s.networks() {
		t.Run(n.String(), func(t *testing.T) {
			report, err := gradcheck.Check(s.machine(t, n, nil), gradcheck.Options{Seed: 1, Small: 150})
			must(t, err)
			if !report.OK() {
				must(t, report.Text(t.Output(), lang.English))
				t.Error("the gradients differ")
			}
		})
	}
}

// gradientsChangeNothing: Gradients does not change the parameters, and a second call
// gives the same.
func (s suite) gradientsChangeNothing(t *testing.T) {
	n := s.network(true, 6, 5, 4, 3)
	p := randomParameters(n, 20)
	m := s.machine(t, n, p)
	x, y := batchOf(randomSet(n, 4, 21), n, 4)
	cost, first, err := m.Gradients(x, y)
	must(t, err)
	again, second, err := m.Gradients(x, y)
	must(t, err)
	same(t, "second gradients", second, first)
	if cost != again {
		t.Errorf("second cost is %v, want %v", again, cost)
	}
	same(t, "parameters", parametersOf(t, m), p)

	// Gradients do not change the next steps either.
	set := randomSet(n, 9, 22)
	fresh := s.machine(t, n, p)
	train(t, fresh, vm.Pass{Set: set, Batch: 4, Rate: 0.5})
	train(t, m, vm.Pass{Set: set, Batch: 4, Rate: 0.5})
	same(t, "a pass after Gradients", parametersOf(t, m), parametersOf(t, fresh))
}

// extremes: a step is W − η·∇W (A.47, A.48) for blank images, for full images, for a
// sample that occurs twice, and for weights that saturate every node.
func (s suite) extremes(t *testing.T) {
	const rate = 0.5
	for _, n := range s.networks() {
		for _, scale := range []float64{0, 1, 100} {
			for _, batch := range []int{1, 5} {
				t.Run(fmt.Sprintf("%v weights ×%g batch %d", n, scale, batch), func(t *testing.T) {
					set := randomSet(n, 5, 23)
					clear(set.Image(0)) // blank
					for j := range set.Image(1) {
						set.Image(1)[j] = 255
					}
					copy(set.Image(3), set.Image(2))
					p := randomParameters(n, 24)
					p.Tensors(func(_ string, _ []int, v []float64) {
						for i := range v {
							v[i] *= scale
						}
					})
					p.Round(s.precision)
					m := s.machine(t, n, p)
					for from := 0; from < set.Len(); from += batch {
						part := set.Slice(from, from+batch)
						before := parametersOf(t, m)
						x, y := batchOf(part, n, batch)
						cost, g, err := m.Gradients(x, y)
						must(t, err)
						costs := make([]float64, 1)
						train(t, m, vm.Pass{Set: part, Batch: batch, Rate: rate, Costs: costs})
						nearValues(t, "cost", costs, []float64{cost}, 8*float64(n.Outputs())*s.epsilon())
						for i := range before {
							step(before[i].Weight, g[i].Weight, rate)
							step(before[i].Bias, g[i].Bias, rate)
						}
						// There is one rounding of η·g and one of the difference, and
						// the sum over the batch may have another order.
						near(t, "after the step", parametersOf(t, m), before, float64(8*batch)*s.epsilon())
					}
					if bad := parametersOf(t, m).NonFinite(); bad != "" {
						t.Errorf("%s is not finite", bad)
					}
				})
			}
		}
	}
}

// step does w ← w − η·g.
func step(w, g []float64, rate float64) {
	for i := range w {
		w[i] -= rate * g[i]
	}
}

// evaluate: cost, accuracy and confusion agree with the outputs of Predict, for sets
// that are smaller and larger than the inner batch of a machine. The parameters do
// not change.
func (s suite) evaluate(t *testing.T) {
	for _, n := range []model.Network{s.network(true, 784, 50, 10), s.network(false, 9, 4), s.network(true, 6, 5, 4, 3)} {
		for _, samples := range []int{1, 7, 499, 1203} {
			t.Run(fmt.Sprintf("%v %d samples", n, samples), func(t *testing.T) {
				set := randomSet(n, samples, 25)
				p := randomParameters(n, 26)
				m := s.machine(t, n, p)
				x, y := batchOf(set, n, samples)
				a, err := m.Predict(x)
				must(t, err)
				want := vm.Score{Samples: samples, Confusion: vm.NewScore(n.Outputs()).Confusion}
				for i := range samples {
					row, target := a[i*n.Outputs():(i+1)*n.Outputs()], y[i*n.Outputs():(i+1)*n.Outputs()]
					best := 0
					for k := range row {
						want.Cost += 0.5 * (target[k] - row[k]) * (target[k] - row[k]) / float64(samples)
						if row[k] > row[best] {
							best = k
						}
					}
					if best == int(set.Labels[i]) {
						want.Correct++
					}
					want.Confusion[set.Labels[i]][best]++
				}
				got, err := m.Evaluate(context.Background(), set)
				must(t, err)
				// The terms of the sums are positive, so in any order their rounding
				// error is below samples · 2^-53 in float64. The outputs of the machine
				// are the same in both, except for their last bits.
				if bound := 64*s.epsilon() + float64(samples)*0x1p-53; !(math.Abs(got.Cost-want.Cost) <= bound*want.Cost) {
					t.Errorf("cost %v, want %v within %.3g", got.Cost, want.Cost, bound)
				}
				if got.Samples != want.Samples || got.Correct != want.Correct {
					t.Errorf("%d of %d correct, want %d of %d", got.Correct, got.Samples, want.Correct, want.Samples)
				}
				if fmt.Sprint(got.Confusion) != fmt.Sprint(want.Confusion) {
					t.Errorf("confusion %v, want %v", got.Confusion, want.Confusion)
				}
				same(t, "parameters", parametersOf(t, m), p)
			})
		}
	}
	t.Run("cancelled", func(t *testing.T) {
		n := s.network(false, 9, 4)
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, err := s.machine(t, n, nil).Evaluate(ctx, randomSet(n, 5, 27)); err == nil {
			t.Error("no error")
		}
	})
}

// unload: an unloaded set can be used again, and sets come and go while a snapshot is
// evaluated.
func (s suite) unload(t *testing.T) {
	n := s.network(true, 35, 17, 5)
	set := randomSet(n, 300, 44)
	m := s.machine(t, n, randomParameters(n, 45))
	must(t, m.Unload(set)) // it was never loaded
	must(t, m.Load(set))
	want := evaluate(t, m, set)
	taken, err := m.Snapshot()
	must(t, err)
	result := make(chan error, 1)
	var got vm.Score
	go func() {
		var err error
		got, err = taken.Evaluate(context.Background(), set)
		result <- err
	}()
	for seed := range uint64(5) {
		other := randomSet(n, 50, seed)
		train(t, m, vm.Pass{Set: other, Batch: 4, Rate: 0.1})
		must(t, m.Unload(other))
		must(t, m.Unload(other))
	}
	must(t, <-result)
	must(t, taken.Close())
	if fmt.Sprint(got.Confusion) != fmt.Sprint(want.Confusion) {
		t.Errorf("the snapshot counts %v, want %v", got.Confusion, want.Confusion)
	}
	must(t, m.SetParameters(randomParameters(n, 45)))
	must(t, m.Unload(set))
	if again := evaluate(t, m, set); fmt.Sprint(again) != fmt.Sprint(want) {
		t.Errorf("after it was unloaded: score %v, want %v", again, want)
	}
}

// snapshot: a snapshot has the parameters of its time, whatever the machine does
// after that or in parallel.
func (s suite) snapshot(t *testing.T) {
	n := s.network(true, 35, 17, 5)
	set := randomSet(n, 600, 40)
	m := s.machine(t, n, randomParameters(n, 41))
	must(t, m.Load(set))
	want, err := m.Evaluate(context.Background(), set)
	must(t, err)
	for range 2 { // after Close, another snapshot can be taken
		taken, err := m.Snapshot()
		must(t, err)
		result := make(chan error, 1)
		var got vm.Score
		go func() {
			var err error
			got, err = taken.Evaluate(context.Background(), set)
			result <- err
		}()
		train(t, m, vm.Pass{Set: set, Batch: 1, Rate: 0.5})
		must(t, <-result)
		must(t, taken.Close())
		// The machine may sum in other blocks, so the last bits of the cost may differ.
		if fmt.Sprint(got.Confusion) != fmt.Sprint(want.Confusion) || math.Abs(got.Cost-want.Cost) > 64*s.epsilon()*want.Cost {
			t.Errorf("snapshot: cost %v and %d correct, want %v and %d", got.Cost, got.Correct, want.Cost, want.Correct)
		}
		now, err := m.Evaluate(context.Background(), set)
		must(t, err)
		if now.Cost == want.Cost {
			t.Error("training changed nothing, so the snapshot is not tested")
		}
		want = now
	}
}

// predict: the outputs agree with a forward pass in float64, for inputs that are not
// pixels, and for no rows at all.
func (s suite) predict(t *testing.T) {
	for _, n := range s.networks() {
		p := randomParameters(n, 28)
		m := s.machine(t, n, p)
		const rows = 3
		// |z| is at most a few units: Gorgonia's sigmoid returns 1 above 19 (float64)
		// or 15 (float32), which is not rounding.
		limit := 4 / math.Sqrt(float64(n.Inputs()))
		x := s.uniform(data.Stream(29, "vmtest inputs", 0), rows*n.Inputs(), -limit, limit)
		got, err := m.Predict(x)
		must(t, err)
		var want []float64
		for r := range rows {
			want = append(want, forward(n, p, x[r*n.Inputs():(r+1)*n.Inputs()])...)
		}
		// A sum of n^(l−1) products of magnitude at most 2·max|w| has n^(l−1)
		// roundings of this magnitude. The slope of g is at most 1.
		nearValues(t, n.String(), got, want, 4*float64(n.Inputs())*s.epsilon())
		if none, err := m.Predict(nil); err != nil || len(none) != 0 {
			t.Errorf("%v: no rows give %v, %v", n, none, err)
		}
	}
}

// forward is a^L = g(W^L … g(W^2 x + b^2) … + b^L) in plain loops.
func forward(n model.Network, p model.Parameters, a []float64) []float64 {
	for _, l := range p {
		next := make([]float64, l.Out)
		for i := range next {
			z := 0.0
			if l.Bias != nil {
				z = l.Bias[i]
			}
			for j, v := range a {
				z += l.Weight[i*l.In+j] * v
			}
			if n.Activation == model.Tanh {
				next[i] = math.Tanh(z)
			} else {
				next[i] = 1 / (1 + math.Exp(-z))
			}
		}
		a = next
	}
	return a
}
