// Package kernel has the vector kernels of the CPU machine: the loops in which
// a step of gradient descent spends its time, for float32 and float64, in
// AVX-512, AVX2 and pure Go.
//
// # Layout
//
// A matrix is stored by rows. Its rows are padded to Pad columns, a multiple
// of 64 bytes, so that kernels work on whole vectors only; n, the distance of
// rows, includes the padding. A vector that goes with rows, column by column,
// is padded to n too. SparseDot, SparseAxpy, VecMat and Rank1 also take it cut
// to Width columns, a multiple of 32 bytes: they then leave out the rest of
// the padding, which saves time, and n is Pad of its length. A vector with one
// element for each row (z, b of MatVec, d of VecMat and Rank1) has as many
// elements as there are rows.
//
// # Padding
//
// Elements of padding are zeros, and every kernel keeps them so: Sigmoid and
// Tanh take the number of columns that are real, and write zeros behind them;
// with a = 0 there, the deltas are zero there; and with deltas and activations
// zero, so are the updates of weights and biases.
//
// # Contract
//
// Vectors of one call may not overlap, but where a kernel says so. Any
// alignment is right; memory from Aligned is fastest. Empty vectors are fine.
// A kernel's result depends on the values of its inputs only, not on where
// they lie. Sets differ from each other by rounding: the order of the
// additions and the fused multiply-adds are a set's own.
//
// Lengths that do not fit are a fault of the caller: the functions of a Set
// panic with "BUG: kernel: …". What they do not check is each index of a
// sparse row: it is ascending, and the last one is checked. Whoever builds
// sparse rows sees to the order once.
//
//	for _, s := range kernel.Float32()[:1] { // the fastest
//		s.SparseDot(z, b, w, idx, val) // z = b + Wᵀ·x
//		s.Sigmoid(a, z, 50)
//	}
package kernel

import (
	"fmt"
	"unsafe"
)

// Float is an element type.
type Float interface{ float32 | float64 }

// Set is one implementation of all kernels for one element type. n is the
// distance of rows in elements.
type Set[T Float] struct {
	Name string // "avx512", "avx2" or "go"

	// SparseDot is z[j] = b[j] + Σ_k val[k]·w[idx[k]·n + j], n = Pad(len(z)).
	// b may be z.
	SparseDot func(z, b, w []T, idx []uint16, val []T)

	// SparseAxpy is w[idx[k]·n + j] += val[k]·g[j], n = Pad(len(g)). The
	// indices are different ones; the last k goes first, so that a row which
	// SparseDot read late is still in the cache.
	SparseAxpy func(w, g []T, idx []uint16, val []T)

	// MatVec is z[i] = b[i] + Σ_j w[i·n + j]·a[j], n = len(a). b may be z.
	MatVec func(z, b, w, a []T)

	// VecMat is g[j] = Σ_i d[i]·w[i·n + j], n = Pad(len(g)).
	VecMat func(g, w, d []T)

	// Rank1 is w[i·n + j] += d[i]·a[j], n = Pad(len(a)).
	Rank1 func(w, d, a []T)

	// Axpy is y[j] += alpha·x[j]; the length is a multiple of Pad(1).
	Axpy func(y, x []T, alpha T)

	// Sigmoid is a[j] = 1/(1 + e^−z[j]) for j < n, and 0 for n ≤ j < len(a).
	// a may be z.
	//
	// Bounds, against the exact value: float32 2.5 ulp for z ≥ −87; below, the
	// result is between 0 and σ(−87), 1.7e-38. float64 2.5 ulp for z ≥ −708;
	// below, between 0 and σ(−708), 3.4e-308. NaN gives NaN.
	Sigmoid func(a, z []T, n int)

	// Tanh is a[j] = tanh(z[j]) for j < n, and 0 for n ≤ j < len(a). a may be
	// z. Bounds: float32 3 ulp, float64 3 ulp. NaN gives NaN.
	Tanh func(a, z []T, n int)

	// SigmoidDelta is d[j] = g[j]·a[j]·(1 − a[j]): A.65 with g = Wᵀ·δ, where a
	// is from Sigmoid. d may be g.
	SigmoidDelta func(d, g, a []T)

	// TanhDelta is d[j] = g[j]·(1 − a[j]²): A.65 with g = Wᵀ·δ, where a is from
	// Tanh. d may be g.
	TanhDelta func(d, g, a []T)

	// SigmoidOutputDelta is d[j] = alpha·(a[j] − y[j])·a[j]·(1 − a[j]): A.64
	// times alpha. With alpha = −η all deltas that follow from d are the
	// updates of A.62 and A.63 already.
	SigmoidOutputDelta func(d, a, y []T, alpha T)

	// TanhOutputDelta is d[j] = alpha·(a[j] − y[j])·(1 − a[j]²): A.64 times
	// alpha.
	TanhOutputDelta func(d, a, y []T, alpha T)

	// Prefetch asks the processor to bring a sparse row into its first cache:
	// the next sample's, while this one's is at work. It changes nothing.
	Prefetch func(idx []uint16, val []T)
}

