package cpu

import (
	"math/bits"
	"unsafe"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// rangeBytes is about the memory of a range of rows of a gradient: less than half
// of the first-level cache.
const rangeBytes = 1 << 14

// gradient is the sum over a mini-batch that an update adds to a parameter:
// Σ δ aᵀ (A.62) or Σ δ (A.63), with −η in δ. It is summed before the parameter
// changes, block by block as ir.SumBlock says: added one by one to weights of
// float32, the shares of many samples would be lost in the rounding of the weights.
//
// The memory of the parameter is divided by rows: by inputs if it is stored by
// input, else by outputs. A core sums and adds a range of rows, sample after
// sample, so the result does not depend on the number of cores.
type gradient[T kernel.Float] struct {
	kernel *kernel.Set[T]

	// add adds the shares of the samples from..to-1 of the batch, at most a block,
	// to sum: range p of the rows of the gradient.
	add func(sum []T, p, from, to int)

	parameter    []T
	rows, stride int // of the parameter in memory

	// edges are the bounds of the ranges.
	edges []int

	// sums is the memory of the sums of a mini-batch of one block, a range for each
	// core.
	sums [][]T

	// levels hold the sums of blocks of a larger mini-batch, laid out as the
	// parameter. After n blocks, level k is the sum of 2^k blocks if bit k of n is
	// set.
	levels [][]T
}

// newGradient returns the gradient of a parameter over a batch.
func newGradient[T kernel.Float](k *kernel.Set[T], m matrix[T], batch int) *gradient[T] {
	g := &gradient[T]{kernel: k, parameter: m.data, rows: m.rows, stride: m.rowStride}
	if m.rowStride == 1 {
		g.rows, g.stride = m.cols, m.colStride
	}
	g.edges = inputEdges(g.rows)
	if m.rowStride != 1 {
		g.edges = g.edges[:0]
		n := max(1, min(inputParts, len(m.data)*int(unsafe.Sizeof(m.data[0]))/rangeBytes))
		for p := range n + 1 {
			g.edges = append(g.edges, g.rows*p/n)
		}
	}
	blocks := (batch + ir.SumBlock - 1) / ir.SumBlock
	if blocks == 1 {
		widest := 0
		for p, edge := range g.edges[1:] {
			widest = max(widest, edge-g.edges[p])
		}
		for range inputParts {
			g.sums = append(g.sums, kernel.Aligned[T](widest*g.stride))
		}
		return g
	}
	for range bits.Len(uint(blocks)) {
		g.levels = append(g.levels, kernel.Aligned[T](len(m.data)))
	}
	return g
}

// run sums a part of the gradient over the samples before..before+count-1 of the
// mini-batch, which are samples 0..count-1 of the plan. With last they are its last
// ones, and the part of the parameter changes. Parts may run at the same time.
func (g *gradient[T]) run(before, count int, last bool, part, parts int) {
	n := len(g.edges) - 1
	for p := n * part / parts; p < n*(part+1)/parts; p++ {
		first, end := g.edges[p], g.edges[p+1]
		if first == end {
			continue
		}
		if g.levels == nil {
			sum := g.sums[part][:(end-first)*g.stride]
			clear(sum)
			g.add(sum, p, 0, count)
			g.kernel.Axpy(g.parameter[first*g.stride:end*g.stride], sum, 1)
			continue
		}
		g.blocks(before, count, last, p)
	}
}

// blocks is run for range p of a mini-batch of several blocks.
func (g *gradient[T]) blocks(before, count int, last bool, p int) {
	rows := func(m []T) []T { return m[g.edges[p]*g.stride : g.edges[p+1]*g.stride] }
	blocks := before / ir.SumBlock
	for from := 0; from < count; from += ir.SumBlock {
		top := bits.TrailingZeros(^uint(blocks)) // the levels below are in use
		sum := rows(g.levels[top])
		clear(sum)
		g.add(sum, p, from, min(from+ir.SumBlock, count))
		for k := range top {
			g.kernel.Axpy(sum, rows(g.levels[k]), 1)
		}
		blocks++
	}
	if !last {
		return
	}
	low := bits.TrailingZeros(uint(blocks))
	total := rows(g.levels[low])
	for k := low + 1; k < len(g.levels); k++ {
		if blocks>>k&1 == 1 {
			g.kernel.Axpy(rows(g.levels[k]), total, 1)
			total = rows(g.levels[k])
		}
	}
	g.kernel.Axpy(rows(g.parameter), total, 1)
}
