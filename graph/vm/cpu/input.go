package cpu

import (
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
		pl.kernel.SparseMatMul(z.data[from*n+first:], l.w.data[first:], n, last-first, lo, hi, pl.index, pl.value)
	}
}

// inputSum is the gradient of W of a mini-batch of one block: it adds Σ δ xᵀ, tile by
// tile.
type inputSum[T kernel.Float] struct {
	*inputLayer[T]
	d       matrix[T]
	sums    [inputParts][]T     // of a tile, for each part that may run at the same time; zero between two tiles
	touched [inputParts][]uint8 // rows of the tile that have a sum
}

func (s *inputSum[T]) run(count, part, parts int) {
	first, last, p, q := 0, s.width, inputParts*part/parts, inputParts*(part+1)/parts
	if s.wide() {
		first, last = s.columns(part, parts)
		p, q = 0, inputParts
	}
	if first == last {
		return
	}
	for ; p < q && !s.pl.stopped(); p += s.group {
		end := min(p+s.group, q)
		for j := first; j < last; j += s.pl.kernel.BlockCols {
			s.tile(part, p, end, j, min(j+s.pl.kernel.BlockCols, last), count)
		}
	}
}

// tile sums the columns first..last-1 of the ranges p..q-1 of inputs, and adds them to W.
func (s *inputSum[T]) tile(part, p, q, first, last, count int) {
	pl, k, n := s.pl, &s.pl.kernel, s.w.colStride
	from, to := s.edges[p], s.edges[q]
	if from == to {
		return
	}
	width := last - first
	stride := kernel.Pad[T](width)
	if need := (to - from) * stride; len(s.sums[part]) < need {
		s.sums[part] = kernel.Aligned[T](need)
	}
	if len(s.touched[part]) < to-from {
		s.touched[part] = make([]uint8, to-from)
	}
	sum, touched := s.sums[part], s.touched[part][:to-from]
	w := s.w.data[from*n+first:]
	if pl.samples[0].dense != nil {
		for r := range count {
			x, d := pl.samples[r].dense[from:to], s.d.row(r)[first:last]
			k.Rank1(sum[:(to-from)*stride], x, d)
		}
		for i := range touched {
			touched[i] = 1
		}
	} else {
		k.SparseOuter(sum, s.d.data[first:], touched, from, stride, n, width, pl.bounds[p][:count], pl.bounds[q][:count], pl.index, pl.value)
	}
	k.DrainRows(w, sum, touched, n, stride, width)
}
