package lower

import (
	"fmt"

	"trainer/graph/ir"
)

// shareCommon computes once what two instructions compute alike; but two
// outputs stay two.
//
//	s = map 1 - a2; t = map 1 - a2; u = map s * t   →   u = map s * s
func shareCommon(p *ir.Program) {
	for {
		first := map[string]ir.Ref{}
		to := map[ir.Ref]ir.Ref{}
		output := map[ir.Ref]bool{}
		for _, r := range p.Outputs {
			output[r] = true
		}
		for _, in := range p.Code {
			if in.Op.IsUpdate() {
				continue
			}
			b := p.Buffers[in.Dst]
			key := fmt.Sprintf("%d %v %t %t %v %v %d×%d", in.Op, in.Args, in.TransA, in.TransB, in.Value, in.Expr, b.Rows, b.Cols)
			r, ok := first[key]
			switch {
			case !ok:
				first[key] = in.Dst
			case !output[in.Dst]:
				to[in.Dst] = r
			case !output[r]:
				to[in.Dst] = r
				output[r] = true
			}
		}
		if len(to) == 0 {
			return
		}
		rename(p, to)
		remove(p, func(_ int, in ir.Instr) bool { _, gone := to[in.Dst]; return gone })
	}
}
