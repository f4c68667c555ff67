package lower

import (
	"slices"

	"trainer/graph/ir"
)

// fuseMaps moves a Map into the expressions of the Maps that use its result, so
// that the result is never stored. It does so if that repeats little work: if the
// result is used once, or if it is cheap to compute from stored values.
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

// fusedReaders returns the instructions that use the result of in, by index, with in
// moved into their expressions. It returns none if in must stay: if it is not a Map,
// if it is the output or the cost, if a reader is not a Map of the same shape, if
// its work would be repeated, or if an expression would become too large.
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

// cheap reports whether computing an expression costs no more than loading its
// result: it is at most one sum, difference or sign.
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

// inlined returns reader with its argument k replaced by producer's expression.
func inlined(reader ir.Instr, k int, producer ir.Instr) ir.Instr {
	args := slices.Concat(reader.Args, producer.Args)
	shifted := make([]ir.Expr, len(producer.Args))
	for i := range shifted {
		shifted[i] = ir.Arg(len(reader.Args) + i)
	}
	setMap(&reader, args, reader.Expr.Inline(k, producer.Expr.Substitute(shifted)))
	return reader
}
