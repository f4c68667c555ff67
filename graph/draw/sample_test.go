package draw

import "fmt"

// textbook returns the graph of a training step of 784-50-10 with bias: the
// forward pass, the cost, the gradients (A.64, A.65) and the updates (A.62,
// A.63). It includes the constants and transposes that a symbolic derivation
// has.
func textbook() Graph {
	g := Graph{Title: "784-50-10 sigmoid, batch 1: the cost and its gradients"}
	add := func(kind Kind, label, shape, note string, operands ...string) string {
		id := fmt.Sprintf("%%%d", len(g.Nodes))
		g.Nodes = append(g.Nodes, Node{ID: id, Label: label, Kind: kind, Shape: shape, Note: note})
		for _, o := range operands {
			g.Edges = append(g.Edges, Edge{From: o, To: id})
		}
		return id
	}
	op := func(label, shape, note string, operands ...string) string {
		return add(Operation, label, shape, note, operands...)
	}
	x, y := add(Input, "X", "1×784", ""), add(Input, "Y", "1×10", "")
	w2, b2 := add(Parameter, "W²", "50×784", ""), add(Parameter, "b²", "50", "")
	w3, b3 := add(Parameter, "W³", "10×50", ""), add(Parameter, "b³", "10", "")
	one, half := add(Input, "1", "", ""), add(Input, "½", "", "")

	p2 := op("×ᵀ", "1×50", "", x, w2)
	r2 := op("Repeat0", "1×50", "", b2)
	z2 := op("+", "1×50", "z²", p2, r2)
	a2 := op("sigmoid", "1×50", "a²", z2)
	p3 := op("×ᵀ", "1×10", "", a2, w3)
	r3 := op("Repeat0", "1×10", "", b3)
	z3 := op("+", "1×10", "z³", p3, r3)
	a3 := add(Output, "sigmoid", "1×10", "a³", z3)
	e := op("-", "1×10", "y − a³", y, a3)
	sq := op("square", "1×10", "", e)
	sum := op("Σ[1]", "1", "", sq)
	sum0 := op("Σ[0]", "", "", sum)
	cost := add(Output, "⊙", "", "E, A.45", sum0, half)

	de := op("⊙", "1×10", "", e, half)
	two := op("+", "1×10", "", de, de)
	neg := op("neg", "1×10", "−(y − a³)", two)
	nz3 := op("neg", "1×10", "", z3)
	s3 := op("sigmoid", "1×10", "σ(−z)", nz3)
	g3 := op("⊙", "1×10", "g'(z³)", a3, s3)
	d3 := op("⊙", "1×10", "δ³, A.64", neg, g3)
	gw3 := add(Gradient, "ᵀ×", "10×50", "∂E/∂W³, A.62", d3, a2)
	gb3 := add(Gradient, "Σ[0]", "10", "∂E/∂b³, A.63", d3)
	back := op("×", "1×50", "", d3, w3)
	nz2 := op("neg", "1×50", "", z2)
	s2 := op("sigmoid", "1×50", "σ(−z)", nz2)
	g2 := op("⊙", "1×50", "g'(z²)", a2, s2)
	d2 := op("⊙", "1×50", "δ², A.65", back, g2)
	gw2 := add(Gradient, "ᵀ×", "50×784", "∂E/∂W², A.62", d2, x)
	gb2 := add(Gradient, "Σ[0]", "50", "∂E/∂b², A.63", d2)
	gx := add(Gradient, "×", "1×784", "∂E/∂X", d2, w2)
	_ = []string{one, cost, gx}

	rate := add(Input, "η", "", "0.1")
	for _, u := range [][3]string{{w3, gw3, "10×50"}, {b3, gb3, "10"}, {w2, gw2, "50×784"}, {b2, gb2, "50"}} {
		step := op("⊙", u[2], "", u[1], rate)
		add(Output, "-", u[2], "updated", u[0], step)
	}
	return g
}
