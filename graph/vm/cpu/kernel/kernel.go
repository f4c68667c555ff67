// Package kernel contains the vector kernels of the CPU machine: the loops in
// which a step of gradient descent spends its time. There is one set of kernels
// for each of AVX-512, AVX2 and pure Go, in float32 and in float64. README.md
// explains how the assembly is organised, generated and tested.
//
// # Layout
//
// Matrices are stored by rows. Each row is padded to a multiple of 64 bytes, so
// that kernels work on whole vectors only. The row stride n, in elements, includes
// the padding: n = Pad(columns). There are two kinds of vectors:
//
//   - A vector along a row has one element per column and is padded to n as well.
//     SparseDot, SparseAxpy, VecMat and Rank1 also accept such a vector with only
//     Width(columns) elements, a multiple of 32 bytes. They then skip the rest of
//     the padding, which saves time; n is Pad of the vector's length.
//   - A vector down the rows has one element per row and no padding: z and b of
//     MatVec, d of VecMat and Rank1.
//
// # Sparse rows
//
// A sparse row lists the inputs of a sample that are not zero. An entry has the input in
// its lower 16 bits, and in its upper 16 bits where its value is in a table: [Entry]
// makes one. Images share a table of 256 values, so an entry has four bytes instead of
// the six or ten that an input and its value have. A pass in random order waits for the
// memory of each sample, and this is less of it. In the comments of the kernels, input(e)
// and value(e) are those of an entry.
//
// # Split rows
//
// 50 columns of float32 are 200 bytes. In three cache lines and a rest they take less of
// the caches, and of the time to read and write them, than in four. So w may also be
// split: it has the first columns, as rows of whole cache lines, and tail has the rest, as
// rows of 16 bytes. A row of SplitDot and SplitAxpy, such as z, has both one after the
// other. [Set.Split] says which rows can be split.
//
// # Padding
//
// The padding is zero, and every kernel keeps it zero. Sigmoid and Tanh take the
// number of columns and write zeros after them. Where a is zero, the deltas are
// zero; where deltas and activations are zero, the updates of weights and biases
// are zero.
//
// # Matrix products
//
// [Set.Product] multiplies matrices with any strides, without a need for padding.
// It is for wide layers with mini-batches.
//
// # Contract
//
// The vectors of one call must not overlap, except where a kernel allows it. Any
// alignment is correct; memory from Aligned is fastest. Vectors may be empty. The
// result of a kernel depends only on the values of its arguments, not on their
// addresses. The sets round differently: each has its own order of additions
// and its own use of fused multiply-adds.
//
// The functions of a Set check the lengths of their arguments and panic with
// "BUG: kernel: …" if they do not match. The indices of a sparse row must be in
// ascending order. The functions do not check the order: they check only that the
// last index is in range. The builder of sparse rows must sort them, and their values
// must be in the table. [Set.Unchecked] is for calls that are like those before, because a
// check takes as long as a few additions.
//
//	s := kernel.Float32()[0]       // the fastest set
//	s.SparseDot(z, b, w, x, table) // z = b + Wᵀ·x
//	s.Sigmoid(a, z, 50)
package kernel

import (
	"fmt"
	"unsafe"
)

// Float is an element type.
type Float interface{ float32 | float64 }

