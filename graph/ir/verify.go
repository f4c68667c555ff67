package ir

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// MaxLen is the largest number of elements of a buffer: an index fits in 32 bits.
const MaxLen = math.MaxInt32

// Verify returns an error for the first invariant that p violates, and nil if p is
// valid. Interpret runs a valid program without an error, and Parse reads its text
// back to the same program. The invariants:
//
//   - header: the element type is known, the batch is 1 to MaxLen.
//   - names: each buffer's name is legal, unique, and no word of the text form.
//   - shapes: a buffer has 1 or more rows and columns, and at most MaxLen elements.
//   - kinds: there is at most one data and one target, each with one row per sample.
//   - layout: only parameters are by input.
//   - operands: the op is known; there are as many arguments as the op takes; the
//     result and the arguments exist; fields that the op does not use are zero; an
//     activation function is the sigmoid or tanh; the second argument of an output
//     delta is the target.
//   - agreement: the shapes are those of the op's comment.
//   - expressions: a Map has one. It uses all arguments; Args has each of them once,
//     in the order of first use. MaxTerms and MaxDepth bound it.
//   - constants: they are finite in the element type.
//   - single assignment: each temporary is written once, before it is read, and not
//     by an update.
//   - updates: only updates write parameters. Each parameter has at most one update,
//     which does not read it as an argument. Nothing writes data or target.
//   - ends: output and cost are two different temporaries. The output has one row
//     per sample; the cost is 1×1.
//   - notes: a note is one line without leading or trailing space.
//
// The error for an instruction shows the lines around it.
func Verify(p *Program) error {
	v := verifier{p: p, written: make([]bool, len(p.Buffers))}
	for _, check := range []func() error{v.header, v.buffers, v.code, v.ends} {
		if err := check(); err != nil {
			return fmt.Errorf("ir: verify: %w", err)
		}
	}
	return nil
}

type verifier struct {
	p       *Program
	written []bool // by buffer, so far
}

func (v *verifier) header() error {
	switch p := v.p; {
	case !elems.Has(p.Elem):
		return fmt.Errorf("element type %v, want %s", p.Elem, strings.Join(elems.Names(), " or "))
	case p.Batch < 1 || p.Batch > MaxLen:
		return fmt.Errorf("batch %d, want 1 to %d", p.Batch, MaxLen)
	}
	return nil
}

func (v *verifier) buffers() error {
	names := map[string]bool{}
	count := map[Kind]int{}
	for r, b := range v.p.Buffers {
		fault := func(format string, args ...any) error {
			return fmt.Errorf("buffer %d %q: %s", r, b.Name, fmt.Sprintf(format, args...))
		}
		switch {
		case !legalName(b.Name):
			return fault("want a name of letters, digits and underscores that does not begin with a digit and is no word of the text form")
		case names[b.Name]:
			return fault("the name is not unique")
		case !kinds.Has(b.Kind):
			return fault("kind %v, want %s", b.Kind, strings.Join(kinds.Names(), ", "))
		case b.Rows < 1 || b.Cols < 1 || b.Rows > MaxLen/b.Cols:
			return fault("shape %s, want 1 or more rows and columns, at most %d elements", shape(b), MaxLen)
		case b.Kind != Parameter && b.ByInput:
			return fault("%v by input, which only a parameter can be", b.Kind)
		}
		names[b.Name] = true
		count[b.Kind]++
		if b.Kind == Data || b.Kind == Target {
			if count[b.Kind] > 1 {
				return fault("a second %v, want one at most", b.Kind)
			}
			if b.Rows != v.p.Batch {
				return fault("%v of %d rows, want %d, one per sample", b.Kind, b.Rows, v.p.Batch)
			}
		}
	}
	return nil
}

func (v *verifier) code() error {
	for i, in := range v.p.Code {
		for _, check := range []func(Instr) error{v.operands, v.reads, v.writes, v.agree, v.values} {
			if err := check(in); err != nil {
				return v.at(i, err)
			}
		}
		v.written[in.Dst] = true
	}
	for r, b := range v.p.Buffers {
		if b.Kind == Temporary && !v.written[r] {
			return fmt.Errorf("buffer %d %q: no instruction writes it: drop it (Compact does)", r, b.Name)
		}
	}
	return nil
}

// at adds instruction i and the lines around it to err.
func (v *verifier) at(i int, err error) error {
	lines := v.p.codeLines()
	var b strings.Builder
	for k := max(0, i-2); k <= min(i+2, len(lines)-1); k++ {
		mark := "  "
		if k == i {
			mark = "->"
		}
		fmt.Fprintf(&b, "\n  %s %s", mark, lines[k])
	}
	return fmt.Errorf("#%d %v: %w%s", i, v.p.Code[i].Op, err, b.String())
}

