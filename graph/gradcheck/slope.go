package gradcheck

import (
	"math"

	"trainer/graph/delta"
)

// firstStep is the first step size. The two errors in slopes.at balance near
// h = ε^(1/5) = 6e-4, where ε = 2^−53, and slopes.at halves the step at least once.
// The step is a power of two, so only p + h and p − h are rounded, by 2^−53 |p|,
// which is about 1e-13 of the step.
const firstStep = 0x1p-9

// slopes takes central differences of the mean cost A.46 of a mini-batch.
type slopes struct {
	net       delta.Network
	ys        []delta.Vector
	passes    []delta.Pass // forward passes at the unchanged parameters
	costError float64      // bound on the rounding error of the cost
}

func newSlopes(net delta.Network, xs, ys []delta.Vector, costError float64) *slopes {
	s := &slopes{net: net, ys: ys, costError: costError}
	for _, x := range xs {
		s.passes = append(s.passes, delta.Forward(net, x))
	}
	return s
}

// at returns ∂E/∂p for the parameter p, which is w_ij of W^l, or b_i of b^l if
// bias. It also returns a bound on the absolute rounding error of the result.
//
// With D(h) = (E(p+h) − E(p−h)) / 2h, Taylor's theorem gives
//
//	D(h) = E' + h²/6 E⁽³⁾ + h⁴/120 E⁽⁵⁾ + …
//
// The usual choice is D(h) with h ≈ ε^(1/3) = 5e-6. Its errors h²E⁽³⁾/6 and εE/h
// are both about 3e-11, which is 1e-6 of a gradient of 3e-5. Gradients of the
// first layer are that small, so this is not accurate enough. A second step
// eliminates the h² term: D = (4D(h) − D(2h)) / 3, a central difference with four
// points. Its errors are
//
//	truncation  h⁴/30 E⁽⁵⁾
//	rounding    (2·8 + 2·1)/12 e/h = 3/2 e/h, where e is the error of one E
//
// They balance near h = ε^(1/5), at about 1e-12.
//
// The right h depends on the parameter: a large input or weight increases the
// higher derivatives of E. So at halves h until D changes by less than a tenth of
// BoundDifferences, or by no more than its rounding error. The truncation error of
// the new D is a 16th of that of the old D, and so a 15th of the change.
func (s *slopes) at(l, i, j int, bias bool) (slope, roundingError float64) {
	p := &s.net.W[l][i][j]
	if bias {
		p = &s.net.B[l][i]
	}
	saved := *p
	defer func() { *p = saved }()
	difference := func(h float64) float64 {
		*p = saved + h
		plus := s.cost(l, i)
		*p = saved - h
		return (plus - s.cost(l, i)) / (2 * h)
	}
	const halvings = 16
	h := firstStep
	near, far := difference(h), difference(2*h)
	slope = (4*near - far) / 3
	for range halvings {
		h /= 2
		near, far = difference(h), near
		last := slope
		slope = (4*near - far) / 3
		roundingError = 1.5 * s.costError / h
		if math.Abs(slope-last) <= max(BoundDifferences/10*math.Abs(slope), roundingError) {
			break
		}
	}
	return slope, roundingError
}

// cost returns the mean cost at the current parameters. Only row i of layer l may
// differ from the unchanged parameters, so cost takes the values of the layers
// before l, and the other nodes of layer l, from s.passes.
func (s *slopes) cost(l, i int) float64 {
	sum := 0.0
	for k, p := range s.passes {
		z := append(delta.Vector(nil), p.Z[l]...)
		z[i] = delta.Times(s.net.W[l][i:i+1], p.A[l-1])[0]
		if s.net.B != nil {
			z[i] += s.net.B[l][i]
		}
		a := delta.Apply(s.net.G.G, z)
		for up := l + 1; up <= s.net.L(); up++ {
			z = delta.Times(s.net.W[up], a)
			if s.net.B != nil {
				z = delta.Plus(z, s.net.B[up])
			}
			a = delta.Apply(s.net.G.G, z)
		}
		sum += delta.Cost(s.ys[k], a)
	}
	return sum / float64(len(s.passes))
}
