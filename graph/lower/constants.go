package lower

import "trainer/graph/ir"

// foldConstants computes values that do not depend on the inputs, and writes them
// as numbers into the expressions that use them:
//
//	k = fill 0.5; one = fill 1; f = map k * one; e = map u * f   →   e = map u * 0.5
//
// It rounds each result to the program's element type, as a machine does.
func foldConstants(p *ir.Program) {
	value := map[ir.Ref]float64{} // of each buffer whose elements are all the same number
	for i := range p.Code {
		in := &p.Code[i]
		switch in.Op {
		case ir.Fill:
			value[in.Dst] = in.Value
		case ir.Repeat, ir.Reshape:
			if v, ok := value[in.Args[0]]; ok {
				*in = ir.Instr{Op: ir.Fill, Dst: in.Dst, Value: v, Note: in.Note}
				value[in.Dst] = v
			}
		case ir.Map:
			with := make([]ir.Expr, len(in.Args))
			numbers := 0
			for k, a := range in.Args {
				with[k] = ir.Arg(k)
				if v, ok := value[a]; ok {
					with[k] = ir.Const(v)
					numbers++
				}
			}
			if numbers == 0 {
				continue
			}
			e := in.Expr.Substitute(with)
			if numbers < len(in.Args) {
				setMap(in, in.Args, e)
				continue
			}
			if v, ok := evaluate(p.Elem, e); ok {
				*in = ir.Instr{Op: ir.Fill, Dst: in.Dst, Value: v, Note: in.Note}
				value[in.Dst] = v
			}
		}
	}
	dropDead(p)
}

// evaluate returns the value of an expression without arguments. It reports false
// if the expression has other functions than sums, products, signs and squares.
func evaluate(elem ir.Elem, e ir.Expr) (float64, bool) {
	round := func(v float64) float64 {
		if elem == ir.Float32 {
			return float64(float32(v))
		}
		return v
	}
	var stack []float64
	for _, t := range e.Terms() {
		n := len(stack) - t.Fn.Arity()
		var v float64
		switch t.Fn {
		case ir.FnConst:
			v = t.Value
		case ir.FnAdd:
			v = stack[n] + stack[n+1]
		case ir.FnSub:
			v = stack[n] - stack[n+1]
		case ir.FnMul:
			v = stack[n] * stack[n+1]
		case ir.FnNeg:
			v = -stack[n]
		case ir.FnSquare:
			v = stack[n] * stack[n]
		default:
			return 0, false
		}
		stack = append(stack[:n], round(v))
	}
	return stack[0], true
}
