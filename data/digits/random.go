package digits

import "math/rand/v2"

// The same seed gives the same bytes on every platform. Two rules keep it so:
//
//   - Only + − · / and the square root are used, which IEEE 754 rounds
//     exactly. math.Sin, Exp and the like may differ in the last bit.
//   - A product is written mul(x, y). In x*y + z the compiler may round once
//     (a fused multiply-add on arm64, ppc64, s390x) or twice (amd64).

// mul returns x·y. The conversion forbids the compiler to fuse the product
// with a sum.
func mul(x, y float64) float64 { return float64(x * y) }

// random draws from a stream with arithmetic that is fixed here: the methods
// of rand.Rand beyond Uint64 may differ between platforms.
type random struct{ *rand.Rand }

// unit returns a number in [0, 1).
func (r random) unit() float64 { return float64(r.Uint64()>>11) / (1 << 53) }

// between returns a number in [a, b).
func (r random) between(a, b float64) float64 { return a + mul(b-a, r.unit()) }

// below returns an integer in [0, n).
func (r random) below(n int) int { return int(mul(r.unit(), float64(n))) }

// chance reports true with probability p.
func (r random) chance(p float64) bool { return r.unit() < p }

// bell returns a number with mean 0, variance 1 and magnitude at most 3: the
// sum of three uniform numbers of variance 1/3, nearly normal.
func (r random) bell() float64 {
	return r.between(-1, 1) + r.between(-1, 1) + r.between(-1, 1)
}

// spread returns mean + sd·bell.
func (r random) spread(mean, sd float64) float64 { return mean + mul(sd, r.bell()) }
