package model_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"trainer/graph/model"
	"trainer/graph/safetensors"
)

// tensor returns a tensor of the values 1, 2, 3, …
func tensor(name string, shape ...int) safetensors.Tensor {
	n := 1
	for _, s := range shape {
		n *= s
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(i + 1)
	}
	return safetensors.NewF32(name, shape, values)
}

// read writes tensors to a file and reads it as a model.
func read(t *testing.T, metadata map[string]string, tensors ...safetensors.Tensor) (m model.Model, path string, err error) {
	t.Helper()
	var b bytes.Buffer
	if err := safetensors.Write(&b, &safetensors.File{Metadata: metadata, Tensors: tensors}); err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err = model.Read(path)
	return m, path, err
}

// TestReadOthers: the names and shapes of other programs give the same network
// as ours.
func TestReadOthers(t *testing.T) {
	type tensors = []safetensors.Tensor
	for name, c := range map[string]struct {
		tensors  tensors
		metadata map[string]string
		layers   []int
	}{
		"ours":       {tensors{tensor("layers.0.weight", 4, 6), tensor("layers.0.bias", 4), tensor("layers.1.weight", 3, 4), tensor("layers.1.bias", 3)}, nil, []int{6, 4, 3}},
		"sequential": {tensors{tensor("0.weight", 4, 6), tensor("0.bias", 4), tensor("2.weight", 3, 4), tensor("2.bias", 3)}, nil, []int{6, 4, 3}},
		"layers 0, 2": {tensors{tensor("layers.0.weight", 4, 6), tensor("layers.0.bias", 4), tensor("layers.2.weight", 3, 4), tensor("layers.2.bias", 3)},
			map[string]string{"format": "pt"}, []int{6, 4, 3}},
		"fc":           {tensors{tensor("fc1.weight", 4, 6), tensor("fc1.bias", 4), tensor("fc2.weight", 3, 4), tensor("fc2.bias", 3)}, nil, []int{6, 4, 3}},
		"from ten on":  {tensors{tensor("net.9.weight", 4, 6), tensor("net.9.bias", 4), tensor("net.10.weight", 3, 4), tensor("net.10.bias", 3)}, nil, []int{6, 4, 3}},
		"words":        {tensors{tensor("output.weight", 3, 4), tensor("output.bias", 3), tensor("hidden.weight", 4, 6), tensor("hidden.bias", 4)}, nil, []int{6, 4, 3}},
		"columns":      {tensors{tensor("fc1.weight", 4, 6), tensor("fc1.bias", 4, 1), tensor("fc2.weight", 3, 4), tensor("fc2.bias", 1, 3)}, nil, []int{6, 4, 3}},
		"one layer":    {tensors{tensor("weight", 3, 6), tensor("bias", 3)}, nil, []int{6, 3}},
		"square":       {tensors{tensor("fc1.weight", 4, 4), tensor("fc2.weight", 4, 4), tensor("fc3.weight", 3, 4)}, nil, []int{4, 4, 4, 3}},
		"format pt":    {tensors{tensor("weight", 3, 6)}, map[string]string{"format": "pt"}, []int{6, 3}},
		"many outputs": {tensors{tensor("weight", 10, 784)}, nil, []int{784, 10}},
	} {
		m, _, err := read(t, c.metadata, c.tensors...)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if !slices.Equal(m.Network.Layers, c.layers) || m.Network.Bias != (len(c.tensors) == 2*(len(c.layers)-1)) {
			t.Errorf("%s: %v, want layers %v", name, m.Network, c.layers)
		}
		if err := m.Parameters.Check(m.Network); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if w := m.Parameters[0].Weight; w[0] != 1 || w[len(w)-1] != float64(len(w)) {
			t.Errorf("%s: W^2 is %v: the values have moved", name, w)
		}
		if m.SaysActivation || !m.SaysPrecision {
			t.Errorf("%s: says activation %t, precision %t; want neither guessed", name, m.SaysActivation, m.SaysPrecision)
		}
	}
}

