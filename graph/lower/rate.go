package lower

import (
	"slices"

	"trainer/graph/ir"
)

// foldRate moves the factor −η from the updates into the output delta. The errors
// and deltas in between are linear in the output delta, so they have the factor
// too, and an update only adds. η then costs one multiplication per output, not one
// per weight.
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

// withRate adds to the note of an instruction that its result has the factor −η.
func withRate(in *ir.Instr) {
	if in.Note != "" {
		in.Note = "−η × " + in.Note
	}
}

// linear returns the instructions that depend on r, if each is linear in r: a
// product, a hidden delta or an update. It reports false if r, or a
// value that depends on it, is an end of the program or is read in another way.
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
