package evaluation_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/evaluation"
)

func TestClasses(t *testing.T) {
	// 10 samples; class 2 has none, and class 3 is never predicted.
	classes := evaluation.Classes([][]int{
		{4, 1, 0, 0},
		{1, 2, 0, 0},
		{0, 0, 0, 0},
		{1, 0, 1, 0},
	}, strconv.Itoa)
	nan := math.NaN()
	for k, want := range []struct {
		samples, predicted, correct int
		accuracy, precision, recall float64
	}{
		{5, 6, 4, 0.7, 4.0 / 6, 0.8},
		{3, 3, 2, 0.8, 2.0 / 3, 2.0 / 3},
		{0, 1, 0, 0.9, 0, nan},
		{2, 0, 0, 0.8, nan, 0},
	} {
		c := classes[k]
		if c.Label != k || c.Samples != want.samples || c.Predicted != want.predicted || c.Correct != want.correct {
			t.Errorf("%+v, want %+v", c, want)
		}
		for _, v := range [][2]float64{{float64(c.Accuracy), want.accuracy}, {float64(c.Precision), want.precision}, {float64(c.Recall), want.recall}} {
			if v[0] != v[1] && !(math.IsNaN(v[0]) && math.IsNaN(v[1])) {
				t.Errorf("%+v, want %+v", c, want)
			}
		}
	}
	// JSON has null for what is not a number, and back.
	text, err := json.Marshal(classes)
	if err != nil {
		t.Fatal(err)
	}
	var back []evaluation.Class
	if err := json.Unmarshal(text, &back); err != nil || !math.IsNaN(float64(back[2].Recall)) || back[0] != classes[0] {
		t.Errorf("from %s: %+v, %v", text, back, err)
	}
	if text, err := json.Marshal(evaluation.Classes(make([][]int, 0), strconv.Itoa)); err != nil || string(text) != "[]" {
		t.Errorf("no classes: %s, %v", text, err)
	}
	empty := evaluation.Classes([][]int{{0, 0}, {0, 0}}, strconv.Itoa)
	if _, err := json.Marshal(empty); err != nil || !math.IsNaN(float64(empty[0].Accuracy)) {
		t.Errorf("no samples: %+v, %v", empty, err)
	}
	for _, v := range []float64{math.Inf(1), math.Inf(-1)} {
		if text, err := json.Marshal(evaluation.Number(v)); err != nil || string(text) != "null" {
			t.Errorf("%v: %s, %v", v, text, err)
		}
	}
}

func TestWorst(t *testing.T) {
	m, _ := evaluated(t)
	// The outputs are σ(8x − 4) and σ(4 − 8x): class 0 is right for x > 1/2. The
	// mistakes are those of images 1, 2 and 4, the worst at x = 1.
	set := &data.Set{Name: "dots", Rows: 1, Cols: 1, Classes: 2, Pixels: []uint8{255, 200, 255, 0, 50}, Labels: []uint8{0, 1, 1, 1, 0}}
	want := []int{2, 4, 1} // |2x − 1| is 1, 0.61 and 0.57
	for most := range 5 {
		worst, err := evaluation.Worst(context.Background(), m, set, most)
		if err != nil || len(worst) != min(most, len(want)) {
			t.Fatalf("%d: %+v, %v", most, worst, err)
		}
		for k, w := range worst {
			if w.Index != want[k] || w.Label != int(set.Labels[w.Index]) || w.Answer != 1-w.Label || len(w.Outputs) != 2 || w.Outputs[w.Answer] <= w.Outputs[w.Label] {
				t.Errorf("mistake %d: %+v, want image %d", k, w, want[k])
			}
		}
	}
	// More images than are predicted at once: equals by index.
	many := &data.Set{Name: "dots", Rows: 1, Cols: 1, Classes: 2, Pixels: make([]uint8, 1000), Labels: make([]uint8, 1000)}
	worst, err := evaluation.Worst(context.Background(), m, many, 700)
	if err != nil || len(worst) != 700 {
		t.Fatalf("%d mistakes, %v", len(worst), err)
	}
	for k, w := range worst {
		if w.Index != k {
			t.Fatalf("mistake %d is image %d", k, w.Index)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := evaluation.Worst(ctx, m, many, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want the context's", err)
	}
	many.Cols = 2
	if _, err := evaluation.Worst(context.Background(), m, many, 1); err == nil {
		t.Error("images of another size: no error")
	}
}

// broken is a machine with outputs that are not finite.
type broken struct{ vm.VM }

func (broken) Network() model.Network { return model.Network{Layers: []int{1, 2}} }

func (broken) Predict(x []float64) ([]float64, error) {
	a := make([]float64, 2*len(x))
	for k := range x {
		a[2*k], a[2*k+1] = 0.2, 0.1
		if x[k] == 1 {
			a[2*k+1] = math.NaN()
		}
	}
	return a, nil
}

// TestWorstNotFinite: outputs that are not finite are the worst mistakes, and JSON
// takes them.
func TestWorstNotFinite(t *testing.T) {
	set := &data.Set{Name: "dots", Rows: 1, Cols: 1, Classes: 2, Pixels: []uint8{0, 255}, Labels: []uint8{1, 1}}
	worst, err := evaluation.Worst(context.Background(), broken{}, set, 2)
	if err != nil || len(worst) != 2 || worst[0].Index != 1 {
		t.Fatalf("%+v, %v; want image 1 first", worst, err)
	}
	if text, err := json.Marshal(worst[0]); err != nil || string(text) != `{"index":1,"label":1,"answer":0,"outputs":[0.2,null]}` {
		t.Errorf("%s, %v", text, err)
	}
}
