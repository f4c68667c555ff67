package ir

import (
	"encoding/binary"
	"fmt"
	"math"
	"strconv"

	"trainer/graph/internal/enum"
)

// Fn is a term of an expression: an argument, a constant, or a function of
// the terms before it.
type Fn uint8

// The terms. u and v are the operands, in the element type T of the run; each
// result is rounded to T.
const (
	FnArg     Fn = iota // element [i,j] of the instruction's argument Arg
	FnConst             // Value, rounded to T
	FnAdd               // u + v
	FnSub               // u - v
	FnMul               // u * v
	FnNeg               // -u
	FnSquare            // u * u
	FnSigmoid           // σ(u) = 1/(1+e^−u), computed in float64
	FnTanh              // tanh u, computed in float64
)

var fns = enum.New[Fn]("Fn", "arg", "const", "add", "sub", "mul", "neg", "square", "sigmoid", "tanh")

func (f Fn) String() string { return fns.Name(f) }

// activations are the functions that a layer may have.
var activations = [...]Fn{FnSigmoid, FnTanh}

// Fns returns all terms, for tests that loop over them.
func Fns() []Fn { return fns.Values() }

// Arity returns how many operands f takes from the stack.
func (f Fn) Arity() int {
	switch f {
	case FnArg, FnConst:
		return 0
	case FnAdd, FnSub, FnMul:
		return 2
	default:
		return 1
	}
}

// Term is one term of an expression.
type Term struct {
	Fn    Fn
	Arg   int     // FnArg: the index into the instruction's Args
	Value float64 // FnConst
}

// Bounds of the expressions of a verified program. They let a machine have tables
// and stacks of a fixed size.
const (
	MaxTerms = 64 // terms of an expression
	MaxDepth = 16 // values that its evaluation holds at once
)

// Expr is an element-wise expression of some arguments. Exprs are comparable: two
// are == if they have the same terms in the same order, bit by bit, and they can
// be keys of a map. The zero Expr is no expression.
type Expr struct {
	code string // postfix: a byte for each Fn, then Arg as a uvarint or the 8 bytes of Value
}

// Arg is argument i of the instruction, i ≥ 0.
func Arg(i int) Expr {
	if i < 0 {
		panic(fmt.Sprintf("BUG: ir.Arg(%d)", i))
	}
	return Expr{string(binary.AppendUvarint([]byte{byte(FnArg)}, uint64(i)))}
}

// Const is the number v.
func Const(v float64) Expr {
	return Expr{string(binary.LittleEndian.AppendUint64([]byte{byte(FnConst)}, math.Float64bits(v)))}
}

// Apply is the function f of its operands.
func Apply(f Fn, operands ...Expr) Expr {
	if f == FnArg || f == FnConst || !fns.Has(f) || len(operands) != f.Arity() {
		panic(fmt.Sprintf("BUG: ir.Apply(%v) of %d operands", f, len(operands)))
	}
	code := ""
	for _, e := range operands {
		if e.IsZero() {
			panic(fmt.Sprintf("BUG: ir.Apply(%v) of the zero Expr", f))
		}
		code += e.code
	}
	return Expr{code + string([]byte{byte(f)})}
}

// Add is u + v.
func Add(u, v Expr) Expr { return Apply(FnAdd, u, v) }

// Sub is u − v.
func Sub(u, v Expr) Expr { return Apply(FnSub, u, v) }

// Mul is u · v.
func Mul(u, v Expr) Expr { return Apply(FnMul, u, v) }

// Neg is −u.
func Neg(u Expr) Expr { return Apply(FnNeg, u) }

// Square is u².
func Square(u Expr) Expr { return Apply(FnSquare, u) }

// Sigmoid is σ(u).
func Sigmoid(u Expr) Expr { return Apply(FnSigmoid, u) }

// Tanh is tanh u.
func Tanh(u Expr) Expr { return Apply(FnTanh, u) }

