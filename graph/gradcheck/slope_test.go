package gradcheck

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"trainer/graph/delta"
	"trainer/graph/model"
)

// eachCase calls f for one case of each kind and for several networks.
func eachCase(t *testing.T, precision model.Precision, f func(t *testing.T, n model.Network, c testCase)) {
	t.Helper()
	for _, layers := range [][]int{{4, 3, 2}, {300, 20, 10}, {20, 8, 8, 8, 3}} {
		for _, activation := range []model.Activation{model.Sigmoid, model.Tanh} {
			for _, bias := range []bool{true, false} {
				n := model.Network{Layers: layers, Activation: activation, Bias: bias, Precision: precision}
				r := rand.New(rand.NewPCG(1, 2))
				for _, k := range kinds {
					c := newCase(r, n, k, 3, nil)
					t.Run(fmt.Sprint(n, ", ", c.name), func(t *testing.T) { f(t, n, c) })
				}
			}
		}
	}
}

// TestSlopesCost checks that slopes.cost, which reuses the first layers, gives the
// same bits as delta.MeanCost.
func TestSlopesCost(t *testing.T) {
	eachCase(t, model.Float64, func(t *testing.T, n model.Network, c testCase) {
		net := ToDelta(n, c.parameters)
		s := newSlopes(net, c.xs, c.ys, 0)
		for l := 2; l <= net.L(); l++ {
			i := len(net.W[l]) - 1
			w, b := net.W[l][i][1], 0.0
			net.W[l][i][1] += 0.25
			if net.B != nil {
				b = net.B[l][i]
				net.B[l][i] -= 0.5
			}
			if got, want := s.cost(l, i), delta.MeanCost(net, c.xs, c.ys); got != want {
				t.Errorf("layer %d: cost %v, want %v", l, got, want)
			}
			net.W[l][i][1] = w
			if net.B != nil {
				net.B[l][i] = b
			}
		}
	})
}

// TestSlopes takes slopes of a cost whose derivative is known: one sigmoid, with
// E = ½(y − σ(wx))² and E' = −(y − a) a(1 − a) x. It ranges from a flat function to
// nearly a step.
func TestSlopes(t *testing.T) {
	for _, x := range []float64{1e-3, 1, 30, 1000} {
		for _, z := range []float64{-8, -1, 0.1, 3} {
			for _, bias := range []bool{false, true} {
				w := z / x
				net := delta.Network{W: []delta.Matrix{2: {{w}}}, G: delta.Sigmoid}
				a := 1 / (1 + math.Exp(-z))
				want := -(0.25 - a) * a * (1 - a)
				if bias { // z = w·1 + b
					net.W[2][0][0], net.B = 0, []delta.Vector{2: {z}}
				} else {
					want *= x
				}
				const costError = 0x1p-52 // E < 1/2, and the error of a is an ulp or two
				got, e := newSlopes(net, []delta.Vector{{x}}, []delta.Vector{{0.25}}, costError).at(2, 0, 0, bias)
				if math.Abs(got-want) > e+1e-7*math.Abs(want) {
					t.Errorf("x %v, z %v, bias %v: %v ± %v, want %v", x, z, bias, got, e, want)
				}
				if e > 1e-8*x && !bias {
					t.Errorf("x %v, z %v: the allowed rounding error is %v", x, z, e)
				}
			}
		}
	}
}

// float32Net evaluates the cost and its gradients in float32, in plain loops.
func float32Net(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
	f := func(v float64) float64 { return float64(float32(v)) }
	L := net.L()
	var cost float64
	each := make([]delta.Gradients, 0, len(xs))
	for s := range xs {
		a, prime := make([]delta.Vector, L+1), make([]delta.Vector, L+1)
		a[1] = xs[s]
		for l := 2; l <= L; l++ {
			for i, row := range net.W[l] {
				z := 0.0
				for j, w := range row {
					z = f(z + f(w*a[l-1][j]))
				}
				if net.B != nil {
					z = f(z + net.B[l][i])
				}
				v := f(net.G.G(z))
				g := f(v * f(1-v))
				if net.G.Name == "tanh" {
					g = f(1 - f(v*v))
				}
				a[l], prime[l] = append(a[l], v), append(prime[l], g)
			}
		}
		g := delta.Gradients{W: make([]delta.Matrix, L+1), B: make([]delta.Vector, L+1)}
		d := make(delta.Vector, len(ys[s]))
		e := 0.0
		for k, y := range ys[s] {
			r := f(y - a[L][k])
			e = f(e + f(r*r))
			d[k] = f(-r * prime[L][k])
		}
		cost += e / 2 / float64(len(xs))
		for l := L; l >= 2; l-- {
			g.B[l] = d
			for i := range d {
				row := make(delta.Vector, len(a[l-1]))
				for j := range row {
					row[j] = f(d[i] * a[l-1][j])
				}
				g.W[l] = append(g.W[l], row)
			}
			if l == 2 {
				break
			}
			below := make(delta.Vector, len(a[l-1]))
			for i := range below {
				for j := range d {
					below[i] = f(below[i] + f(net.W[l][j][i]*d[j]))
				}
				below[i] = f(below[i] * prime[l-1][i])
			}
			d = below
		}
		each = append(each, g)
	}
	return cost, delta.MeanGradients(each)
}

