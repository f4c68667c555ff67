package delta

import (
	"fmt"
	"math"
)

// One step of backpropagation for one sample: the forward pass, δ from the last
// layer to the first, the gradients, and the updates.
func Example() {
	c := math.Log(3) // σ(c) = 3/4, σ(0) = 1/2
	net := Network{
		W: []Matrix{2: {{0, c}, {1, -1}}, 3: {{4 * c, -4 * c}}},
		B: []Vector{2: {-c, 1}, 3: {-c}},
		G: Sigmoid,
	}
	x, y := Vector{1, 2}, Vector{1}

	p := Forward(net, x)
	a1, a2, a3 := p.A[1], p.A[2], p.A[3]
	z2, z3 := p.Z[2], p.Z[3]
	fmt.Printf("a^2 = %.4f\n", a2)
	fmt.Printf("a^3 = %.4f\n", a3)
	fmt.Printf("E = %.4f (A.45)\n", Cost(y, a3))

	d3 := OutputDelta(net.G, y, a3, z3)
	d2 := HiddenDelta(net.G, net.W[3], d3, z2)
	fmt.Printf("δ^3 = %.4f (A.64)\n", d3)
	fmt.Printf("δ^2 = %.4f (A.65)\n", d2)

	fmt.Printf("∇W^3 = %.4f (A.55)\n", WeightGradient(d3, a2))
	fmt.Printf("∇W^2 = %.4f (A.55)\n", WeightGradient(d2, a1))
	fmt.Printf("∇b^2 = %.4f (A.61)\n", BiasGradient(d2))

	const rate = 0.1
	UpdateWeights(net.W[3], d3, a2, rate) // A.62
	UpdateBias(net.B[3], d3, rate)        // A.63
	UpdateWeights(net.W[2], d2, a1, rate)
	UpdateBias(net.B[2], d2, rate)
	fmt.Printf("E = %.4f after the step\n", Cost(y, Output(net, x)))

	// Output:
	// a^2 = [0.7500 0.5000]
	// a^3 = [0.5000]
	// E = 0.1250 (A.45)
	// δ^3 = [-0.1250] (A.64)
	// δ^2 = [-0.1030 0.1373] (A.65)
	// ∇W^3 = [[-0.0938 -0.0625]] (A.55)
	// ∇W^2 = [[-0.1030 -0.2060] [0.1373 0.2747]] (A.55)
	// ∇b^2 = [-0.1030 0.1373] (A.61)
	// E = 0.1055 after the step
}
