package delta

// Cost is the cost of one sample, of target y and output a^L:
//
//	E = ½ ‖y − a‖²
//	  = ½ Σ_k (y_k − a_k)²                                            (A.45)
//
// The first line is printed without the square; the second line has it, and
// the derivation uses it.
func Cost(y, a Vector) float64 {
	sum := 0.0
	for k := range y {
		sum += (y[k] - a[k]) * (y[k] - a[k])
	}
	return sum / 2
}

// MeanCost is the cost of N samples:
//
//	E_t = 1/N Σ_i E_i                                                 (A.46)
func MeanCost(net Network, xs, ys []Vector) float64 {
	sum := 0.0
	for i := range xs {
		sum += Cost(ys[i], Output(net, xs[i]))
	}
	return sum / float64(len(xs))
}

// DescendWeights is gradient descent for the weights of a layer, in place:
//
//	W^l ← W^l − η ∂E_t/∂W^l                                           (A.47)
//
// where, by A.46, ∂E_t/∂W^l = 1/N Σ_i ∂E_i/∂W^l: see MeanGradients.
func DescendWeights(w, grad Matrix, rate float64) {
	for i := range w {
		for j := range w[i] {
			w[i][j] -= rate * grad[i][j]
		}
	}
}

// DescendBias is gradient descent for the bias of a layer, in place:
//
//	b^l ← b^l − η ∂E_t/∂b^l                                           (A.48)
func DescendBias(b, grad Vector, rate float64) {
	for i := range b {
		b[i] -= rate * grad[i]
	}
}

// MeanGradients is the sum in the second lines of A.47 and A.48, which A.46
// brings in: the gradient of the mean cost is the mean of the samples' gradients.
//
//	∂E_t/∂W^l = 1/N Σ_i ∂E_i/∂W^l,    ∂E_t/∂b^l = 1/N Σ_i ∂E_i/∂b^l
func MeanGradients(each []Gradients) Gradients {
	mean := Gradients{W: make([]Matrix, len(each[0].W))}
	if each[0].B != nil {
		mean.B = make([]Vector, len(each[0].B))
	}
	for l := 2; l < len(mean.W); l++ {
		mean.W[l] = make(Matrix, len(each[0].W[l]))
		for i := range mean.W[l] {
			rows := make([]Vector, len(each))
			for s := range each {
				rows[s] = each[s].W[l][i]
			}
			mean.W[l][i] = Mean(rows)
		}
		if mean.B != nil {
			biases := make([]Vector, len(each))
			for s := range each {
				biases[s] = each[s].B[l]
			}
			mean.B[l] = Mean(biases)
		}
	}
	return mean
}

// Mean returns 1/N Σ_s v_s of N vectors.
func Mean(vs []Vector) Vector {
	sum := make(Vector, len(vs[0]))
	for _, v := range vs {
		sum = Plus(sum, v)
	}
	return Scale(1/float64(len(vs)), sum)
}

// OutputWeightElement is the chain rule for one weight of the output layer.
// Of all the terms of E only (y_i − a_i)² depends on w_ij, through z_i, and
// ∂z_i/∂w_ij = a_j^(L−1):
//
//	∂E/∂w_ij^L = −(y_i − a_i^L) g'(z_i^L) a_j^(L−1)                   (A.49)
func OutputWeightElement(g Activation, y, a, z, aPrev Vector, i, j int) float64 {
	return -(y[i] - a[i]) * g.Prime(z[i]) * aPrev[j]
}

// NodeDelta is the definition of δ, by the chain rule through a_i = g(z_i):
//
//	δ_i^l = ∂E/∂z_i^l = ∂E/∂a_i^l g'(z_i^l)                           (A.50)
//
// dEda is ∂E/∂a_i^l and z is z_i^l.
func NodeDelta(g Activation, dEda, z float64) float64 {
	return dEda * g.Prime(z)
}

// WeightElement writes the derivative by a weight with δ:
//
//	∂E/∂w_ij^L = ∂E/∂z_i^L ∂z_i^L/∂w_ij^L = δ_i^L a_j^(L−1)           (A.51)
//
// and, word for word, for a hidden layer:
//
//	∂E/∂w_ij^l = δ_i^l a_j^(l−1),    2 ≤ l ≤ L−1                      (A.56)
func WeightElement(delta, aPrev Vector, i, j int) float64 {
	return delta[i] * aPrev[j]
}

// OutputDeltaElement is A.50 for the output layer, where A.45 gives
// ∂E/∂a_i = −(y_i − a_i):
//
//	δ_i^L = −(y_i − a_i^L) g'(z_i^L),    1 ≤ i ≤ n^L                  (A.52)
func OutputDeltaElement(g Activation, y, a, z Vector, i int) float64 {
	return -(y[i] - a[i]) * g.Prime(z[i])
}

