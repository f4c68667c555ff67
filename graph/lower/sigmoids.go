package lower

import "trainer/graph/ir"

// shareSigmoids computes σ(−z) as 1 − σ(z) if the program already computes σ(z).
// Gorgonia derives σ'(z) as σ(z)σ(−z). This pass makes it a(1 − a), as in the
// textbook.
//
//	a2 = map sigmoid(z2); n = map -z2; s = map sigmoid(n)   →   s = map 1 - a2
func shareSigmoids(p *ir.Program) {
	def := definitions(p)
	sigmoid := map[ir.Ref]ir.Ref{} // z → σ(z)
	sole := ir.Arg(0)
	for i := range p.Code {
		in := &p.Code[i]
		if in.Op != ir.Map || in.Expr != ir.Sigmoid(sole) {
			continue
		}
		z := in.Args[0]
		if k := def[z]; k >= 0 && p.Code[k].Op == ir.Map && p.Code[k].Expr == ir.Neg(sole) {
			if a, ok := sigmoid[p.Code[k].Args[0]]; ok && sameShape(p.Buffers[a], p.Buffers[in.Dst]) {
				setMap(in, []ir.Ref{a}, ir.Sub(ir.Const(1), sole))
				continue
			}
		}
		sigmoid[z] = in.Dst
	}
	dropDead(p)
}
