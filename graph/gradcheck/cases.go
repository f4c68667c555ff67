package gradcheck

import (
	"fmt"
	"math"
	"math/rand/v2"

	"trainer/graph/delta"
	"trainer/graph/model"
)

// kind is a kind of parameters, inputs and targets.
type kind struct {
	name   string
	spread float64 // the standard deviation of z, about; 0: small parameters
	zeros  float64 // the part of the inputs that are 0, as MNIST's background is
	soft   bool    // targets that sum to 1, in place of one-hot ones
}

var kinds = []kind{
	{name: "random, one-hot"},
	{name: "random, soft", soft: true},
	{name: "sparse, one-hot", zeros: 0.8},
	// |z| around 12: σ' between 1e-1 and 1e-10, and 1 − a loses digits.
	{name: "saturated, one-hot", spread: 12},
	{name: "saturated, soft", spread: 12, soft: true},
	// |z| around 1000: e^z overflows, and σ' is 0 nearly everywhere.
	{name: "flat, one-hot", spread: 1000},
}

// testCase is a mini-batch at given parameters, all of the network's precision.
type testCase struct {
	kind       kind
	name       string
	parameters model.Parameters
	xs, ys     []delta.Vector
}

// newCase draws a case; at is where to check, nil for random parameters.
func newCase(r *rand.Rand, n model.Network, k kind, batch int, at model.Parameters) testCase {
	c := testCase{kind: k, name: fmt.Sprintf("%s, batch %d", k.name, batch)}
	for range batch {
		c.xs = append(c.xs, inputs(r, n.Inputs(), k.zeros))
		c.ys = append(c.ys, targets(r, n.Outputs(), k.soft))
	}
	if at != nil {
		c.parameters = at.Clone()
		c.parameters.Round(n.Precision)
		if k.spread > 0 {
			saturate(n, c.parameters, c.xs, k.spread)
		}
	} else {
		c.parameters = parameters(r, n, k.spread)
		c.parameters.Round(n.Precision)
	}
	if n.Precision == model.Float32 {
		for s := range c.xs {
			round32(c.xs[s])
			round32(c.ys[s])
		}
	}
	return c
}

// inputs are uniform in [0, 1), like pixels.
func inputs(r *rand.Rand, n int, zeros float64) delta.Vector {
	x := make(delta.Vector, n)
	for i := range x {
		if v := r.Float64(); r.Float64() >= zeros {
			x[i] = v
		}
	}
	return x
}

func targets(r *rand.Rand, n int, soft bool) delta.Vector {
	y := make(delta.Vector, n)
	if !soft {
		y[r.IntN(n)] = 1
		return y
	}
	sum := 0.0
	for i := range y {
		y[i] = r.ExpFloat64()
		sum += y[i]
	}
	for i := range y {
		y[i] /= sum
	}
	return y
}

// parameters are normal, with a deviation that gives z the wanted spread: the
// squares of n inputs that are uniform, or activations that are 0 or 1, sum to
// n/3 or n/2.
func parameters(r *rand.Rand, n model.Network, spread float64) model.Parameters {
	p := model.NewParameters(n)
	for _, l := range p {
		deviation, bias := 1/math.Sqrt(float64(l.In)), 0.5
		if spread > 0 {
			deviation *= spread * math.Sqrt(2.5)
			bias = spread / 4
		}
		for i := range l.Weight {
			l.Weight[i] = deviation * r.NormFloat64()
		}
		for i := range l.Bias {
			l.Bias[i] = bias * r.NormFloat64()
		}
	}
	return p
}

// saturate scales the inputs so that z^2 has the wanted spread.
func saturate(n model.Network, p model.Parameters, xs []delta.Vector, spread float64) {
	net := toDelta(n, p)
	sum, terms := 0.0, 0
	for _, x := range xs {
		for _, z := range delta.Times(net.W[2], x) {
			sum += z * z
			terms++
		}
	}
	if sum == 0 {
		return // W^2 is zero: no input saturates
	}
	factor := spread / math.Sqrt(sum/float64(terms))
	for s := range xs {
		xs[s] = delta.Scale(factor, xs[s])
	}
}

func round32(v delta.Vector) {
	for i := range v {
		v[i] = float64(float32(v[i]))
	}
}
