package model_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
)

func TestParse(t *testing.T) {
	for _, name := range model.ActivationNames() {
		if a, err := model.ParseActivation(name); err != nil || a.String() != name {
			t.Errorf("activation %q: %v, %v", name, a, err)
		}
	}
	for _, name := range model.PrecisionNames() {
		if p, err := model.ParsePrecision(name); err != nil || p.String() != name {
			t.Errorf("precision %q: %v, %v", name, p, err)
		}
	}
	if _, err := model.ParseActivation("relu"); err == nil || !strings.Contains(err.Error(), "sigmoid or tanh") {
		t.Errorf("unknown activation: %v", err)
	}
	if _, err := model.ParsePrecision("float16"); err == nil || !strings.Contains(err.Error(), "float32 or float64") {
		t.Errorf("unknown precision: %v", err)
	}
}

func TestSize(t *testing.T) {
	// 784·50 + 50·10, and 50 + 10 biases.
	n := model.Network{Layers: []int{784, 50, 10}}
	if n.Size() != 39700 {
		t.Errorf("%v has %d parameters, want 39700", n, n.Size())
	}
	n.Bias = true
	if n.Size() != 39760 {
		t.Errorf("%v has %d parameters, want 39760", n, n.Size())
	}
	if got := n.String(); got != "784-50-10 sigmoid, with bias, float32" {
		t.Errorf("String: %q", got)
	}
}

func TestNormal(t *testing.T) {
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: model.Float64}
	std := model.HiddenRule(n)
	if want := 1 / math.Sqrt(50); math.Abs(std-want) > 1e-15 {
		t.Errorf("hidden rule: %v, want %v", std, want)
	}
	p := model.Normal(n, std, data.Stream(1, "initialisation", 0))
	w := p[0].Weight
	sum, squares, neighbours := 0.0, 0.0, 0.0
	for i, v := range w {
		sum += v
		squares += v * v
		if i > 0 {
			neighbours += v * w[i-1]
		}
	}
	// For N = 39,200 draws the standard deviation of the mean is σ/√N, that of
	// the variance σ²√(2/N), and that of the mean product of neighbours σ²/√N.
	// The test allows five of them.
	N := float64(len(w))
	if math.Abs(sum/N) > 5*std/math.Sqrt(N) {
		t.Errorf("mean %v, want 0 (standard deviation %v)", sum/N, std)
	}
	if math.Abs(squares/N-std*std) > 5*std*std*math.Sqrt(2/N) {
		t.Errorf("variance %v, want %v", squares/N, std*std)
	}
	if math.Abs(neighbours/N) > 5*std*std/math.Sqrt(N) {
		t.Errorf("covariance of neighbours %v, want 0", neighbours/N)
	}
	for _, l := range p {
		for _, b := range l.Bias {
			if b != 0 {
				t.Fatalf("a bias is %v, want 0", b)
			}
		}
	}
	n.Precision = model.Float32
	for _, v := range model.Normal(n, std, data.Stream(1, "initialisation", 0))[1].Weight {
		if v != float64(float32(v)) {
			t.Fatalf("%v is not a float32 value", v)
		}
	}
}

// TestRules: the standard deviations of 784-50-10, by hand.
func TestRules(t *testing.T) {
	n := model.Network{Layers: []int{784, 50, 10}}
	for name, c := range map[string]struct{ have, want []float64 }{
		"fan in": {model.FanInRule(n), []float64{1.0 / 28, 1 / math.Sqrt(50)}},
		"xavier": {model.XavierRule(n), []float64{math.Sqrt(2.0 / 834), math.Sqrt(2.0 / 60)}},
	} {
		for i, want := range c.want {
			if math.Abs(c.have[i]-want) > 1e-16 || len(c.have) != 2 {
				t.Errorf("%s: %v, want %v", name, c.have, c.want)
			}
		}
	}
}

// TestNormalLayers: a standard deviation for each layer scales the same draws,
// and biases draw from another stream.
func TestNormalLayers(t *testing.T) {
	n := model.Network{Layers: []int{30, 20, 10}, Bias: true, Precision: model.Float64}
	one := model.Normal(n, 1, data.Stream(1, "initialisation", 0))
	p := model.NormalLayers(n, []float64{0.5, 2}, data.Stream(1, "initialisation", 0))
	p.NormalBiases(3, n.Precision, data.Stream(1, "initial biases", 0))
	for i, std := range []float64{0.5, 2} {
		for j, w := range p[i].Weight {
			if w != std*one[i].Weight[j] {
				t.Fatalf("weight %d of layer %d is %v, want %v × %v", j, i, w, std, one[i].Weight[j])
			}
		}
	}
	random := data.Stream(1, "initial biases", 0)
	for i := range p {
		for j, b := range p[i].Bias {
			if want := 3 * random.NormFloat64(); b != want {
				t.Fatalf("bias %d of layer %d is %v, want %v", j, i, b, want)
			}
		}
	}
	p.NormalBiases(3, model.Float32, data.Stream(1, "initial biases", 0))
	if b := p[0].Bias[0]; b != float64(float32(b)) {
		t.Errorf("bias %v is not a float32 value", b)
	}
}

func TestModelRoundTrip(t *testing.T) {
	for _, n := range []model.Network{
		{Layers: []int{6, 4, 3}, Bias: true, Precision: model.Float64},
		{Layers: []int{6, 3}, Activation: model.Tanh},
	} {
		p := model.Normal(n, 0.5, data.Stream(2, "test", 0))
		var b bytes.Buffer
		if err := model.Write(&b, n, p, map[string]string{"epoch": "3"}); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		m, err := model.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		if m.Network.String() != n.String() || m.Metadata["epoch"] != "3" {
			t.Errorf("read %v, %v; wrote %v", m.Network, m.Metadata, n)
		}
		if fmt.Sprint(m.Parameters) != fmt.Sprint(p) {
			t.Errorf("read %v, wrote %v", m.Parameters, p)
		}
	}
}

func TestParametersCheck(t *testing.T) {
	n := model.Network{Layers: []int{3, 2}, Bias: true}
	p := model.NewParameters(n)
	if err := p.Check(n); err != nil {
		t.Error(err)
	}
	n.Bias = false
	if err := p.Check(n); err == nil || !strings.Contains(err.Error(), "layers.0.bias") {
		t.Errorf("parameters with an extra bias: %v", err)
	}
	p[0].Weight[4] = math.Inf(1)
	if bad := p.NonFinite(); bad != "layers.0.weight" {
		t.Errorf("NonFinite: %q", bad)
	}
}

// TestFinite: one bad value is found wherever it is.
func TestFinite(t *testing.T) {
	for n := range 20 {
		values := make([]float64, n)
		single := make([]float32, n)
		for i := range n {
			values[i], single[i] = math.MaxFloat64, -math.MaxFloat32
		}
		if !model.Finite(values) || !model.Finite(single) {
			t.Errorf("%d finite values are said not to be", n)
		}
		for i := range n {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				values[i], single[i] = bad, float32(bad)
				if model.Finite(values) || model.Finite(single) {
					t.Errorf("%v at %d of %d is not found", bad, i, n)
				}
			}
			values[i], single[i] = 0, 0
		}
	}
}
