package graph

import (
	"fmt"
	"strings"

	"gorgonia.org/gorgonia"

	"trainer/graph/draw"
)

// Drawing returns g in a form that package draw can draw. It has one node for
// each node of the expression graph, in their order, which is that of the buffers
// that package lower imports. The label is Gorgonia's name of the operation. A node
// that is a symbol of the derivation carries the symbol and its equation as a note.
func (g *Graph) Drawing() draw.Graph {
	d := draw.Graph{Title: fmt.Sprintf("%v, batch %d", g.Network, g.Batch)}
	roles, kinds := g.Roles(), g.kinds()
	for _, n := range g.Expr.AllNodes() {
		label := n.Name()
		if op := n.Op(); op != nil {
			// Gorgonia prints "+ false": the flag matters only for comparisons.
			label = strings.TrimSuffix(op.String(), " false")
		}
		note := roles[n].Note
		if l := g.bothDeltaAndGradient(n); l > 0 {
			note = strings.Replace(note, fmt.Sprintf("δ^%d (", l), fmt.Sprintf("δ^%d = ∇b^%d E (A.61, ", l, l), 1)
		}
		d.Nodes = append(d.Nodes, draw.Node{ID: nodeID(n), Label: label, Kind: kinds[n], Shape: shapeText(n), Note: note})
		for _, o := range Operands(g.Expr, n) {
			d.Edges = append(d.Edges, draw.Edge{From: nodeID(o), To: nodeID(n)})
		}
	}
	return d
}

// bothDeltaAndGradient returns l if n is δ^l and also ∇b^l E, as it is for one sample;
// otherwise 0.
func (g *Graph) bothDeltaAndGradient(n *gorgonia.Node) int {
	for i, b := range g.BiasGrad {
		if n == b && n == g.Z[i].Deriv() {
			return i + 2
		}
	}
	return 0
}

// kinds returns the kind of each node that is a symbol of the derivation. All
// other nodes are operations.
func (g *Graph) kinds() map[*gorgonia.Node]draw.Kind {
	kinds := map[*gorgonia.Node]draw.Kind{g.X: draw.Input}
	for _, n := range g.Learnables() {
		kinds[n] = draw.Parameter
	}
	if g.Cost == nil {
		kinds[g.Output()] = draw.Output
		return kinds
	}
	kinds[g.Y], kinds[g.Cost] = draw.Input, draw.Output
	for i := range g.Weight {
		kinds[g.WeightGrad[i]], kinds[g.Z[i].Deriv()] = draw.Gradient, draw.Gradient
		if g.Bias != nil {
			kinds[g.BiasGrad[i]] = draw.Gradient
		}
		if i < len(g.Weight)-1 {
			kinds[g.A[i].Deriv()] = draw.Gradient
		}
	}
	return kinds
}

func nodeID(n *gorgonia.Node) string { return fmt.Sprintf("%%%d", n.ID()) }

func shapeText(n *gorgonia.Node) string {
	if n.IsScalar() {
		return "1×1"
	}
	dims := make([]string, n.Dims())
	for i, d := range n.Shape() {
		dims[i] = fmt.Sprint(d)
	}
	return strings.Join(dims, "×")
}
