// Package ir holds the program form of a network: a small register program
// with static shapes, made from the expression graph by package lower and run
// by the machines.
//
// A Program is for one network, one element type and one batch size. Its
// buffers are matrices, row-major, all shapes known; sample i of the batch is
// row i. Its instructions run once each, in order: there are no jumps. The
// learning rate η is not in the program: it is given when the program runs.
//
// A program has typed ends. Its data and its target go in. Its Output, a^L, and
// its Cost come out. Parameters lists what training changes.
//
// A program has a text form: String prints it and Parse reads it back.
//
//	program "step 4-3" float32 batch 2
//	  x  data      2x4
//	  y  target    2x3
//	  W2 parameter 3x4 by input
//	  z2 temporary 2x3
//	  a2 temporary 2x3
//	  d2 temporary 2x3
//	  output a2
//	  0 z2  = matmul x W2^T                          ; z^2 = W^2 a^1
//	  1 a2  = activate sigmoid z2                    ; a^2 = g(z^2)
//	  2 d2  = outputdelta sigmoid a2 y * 0.5 * -rate ; −η × δ^2 (A.64)
//	  3 W2 += d2^T x                                 ; A.62
//
// Verify checks the invariants of a program; its comment lists them. Interpret
// runs a program with plain loops. It defines every op, and every machine is
// tested against it. A machine may round differently and may sum in another
// order. It may differ in nothing else.
//
// Several goroutines may read a program, but not while one of them changes it.
// Errors begin with "ir:" and say what was wanted.
package ir

import (
	"slices"

	"trainer/graph/internal/enum"
)

// Elem is the element type of all values of a program.
type Elem uint8

// The element types.
const (
	Float32 Elem = iota
	Float64
)

var elems = enum.New[Elem]("Elem", "float32", "float64")

func (e Elem) String() string { return elems.Name(e) }

// Kind says what a buffer holds, and therefore which instructions write it.
type Kind uint8

// The kinds of buffers.
const (
	Data      Kind = iota // x: one row per sample; never written
	Target                // y: one row per sample; never written
	Parameter             // W^l, b^l: written by updates only
	Temporary             // written once, before it is read
)

var kinds = enum.New[Kind]("Kind", "data", "target", "parameter", "temporary")

func (k Kind) String() string { return kinds.Name(k) }

// Buffer is a matrix of Rows × Cols elements, row-major.
type Buffer struct {
	Name string // letters, digits and underscores; it begins with no digit and is no word of the text form
	Kind Kind
	Rows int
	Cols int

	// ByInput marks a parameter whose columns should be contiguous in a machine's
	// memory: a weight matrix that multiplies the data. The weights of a pixel
	// are then adjacent. The mark changes no result.
	ByInput bool
}

// Len returns the number of elements.
func (b Buffer) Len() int { return b.Rows * b.Cols }

// Ref is an index into a program's Buffers.
type Ref int

// None is the Ref of no buffer.
const None Ref = -1

// Op says what an instruction does. The comment of each op is its loop: i counts
// the rows and j the columns of the result, and SumBlock says how a sum is taken.
// Interpret runs these loops.
type Op uint8

// SumBlock is the number of terms that a sum Σ adds one after the other. A sum of
// more terms is made of blocks of SumBlock terms, in order, the last of them
// perhaps shorter. The sums of the blocks are added in pairs of neighbours, the
// sums of the pairs likewise, and so on. So its rounding error grows with the
// logarithm of the number of terms, and an update of a mini-batch of 60,000
// samples in float32 is as exact as that of 256. The first block starts from zero,
// or from the bias. See N. J. Higham, Accuracy and Stability of Numerical
// Algorithms, 2nd edition, section 4.2.
const SumBlock = 256

// The ops.
const (
	// Fill: dst[i,j] = value.
	Fill Op = iota

	// MatMul: dst[i,j] = Σ_k A[i,k]·B[k,j], where A: m×k is Args[0], or its
	// transpose with TransA; B: k×n is Args[1], or its transpose with TransB.
	// dst: m×n.
	MatMul

	// Affine: dst[i,j] = b[0,j] + Σ_k x[i,k]·W[j,k]. This is z = x Wᵀ + b, with
	// one row per sample. x: m×k, W: n×k, b: 1×n, dst: m×n. The sum starts from b.
	Affine

	// Transpose: dst[i,j] = a[j,i]. a: n×m, dst: m×n.
	Transpose

	// Reshape: dst has the elements of a in the same order. a: m×n, dst: p×q
	// with p·q = m·n.
	Reshape

	// Repeat: dst[i,j] = a[i or 0, j or 0]. a has 1 row, 1 column, or both; a
	// dimension of a that is not 1 is the same in dst.
	Repeat

	// SumRows: dst[0,j] = Σ_i a[i,j]. a: m×n, dst: 1×n.
	SumRows

	// SumAll: dst[0,0] = Σ_ij a[i,j], row after row. a: m×n, dst: 1×1.
	SumAll

	// Map: dst[i,j] = f(args[i,j]), where f is an element-wise expression. An
	// argument with 1 row or 1 column is repeated, as Repeat does.
	Map

	// Activate: a[i,j] = g(z[i,j]), where g is the instruction's G. a is dst; z,
	// a: m×n.
	Activate

	// OutputDelta: d[i,j] = (a[i,j] − y[i,j])·g'·c, the δ^L of equation A.64.
	// With Rate, c is multiplied by −η first. For the sigmoid g' is
	// a[i,j]·(1 − a[i,j]), multiplied from the left; for tanh it is
	// 1 − a[i,j]·a[i,j]. y is the target, c is Value; d is dst; a, y, d: m×n.
	OutputDelta

	// HiddenDelta: d[i,j] = e[i,j]·g', the δ^l of equation A.65, with
	// e = (W^(l+1))ᵀ δ^(l+1) and g' as in OutputDelta. d is dst; e, a, d: m×n.
	HiddenDelta

	// Update: w[i,j] -= η·g[i,j]; with Rate, w[i,j] += g[i,j]. w: m×n is dst,
	// g: m×n.
	Update

	// RankUpdate: w[i,j] -= η·Σ_k a[k,i]·b[k,j]; with Rate, w[i,j] += the same
	// sum. w: m×n is dst, a: k×m, b: k×n. It is Update with g = aᵀ b, and g is
	// never stored.
	RankUpdate

	// RowUpdate: w[0,j] -= η·Σ_i a[i,j]; with Rate, w[0,j] += the same sum.
	// w: 1×n is dst, a: m×n. It is Update with g = SumRows a, and g is never
	// stored.
	RowUpdate
)