// Set is an implementation of all kernels for one element type. In the comments of
// the kernels, n is the row stride in elements.
type Set[T Float] struct {
	Name string // "avx512", "avx2" or "go"

	unchecked *Set[T] // nil: this one

	// SparseDot is z[j] = b[j] + Σ_k value(x[k])·w[input(x[k])·n + j], n = Pad(len(z)).
	// b may be z.
	SparseDot func(z, b, w []T, x []uint32, table []T)

	// SparseAxpy is w[input(x[k])·n + j] += value(x[k])·g[j], n = Pad(len(g)). The
	// indices must be distinct. It visits the rows in reverse order, because
	// the rows that SparseDot read last are still in the cache.
	SparseAxpy func(w, g []T, x []uint32, table []T)

	// SplitDot is SparseDot, with the same bits, for split rows of w and tail.
	SplitDot func(z, b, w, tail []T, x []uint32, table []T)

	// SplitAxpy is SparseAxpy, with the same bits, for split rows of w and tail.
	SplitAxpy func(w, tail, g []T, x []uint32, table []T)

	// SparseMatMul is z[r·n + j] += Σ_k value(x[k])·w[input(x[k])·n + j] for
	// lo[r] ≤ k < hi[r] and j < width: the products of several sparse rows with
	// w. The sum starts from zero, in registers, and is added to z once. n is a
	// row stride, width is from Width.
	SparseMatMul func(z, w []T, n, width int, lo, hi []int, x []uint32, table []T)

	// SparseOuter is sum[(input(x[k]) − first)·m + j] += value(x[k])·d[r·n + j] and
	// touched[input(x[k]) − first] = 1 for lo[r] ≤ k < hi[r] and j < width, r in
	// ascending order: the sum of the outer products of several sparse rows with
	// the rows of d. sum and touched have the rows from first on. m and n are row
	// strides. The indices of a sparse row must be distinct.
	SparseOuter func(sum, d []T, touched []uint8, first, m, n, width int, lo, hi []int, x []uint32, table []T)

	// DrainRows is w[i·n + j] += sum[i·m + j], and then sum[i·m + j] = 0, for
	// j < width and those i < len(touched) for which touched[i] is not zero; then
	// touched[i] = 0. It adds the sums of SparseOuter to w. With a small
	// mini-batch, half of the rows are not touched.
	DrainRows func(w, sum []T, touched []uint8, n, m, width int)

	// MatVec is z[i] = b[i] + Σ_j w[i·n + j]·a[j], n = len(a). b may be z.
	MatVec func(z, b, w, a []T)

	// VecMat is g[j] = Σ_i d[i]·w[i·n + j], n = Pad(len(g)).
	VecMat func(g, w, d []T)

	// Rank1 is w[i·n + j] += d[i]·a[j], n = Pad(len(a)).
	Rank1 func(w, d, a []T)

	// Axpy is y[j] += alpha·x[j]; the length is a multiple of Pad(1).
	Axpy func(y, x []T, alpha T)

	// Drain is y[j] += x[j], and then x[j] = 0; the length is a multiple of Pad(1).
	Drain func(y, x []T)

	// Sigmoid is a[j] = 1/(1 + e^−z[j]) for j < n, and 0 for n ≤ j < len(a). a may be z.
	// Where σ(z) is subnormal, a[j] is about the smallest normal number (see SigmoidDelta).
	//
	// Error bounds: 2.5 ulp for z ≥ −87 in float32 and for z ≥ −708 in float64.
	// For smaller z the result is between 0 and 1.7e-38 ≈ σ(−87) in float32,
	// and between 0 and 3.4e-308 ≈ σ(−708) in float64. NaN gives NaN.
	Sigmoid func(a, z []T, n int)

	// Tanh is a[j] = tanh(z[j]) for j < n, and 0 for n ≤ j < len(a). a may be
	// z. Error bound: 3 ulp in float32 and in float64. NaN gives NaN.
	Tanh func(a, z []T, n int)

	// In all deltas, a d[j] that is subnormal is 0: products with such numbers take a
	// hundred times as long on many processors. They are below 1.2e-38 in float32, so only
	// weights that are almost zero themselves can differ by it.
	//
	// SigmoidDelta is d[j] = g[j]·a[j]·(1 − a[j]): A.65 with g = Wᵀ·δ and a
	// from Sigmoid. d may be g.
	SigmoidDelta func(d, g, a []T)

	// TanhDelta is d[j] = g[j]·(1 − a[j]²): A.65 with g = Wᵀ·δ and a from Tanh.
	// d may be g.
	TanhDelta func(d, g, a []T)

	// SigmoidOutputDelta is d[j] = alpha·(a[j] − y[j])·a[j]·(1 − a[j]): A.64
	// times alpha. With alpha = −η, d and all deltas computed from it include
	// the factor −η, so the updates A.62 and A.63 need no multiplication by η.
	SigmoidOutputDelta func(d, a, y []T, alpha T)

	// TanhOutputDelta is d[j] = alpha·(a[j] − y[j])·(1 − a[j]²): A.64 times
	// alpha.
	TanhOutputDelta func(d, a, y []T, alpha T)

	// Prefetch asks the processor to load a sparse row into its first-level
	// cache. The caller uses it for the next sample while it computes with the
	// current one. It has no other effect.
	Prefetch func(x []uint32)

	// BlockCols is the number of columns that SparseMatMul computes at a time. The
	// order of a sum may depend on the number of columns in its block, so a caller
	// that divides the columns of w divides them at multiples of BlockCols. A small
	// part of the rows of a block stays in the first-level cache.
	BlockCols int

	// SplitCols is the most columns of w of split rows.
	SplitCols int

	// TileRows and TileCols are the size of a tile of [Set.Product]: R and N in
	// the comments below. R is the width of a packed panel of A, and N that of
	// B.
	TileRows, TileCols int

	// Tile is c[i·n + j] += Σ_k a[k·R + i]·b[k·N + j] for i < R, j < N and
	// k < len(a)/R. Each sum starts from zero, takes its terms in ascending
	// order, and is added to c once.
	Tile func(c []T, n int, a, b []T)

	// Pack is p[k·w + i] = x[k·n + i] for i < w and k < len(p)/w. w is R or N.
	Pack func(p []T, w int, x []T, n int)

	// PackTransposed is p[k·w + i] = x[i·n + k] for i < w and k < len(p)/w. w
	// is R or N.
	PackTransposed func(p []T, w int, x []T, n int)
}

