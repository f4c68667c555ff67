package lower

import (
	"slices"

	"trainer/graph/ir"
)

// shareCommon merges equal instructions. The output and the cost are never merged
// into one.
//
//	s = map 1 - a2; t = map 1 - a2; u = map s * t   →   u = map s * s
func shareCommon(p *ir.Program) {
	for {
		to := map[ir.Ref]ir.Ref{}
		end := map[ir.Ref]bool{p.Output: true, p.Cost: true}
		var kept []ir.Instr
		for _, in := range p.Code {
			if in.Op.IsUpdate() {
				continue
			}
			k := slices.IndexFunc(kept, func(o ir.Instr) bool {
				return o.Computes(in) && sameShape(p.Buffers[o.Dst], p.Buffers[in.Dst])
			})
			switch {
			case k < 0:
				kept = append(kept, in)
			case !end[in.Dst]:
				to[in.Dst] = kept[k].Dst
			case !end[kept[k].Dst]:
				to[in.Dst] = kept[k].Dst
				end[kept[k].Dst] = true
			}
		}
		if len(to) == 0 {
			return
		}
		rename(p, to)
		remove(p, func(_ int, in ir.Instr) bool { _, gone := to[in.Dst]; return gone })
	}
}
