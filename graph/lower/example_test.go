package lower_test

import (
	"fmt"

	"trainer/graph/lower"
	"trainer/graph/model"
)

// A training step of a small network, for mini-batches of two samples.
func Example() {
	network := model.Network{Layers: []int{4, 3, 2}, Bias: true}
	p, err := lower.Compiler{Network: network}.Step(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(p)
	// Output:
	// program "step 4-3-2 sigmoid, with bias, float32" float32 batch 2
	//   x  data      2x4
	//   W2 parameter 3x4 by input
	//   b2 parameter 1x3
	//   z2 temporary 2x3
	//   a2 temporary 2x3
	//   W3 parameter 2x3
	//   b3 parameter 1x2
	//   z3 temporary 2x2
	//   a3 temporary 2x2
	//   y  target    2x2
	//   d3 temporary 2x2
	//   e2 temporary 2x3
	//   d2 temporary 2x3
	//   output a3
	//   0  z2  = affine x W2 b2                         ; z^2 = W^2 a^1 + b^2
	//   1  a2  = activate sigmoid z2                    ; a^2 = g(z^2)
	//   2  z3  = affine a2 W3 b3                        ; z^3 = W^3 a^2 + b^3
	//   3  a3  = activate sigmoid z3                    ; a^3 = g(z^3)
	//   4  d3  = outputdelta sigmoid a3 y * 0.5 * -rate ; −η × δ^3 (A.64)
	//   5  b3 += sumrows d3                             ; b^3 ← b^3 − η/|S| Σ δ^3 (A.63, A.66)
	//   6  e2  = matmul d3 W3                           ; −η × (W^3)ᵀ δ^3 of A.65
	//   7  W3 += d3^T a2                                ; W^3 ← W^3 − η/|S| Σ δ^3 (a^2)ᵀ (A.62, A.66)
	//   8  d2  = hiddendelta sigmoid e2 a2              ; −η × δ^2 (A.65)
	//   9  W2 += d2^T x                                 ; W^2 ← W^2 − η/|S| Σ δ^2 (a^1)ᵀ (A.62, A.66)
	//   10 b2 += sumrows d2                             ; b^2 ← b^2 − η/|S| Σ δ^2 (A.63, A.66)
}
