package delta

import (
	"testing"

	"trainer/graph/internal/mutate"
)

// TestMutants plants faults in the equations and checks that some test fails for
// each.
func TestMutants(t *testing.T) {
	mutate.Test(t, []string{"delta_test.go"}, []mutate.Mutant{
		{Name: "factor2", File: "delta.go", Old: "return sum / 2", New: "return sum"},
		{Name: "meanCostIsSum", File: "delta.go", Old: "return sum / float64(len(xs))", New: "return sum"},
		{Name: "batchCostIsSum", File: "delta.go", Old: "p.A[L]) / float64(len(xs))", New: "p.A[L])"},
		{Name: "ascent", File: "delta.go", Old: "w[i][j] -= rate", New: "w[i][j] += rate"},
		{Name: "biasAscent", File: "delta.go", Old: "b[i] -= rate", New: "b[i] += rate"},
		{Name: "signA64", File: "delta.go", Old: "Hadamard(Scale(-1, Minus(y, a))", New: "Hadamard(Scale(1, Minus(y, a))"},
		{Name: "noPrimeA64", File: "delta.go", Old: "return Hadamard(Scale(-1, Minus(y, a)), Apply(g.Prime, z))", New: "return Minus(a, y)"},
		{Name: "primeOfA64", File: "delta.go", Old: "Minus(y, a)), Apply(g.Prime, z)", New: "Minus(y, a)), Apply(g.Prime, a)"},
		{Name: "noPrimeA65", File: "delta.go", Old: "return Hadamard(TransposeTimes(wNext, deltaNext), Apply(g.Prime, z))", New: "return TransposeTimes(wNext, deltaNext)"},
		{Name: "gForPrimeA65", File: "delta.go", Old: "deltaNext), Apply(g.Prime, z)", New: "deltaNext), Apply(g.G, z)"},
		{Name: "transposeA65", File: "delta.go", Old: "Hadamard(TransposeTimes(", New: "Hadamard(Times("},
		{Name: "wrongLayerW", File: "delta.go", Old: "HiddenDelta(net.G, net.W[l+1], d[l+1]", New: "HiddenDelta(net.G, net.W[l], d[l+1]"},
		{Name: "wrongLayerZ", File: "delta.go", Old: "d[l+1], p.Z[l])", New: "d[l+1], p.Z[l+1])"},
		{Name: "lastHiddenOnly", File: "delta.go", Old: "for l := L - 1; l >= 2; l-- {\n\t\td[l]", New: "for l := L - 1; l >= L-1; l-- {\n\t\td[l]"},
		{Name: "outerSwapped", File: "delta.go", Old: "return Outer(delta, aPrev)", New: "return Outer(aPrev, delta)"},
		{Name: "activationOfLayer", File: "delta.go", Old: "WeightGradient(d[l], p.A[l-1])", New: "WeightGradient(d[l], p.A[l])"},
		{Name: "batchActivation", File: "delta.go", Old: "MeanOfProducts(deltas[l], as[l-1])", New: "MeanOfProducts(deltas[l], as[l])"},
		{Name: "sumForMeanA66", File: "delta.go", Old: "mean[i][j] = sum / float64(len(deltas))", New: "mean[i][j] = sum"},
		{Name: "literalA66", File: "delta.go", Old: "deltas[s][i] * aPrevs[s][j]", New: "deltas[s][i] * Mean(aPrevs)[j]"},
		{Name: "firstSampleA66", File: "delta.go", Old: "deltas[s][i] * aPrevs[s][j]", New: "deltas[s][i] * aPrevs[0][j]"},
		{Name: "offByOne", File: "delta.go", Old: "deltas[s][i] * aPrevs[s][j]", New: "deltas[s][i] * aPrevs[s][max(j-1, 0)]"},
		{Name: "sumForMeanBias", File: "delta.go", Old: "grad.B[l] = Mean(deltas[l])", New: "grad.B[l] = Scale(float64(len(xs)), Mean(deltas[l]))"},
		{Name: "biasGradientZero", File: "delta.go", Old: "return Scale(1, delta)", New: "return Scale(0, delta)"},
		{Name: "noBiasStep", File: "delta.go", Old: "DescendBias(net.B[l], grad.B[l], rate)", New: "_ = rate"},
		{Name: "listingOrder", File: "delta.go", Old: "for l := 2; l <= net.L(); l++ {\n\t\tUpdateWeights(", New: "for l := net.L(); l >= 2; l-- {\n\t\td = Deltas(net, p, y)\n\t\tUpdateWeights("},
		{Name: "listingSimultaneous", File: "delta.go", Old: "\t\tUpdateWeights(net.W[l], d, p.A[l-1], rate)", New: "\t\tdefer UpdateWeights(net.W[l], d, p.A[l-1], rate)"},
		{Name: "elementA49", File: "delta.go", Old: "-(y[i] - a[i]) * g.Prime(z[i]) * aPrev[j]", New: "-(y[i] - a[i]) * g.Prime(z[i]) * aPrev[i%len(aPrev)]"},
		{Name: "elementA52", File: "delta.go", Old: "return -(y[i] - a[i]) * g.Prime(z[i])\n", New: "return (y[i] - a[i]) * g.Prime(z[i])\n"},
		{Name: "elementA57", File: "delta.go", Old: "return wNext[j][i] * g.Prime(z[i])", New: "return wNext[j][i]"},
		{Name: "elementA58", File: "delta.go", Old: "return sum * g.Prime(z[i])", New: "return sum"},
		{Name: "noBiasForward", File: "network.go", Old: "p.Z[l] = Plus(p.Z[l], net.B[l])", New: "_ = net.B[l]"},
		{Name: "sigmoidPrime", File: "network.go", Old: "return a * (1 - a)", New: "return a * (1 + a)"},
		{Name: "tanhPrime", File: "network.go", Old: "return 1 - a*a", New: "return 1 - a"},
	})
}
