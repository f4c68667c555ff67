package gradcheck

import (
	"math"

	"trainer/graph/delta"
)

// ulps is the error, in units of the unit roundoff, that is allowed for one
// function or a short chain of operations: e^z and the quotient in σ, tanh,
// a(1 − a), or a product of two or three factors.
const ulps = 4

// sumError returns a bound on the error of a sum of n products, in units of the
// unit roundoff times the magnitude of the terms, Σ|w||a|. In the worst case all n
// errors have the same sign, which gives n. In practice they behave like
// independent errors and grow like √n: Higham and Mary, A new approach to
// probabilistic rounding error analysis, SIAM J. Sci. Comput. 41 (2019), show that
// λ√n holds for all but a fraction 2exp(−λ²/2) of sums. sumError returns the
// smaller of 4√n and n. It holds for any order of summation, with or without fused
// multiply-adds.
func sumError(n int) float64 {
	return min(float64(n), 4*math.Sqrt(float64(n)))
}

// rounding bounds the rounding errors of the mean cost and of its gradients when
// they are evaluated with unit roundoff u. It is a running error analysis: it
// follows the equations of the evaluation, uses magnitudes in place of values, and
// adds the error of each operation. A product of two errors is included where both
// factors can consist entirely of error, as y − a and g' do when σ is flat. The
// final factor of 2 covers the other products of errors.
//
// Where σ is saturated, the absolute error of σ' = a(1 − a) is about that of a,
// which is much larger than u·σ'. A bound relative to the gradient alone would
// miss this.
//
// sigmoidOne is Report.SigmoidOne.
func rounding(net delta.Network, xs, ys []delta.Vector, u, sigmoidOne float64) (cost float64, grad delta.Gradients) {
	L, batch := net.L(), float64(len(xs))
	tiny := 0x1p-1022 / 0x1p-53 // underflow: the smallest normal number, in units of u
	if u == 0x1p-24 {
		tiny = 0x1p-126 / 0x1p-24
	}
	grad.W = make([]delta.Matrix, L+1)
	if net.B != nil {
		grad.B = make([]delta.Vector, L+1)
	}
	for l := 2; l <= L; l++ {
		rows, cols := len(net.W[l]), len(net.W[l][0])
		grad.W[l] = make(delta.Matrix, rows)
		for i := range grad.W[l] {
			grad.W[l][i] = make(delta.Vector, cols)
		}
		if net.B != nil {
			grad.B[l] = make(delta.Vector, rows)
		}
	}

	for s := range xs {
		p := delta.Forward(net, xs[s])
		d := delta.Deltas(net, p, ys[s])
		prime := make([]delta.Vector, L+1)                                 // g'(z^l)
		eA, ePrime := make([]delta.Vector, L+1), make([]delta.Vector, L+1) // their errors, in units of u
		eA[1] = make(delta.Vector, len(xs[s]))                             // inputs have no error
		for l := 2; l <= L; l++ {
			n := len(p.Z[l])
			prime[l] = delta.Apply(net.G.Prime, p.Z[l])
			eA[l], ePrime[l] = make(delta.Vector, n), make(delta.Vector, n)
			sum := sumError(len(net.W[l][0]) + 1)
			for i, row := range net.W[l] {
				// z = Σ w a + b
				eZ := tiny
				for j, w := range row {
					eZ += math.Abs(w) * (eA[l-1][j] + sum*math.Abs(p.A[l-1][j]))
				}
				if net.B != nil {
					eZ += sum * math.Abs(net.B[l][i])
				}
				// a = g(z), and g' as a(1 − a), 1 − a² or σ(z)σ(−z). |g''| ≤ 2g'.
				a, z := p.A[l][i], p.Z[l][i]
				eA[l][i] = prime[l][i]*eZ + ulps*math.Abs(a) + tiny
				ePrime[l][i] = 2*prime[l][i]*eZ + ulps*(prime[l][i]+2*a*a) + tiny
				if sigmoidOne > 0 && net.G.Name == delta.Sigmoid.Name {
					margin := sigmoidOne - 2*u*eZ
					if z > margin {
						eA[l][i] += (1 - a) / u
						ePrime[l][i] += (1 - a) / u
					}
					if z < -margin { // σ(−z) of σ(z)σ(−z)
						ePrime[l][i] += prime[l][i] * a / u
					}
				}
			}
		}

		// E = ½ Σ (y − a)²; δ^L = −(y − a) g'
		eD := make([]delta.Vector, L+1)
		eD[L] = make(delta.Vector, len(ys[s]))
		squares := sumError(len(ys[s]) + len(xs) + 2)
		for k, y := range ys[s] {
			r := math.Abs(y - p.A[L][k])
			eR := eA[L][k] + r
			cost += (r*eR + squares*r*r/2 + tiny) / batch
			eD[L][k] = eR*prime[L][k] + r*(ePrime[L][k]+ulps*prime[L][k]) + u*eR*ePrime[L][k] + tiny
		}
		// δ^l = (Wᵀ δ^(l+1)) g'
		for l := L - 1; l >= 2; l-- {
			eD[l] = make(delta.Vector, len(p.Z[l]))
			v := delta.TransposeTimes(net.W[l+1], d[l+1])
			sum := sumError(len(d[l+1]))
			for i := range v {
				eV := tiny
				for j, row := range net.W[l+1] {
					eV += math.Abs(row[i]) * (eD[l+1][j] + sum*math.Abs(d[l+1][j]))
				}
				eD[l][i] = eV*prime[l][i] + math.Abs(v[i])*(ePrime[l][i]+ulps*prime[l][i]) + u*eV*ePrime[l][i] + tiny
			}
		}
		// the means of δ aᵀ and of δ
		sum := sumError(len(xs)) + ulps
		for l := 2; l <= L; l++ {
			for i := range grad.W[l] {
				e, m := eD[l][i]/batch, math.Abs(d[l][i])/batch
				for j, a := range p.A[l-1] {
					grad.W[l][i][j] += e*(math.Abs(a)+u*eA[l-1][j]) + m*(eA[l-1][j]+sum*math.Abs(a)) + tiny
				}
				if net.B != nil {
					grad.B[l][i] += e + m*sum + tiny
				}
			}
		}
	}

	for l := 2; l <= L; l++ {
		for i := range grad.W[l] {
			grad.W[l][i] = delta.Scale(2*u, grad.W[l][i])
		}
		if net.B != nil {
			grad.B[l] = delta.Scale(2*u, grad.B[l])
		}
	}
	return 2 * u * cost, grad
}