// OutputWeightElements is A.51 for all weights of the output layer:
//
//	∂E/∂w_ij^L = δ_i^L a_j^(L−1),    1 ≤ i ≤ n^L, 1 ≤ j ≤ n^(L−1)     (A.53)
func OutputWeightElements(delta, aPrev Vector) Matrix {
	grad := make(Matrix, len(delta))
	for i := range delta {
		grad[i] = make(Vector, len(aPrev))
		for j := range aPrev {
			grad[i][j] = WeightElement(delta, aPrev, i, j)
		}
	}
	return grad
}

// OutputDelta is A.52 for the whole layer:
//
//	δ^L = −(y − a^L) ⊙ g'(z^L)                              (A.54 and A.64)
func OutputDelta(g Activation, y, a, z Vector) Vector {
	return Hadamard(Scale(-1, Minus(y, a)), Apply(g.Prime, z))
}

// WeightGradient is A.53 as a product of a column and a row, n^l × n^(l−1):
//
//	∇_{W^L} E = δ^L (a^(L−1))ᵀ                                        (A.55)
//
// By A.56 it holds for every layer l = 2 … L.
func WeightGradient(delta, aPrev Vector) Matrix {
	return Outer(delta, aPrev)
}

// HiddenSlope is how z_j of layer l+1 depends on z_i of layer l. Since
// z_j^(l+1) = Σ_i w_ji^(l+1) g(z_i^l) + b_j^(l+1),
//
//	∂z_j^(l+1)/∂z_i^l = w_ji^(l+1) g'(z_i^l)         (between A.57 and A.58)
//
// wNext is W^(l+1) and z is z^l.
func HiddenSlope(g Activation, wNext Matrix, z Vector, j, i int) float64 {
	return wNext[j][i] * g.Prime(z[i])
}

// HiddenDeltaChain is δ of a hidden node by the chain rule: z_i^l acts on the
// cost through every z_j^(l+1).
//
//	δ_i^l = Σ_j ∂E/∂z_j^(l+1) ∂z_j^(l+1)/∂z_i^l
//	      = Σ_j δ_j^(l+1) ∂z_j^(l+1)/∂z_i^l                           (A.57)
func HiddenDeltaChain(g Activation, wNext Matrix, deltaNext, z Vector, i int) float64 {
	sum := 0.0
	for j := range deltaNext {
		sum += deltaNext[j] * HiddenSlope(g, wNext, z, j, i)
	}
	return sum
}

// HiddenDeltaElement is A.57 with the slope put in, and the factor g'(z_i^l),
// which does not depend on j, taken out of the sum:
//
//	δ_i^l = (Σ_j δ_j^(l+1) w_ji^(l+1)) g'(z_i^l)                      (A.58)
func HiddenDeltaElement(g Activation, wNext Matrix, deltaNext, z Vector, i int) float64 {
	sum := 0.0
	for j := range deltaNext {
		sum += deltaNext[j] * wNext[j][i]
	}
	return sum * g.Prime(z[i])
}

// HiddenDelta is A.58 for the whole layer. The sum over j, the row index of
// W^(l+1), is a product with its transpose: n^l × n^(l+1) times n^(l+1).
//
//	δ^l = ((W^(l+1))ᵀ δ^(l+1)) ⊙ g'(z^l),  l = 2 … L−1      (A.59 and A.65)
func HiddenDelta(g Activation, wNext Matrix, deltaNext, z Vector) Vector {
	return Hadamard(TransposeTimes(wNext, deltaNext), Apply(g.Prime, z))
}

// BiasElement is the derivative by a bias. Since ∂z_i^l/∂b_i^l = 1,
//
//	∂E/∂b_i^l = ∂E/∂z_i^l ∂z_i^l/∂b_i^l = δ_i^l                       (A.60)
func BiasElement(delta Vector, i int) float64 {
	return delta[i]
}

// BiasGradient is A.60 for the whole layer:
//
//	∇_{b^l} E = δ^l                                                   (A.61)
func BiasGradient(delta Vector) Vector {
	return Scale(1, delta)
}

// UpdateWeights is A.47 for one sample, with A.55 put in, in place:
//
//	W^l ← W^l − η δ^l (a^(l−1))ᵀ                                      (A.62)
func UpdateWeights(w Matrix, delta, aPrev Vector, rate float64) {
	DescendWeights(w, WeightGradient(delta, aPrev), rate)
}

// UpdateBias is A.48 for one sample, with A.61 put in, in place:
//
//	b^l ← b^l − η δ^l                                                 (A.63)
func UpdateBias(b, delta Vector, rate float64) {
	DescendBias(b, BiasGradient(delta), rate)
}

// Deltas returns δ^l of a sample for l = 2 … L, from the last to the first:
// A.64 for the output layer, then A.65 from each layer to the one before it.
func Deltas(net Network, p Pass, y Vector) []Vector {
	L := net.L()
	d := make([]Vector, L+1)
	d[L] = OutputDelta(net.G, y, p.A[L], p.Z[L])
	for l := L - 1; l >= 2; l-- {
		d[l] = HiddenDelta(net.G, net.W[l+1], d[l+1], p.Z[l])
	}
	return d
}

