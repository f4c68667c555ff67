package lower

import "trainer/graph/ir"

// dropDead removes the instructions whose results reach neither an update nor the
// output nor the cost.
//
//	e1 = matmul d2 W2; W2 -= rate * d2^T x   →   W2 -= rate * d2^T x
func dropDead(p *ir.Program) {
	n := reads(p)
	dead := make([]bool, len(p.Code))
	for i := len(p.Code) - 1; i >= 0; i-- {
		in := p.Code[i]
		if in.Op.IsUpdate() || n[in.Dst] > 0 {
			continue
		}
		dead[i] = true
		for _, a := range in.Args {
			n[a]--
		}
	}
	remove(p, func(i int, _ ir.Instr) bool { return dead[i] })
}
