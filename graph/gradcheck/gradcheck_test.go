package gradcheck_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/delta"
	"trainer/graph/gradcheck"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/tape"
)

// gradients computes the mean cost of a mini-batch, and its gradients.
type gradients func(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients)

// fake is a machine whose gradients come from a Go function.
type fake struct {
	network    model.Network
	parameters model.Parameters
	gradients  gradients
	alter      func(model.Parameters) // changes each result; nil: no change
	err        error                  // returned by Gradients
}

func newFake(n model.Network, g gradients) *fake {
	p := model.NewParameters(n)
	for _, l := range p {
		for i := range l.Weight {
			l.Weight[i] = float64(i)
		}
	}
	return &fake{network: n, parameters: p, gradients: g}
}

func (f *fake) Name() string                         { return "fake" }
func (f *fake) Network() model.Network               { return f.network }
func (f *fake) Load(*data.Set) error                 { return nil }
func (f *fake) Close() error                         { return nil }
func (f *fake) Train(context.Context, vm.Pass) error { return errors.New("not here") }
func (f *fake) Predict([]float64) ([]float64, error) { return nil, errors.New("not here") }
func (f *fake) Evaluate(context.Context, *data.Set) (vm.Score, error) {
	return vm.Score{}, errors.New("not here")
}

func (f *fake) Parameters() (model.Parameters, error) { return f.parameters.Clone(), nil }

func (f *fake) SetParameters(p model.Parameters) error {
	f.parameters = p.Clone()
	f.parameters.Round(f.network.Precision)
	return nil
}

func (f *fake) Gradients(x, y []float64) (float64, model.Parameters, error) {
	if f.err != nil {
		return 0, nil, f.err
	}
	net := delta.Network{W: make([]delta.Matrix, len(f.parameters)+2), G: delta.Sigmoid}
	if f.network.Activation == model.Tanh {
		net.G = delta.Tanh
	}
	if f.network.Bias {
		net.B = make([]delta.Vector, len(f.parameters)+2)
	}
	for i, l := range f.parameters {
		for row := range slices.Chunk(slices.Clone(l.Weight), l.In) {
			net.W[i+2] = append(net.W[i+2], row)
		}
		if f.network.Bias {
			net.B[i+2] = slices.Clone(l.Bias)
		}
	}
	cost, g := f.gradients(net, rows(x, f.network.Inputs()), rows(y, f.network.Outputs()))
	p := model.NewParameters(f.network)
	for i := range p {
		p[i].Weight = slices.Concat(g.W[i+2]...)
		if f.network.Bias {
			p[i].Bias = g.B[i+2]
		}
	}
	if f.alter != nil {
		f.alter(p)
	}
	p.Round(f.network.Precision)
	return cost, p, nil
}

func rows(v []float64, n int) []delta.Vector {
	var vs []delta.Vector
	for row := range slices.Chunk(v, n) {
		vs = append(vs, row)
	}
	return vs
}

// parts are the steps of backpropagation in which a fault can be planted.
type parts struct {
	output func(g delta.Activation, y, a, z delta.Vector) delta.Vector                          // A.64
	hidden func(g delta.Activation, wNext delta.Matrix, deltaNext, z delta.Vector) delta.Vector // A.65
	below  func(p delta.Pass, l int) delta.Vector                                               // a^(l−1) of A.55
	weight func(deltas, aPrevs []delta.Vector) delta.Matrix                                     // A.66
	bias   func(deltas []delta.Vector) delta.Vector                                             // A.61, A.66
}

// right returns the steps without a fault.
func right() parts {
	return parts{
		output: delta.OutputDelta,
		hidden: delta.HiddenDelta,
		below:  func(p delta.Pass, l int) delta.Vector { return p.A[l-1] },
		weight: delta.MeanOfProducts,
		bias:   delta.Mean,
	}
}

// with returns the gradients that the steps of right give after change.
func with(change func(*parts)) gradients {
	f := right()
	change(&f)
	return func(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
		L := net.L()
		deltas, as := make([][]delta.Vector, L+1), make([][]delta.Vector, L+1)
		for s := range xs {
			p := delta.Forward(net, xs[s])
			d := f.output(net.G, ys[s], p.A[L], p.Z[L])
			for l := L; l >= 2; l-- {
				deltas[l] = append(deltas[l], d)
				as[l] = append(as[l], f.below(p, l))
				if l > 2 {
					d = f.hidden(net.G, net.W[l], d, p.Z[l-1])
				}
			}
		}
		g := delta.Gradients{W: make([]delta.Matrix, L+1), B: make([]delta.Vector, L+1)}
		for l := 2; l <= L; l++ {
			g.W[l], g.B[l] = f.weight(deltas[l], as[l]), f.bias(deltas[l])
		}
		return delta.MeanCost(net, xs, ys), g
	}
}

