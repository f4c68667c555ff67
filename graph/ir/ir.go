// Package ir holds the program form of a network: a small register program
// with static shapes, made from the expression graph by package lower and run
// by the machines.
//
// A Program is for one network, one element type and one batch size. Its
// buffers are matrices, row-major, all shapes known; sample i of the batch is
// row i. Its instructions run once each, in order: there are no jumps. The
// learning rate η is not in the program: it is given when the program runs,
// and the updates use it.
//
// A program has a text form: String prints it and Parse reads it back.
//
//	program "step 4-3" float32 batch 2 arena 12
//	  x  data      2x4
//	  y  target    2x3
//	  W2 parameter 3x4
//	  z2 temporary 2x3 @0
//	  a2 temporary 2x3 @6
//	  d2 temporary 2x3 @0
//	  keep a2
//	  0 z2  = matmul x W2^T                ; z^2 = W^2 a^1
//	  1 a2  = map sigmoid(z2)              ; a^2 = g(z^2)
//	  2 d2  = map (a2 - y) * a2 * (1 - a2) ; A.64
//	  3 W2 -= rate * d2^T x                ; A.62
//
// Verify says whether a program keeps the invariants, which it lists.
// Interpret runs a program with plain loops: it is the definition of every
// op, and what any machine is tested against. Rounding and the order of a sum
// are a machine's own affair; nothing else is.
//
// Nothing here is safe for use from several goroutines while one of them
// changes the program. Errors begin with "ir:" and say what was wanted.
package ir

import (
	"fmt"
	"slices"
)

// Elem is the element type of all values of a program.
type Elem uint8

// The element types.
const (
	Float32 Elem = iota
	Float64
	elemEnd
)

var elemNames = [elemEnd]string{"float32", "float64"}

func (e Elem) String() string { return enumName(elemNames[:], uint8(e), "Elem") }

// Kind says what a buffer holds, and so who writes it.
type Kind uint8

// The kinds of buffers.
const (
	Data      Kind = iota // x: a row for each sample; never written
	Target                // y: a row for each sample; never written
	Parameter             // W^l, b^l: written by Update, RankUpdate and RowUpdate only
	Temporary             // written once, before it is read
	kindEnd
)

var kindNames = [kindEnd]string{"data", "target", "parameter", "temporary"}

func (k Kind) String() string { return enumName(kindNames[:], uint8(k), "Kind") }

// Unplaced is the Offset of a buffer that is not in the arena.
const Unplaced = -1

// Buffer is a matrix of Rows × Cols elements, row-major.
type Buffer struct {
	Name   string // letters, digits and underscores, no digit first; no word of the text form
	Kind   Kind
	Rows   int
	Cols   int
	Offset int // of a temporary in the arena, in elements; Unplaced before the memory plan
}

// Len returns the number of elements.
func (b Buffer) Len() int { return b.Rows * b.Cols }

// Ref is an index into a program's Buffers.
type Ref int

// Op says what an instruction does. The comment of each op is its loop, with
// i over rows and j over columns of the result, and s summed from zero in the
// order of its index. Interpret runs these loops.
type Op uint8

// The ops.
const (
	// Fill: dst[i,j] = value.
	Fill Op = iota

	// MatMul: dst[i,j] = Σ_k A[i,k]·B[k,j], where A: m×k is Args[0], or its
	// transpose with TransA; B: k×n is Args[1], or its transpose with TransB.
	// dst: m×n.
	MatMul

	// Transpose: dst[i,j] = a[j,i]. a: n×m, dst: m×n.
	Transpose

	// Reshape: dst has the elements of a in the same order. a: m×n, dst: p×q
	// with p·q = m·n.
	Reshape

	// Repeat: dst[i,j] = a[i or 0, j or 0]. a has 1 row, 1 column, or both;
	// a dimension of it that is not 1 is dst's.
	Repeat

	// SumRows: dst[0,j] = Σ_i a[i,j]. a: m×n, dst: 1×n.
	SumRows

	// SumAll: dst[0,0] = Σ_ij a[i,j], row after row. a: m×n, dst: 1×1.
	SumAll

	// Map: dst[i,j] = f(args[i,j]), f an element-wise expression. An argument
	// with 1 row or 1 column is repeated as by Repeat.
	Map

	// Update: w[i,j] -= η·g[i,j]. w: m×n is dst, g: m×n.
	Update

	// RankUpdate: w[i,j] -= η·Σ_k a[k,i]·b[k,j]. w: m×n is dst, a: k×m,
	// b: k×n. It is Update with g = aᵀ b, and g is never stored.
	RankUpdate

	// RowUpdate: w[0,j] -= η·Σ_i a[i,j]. w: 1×n is dst, a: m×n. It is Update
	// with g = SumRows a, and g is never stored.
	RowUpdate

	opEnd
)

