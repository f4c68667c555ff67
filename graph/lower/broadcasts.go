package lower

import "trainer/graph/ir"

// dropBroadcasts removes copies that only change the shape. A Map repeats rows and
// columns of its arguments itself, and a Reshape to the same shape does nothing.
// The copies that are the output or the cost stay. So do copies of parameters,
// because the parameter may be updated before the copy is read.
//
//	r = reshape b2; s = repeat r; z2 = map p2 + s   →   z2 = map p2 + b2
func dropBroadcasts(p *ir.Program) {
	def := definitions(p)
	same := func(in ir.Instr) bool {
		return in.Op == ir.Reshape && sameShape(p.Buffers[in.Dst], p.Buffers[in.Args[0]])
	}
	for i := range p.Code {
		in := &p.Code[i]
		if in.Op != ir.Map {
			continue
		}
		args := append([]ir.Ref(nil), in.Args...)
		for k, a := range args {
			for def[a] >= 0 && (p.Code[def[a]].Op == ir.Repeat || same(p.Code[def[a]])) {
				a = p.Code[def[a]].Args[0]
			}
			args[k] = a
		}
		setMap(in, args, in.Expr)
	}
	to := map[ir.Ref]ir.Ref{}
	for _, in := range p.Code {
		if same(in) && !p.IsEnd(in.Dst) && p.Buffers[in.Args[0]].Kind != ir.Parameter {
			to[in.Dst] = in.Args[0]
		}
	}
	rename(p, to)
	dropDead(p)
}
