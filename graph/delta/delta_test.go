package delta

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// randomNetwork returns a network with normal parameters of standard deviation 1.
func randomNetwork(r *rand.Rand, layers []int, g Activation, bias bool) Network {
	net := Network{W: make([]Matrix, len(layers)+1), G: g}
	if bias {
		net.B = make([]Vector, len(layers)+1)
	}
	for l := 2; l <= len(layers); l++ {
		for range layers[l-1] {
			net.W[l] = append(net.W[l], randomVector(r, layers[l-2]))
		}
		if bias {
			net.B[l] = randomVector(r, layers[l-1])
		}
	}
	return net
}

func randomVector(r *rand.Rand, n int) Vector {
	v := make(Vector, n)
	for i := range v {
		v[i] = r.NormFloat64()
	}
	return v
}

func randomVectors(r *rand.Rand, count, n int) []Vector {
	vs := make([]Vector, count)
	for i := range vs {
		vs[i] = randomVector(r, n)
	}
	return vs
}

// cases are the networks of the property tests. All matrices of the first are
// square, so that a wrong transposition gives a wrong number and not a wrong
// index.
var cases = []struct {
	name   string
	layers []int
	g      Activation
	bias   bool
	batch  int
}{
	{"square sigmoid", []int{3, 3, 3, 3}, Sigmoid, true, 3},
	{"one layer", []int{4, 3}, Sigmoid, true, 2},
	{"no bias", []int{4, 3, 2}, Sigmoid, false, 4},
	{"deep tanh", []int{4, 5, 3, 3, 2}, Tanh, true, 3},
	{"one sample", []int{2, 3, 2}, Tanh, true, 1},
}

// parameters calls f for each parameter of net and its gradient in grad.
func parameters(net Network, grad Gradients, f func(kind string, l, i, j int, p, g *float64)) {
	for l := 2; l <= net.L(); l++ {
		for i := range net.W[l] {
			for j := range net.W[l][i] {
				f("W", l, i, j, &net.W[l][i][j], &grad.W[l][i][j])
			}
			if net.B != nil {
				f("b", l, i, 0, &net.B[l][i], &grad.B[l][i])
			}
		}
	}
}

// near reports whether a and b are equal up to the rounding errors of the short
// float64 sums in these tests.
func near(a, b float64) bool {
	return math.Abs(a-b) <= 1e-14*max(1, math.Abs(a), math.Abs(b))
}

// TestDifferences compares MiniBatch with central differences of MeanCost.
// The difference (E(p+h) − E(p−h))/2h has a truncation error of h²E⁽³⁾/6 and a
// rounding error of about 1e-15/h. With h = 1e-5 and E of order 1, each is at
// most about 1e-10.
func TestDifferences(t *testing.T) {
	const h = 1e-5
	for _, tt := range cases {
		r := rand.New(rand.NewPCG(1, 2))
		net := randomNetwork(r, tt.layers, tt.g, tt.bias)
		xs := randomVectors(r, tt.batch, tt.layers[0])
		ys := randomVectors(r, tt.batch, tt.layers[len(tt.layers)-1])
		cost, grad := MiniBatch(net, xs, ys)
		if want := MeanCost(net, xs, ys); !near(cost, want) {
			t.Errorf("%s: cost %v, want %v", tt.name, cost, want)
		}
		parameters(net, grad, func(kind string, l, i, j int, p, g *float64) {
			v := *p
			*p = v + h
			plus := MeanCost(net, xs, ys)
			*p = v - h
			minus := MeanCost(net, xs, ys)
			*p = v
			if want := (plus - minus) / (2 * h); math.Abs(*g-want) > 1e-9 {
				t.Errorf("%s: ∂E/∂%s^%d[%d,%d] = %.12g, the cost's slope is %.12g", tt.name, kind, l, i, j, *g, want)
			}
		})
	}
}

