package vmtest

import (
	"context"
	"fmt"
	"math"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Exact tests that a step of a mini-batch in float32 is as exact as the definition:
// a machine must not lose the shares of many samples in the rounding of its sums, or
// of the weights to which they are added. definition makes the interpreter.
//
// For batches of 1 to 60,000 samples, rates of 0.001 to 3 and first weights with
// standard deviations of 0.05 and 1, each machine takes one step from equal weights.
// The error of a tensor ΔW is the norm of its difference to that of a float64
// machine, relative to the norm of the latter. It may be at most twice the error of
// the definition, plus the unit roundoff u = 2^-24 for each of these:
//
//   - 8 for the values that a sum is made of: δ and a, of some roundings each, in
//     another order or with other functions than the interpreter's. They differ from
//     sample to sample and average out, so this does not grow with the batch.
//   - for ΔW as it is in the weights, the norm of W relative to that of ΔW: storing
//     W + ΔW rounds each weight by at most u·|W|, whatever the machine does.
//
// A running sum into the weights has an error of u·|W| for each sample. With 60,000
// samples and a rate of 0.001 it loses nine tenths of ΔW.
//
// Batches of more than most samples are left out.
func Exact(t *testing.T, newVM, definition New, most int) {
	var batches []int
	for _, batch := range []int{1, 10, 128, 1000, 5000, 60_000} {
		if batch <= most && (batch <= 1000 || !testing.Short()) {
			batches = append(batches, batch)
		}
	}
	const inputs, u = 36, 0x1p-24
	set := exactSet(batches[len(batches)-1], inputs)
	for _, std := range []float64{0.05, 1} {
		n := model.Network{Layers: []int{inputs, 12, 10}, Bias: true}
		wide := n
		wide.Precision = model.Float64
		start := model.Normal(n, std, data.Stream(1, "exact", 0))
		fresh := func(t *testing.T, open New, n model.Network) vm.VM {
			return suite{newVM: open, precision: n.Precision}.machine(t, n, start)
		}
		for _, batch := range batches {
			t.Run(fmt.Sprintf("std %g/batch %d", std, batch), func(t *testing.T) {
				sub := set.Slice(0, batch)
				x, y := make([]float64, batch*inputs), make([]float64, batch*n.Outputs())
				for i := range batch {
					data.Input(x[i*inputs:(i+1)*inputs], sub, i)
					data.OneHot(y[i*n.Outputs():(i+1)*n.Outputs()], sub.Labels[i])
				}
				gradient := func(open New, n model.Network) model.Parameters {
					_, g, err := fresh(t, open, n).Gradients(x, y)
					must(t, err)
					return g
				}
				want := gradient(newVM, wide)
				compareExact(t, "gradient", gradient(newVM, n), gradient(definition, n), want, func(string, float64) float64 { return 8 * u })
				for _, rate := range []float64{1e-3, 0.1, 3} {
					step := func(open New, n model.Network) model.Parameters {
						m := fresh(t, open, n)
						must(t, m.Train(context.Background(), vm.Pass{Set: sub, Batch: batch, Rate: rate}))
						p, err := m.Parameters()
						must(t, err)
						return difference(p, start)
					}
					norms := map[string]float64{}
					start.Tensors(func(name string, _ []int, values []float64) { norms[name] = norm(values) })
					want := step(newVM, wide)
					compareExact(t, fmt.Sprintf("ΔW at rate %g", rate), step(newVM, n), step(definition, n), want,
						func(name string, delta float64) float64 { return 8*u + u*(norms[name]+delta)/delta })
				}
			})
		}
	}
}

// exactSet returns images of which a fifth of the pixels is not zero, with labels.
func exactSet(n, inputs int) *data.Set {
	random := data.Stream(1, "exact set", 0)
	s := &data.Set{Name: "random", Rows: 1, Cols: inputs, Classes: 10, Pixels: make([]uint8, n*inputs), Labels: make([]uint8, n)}
	for i := range s.Pixels {
		if random.IntN(5) == 0 {
			s.Pixels[i] = uint8(1 + random.IntN(255))
		}
	}
	for i := range s.Labels {
		s.Labels[i] = uint8(random.IntN(10))
	}
	return s
}

// compareExact compares the errors of got and of the definition, tensor by tensor.
// allowed returns the part of the bound that does not depend on the definition, of a
// tensor with the given norm.
func compareExact(t *testing.T, what string, got, definition, want model.Parameters, allowed func(name string, norm float64) float64) {
	t.Helper()
	defined := map[string]float64{}
	difference(definition, want).Tensors(func(name string, _ []int, values []float64) { defined[name] = norm(values) })
	errors := map[string]float64{}
	difference(got, want).Tensors(func(name string, _ []int, values []float64) { errors[name] = norm(values) })
	want.Tensors(func(name string, _ []int, values []float64) {
		size := norm(values)
		bound := 2*defined[name] + allowed(name, size)*size
		if e := errors[name]; !(e <= bound) {
			t.Errorf("%s of %s: relative error %.3g, the definition's %.3g, at most %.3g", what, name, e/size, defined[name]/size, bound/size)
		}
	})
}

// difference returns p − q.
func difference(p, q model.Parameters) model.Parameters {
	d := p.Clone()
	for i := range d {
		for k := range d[i].Weight {
			d[i].Weight[k] -= q[i].Weight[k]
		}
		for k := range d[i].Bias {
			d[i].Bias[k] -= q[i].Bias[k]
		}
	}
	return d
}

// norm returns the Euclidean norm.
func norm(values []float64) float64 {
	sum := 0.0
	for _, v := range values {
		sum += v * v
	}
	return math.Sqrt(sum)
}