// printedA66 averages δ^L over the samples and continues with the means of z and
// a, which is one way to read A.66 as printed.
func printedA66(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
	L := net.L()
	zs, as := make([][]delta.Vector, L+1), make([][]delta.Vector, L+1)
	ds := make([]delta.Vector, 0, len(xs))
	for s := range xs {
		p := delta.Forward(net, xs[s])
		for l := range p.A {
			zs[l], as[l] = append(zs[l], p.Z[l]), append(as[l], p.A[l])
		}
		ds = append(ds, delta.OutputDelta(net.G, ys[s], p.A[L], p.Z[L]))
	}
	g := delta.Gradients{W: make([]delta.Matrix, L+1), B: make([]delta.Vector, L+1)}
	d := delta.Mean(ds)
	for l := L; l >= 2; l-- {
		g.W[l], g.B[l] = delta.WeightGradient(d, delta.Mean(as[l-1])), d
		if l > 2 {
			d = delta.HiddenDelta(net.G, net.W[l], d, delta.Mean(zs[l-1]))
		}
	}
	return delta.MeanCost(net, xs, ys), g
}

// listing computes each hidden δ from the weights after the step (η = 1), as the
// program of the book does.
func listing(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
	L := net.L()
	each := make([]delta.Gradients, 0, len(xs))
	for s := range xs {
		p := delta.Forward(net, xs[s])
		g := delta.Gradients{W: make([]delta.Matrix, L+1), B: make([]delta.Vector, L+1)}
		d := delta.OutputDelta(net.G, ys[s], p.A[L], p.Z[L])
		for l := L; l >= 2; l-- {
			g.W[l], g.B[l] = delta.WeightGradient(d, p.A[l-1]), d
			if l > 2 {
				updated := make(delta.Matrix, 0, len(net.W[l]))
				for i, row := range net.W[l] {
					updated = append(updated, delta.Minus(row, g.W[l][i]))
				}
				d = delta.HiddenDelta(net.G, updated, d, p.Z[l-1])
			}
		}
		each = append(each, g)
	}
	return delta.MeanCost(net, xs, ys), delta.MeanGradients(each)
}

