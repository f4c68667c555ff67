package graph

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"trainer/graph/model"
)

// Role is the meaning of a node in the derivation.
type Role struct {
	Symbol string // an identifier: "W2" for W^2, "d3" for δ^3
	Note   string // the definition of the symbol and its equation number
}

// Roles returns the role of each node that is a symbol of the derivation.
func (g *Graph) Roles() map[*gorgonia.Node]Role {
	roles := map[*gorgonia.Node]Role{}
	set := func(n *gorgonia.Node, symbol, format string, args ...any) {
		if n != nil {
			roles[n] = Role{symbol, fmt.Sprintf(format, args...)}
		}
	}
	L := len(g.Network.Layers)
	set(g.X, "x", "x = a^1, one row per sample")
	for i := range g.Weight {
		l := i + 2
		weight, bias := model.Symbols(i)
		set(g.Weight[i], weight, "W^%d", l)
		product := fmt.Sprintf("W^%d a^%d", l, l-1)
		if g.Bias == nil {
			set(g.Z[i], fmt.Sprintf("z%d", l), "z^%d = %s", l, product)
		} else {
			set(g.Bias[i], bias, "b^%d", l)
			set(Operands(g.Expr, g.Z[i])[0], fmt.Sprintf("p%d", l), "%s", product)
			set(g.Z[i], fmt.Sprintf("z%d", l), "z^%d = %s + b^%d", l, product, l)
		}
		set(g.A[i], fmt.Sprintf("a%d", l), "a^%d = g(z^%d)", l, l)
	}
	if g.Cost == nil {
		return roles
	}
	set(g.Y, "y", "y, one row per sample")
	set(g.Cost, "E", "E (A.45), its mean over the mini-batch (A.46)")
	for i := range g.Weight {
		l, delta, weight := i+2, "A.65", "A.56"
		if l == L {
			delta, weight = "A.64", "A.55"
		} else {
			set(g.A[i].Deriv(), fmt.Sprintf("e%d", l), "(W^%d)ᵀ δ^%d of A.65", l+1, l+1)
		}
		set(g.WeightGrad[i], fmt.Sprintf("gW%d", l), "∇W^%d E (%s)", l, weight)
		if g.Bias != nil {
			set(g.BiasGrad[i], fmt.Sprintf("gb%d", l), "∇b^%d E = δ^%d (A.61)", l, l)
		}
		// For one sample ∇b and δ are the same node. This set replaces the
		// role that the one above gave it.
		set(g.Z[i].Deriv(), fmt.Sprintf("d%d", l), "δ^%d (%s)", l, delta)
	}
	return roles
}

// Operands returns the operands of n, in order.
func Operands(expr *gorgonia.ExprGraph, n *gorgonia.Node) gorgonia.Nodes {
	var operands gorgonia.Nodes
	for it := expr.From(n.ID()); it.Next(); {
		operands = append(operands, it.Node().(*gorgonia.Node))
	}
	return operands
}
