package evaluation_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train/evaluation"
)

// evaluated is a machine, with known parameters, and a data set whose outcome on
// it can be counted by hand: σ(8x − 4) and σ(4 − 8x) for a pixel x, so that ink
// is class 0 and paper class 1.
func evaluated(t *testing.T) (vm.VM, *data.Dataset) {
	t.Helper()
	n := model.Network{Layers: []int{1, 2}, Bias: true, Precision: model.Float64}
	m, _, err := machines.Open(n, machines.Options{Device: machines.CPU})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close() })
	if err := m.SetParameters(model.Parameters{{Out: 2, In: 1, Weight: []float64{8, -8}, Bias: []float64{-4, 4}}}); err != nil {
		t.Fatal(err)
	}
	set := func(pixels, labels []uint8) *data.Set {
		return &data.Set{Name: "dots", Rows: 1, Cols: 1, Classes: 2, Pixels: pixels, Labels: labels}
	}
	return m, &data.Dataset{Name: "dots", Source: "by hand",
		Train: set([]uint8{255, 0}, []uint8{0, 1}), Test: set([]uint8{255, 255, 0, 0}, []uint8{0, 1, 1, 1})}
}

func TestReport(t *testing.T) {
	m, d := evaluated(t)
	r, err := evaluation.Run(context.Background(), m, d)
	if err != nil {
		t.Fatal(err)
	}
	r.Model = "a.safetensors"
	var b bytes.Buffer
	if err := r.Text(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	// With s = σ(−4) = 0.0179862, the outputs are 1−s and s in one order or the
	// other: the cost is s² of a sample that is right, (1−s)² of one that is wrong,
	// 0.00032 and (3·0.00032 + 0.96435)/4 = 0.24133.
	const want = `model    a.safetensors
network  1-2 sigmoid, with bias, float64
data     dots, from by hand
train    accuracy 1.0000 (2 of 2), cost 0.00032
test     accuracy 0.7500 (3 of 4), cost 0.24133

Confusion on the test set: a row for each label, a column for each prediction.
   0 1
 0 1 0
 1 1 2

Precision: of those taken for the class, the share that is right. Recall: of those of the class, the share found.
  class  samples  precision  recall
      0        1     0.5000  1.0000
      1        3     1.0000  0.6667
`
	if b.String() != want {
		t.Errorf("have:\n%s\nwant:\n%s", b.String(), want)
	}
}

// TestNames: the names of classes are in the text, made printable, and the mistakes
// that were asked for.
func TestNames(t *testing.T) {
	m, d := evaluated(t)
	d.Test.ClassNames = []string{"ink", "pa\x1b[31mper"}
	r, err := evaluation.Run(context.Background(), m, d)
	if err != nil {
		t.Fatal(err)
	}
	if r.Wrong, err = evaluation.Worst(context.Background(), m, d.Test, 5); err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Text(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	// Image 1 is ink, and its label is paper: σ(−4) and σ(4).
	for _, want := range []string{"1.0000  ink\n", `0.6667  pa\x1b[31mper`, "  image  label  answer  a(label)  a(answer)\n      1      1       0    0.0180     0.9820\n"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("lacks %q:\n%s", want, b.String())
		}
	}
}

// TestSets: the sets that there are, each in the text and in JSON.
func TestSets(t *testing.T) {
	m, d := evaluated(t)
	d.Train, d.Validation = nil, d.Train
	r, err := evaluation.Run(context.Background(), m, d)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := r.Text(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	if text := b.String(); strings.Contains(text, "train ") || !strings.Contains(text, "validation  accuracy 1.0000 (2 of 2)") || !strings.Contains(text, "test        accuracy 0.7500") {
		t.Errorf("text:\n%s", text)
	}
	text, err := json.Marshal(r)
	if err != nil || bytes.Contains(text, []byte(`"train"`)) || !bytes.Contains(text, []byte(`"validation"`)) {
		t.Errorf("JSON: %s, %v", text, err)
	}
}

// TestNotFinite: weights whose cost is no number are an error, not a result.
func TestNotFinite(t *testing.T) {
	n := model.Network{Layers: []int{1, 2, 2}, Precision: model.Float32}
	m, _, err := machines.Open(n, machines.Options{Device: machines.CPU, Kind: machines.Interpret})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	huge := []float64{3e38, -3e38, -3e38, 3e38}
	if err := m.SetParameters(model.Parameters{{Out: 2, In: 1, Weight: []float64{math.NaN(), 1}}, {Out: 2, In: 2, Weight: huge}}); err != nil {
		t.Fatal(err)
	}
	_, d := evaluated(t)
	if _, err := evaluation.Run(context.Background(), m, d); err == nil || !strings.Contains(err.Error(), "dots: the cost is NaN") {
		t.Errorf("error %v", err)
	}
}

func TestCancelled(t *testing.T) {
	m, d := evaluated(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := evaluation.Run(ctx, m, d); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
}