// TestElements compares the element form of each equation with its matrix form.
func TestElements(t *testing.T) {
	for _, tt := range cases {
		r := rand.New(rand.NewPCG(3, 4))
		net := randomNetwork(r, tt.layers, tt.g, tt.bias)
		x, y := randomVector(r, tt.layers[0]), randomVector(r, tt.layers[len(tt.layers)-1])
		p := Forward(net, x)
		d := Deltas(net, p, y)
		grad := Backpropagate(net, x, y)
		L := net.L()
		equal := func(equation string, l, i, j int, got, want float64) {
			t.Helper()
			if !near(got, want) {
				t.Errorf("%s: %s, layer %d [%d,%d]: %v, want %v", tt.name, equation, l, i, j, got, want)
			}
		}
		elements := OutputWeightElements(d[L], p.A[L-1])
		matrix := WeightGradient(d[L], p.A[L-1])
		for i := range y {
			equal("A.50", L, i, 0, NodeDelta(net.G, -(y[i]-p.A[L][i]), p.Z[L][i]), d[L][i])
			equal("A.52", L, i, 0, OutputDeltaElement(net.G, y, p.A[L], p.Z[L], i), d[L][i])
			for j := range p.A[L-1] {
				equal("A.49", L, i, j, OutputWeightElement(net.G, y, p.A[L], p.Z[L], p.A[L-1], i, j), grad.W[L][i][j])
				equal("A.53", L, i, j, elements[i][j], matrix[i][j])
			}
		}
		for l := 2; l < L; l++ {
			for i := range d[l] {
				equal("A.57", l, i, 0, HiddenDeltaChain(net.G, net.W[l+1], d[l+1], p.Z[l], i), d[l][i])
				equal("A.58", l, i, 0, HiddenDeltaElement(net.G, net.W[l+1], d[l+1], p.Z[l], i), d[l][i])
				dEda := TransposeTimes(net.W[l+1], d[l+1])[i]
				equal("A.50", l, i, 0, NodeDelta(net.G, dEda, p.Z[l][i]), d[l][i])
			}
		}
		parameters(net, grad, func(kind string, l, i, j int, _, g *float64) {
			if kind == "W" {
				equal("A.51, A.56", l, i, j, WeightElement(d[l], p.A[l-1], i, j), *g)
			} else {
				equal("A.60", l, i, j, BiasElement(d[l], i), *g)
			}
		})
	}
}

// TestDefinition compares δ with its definition ∂E/∂z_i^l (A.50), measured as a
// central difference. A change of b_i^l changes z_i^l by the same amount and no
// other z of the layer, so the test varies b.
func TestDefinition(t *testing.T) {
	const h = 1e-5
	r := rand.New(rand.NewPCG(5, 6))
	net := randomNetwork(r, []int{3, 4, 4, 2}, Sigmoid, true)
	x, y := randomVector(r, 3), randomVector(r, 2)
	d := Deltas(net, Forward(net, x), y)
	for l := 2; l <= net.L(); l++ {
		for i := range net.B[l] {
			b := net.B[l][i]
			net.B[l][i] = b + h
			plus := Cost(y, Output(net, x))
			net.B[l][i] = b - h
			minus := Cost(y, Output(net, x))
			net.B[l][i] = b
			if want := (plus - minus) / (2 * h); math.Abs(d[l][i]-want) > 1e-9 {
				t.Errorf("δ^%d[%d] = %v, want %v", l, i, d[l][i], want)
			}
		}
	}
}

// TestPrime compares g' with the slope of g.
func TestPrime(t *testing.T) {
	const h = 1e-5
	for _, g := range []Activation{Sigmoid, Tanh} {
		for z := -6.0; z <= 6; z += 0.25 {
			if want := (g.G(z+h) - g.G(z-h)) / (2 * h); math.Abs(g.Prime(z)-want) > 1e-9 {
				t.Errorf("%s'(%v) = %v, want %v", g.Name, z, g.Prime(z), want)
			}
		}
		for _, z := range []float64{-1e4, 1e4} {
			if g.Prime(z) != 0 || math.Abs(g.G(z)) > 1 {
				t.Errorf("%s at %v: g = %v, g' = %v, want g' = 0", g.Name, z, g.G(z), g.Prime(z))
			}
		}
	}
}

