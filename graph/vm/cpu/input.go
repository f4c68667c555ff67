package cpu

import (
	"math"
	"unsafe"

	"trainer/graph/vm/cpu/kernel"
)

// The memory of the tile of W, or of its gradient, that a core takes at a time for all
// samples of a mini-batch. A smaller tile is read from a nearer cache, and costs a
// visit of each sample more. These were the fastest of 26 to 200 KB.
const (
	tileBytes      = 104 << 10
	smallTileBytes = 26 << 10 // with less than tileSamples samples
	wideTileBytes  = 52 << 10 // of a W with several blocks of columns
	tileSamples    = 64
)

// inputLayer computes with W by input and the sparse samples of a mini-batch.
//
// If W has one block of columns, cores share the samples of z and the rows of W. If it
// has more, each core has columns of its own in both, so that its part of W stays in
// its cache from step to step. A row of one block is too short to be shared: each core
// would do the work for each index.
type inputLayer[T kernel.Float] struct {
	pl     *plan[T]
	w      matrix[T]
	width  int   // of a row in elements
	blocks int   // of columns
	edges  []int // of the ranges of inputs
	group  int   // ranges of a tile
}

func newInputLayer[T kernel.Float](pl *plan[T], w matrix[T]) *inputLayer[T] {
	var t T
	l := &inputLayer[T]{pl: pl, w: w, width: kernel.Width[T](w.rows), edges: inputEdges(w.cols)}
	l.blocks = (l.width + pl.kernel.BlockCols - 1) / pl.kernel.BlockCols
	bytes := tileBytes
	switch {
	case l.wide():
		bytes = wideTileBytes
	case len(pl.samples) < tileSamples:
		bytes = smallTileBytes
	}
	row := min(w.colStride, pl.kernel.BlockCols) * int(unsafe.Sizeof(t))
	l.group = max(1, min(inputParts, bytes*inputParts/(row*w.cols)))
	return l
}

// wide reports whether a row of W has several blocks of columns.
func (l *inputLayer[T]) wide() bool { return l.blocks > 1 }

// columns returns the columns of a part. They begin at a block, so that the sums have
// the same order in every division.
func (l *inputLayer[T]) columns(part, parts int) (first, last int) {
	block := l.pl.kernel.BlockCols
	return min(l.width, l.blocks*part/parts*block), min(l.width, l.blocks*(part+1)/parts*block)
}

// product adds x Wᵀ to the columns first..last-1 of z, for the samples from..to-1. With
// one block of columns the sums of a sample stay in registers for all inputs.
func (l *inputLayer[T]) product(z matrix[T], from, to, first, last int) {
	pl, n := l.pl, l.w.colStride
	if from == to || first == last {
		return
	}
	group := inputParts
	if l.wide() {
		group = l.group
	}
	for p := 0; p < inputParts && !pl.stopped(); p += group {
		lo, hi := pl.bounds[p][from:to], pl.bounds[min(p+group, inputParts)][from:to]
		pl.kernel.SparseMatMul(z.data[from*n+first:], l.w.data[first:], n, last-first, lo, hi, pl.entries, pl.table)
	}
}

// inputSum is the gradient of W over sparse samples: Σ δ xᵀ.
//
// If W has one block of columns, the sums are in memory, a tile of inputs at a time. If it
// has more, each input adds its samples in registers, and the lists of its samples cost
// less than this saves. With one block they cost more.
type inputSum[T kernel.Float] struct {
	*inputLayer[T]
	d       matrix[T]
	sums    [inputParts][]T        // of a tile, for each part that may run at the same time; zero between two tiles
	touched [inputParts][]uint8    // rows of the tile that have a sum
	lists   [inputParts]transposed // if W has several blocks
}

func newInputSum[T kernel.Float](pl *plan[T], w, d matrix[T]) *inputSum[T] {
	return &inputSum[T]{inputLayer: newInputLayer(pl, w), d: d}
}

// sparse reports whether the loaded samples are sparse.
func (s *inputSum[T]) sparse() bool { return s.pl.samples[0].dense == nil }