var ops = enum.New[Op]("Op",
	"fill", "matmul", "affine", "transpose", "reshape", "repeat", "sumrows", "sumall", "map",
	"activate", "outputdelta", "hiddendelta", "update", "rankupdate", "rowupdate",
)

func (op Op) String() string { return ops.Name(op) }

// Ops returns all ops, for tests that loop over them.
func Ops() []Op { return ops.Values() }

// IsUpdate reports whether op changes a parameter in place.
func (op Op) IsUpdate() bool { return op == Update || op == RankUpdate || op == RowUpdate }

// activates reports whether op has an activation function.
func (op Op) activates() bool { return op == Activate || op == OutputDelta || op == HiddenDelta }

// arity returns how many arguments op takes; -1 for Map, which takes as many
// as its expression uses.
func (op Op) arity() int {
	switch op {
	case Fill:
		return 0
	case MatMul, OutputDelta, HiddenDelta, RankUpdate:
		return 2
	case Affine:
		return 3
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
	Value          float64 // Fill: the value; OutputDelta: the factor c
	Expr           Expr    // Map only
	G              Fn      // Activate, OutputDelta, HiddenDelta: FnSigmoid or FnTanh

	// Rate moves the factor −η from the updates to the deltas. An OutputDelta
	// with Rate multiplies its result by −η. An update with Rate adds a gradient
	// that already has the factor, so it needs no multiplication by η.
	Rate bool

	Note string // printed after the instruction: the textbook's equation
}

// NewMap returns the instruction dst = e(args). Its Args are the arguments that e
// uses, each once, in the order of first use, as Verify requires.
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
	Batch   int // rows of the data, the target and the output
	Buffers []Buffer
	Code    []Instr
	Output  Ref // a^L, Batch × n^L, a temporary; None: it is not kept
	Cost    Ref // the mean cost of the mini-batch (A.46), 1×1, a temporary; None: it was not asked for
}

// Parameters returns the parameters in the order of the buffers. In a compiled
// program that is W^2, b^2, W^3, b^3, …: the order of the layers, each layer's
// weights before its bias.
func (p *Program) Parameters() []Ref {
	var refs []Ref
	for r, b := range p.Buffers {
		if b.Kind == Parameter {
			refs = append(refs, Ref(r))
		}
	}
	return refs
}

// IsEnd reports whether r is the Output or the Cost, which are read after the
// program has run.
func (p *Program) IsEnd(r Ref) bool { return r == p.Output || r == p.Cost }

// Lookup returns the buffer of that name.
func (p *Program) Lookup(name string) (Ref, bool) {
	i := slices.IndexFunc(p.Buffers, func(b Buffer) bool { return b.Name == name })
	return Ref(i), i >= 0
}

// Clone returns a copy that shares no memory with p.
func (p *Program) Clone() *Program {
	q := *p
	q.Buffers = slices.Clone(p.Buffers)
	q.Code = slices.Clone(p.Code)
	for i := range q.Code {
		q.Code[i].Args = slices.Clone(q.Code[i].Args)
	}
	return &q
}

// Equal reports whether p and q are the same program, names and notes
// included.
func (p *Program) Equal(q *Program) bool {
	return p.Name == q.Name && p.Elem == q.Elem && p.Batch == q.Batch && p.Output == q.Output && p.Cost == q.Cost &&
		slices.Equal(p.Buffers, q.Buffers) && slices.EqualFunc(p.Code, q.Code, func(a, b Instr) bool {
		return a.Dst == b.Dst && a.Note == b.Note && a.Computes(b)
	})
}

// Computes reports whether a and b compute the same values from the same
// arguments: they are equal except for the result and the note.
func (a Instr) Computes(b Instr) bool {
	return a.Op == b.Op && slices.Equal(a.Args, b.Args) && a.TransA == b.TransA && a.TransB == b.TransB &&
		a.Value == b.Value && a.Expr == b.Expr && a.G == b.G && a.Rate == b.Rate
}

// Compact drops the temporaries that no instruction writes or reads and that are
// neither output nor cost. A pass calls it after it has removed instructions.
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
	for _, end := range []*Ref{&p.Output, &p.Cost} {
		if *end != None {
			f(end)
		}
	}
}
