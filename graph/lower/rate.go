package lower

import (
	"slices"

	"trainer/graph/ir"
)

// foldRate puts the factor −η of all updates into the output delta that they
// come from. The errors and deltas between are linear in it, so they carry the
// factor along, and an update is a mere sum: η costs a multiplication for each
// output, not for each weight.
//
//	d3 = outputdelta sigmoid a3 y; W3 -= rate * d3^T a2   →   d3 = outputdelta sigmoid a3 y * -rate; W3 += d3^T a2
func foldRate(p *ir.Program) {
	readers := make([][]int, len(p.Buffers))
	for i, in := range p.Code {
		for _, a := range in.Args {
			readers[a] = append(readers[a], i)
		}
	}
	for i := range p.Code {
		in := &p.Code[i]
		if in.Op != ir.OutputDelta || in.Rate {
			continue
		}
		chain, ok := linear(p, readers, in.Dst)
		if !ok || !slices.ContainsFunc(chain, func(k int) bool { return p.Code[k].Op.IsUpdate() }) {
			continue
		}
		in.Rate = true
		withRate(in)
		for _, k := range chain {
			if next := &p.Code[k]; next.Op.IsUpdate() {
				next.Rate = true
			} else {
				withRate(next)
			}
		}
	}
}

// withRate says in the note of an instruction that its result has the factor.
func withRate(in *ir.Instr) {
	if in.Note != "" {
		in.Note = "−η × " + in.Note
	}
}

// linear returns the instructions that r reaches, if each is linear in it: a
// product or a delta of r or of what was made of it, or an update by it. It
// reports false if anything else reads one of them.
func linear(p *ir.Program, readers [][]int, r ir.Ref) (chain []int, ok bool) {
	if p.IsEnd(r) {
		return nil, false
	}
	for _, i := range readers[r] {
		in := p.Code[i]
		if slices.Contains(in.Args[1:], r) {
			return nil, false
		}
		chain = append(chain, i)
		switch {
		case in.Op.IsUpdate() && !in.Rate:
		case in.Op == ir.MatMul || in.Op == ir.HiddenDelta:
			rest, ok := linear(p, readers, in.Dst)
			if !ok {
				return nil, false
			}
			chain = append(chain, rest...)
		default:
			return nil, false
		}
	}
	return chain, true
}
