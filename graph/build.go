// Package graph writes the textbook's network as a Gorgonia expression graph.
//
// Forward builds the forward pass: the input and the layers. Step adds the cost
// and its gradients, which Gorgonia derives symbolically. This package contains
// no derivative written by hand; package delta does. Roles maps nodes to the
// symbols of the derivation.
//
// Package model defines a network and the numbering of its layers.
package graph

import (
	"fmt"
	"sync"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"trainer/graph/model"
)

// Graph is a network as a Gorgonia expression graph for mini-batches of one
// size B. Slices of nodes begin with layer 2.
//
// Samples are rows, so a layer is A^l = g(A^(l−1) (W^l)ᵀ + b^l), with b^l added
// to each row. Row s is the transpose of the textbook's column
// z^l = W^l a^(l−1) + b^l for sample s.
type Graph struct {
	Network model.Network
	Batch   int // B

	Expr   *gorgonia.ExprGraph
	X      *gorgonia.Node   // B × n^1, the inputs
	Y      *gorgonia.Node   // B × n^L, the targets; nil in a forward graph
	Weight []*gorgonia.Node // W^l, n^l × n^(l−1)
	Bias   []*gorgonia.Node // b^l, 1 × n^l; nil without bias
	Z      []*gorgonia.Node // z^l, B × n^l
	A      []*gorgonia.Node // a^l, B × n^l
	Cost   *gorgonia.Node   // the mean cost of the mini-batch (A.46), a scalar; nil in a forward graph

	// The gradients of Cost, derived by Gorgonia; nil in a forward graph.
	WeightGrad []*gorgonia.Node // ∇_{W^l} E, n^l × n^(l−1)
	BiasGrad   []*gorgonia.Node // ∇_{b^l} E, 1 × n^l; nil without bias
}

// Output returns a^L, B × n^L.
func (g *Graph) Output() *gorgonia.Node { return g.A[len(g.A)-1] }

// Learnables returns the parameters' nodes: W^2, b^2, W^3, b^3, …
func (g *Graph) Learnables() gorgonia.Nodes {
	var nodes gorgonia.Nodes
	for i, w := range g.Weight {
		nodes = append(nodes, w)
		if g.Bias != nil {
			nodes = append(nodes, g.Bias[i])
		}
	}
	return nodes
}

// Forward builds the graph of the forward pass for batch samples. It returns an
// error if n is invalid or batch is less than 1.
func Forward(n model.Network, batch int) (*Graph, error) {
	return build(n, batch, (*Graph).layers)
}

// Step builds the graph of a training step for batch samples: the forward pass,
// the mean cost, and the gradients of the cost with respect to every parameter.
// It returns an error if n is invalid or batch is less than 1.
func Step(n model.Network, batch int) (*Graph, error) {
	return build(n, batch, func(g *Graph) {
		g.layers()
		g.cost()
		g.gradients()
	})
}

// building is held while a graph is built. Gorgonia puts nodes of its own, such as the
// constant 1, into the graphs of all callers, and changes them.
var building sync.Mutex

// build calls parts on an empty graph. gorgonia.Must panics on an error; build
// returns that error.
func build(n model.Network, batch int, parts func(*Graph)) (g *Graph, err error) {
	if err := n.Check(); err != nil {
		return nil, fmt.Errorf("graph: %w", err)
	}
	if batch < 1 {
		return nil, fmt.Errorf("graph: batch of %d samples: want 1 or more", batch)
	}
	building.Lock()
	defer building.Unlock()
	defer func() {
		if r := recover(); r != nil {
			g, err = nil, fmt.Errorf("graph: %v, batch %d: %v", n, batch, r)
		}
	}()
	g = &Graph{Network: n, Batch: batch, Expr: gorgonia.NewGraph()}
	parts(g)
	return g, nil
}

// layers adds z^l and a^l for every layer l.
func (g *Graph) layers() {
	g.X = g.matrix("X", g.Batch, g.Network.Inputs())
	a := g.X
	for i, out := range g.Network.Layers[1:] {
		weight, bias := model.Symbols(i)
		in := g.Network.Layers[i]
		w := g.matrix(weight, out, in)
		z := gorgonia.Must(gorgonia.Mul(a, gorgonia.Must(gorgonia.Transpose(w))))
		if g.Network.Bias {
			b := g.matrix(bias, 1, out)
			z = g.addRow(z, b)
			g.Bias = append(g.Bias, b)
		}
		a = g.activate(z)
		g.Weight = append(g.Weight, w)
		g.Z = append(g.Z, z)
		g.A = append(g.A, a)
	}
}

// cost adds the mean over the mini-batch (A.46) of E = ½‖y − a^L‖² (A.45).
func (g *Graph) cost() {
	g.Y = g.matrix("Y", g.Batch, g.Network.Outputs())
	e := gorgonia.Must(gorgonia.Sub(g.Y, g.Output()))
	sum := gorgonia.Must(gorgonia.Sum(gorgonia.Must(gorgonia.Square(e))))
	g.Cost = gorgonia.Must(gorgonia.Mul(sum, g.constant(0.5/float64(g.Batch))))
}

// gradients adds the derivatives of the cost.
func (g *Graph) gradients() {
	nodes, err := gorgonia.Grad(g.Cost, g.Learnables()...)
	if err != nil {
		panic(err)
	}
	for len(nodes) > 0 {
		g.WeightGrad, nodes = append(g.WeightGrad, nodes[0]), nodes[1:]
		if g.Bias != nil {
			g.BiasGrad, nodes = append(g.BiasGrad, nodes[0]), nodes[1:]
		}
	}
}

// addRow adds the row b, 1 × n, to each row of z, B × n.
func (g *Graph) addRow(z, b *gorgonia.Node) *gorgonia.Node {
	if g.Batch == 1 {
		return gorgonia.Must(gorgonia.Add(z, b))
	}
	return gorgonia.Must(gorgonia.BroadcastAdd(z, b, nil, []byte{0}))
}

func (g *Graph) activate(z *gorgonia.Node) *gorgonia.Node {
	if g.Network.Activation == model.Tanh {
		return gorgonia.Must(gorgonia.Tanh(z))
	}
	return gorgonia.Must(gorgonia.Sigmoid(z))
}

func (g *Graph) matrix(name string, rows, cols int) *gorgonia.Node {
	return gorgonia.NewMatrix(g.Expr, Dtype(g.Network.Precision), gorgonia.WithShape(rows, cols), gorgonia.WithName(name))
}

func (g *Graph) constant(v float64) *gorgonia.Node {
	if g.Network.Precision == model.Float32 {
		return gorgonia.NewConstant(float32(v))
	}
	return gorgonia.NewConstant(v)
}

// Dtype returns Gorgonia's type for the precision p.
func Dtype(p model.Precision) tensor.Dtype {
	if p == model.Float32 {
		return tensor.Float32
	}
	return tensor.Float64
}