// Unchecked returns the set without the checks. A call with wrong lengths then reads and
// writes what it should not. The caller makes a call with each combination of lengths with
// the checks first.
func (s Set[T]) Unchecked() Set[T] {
	if s.unchecked == nil {
		return s
	}
	return *s.unchecked
}

// Split returns how to split rows of n columns: the columns of w, and those of tail with
// its padding. It reports whether they can be split: whether one to 16 bytes are left
// beyond whole cache lines, and a row is not too long.
func (s Set[T]) Split(n int) (w, tail int, ok bool) {
	tail = lanes[T]() / 4
	w = n / lanes[T]() * lanes[T]()
	return w, tail, n > w && n <= w+tail && w > 0 && w <= s.SplitCols
}

// Entry returns the entry of a sparse row for an input whose value is table[value].
func Entry(input, value uint16) uint32 { return uint32(value)<<16 | uint32(input) }

// Float32 returns the float32 sets that this processor supports, fastest first.
// The last one is always "go".
func Float32() []Set[float32] { return checkedAll(append(native32(), goSet[float32]())) }

// Float64 returns the float64 sets that this processor supports, fastest first.
// The last one is always "go".
func Float64() []Set[float64] { return checkedAll(append(native64(), goSet[float64]())) }

// alignment is the alignment of rows in bytes: the size of a cache line and of the
// longest vector.
const alignment = 64

// Pad returns the stride of rows with n columns, in elements: n rounded up to a
// multiple of 64 bytes.
func Pad[T Float](n int) int {
	lanes := lanes[T]()
	return (n + lanes - 1) / lanes * lanes
}

// Width returns the smallest length that the kernels accept for a vector along
// rows with n columns: n rounded up to a multiple of 32 bytes. It is at most
// Pad(n).
func Width[T Float](n int) int {
	half := lanes[T]() / 2
	return (n + half - 1) / half * half
}

// lanes returns the number of elements in 64 bytes.
func lanes[T Float]() int {
	var t T
	return alignment / int(unsafe.Sizeof(t))
}

// Aligned returns n zeros at an address that is a multiple of 64 bytes.
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

