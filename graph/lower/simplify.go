package lower

import "trainer/graph/ir"

// simplify collects the signs and constant factors of each product:
//
//	d3 = map a3 * (1 - a3) * -((y - a3) * 2 * 0.5)   →   d3 = map (a3 - y) * a3 * (1 - a3)
//
// Products are regrouped, so the last bit of a result may change. Constants
// are multiplied in float64 and rounded once.
func simplify(p *ir.Program) {
	for i := range p.Code {
		if in := &p.Code[i]; in.Op == ir.Map {
			setMap(in, in.Args, simplified(in.Expr))
		}
	}
}

// node is an expression as a tree.
type node struct {
	term ir.Term
	args []*node
}

func tree(e ir.Expr) *node {
	var stack []*node
	for _, t := range e.Terms() {
		n := len(stack) - t.Fn.Arity()
		operands := append([]*node(nil), stack[n:]...)
		stack = append(stack[:n], &node{t, operands})
	}
	return stack[0]
}

func (n *node) expr() ir.Expr {
	switch n.term.Fn {
	case ir.FnArg:
		return ir.Arg(n.term.Arg)
	case ir.FnConst:
		return ir.Const(n.term.Value)
	}
	operands := make([]ir.Expr, len(n.args))
	for i, a := range n.args {
		operands[i] = a.expr()
	}
	return ir.Apply(n.term.Fn, operands...)
}

func simplified(e ir.Expr) ir.Expr { return simple(tree(e)).expr() }

// simple simplifies the operands of n, and then n itself if it is a product.
func simple(n *node) *node {
	for i, a := range n.args {
		n.args[i] = simple(a)
	}
	if n.term.Fn != ir.FnMul && n.term.Fn != ir.FnNeg {
		return n
	}
	constant, factors := factorsOf(n)
	if constant < 0 {
		// −(u − v) is v − u.
		for _, f := range factors {
			if f.term.Fn == ir.FnSub {
				f.args[0], f.args[1] = f.args[1], f.args[0]
				constant = -constant
				break
			}
		}
	}
	if constant != 1 && constant != -1 || len(factors) == 0 {
		factors = append(factors, number64(constant))
		constant = 1
	}
	product := sortFactors(factors)
	if constant == -1 {
		return &node{ir.Term{Fn: ir.FnNeg}, []*node{product}}
	}
	return product
}

// factorsOf returns the constant factor of a product, its sign included, and
// the other factors.
func factorsOf(n *node) (constant float64, factors []*node) {
	switch n.term.Fn {
	case ir.FnConst:
		return n.term.Value, nil
	case ir.FnNeg:
		c, f := factorsOf(n.args[0])
		return -c, f
	case ir.FnMul:
		c, f := factorsOf(n.args[0])
		d, g := factorsOf(n.args[1])
		return c * d, append(f, g...)
	}
	return 1, []*node{n}
}

// sortFactors returns the product of factors, multiplied from the left in the order
// of A.64 and A.65. First come the differences of stored values (a − y) and the
// values that occur in no other factor (Wᵀδ). The rest, which is g'(z), keeps its
// order.
func sortFactors(factors []*node) *node {
	var sorted, rest []*node
	for i, f := range factors {
		difference := f.term.Fn == ir.FnSub && f.args[0].term.Fn == ir.FnArg && f.args[1].term.Fn == ir.FnArg
		if difference || f.term.Fn == ir.FnArg && !mentioned(factors, i) {
			sorted = append(sorted, f)
		} else {
			rest = append(rest, f)
		}
	}
	sorted = append(sorted, rest...)
	product := sorted[0]
	for _, f := range sorted[1:] {
		product = &node{ir.Term{Fn: ir.FnMul}, []*node{product, f}}
	}
	return product
}

// mentioned reports whether other factors contain the argument that is factor i.
func mentioned(factors []*node, i int) bool {
	for k, f := range factors {
		if k != i && f.has(factors[i].term.Arg) {
			return true
		}
	}
	return false
}

func (n *node) has(arg int) bool {
	if n.term.Fn == ir.FnArg {
		return n.term.Arg == arg
	}
	for _, a := range n.args {
		if a.has(arg) {
			return true
		}
	}
	return false
}

func number64(v float64) *node { return &node{term: ir.Term{Fn: ir.FnConst, Value: v}} }
