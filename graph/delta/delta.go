package delta

// Cost returns the cost of one sample with target y and output a = a^L:
//
//	E = ½ ‖y − a‖²
//	  = ½ Σ_k (y_k − a_k)²                                            (A.45)
//
// The text prints the first line without the square. This is an error: the
// second line has the square, and the derivation uses it.
func Cost(y, a Vector) float64 {
	sum := 0.0
	for k := range y {
		sum += (y[k] - a[k]) * (y[k] - a[k])
	}
	return sum / 2
}

// MeanCost returns the cost of N samples, the mean of their costs:
//
//	E_t = 1/N Σ_i E_i                                                 (A.46)
func MeanCost(net Network, xs, ys []Vector) float64 {
	sum := 0.0
	for i := range xs {
		sum += Cost(ys[i], Output(net, xs[i]))
	}
	return sum / float64(len(xs))
}

// DescendWeights takes a step of gradient descent for the weights of one layer, in
// place:
//
//	W^l ← W^l − η ∂E_t/∂W^l                                           (A.47)
//
// By A.46, ∂E_t/∂W^l = 1/N Σ_i ∂E_i/∂W^l: see MeanGradients. rate is η.
func DescendWeights(w, grad Matrix, rate float64) {
	for i := range w {
		for j := range w[i] {
			w[i][j] -= rate * grad[i][j]
		}
	}
}

// DescendBias takes a step of gradient descent for the bias of one layer, in
// place:
//
//	b^l ← b^l − η ∂E_t/∂b^l                                           (A.48)
func DescendBias(b, grad Vector, rate float64) {
	for i := range b {
		b[i] -= rate * grad[i]
	}
}

// MeanGradients returns the mean of the gradients of N samples. By A.46 this is
// the gradient of the mean cost, the sum in the second lines of A.47 and A.48:
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

// OutputWeightElement returns the derivative with respect to one weight of the
// output layer. Only the term (y_i − a_i)² of E depends on w_ij, through z_i, and
// ∂z_i/∂w_ij = a_j^(L−1). The chain rule gives
//
//	∂E/∂w_ij^L = −(y_i − a_i^L) g'(z_i^L) a_j^(L−1)                   (A.49)
func OutputWeightElement(g Activation, y, a, z, aPrev Vector, i, j int) float64 {
	return -(y[i] - a[i]) * g.Prime(z[i]) * aPrev[j]
}

// NodeDelta returns δ of one node from its definition. The chain rule through
// a_i = g(z_i) gives
//
//	δ_i^l = ∂E/∂z_i^l = ∂E/∂a_i^l g'(z_i^l)                           (A.50)
//
// dEda is ∂E/∂a_i^l and z is z_i^l.
func NodeDelta(g Activation, dEda, z float64) float64 {
	return dEda * g.Prime(z)
}

// WeightElement returns the derivative with respect to one weight, expressed with
// δ:
//
//	∂E/∂w_ij^L = ∂E/∂z_i^L ∂z_i^L/∂w_ij^L = δ_i^L a_j^(L−1)           (A.51)
//
// The same argument holds for a hidden layer:
//
//	∂E/∂w_ij^l = δ_i^l a_j^(l−1),    2 ≤ l ≤ L−1                      (A.56)
func WeightElement(delta, aPrev Vector, i, j int) float64 {
	return delta[i] * aPrev[j]
}

// OutputDeltaElement returns δ of one output node. It is A.50 with
// ∂E/∂a_i = −(y_i − a_i), which follows from A.45:
//
//	δ_i^L = −(y_i − a_i^L) g'(z_i^L),    1 ≤ i ≤ n^L                  (A.52)
func OutputDeltaElement(g Activation, y, a, z Vector, i int) float64 {
	return -(y[i] - a[i]) * g.Prime(z[i])
}

// OutputWeightElements returns A.51 for all weights of the output layer,
// n^L × n^(L−1):
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

// OutputDelta returns δ^L, which has n^L entries. It is A.52 for the whole layer:
//
//	δ^L = −(y − a^L) ⊙ g'(z^L)                              (A.54 and A.64)
func OutputDelta(g Activation, y, a, z Vector) Vector {
	return Hadamard(Scale(-1, Minus(y, a)), Apply(g.Prime, z))
}

// WeightGradient returns the gradient of the weights of one layer, n^l × n^(l−1).
// It is A.53 as a product of a column and a row:
//
//	∇_{W^L} E = δ^L (a^(L−1))ᵀ                                        (A.55)
//
// By A.56 it holds for every layer l = 2 … L.
func WeightGradient(delta, aPrev Vector) Matrix {
	return Outer(delta, aPrev)
}

// HiddenSlope returns the derivative of z_j of layer l+1 with respect to z_i of
// layer l. Since z_j^(l+1) = Σ_i w_ji^(l+1) g(z_i^l) + b_j^(l+1),
//
//	∂z_j^(l+1)/∂z_i^l = w_ji^(l+1) g'(z_i^l)         (between A.57 and A.58)
//
// wNext is W^(l+1) and z is z^l.
func HiddenSlope(g Activation, wNext Matrix, z Vector, j, i int) float64 {
	return wNext[j][i] * g.Prime(z[i])
}

// HiddenDeltaChain returns δ of one hidden node. The cost depends on z_i^l through
// every z_j^(l+1), so the chain rule gives
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

