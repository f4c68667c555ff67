//go:build amd64 && !noasm

package kernel

import "golang.org/x/sys/cpu"

//go:generate go run -C _gen . -isa avx512 -out ../avx512_amd64.s -stubs ../avx512_amd64.go -pkg kernel
//go:generate go run -C _gen . -isa avx2 -out ../avx2_amd64.s -stubs ../avx2_amd64.go -pkg kernel

// The assembly needs these extensions and no others.
var (
	hasAVX512 = cpu.X86.HasAVX512F && cpu.X86.HasAVX512DQ && cpu.X86.HasAVX512VL && hasAVX2
	hasAVX2   = cpu.X86.HasAVX2 && cpu.X86.HasFMA
)

// storesHalves says whether updates with AVX-512 have vectors of 32 bytes. AMD's Zen 4
// stores 32 bytes per cycle, and vectors of 64 bytes take up to a third longer there.
var storesHalves = hasAVX512 && vendor() == amd

const amd = 'A' | 'u'<<8 | 't'<<16 | 'h'<<24 // "AuthenticAMD"

func native32() []Set[float32] { return native(f32AVX512(storesHalves), f32AVX2) }

func native64() []Set[float64] { return native(f64AVX512(storesHalves), f64AVX2) }

// native returns those of the two sets that this processor supports.
func native[T Float](avx512, avx2 Set[T]) []Set[T] {
	var sets []Set[T]
	if hasAVX512 {
		sets = append(sets, avx512)
	}
	if hasAVX2 {
		sets = append(sets, avx2)
	}
	return sets
}

var (
	f32AVX2 = Set[float32]{
		Name:               "avx2",
		SparseDot:          sparseDotF32AVX2,
		SparseAxpy:         sparseAxpyF32AVX2,
		SplitDot:           splitDotF32AVX2,
		SplitAxpy:          splitAxpyF32AVX2,
		SparseMatMul:       sparseMatMulF32AVX2,
		SparseOuter:        sparseOuterF32AVX2,
		DrainRows:          drainRowsF32AVX2,
		MatVec:             matVecF32AVX2,
		VecMat:             vecMatF32AVX2,
		Rank1:              rank1F32AVX2,
		Axpy:               axpyF32AVX2,
		Drain:              drainF32AVX2,
		Sigmoid:            sigmoidF32AVX2,
		Tanh:               tanhF32AVX2,
		SigmoidDelta:       sigmoidDeltaF32AVX2,
		TanhDelta:          tanhDeltaF32AVX2,
		SigmoidOutputDelta: sigmoidOutputDeltaF32AVX2,
		TanhOutputDelta:    tanhOutputDeltaF32AVX2,
		Prefetch:           prefetchF32AVX2,
		BlockCols:          112,
		SplitCols:          96,
		TileRows:           4,
		TileCols:           24,
		Tile:               tileF32AVX2,
		Pack:               packF32AVX2,
		PackTransposed:     packTransposedF32AVX2,
	}
	f64AVX2 = Set[float64]{
		Name:               "avx2",
		SparseDot:          sparseDotF64AVX2,
		SparseAxpy:         sparseAxpyF64AVX2,
		SplitDot:           splitDotF64AVX2,
		SplitAxpy:          splitAxpyF64AVX2,
		SparseMatMul:       sparseMatMulF64AVX2,
		SparseOuter:        sparseOuterF64AVX2,
		DrainRows:          drainRowsF64AVX2,
		MatVec:             matVecF64AVX2,
		VecMat:             vecMatF64AVX2,
		Rank1:              rank1F64AVX2,
		Axpy:               axpyF64AVX2,
		Drain:              drainF64AVX2,
		Sigmoid:            sigmoidF64AVX2,
		Tanh:               tanhF64AVX2,
		SigmoidDelta:       sigmoidDeltaF64AVX2,
		TanhDelta:          tanhDeltaF64AVX2,
		SigmoidOutputDelta: sigmoidOutputDeltaF64AVX2,
		TanhOutputDelta:    tanhOutputDeltaF64AVX2,
		Prefetch:           prefetchF64AVX2,
		BlockCols:          56,
		SplitCols:          48,
		TileRows:           4,
		TileCols:           12,
		Tile:               tileF64AVX2,
		Pack:               packF64AVX2,
		PackTransposed:     packTransposedF64AVX2,
	}
)

