package cpu

import (
	"math/bits"
	"unsafe"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// sharedBytes is the memory of a gradient that is worth to be shared by cores.
const sharedBytes = 16 << 10

// sumBytes is about the memory of the rows of a gradient that are summed before they
// are added to the parameter. A few hundred kilobytes stay in the second-level cache;
// this was the fastest.
const sumBytes = 100 << 10

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
	// to sum: ranges p..q-1 of the rows of the gradient.
	add func(sum []T, p, q, from, to int)

	parameter    []T
	rows, stride int // of the parameter in memory

	// edges are the bounds of the ranges. group is the number of ranges that are
	// summed before the next ones.
	edges []int
	group int

	// input sums sparse samples, if the parameter is stored by input.
	input *inputSum[T]

	// sums is the memory of the sums of a mini-batch of one block: for each part
	// that may run at the same time, some rows. It is zero between two steps.
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
	g.edges, g.group = inputEdges(g.rows), inputParts
	if bytes := len(m.data) * int(unsafe.Sizeof(m.data[0])); m.rowStride != 1 && bytes < sharedBytes {
		g.edges = []int{0, g.rows} // too small to be shared
	}
	blocks := (batch + ir.SumBlock - 1) / ir.SumBlock
	if blocks == 1 {
		g.sums = make([][]T, inputParts)
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
	p, q := n*part/parts, n*(part+1)/parts
	switch {
	case g.levels != nil:
		for ; p < q; p += g.group {
			g.inBlocks(p, min(p+g.group, q), before, count, last)
		}
	case g.input != nil && g.input.sparse():
		g.input.run(count, part, parts)
	default:
		g.once(p, q, count, part)
	}
}

// inBlocks sums ranges p..q-1 over a mini-batch of several blocks, and adds them to
// the parameter after the last one.
func (g *gradient[T]) inBlocks(p, q, before, count int, last bool) {
	rows := func(m []T) []T { return m[g.edges[p]*g.stride : g.edges[q]*g.stride] }
	if g.edges[p] == g.edges[q] {
		return
	}
	blocks := before / ir.SumBlock
	for from := 0; from < count; from += ir.SumBlock {
		top := bits.TrailingZeros(^uint(blocks)) // the levels below are in use
		sum := rows(g.levels[top])
		clear(sum)
		g.add(sum, p, q, from, min(from+ir.SumBlock, count))
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

// once sums ranges p..q-1 over a mini-batch of one block, some at a time, and adds
// them to the parameter.
func (g *gradient[T]) once(p, q, count, part int) {
	var t T
	for p < q {
		end := p + 1
		for end < q && (g.edges[end+1]-g.edges[p])*g.stride*int(unsafe.Sizeof(t)) <= sumBytes {
			end++
		}
		n := (g.edges[end] - g.edges[p]) * g.stride
		if n == 0 { // there are fewer rows than ranges
			p = end
			continue
		}
		if len(g.sums[part]) < n {
			g.sums[part] = kernel.Aligned[T](n)
		}
		sum := g.sums[part][:n]
		g.add(sum, p, end, 0, count)
		g.kernel.Drain(g.parameter[g.edges[p]*g.stride:g.edges[end]*g.stride], sum)
		p = end
	}
}
