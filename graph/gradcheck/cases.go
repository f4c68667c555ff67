package gradcheck

import (
	"math"
	"math/rand/v2"

	"trainer/data/lang"
	"trainer/graph/delta"
	"trainer/graph/model"
)

// kind describes how the parameters, inputs and targets of a case are drawn.
type kind struct {
	name   lang.Text
	spread float64 // approximate standard deviation of z; 0: small parameters
	zeros  float64 // fraction of the inputs that are 0, like the background of MNIST
	soft   bool    // targets are positive numbers that sum to 1, not one-hot
}

var kinds = []kind{
	{name: lang.Text{En: "random, one-hot", Zh: "随机，独热"}},
	{name: lang.Text{En: "random, soft", Zh: "随机，软目标"}, soft: true},
	{name: lang.Text{En: "sparse, one-hot", Zh: "稀疏，独热"}, zeros: 0.8},
	// |z| is about 12: σ' is between 1e-1 and 1e-10, and 1 − a loses digits.
	{name: lang.Text{En: "saturated, one-hot", Zh: "饱和，独热"}, spread: 12},
	{name: lang.Text{En: "saturated, soft", Zh: "饱和，软目标"}, spread: 12, soft: true},
	// |z| is about 1000: e^z overflows, and σ' is 0 almost everywhere.
	{name: lang.Text{En: "flat, one-hot", Zh: "平坦，独热"}, spread: 1000},
}

// testCase is a mini-batch and the parameters at which to check. All values are
// in the precision of the network.
type testCase struct {
	kind       kind
	name       lang.Text
	parameters model.Parameters
	xs, ys     []delta.Vector
}

// newCase draws a case. at holds the parameters at which to check; if it is nil,
// newCase draws them.
func newCase(r *rand.Rand, n model.Network, k kind, batch int, at model.Parameters) testCase {
	c := testCase{kind: k, name: lang.Text{En: "%s, batch %d", Zh: "%s，批量 %d"}.With(k.name, batch)}
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

// inputs returns n numbers, uniform in [0, 1), like pixels. Each is 0 with
// probability zeros.
func inputs(r *rand.Rand, n int, zeros float64) delta.Vector {
	x := make(delta.Vector, n)
	for i := range x {
		if v := r.Float64(); r.Float64() >= zeros {
			x[i] = v
		}
	}
	return x
}

// targets returns n targets: one-hot, or positive numbers that sum to 1 if soft.
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

// parameters returns normal parameters, with a standard deviation for which z has
// the given spread. The squares of n uniform inputs sum to about n/3, and those of
// n activations of 0 or 1 to about n/2; the factor √2.5 is between √3 and √2.
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

// saturate scales the inputs, in place, so that z^2 has the given spread.
func saturate(n model.Network, p model.Parameters, xs []delta.Vector, spread float64) {
	net := ToDelta(n, p)
	sum, terms := 0.0, 0
	for _, x := range xs {
		for _, z := range delta.Times(net.W[2], x) {
			sum += z * z
			terms++
		}
	}
	if sum == 0 {
		return // W^2 is zero: no input saturates the layer
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