// Backpropagate returns the gradients of the cost of one sample: A.64 and
// A.65 for δ, A.55 and A.61 for the gradients.
func Backpropagate(net Network, x, y Vector) Gradients {
	p := Forward(net, x)
	d := Deltas(net, p, y)
	grad := Gradients{W: make([]Matrix, len(net.W))}
	if net.B != nil {
		grad.B = make([]Vector, len(net.W))
	}
	for l := 2; l <= net.L(); l++ {
		grad.W[l] = WeightGradient(d[l], p.A[l-1])
		if net.B != nil {
			grad.B[l] = BiasGradient(d[l])
		}
	}
	return grad
}

// MeanOfProducts is the mini-batch, read correctly. For a set S of samples the
// text rewrites A.64 alone,
//
//	δ^L = −1/|S| Σ_s (y^s − a^{s,L}) ⊙ g'(z^L)            (A.66, as printed)
//
// and goes on as before. But the gradient of the mean cost is, by A.46 and
// A.55, the mean of products, each of a sample's δ with the same sample's a:
//
//	∇_{W^l} E = 1/|S| Σ_s δ^{s,l} (a^{s,l−1})ᵀ              (A.66, as meant)
//
// A mean of products is in general not the product of the means; and which
// sample's a^(l−1) and z^l the printed mean of δ should meet, it does not say. So each sample keeps its own δ, by A.64 and A.65,
// through all layers, and the mean is taken here. (For a bias, whose factor is
// 1, the mean of δ^l is right: see MiniBatch.)
//
// deltas[s] is δ^{s,l} and aPrevs[s] is a^{s,l−1}.
func MeanOfProducts(deltas, aPrevs []Vector) Matrix {
	mean := make(Matrix, len(deltas[0]))
	for i := range mean {
		mean[i] = make(Vector, len(aPrevs[0]))
		for j := range mean[i] {
			sum := 0.0
			for s := range deltas {
				sum += deltas[s][i] * aPrevs[s][j]
			}
			mean[i][j] = sum / float64(len(deltas))
		}
	}
	return mean
}

// MiniBatch returns the mean cost of the samples xs, ys (A.46), one or more,
// and its gradients: A.66 for the weights, and for the bias the mean of δ^l.
func MiniBatch(net Network, xs, ys []Vector) (cost float64, grad Gradients) {
	L := net.L()
	deltas, as := make([][]Vector, L+1), make([][]Vector, L+1) // [l][s]
	for s := range xs {
		p := Forward(net, xs[s])
		d := Deltas(net, p, ys[s])
		for l := range d {
			deltas[l] = append(deltas[l], d[l])
			as[l] = append(as[l], p.A[l])
		}
		cost += Cost(ys[s], p.A[L]) / float64(len(xs))
	}
	grad.W = make([]Matrix, L+1)
	if net.B != nil {
		grad.B = make([]Vector, L+1)
	}
	for l := 2; l <= L; l++ {
		grad.W[l] = MeanOfProducts(deltas[l], as[l-1])
		if net.B != nil {
			grad.B[l] = Mean(deltas[l])
		}
	}
	return cost, grad
}

// Step takes the step of gradient descent that A.47 and A.48 say, in place,
// all layers at once: grad was taken before the step.
func Step(net Network, grad Gradients, rate float64) {
	for l := 2; l <= net.L(); l++ {
		DescendWeights(net.W[l], grad.W[l], rate)
		if net.B != nil {
			DescendBias(net.B[l], grad.B[l], rate)
		}
	}
}

// StepSample takes the step for one sample as A.62 to A.65 say it, in place:
// every δ from the weights before the step, then the updates.
func StepSample(net Network, x, y Vector, rate float64) {
	p := Forward(net, x)
	d := Deltas(net, p, y)
	for l := 2; l <= net.L(); l++ {
		UpdateWeights(net.W[l], d[l], p.A[l-1], rate)
		if net.B != nil {
			UpdateBias(net.B[l], d[l], rate)
		}
	}
}

// StepListing takes the step for one sample in the order of the book's program
// (listing A-2), in place: it updates W^L first, and takes the hidden δ from
// the updated weights, where A.65 takes it from those before the step. The two
// give different weights after one sample already. This one is not gradient
// descent on E, if close to it for a small η.
func StepListing(net Network, x, y Vector, rate float64) {
	p := Forward(net, x)
	L := net.L()
	d := OutputDelta(net.G, y, p.A[L], p.Z[L])
	for l := L; l >= 2; l-- {
		UpdateWeights(net.W[l], d, p.A[l-1], rate)
		if net.B != nil {
			UpdateBias(net.B[l], d, rate)
		}
		if l > 2 {
			d = HiddenDelta(net.G, net.W[l], d, p.Z[l-1])
		}
	}
}
