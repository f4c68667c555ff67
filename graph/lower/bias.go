package lower

import "trainer/graph/ir"

// foldBias makes z = x Wᵀ + b one instruction, if nothing else reads the product.
//
//	p2 = matmul x W2^T; z2 = map p2 + b2   →   z2 = affine x W2 b2
func foldBias(p *ir.Program) {
	def := definitions(p)
	n := reads(p)
	sum := ir.Add(ir.Arg(0), ir.Arg(1))
	for i := range p.Code {
		in := &p.Code[i]
		if in.Op != ir.Map || in.Expr != sum {
			continue
		}
		product, bias := in.Args[0], in.Args[1]
		k := def[product]
		if k < 0 || n[product] > 1 || !sameShape(p.Buffers[product], p.Buffers[in.Dst]) || p.Buffers[bias].Rows != 1 ||
			p.Buffers[bias].Cols != p.Buffers[in.Dst].Cols {
			continue
		}
		if m := p.Code[k]; m.Op == ir.MatMul && !m.TransA && m.TransB {
			*in = ir.Instr{Op: ir.Affine, Dst: in.Dst, Args: []ir.Ref{m.Args[0], m.Args[1], bias}, Note: in.Note}
		}
	}
	dropDead(p)
}
