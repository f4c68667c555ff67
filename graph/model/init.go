package model

import (
	"math"
	"math/rand/v2"
)

// HiddenRule returns the listing's standard deviation of the initial weights:
// (n^2)^−½, with n^2 the nodes of the first hidden layer, for every weight
// matrix, also the input's.
func HiddenRule(n Network) float64 { return math.Pow(float64(n.Layers[1]), -0.5) }

// Normal returns parameters whose weights are drawn from the normal
// distribution with mean 0 and the standard deviation std, layer by layer in
// row-major order, rounded to the network's precision. Biases are zero.
func Normal(n Network, std float64, random *rand.Rand) Parameters {
	p := NewParameters(n)
	for _, l := range p {
		for i := range l.Weight {
			l.Weight[i] = std * random.NormFloat64()
		}
	}
	p.Round(n.Precision)
	return p
}
