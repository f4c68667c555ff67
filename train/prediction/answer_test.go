package prediction_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train/prediction"
)

// withoutNumbers is a machine whose outputs are not finite.
type withoutNumbers struct{ vm.VM }

func (withoutNumbers) Predict([]float64) ([]float64, error) {
	return []float64{0.5, math.NaN()}, nil
}

func TestOf(t *testing.T) {
	n := model.Network{Layers: []int{2, 2}, Precision: model.Float64}
	m, _, err := machines.Open(n, machines.Options{Device: machines.CPU})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	c := math.Log(3) // σ(c) = 3/4
	if err := m.SetParameters(model.Parameters{{Out: 2, In: 2, Weight: []float64{0, 0, c, 0}}}); err != nil {
		t.Fatal(err)
	}
	image := prediction.Image{Name: "a.png", Pixels: []uint8{255, 7}}
	a, err := prediction.Of(m, image)
	if err != nil || a.File != "a.png" || a.Label != 1 || math.Abs(a.Outputs[0]-0.5)+math.Abs(a.Outputs[1]-0.75) > 1e-15 || !slices.Equal(a.Input, image.Pixels) {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := prediction.Of(withoutNumbers{m}, image); err == nil || !strings.Contains(err.Error(), "a.png: outputs of the network are not finite") {
		t.Errorf("NaN: %v", err)
	}
	if _, err := prediction.Of(m, prediction.Image{Name: "b.png", Pixels: make([]uint8, 3)}); err == nil || !strings.Contains(err.Error(), "b.png: image of 3 pixels") {
		t.Errorf("another size: %v", err)
	}
}