// run adds a part of the sums over a mini-batch of one block to W.
func (s *inputSum[T]) run(count, part, parts int) {
	if s.wide() {
		if first, last := s.columns(part, parts); first < last {
			s.addLists(s.w.data, part, 0, inputParts, first, last, 0, count)
		}
		return
	}
	for p, q := inputParts*part/parts, inputParts*(part+1)/parts; p < q && !s.pl.stopped(); p += s.group {
		s.tile(part, p, min(p+s.group, q), count)
	}
}

// tile sums the ranges p..q-1 of inputs, and adds them to W.
func (s *inputSum[T]) tile(part, p, q, count int) {
	n, first, rows := s.w.colStride, s.edges[p], s.edges[q]-s.edges[p]
	if rows == 0 {
		return
	}
	if len(s.sums[part]) < rows*n {
		s.sums[part] = kernel.Aligned[T](rows * n)
	}
	sum := s.sums[part][:rows*n]
	touched := s.outer(sum, part, p, q, 0, count)
	s.pl.kernel.DrainRows(s.w.data[first*n:], sum, touched, n, n, s.width)
}

// add adds the shares of the samples from..to-1 of a block to sum: ranges p..q-1 of inputs.
func (s *inputSum[T]) add(sum []T, p, q, from, to int) {
	if s.wide() {
		s.addLists(sum, p, p, q, 0, s.width, from, to)
		return
	}
	s.outer(sum, p, p, q, from, to)
}

// outer adds the shares of the samples from..to-1 to sum, ranges p..q-1 of inputs, and
// returns which rows they touch. No other core uses the memory of this part.
func (s *inputSum[T]) outer(sum []T, part, p, q, from, to int) []uint8 {
	pl, n, first, rows := s.pl, s.w.colStride, s.edges[p], s.edges[q]-s.edges[p]
	if len(s.touched[part]) < rows {
		s.touched[part] = make([]uint8, rows)
	}
	touched := s.touched[part][:rows]
	pl.kernel.SparseOuter(sum, s.d.data[from*n:], touched, first, n, n, s.width, pl.bounds[p][from:to], pl.bounds[q][from:to], pl.entries, pl.table)
	return touched
}

// addLists adds the shares of the samples from..to-1 to the columns first..last-1 of sum,
// ranges p..q-1 of inputs. No other core uses the memory of this part.
func (s *inputSum[T]) addLists(sum []T, part, p, q, first, last, from, to int) {
	pl, n, x, a, b := s.pl, s.w.colStride, &s.lists[part], s.edges[p], s.edges[q]
	if a == b {
		return
	}
	x.of(a, b, pl.bounds[p][from:to], pl.bounds[q][from:to], pl.entries)
	pl.kernel.SparseMatMul(sum[first:], s.d.data[from*n+first:], n, last-first, x.lo[:b-a], x.hi[:b-a], x.entries, pl.table)
}

// transposed lists for each input of a range the samples of a block of a mini-batch in
// which it is not zero: entries lo[i] to hi[i]-1, which have a sample for the input.
type transposed struct {
	lo, hi  []int
	entries []uint32
}

// of makes the lists of the inputs first..last-1. Sample r of the block has the entries
// from[r] to to[r]-1 for them.
func (x *transposed) of(first, last int, from, to []int, entries []uint32) {
	if len(x.lo) < last-first {
		x.lo, x.hi = make([]int, last-first), make([]int, last-first)
	}
	n, lo, hi := 0, x.lo[:last-first], x.hi[:last-first]
	clear(hi)
	for r, a := range from {
		b := to[r]
		n += b - a
		for _, e := range entries[a:b] {
			hi[int(uint16(e))-first]++
		}
	}
	if len(x.entries) < n {
		x.entries = make([]uint32, n+n/2)
	}
	k := 0
	for i, n := range hi {
		lo[i], hi[i] = k, k
		k += n
	}
	list := x.entries[:n]
	for r, a := range from {
		for _, e := range entries[a:to[r]] {
			h := &hi[int(uint16(e))-first]
			k := *h
			*h = k + 1
			list[k] = e&^math.MaxUint16 | uint32(r)
		}
	}
}
