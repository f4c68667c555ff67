package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// ulp32 returns the spacing of normal float32 numbers near x.
func ulp32(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e, -125)-24)
}

// ulp64 returns the spacing of normal float64 numbers near x.
func ulp64(x float64) float64 {
	_, e := math.Frexp(x)
	return math.Ldexp(1, max(e, -1021)-53)
}

// activation is Sigmoid or Tanh, and its reference in float64.
type activation[T Float] struct {
	name  string
	f     func(Set[T]) func(a, z []T, n int)
	exact func(z float64) float64
}

func activations[T Float]() []activation[T] {
	return []activation[T]{
		{"Sigmoid", func(s Set[T]) func(a, z []T, n int) { return s.Sigmoid },
			func(z float64) float64 { return 1 / (1 + math.Exp(-z)) }},
		{"Tanh", func(s Set[T]) func(a, z []T, n int) { return s.Tanh }, math.Tanh},
	}
}

// ulps holds the documented error bounds, in ulp.
var ulps = map[string]float64{"Sigmoid": 2.5, "Tanh": 3}

// TestActivations32 tests every 1,009th float32, and a dense grid around zero.
func TestActivations32(t *testing.T) {
	step := uint64(1009)
	if testing.Short() {
		step *= 64
	}
	var zs []float32
	for bits := uint64(0); bits <= math.MaxUint32; bits += step {
		zs = append(zs, math.Float32frombits(uint32(bits)))
	}
	for z := float32(-20); z < 20; z += 1. / 1024 {
		zs = append(zs, z)
	}
	zs = append(zs, -87, -87.33, -87.34, -88, -88.37, -88.38, -89, -103.5, -104, 87, 88.4, 104)
	n := len(zs)
	z, a := Aligned[float32](Pad[float32](n)), Aligned[float32](Pad[float32](n))
	copy(z, zs)
	for _, s := range Float32() {
		for _, k := range activations[float32]() {
			k.f(s)(a, z, n)
			worst, at := 0.0, float32(0)
			for i, z := range zs {
				got, want := float64(a[i]), k.exact(float64(z))
				switch {
				case want != want:
					if got == got {
						t.Fatalf("%s/%s(NaN) is %g", s.Name, k.name, got)
					}
				case k.name == "Sigmoid" && z < -87:
					if !(got >= 0 && got <= 1.7e-38) {
						t.Fatalf("%s/%s(%g) is %g, want 0 to 1.7e-38", s.Name, k.name, z, got)
					}
				default:
					e := math.Abs(got-want) / ulp32(want)
					if !(e <= ulps[k.name]) {
						t.Fatalf("%s/%s(%g) is %g, want %g: %.2f ulp", s.Name, k.name, z, got, want, e)
					}
					if e > worst {
						worst, at = e, z
					}
				}
			}
			t.Logf("%s/%s: at most %.2f ulp, at %g", s.Name, k.name, worst, at)
		}
	}
}

// bigExp returns e^x to about 110 bits. It sums the Taylor series of e^(x/2^k) and
// squares the sum k times.
func bigExp(x float64) *big.Float {
	const precision, terms = 160, 24
	k := max(0, math.Ilogb(x)+4)
	r := new(big.Float).SetPrec(precision).SetFloat64(math.Ldexp(x, -k))
	sum := new(big.Float).SetPrec(precision).SetInt64(1)
	for i := terms; i > 0; i-- { // 1 + r/1·(1 + r/2·(1 + …))
		sum.Mul(sum, r)
		sum.Quo(sum, new(big.Float).SetInt64(int64(i)))
		sum.Add(sum, new(big.Float).SetInt64(1))
	}
	for range k {
		sum.Mul(sum, sum)
	}
	return sum
}

// bigActivation returns σ(z) or tanh(z), rounded once.
func bigActivation(name string, z float64) float64 {
	one := new(big.Float).SetPrec(160).SetInt64(1)
	x := -z
	if name == "Tanh" {
		x *= 2
	}
	e := bigExp(x)
	num := one
	if name == "Tanh" { // (1 − e^−2z)/(1 + e^−2z)
		num = new(big.Float).Sub(one, e)
	}
	v, _ := new(big.Float).Quo(num, new(big.Float).Add(one, e)).Float64()
	return v
}