// This example was computed by hand: a 2-2-1 network of sigmoids with bias. With
// c = ln 3, σ(c) = 3/4, σ(0) = 1/2 and σ(−c) = 1/4, so σ' = 3/16, 1/4 and 3/16.
// Every number is a fraction or a fraction times c.
//
//	W^2 = | 0   c |   b^2 = | −c |   W^3 = | 4c  −4c |   b^3 = | −c |
//	      | 1  −1 |         |  1 |
//
// Sample 1: x = (1, 2), y = 1.
//
//	z^2 = (2c − c, 1 − 2 + 1) = (c, 0)       a^2 = (3/4, 1/2)
//	z^3 = 3c − 2c − c = 0                    a^3 = 1/2           E = ½ (1/2)² = 1/8
//	δ^3 = −(1 − 1/2) · 1/4 = −1/8                                            (A.64)
//	δ^2 = (4c · −1/8 · 3/16, −4c · −1/8 · 1/4) = (−3c/32, c/8)               (A.65)
//	∇W^3 = δ^3 (a^2)ᵀ = (−3/32, −1/16)                                       (A.55)
//	∇W^2 = δ^2 xᵀ = | −3c/32  −3c/16 |                                       (A.55)
//	                |   c/8     c/4  |
//
// Sample 2: x = (0, 1), y = 0.
//
//	z^2 = (c − c, −1 + 1) = (0, 0)           a^2 = (1/2, 1/2)
//	z^3 = 2c − 2c − c = −c                   a^3 = 1/4           E = ½ (1/4)² = 1/32
//	δ^3 = −(0 − 1/4) · 3/16 = 3/64
//	δ^2 = (4c · 3/64 · 1/4, −4c · 3/64 · 1/4) = (3c/64, −3c/64)
//	∇W^3 = (3/128, 3/128)
//	∇W^2 = | 0   3c/64 |
//	       | 0  −3c/64 |
var c = math.Log(3)

func handNetwork() Network {
	return Network{
		W: []Matrix{2: {{0, c}, {1, -1}}, 3: {{4 * c, -4 * c}}},
		B: []Vector{2: {-c, 1}, 3: {-c}},
		G: Sigmoid,
	}
}

var (
	handX = []Vector{{1, 2}, {0, 1}}
	handY = []Vector{{1}, {0}}
)

func wantMatrix(t *testing.T, name string, got, want Matrix) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d rows, want %d", name, len(got), len(want))
	}
	for i := range want {
		wantVector(t, name, got[i], want[i])
	}
}

func wantVector(t *testing.T, name string, got, want Vector) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d entries, want %d", name, len(got), len(want))
	}
	for i := range want {
		if !near(got[i], want[i]) {
			t.Errorf("%s: %v, want %v", name, got, want)
			return
		}
	}
}

func TestByHand(t *testing.T) {
	net := handNetwork()
	p := Forward(net, handX[0])
	wantVector(t, "z^2", p.Z[2], Vector{c, 0})
	wantVector(t, "a^2", p.A[2], Vector{3. / 4, 1. / 2})
	wantVector(t, "z^3", p.Z[3], Vector{0})
	wantVector(t, "a^3", p.A[3], Vector{1. / 2})
	if e := Cost(handY[0], p.A[3]); !near(e, 1./8) {
		t.Errorf("E = %v, want 1/8", e)
	}
	d := Deltas(net, p, handY[0])
	wantVector(t, "δ^3", d[3], Vector{-1. / 8})
	wantVector(t, "δ^2", d[2], Vector{-3 * c / 32, c / 8})

	first := Backpropagate(net, handX[0], handY[0])
	wantMatrix(t, "∇W^3", first.W[3], Matrix{{-3. / 32, -1. / 16}})
	wantMatrix(t, "∇W^2", first.W[2], Matrix{{-3 * c / 32, -3 * c / 16}, {c / 8, c / 4}})
	wantVector(t, "∇b^3", first.B[3], Vector{-1. / 8})
	wantVector(t, "∇b^2", first.B[2], Vector{-3 * c / 32, c / 8})

	second := Backpropagate(net, handX[1], handY[1])
	wantMatrix(t, "∇W^3 of sample 2", second.W[3], Matrix{{3. / 128, 3. / 128}})
	wantMatrix(t, "∇W^2 of sample 2", second.W[2], Matrix{{0, 3 * c / 64}, {0, -3 * c / 64}})
}

// TestByHandMiniBatch compares MiniBatch with the means of the numbers of the two
// samples.
func TestByHandMiniBatch(t *testing.T) {
	net := handNetwork()
	cost, grad := MiniBatch(net, handX, handY)
	if want := 5. / 64; !near(cost, want) { // (1/8 + 1/32) / 2
		t.Errorf("E_t = %v, want %v", cost, want)
	}
	wantMatrix(t, "∇W^3", grad.W[3], Matrix{{-9. / 256, -5. / 256}})
	wantVector(t, "∇b^3", grad.B[3], Vector{-5. / 128})
	wantMatrix(t, "∇W^2", grad.W[2], Matrix{{-3 * c / 64, -9 * c / 128}, {c / 16, 13 * c / 128}})
	wantVector(t, "∇b^2", grad.B[2], Vector{-3 * c / 128, 5 * c / 128})

	// A.66 as meant equals the sum in A.47 and A.48.
	mean := MeanGradients([]Gradients{
		Backpropagate(net, handX[0], handY[0]), Backpropagate(net, handX[1], handY[1])})
	for l := 2; l <= 3; l++ {
		wantMatrix(t, "mean of ∇W", mean.W[l], grad.W[l])
		wantVector(t, "mean of ∇b", mean.B[l], grad.B[l])
	}

	// A.66 as printed, with a^2 averaged too, gives another result: the mean
	// of δ^3 is −5/128, and the mean of a^2 is (5/8, 1/2).
	printed := Outer(Vector{-5. / 128}, Vector{5. / 8, 1. / 2})
	if near(printed[0][0], grad.W[3][0][0]) {
		t.Error("the product of the means equals the mean of the products")
	}
}

