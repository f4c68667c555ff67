package model

import (
	"math"
	"math/rand/v2"
)

// HiddenRule returns the standard deviation that the textbook's listing uses for
// the initial weights: (n^2)^−½, where n^2 is the number of nodes of the first
// hidden layer. The listing uses it for every weight matrix, including the one
// that reads the input.
func HiddenRule(n Network) float64 { return math.Pow(float64(n.Layers[1]), -0.5) }

// Normal returns parameters with random weights and zero biases. Weights are
// normally distributed with mean 0 and standard deviation std. They are drawn
// layer by layer in row-major order and rounded to the precision of n.
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
