// Package delta is the textbook's derivation of backpropagation, equations
// A.45 to A.66, in plain float64 loops: one function an equation, in the
// book's order, to be read beside it. It is also a witness: it imports math and fmt
// and nothing else, so that its gradients owe nothing to the symbolic ones that
// the trainer uses, and package gradcheck can compare the two.
//
// Symbols are the book's. Layer 1 is the input, layer L the output, and layer
// l has n^l nodes. Slices of layers are indexed by the book's layer number:
// W[2] is W^2, A[1] is a^1 = x. The places of layers without such a value are
// nil (W[0], W[1], A[0], …). Nodes within a layer count from 0, where the book
// counts from 1.
//
// Two places read the text as it is meant, not as it is printed: the square in
// A.45 (see Cost) and the average in A.66 (see MeanOfProducts).
//
// The functions trust the shapes that their comments state; Network.Check
// checks those of a network. Functions that return a Vector or a Matrix make a
// new one; Step, StepSample, StepListing and the updates that they are made of
// change their argument in place.
package delta

import (
	"fmt"
	"math"
)

// Vector is a column of numbers.
type Vector []float64

// Matrix is a slice of rows of equal length.
type Matrix []Vector

// Activation is the function g of a layer, a = g(z), and its derivative g'.
type Activation struct {
	Name  string
	G     func(z float64) float64
	Prime func(z float64) float64 // g'(z); below A.58 the book prints "reciprocal of g" and means this
}

// Sigmoid is the logistic function: g(z) = 1/(1 + e^−z), and with a = g(z),
// g'(z) = a(1 − a).
var Sigmoid = Activation{
	Name: "sigmoid",
	G:    func(z float64) float64 { return 1 / (1 + math.Exp(-z)) },
	Prime: func(z float64) float64 {
		a := 1 / (1 + math.Exp(-z))
		return a * (1 - a)
	},
}

// Tanh is the hyperbolic tangent: with a = g(z), g'(z) = 1 − a².
var Tanh = Activation{
	Name: "tanh",
	G:    math.Tanh,
	Prime: func(z float64) float64 {
		a := math.Tanh(z)
		return 1 - a*a
	},
}

// Network is a network of fully connected layers with one activation.
type Network struct {
	W []Matrix // W[l] = W^l, n^l × n^(l−1), for l = 2 … L
	B []Vector // B[l] = b^l, n^l; nil in a network without bias
	G Activation
}

// Gradients holds the derivatives of a cost by each parameter, in the shapes
// of the parameters.
type Gradients struct {
	W []Matrix // W[l] = ∇_{W^l} E
	B []Vector // B[l] = ∇_{b^l} E; nil in a network without bias
}

// L returns the number of the output layer.
func (n Network) L() int { return len(n.W) - 1 }

// Check reports a shape that does not fit its neighbours'.
func (n Network) Check() error {
	if n.L() < 2 {
		return fmt.Errorf("delta: %d matrices: want W[0] and W[1], which are not used, and W[2] at least", len(n.W))
	}
	if n.B != nil && len(n.B) != len(n.W) {
		return fmt.Errorf("delta: %d biases and %d matrices: want as many, or no biases at all", len(n.B), len(n.W))
	}
	for l := 2; l <= n.L(); l++ {
		if len(n.W[l]) == 0 || len(n.W[l][0]) == 0 {
			return fmt.Errorf("delta: W[%d] is empty", l)
		}
		in := len(n.W[l][0])
		if l > 2 {
			in = len(n.W[l-1])
		}
		for i, row := range n.W[l] {
			if len(row) != in {
				return fmt.Errorf("delta: row %d of W[%d] has %d entries, want n^%d = %d", i, l, len(row), l-1, in)
			}
		}
		if n.B != nil && len(n.B[l]) != len(n.W[l]) {
			return fmt.Errorf("delta: B[%d] has %d entries, want n^%d = %d", l, len(n.B[l]), l, len(n.W[l]))
		}
	}
	return nil
}

// Pass holds the values of a forward pass.
type Pass struct {
	Z []Vector // Z[l] = z^l, n^l, for l = 2 … L
	A []Vector // A[l] = a^l, n^l, for l = 1 … L
}

// Forward runs the network on the input x, of n^1 entries:
// a^1 = x; z^l = W^l a^(l−1) + b^l and a^l = g(z^l) for l = 2 … L.
func Forward(net Network, x Vector) Pass {
	p := Pass{Z: make([]Vector, net.L()+1), A: make([]Vector, net.L()+1)}
	p.A[1] = x
	for l := 2; l <= net.L(); l++ {
		p.Z[l] = Times(net.W[l], p.A[l-1])
		if net.B != nil {
			p.Z[l] = Plus(p.Z[l], net.B[l])
		}
		p.A[l] = Apply(net.G.G, p.Z[l])
	}
	return p
}

// Output returns a^L for the input x.
func Output(net Network, x Vector) Vector { return Forward(net, x).A[net.L()] }

// Times returns W v, for W of m × n and v of n.
func Times(w Matrix, v Vector) Vector {
	u := make(Vector, len(w))
	for i, row := range w {
		for j := range row {
			u[i] += row[j] * v[j]
		}
	}
	return u
}

// TransposeTimes returns Wᵀ v, for W of m × n and v of m.
func TransposeTimes(w Matrix, v Vector) Vector {
	u := make(Vector, len(w[0]))
	for i := range u {
		for j := range v {
			u[i] += w[j][i] * v[j]
		}
	}
	return u
}

// Outer returns u vᵀ, m × n for u of m and v of n.
func Outer(u, v Vector) Matrix {
	w := make(Matrix, len(u))
	for i := range u {
		w[i] = make(Vector, len(v))
		for j := range v {
			w[i][j] = u[i] * v[j]
		}
	}
	return w
}

// Plus returns u + v.
func Plus(u, v Vector) Vector {
	w := make(Vector, len(u))
	for i := range u {
		w[i] = u[i] + v[i]
	}
	return w
}

// Minus returns u − v.
func Minus(u, v Vector) Vector {
	w := make(Vector, len(u))
	for i := range u {
		w[i] = u[i] - v[i]
	}
	return w
}

// Scale returns c v.
func Scale(c float64, v Vector) Vector {
	w := make(Vector, len(v))
	for i := range v {
		w[i] = c * v[i]
	}
	return w
}

// Hadamard returns u ⊙ v, the product of each entry of u with its entry of v.
func Hadamard(u, v Vector) Vector {
	w := make(Vector, len(u))
	for i := range u {
		w[i] = u[i] * v[i]
	}
	return w
}

// Apply returns f of each entry of v.
func Apply(f func(float64) float64, v Vector) Vector {
	w := make(Vector, len(v))
	for i := range v {
		w[i] = f(v[i])
	}
	return w
}
