package ir

import (
	"errors"
	"fmt"
	"math"
)

// Memory holds the values of a program's buffers while it runs.
type Memory[T float32 | float64] struct {
	Buf [][]T // by Ref, each row-major
}

// NewMemory returns memory in which each buffer has its own elements, so that
// all temporaries can be looked at after a run. Data, target and parameters
// are zero; temporaries are NaN, so that a read of what nothing wrote shows.
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

// NewArena returns memory as NewMemory does, but for the temporaries: these
// share the arena as p's memory plan says. After a run the outputs can be
// looked at. A wrong plan gives wrong results.
func NewArena[T float32 | float64](p *Program) (*Memory[T], error) {
	if err := Verify(p); err != nil {
		return nil, err
	}
	m := &Memory[T]{Buf: make([][]T, len(p.Buffers))}
	arena := make([]T, p.Arena)
	poison(arena)
	for r, b := range p.Buffers {
		switch {
		case b.Kind != Temporary:
			m.Buf[r] = make([]T, b.Len())
		case b.Offset == Unplaced:
			return nil, errors.New("ir: the program has no memory plan: use NewMemory")
		default:
			m.Buf[r] = arena[b.Offset : b.Offset+b.Len() : b.Offset+b.Len()]
		}
	}
	return m, nil
}

func poison[T float32 | float64](values []T) {
	for i := range values {
		values[i] = T(math.NaN())
	}
}

// Interpret runs p once over m with learning rate η. It verifies p first, and
// changes nothing when that fails.
//
// All arithmetic is in T, each operation rounded, sums from zero in the stated
// order. T need not be p.Elem: a run in float64 of a float32 program says what
// the program would compute without the rounding of float32.
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
		dst := matrix[T]{p.Buffers[in.Dst].Rows, p.Buffers[in.Dst].Cols, m.Buf[in.Dst]}
		args := make([]matrix[T], len(in.Args))
		for k, r := range in.Args {
			args[k] = matrix[T]{p.Buffers[r].Rows, p.Buffers[r].Cols, m.Buf[r]}
		}
		execute(in, dst, args, rate)
	}
	return nil
}

// matrix is a buffer with its values.
type matrix[T float32 | float64] struct {
	rows, cols int
	v          []T
}

func (a matrix[T]) at(i, j int) T { return a.v[i*a.cols+j] }

// spread is a[i or 0, j or 0].
func (a matrix[T]) spread(i, j int) T {
	if a.rows == 1 {
		i = 0
	}
	if a.cols == 1 {
		j = 0
	}
	return a.at(i, j)
}

// execute is the definition of the ops: the loops of their comments. Products
// are converted to T, so that the compiler does not fuse them with a sum.
func execute[T float32 | float64](in Instr, dst matrix[T], args []matrix[T], rate T) {
	terms := in.Expr.Terms()
	operands := make([]T, len(args))
	total := T(0)
	if in.Op == SumAll {
		for _, x := range args[0].v {
			total += x
		}
	}
	for i := range dst.rows {
		for j := range dst.cols {
			d := &dst.v[i*dst.cols+j]
			switch in.Op {
			case Fill:
				*d = T(in.Value)
			case MatMul:
				*d = product(args[0], args[1], in.TransA, in.TransB, i, j)
			case Transpose:
				*d = args[0].at(j, i)
			case Reshape:
				*d = args[0].v[i*dst.cols+j]
			case Repeat:
				*d = args[0].spread(i, j)
			case SumRows:
				*d = sumColumn(args[0], j)
			case SumAll:
				*d = total
			case Map:
				for k, a := range args {
					operands[k] = a.spread(i, j)
				}
				*d = Eval(terms, operands)
			case Update:
				*d -= T(rate * args[0].at(i, j))
			case RankUpdate:
				*d -= T(rate * product(args[0], args[1], true, false, i, j))
			case RowUpdate:
				*d -= T(rate * sumColumn(args[0], j))
			}
		}
	}
}

// product is element [i,j] of A·B.
func product[T float32 | float64](a, b matrix[T], transA, transB bool, i, j int) T {
	s, inner := T(0), a.cols
	if transA {
		inner = a.rows
	}
	for k := range inner {
		x, y := i*a.cols+k, k*b.cols+j // of A[i,k] and B[k,j]
		if transA {
			x = k*a.cols + i
		}
		if transB {
			y = j*b.cols + k
		}
		s += T(a.v[x] * b.v[y])
	}
	return s
}

// sumColumn is Σ_i a[i,j].
func sumColumn[T float32 | float64](a matrix[T], j int) T {
	s := T(0)
	for i := range a.rows {
		s += a.at(i, j)
	}
	return s
}

// Eval returns the value of an expression, of its terms, for one element of
// each argument. The expression is one of a verified program.
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
