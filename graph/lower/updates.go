package lower

import (
	"slices"

	"trainer/graph/ir"
)

// fuseUpdates joins an update with the product or the sum that computes its
// gradient, if nothing else reads the gradient. It leaves a gradient that is computed
// from parameters, because an earlier update may have changed them.
//
//	g = matmul d2^T x; W2 -= rate * g   →   W2 -= rate * d2^T x
//	g = sumrows d2; b2 -= rate * g      →   b2 -= rate * sumrows d2
func fuseUpdates(p *ir.Program) {
	def := definitions(p)
	n := reads(p)
	for i := range p.Code {
		in := &p.Code[i]
		if in.Op != ir.Update {
			continue
		}
		k := def[in.Args[0]]
		if k < 0 || n[in.Args[0]] > 1 || readsParameter(p, p.Code[k]) {
			continue
		}
		switch g := p.Code[k]; {
		case g.Op == ir.MatMul && g.TransA && !g.TransB:
			in.Op, in.Args = ir.RankUpdate, g.Args
		case g.Op == ir.SumRows:
			in.Op, in.Args = ir.RowUpdate, g.Args
		}
	}
	dropDead(p)
}

func readsParameter(p *ir.Program, in ir.Instr) bool {
	return slices.ContainsFunc(in.Args, func(r ir.Ref) bool { return p.Buffers[r].Kind == ir.Parameter })
}

// placeUpdates moves each update up, directly after the last instruction that reads
// the parameter or computes an argument of the update. With o.Listing only the
// arguments count, and later instructions read the updated parameter.
func placeUpdates(p *ir.Program, o Options) error {
	for i := range p.Code {
		in := p.Code[i]
		if !in.Op.IsUpdate() {
			continue
		}
		after := -1 // the index of the instruction that must come before the update
		for k := range i {
			if reads := slices.Contains(p.Code[k].Args, in.Dst); slices.Contains(in.Args, p.Code[k].Dst) || reads && !o.Listing {
				after = k
			}
		}
		at := after + 1
		for at < i && p.Code[at].Op.IsUpdate() {
			at++ // updates that move to the same place keep their order
		}
		copy(p.Code[at+1:i+1], p.Code[at:i])
		p.Code[at] = in
	}
	return nil
}