// TestReadOrder: layers of the same shape are in the order of their numbers, 2
// before 10.
func TestReadOrder(t *testing.T) {
	a, b := tensor("fc10.weight", 2, 2), tensor("fc2.weight", 2, 2)
	b = safetensors.NewF32(b.Name, b.Shape, []float64{5, 6, 7, 8})
	m, _, err := read(t, map[string]string{"format": "pt"}, a, b)
	want := model.Parameters{{Out: 2, In: 2, Weight: []float64{5, 6, 7, 8}}, {Out: 2, In: 2, Weight: []float64{1, 2, 3, 4}}}
	if err != nil || !reflect.DeepEqual(m.Parameters, want) {
		t.Errorf("%v, %v, want %v", m.Parameters, err, want)
	}
}

// TestReadPrecision: the widest tensor says the precision; half precision alone
// says none.
func TestReadPrecision(t *testing.T) {
	half := func(d safetensors.DType) safetensors.Tensor {
		return safetensors.Tensor{Name: "0.weight", DType: d, Shape: []int{1, 2}, Data: []byte{0, 0x3c, 0, 0xc0}}
	}
	bias := safetensors.NewF64("0.bias", []int{1}, []float64{0.1})
	for _, c := range []struct {
		tensors []safetensors.Tensor
		says    bool
		want    model.Precision
		w       []float64
	}{
		{[]safetensors.Tensor{half(safetensors.F16), tensor("0.bias", 1)}, true, model.Float32, []float64{1, -2}},
		{[]safetensors.Tensor{half(safetensors.F16), bias}, true, model.Float64, []float64{1, -2}},
		{[]safetensors.Tensor{half(safetensors.F16), {Name: "0.bias", DType: safetensors.BF16, Shape: []int{1}, Data: []byte{0, 0}}}, false, model.Float32, []float64{1, -2}},
		{[]safetensors.Tensor{half(safetensors.BF16), tensor("0.bias", 1)}, true, model.Float32, []float64{0x1p-7, -2}},
	} {
		m, _, err := read(t, map[string]string{"activation": "tanh"}, c.tensors...)
		if err != nil {
			t.Fatal(err)
		}
		if m.SaysPrecision != c.says || m.Network.Precision != c.want || !slices.Equal(m.Parameters[0].Weight, c.w) {
			t.Errorf("%v: says precision %t, %v, weights %v; want %t, %v, %v", c.tensors[0].DType, m.SaysPrecision, m.Network.Precision, m.Parameters[0].Weight, c.says, c.want, c.w)
		}
		if !m.SaysActivation || m.Network.Activation != model.Tanh {
			t.Errorf("activation %v, said %t", m.Network.Activation, m.SaysActivation)
		}
	}
}

