package lower

import "trainer/graph/ir"

// absorbTransposes removes transposed copies. A product reads its operand transposed
// instead of a transposed copy of it. The transpose of a product becomes a product,
// (A B)ᵀ = Bᵀ Aᵀ, unless another instruction reads A B too: then there would be two
// products.
//
//	t = transpose W2; z2 = matmul x t      →   z2 = matmul x W2^T
//	t = matmul x^T d2; g = transpose t     →   g = matmul d2^T x
func absorbTransposes(p *ir.Program) {
	def := definitions(p)
	n := reads(p)
	transposed := func(r ir.Ref) (ir.Ref, bool) {
		if i := def[r]; i >= 0 && p.Code[i].Op == ir.Transpose {
			return p.Code[i].Args[0], true
		}
		return r, false
	}
	for i := range p.Code {
		in := &p.Code[i]
		switch in.Op {
		case ir.MatMul:
			a, turnA := transposed(in.Args[0])
			b, turnB := transposed(in.Args[1])
			in.Args = []ir.Ref{a, b}
			in.TransA = in.TransA != turnA
			in.TransB = in.TransB != turnB
		case ir.Transpose:
			if k := def[in.Args[0]]; k >= 0 && p.Code[k].Op == ir.MatMul && n[in.Args[0]] == 1 {
				m := p.Code[k]
				*in = ir.Instr{
					Op: ir.MatMul, Dst: in.Dst, Note: in.Note,
					Args: []ir.Ref{m.Args[1], m.Args[0]}, TransA: !m.TransB, TransB: !m.TransA,
				}
			}
		}
	}
	dropDead(p)
}
