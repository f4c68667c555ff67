package digits

import "math/rand/v2"

// The same seed gives the same bytes on every platform. Two rules ensure this:
//
//   - The code uses only + − · / and the square root, which IEEE 754 rounds
//     correctly. math.Sin, math.Exp and others may differ in the last bit.
//   - A product is written mul(x, y). For x*y + z the compiler may round once
//     (a fused multiply-add on arm64, ppc64, s390x) or twice (amd64).

// mul returns x·y. The conversion prevents the compiler from fusing the product
// with an addition.
func mul(x, y float64) float64 { return float64(x * y) }

// random draws numbers from a stream. It uses only Uint64 of rand.Rand and does the
// arithmetic itself, because other methods of rand.Rand may give different results
// on different platforms.
type random struct{ *rand.Rand }

// unit returns a number in [0, 1).
func (r random) unit() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// between returns a number in [a, b).
func (r random) between(a, b float64) float64 { return a + mul(b-a, r.unit()) }

// below returns an integer in [0, n).
func (r random) below(n int) int { return int(mul(r.unit(), float64(n))) }

// chance reports true with probability p.
func (r random) chance(p float64) bool { return r.unit() < p }

// bell returns a nearly normal number with mean 0, variance 1 and magnitude at
// most 3: the sum of three uniform numbers, each with variance 1/3.
func (r random) bell() float64 {
	return r.between(-1, 1) + r.between(-1, 1) + r.between(-1, 1)
}

// spread returns mean + sd·bell.
func (r random) spread(mean, sd float64) float64 { return mean + mul(sd, r.bell()) }
