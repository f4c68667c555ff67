package prediction_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train/prediction"
)

// machine has the outputs σ(8x − 4) and σ(4 − 8x) for a pixel x: ink is class 0,
// paper class 1.
func machine(t *testing.T) vm.VM {
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
	return m
}

func TestRun(t *testing.T) {
	m, ctx := machine(t), context.Background()
	all, err := prediction.Run(ctx, m, &data.Rows{Name: "dots", Inputs: 1, Pixels: []uint8{255, 0, 255}, IDs: []string{"a,b", "c", "d"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	s := 1 / (1 + math.Exp(4)) // σ(−4)
	for i, want := range []int{0, 1, 0} {
		p := all[i]
		if p.Label != want || math.Abs(p.Outputs[want]-(1-s)) > 1e-12 || math.Abs(p.Outputs[1-want]-s) > 1e-12 {
			t.Errorf("image %d: %+v, want class %d, outputs %g and %g", i, p, want, s, 1-s)
		}
	}
	var b bytes.Buffer
	if err := prediction.CSV(&b, all, "ImageId", "Label"); err != nil || b.String() != "ImageId,Label\n\"a,b\",0\nc,1\nd,0\n" {
		t.Errorf("CSV: %q, %v", b.String(), err)
	}
	b.Reset()
	if err := prediction.JSON(&b, all); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(b.String(), "\n"); n != len(all) {
		t.Errorf("JSON: %d lines, want one for an image: %s", n, b.String())
	}
	d := json.NewDecoder(&b)
	for i, want := range all {
		var again prediction.Prediction
		if err := d.Decode(&again); err != nil || !reflect.DeepEqual(again, want) {
			t.Errorf("JSON, image %d: %v, %+v", i, err, again)
		}
	}
}

// TestMany: images beyond a chunk are predicted too, and numbered from 1.
func TestMany(t *testing.T) {
	rows := &data.Rows{Name: "dots", Inputs: 1, Pixels: make([]uint8, 1000)}
	for i := range rows.Pixels {
		rows.Pixels[i] = uint8(255 * (i % 3 % 2))
	}
	all, err := prediction.Run(context.Background(), machine(t), rows, nil)
	if err != nil || len(all) != 1000 || all[999].ID != "1000" {
		t.Fatalf("%d predictions, %v", len(all), err)
	}
	for i, p := range all {
		if want := 1 - i%3%2; p.Label != want {
			t.Fatalf("image %d: class %d, want %d", i, p.Label, want)
		}
	}
}

func TestErrors(t *testing.T) {
	m := machine(t)
	if _, err := prediction.Run(context.Background(), m, &data.Rows{Name: "wide", Inputs: 4, Pixels: make([]uint8, 4)}, nil); err == nil || !strings.Contains(err.Error(), "wide: images of 4 pixels, and a network of 1 inputs") {
		t.Errorf("another size: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := prediction.Run(ctx, m, &data.Rows{Inputs: 1, Pixels: make([]uint8, 4)}, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestScaleAndNames: pixels are in the scale of the rows, and a class with a name has
// it in place of its number.
func TestScaleAndNames(t *testing.T) {
	run := func(rows *data.Rows, names []string) []prediction.Prediction {
		all, err := prediction.Run(context.Background(), machine(t), rows, names)
		if err != nil {
			t.Fatal(err)
		}
		return all
	}
	sixteen := data.Scale{Pixels: data.Range{Low: 0, High: 16}}
	got := run(&data.Rows{Inputs: 1, Pixels: []uint8{16, 0}, Scale: sixteen}, []string{"no", "yes"})
	want := run(&data.Rows{Inputs: 1, Pixels: []uint8{255, 0}}, nil)
	for i := range want {
		if !slices.Equal(got[i].Outputs, want[i].Outputs) || got[i].Name != []string{"no", "yes"}[want[i].Label] || want[i].Name != "" {
			t.Errorf("have %+v, want %+v with a name", got[i], want[i])
		}
	}
	var b bytes.Buffer
	if err := prediction.CSV(&b, got, "id", "label"); err != nil || !strings.Contains(b.String(), ",yes\n") && !strings.Contains(b.String(), ",no\n") {
		t.Errorf("%q, %v", &b, err)
	}
}
