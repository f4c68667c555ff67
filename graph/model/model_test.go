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
	"trainer/graph/safetensors"
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

func TestReadModelRefuses(t *testing.T) {
	w0 := safetensors.NewF32("layers.0.weight", []int{2, 3}, make([]float64, 6))
	b0 := safetensors.NewF32("layers.0.bias", []int{2}, make([]float64, 2))
	w1 := safetensors.NewF32("layers.1.weight", []int{1, 2}, make([]float64, 2))
	wide := safetensors.NewF32("layers.1.weight", []int{1, 3}, make([]float64, 3))
	nan := safetensors.NewF32("layers.0.weight", []int{2, 3}, []float64{0, 0, math.NaN(), 0, 0, 0})
	other := safetensors.NewF32("conv.weight", []int{2, 3}, make([]float64, 6))
	for name, c := range map[string]struct {
		tensors []safetensors.Tensor
		meta    map[string]string
		want    string
	}{
		"no layer":           {[]safetensors.Tensor{other}, nil, "no tensor layers.0.weight"},
		"another tensor":     {[]safetensors.Tensor{w0, other}, nil, "conv.weight does not belong"},
		"a bias is missing":  {[]safetensors.Tensor{w0, b0, w1}, nil, `no tensor "layers.1.bias"`},
		"a layer is missing": {[]safetensors.Tensor{w0, safetensors.NewF32("layers.2.weight", []int{1, 2}, make([]float64, 2))}, nil, "layers.2.weight does not belong"},
		"shapes":             {[]safetensors.Tensor{w0, wide}, nil, `"layers.1.weight" has shape [1 3], want [1 2]`},
		"not finite":         {[]safetensors.Tensor{nan}, nil, "layers.0.weight has values that are not finite"},
		"activation":         {[]safetensors.Tensor{w0}, map[string]string{"activation": "relu"}, `unknown activation "relu"`},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := safetensors.Write(&b, &safetensors.File{Metadata: c.meta, Tensors: c.tensors}); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(t.TempDir(), "m.safetensors")
			if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := model.Read(path)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
				t.Errorf("error %v, want one with the path and %q", err, c.want)
			}
		})
	}
	if _, err := model.Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a file that does not exist")
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
