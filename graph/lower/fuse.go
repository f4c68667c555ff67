package lower

import (
	"slices"

	"trainer/graph/ir"
)

// fuseMaps writes an element-wise result into the expressions that use it, so
// that it is never stored, if that repeats no work worth storing: it is used
// once, or it is a difference or the like of stored values.
//
//	z2 = map p2 + b2; a2 = map sigmoid(z2)   →   a2 = map sigmoid(p2 + b2)
func fuseMaps(p *ir.Program) {
	for i := 0; i < len(p.Code); i++ {
		if fused := fusedReaders(p, p.Code[i]); len(fused) > 0 {
			for r, in := range fused {
				p.Code[r] = in
			}
			remove(p, func(k int, _ ir.Instr) bool { return k == i })
			i--
		}
	}
}

// fusedReaders returns the instructions that use the result of in, by index,
// as they are with in written into them. It returns none if in stays: it is no
// Map, or an output, or used by what is no Map of its shape, or worth storing,
// or too large for an expression.
func fusedReaders(p *ir.Program, in ir.Instr) map[int]ir.Instr {
	if in.Op != ir.Map || p.IsEnd(in.Dst) {
		return nil
	}
	fused := map[int]ir.Instr{}
	uses := 0
	for r, reader := range p.Code {
		k := slices.Index(reader.Args, in.Dst)
		if k < 0 {
			continue
		}
		if reader.Op != ir.Map || !sameShape(p.Buffers[reader.Dst], p.Buffers[in.Dst]) {
			return nil
		}
		for _, t := range reader.Expr.Terms() {
			if t.Fn == ir.FnArg && t.Arg == k {
				uses++
			}
		}
		fused[r] = inlined(reader, k, in)
		if e := fused[r].Expr; e.Depth() > ir.MaxDepth || len(e.Terms()) > ir.MaxTerms {
			return nil
		}
	}
	if uses > 1 && !cheap(in.Expr) {
		return nil
	}
	return fused
}

// cheap reports whether an expression costs no more than to load its result:
// one sum, difference or sign.
func cheap(e ir.Expr) bool {
	operations := 0
	for _, t := range e.Terms() {
		switch t.Fn {
		case ir.FnArg, ir.FnConst:
		case ir.FnAdd, ir.FnSub, ir.FnNeg:
			operations++
		default:
			return false
		}
	}
	return operations <= 1
}

// inlined returns reader with producer's expression for its argument k.
func inlined(reader ir.Instr, k int, producer ir.Instr) ir.Instr {
	args := slices.Concat(reader.Args, producer.Args)
	shifted := make([]ir.Expr, len(producer.Args))
	for i := range shifted {
		shifted[i] = ir.Arg(len(reader.Args) + i)
	}
	setMap(&reader, args, reader.Expr.Inline(k, producer.Expr.Substitute(shifted)))
	return reader
}