var opNames = [opEnd]string{
	"fill", "matmul", "transpose", "reshape", "repeat", "sumrows", "sumall", "map",
	"update", "rankupdate", "rowupdate",
}

func (op Op) String() string { return enumName(opNames[:], uint8(op), "Op") }

// Ops returns all ops, for tests that loop over them.
func Ops() []Op {
	ops := make([]Op, opEnd)
	for i := range ops {
		ops[i] = Op(i)
	}
	return ops
}

// IsUpdate reports whether op changes a parameter in place.
func (op Op) IsUpdate() bool { return op == Update || op == RankUpdate || op == RowUpdate }

// arity returns how many arguments op takes; -1 for Map, which takes as many
// as its expression uses.
func (op Op) arity() int {
	switch op {
	case Fill:
		return 0
	case MatMul, RankUpdate:
		return 2
	case Map:
		return -1
	default:
		return 1
	}
}

// Instr is an instruction. Fields that its op does not use are zero.
type Instr struct {
	Op             Op
	Dst            Ref
	Args           []Ref   // of a Map: distinct, Arg(i) of Expr is Args[i], in the order of first use (see NewMap)
	TransA, TransB bool    // MatMul only
	Value          float64 // Fill only
	Expr           Expr    // Map only
	Note           string  // printed behind the instruction: the textbook's equation
}

// NewMap returns the instruction dst = e(args), with the arguments that e uses,
// each once, in the order of first use, as Verify wants them.
func NewMap(dst Ref, args []Ref, e Expr) Instr {
	var used []Ref
	at := make([]Expr, len(args))
	for _, t := range e.Terms() {
		if t.Fn != FnArg {
			continue
		}
		k := slices.Index(used, args[t.Arg])
		if k < 0 {
			k = len(used)
			used = append(used, args[t.Arg])
		}
		at[t.Arg] = Arg(k)
	}
	return Instr{Op: Map, Dst: dst, Args: used, Expr: e.Substitute(at)}
}

// Program is a straight-line program over buffers.
type Program struct {
	Name    string // for readers: "step 784-50-10 sigmoid"
	Elem    Elem
	Batch   int // rows of the data and the target
	Buffers []Buffer
	Code    []Instr
	Outputs []Ref // temporaries that are read after the program: a^L, the cost
	Arena   int   // elements of the arena that the temporaries share; 0 before the memory plan
}

// Lookup returns the buffer of that name.
func (p *Program) Lookup(name string) (Ref, bool) {
	i := slices.IndexFunc(p.Buffers, func(b Buffer) bool { return b.Name == name })
	return Ref(i), i >= 0
}

// Clone returns a copy that shares no memory with p.
func (p *Program) Clone() *Program {
	q := *p
	q.Buffers = slices.Clone(p.Buffers)
	q.Outputs = slices.Clone(p.Outputs)
	q.Code = slices.Clone(p.Code)
	for i := range q.Code {
		q.Code[i].Args = slices.Clone(q.Code[i].Args)
	}
	return &q
}

// Equal reports whether p and q are the same program, names and notes
// included.
func (p *Program) Equal(q *Program) bool {
	return p.Name == q.Name && p.Elem == q.Elem && p.Batch == q.Batch && p.Arena == q.Arena &&
		slices.Equal(p.Buffers, q.Buffers) && slices.Equal(p.Outputs, q.Outputs) &&
		slices.EqualFunc(p.Code, q.Code, func(a, b Instr) bool {
			return a.Op == b.Op && a.Dst == b.Dst && slices.Equal(a.Args, b.Args) &&
				a.TransA == b.TransA && a.TransB == b.TransB && a.Value == b.Value &&
				a.Expr == b.Expr && a.Note == b.Note
		})
}

// Compact drops the temporaries that no instruction writes or reads and that
// are no outputs: what a pass leaves behind.
func (p *Program) Compact() {
	used := make([]bool, len(p.Buffers))
	p.eachRef(func(r *Ref) { used[*r] = true })
	to := make([]Ref, len(p.Buffers))
	kept := p.Buffers[:0]
	for r, b := range p.Buffers {
		if used[r] || b.Kind != Temporary {
			to[r] = Ref(len(kept))
			kept = append(kept, b)
		}
	}
	p.Buffers = kept
	p.eachRef(func(r *Ref) { *r = to[*r] })
}

func (p *Program) eachRef(f func(*Ref)) {
	for i := range p.Code {
		f(&p.Code[i].Dst)
		for k := range p.Code[i].Args {
			f(&p.Code[i].Args[k])
		}
	}
	for k := range p.Outputs {
		f(&p.Outputs[k])
	}
}

func enumName(names []string, i uint8, enum string) string {
	if int(i) >= len(names) {
		return fmt.Sprintf("%s(%d)", enum, i)
	}
	return names[i]
}
