package graph

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"trainer/graph/draw"
)

// Drawing returns the graph as a picture: a node for each node of the
// expression graph, with the textbook's symbol and equation where it has one.
func (g *Graph) Drawing() draw.Graph {
	d := draw.Graph{Title: fmt.Sprintf("%v, batch %d", g.Network, g.Batch)}
	roles := g.Roles()
	for _, n := range g.Expr.AllNodes() {
		label := n.Name()
		if op := n.Op(); op != nil {
			// Gorgonia's "+ false": the flag is about comparisons.
			label = strings.TrimSuffix(op.String(), " false")
		}
		r := roles[n]
		d.Nodes = append(d.Nodes, draw.Node{ID: nodeID(n), Label: label, Kind: r.Kind, Shape: shapeText(n), Note: r.Note})
		for _, o := range Operands(g.Expr, n) {
			d.Edges = append(d.Edges, draw.Edge{From: nodeID(o), To: nodeID(n)})
		}
	}
	return d
}

// Role is what a node is in the derivation.
type Role struct {
	Kind   draw.Kind
	Symbol string // as a name: "W2" for W^2, "d3" for δ^3
	Note   string // the symbol's definition, and the equation
}

// Roles finds the nodes that the derivation has a symbol for.
func (g *Graph) Roles() map[*gorgonia.Node]Role {
	roles := map[*gorgonia.Node]Role{}
	set := func(n *gorgonia.Node, kind draw.Kind, symbol, format string, args ...any) {
		if n != nil {
			roles[n] = Role{kind, symbol, fmt.Sprintf(format, args...)}
		}
	}
	L := len(g.Network.Layers)
	set(g.X, draw.Input, "x", "x = a^1, a row a sample")
	for i := range g.Weight {
		l := i + 2
		weight, bias := Symbols(i)
		set(g.Weight[i], draw.Parameter, weight, "W^%d", l)
		product := fmt.Sprintf("W^%d a^%d", l, l-1)
		if g.Bias == nil {
			set(g.Z[i], draw.Operation, fmt.Sprintf("z%d", l), "z^%d = %s", l, product)
		} else {
			set(g.Bias[i], draw.Parameter, bias, "b^%d", l)
			set(Operands(g.Expr, g.Z[i])[0], draw.Operation, fmt.Sprintf("p%d", l), "%s", product)
			set(g.Z[i], draw.Operation, fmt.Sprintf("z%d", l), "z^%d = %s + b^%d", l, product, l)
		}
		kind := draw.Operation
		if l == L && g.Cost == nil {
			kind = draw.Output
		}
		set(g.A[i], kind, fmt.Sprintf("a%d", l), "a^%d = g(z^%d)", l, l)
	}
	if g.Cost == nil {
		return roles
	}
	set(g.Y, draw.Input, "y", "y, a row a sample")
	set(g.Cost, draw.Output, "cost", "E (A.45), its mean over the mini-batch (A.46)")
	for i := range g.Weight {
		l, delta, weight := i+2, "A.65", "A.56"
		if l == L {
			delta, weight = "A.64", "A.55"
		} else {
			set(g.A[i].Deriv(), draw.Gradient, fmt.Sprintf("e%d", l), "∂E/∂a^%d = (W^%d)ᵀ δ^%d", l, l+1, l+1)
		}
		set(g.WeightGrad[i], draw.Gradient, fmt.Sprintf("gW%d", l), "∇W^%d E (%s)", l, weight)
		if g.Bias != nil {
			set(g.BiasGrad[i], draw.Gradient, fmt.Sprintf("gb%d", l), "∇b^%d E = δ^%d (A.61)", l, l)
		}
		// With one sample ∇b is δ itself: δ is the better name.
		set(g.Z[i].Deriv(), draw.Gradient, fmt.Sprintf("d%d", l), "δ^%d (%s)", l, delta)
	}
	return roles
}

// Operands returns the operands of n in order.
func Operands(expr *gorgonia.ExprGraph, n *gorgonia.Node) gorgonia.Nodes {
	var operands gorgonia.Nodes
	for it := expr.From(n.ID()); it.Next(); {
		operands = append(operands, it.Node().(*gorgonia.Node))
	}
	return operands
}

func nodeID(n *gorgonia.Node) string { return fmt.Sprintf("%%%d", n.ID()) }

func shapeText(n *gorgonia.Node) string {
	if n.IsScalar() {
		return "scalar"
	}
	dims := make([]string, n.Dims())
	for i, d := range n.Shape() {
		dims[i] = fmt.Sprint(d)
	}
	return strings.Join(dims, "×")
}
