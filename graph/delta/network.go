// Package delta is the textbook's derivation of backpropagation, equations
// A.45 to A.66, in plain float64 loops. It has one function per equation, in the
// order of the book, and is meant to be read next to the book. It is also an
// independent check of the symbolic gradients that the trainer uses: it imports
// only math and fmt, and package gradcheck compares the two.
//
// # Notation
//
// The symbols are those of the book. Layer 1 is the input, layer L is the
// output, and layer l has n^l nodes. Slices of layers are indexed by the layer
// number of the book: W[2] is W^2, and A[1] is a^1 = x. Elements for layers that
// have no such value are nil (W[0], W[1], A[0], …). Nodes within a layer count
// from 0; the book counts from 1.
//
// # Errors in the text
//
// The text has six errors. The code follows what the text means:
//
//  1. A.45 prints the norm without its square. The line below it has the square.
//     See Cost.
//  2. A.66 averages δ^L alone over the mini-batch. The gradient of the mean cost
//     is the mean of the products of each sample's δ and a. See MeanOfProducts.
//  3. Below A.58 the text calls g' the reciprocal (倒数) of g. It means the
//     derivative (导数). See Activation.
//  4. Listing A-2 updates the output weights first and computes the hidden δ from
//     the updated weights. A.65 uses the weights before the step. See
//     StepListing.
//  5. The comments of the listing cite A.62, A.60 and A.63. They mean A.64, A.62
//     and A.65. See StepListing.
//  6. The listing calls np.asfarray, which NumPy 2 removed.
//
// # Contract
//
// The functions do not check shapes; each comment states the shapes that its
// function needs. Network.Check checks the shapes of a network. Functions that
// return a Vector or a Matrix return a new one. Step, StepSample, StepListing and
// the Descend and Update functions change their first argument in place.
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
	Prime func(z float64) float64 // g'(z), the derivative; the text below A.58 calls it the reciprocal of g, which is an error
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

// Gradients holds the derivatives of a cost with respect to each parameter, in
// the shapes of the parameters.
type Gradients struct {
	W []Matrix // W[l] = ∇_{W^l} E
	B []Vector // B[l] = ∇_{b^l} E; nil in a network without bias
}

// L returns the number of the output layer, which is the number of layers.
func (n Network) L() int { return len(n.W) - 1 }

// Check returns an error if the shapes of two neighbouring layers, or of a bias
// and its layer, do not match.
func (n Network) Check() error {
	if n.L() < 2 {
		return fmt.Errorf("delta: %d matrices: want W[0] and W[1], which are not used, and at least W[2]", len(n.W))
	}
	if n.B != nil && len(n.B) != len(n.W) {
		return fmt.Errorf("delta: %d biases and %d matrices: want equal numbers, or no biases", len(n.B), len(n.W))
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

// Forward runs the network on the input x, which has n^1 entries:
//
//	a^1 = x
//	z^l = W^l a^(l−1) + b^l,    a^l = g(z^l),    l = 2 … L
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

// Times returns W v, where W is m × n and v has n entries.
func Times(w Matrix, v Vector) Vector {
	u := make(Vector, len(w))
	for i, row := range w {
		for j := range row {
			u[i] += row[j] * v[j]
		}
	}
	return u
}

// TransposeTimes returns Wᵀ v, where W is m × n and v has m entries.
func TransposeTimes(w Matrix, v Vector) Vector {
	u := make(Vector, len(w[0]))
	for i := range u {
		for j := range v {
			u[i] += w[j][i] * v[j]
		}
	}
	return u
}

// Outer returns u vᵀ, m × n, where u has m entries and v has n.
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

// Hadamard returns u ⊙ v, the element-wise product.
func Hadamard(u, v Vector) Vector {
	w := make(Vector, len(u))
	for i := range u {
		w[i] = u[i] * v[i]
	}
	return w
}

// Apply returns the vector of f(v_i).
func Apply(f func(float64) float64, v Vector) Vector {
	w := make(Vector, len(v))
	for i := range v {
		w[i] = f(v[i])
	}
	return w
}
