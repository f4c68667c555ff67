package ir

import (
	"fmt"
	"math"
)

// Memory holds the values of a program's buffers while it runs.
type Memory[T float32 | float64] struct {
	Buf [][]T // by Ref, each row-major
}

// NewMemory returns memory for p. Data, target and parameters are zero.
// Temporaries are NaN, so that a read before the first write spoils the result.
func NewMemory[T float32 | float64](p *Program) *Memory[T] {
	m := &Memory[T]{Buf: make([][]T, len(p.Buffers))}
	for r, b := range p.Buffers {
		m.Buf[r] = make([]T, b.Len())
		if b.Kind == Temporary {
			poison(m.Buf[r])
		}
	}
	return m
}

func poison[T float32 | float64](values []T) {
	for i := range values {
		values[i] = T(math.NaN())
	}
}

// Interpret runs p once over m with learning rate η. It verifies p first, and
// changes nothing if that fails.
//
// All arithmetic is in T. Each operation is rounded, and sums are taken in the
// stated order. T need not be p.Elem: a float32 program that runs in float64 gives
// what it would compute without the rounding of float32.
func Interpret[T float32 | float64](p *Program, m *Memory[T], rate T) error {
	if err := Verify(p); err != nil {
		return err
	}
	if len(m.Buf) != len(p.Buffers) {
		return fmt.Errorf("ir: interpret: memory of %d buffers, want %d: make it with NewMemory of this program", len(m.Buf), len(p.Buffers))
	}
	for r, b := range p.Buffers {
		if len(m.Buf[r]) != b.Len() {
			return fmt.Errorf("ir: interpret: %s has %d elements, want %d: make the memory with NewMemory of this program", b.Name, len(m.Buf[r]), b.Len())
		}
	}
	for _, in := range p.Code {
		args := make([]Matrix[T], len(in.Args))
		for k, r := range in.Args {
			args[k] = m.matrix(p, r)
		}
		Loop(in, m.matrix(p, in.Dst), args)(rate)
	}
	return nil
}

func (m *Memory[T]) matrix(p *Program, r Ref) Matrix[T] {
	b := p.Buffers[r]
	return Matrix[T]{m.Buf[r], b.Rows, b.Cols, b.Cols, 1}
}

// Matrix is a buffer in memory: element [i,j] is V[i·RowStride + j·ColStride].
type Matrix[T float32 | float64] struct {
	V                    []T
	Rows, Cols           int
	RowStride, ColStride int
}

// At returns element [i,j].
func (a Matrix[T]) At(i, j int) T { return a.V[i*a.RowStride+j*a.ColStride] }

// turned returns a, or its transpose, over the same memory.
func (a Matrix[T]) turned(transpose bool) Matrix[T] {
	if transpose {
		a.Rows, a.Cols, a.RowStride, a.ColStride = a.Cols, a.Rows, a.ColStride, a.RowStride
	}
	return a
}

// repeated returns a with its row repeated for every index, if it has only one,
// and the same with its column.
func (a Matrix[T]) repeated() Matrix[T] {
	if a.Rows == 1 {
		a.RowStride = 0
	}
	if a.Cols == 1 {
		a.ColStride = 0
	}
	return a
}

// Loop returns the loop of an instruction of a verified program, which is the one
// in the comment of its op. The operands may be anywhere in memory. The loops
// define the ops: Interpret runs them, and a machine runs them for an instruction
// for which it has no kernel. The argument of the loop is η. A call of the loop
// allocates nothing.
func Loop[T float32 | float64](in Instr, dst Matrix[T], args []Matrix[T]) func(rate T) {
	switch in.Op {
	case Update, RankUpdate, RowUpdate:
		gradient := value(in, dst, args)
		if in.Rate {
			return each(dst, func(i, j int, _ T) T { return dst.At(i, j) + gradient(i, j) })
		}
		return each(dst, func(i, j int, rate T) T { return dst.At(i, j) - T(rate*gradient(i, j)) })
	case OutputDelta:
		a, y, slope := args[0], args[1], slopeOf[T](in.G)
		return each(dst, func(i, j int, rate T) T {
			c := T(in.Value)
			if in.Rate {
				c = T(-rate * c)
			}
			return T(slope(a.At(i, j)-y.At(i, j), a.At(i, j)) * c)
		})
	default:
		v := value(in, dst, args)
		return each(dst, func(i, j int, _ T) T { return v(i, j) })
	}
}

// each returns the loop that sets every element of dst, row after row.
func each[T float32 | float64](dst Matrix[T], value func(i, j int, rate T) T) func(rate T) {
	return func(rate T) {
		for i := range dst.Rows {
			for j := range dst.Cols {
				dst.V[i*dst.RowStride+j*dst.ColStride] = value(i, j, rate)
			}
		}
	}
}