// Float32 returns the sets for float32 that this processor can run, the
// fastest first. The last one is always "go".
func Float32() []Set[float32] { return checkedAll(append(native32(), goSet[float32]())) }

// Float64 returns the sets for float64 that this processor can run, the
// fastest first. The last one is always "go".
func Float64() []Set[float64] { return checkedAll(append(native64(), goSet[float64]())) }

// alignment of rows in bytes: a cache line, and the longest vector.
const alignment = 64

// Pad returns the length of a row with n columns: n, rounded up to 64 bytes.
func Pad[T Float](n int) int {
	lanes := lanes[T]()
	return (n + lanes - 1) / lanes * lanes
}

// Width returns the length of a vector beside rows with n columns: n, rounded
// up to 32 bytes. It is at most Pad(n).
func Width[T Float](n int) int {
	half := lanes[T]() / 2
	return (n + half - 1) / half * half
}

// lanes returns the number of elements in 64 bytes.
func lanes[T Float]() int {
	var t T
	return alignment / int(unsafe.Sizeof(t))
}

// Aligned returns n zeros that begin at a multiple of 64 bytes.
func Aligned[T Float](n int) []T {
	if n == 0 {
		return nil
	}
	m := lanes[T]()
	s := make([]T, n+m-1)
	past := int(uintptr(unsafe.Pointer(unsafe.SliceData(s))) % alignment)
	skip := (alignment - past) % alignment * m / alignment
	return s[skip : skip+n : skip+n]
}

// Large returns n zeros for data that is read in no order: on huge pages where
// the system has them, so that a read needs no walk through page tables.
func Large[E uint16 | float32 | float64](n int) []E {
	s := make([]E, n)
	if n > 0 {
		adviseHuge(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), n*int(unsafe.Sizeof(s[0]))))
	}
	return s
}

func checkedAll[T Float](sets []Set[T]) []Set[T] {
	for i := range sets {
		sets[i] = checked(sets[i])
	}
	return sets
}

