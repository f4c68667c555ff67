package cpu

import (
	"slices"
	"sync/atomic"

	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm/cpu/kernel"
)

// matrix is a buffer of a program in memory. Element [i,j] is
// data[i·rowStride + j·colStride]. The padding is zero.
type matrix[T kernel.Float] struct {
	data                 []T
	rows, cols           int
	rowStride, colStride int
}

// byRows returns a matrix of zeros that is stored by rows, each row padded.
func byRows[T kernel.Float](rows, cols int) matrix[T] {
	stride := kernel.Pad[T](cols)
	return matrix[T]{kernel.Aligned[T](rows * stride), rows, cols, stride, 1}
}

// byColumns returns a matrix of zeros that is stored by columns, each column padded,
// so that the weights of a pixel are contiguous.
func byColumns[T kernel.Float](rows, cols int) matrix[T] {
	stride := kernel.Pad[T](rows)
	return matrix[T]{kernel.Aligned[T](cols * stride), rows, cols, 1, stride}
}

func (m matrix[T]) at(i, j int) T { return m.data[i*m.rowStride+j*m.colStride] }

func (m matrix[T]) set(i, j int, v T) { m.data[i*m.rowStride+j*m.colStride] = v }

// view returns m for matrix products.
func (m matrix[T]) view() kernel.Matrix[T] {
	return kernel.Matrix[T]{Data: m.data, Rows: m.rows, Cols: m.cols, RowStride: m.rowStride, ColStride: m.colStride}
}

// row returns row i with its padding. The matrix must be stored by rows.
func (m matrix[T]) row(i int) []T {
	return m.data[i*m.rowStride : (i+1)*m.rowStride : (i+1)*m.rowStride]
}

// short returns row i with only the padding that kernels need.
func (m matrix[T]) short(i int) []T { return m.row(i)[:kernel.Width[T](m.cols)] }

// write copies row-major values into m, rounded to T. The padding becomes zero: a step
// with a value that is not finite leaves NaN there.
func (m matrix[T]) write(values []float64) {
	clear(m.data)
	for i := range m.rows {
		for j := range m.cols {
			m.set(i, j, T(values[i*m.cols+j]))
		}
	}
}

// read copies m into row-major values.
func (m matrix[T]) read(values []float64) {
	for i := range m.rows {
		for j := range m.cols {
			values[i*m.cols+j] = float64(m.at(i, j))
		}
	}
}

// tensors are the parameters of a program, or their gradients, in the order of
// ir.Program.Parameters.
type tensors[T kernel.Float] []matrix[T]

// newTensors returns the parameters of p, all zero. Those that are marked ByInput are
// stored by columns, the others by rows.
func newTensors[T kernel.Float](p *ir.Program) tensors[T] {
	var t tensors[T]
	for _, r := range p.Parameters() {
		if b := p.Buffers[r]; b.ByInput {
			t = append(t, byColumns[T](b.Rows, b.Cols))
		} else {
			t = append(t, byRows[T](b.Rows, b.Cols))
		}
	}
	return t
}

// like returns tensors of the same shapes and layouts, all zero.
func (t tensors[T]) like() tensors[T] {
	c := slices.Clone(t)
	for k := range c {
		c[k].data = kernel.Aligned[T](len(c[k].data))
	}
	return c
}

// manyValues is the size from which several cores copy or check a tensor.
const manyValues = 1 << 20

// copyFrom copies the values of s, which must have the same layout, using at most
// cores cores.
func (t tensors[T]) copyFrom(s tensors[T], cores int) {
	for k, m := range t {
		if from := s[k].data; len(from) < manyValues {
			copy(m.data, from)
		} else {
			copyLarge(m.data, from, cores)
		}
	}
}

func copyLarge[T kernel.Float](to, from []T, cores int) {
	parallel(len(to), cores, func(a, b int) { copy(to[a:b], from[a:b]) })
}

// nonFinite returns the index of the first tensor with a value that is not finite, or
// -1, using at most cores cores.
func (t tensors[T]) nonFinite(cores int) int {
	for k, m := range t {
		if len(m.data) < manyValues && model.Finite(m.data) || len(m.data) >= manyValues && finiteLarge(m.data, cores) {
			continue
		}
		return k
	}
	return -1
}

func finiteLarge[T kernel.Float](values []T, cores int) bool {
	var bad atomic.Bool
	parallel(len(values), cores, func(a, b int) {
		if !model.Finite(values[a:b]) {
			bad.Store(true)
		}
	})
	return !bad.Load()
}

// write copies p into t, rounded to T.
func (t tensors[T]) write(p model.Parameters) {
	k := 0
	p.Tensors(func(_ string, _ []int, values []float64) {
		t[k].write(values)
		k++
	})
}

// read returns the values of t as parameters of n.
func (t tensors[T]) read(n model.Network) model.Parameters {
	p := model.NewParameters(n)
	k := 0
	p.Tensors(func(_ string, _ []int, values []float64) {
		t[k].read(values)
		k++
	})
	return p
}
