package kernel

import (
	"math"
	"slices"
	"unsafe"
)

// goSet returns the kernels as plain loops. They define the kernels, and they run
// where there is no assembly.
func goSet[T Float]() Set[T] {
	return Set[T]{
		Name:               "go",
		SparseDot:          sparseDot[T],
		SparseAxpy:         sparseAxpy[T],
		SplitDot:           splitDot[T],
		SplitAxpy:          splitAxpy[T],
		SparseMatMul:       sparseMatMul[T],
		SparseOuter:        sparseOuter[T],
		DrainRows:          drainRows[T],
		MatVec:             matVec[T],
		VecMat:             vecMat[T],
		Rank1:              rank1[T],
		Axpy:               axpy[T],
		Drain:              drain[T],
		Sigmoid:            sigmoid[T],
		Tanh:               tanh[T],
		SigmoidDelta:       sigmoidDelta[T],
		TanhDelta:          tanhDelta[T],
		SigmoidOutputDelta: sigmoidOutputDelta[T],
		TanhOutputDelta:    tanhOutputDelta[T],
		Prefetch:           func([]uint32) {},
		BlockCols:          blockCols,
		SplitCols:          blockCols / 2,
		TileRows:           tileRows,
		TileCols:           tileCols,
		Tile:               tile[T],
		Pack:               pack[T],
		PackTransposed:     packTransposed[T],
	}
}

// input returns the input of an entry of a sparse row.
func input(e uint32) int { return int(uint16(e)) }

// z[j] = b[j] + Σ_k value(x[k])·w[input(x[k])·n + j], n = Pad(len(z))
func sparseDot[T Float](z, b, w []T, x []uint32, table []T) {
	n := Pad[T](len(z))
	copy(z, b)
	for _, e := range x {
		axpy(z, w[input(e)*n:][:len(z)], table[e>>16])
	}
}

// w[input(x[k])·n + j] += value(x[k])·g[j], n = Pad(len(g)); k in descending order
func sparseAxpy[T Float](w, g []T, x []uint32, table []T) {
	n := Pad[T](len(g))
	for _, e := range slices.Backward(x) {
		axpy(w[input(e)*n:][:len(g)], g, table[e>>16])
	}
}

// as SparseDot; the last 16 bytes of a row are in tail
func splitDot[T Float](z, b, w, tail []T, x []uint32, table []T) {
	n := len(z) / lanes[T]() * lanes[T]()
	rest := len(z) - n
	copy(z, b)
	for _, e := range x {
		axpy(z[:n], w[input(e)*n:][:n], table[e>>16])
		axpy(z[n:], tail[input(e)*rest:][:rest], table[e>>16])
	}
}

// as SparseAxpy; the last 16 bytes of a row are in tail
func splitAxpy[T Float](w, tail, g []T, x []uint32, table []T) {
	n := len(g) / lanes[T]() * lanes[T]()
	rest := len(g) - n
	for _, e := range slices.Backward(x) {
		axpy(w[input(e)*n:][:n], g[:n], table[e>>16])
		axpy(tail[input(e)*rest:][:rest], g[n:], table[e>>16])
	}
}

// blockCols is a multiple of the number of elements whose sums sparseMatMul holds.
const blockCols = 128

// z[r·n + j] += Σ_k value(x[k])·w[input(x[k])·n + j], lo[r] ≤ k < hi[r], j < width; the sum starts from zero
func sparseMatMul[T Float](z, w []T, n, width int, lo, hi []int, x []uint32, table []T) {
	const block = 8
	for r, from := range lo {
		row := z[r*n:][:width]
		for j := 0; j < width; j += block {
			var sum [block]T
			m := min(block, width-j)
			for _, e := range x[from:hi[r]] {
				axpy(sum[:m], w[input(e)*n+j:][:m], table[e>>16])
			}
			axpy(row[j:j+m], sum[:m], 1)
		}
	}
}

// sum[(input(x[k]) − first)·m + j] += value(x[k])·d[r·n + j], touched[input(x[k]) − first] = 1, lo[r] ≤ k < hi[r], j < width; r ascending
func sparseOuter[T Float](sum, d []T, touched []uint8, first, m, n, width int, lo, hi []int, x []uint32, table []T) {
	for r, from := range lo {
		for _, e := range x[from:hi[r]] {
			i := input(e) - first
			touched[i] = 1
			axpy(sum[i*m:][:width], d[r*n:][:width], table[e>>16])
		}
	}
}

// w[i·n + j] += sum[i·m + j], then sum[i·m + j] = 0, j < width, where touched[i] ≠ 0; then touched[i] = 0
func drainRows[T Float](w, sum []T, touched []uint8, n, m, width int) {
	for i, t := range touched {
		if t != 0 {
			drain(w[i*n:][:width], sum[i*m:][:width])
		}
	}
	clear(touched)
}