// checked returns s with the lengths of the arguments checked.
func checked[T Float](s Set[T]) Set[T] {
	odd := lanes[T]() - 1    // the bits of a length that are no whole vectors
	half := lanes[T]()/2 - 1 // or no half ones
	return Set[T]{
		Name: s.Name,
		SparseDot: func(z, b, w []T, idx []uint16, val []T) {
			n := len(z)
			if len(b) != n || n&half != 0 || outside(len(w), (n+odd)&^odd, idx, len(val)) {
				panic(fmt.Sprintf("BUG: kernel: SparseDot: z %d, b %d, w %d, idx %d, val %d", n, len(b), len(w), len(idx), len(val)))
			}
			s.SparseDot(z, b, w, idx, val)
		},
		SparseAxpy: func(w, g []T, idx []uint16, val []T) {
			n := len(g)
			if n&half != 0 || outside(len(w), (n+odd)&^odd, idx, len(val)) {
				panic(fmt.Sprintf("BUG: kernel: SparseAxpy: w %d, g %d, idx %d, val %d", len(w), n, len(idx), len(val)))
			}
			s.SparseAxpy(w, g, idx, val)
		},
		MatVec: func(z, b, w, a []T) {
			if len(b) != len(z) || len(a)&odd != 0 || len(w) != len(z)*len(a) {
				panic(fmt.Sprintf("BUG: kernel: MatVec: z %d, b %d, w %d, a %d", len(z), len(b), len(w), len(a)))
			}
			s.MatVec(z, b, w, a)
		},
		VecMat: func(g, w, d []T) {
			if len(g)&half != 0 || len(w) != (len(g)+odd)&^odd*len(d) {
				panic(fmt.Sprintf("BUG: kernel: VecMat: g %d, w %d, d %d", len(g), len(w), len(d)))
			}
			s.VecMat(g, w, d)
		},
		Rank1: func(w, d, a []T) {
			if len(a)&half != 0 || len(w) != (len(a)+odd)&^odd*len(d) {
				panic(fmt.Sprintf("BUG: kernel: Rank1: w %d, d %d, a %d", len(w), len(d), len(a)))
			}
			s.Rank1(w, d, a)
		},
		Axpy: func(y, x []T, alpha T) {
			if len(x) != len(y) || len(y)&odd != 0 {
				panic(fmt.Sprintf("BUG: kernel: Axpy: y %d, x %d", len(y), len(x)))
			}
			s.Axpy(y, x, alpha)
		},
		Sigmoid:            checkedActivation("Sigmoid", s.Sigmoid),
		Tanh:               checkedActivation("Tanh", s.Tanh),
		SigmoidDelta:       checkedDelta("SigmoidDelta", s.SigmoidDelta),
		TanhDelta:          checkedDelta("TanhDelta", s.TanhDelta),
		SigmoidOutputDelta: checkedOutputDelta("SigmoidOutputDelta", s.SigmoidOutputDelta),
		TanhOutputDelta:    checkedOutputDelta("TanhOutputDelta", s.TanhOutputDelta),
		Prefetch:           s.Prefetch,
	}
}

// outside reports whether the last row of idx lies outside of w.
func outside(w, n int, idx []uint16, val int) bool {
	k := len(idx)
	return k != val || k > 0 && (int(idx[k-1])+1)*n > w
}

func checkedActivation[T Float](name string, f func(a, z []T, n int)) func(a, z []T, n int) {
	odd := lanes[T]() - 1
	return func(a, z []T, n int) {
		if len(z) != len(a) || len(a)&odd != 0 || uint(n) > uint(len(a)) {
			panic(fmt.Sprintf("BUG: kernel: %s: a %d, z %d, n %d", name, len(a), len(z), n))
		}
		f(a, z, n)
	}
}

func checkedDelta[T Float](name string, f func(d, g, a []T)) func(d, g, a []T) {
	odd := lanes[T]() - 1
	return func(d, g, a []T) {
		if len(g) != len(d) || len(a) != len(d) || len(d)&odd != 0 {
			panic(fmt.Sprintf("BUG: kernel: %s: d %d, g %d, a %d", name, len(d), len(g), len(a)))
		}
		f(d, g, a)
	}
}

func checkedOutputDelta[T Float](name string, f func(d, a, y []T, alpha T)) func(d, a, y []T, alpha T) {
	odd := lanes[T]() - 1
	return func(d, a, y []T, alpha T) {
		if len(a) != len(d) || len(y) != len(d) || len(d)&odd != 0 {
			panic(fmt.Sprintf("BUG: kernel: %s: d %d, a %d, y %d", name, len(d), len(a), len(y)))
		}
		f(d, a, y, alpha)
	}
}