func (v *verifier) operands(in Instr) error {
	if !ops.Has(in.Op) {
		return errors.New("unknown op")
	}
	if n := in.Op.arity(); n >= 0 && len(in.Args) != n {
		return fmt.Errorf("have %d arguments, want %d", len(in.Args), n)
	}
	for _, r := range append([]Ref{in.Dst}, in.Args...) {
		if r < 0 || int(r) >= len(v.p.Buffers) {
			return fmt.Errorf("no buffer %d, want 0 to %d", int(r), len(v.p.Buffers)-1)
		}
	}
	switch {
	case in.Op != MatMul && (in.TransA || in.TransB):
		return errors.New("transposed, which only matmul can be")
	case in.Op != Fill && in.Op != OutputDelta && in.Value != 0:
		return fmt.Errorf("value %v, which only fill and outputdelta have", in.Value)
	case in.Op.activates() && !slices.Contains(activations[:], in.G):
		return fmt.Errorf("activation %v, want sigmoid or tanh", in.G)
	case !in.Op.activates() && in.G != 0:
		return fmt.Errorf("activation %v, which only activate, outputdelta and hiddendelta have", in.G)
	case in.Rate && in.Op != OutputDelta && !in.Op.IsUpdate():
		return errors.New("the rate, which only outputdelta and updates have")
	case in.Op == OutputDelta && v.p.Buffers[in.Args[1]].Kind != Target:
		return fmt.Errorf("argument %s is not the target", v.p.name(in.Args[1]))
	case in.Op != Map && !in.Expr.IsZero():
		return fmt.Errorf("expression %v, which only map has", in.Expr)
	case in.Note != strings.TrimSpace(in.Note) || strings.ContainsAny(in.Note, "\r\n"):
		return fmt.Errorf("note %q, want one line without leading or trailing space", in.Note)
	}
	return nil
}

func (v *verifier) reads(in Instr) error {
	for _, r := range in.Args {
		if b := v.p.Buffers[r]; b.Kind == Temporary && !v.written[r] {
			return fmt.Errorf("%s is read before it is written", b.Name)
		}
	}
	return nil
}

func (v *verifier) writes(in Instr) error {
	b := v.p.Buffers[in.Dst]
	switch {
	case b.Kind == Data || b.Kind == Target:
		return fmt.Errorf("%s is %v, which nothing writes", b.Name, b.Kind)
	case b.Kind == Parameter && !in.Op.IsUpdate():
		return fmt.Errorf("%s is a parameter, which only updates write", b.Name)
	case b.Kind == Temporary && in.Op.IsUpdate():
		return fmt.Errorf("%s is a temporary, and updates write parameters", b.Name)
	case v.written[in.Dst]:
		return fmt.Errorf("%s is written a second time", b.Name)
	case slices.Contains(in.Args, in.Dst):
		return fmt.Errorf("%s is updated from itself: give the op a copy", b.Name)
	}
	return nil
}

// agree checks the shapes of an instruction.
func (v *verifier) agree(in Instr) error {
	dst := v.p.Buffers[in.Dst]
	args := make([]Buffer, len(in.Args))
	for k, r := range in.Args {
		args[k] = v.p.Buffers[r]
	}
	result := func(rows, cols int) error {
		if dst.Rows != rows || dst.Cols != cols {
			return fmt.Errorf("result %s is %s, want %dx%d", dst.Name, shape(dst), rows, cols)
		}
		return nil
	}
	switch in.Op {
	case MatMul, RankUpdate:
		a, b := args[0], args[1]
		if in.TransA || in.Op == RankUpdate {
			a.Rows, a.Cols = a.Cols, a.Rows
		}
		if in.TransB {
			b.Rows, b.Cols = b.Cols, b.Rows
		}
		if a.Cols != b.Rows {
			return fmt.Errorf("have %s · %s, want equal inner dimensions", shape(a), shape(b))
		}
		return result(a.Rows, b.Cols)
	case Affine:
		x, w, b := args[0], args[1], args[2]
		if x.Cols != w.Cols {
			return fmt.Errorf("have %s · (%s)ᵀ, want equal inner dimensions", shape(x), shape(w))
		}
		if b.Rows != 1 || b.Cols != w.Rows {
			return fmt.Errorf("bias %s is %s, want 1x%d", b.Name, shape(b), w.Rows)
		}
		return result(x.Rows, w.Rows)
	case Transpose:
		return result(args[0].Cols, args[0].Rows)
	case Reshape:
		if a := args[0]; a.Len() != dst.Len() {
			return fmt.Errorf("have %s to %s, want the same number of elements", shape(a), shape(dst))
		}
	case Repeat:
		if a := args[0]; a.Rows != 1 && a.Cols != 1 || !spreads(a, dst) {
			return fmt.Errorf("have %s to %s, want one row or one column that is repeated", shape(a), shape(dst))
		}
	case SumRows, RowUpdate:
		return result(1, args[0].Cols)
	case SumAll:
		return result(1, 1)
	case Map:
		for _, a := range args {
			if !spreads(a, dst) {
				return fmt.Errorf("argument %s is %s, want %s, or one row or one column of it", a.Name, shape(a), shape(dst))
			}
		}
	case Activate, OutputDelta, HiddenDelta, Update:
		for _, a := range args {
			if err := result(a.Rows, a.Cols); err != nil {
				return err
			}
		}
	}
	return nil
}