// IsZero reports whether e is no expression.
func (e Expr) IsZero() bool { return e.code == "" }

// Terms returns the terms of e in postfix order: operands before their
// function, the left operand first.
func (e Expr) Terms() []Term {
	var terms []Term
	for code := []byte(e.code); len(code) > 0; {
		t := Term{Fn: Fn(code[0])}
		code = code[1:]
		switch t.Fn {
		case FnArg:
			v, n := binary.Uvarint(code)
			t.Arg, code = int(v), code[n:]
		case FnConst:
			t.Value, code = math.Float64frombits(binary.LittleEndian.Uint64(code)), code[8:]
		}
		terms = append(terms, t)
	}
	return terms
}

// Depth returns the largest number of values that an evaluation of e holds at
// once.
func (e Expr) Depth() int {
	depth, most := 0, 0
	for _, t := range e.Terms() {
		depth += 1 - t.Fn.Arity()
		most = max(most, depth)
	}
	return most
}

// Substitute returns e with each Arg(i) replaced by with[i].
func (e Expr) Substitute(with []Expr) Expr {
	return e.replace(func(i int) Expr { return with[i] })
}

// Inline returns e with each Arg(i) replaced by u. The arguments of u have the
// same numbers as those of e. The other arguments of e do not change.
func (e Expr) Inline(i int, u Expr) Expr {
	return e.replace(func(k int) Expr {
		if k == i {
			return u
		}
		return Arg(k)
	})
}

func (e Expr) replace(arg func(i int) Expr) Expr {
	var stack []Expr
	for _, t := range e.Terms() {
		switch t.Fn {
		case FnArg:
			stack = append(stack, arg(t.Arg))
		case FnConst:
			stack = append(stack, Const(t.Value))
		default:
			n := len(stack) - t.Fn.Arity()
			stack = append(stack[:n], Apply(t.Fn, stack[n:]...))
		}
	}
	if len(stack) == 0 {
		return Expr{}
	}
	return stack[0]
}

// Precedences of the text form, weakest first.
const (
	precSum = iota
	precProduct
	precNeg
	precAtom
)

// Format returns e as infix text with the fewest parentheses that keep its
// terms and their order: sigmoid(z2 + b2), (a3 - y) * a3 * (1 - a3). Argument
// i is printed as name(i).
func (e Expr) Format(name func(i int) string) string {
	type part struct {
		text string
		prec int
	}
	var stack []part
	atLeast := func(p part, prec int) string {
		if p.prec < prec {
			return "(" + p.text + ")"
		}
		return p.text
	}
	for _, t := range e.Terms() {
		n := len(stack) - t.Fn.Arity()
		operands := stack[n:]
		var p part
		switch t.Fn {
		case FnArg:
			p = part{name(t.Arg), precAtom}
		case FnConst:
			p = part{formatFloat(t.Value), precAtom}
		case FnAdd:
			p = part{atLeast(operands[0], precSum) + " + " + atLeast(operands[1], precProduct), precSum}
		case FnSub:
			p = part{atLeast(operands[0], precSum) + " - " + atLeast(operands[1], precProduct), precSum}
		case FnMul:
			p = part{atLeast(operands[0], precProduct) + " * " + atLeast(operands[1], precNeg), precProduct}
		case FnNeg:
			u := atLeast(operands[0], precNeg)
			if u[0] >= '0' && u[0] <= '9' {
				u = "(" + u + ")" // -1 is the constant, -(1) its negation
			}
			p = part{"-" + u, precNeg}
		default:
			p = part{t.Fn.String() + "(" + operands[0].text + ")", precAtom}
		}
		stack = append(stack[:n], p)
	}
	if len(stack) == 0 {
		return ""
	}
	return stack[0].text
}

// String returns e with its arguments as $0, $1, ….
func (e Expr) String() string {
	return e.Format(func(i int) string { return "$" + strconv.Itoa(i) })
}

// formatFloat returns the shortest text that reads back as v.
func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