// TestFaults plants faults in a machine and checks that each is reported for the
// tensors that it affects and for no others. The network is 4-4-4: with square
// matrices no fault changes a shape. The delta equations have no fault, so they
// must agree with the differences in every case.
func TestFaults(t *testing.T) {
	const w2, b2, w3, b3, cost = "layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias", "cost"
	hidden, weights, biases := []string{w2, b2}, []string{w2, w3}, []string{b2, b3}
	all := []string{w2, b2, w3, b3}
	g := delta.MiniBatch
	tests := []struct {
		name      string
		gradients gradients
		alter     func(model.Parameters)
		want      []string
	}{
		{"none", g, nil, nil},
		{"none, in parts", with(func(*parts) {}), nil, nil},
		{"sign of A.64", with(func(f *parts) {
			f.output = func(g delta.Activation, y, a, z delta.Vector) delta.Vector { return delta.OutputDelta(g, a, y, z) }
		}), nil, all},
		{"no g' in A.64: the δ of softmax with cross-entropy", with(func(f *parts) {
			f.output = func(_ delta.Activation, y, a, _ delta.Vector) delta.Vector { return delta.Minus(a, y) }
		}), nil, all},
		{"no g' in A.65", with(func(f *parts) {
			f.hidden = func(_ delta.Activation, w delta.Matrix, d, _ delta.Vector) delta.Vector {
				return delta.TransposeTimes(w, d)
			}
		}), nil, hidden},
		{"W for Wᵀ in A.65", with(func(f *parts) {
			f.hidden = func(g delta.Activation, w delta.Matrix, d, z delta.Vector) delta.Vector {
				return delta.Hadamard(delta.Times(w, d), delta.Apply(g.Prime, z))
			}
		}), nil, hidden},
		{"g for g' in A.65", with(func(f *parts) {
			f.hidden = func(g delta.Activation, w delta.Matrix, d, z delta.Vector) delta.Vector {
				return delta.Hadamard(delta.TransposeTimes(w, d), delta.Apply(g.G, z))
			}
		}), nil, hidden},
		{"a^l for a^(l−1) in A.55", with(func(f *parts) {
			f.below = func(p delta.Pass, l int) delta.Vector { return p.A[l] }
		}), nil, weights},
		{"z^(l−1) for a^(l−1) in A.55", with(func(f *parts) {
			f.below = func(p delta.Pass, l int) delta.Vector {
				if l == 2 {
					return p.A[1]
				}
				return p.Z[l-1]
			}
		}), nil, []string{w3}},
		{"a δᵀ for δ aᵀ in A.55", with(func(f *parts) {
			f.weight = func(d, a []delta.Vector) delta.Matrix { return delta.MeanOfProducts(a, d) }
		}), nil, weights},
		{"sum for mean in A.66", with(func(f *parts) {
			f.weight = func(d, a []delta.Vector) delta.Matrix {
				w := delta.MeanOfProducts(d, a)
				for i := range w {
					w[i] = delta.Scale(float64(len(d)), w[i])
				}
				return w
			}
			f.bias = func(d []delta.Vector) delta.Vector { return delta.Scale(float64(len(d)), delta.Mean(d)) }
		}), nil, all},
		{"product of means in A.66", with(func(f *parts) {
			f.weight = func(d, a []delta.Vector) delta.Matrix { return delta.Outer(delta.Mean(d), delta.Mean(a)) }
		}), nil, weights},
		{"A.66 as printed", printedA66, nil, []string{w2, b2, w3}},
		{"one sample's a in A.66", with(func(f *parts) {
			f.weight = func(d, a []delta.Vector) delta.Matrix { return delta.Outer(delta.Mean(d), a[0]) }
		}), nil, weights},
		{"last sample left out", with(func(f *parts) {
			f.bias = func(d []delta.Vector) delta.Vector { return delta.Mean(d[:max(1, len(d)-1)]) }
		}), nil, biases},
		{"no gradient of the bias", g, func(p model.Parameters) { clear(p[0].Bias); clear(p[1].Bias) }, biases},
		{"off by one column", g, func(p model.Parameters) { copy(p[1].Weight, p[1].Weight[1:]) }, []string{w3}},
		{"transposed gradient", g, func(p model.Parameters) {
			for i := range 4 {
				for j := range i {
					w := p[0].Weight
					w[4*i+j], w[4*j+i] = w[4*j+i], w[4*i+j]
				}
			}
		}, []string{w2}},
		{"layers exchanged", g, func(p model.Parameters) { p[0], p[1] = p[1], p[0] }, all},
		{"the listing's order", listing, nil, hidden},
		{"cost without ½", func(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
			c, g := delta.MiniBatch(net, xs, ys)
			return 2 * c, g
		}, nil, []string{cost}},
		{"cost and gradients without ½", func(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
			c, g := delta.MiniBatch(net, xs, ys)
			return 2 * c, delta.Gradients{W: g.W, B: g.B}
		}, func(p model.Parameters) {
			p.Tensors(func(_ string, _ []int, v []float64) {
				for i := range v {
					v[i] *= 2
				}
			})
		}, []string{cost, w2, b2, w3, b3}},
		{"forward pass without bias", func(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
			bias := net.B
			net.B = nil
			c, g := delta.MiniBatch(net, xs, ys)
			g.B = bias
			return c, g
		}, nil, []string{cost, w2, b2, w3, b3}},
		{"NaN", g, func(p model.Parameters) { p[1].Weight[5] = math.NaN() }, []string{w3}},
		{"infinity", g, func(p model.Parameters) { p[0].Bias[1] = math.Inf(1) }, []string{b2}},
		{"one element off by a part in 10⁹", g, func(p model.Parameters) { p[0].Weight[6] *= 1 + 1e-9 }, []string{w2}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := newFake(model.Network{Layers: []int{4, 4, 4}, Bias: true, Precision: model.Float64}, tt.gradients)
			m.alter = tt.alter
			report, err := gradcheck.Check(m, gradcheck.Options{Seed: 3})
			if err != nil {
				t.Fatal(err)
			}
			if report.OK() != (tt.want == nil) {
				t.Errorf("OK is %v", report.OK())
			}
			var got []string
			for _, r := range report.Failed() {
				switch r.Pair {
				case "symbolic × delta":
					got = append(got, r.Tensor)
				case "delta × differences":
					t.Errorf("%s: the delta equations fail: %+v", r.Tensor, r.Relative)
				}
			}
			slices.Sort(got)
			if want := slices.Sorted(slices.Values(tt.want)); !slices.Equal(got, want) {
				t.Errorf("reported %v, want %v", got, want)
			}
			// The differences show the fault too, unless it is below their bound.
			for _, name := range tt.want {
				if name == cost || strings.Contains(tt.name, "10⁹") {
					continue
				}
				if !slices.ContainsFunc(report.Failed(), func(r gradcheck.Row) bool {
					return r.Tensor == name && r.Pair == "symbolic × differences"
				}) {
					t.Errorf("%s: symbolic × differences passed", name)
				}
			}
		})
	}
}