// HiddenDeltaElement returns δ of one hidden node. It is A.57 with the slope
// inserted; the factor g'(z_i^l) does not depend on j and moves out of the sum:
//
//	δ_i^l = (Σ_j δ_j^(l+1) w_ji^(l+1)) g'(z_i^l)                      (A.58)
func HiddenDeltaElement(g Activation, wNext Matrix, deltaNext, z Vector, i int) float64 {
	sum := 0.0
	for j := range deltaNext {
		sum += deltaNext[j] * wNext[j][i]
	}
	return sum * g.Prime(z[i])
}

// HiddenDelta returns δ^l, which has n^l entries. It is A.58 for the whole layer.
// The index j counts the rows of W^(l+1), so the sum over j is a product with the
// transpose, n^l × n^(l+1):
//
//	δ^l = ((W^(l+1))ᵀ δ^(l+1)) ⊙ g'(z^l),  l = 2 … L−1      (A.59 and A.65)
func HiddenDelta(g Activation, wNext Matrix, deltaNext, z Vector) Vector {
	return Hadamard(TransposeTimes(wNext, deltaNext), Apply(g.Prime, z))
}

// BiasElement returns the derivative with respect to one bias. Since
// ∂z_i^l/∂b_i^l = 1,
//
//	∂E/∂b_i^l = ∂E/∂z_i^l ∂z_i^l/∂b_i^l = δ_i^l                       (A.60)
func BiasElement(delta Vector, i int) float64 {
	return delta[i]
}

// BiasGradient returns the gradient of the bias of one layer, which has n^l
// entries. It is A.60 for the whole layer:
//
//	∇_{b^l} E = δ^l                                                   (A.61)
func BiasGradient(delta Vector) Vector {
	return Scale(1, delta)
}

// UpdateWeights updates the weights of one layer for one sample, in place. It is
// A.47 with A.55 inserted:
//
//	W^l ← W^l − η δ^l (a^(l−1))ᵀ                                      (A.62)
func UpdateWeights(w Matrix, delta, aPrev Vector, rate float64) {
	DescendWeights(w, WeightGradient(delta, aPrev), rate)
}

// UpdateBias updates the bias of one layer for one sample, in place. It is A.48
// with A.61 inserted:
//
//	b^l ← b^l − η δ^l                                                 (A.63)
func UpdateBias(b, delta Vector, rate float64) {
	DescendBias(b, BiasGradient(delta), rate)
}

// Deltas returns δ^l of one sample for l = 2 … L. It computes them backwards: A.64
// for the output layer, then A.65 for each layer before it.
func Deltas(net Network, p Pass, y Vector) []Vector {
	L := net.L()
	d := make([]Vector, L+1)
	d[L] = OutputDelta(net.G, y, p.A[L], p.Z[L])
	for l := L - 1; l >= 2; l-- {
		d[l] = HiddenDelta(net.G, net.W[l+1], d[l+1], p.Z[l])
	}
	return d
}

// Backpropagate returns the gradients of the cost of one sample. It uses A.64 and
// A.65 for δ, and A.55 and A.61 for the gradients.
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

// MeanOfProducts returns the gradient of the weights of one layer for a
// mini-batch S, n^l × n^(l−1). The text changes only A.64 for a mini-batch, and
// keeps the other equations:
//
//	δ^L = −1/|S| Σ_s (y^s − a^{s,L}) ⊙ g'(z^L)            (A.66, as printed)
//
// This is an error. By A.46 and A.55 the gradient of the mean cost is the mean of
// the products of each sample's δ with the same sample's a:
//
//	∇_{W^l} E = 1/|S| Σ_s δ^{s,l} (a^{s,l−1})ᵀ              (A.66, as meant)
//
// In general the mean of products is not the product of the means. Nor does the
// text say which sample's a^(l−1) and z^l go with the printed mean of δ. So each
// sample keeps its own δ through all layers, by A.64 and A.65, and this function
// takes the mean of the products. (A bias has no factor a, so its gradient is the
// mean of δ^l: see MiniBatch.)
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

// MiniBatch returns the mean cost (A.46) of the samples xs with targets ys, and
// its gradients: A.66 for the weights, and the mean of δ^l for the biases. There
// must be at least one sample.
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

// Step takes a step of gradient descent for all layers, by A.47 and A.48, in
// place. grad holds the gradients at the parameters before the step.
func Step(net Network, grad Gradients, rate float64) {
	for l := 2; l <= net.L(); l++ {
		DescendWeights(net.W[l], grad.W[l], rate)
		if net.B != nil {
			DescendBias(net.B[l], grad.B[l], rate)
		}
	}
}

// StepSample takes a step for one sample, by A.62 to A.65, in place. It computes
// every δ from the weights before the step and then updates all layers.
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

// StepListing takes a step for one sample in the order of the textbook's program
// (listing A-2), in place. The program updates W^L first and then computes the
// hidden δ from the updated weights. This is an error: A.65 uses the weights
// before the step. The two rules give different weights after a single sample.
// The listing's rule is not gradient descent on E, but it is close to it for a
// small η.
//
// The comments of the listing cite the wrong equations: A.62, A.60 and A.63 where
// A.64, A.62 and A.65 are meant.
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