// TestReadRefuses: what has no meaning, or more than one, is named, with what is
// in the file and what to do.
func TestReadRefuses(t *testing.T) {
	type tensors = []safetensors.Tensor
	nan := safetensors.NewF32("fc1.weight", []int{2, 3}, []float64{0, 0, 0, math.NaN(), 0, 0})
	for name, c := range map[string]struct {
		tensors  tensors
		metadata map[string]string
		want     []string
	}{
		"empty":           {nil, nil, []string{"no layer", "the file has no tensors", "NAME.weight"}},
		"another tensor":  {tensors{tensor("0.weight", 3, 6), tensor("bn.running_mean", 3)}, nil, []string{`"bn.running_mean" does not belong`, "without it", `"0.weight" [3 6]`}},
		"a vector":        {tensors{tensor("0.weight", 3, 6), tensor("1.weight", 3)}, nil, []string{`"1.weight" has shape [3]`, "no fully connected layer"}},
		"a convolution":   {tensors{tensor("conv1.weight", 2, 1, 3, 3), tensor("conv1.bias", 2)}, nil, []string{`"conv1.weight" has shape [2 1 3 3]`, "no fully connected layer"}},
		"a bias is gone":  {tensors{tensor("0.weight", 4, 6), tensor("0.bias", 4), tensor("2.weight", 3, 4)}, nil, []string{`"0.bias" and no "2.bias"`, "zeros"}},
		"a weight too":    {tensors{tensor("0.weight", 4, 6), tensor("0.bias", 4), tensor("2.bias", 3)}, nil, []string{`"2.bias" and no "2.weight"`}},
		"a layer is gone": {tensors{tensor("0.weight", 4, 6), tensor("4.weight", 3, 5)}, nil, []string{`"4.weight" has shape [3 5]: want n×4`, `"0.weight" before it`}},
		"size of a bias":  {tensors{tensor("0.weight", 4, 6), tensor("0.bias", 5)}, nil, []string{`"0.bias" has shape [5]: want 4 elements`}},
		"shape of a bias": {tensors{tensor("0.weight", 4, 6), tensor("0.bias", 2, 2)}, nil, []string{`"0.bias" has shape [2 2]: want n, n×1 or 1×n`}},
		"transposed": {tensors{tensor("layers.0.weight", 6, 4), tensor("layers.0.bias", 4), tensor("layers.1.weight", 4, 3), tensor("layers.1.bias", 3)}, nil,
			[]string{"transposed", "Keras", "transpose each", `"layers.0.weight" has shape [6 4]`, "[6 4 3]"}},
		"transposed, no bias": {tensors{tensor("fc1.weight", 6, 4), tensor("fc2.weight", 4, 3)}, nil, []string{"transposed", "[6 4 3]"}},
		"kernels":             {tensors{tensor("dense/kernel:0", 6, 4), tensor("dense/bias:0", 4)}, nil, []string{`"dense/kernel:0"`, "Keras or JAX", "layers.0.bias"}},
		"kernel":              {tensors{tensor("Dense_0.kernel", 6, 4), tensor("Dense_1.kernel", 4, 3)}, nil, []string{"Keras or JAX", "transpose each", "layers.0.weight"}},
		"two orders":          {tensors{tensor("a.weight", 4, 4), tensor("b.weight", 4, 4), tensor("a.bias", 4), tensor("b.bias", 4)}, nil, []string{"more than one order", "layers.0, layers.1"}},
		"no order":            {tensors{tensor("a.weight", 4, 6), tensor("b.weight", 3, 5)}, nil, []string{"do not fit in any order", `"b.weight" [3 5]`}},
		"two meanings":        {tensors{tensor("weight", 3, 6)}, nil, []string{"[6 3]", "[3 6]", `"format": "pt"`}},
		"not finite":          {tensors{nan, tensor("fc2.weight", 1, 2)}, nil, []string{`"fc1.weight" has values that are not finite: element 3 is NaN`}},
		"no numbers":          {tensors{safetensors.NewU8("0.weight", []int{1, 2}, []byte{1, 2}), tensor("0.bias", 1)}, nil, []string{`"0.weight" has type U8: want F16, BF16, F32 or F64`}},
		"empty layer":         {tensors{tensor("0.weight", 0, 2), tensor("0.bias", 0)}, nil, []string{"0 nodes"}},
		"control characters":  {tensors{tensor("0.weight", 3, 6), tensor("\x1b]0;x\a", 1)}, nil, []string{`"\x1b]0;x\a" does not belong`}},
		"activation":          {tensors{tensor("0.weight", 2, 3), tensor("0.bias", 2)}, map[string]string{"activation": "relu"}, []string{`unknown activation "relu"`, "sigmoid or tanh"}},
		"layers of metadata": {tensors{tensor("layers.0.weight", 4, 6), tensor("layers.2.weight", 3, 4)}, map[string]string{"layers": "[6,4,4,3]"},
			[]string{"[6 4 4 3]", "[6 4 3]"}},
		"bias of metadata": {tensors{tensor("layers.0.weight", 4, 6)}, map[string]string{"layers": "[6,4]", "bias": "true"}, []string{"bias true", "bias false"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, path, err := read(t, c.metadata, c.tensors...)
			if err == nil {
				t.Fatal("no error")
			}
			for _, want := range append(c.want, path) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error lacks %q: %v", want, err)
				}
			}
			if strings.ContainsAny(err.Error(), "\x1b\a") {
				t.Errorf("control characters: %q", err)
			}
		})
	}
	if _, err := model.Read(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a file that does not exist")
	}
}

// TestReadMany: a file of many layers without numbers is refused at once.
func TestReadMany(t *testing.T) {
	var all []safetensors.Tensor
	for i := range 26 {
		all = append(all, tensor(string(rune('a'+i))+".weight", 2, 2))
	}
	if _, _, err := read(t, nil, all...); err == nil || !strings.Contains(err.Error(), "do not say their order") {
		t.Errorf("error %v", err)
	}
}