// TestSharpness checks that the floor does not hide small faults: in every tensor
// of the trainer's network the check finds a single element with a relative error
// of 1e-8 (float64) or 1e-3 (float32), and reports its position.
func TestSharpness(t *testing.T) {
	const wrong = 7
	for _, tt := range []struct {
		precision model.Precision
		off       float64
	}{{model.Float64, 1e-8}, {model.Float32, 1e-3}} {
		m := newFake(model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: tt.precision}, delta.MiniBatch)
		m.alter = func(p model.Parameters) {
			p.Tensors(func(_ string, _ []int, v []float64) { v[wrong] *= 1 + tt.off })
		}
		report, err := gradcheck.Check(m, gradcheck.Options{Batches: []int{2}})
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range report.Rows {
			at := [2]int{0, wrong}
			if r.Shape[1] == 1 { // a bias
				at = [2]int{wrong, 0}
			}
			if r.Pair != "symbolic × delta" || r.Tensor == "cost" {
				continue
			}
			if r.OK || [2]int{r.Relative.Row, r.Relative.Col} != at {
				t.Errorf("%v: %s%v has a relative error of %g: reported %+v", tt.precision, r.Tensor, at, tt.off, r)
			}
		}
	}
}

// networks returns the networks that are checked on a real machine.
func networks() []model.Network {
	ns := make([]model.Network, 0, 24)
	for _, layers := range [][]int{{4, 3, 2}, {784, 50, 10}, {784, 24, 16, 10}} {
		for _, activation := range []model.Activation{model.Sigmoid, model.Tanh} {
			for _, bias := range []bool{true, false} {
				for _, precision := range []model.Precision{model.Float64, model.Float32} {
					ns = append(ns, model.Network{Layers: layers, Activation: activation, Bias: bias, Precision: precision})
				}
			}
		}
	}
	return ns
}

func newTape(t *testing.T, n model.Network) vm.VM {
	t.Helper()
	m, err := tape.New(n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// TestTape checks Gorgonia's gradients on Gorgonia's machine.
func TestTape(t *testing.T) {
	for _, n := range networks() {
		t.Run(n.String(), func(t *testing.T) {
			m := newTape(t, n)
			o := gradcheck.Options{Seed: 1}
			if n.Inputs() > 100 && n.String() != "784-50-10 sigmoid, with bias, float64" {
				o.Batches = []int{2} // to save time; the small networks use all sizes
			}
			report, err := gradcheck.Check(m, o)
			if err != nil {
				t.Fatal(err)
			}
			if !report.OK() {
				var b strings.Builder
				if err := report.Text(&b, lang.English); err != nil {
					t.Fatal(err)
				}
				t.Error("\n" + b.String())
			}
		})
	}
}

// TestTapeGiven checks at given parameters, as after training. The machine must
// have its own parameters back afterwards.
func TestTapeGiven(t *testing.T) {
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: model.Float32}
	m := newTape(t, n)
	own := model.NewParameters(n)
	own[0].Weight[3], own[1].Bias[2] = 0.5, -2
	if err := m.SetParameters(own); err != nil {
		t.Fatal(err)
	}
	at := model.NewParameters(n)
	for i := range at {
		for k := range at[i].Weight {
			at[i].Weight[k] = math.Sin(float64(k)) / 5
		}
		for k := range at[i].Bias {
			at[i].Bias[k] = math.Cos(float64(k))
		}
	}
	report, err := gradcheck.Check(m, gradcheck.Options{Parameters: at, Batches: []int{2}})
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || report.At.En != "given parameters" {
		t.Errorf("at %s: failed %+v", report.At, report.Failed())
	}
	if got, err := m.Parameters(); err != nil || !reflect.DeepEqual(got, own) {
		t.Errorf("the machine's parameters have changed (%v)", err)
	}
}

// Describe, Snapshot and Idle belong to training, which a fake cannot do.
func (*fake) Describe(int) (lang.Text, error) { return lang.Text{}, errors.New("no training") }
func (*fake) Snapshot() (vm.Snapshot, error)  { return nil, errors.New("no snapshots") }
func (*fake) LeavesCoresIdle(int) bool        { return false }
func (*fake) Unload(*data.Set) error          { return nil }

// clampedFake is a fake that declares from which z on its sigmoid is 1.
type clampedFake struct {
	*fake
	one float64
}

func (c clampedFake) SigmoidOne() float64 { return c.one }

// TestSigmoidOne checks a machine that returns 1 for σ(z) from z = 19 on. It must
// pass only if it declares this.
func TestSigmoidOne(t *testing.T) {
	g := func(net delta.Network, xs, ys []delta.Vector) (float64, delta.Gradients) {
		exact := net.G.G
		net.G.G = func(z float64) float64 {
			if z > 19 {
				return 1
			}
			return exact(z)
		}
		return delta.MiniBatch(net, xs, ys)
	}
	m := newFake(model.Network{Layers: []int{60, 50, 10}, Bias: true, Precision: model.Float64}, g)
	for _, c := range []struct {
		one float64
		ok  bool
	}{{0, false}, {25, false}, {19, true}} {
		report, err := gradcheck.Check(clampedFake{m, c.one}, gradcheck.Options{Batches: []int{3}})
		if err != nil {
			t.Fatal(err)
		}
		if report.OK() != c.ok {
			t.Errorf("SigmoidOne %v: OK is %v, failed %+v", c.one, report.OK(), report.Failed())
		}
	}
}

func TestErrors(t *testing.T) {
	n := model.Network{Layers: []int{4, 3, 2}, Bias: true, Precision: model.Float64}
	nan := model.NewParameters(n)
	nan[1].Bias[0] = math.NaN()
	tests := []struct {
		name    string
		network model.Network
		options gradcheck.Options
		err     error
		want    string
	}{
		{"network", model.Network{Layers: []int{4}}, gradcheck.Options{}, nil, "network of 1 layers"},
		{"batch", n, gradcheck.Options{Batches: []int{2, 0}}, nil, "batch of 0 samples: want 1 or more"},
		{"shape", n, gradcheck.Options{Parameters: model.NewParameters(model.Network{Layers: []int{4, 2}})}, nil, "do not fit the network: parameters of 1 layers, want 2"},
		{"NaN", n, gradcheck.Options{Parameters: nan}, nil, "layers.1.bias is not finite"},
		{"machine", n, gradcheck.Options{}, errors.New("out of paper"), "random, one-hot, batch 1: out of paper"},
	}
	for _, tt := range tests {
		m := newFake(n, delta.MiniBatch)
		m.network, m.err = tt.network, tt.err
		before, err := m.Parameters()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gradcheck.Check(m, tt.options); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
		}
		if !reflect.DeepEqual(m.parameters, before) {
			t.Errorf("%s: the machine's parameters have changed", tt.name)
		}
	}
}