// value returns element [i,j] of the result of an instruction, or of the gradient
// if the instruction is an update. Products are converted to T, so that the Go
// compiler does not fuse them with a sum.
func value[T float32 | float64](in Instr, dst Matrix[T], args []Matrix[T]) func(i, j int) T {
	zero := func(int) T { return 0 }
	switch in.Op {
	case Fill:
		return func(_, _ int) T { return T(in.Value) }
	case MatMul:
		return product(zero, args[0].turned(in.TransA), args[1].turned(in.TransB))
	case RankUpdate:
		return product(zero, args[0].turned(true), args[1])
	case Affine:
		b := args[2]
		return product(func(j int) T { return b.At(0, j) }, args[0], args[1].turned(true))
	case Transpose:
		return args[0].turned(true).At
	case Reshape:
		a := args[0]
		return func(i, j int) T {
			k := i*dst.Cols + j
			return a.At(k/a.Cols, k%a.Cols)
		}
	case Repeat:
		return args[0].repeated().At
	case SumRows, RowUpdate:
		a := args[0]
		return func(_, j int) T {
			return sum(0, a.Rows, func(s T, from, to int) T {
				for i := from; i < to; i++ {
					s += a.At(i, j)
				}
				return s
			})
		}
	case SumAll:
		a := args[0]
		return func(_, _ int) T {
			return sum(0, a.Rows*a.Cols, func(s T, from, to int) T {
				for k := from; k < to; k++ {
					s += a.At(k/a.Cols, k%a.Cols)
				}
				return s
			})
		}
	case Map:
		return expression(in.Expr.Terms(), args)
	case Activate:
		return expression(Apply(in.G, Arg(0)).Terms(), args)
	case HiddenDelta:
		e, a, slope := args[0], args[1], slopeOf[T](in.G)
		return func(i, j int) T { return slope(e.At(i, j), a.At(i, j)) }
	case Update:
		return args[0].At
	}
	panic("BUG: ir: no loop for " + in.Op.String())
}

// product returns element [i,j] of A·B, summed from start(j).
func product[T float32 | float64](start func(j int) T, a, b Matrix[T]) func(i, j int) T {
	return func(i, j int) T {
		return sum(start(j), a.Cols, func(s T, from, to int) T {
			x, y := i*a.RowStride+from*a.ColStride, from*b.RowStride+j*b.ColStride // the places of A[i,k] and B[k,j]
			for range to - from {
				s += T(a.V[x] * b.V[y])
				x, y = x+a.ColStride, y+b.RowStride
			}
			return s
		})
	}
}

// sum returns start plus n terms, in the order of SumBlock. block returns s plus
// the terms from..to-1, one after the other.
func sum[T float32 | float64](start T, n int, block func(s T, from, to int) T) T {
	s := block(start, 0, min(n, SumBlock))
	if n <= SumBlock {
		return s
	}
	var levels [32]T // sum k is of 2^k blocks
	levels[0] = s
	count := 1 // blocks so far: level k is in use when bit k is set
	for from := SumBlock; from < n; from += SumBlock {
		s = block(0, from, min(from+SumBlock, n))
		k := 0
		for ; count>>k&1 == 1; k++ {
			s = levels[k] + s
		}
		levels[k] = s
		count++
	}
	first := true
	for k := range levels {
		if count>>k&1 == 0 {
			continue
		}
		if first {
			s, first = levels[k], false
		} else {
			s = levels[k] + s
		}
	}
	return s
}

// expression returns the value of an expression at [i,j] of its arguments.
func expression[T float32 | float64](terms []Term, args []Matrix[T]) func(i, j int) T {
	from, operands := make([]Matrix[T], len(args)), make([]T, len(args))
	for k, a := range args {
		from[k] = a.repeated()
	}
	return func(i, j int) T {
		for k, a := range from {
			operands[k] = a.At(i, j)
		}
		return Eval(terms, operands)
	}
}

// slopeOf returns the function u·g'(z) of u and a = g(z): u·a·(1 − a) for the
// sigmoid, u·(1 − a·a) for tanh.
func slopeOf[T float32 | float64](g Fn) func(u, a T) T {
	if g == FnTanh {
		return func(u, a T) T { return T(u * (1 - T(a*a))) }
	}
	return func(u, a T) T { return T(T(u*a) * (1 - a)) }
}

// Eval returns the value of the expression with these terms for one element of
// each argument. The expression must be from a verified program.
func Eval[T float32 | float64](terms []Term, args []T) T {
	var stack [MaxDepth]T
	n := 0
	for _, t := range terms {
		n += 1 - t.Fn.Arity()
		u := &stack[n-1] // the result, and the first operand
		switch t.Fn {
		case FnArg:
			*u = args[t.Arg]
		case FnConst:
			*u = T(t.Value)
		case FnAdd:
			*u += stack[n]
		case FnSub:
			*u -= stack[n]
		case FnMul:
			*u = T(*u * stack[n])
		case FnNeg:
			*u = -*u
		case FnSquare:
			*u = T(*u * *u)
		case FnSigmoid:
			*u = T(1 / (1 + math.Exp(-float64(*u))))
		case FnTanh:
			*u = T(math.Tanh(float64(*u)))
		}
	}
	return stack[0]
}
