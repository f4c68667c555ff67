//go:build amd64 && !noasm

package kernel

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// The sets that Float32 and Float64 return on other processors than this one.
func others32() []Set[float32] { return other(f32AVX512(!storesHalves)) }

func others64() []Set[float64] { return other(f64AVX512(!storesHalves)) }

func other[T Float](s Set[T]) []Set[T] {
	if !hasAVX512 {
		return nil
	}
	s.Name = "avx512 of other processors"
	return checkedAll([]Set[T]{s})
}

// TestHalves: updates with vectors of 32 and of 64 bytes give the same bits.
func TestHalves(t *testing.T) {
	if !hasAVX512 {
		t.Skip("this processor has no AVX-512")
	}
	t.Run("float32", func(t *testing.T) { testHalves(t, f32AVX512(false), f32AVX512(true)) })
	t.Run("float64", func(t *testing.T) { testHalves(t, f64AVX512(false), f64AVX512(true)) })
}

func testHalves[T Float](t *testing.T, wide, halves Set[T]) {
	for _, k := range linearKernels[T]() {
		for n := Width[T](1); n < 300; n += Width[T](1) {
			run := func(s Set[T]) []T {
				rng := rand.New(rand.NewPCG(5, 6))
				in := inputs[T]{next: func() T { return T(rng.NormFloat64()) }}
				got, _, _, _ := k.run(s, in, n, 23, pixels(11, 23))
				return got
			}
			if (k.name == "SparseAxpy" || k.name == "Rank1") && !slices.Equal(run(wide), run(halves)) {
				t.Errorf("%s: different bits with %d columns", k.name, n)
			}
		}
	}
}