func TestReport(t *testing.T) {
	m := newFake(model.Network{Layers: []int{4, 3, 2}, Bias: true, Precision: model.Float64}, delta.MiniBatch)
	m.alter = func(p model.Parameters) { p[1].Weight[4] = math.NaN() }
	check := func() gradcheck.Report {
		t.Helper()
		report, err := gradcheck.Check(m, gradcheck.Options{Seed: 5, Batches: []int{2}})
		if err != nil {
			t.Fatal(err)
		}
		return report
	}
	report := check()
	encoded, err := report.JSON()
	if err != nil {
		t.Fatal(err)
	}
	again, err := check().JSON()
	if err != nil {
		t.Fatal(err)
	}
	if string(encoded) != string(again) {
		t.Error("the same seed gives a different report")
	}
	var decoded struct {
		OK   bool
		Rows []struct {
			Layer    int
			Tensor   string
			Pair     string
			Compared int
			Bound    float64
			OK       bool
			Relative struct {
				Value, A *float64
				Case     string
				Row, Col int
			}
		}
	}
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	if decoded.OK || len(decoded.Rows) != 13 { // the cost, and three pairs of four tensors
		t.Fatalf("ok %v, %d rows, want false and 13", decoded.OK, len(decoded.Rows))
	}
	for _, r := range decoded.Rows {
		bad := r.Tensor == "layers.1.weight" && r.Pair != "delta × differences"
		if r.OK == bad {
			t.Errorf("%s, %s: ok is %v", r.Tensor, r.Pair, r.OK)
		}
		if bad && (r.Relative.Value != nil || r.Relative.A != nil || r.Relative.Row != 1 || r.Relative.Col != 1) {
			t.Errorf("%s, %s: %+v, want null at [1,1]", r.Tensor, r.Pair, r.Relative)
		}
	}

	var b strings.Builder
	if err := report.Text(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Gradients of 4-3-2 sigmoid, with bias, float64 on machine fake, at random parameters, seed 5.",
		"layers.1.weight[1,1], symbolic × delta: NaN and ",
		"2 of 13 comparisons exceed their bound.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
	if (gradcheck.Report{}).OK() {
		t.Error("an empty report is OK")
	}
}