// Large returns n zeros for data that is read in random order. Where the system
// supports it, they are on huge pages, so that fewer reads need a walk through the
// page tables.
func Large[E uint32 | float32 | float64](n int) []E {
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

// checked returns s with checks of the lengths of the arguments.
func checked[T Float](s Set[T]) Set[T] {
	mask := lanes[T]() - 1       // a length is a multiple of 64 bytes if length&mask is 0,
	halfMask := lanes[T]()/2 - 1 // and a multiple of 32 bytes if length&halfMask is 0
	return Set[T]{
		Name:      s.Name,
		unchecked: &s,
		SparseDot: func(z, b, w []T, x []uint32, table []T) {
			n := len(z)
			if len(b) != n || n&halfMask != 0 || outside(len(w), (n+mask)&^mask, x) {
				panic(fmt.Sprintf("BUG: kernel: SparseDot: z %d, b %d, w %d, x %d", n, len(b), len(w), len(x)))
			}
			s.SparseDot(z, b, w, x, table)
		},
		SparseAxpy: func(w, g []T, x []uint32, table []T) {
			n := len(g)
			if n&halfMask != 0 || outside(len(w), (n+mask)&^mask, x) {
				panic(fmt.Sprintf("BUG: kernel: SparseAxpy: w %d, g %d, x %d", len(w), n, len(x)))
			}
			s.SparseAxpy(w, g, x, table)
		},
		SplitDot: func(z, b, w, tail []T, x []uint32, table []T) {
			if len(b) != len(z) || s.badSplit(len(z), len(w), len(tail), x) {
				panic(fmt.Sprintf("BUG: kernel: SplitDot: z %d, b %d, w %d, tail %d, x %d", len(z), len(b), len(w), len(tail), len(x)))
			}
			s.SplitDot(z, b, w, tail, x, table)
		},
		SplitAxpy: func(w, tail, g []T, x []uint32, table []T) {
			if s.badSplit(len(g), len(w), len(tail), x) {
				panic(fmt.Sprintf("BUG: kernel: SplitAxpy: w %d, tail %d, g %d, x %d", len(w), len(tail), len(g), len(x)))
			}
			s.SplitAxpy(w, tail, g, x, table)
		},
		SparseMatMul: func(z, w []T, n, width int, lo, hi []int, x []uint32, table []T) {
			if n&mask != 0 || width&halfMask != 0 || width > n || short(z, len(lo), n, width) || badRows(w, n, width, 0, lo, hi, x) {
				panic(fmt.Sprintf("BUG: kernel: SparseMatMul: z %d, w %d, n %d, width %d, rows %d and %d, x %d", len(z), len(w), n, width, len(lo), len(hi), len(x)))
			}
			s.SparseMatMul(z, w, n, width, lo, hi, x, table)
		},
		SparseOuter: func(sum, d []T, touched []uint8, first, m, n, width int, lo, hi []int, x []uint32, table []T) {
			if (m|n)&mask != 0 || width&halfMask != 0 || width > m || width > n || short(d, len(lo), n, width) || short(sum, len(touched), m, width) ||
				badRows(touched, 1, 1, first, lo, hi, x) {
				panic(fmt.Sprintf("BUG: kernel: SparseOuter: sum %d, d %d, touched %d, first %d, m %d, n %d, width %d, rows %d and %d, x %d", len(sum), len(d), len(touched), first, m, n, width, len(lo), len(hi), len(x)))
			}
			s.SparseOuter(sum, d, touched, first, m, n, width, lo, hi, x, table)
		},
		DrainRows: func(w, sum []T, touched []uint8, n, m, width int) {
			if (m|n)&mask != 0 || width&halfMask != 0 || width > m || width > n || short(w, len(touched), n, width) || short(sum, len(touched), m, width) {
				panic(fmt.Sprintf("BUG: kernel: DrainRows: w %d, sum %d, touched %d, n %d, m %d, width %d", len(w), len(sum), len(touched), n, m, width))
			}
			s.DrainRows(w, sum, touched, n, m, width)
		},
		MatVec: func(z, b, w, a []T) {
			if len(b) != len(z) || len(a)&mask != 0 || len(w) != len(z)*len(a) {
				panic(fmt.Sprintf("BUG: kernel: MatVec: z %d, b %d, w %d, a %d", len(z), len(b), len(w), len(a)))
			}
			s.MatVec(z, b, w, a)
		},
		VecMat: func(g, w, d []T) {
			if len(g)&halfMask != 0 || len(w) != (len(g)+mask)&^mask*len(d) {
				panic(fmt.Sprintf("BUG: kernel: VecMat: g %d, w %d, d %d", len(g), len(w), len(d)))
			}
			s.VecMat(g, w, d)
		},
		Rank1: func(w, d, a []T) {
			if len(a)&halfMask != 0 || len(w) != (len(a)+mask)&^mask*len(d) {
				panic(fmt.Sprintf("BUG: kernel: Rank1: w %d, d %d, a %d", len(w), len(d), len(a)))
			}
			s.Rank1(w, d, a)
		},
		Axpy: func(y, x []T, alpha T) {
			if len(x) != len(y) || len(y)&mask != 0 {
				panic(fmt.Sprintf("BUG: kernel: Axpy: y %d, x %d", len(y), len(x)))
			}
			s.Axpy(y, x, alpha)
		},
		Drain: func(y, x []T) {
			if len(x) != len(y) || len(y)&mask != 0 {
				panic(fmt.Sprintf("BUG: kernel: Drain: y %d, x %d", len(y), len(x)))
			}
			s.Drain(y, x)
		},
		Sigmoid:            checkedActivation("Sigmoid", s.Sigmoid),
		Tanh:               checkedActivation("Tanh", s.Tanh),
		SigmoidDelta:       checkedDelta("SigmoidDelta", s.SigmoidDelta),
		TanhDelta:          checkedDelta("TanhDelta", s.TanhDelta),
		SigmoidOutputDelta: checkedOutputDelta("SigmoidOutputDelta", s.SigmoidOutputDelta),
		TanhOutputDelta:    checkedOutputDelta("TanhOutputDelta", s.TanhOutputDelta),
		Prefetch:           s.Prefetch,
		BlockCols:          s.BlockCols,
		SplitCols:          s.SplitCols,
		TileRows:           s.TileRows,
		TileCols:           s.TileCols,
		Tile: func(c []T, n int, a, b []T) {
			k := len(a) / s.TileRows
			if len(a) != k*s.TileRows || len(b) != k*s.TileCols || n < s.TileCols || len(c) < (s.TileRows-1)*n+s.TileCols {
				panic(fmt.Sprintf("BUG: kernel: Tile: c %d, n %d, a %d, b %d", len(c), n, len(a), len(b)))
			}
			s.Tile(c, n, a, b)
		},
		Pack: func(p []T, w int, x []T, n int) {
			if (w != s.TileRows && w != s.TileCols) || len(p)%w != 0 || n < 0 || len(p) > 0 && len(x) < (len(p)/w-1)*n+w {
				panic(fmt.Sprintf("BUG: kernel: Pack: p %d, w %d, x %d, n %d", len(p), w, len(x), n))
			}
			s.Pack(p, w, x, n)
		},
		PackTransposed: func(p []T, w int, x []T, n int) {
			if (w != s.TileRows && w != s.TileCols) || len(p)%w != 0 || n < 0 || len(p) > 0 && len(x) < (w-1)*n+len(p)/w {
				panic(fmt.Sprintf("BUG: kernel: PackTransposed: p %d, w %d, x %d, n %d", len(p), w, len(x), n))
			}
			s.PackTransposed(p, w, x, n)
		},
	}
}

// outside reports whether the last row of x is outside of w. n is the row stride.
func outside(w, n int, x []uint32) bool {
	k := len(x)
	return k > 0 && (input(x[k-1])+1)*n > w
}

// badSplit reports whether split rows of n columns are not possible, or the last row of x
// is outside of w or of tail.
func (s Set[T]) badSplit(n, w, tail int, x []uint32) bool {
	first, rest, ok := s.Split(n)
	return !ok || n != first+rest || outside(w, first, x) || outside(tail, rest, x)
}

// short reports whether w has less than the given number of rows with width elements
// and the stride n.
func short[T Float](w []T, rows, n, width int) bool { return rows > 0 && (rows-1)*n+width > len(w) }

// badRows reports whether the sparse rows lo, hi are not inside x, or do not fit the
// rows of w, which has those from first on.
func badRows[E any](w []E, n, width, first int, lo, hi []int, x []uint32) bool {
	if len(lo) != len(hi) {
		return true
	}
	for r, from := range lo {
		to := hi[r]
		if from < 0 || to < from || to > len(x) || to > from && (input(x[from]) < first || (input(x[to-1])-first)*n+width > len(w)) {
			return true
		}
	}
	return false
}

func checkedActivation[T Float](name string, f func(a, z []T, n int)) func(a, z []T, n int) {
	mask := lanes[T]() - 1
	return func(a, z []T, n int) {
		if len(z) != len(a) || len(a)&mask != 0 || uint(n) > uint(len(a)) {
			panic(fmt.Sprintf("BUG: kernel: %s: a %d, z %d, n %d", name, len(a), len(z), n))
		}
		f(a, z, n)
	}
}

func checkedDelta[T Float](name string, f func(d, g, a []T)) func(d, g, a []T) {
	mask := lanes[T]() - 1
	return func(d, g, a []T) {
		if len(g) != len(d) || len(a) != len(d) || len(d)&mask != 0 {
			panic(fmt.Sprintf("BUG: kernel: %s: d %d, g %d, a %d", name, len(d), len(g), len(a)))
		}
		f(d, g, a)
	}
}

func checkedOutputDelta[T Float](name string, f func(d, a, y []T, alpha T)) func(d, a, y []T, alpha T) {
	mask := lanes[T]() - 1
	return func(d, a, y []T, alpha T) {
		if len(a) != len(d) || len(y) != len(d) || len(d)&mask != 0 {
			panic(fmt.Sprintf("BUG: kernel: %s: d %d, a %d, y %d", name, len(d), len(a), len(y)))
		}
		f(d, a, y, alpha)
	}
}