// f32AVX512 returns the set for processors that store 64 bytes per cycle, or halves of that.
// Both give the same bits.
func f32AVX512(halves bool) Set[float32] {
	s := Set[float32]{
		Name:               "avx512",
		SparseDot:          sparseDotF32AVX512,
		SparseAxpy:         sparseAxpyF32AVX512,
		SplitDot:           splitDotF32AVX512,
		SplitAxpy:          splitAxpyF32AVX512,
		SparseMatMul:       sparseMatMulF32AVX512,
		SparseOuter:        sparseOuterF32AVX512,
		DrainRows:          drainRowsF32AVX512,
		MatVec:             matVecF32AVX512,
		VecMat:             vecMatF32AVX512,
		Rank1:              rank1F32AVX512,
		Axpy:               axpyF32AVX512,
		Drain:              drainF32AVX512,
		Sigmoid:            sigmoidF32AVX512,
		Tanh:               tanhF32AVX512,
		SigmoidDelta:       sigmoidDeltaF32AVX512,
		TanhDelta:          tanhDeltaF32AVX512,
		SigmoidOutputDelta: sigmoidOutputDeltaF32AVX512,
		TanhOutputDelta:    tanhOutputDeltaF32AVX512,
		Prefetch:           prefetchF32AVX512,
		BlockCols:          128,
		SplitCols:          112,
		TileRows:           8,
		TileCols:           32,
		Tile:               tileF32AVX512,
		Pack:               packF32AVX512,
		PackTransposed:     packTransposedF32AVX512,
	}
	if halves {
		s.SparseAxpy, s.SplitAxpy, s.Rank1 = sparseAxpyHalvesF32AVX512, splitAxpyHalvesF32AVX512, rank1HalvesF32AVX512
	}
	return s
}

// f64AVX512 returns the set for processors that store 64 bytes per cycle, or halves of that.
// Both give the same bits.
func f64AVX512(halves bool) Set[float64] {
	s := Set[float64]{
		Name:               "avx512",
		SparseDot:          sparseDotF64AVX512,
		SparseAxpy:         sparseAxpyF64AVX512,
		SplitDot:           splitDotF64AVX512,
		SplitAxpy:          splitAxpyF64AVX512,
		SparseMatMul:       sparseMatMulF64AVX512,
		SparseOuter:        sparseOuterF64AVX512,
		DrainRows:          drainRowsF64AVX512,
		MatVec:             matVecF64AVX512,
		VecMat:             vecMatF64AVX512,
		Rank1:              rank1F64AVX512,
		Axpy:               axpyF64AVX512,
		Drain:              drainF64AVX512,
		Sigmoid:            sigmoidF64AVX512,
		Tanh:               tanhF64AVX512,
		SigmoidDelta:       sigmoidDeltaF64AVX512,
		TanhDelta:          tanhDeltaF64AVX512,
		SigmoidOutputDelta: sigmoidOutputDeltaF64AVX512,
		TanhOutputDelta:    tanhOutputDeltaF64AVX512,
		Prefetch:           prefetchF64AVX512,
		BlockCols:          64,
		SplitCols:          56,
		TileRows:           8,
		TileCols:           16,
		Tile:               tileF64AVX512,
		Pack:               packF64AVX512,
		PackTransposed:     packTransposedF64AVX512,
	}
	if halves {
		s.SparseAxpy, s.SplitAxpy, s.Rank1 = sparseAxpyHalvesF64AVX512, splitAxpyHalvesF64AVX512, rank1HalvesF64AVX512
	}
	return s
}