// TestActivations64 compares the activations of random float64 with references in
// multiple precision.
func TestActivations64(t *testing.T) {
	n := 20000
	if testing.Short() {
		n = 1000
	}
	rng := rand.New(rand.NewPCG(8, 9))
	z, a := Aligned[float64](n), Aligned[float64](n)
	want := map[string][]float64{"Sigmoid": make([]float64, n), "Tanh": make([]float64, n)}
	for i := range z {
		switch i % 4 {
		case 0:
			z[i] = 8 * rng.NormFloat64()
		case 1:
			z[i] = 700 * (2*rng.Float64() - 1)
		case 2:
			z[i] = math.Ldexp(2*rng.Float64()-1, -rng.IntN(20))
		default: // near k·ln 2/2, where the argument reduction changes k
			z[i] = math.Ln2 / 2 * (float64(rng.IntN(60)-30) + 1e-3*rng.NormFloat64())
		}
		for name, w := range want {
			w[i] = bigActivation(name, z[i])
		}
	}
	for _, s := range Float64() {
		for _, k := range activations[float64]() {
			k.f(s)(a, z, n)
			worst, at := 0.0, 0.0
			for i, w := range want[k.name] {
				e := math.Abs(a[i]-w) / ulp64(w)
				if !(e <= ulps[k.name]) {
					t.Fatalf("%s/%s(%g) is %g, want %g: %.2f ulp", s.Name, k.name, z[i], a[i], w, e)
				}
				if e > worst {
					worst, at = e, z[i]
				}
			}
			t.Logf("%s/%s: at most %.2f ulp, at %g", s.Name, k.name, worst, at)
		}
	}
}

// TestActivationLimits tests zeros, infinities, NaN and the ends of the range.
func TestActivationLimits(t *testing.T) {
	t.Run("float32", func(t *testing.T) { testLimits(t, Float32(), math.MaxFloat32, math.SmallestNonzeroFloat32, 1.7e-38) })
	t.Run("float64", func(t *testing.T) { testLimits(t, Float64(), math.MaxFloat64, math.SmallestNonzeroFloat64, 3.4e-308) })
}

func testLimits[T Float](t *testing.T, sets []Set[T], largest, smallest, tail float64) {
	inf, negZero := math.Inf(1), math.Copysign(0, -1)
	for _, s := range sets {
		for _, c := range []struct{ z, sigmoid, tanh float64 }{
			{0, 0.5, 0}, {negZero, 0.5, negZero}, {inf, 1, 1}, {-inf, 0, -1}, {largest, 1, 1}, {-largest, 0, -1},
			{smallest, 0.5, smallest}, {-smallest, 0.5, -smallest}, {800, 1, 1}, {-800, 0, -1},
		} {
			for n := range 3*lanes[T]() + 1 {
				z, a := Aligned[T](3*lanes[T]()), Aligned[T](3*lanes[T]())
				for j := range z {
					z[j] = T(math.NaN())
					if j < n {
						z[j] = T(c.z)
					}
				}
				check := func(name string, want float64) {
					for j, v := range a {
						got, want := float64(v), want
						if j >= n {
							want = 0
						}
						if name == "Sigmoid" && j < n && want == 0 && got >= 0 && got <= tail {
							continue
						}
						if got != want || math.Signbit(got) != math.Signbit(want) {
							t.Fatalf("%s/%s(%g) [%d], n = %d: %g, want %g", s.Name, name, c.z, j, n, got, want)
						}
					}
				}
				s.Sigmoid(a, z, n)
				check("Sigmoid", c.sigmoid)
				s.Tanh(a, z, n)
				check("Tanh", c.tanh)
				s.Tanh(z, z, n) // in place
				copy(a, z)
				check("Tanh in place", c.tanh)
			}
		}
		// A NaN in one lane must not affect the others.
		z, a := Aligned[T](lanes[T]()), Aligned[T](lanes[T]())
		z[1] = T(math.NaN())
		s.Sigmoid(a, z, len(z))
		if !math.IsNaN(float64(a[1])) || a[0] != 0.5 || a[2] != 0.5 {
			t.Errorf("%s/Sigmoid(0, NaN, 0) is %v", s.Name, a[:3])
		}
		s.Tanh(a, z, len(z))
		if !math.IsNaN(float64(a[1])) || a[0] != 0 || a[2] != 0 {
			t.Errorf("%s/Tanh(0, NaN, 0) is %v", s.Name, a[:3])
		}
	}
}