// TestByHandSteps takes a step for sample 1 with η = 1, by A.62 to A.65 and in the
// order of the listing. Both update the output layer alike. The listing computes
// δ^2 from the updated W^3 = (4c + 3/32, −4c + 1/16):
//
//	δ^2 = ((4c + 3/32) · −1/8 · 3/16, (−4c + 1/16) · −1/8 · 1/4)
//	    = (−3c/32 − 9/4096, c/8 − 1/512)
func TestByHandSteps(t *testing.T) {
	steps := []struct {
		name string
		step func(Network)
		d2   Vector
	}{
		{"A.62, A.63", func(n Network) { StepSample(n, handX[0], handY[0], 1) }, Vector{-3 * c / 32, c / 8}},
		{"A.47, A.48", func(n Network) {
			_, grad := MiniBatch(n, handX[:1], handY[:1])
			Step(n, grad, 1)
		}, Vector{-3 * c / 32, c / 8}},
		{"listing", func(n Network) { StepListing(n, handX[0], handY[0], 1) }, Vector{-3*c/32 - 9./4096, c/8 - 1./512}},
	}
	for _, s := range steps {
		net := handNetwork()
		s.step(net)
		wantMatrix(t, s.name+": W^3", net.W[3], Matrix{{4*c + 3./32, -4*c + 1./16}})
		wantVector(t, s.name+": b^3", net.B[3], Vector{-c + 1./8})
		wantMatrix(t, s.name+": W^2", net.W[2], Matrix{
			{-s.d2[0], c - 2*s.d2[0]},
			{1 - s.d2[1], -1 - 2*s.d2[1]},
		})
		wantVector(t, s.name+": b^2", net.B[2], Vector{-c - s.d2[0], 1 - s.d2[1]})
	}
}

// TestDescent checks that a small step lowers the mean cost by η‖∇E‖², to first
// order.
func TestDescent(t *testing.T) {
	const rate = 1e-4
	for _, tt := range cases {
		r := rand.New(rand.NewPCG(7, 8))
		net := randomNetwork(r, tt.layers, tt.g, tt.bias)
		xs := randomVectors(r, tt.batch, tt.layers[0])
		ys := randomVectors(r, tt.batch, tt.layers[len(tt.layers)-1])
		before, grad := MiniBatch(net, xs, ys)
		want := 0.0
		parameters(net, grad, func(_ string, _, _, _ int, _, g *float64) { want += rate * *g * *g })
		Step(net, grad, rate)
		got := before - MeanCost(net, xs, ys)
		if math.Abs(got-want) > 0.01*want {
			t.Errorf("%s: the step lowered the cost by %v, want about %v", tt.name, got, want)
		}
	}
}

func TestCheck(t *testing.T) {
	tests := []struct {
		name string
		net  Network
		want string // part of the error; "": none
	}{
		{"hand", handNetwork(), ""},
		{"no bias", Network{W: handNetwork().W, G: Sigmoid}, ""},
		{"no layers", Network{W: []Matrix{nil, nil}}, "at least W[2]"},
		{"few biases", Network{W: handNetwork().W, B: []Vector{2: {0, 0}}}, "3 biases and 4 matrices: want equal numbers"},
		{"empty", Network{W: []Matrix{2: {}}}, "W[2] is empty"},
		{"ragged", Network{W: []Matrix{2: {{1, 2}, {3}}}}, "row 1 of W[2] has 1 entries, want n^1 = 2"},
		{"widths", Network{W: []Matrix{2: {{1, 2}}, 3: {{1, 2}}}}, "row 0 of W[3] has 2 entries, want n^2 = 1"},
		{"short bias", Network{W: []Matrix{2: {{1}, {2}}}, B: []Vector{2: {0}}}, "B[2] has 1 entries, want n^2 = 2"},
	}
	for _, tt := range tests {
		err := tt.net.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
	}
}
