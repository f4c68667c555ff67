package cpu

import (
	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// generic returns an instruction as plain loops over whole buffers, as package
// ir defines it: for what no kernel is made for. target is what an update
// changes.
func generic[T kernel.Float](in ir.Instr, dst matrix[T], args []matrix[T], rate *T) func() {
	switch in.Op {
	case ir.Fill:
		return each(dst, func(_, _ int) T { return T(in.Value) })
	case ir.MatMul:
		a, b := turned(args[0], in.TransA), turned(args[1], in.TransB)
		return each(dst, func(i, j int) T {
			var s T
			for k := range a.cols {
				s += a.at(i, k) * b.at(k, j)
			}
			return s
		})
	case ir.Transpose:
		a := turned(args[0], true)
		return each(dst, a.at)
	case ir.Reshape:
		a := args[0]
		return each(dst, func(i, j int) T {
			k := i*dst.cols + j
			return a.at(k/a.cols, k%a.cols)
		})
	case ir.Repeat:
		a := repeated(args[0])
		return each(dst, a.at)
	case ir.SumRows:
		a := args[0]
		return each(dst, func(_, j int) T { return a.sumColumn(j) })
	case ir.SumAll:
		a := args[0]
		return each(dst, func(_, _ int) T {
			var s T
			for i := range a.rows {
				for j := range a.cols {
					s += a.at(i, j)
				}
			}
			return s
		})
	case ir.Map:
		terms := in.Expr.Terms()
		from := make([]matrix[T], len(args))
		for k, a := range args {
			from[k] = repeated(a)
		}
		values := make([]T, len(args))
		return each(dst, func(i, j int) T {
			for k, a := range from {
				values[k] = a.at(i, j)
			}
			return ir.Eval(terms, values)
		})
	case ir.Update:
		g := args[0]
		return each(dst, func(i, j int) T { return dst.at(i, j) - *rate*g.at(i, j) })
	case ir.RankUpdate:
		a, b := args[0], args[1]
		return each(dst, func(i, j int) T {
			var s T
			for k := range a.rows {
				s += a.at(k, i) * b.at(k, j)
			}
			return dst.at(i, j) - *rate*s
		})
	case ir.RowUpdate:
		a := args[0]
		return each(dst, func(_, j int) T { return dst.at(0, j) - *rate*a.sumColumn(j) })
	}
	panic("BUG: cpu: " + in.Op.String())
}

// each sets every element of dst.
func each[T kernel.Float](dst matrix[T], value func(i, j int) T) func() {
	return func() {
		for i := range dst.rows {
			for j := range dst.cols {
				dst.set(i, j, value(i, j))
			}
		}
	}
}

// turned returns m, or its transpose, over the same memory.
func turned[T kernel.Float](m matrix[T], transpose bool) matrix[T] {
	if transpose {
		m.rows, m.cols = m.cols, m.rows
		m.rowStride, m.colStride = m.colStride, m.rowStride
	}
	return m
}

// repeated returns m so that a row or a column that is alone answers for every
// index.
func repeated[T kernel.Float](m matrix[T]) matrix[T] {
	if m.rows == 1 {
		m.rowStride = 0
	}
	if m.cols == 1 {
		m.colStride = 0
	}
	return m
}

func (m matrix[T]) sumColumn(j int) T {
	var s T
	for i := range m.rows {
		s += m.at(i, j)
	}
	return s
}
