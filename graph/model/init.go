package model

import (
	"math"
	"math/rand/v2"
	"slices"
)

// HiddenRule returns the standard deviation that the textbook's listing uses for
// the initial weights: (n^2)^−½, where n^2 is the number of nodes of the first
// hidden layer. The listing uses it for every weight matrix, including the one
// that reads the input.
func HiddenRule(n Network) float64 { return math.Pow(float64(n.Layers[1]), -0.5) }

// FanInRule returns a standard deviation for the weights of each layer,
// (n^(l−1))^−½, where n^(l−1) is the number of values that a node of layer l adds
// up. So the size of z^l does not grow with n^(l−1).
func FanInRule(n Network) []float64 {
	std := make([]float64, len(n.Layers)-1)
	for i := range std {
		std[i] = math.Sqrt(1 / float64(n.Layers[i]))
	}
	return std
}

// XavierRule returns a standard deviation for the weights of each layer,
// √(2/(n^(l−1) + n^l)): the variance of Glorot and Bengio, Understanding the
// difficulty of training deep feedforward neural networks, AISTATS 2010, equation
// 12. Their equation 16 draws from a uniform distribution of this variance; here
// it is used with a normal one.
func XavierRule(n Network) []float64 {
	std := make([]float64, len(n.Layers)-1)
	for i := range std {
		std[i] = math.Sqrt(2 / float64(n.Layers[i]+n.Layers[i+1]))
	}
	return std
}

// Normal returns parameters with random weights and zero biases. Weights are
// normally distributed with mean 0 and standard deviation std. They are drawn
// layer by layer in row-major order and rounded to the precision of n.
func Normal(n Network, std float64, random *rand.Rand) Parameters {
	return NormalLayers(n, slices.Repeat([]float64{std}, len(n.Layers)-1), random)
}

// NormalLayers is Normal with a standard deviation for the weights of each layer,
// from layer 2 to layer L.
func NormalLayers(n Network, std []float64, random *rand.Rand) Parameters {
	p := NewParameters(n)
	for i, l := range p {
		for j := range l.Weight {
			l.Weight[j] = std[i] * random.NormFloat64()
		}
	}
	p.Round(n.Precision)
	return p
}

// NormalBiases sets the biases of p to random values, normally distributed with
// mean 0 and standard deviation std. They are drawn layer by layer and rounded to
// precision.
func (p Parameters) NormalBiases(std float64, precision Precision, random *rand.Rand) {
	for _, l := range p {
		for i := range l.Bias {
			l.Bias[i] = std * random.NormFloat64()
		}
	}
	p.Round(precision)
}
