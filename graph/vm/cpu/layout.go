package cpu

import (
	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// matrix is a buffer of a program in memory: element (i, j) is
// data[i·rowStride + j·colStride]. What lies between rows is padding, zeros.
type matrix[T kernel.Float] struct {
	data                 []T
	rows, cols           int
	rowStride, colStride int
}

// byRows returns a matrix of zeros whose rows lie one after the other, padded.
func byRows[T kernel.Float](rows, cols int) matrix[T] {
	stride := kernel.Pad[T](cols)
	return matrix[T]{kernel.Aligned[T](rows * stride), rows, cols, stride, 1}
}

// byColumns returns a matrix of zeros whose columns lie one after the other,
// padded: the weights of a pixel are in one piece.
func byColumns[T kernel.Float](rows, cols int) matrix[T] {
	stride := kernel.Pad[T](rows)
	return matrix[T]{kernel.Aligned[T](cols * stride), rows, cols, 1, stride}
}

func (m matrix[T]) at(i, j int) T { return m.data[i*m.rowStride+j*m.colStride] }

func (m matrix[T]) set(i, j int, v T) { m.data[i*m.rowStride+j*m.colStride] = v }

// row returns row i with its padding. The matrix is by rows.
func (m matrix[T]) row(i int) []T {
	return m.data[i*m.rowStride : (i+1)*m.rowStride : (i+1)*m.rowStride]
}

// short returns row i without the padding that kernels can do without.
func (m matrix[T]) short(i int) []T { return m.row(i)[:kernel.Width[T](m.cols)] }

// contiguous reports whether rows are in one piece each, as kernels want them.
func (m matrix[T]) contiguous() bool { return m.colStride == 1 }

// write copies row-major values into m, rounded to T.
func (m matrix[T]) write(values []float64) {
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

// tensors are the parameters of a program, or their gradients, by name.
type tensors[T kernel.Float] map[string]matrix[T]

// newTensors makes the parameters of p, all zero. A matrix that is multiplied
// with the data is by columns: a pixel that is not zero then touches one row of
// memory. All others are by rows.
func newTensors[T kernel.Float](p *ir.Program) tensors[T] {
	columns := map[ir.Ref]bool{}
	for _, in := range p.Code {
		switch {
		case in.Op == ir.MatMul && in.TransB && p.Buffers[in.Args[0]].Kind == ir.Data:
			columns[in.Args[1]] = true
		case in.Op == ir.RankUpdate && p.Buffers[in.Args[1]].Kind == ir.Data:
			columns[in.Dst] = true
		}
	}
	t := tensors[T]{}
	for i, b := range p.Buffers {
		switch {
		case b.Kind != ir.Parameter:
		case columns[ir.Ref(i)]:
			t[b.Name] = byColumns[T](b.Rows, b.Cols)
		default:
			t[b.Name] = byRows[T](b.Rows, b.Cols)
		}
	}
	return t
}

// like returns tensors of the same shapes and layouts, all zero.
func (t tensors[T]) like() tensors[T] {
	c := tensors[T]{}
	for name, m := range t {
		m.data = kernel.Aligned[T](len(m.data))
		c[name] = m
	}
	return c
}

// copyFrom copies the values of s, which has the same layout.
func (t tensors[T]) copyFrom(s tensors[T]) {
	for name, m := range t {
		copy(m.data, s[name].data)
	}
}
