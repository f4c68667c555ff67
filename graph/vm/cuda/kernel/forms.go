package kernel

import "trainer/graph/ir"

// forms returns the expressions that the kernels evaluate without bytecode, in
// the order of enum Form.
func forms() []ir.Expr {
	u, w, one := ir.Arg(0), ir.Arg(1), ir.Const(1)
	return []ir.Expr{
		{}, // FORM_CODE
		ir.Sigmoid(u),
		ir.Sigmoid(ir.Add(u, w)),
		ir.Tanh(u),
		ir.Tanh(ir.Add(u, w)),
		ir.Mul(ir.Mul(ir.Sub(u, w), u), ir.Sub(one, u)),
		ir.Mul(ir.Sub(u, w), ir.Sub(one, ir.Mul(u, u))),
		ir.Mul(ir.Mul(u, w), ir.Sub(one, w)),
		ir.Mul(u, ir.Sub(one, ir.Mul(w, w))),
	}
}

// Forms that the encoder asks for. The first two may have a constant factor.
const (
	formSigmoidOut  = 5
	formTanhOut     = 6
	formSigmoidBack = 7
)

// recognise returns the form of an expression and its factor. The form is 0 if
// the expression needs bytecode.
func recognise(x ir.Expr) (form int, factor float64) {
	if x.IsZero() {
		return 0, 0
	}
	for f, known := range forms() {
		if f == 0 {
			continue
		}
		if x == known {
			return f, 1
		}
		terms := x.Terms()
		last := terms[max(0, len(terms)-2)]
		if (f == formSigmoidOut || f == formTanhOut) && last.Fn == ir.FnConst && x == ir.Mul(known, ir.Const(last.Value)) {
			return f, last.Value
		}
	}
	return 0, 0
}