// z[i] = b[i] + Σ_j w[i·n + j]·a[j], n = len(a)
func matVec[T Float](z, b, w, a []T) {
	for i := range z {
		row := w[i*len(a):][:len(a)]
		// Four independent sums let the processor overlap the additions.
		var s [4]T
		j := 0
		for ; j+4 <= len(a); j += 4 {
			r, v := row[j:j+4:j+4], a[j:j+4:j+4]
			s[0] += r[0] * v[0]
			s[1] += r[1] * v[1]
			s[2] += r[2] * v[2]
			s[3] += r[3] * v[3]
		}
		z[i] = b[i] + ((s[0] + s[1]) + (s[2] + s[3]))
	}
}

// g[j] = Σ_i d[i]·w[i·n + j], n = Pad(len(g))
func vecMat[T Float](g, w, d []T) {
	n := Pad[T](len(g))
	clear(g)
	for i, v := range d {
		axpy(g, w[i*n:][:len(g)], v)
	}
}

// w[i·n + j] += d[i]·a[j], n = Pad(len(a))
func rank1[T Float](w, d, a []T) {
	n := Pad[T](len(a))
	for i, v := range d {
		axpy(w[i*n:][:len(a)], a, v)
	}
}

// y[j] += x[j], then x[j] = 0
func drain[T Float](y, x []T) {
	for j, v := range x {
		y[j] += v
	}
	clear(x)
}

// y[j] += alpha·x[j]
func axpy[T Float](y, x []T, alpha T) {
	x = x[:len(y)]
	for j := range y {
		y[j] += alpha * x[j]
	}
}

// a[j] = 1/(1 + e^−z[j]) for j < n, 0 for n ≤ j < len(a)
func sigmoid[T Float](a, z []T, n int) {
	least := smallestNormal[T]()
	for j, v := range z[:n] {
		if a[j] = T(1 / (1 + math.Exp(-float64(v)))); a[j] < least {
			a[j] = least
		}
	}
	clear(a[n:])
}

// a[j] = tanh(z[j]) for j < n, 0 for n ≤ j < len(a)
func tanh[T Float](a, z []T, n int) {
	for j, v := range z[:n] {
		a[j] = T(math.Tanh(float64(v)))
	}
	clear(a[n:])
}

// flush returns v, or 0 if it is subnormal: below least, the smallest normal number.
func flush[T Float](v, least T) T {
	if v > -least && v < least {
		return 0
	}
	return v
}

func smallestNormal[T Float]() T {
	least := 0x1p-126
	if unsafe.Sizeof(T(0)) == 8 {
		least = 0x1p-1022
	}
	return T(least)
}

// d[j] = g[j]·a[j]·(1 − a[j]), 0 if subnormal
func sigmoidDelta[T Float](d, g, a []T) {
	least := smallestNormal[T]()
	for j, v := range a {
		d[j] = flush(g[j]*(v*(1-v)), least)
	}
}

// d[j] = g[j]·(1 − a[j]²), 0 if subnormal
func tanhDelta[T Float](d, g, a []T) {
	least := smallestNormal[T]()
	for j, v := range a {
		d[j] = flush(g[j]*(1-v*v), least)
	}
}

// d[j] = alpha·(a[j] − y[j])·a[j]·(1 − a[j]), 0 if subnormal
func sigmoidOutputDelta[T Float](d, a, y []T, alpha T) {
	least := smallestNormal[T]()
	for j, v := range a {
		d[j] = flush(alpha*(v-y[j])*(v*(1-v)), least)
	}
}

// d[j] = alpha·(a[j] − y[j])·(1 − a[j]²), 0 if subnormal
func tanhOutputDelta[T Float](d, a, y []T, alpha T) {
	least := smallestNormal[T]()
	for j, v := range a {
		d[j] = flush(alpha*(v-y[j])*(1-v*v), least)
	}
}

// The tile of the Go set. Its eight sums fit into the 16 registers of amd64.
const (
	tileRows = 2
	tileCols = 4
)

// c[i·n + j] += Σ_k a[k·2 + i]·b[k·4 + j], i < 2, j < 4, k < len(a)/2
func tile[T Float](c []T, n int, a, b []T) {
	var s00, s01, s02, s03, s10, s11, s12, s13 T
	for len(a) >= tileRows && len(b) >= tileCols {
		a0, a1 := a[0], a[1]
		b0, b1, b2, b3 := b[0], b[1], b[2], b[3]
		s00 += a0 * b0
		s01 += a0 * b1
		s02 += a0 * b2
		s03 += a0 * b3
		s10 += a1 * b0
		s11 += a1 * b1
		s12 += a1 * b2
		s13 += a1 * b3
		a, b = a[tileRows:], b[tileCols:]
	}
	for i, s := range [tileRows][tileCols]T{{s00, s01, s02, s03}, {s10, s11, s12, s13}} {
		row := c[i*n:][:tileCols]
		for j := range row {
			row[j] += s[j]
		}
	}
}

// p[k·w + i] = x[k·n + i], i < w, k < len(p)/w
func pack[T Float](p []T, w int, x []T, n int) {
	for k := range len(p) / w {
		copy(p[k*w:][:w], x[k*n:])
	}
}

// p[k·w + i] = x[i·n + k], i < w, k < len(p)/w
func packTransposed[T Float](p []T, w int, x []T, n int) {
	for i := range w {
		for k, v := range x[i*n:][:len(p)/w] {
			p[k*w+i] = v
		}
	}
}
