package graph_test

import (
	"fmt"

	"trainer/graph"
	"trainer/graph/model"
)

// The graph of a training step, with the nodes that are symbols of the
// derivation. Gorgonia added the gradients.
func ExampleStep() {
	g, err := graph.Step(model.Network{Layers: []int{784, 50, 10}, Bias: true}, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	roles := g.Roles()
	for _, n := range g.Expr.AllNodes() {
		if r, ok := roles[n]; ok {
			fmt.Printf("%-4s %-9s  %s\n", r.Symbol, fmt.Sprint(n.Shape()), r.Note)
		}
	}
	// Output:
	// x    (1, 784)   x = a^1, one row per sample
	// W2   (50, 784)  W^2
	// p2   (1, 50)    W^2 a^1
	// b2   (1, 50)    b^2
	// z2   (1, 50)    z^2 = W^2 a^1 + b^2
	// a2   (1, 50)    a^2 = g(z^2)
	// W3   (10, 50)   W^3
	// p3   (1, 10)    W^3 a^2
	// b3   (1, 10)    b^3
	// z3   (1, 10)    z^3 = W^3 a^2 + b^3
	// a3   (1, 10)    a^3 = g(z^3)
	// y    (1, 10)    y, one row per sample
	// E    ()         E (A.45), its mean over the mini-batch (A.46)
	// d3   (1, 10)    δ^3 (A.64)
	// e2   (1, 50)    (W^3)ᵀ δ^3 of A.65
	// gW3  (10, 50)   ∇W^3 E (A.55)
	// d2   (1, 50)    δ^2 (A.65)
	// gW2  (50, 784)  ∇W^2 E (A.56)
}