// TestRounding checks that the errors of float32 arithmetic are within the bound
// for every element. It also checks that the bound is not too wide: in each random
// case some error is at least a 5000th of its bound. (The bound assumes that the
// errors of all layers and nodes have the same sign, which they do not.)
func TestRounding(t *testing.T) {
	eachCase(t, model.Float32, func(t *testing.T, n model.Network, c testCase) {
		net := ToDelta(n, c.parameters)
		cost32, g32 := float32Net(net, c.xs, c.ys)
		cost, g := delta.MiniBatch(net, c.xs, c.ys)
		costError, e := rounding(net, c.xs, c.ys, 0x1p-24, 0)
		if d := math.Abs(cost32 - cost); d > costError {
			t.Errorf("the error of the cost is %v, bound %v", d, costError)
		}
		if !n.Bias {
			g32.B = nil
		}
		sharpest := 0.0
		got, want, allowed := FromDelta(n, g32), FromDelta(n, g), FromDelta(n, e)
		for i := range got {
			for _, v := range tensors(n, i, got, want, allowed, allowed) {
				for k := range v.symbolic {
					d := math.Abs(v.symbolic[k] - v.delta[k])
					if d > v.machine[k] {
						t.Fatalf("%s[%d,%d] = %v has an error of %v, bound %v", v.name, k/v.cols, k%v.cols, v.delta[k], d, v.machine[k])
					}
					sharpest = max(sharpest, d/v.machine[k])
				}
			}
		}
		if sharpest < 1./5000 && c.kind.spread == 0 {
			t.Errorf("the largest error is %v of its bound", sharpest)
		}
	})
}

func TestSample(t *testing.T) {
	v := tensor{rows: 30, cols: 20, delta: make([]float64, 600)}
	for k := range v.delta {
		v.delta[k] = math.Sin(float64(k))
	}
	v.delta[333], v.delta[444] = -7, 5
	r := rand.New(rand.NewPCG(1, 2))
	s := v.sample(r, false, 16, 123)
	if len(s) != 16 || !slices.IsSorted(s) || len(slices.Compact(slices.Clone(s))) != 16 {
		t.Errorf("sampled %v, want 16 different elements", s)
	}
	for _, k := range []int{0, 19, 580, 599, 333, 444, 123} { // corners, largest, worst
		if !slices.Contains(s, k) {
			t.Errorf("sampled %v, without %d", s, k)
		}
	}
	if s := v.sample(r, true, 16, 0); len(s) != 600 {
		t.Errorf("sampled %d of all 600", len(s))
	}
	if s := v.sample(r, false, 600, 0); len(s) != 600 {
		t.Errorf("sampled %d of 600, want all", len(s))
	}
}

// TestKinds checks that the saturated cases are saturated, both at random and at
// given parameters.
func TestKinds(t *testing.T) {
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: model.Float32}
	given := parameters(rand.New(rand.NewPCG(3, 4)), n, 0)
	for _, at := range []model.Parameters{nil, given} {
		for _, k := range kinds {
			c := newCase(rand.New(rand.NewPCG(5, 6)), n, k, 4, at)
			rounded := c.parameters.Clone()
			rounded.Round(model.Float32)
			net := ToDelta(n, c.parameters)
			sum, zeros := 0.0, 0
			for s, x := range c.xs {
				for _, z := range delta.Forward(net, x).Z[2] {
					sum += z * z / 200
				}
				for _, v := range x {
					if v == 0 {
						zeros++
					}
				}
				total := 0.0
				for _, y := range c.ys[s] {
					total += y
					if y != float64(float32(y)) || y < 0 || !k.soft && y != 0 && y != 1 {
						t.Errorf("%s: target %v", c.name, y)
					}
				}
				if math.Abs(total-1) > 1e-6 {
					t.Errorf("%s: targets sum to %v", c.name, total)
				}
			}
			spread := math.Sqrt(sum)
			if k.spread > 0 && (spread < k.spread/2 || spread > k.spread*2) || k.spread == 0 && spread > 2 {
				t.Errorf("%s: z^2 has a spread of %v, want about %v", c.name, spread, k.spread)
			}
			if fraction := float64(zeros) / 4 / 784; math.Abs(fraction-k.zeros) > 0.05 {
				t.Errorf("%s: a fraction of %v of the inputs is zero, want %v", c.name, fraction, k.zeros)
			}
			for i := range rounded {
				if !slices.Equal(rounded[i].Weight, c.parameters[i].Weight) || !slices.Equal(rounded[i].Bias, c.parameters[i].Bias) {
					t.Errorf("%s: parameters of layer %d are not float32", c.name, i+2)
				}
			}
		}
	}
}