// spreads reports whether a has dst's shape when its dimensions of 1 are repeated.
func spreads(a, dst Buffer) bool {
	return (a.Rows == 1 || a.Rows == dst.Rows) && (a.Cols == 1 || a.Cols == dst.Cols)
}

// values checks the expression and the constants of an instruction.
func (v *verifier) values(in Instr) error {
	if in.Op == Fill || in.Op == OutputDelta {
		return v.finite(in.Value)
	}
	if in.Op != Map {
		return nil
	}
	used := 0
	for _, t := range in.Expr.Terms() {
		switch {
		case t.Fn == FnConst:
			if err := v.finite(t.Value); err != nil {
				return err
			}
		case t.Fn == FnArg && t.Arg >= len(in.Args):
			return fmt.Errorf("expression %v, and %d arguments", in.Expr, len(in.Args))
		case t.Fn == FnArg && t.Arg > used:
			return fmt.Errorf("expression %v, want arguments numbered in the order of first use: make it with NewMap", in.Expr)
		case t.Fn == FnArg:
			used = max(used, t.Arg+1)
		}
	}
	switch {
	case used == 0:
		return fmt.Errorf("expression %q without an argument: use fill", in.Expr)
	case used < len(in.Args):
		return fmt.Errorf("argument %s is not in the expression", v.p.name(in.Args[used]))
	case len(in.Expr.Terms()) > MaxTerms:
		return fmt.Errorf("expression of %d terms, want at most %d: split it into two maps", len(in.Expr.Terms()), MaxTerms)
	case in.Expr.Depth() > MaxDepth:
		return fmt.Errorf("expression %d deep, want at most %d: split it into two maps", in.Expr.Depth(), MaxDepth)
	}
	for k, r := range in.Args {
		if slices.Contains(in.Args[:k], r) {
			return fmt.Errorf("argument %s occurs twice: make the instruction with NewMap", v.p.name(r))
		}
	}
	return nil
}

func (v *verifier) finite(value float64) error {
	if v.p.Elem == Float32 {
		value = float64(float32(value))
	}
	if math.IsNaN(value) || math.IsInf(value, 0) {
		return fmt.Errorf("constant %v, want a finite %v", value, v.p.Elem)
	}
	return nil
}

func (v *verifier) ends() error {
	p := v.p
	for _, e := range p.ends() {
		switch {
		case e.ref == None:
		case e.ref < 0 || int(e.ref) >= len(p.Buffers):
			return fmt.Errorf("%s: no buffer %d, want 0 to %d", e.word, int(e.ref), len(p.Buffers)-1)
		case p.Buffers[e.ref].Kind != Temporary:
			return fmt.Errorf("%s %s is %v, want a temporary", e.word, p.name(e.ref), p.Buffers[e.ref].Kind)
		}
	}
	switch {
	case p.Output != None && p.Buffers[p.Output].Rows != p.Batch:
		return fmt.Errorf("output %s has %d rows, want %d, one per sample", p.name(p.Output), p.Buffers[p.Output].Rows, p.Batch)
	case p.Cost != None && p.Buffers[p.Cost].Len() != 1:
		return fmt.Errorf("cost %s is %s, want 1x1", p.name(p.Cost), shape(p.Buffers[p.Cost]))
	case p.Cost != None && p.Cost == p.Output:
		return fmt.Errorf("%s is both the output and the cost, want two temporaries", p.name(p.Cost))
	}
	return nil
}
