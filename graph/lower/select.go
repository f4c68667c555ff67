package lower

import "trainer/graph/ir"

// selectInstructions replaces the maps that are g(z), δ^L or δ^l by the instructions
// for them. No other place knows what these expressions look like: a machine has a
// kernel for an instruction and matches no expression.
//
//	a2 = map sigmoid(z2)                     →   a2 = activate sigmoid z2
//	d3 = map (a3 - y) * a3 * (1 - a3) * 0.5  →   d3 = outputdelta sigmoid a3 y * 0.5
//	d2 = map e2 * a2 * (1 - a2)              →   d2 = hiddendelta sigmoid e2 a2
func selectInstructions(p *ir.Program) {
	for i := range p.Code {
		in := &p.Code[i]
		if in.Op != ir.Map || !elementwise(p, *in) {
			continue
		}
		for _, g := range layerFunctions {
			if s, ok := g.match(p, *in); ok {
				s.Dst, s.Args, s.Note = in.Dst, in.Args, in.Note
				*in = s
				break
			}
		}
	}
}

// layerFunction is an activation g with the expressions that the earlier passes make
// of the equations that contain it.
type layerFunction struct {
	g           ir.Fn
	activation  ir.Expr // of z
	outputDelta ir.Expr // of a and y; perhaps times a constant
	hiddenDelta ir.Expr // of e and a
}

var layerFunctions = func() []layerFunction {
	u, w, one := ir.Arg(0), ir.Arg(1), ir.Const(1)
	return []layerFunction{
		{
			ir.FnSigmoid, ir.Sigmoid(u),
			ir.Mul(ir.Mul(ir.Sub(u, w), u), ir.Sub(one, u)), // (a − y)·a·(1 − a)
			ir.Mul(ir.Mul(u, w), ir.Sub(one, w)),            // e·a·(1 − a)
		},
		{
			ir.FnTanh, ir.Tanh(u),
			ir.Mul(ir.Sub(u, w), ir.Sub(one, ir.Mul(u, u))), // (a − y)·(1 − a·a)
			ir.Mul(u, ir.Sub(one, ir.Mul(w, w))),            // e·(1 − a·a)
		},
	}
}()

// match returns the instruction that computes the same as the map in, without its
// operands. It reports false if there is none.
func (l layerFunction) match(p *ir.Program, in ir.Instr) (ir.Instr, bool) {
	delta, c := in.Expr, 1.0
	if rest, factor, ok := constantFactor(in.Expr); ok {
		delta, c = rest, factor
	}
	switch {
	case in.Expr == l.activation:
		return ir.Instr{Op: ir.Activate, G: l.g}, true
	case in.Expr == l.hiddenDelta:
		return ir.Instr{Op: ir.HiddenDelta, G: l.g}, true
	case delta == l.outputDelta && p.Buffers[in.Args[1]].Kind == ir.Target:
		return ir.Instr{Op: ir.OutputDelta, G: l.g, Value: c}, true
	}
	return ir.Instr{}, false
}

// constantFactor splits a product e·c, where c is a constant.
func constantFactor(e ir.Expr) (rest ir.Expr, c float64, ok bool) {
	if n := tree(e); n.term.Fn == ir.FnMul && n.args[1].term.Fn == ir.FnConst {
		return n.args[0].expr(), n.args[1].term.Value, true
	}
	return ir.Expr{}, 0, false
}

// elementwise reports whether all arguments of a map have the shape of its result,
// so that none is repeated.
func elementwise(p *ir.Program, in ir.Instr) bool {
	for _, a := range in.Args {
		if !sameShape(p.Buffers[a], p.Buffers[in.Dst]) {
			return false
		}
	}
	return true
}
