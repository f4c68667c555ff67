package config

import (
	"reflect"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
)

// TestReadFor: the network is the model file's, and the rest is the
// configuration's.
func TestReadFor(t *testing.T) {
	all := model.Network{Layers: []int{64, 20, 10}, Activation: model.Tanh, Bias: false, Precision: model.Float64}
	for _, c := range []struct {
		sets  []string
		known Known
		want  model.Network
	}{
		{nil, Known{Network: all, Activation: true, Precision: true}, all},
		{[]string{"model.layers=[64,20,10]", "model.activation=tanh", "model.bias=false", "precision=float64"}, Known{Network: all, Activation: true, Precision: true}, all},
		{[]string{"model.activation=sigmoid"}, Known{Network: all, Precision: true},
			model.Network{Layers: all.Layers, Activation: model.Sigmoid, Precision: model.Float64}},
		{[]string{"precision=float32"}, Known{Network: all, Activation: true, Precision: true, ToTrain: true},
			model.Network{Layers: all.Layers, Activation: model.Tanh, Precision: model.Float32}},
		{[]string{"precision=float32"}, Known{Network: all, Activation: true},
			model.Network{Layers: all.Layers, Activation: model.Tanh, Precision: model.Float32}},
	} {
		got, err := ReadFor("", append(c.sets, "train.epochs=3"), c.known)
		if err != nil || !reflect.DeepEqual(got.Network(), c.want) || got.Train.Epochs != 3 {
			t.Errorf("%v: %v, %v, want %v", c.sets, got.Network(), err, c.want)
		}
	}
}

// TestReadForRefuses: what contradicts the file is refused with its place and
// both values, all at once.
func TestReadForRefuses(t *testing.T) {
	file := write(t, "model:\n  activation: sigmoid\n  bias: true\nprecision: float32\n")
	known := Known{File: "m.safetensors", Activation: true, Precision: true,
		Network: model.Network{Layers: []int{64, 20, 10}, Activation: model.Tanh, Precision: model.Float64}}
	_, err := ReadFor(file, []string{"model.layers=[64, 30, 10]", "train.epochs=0"}, known)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		file + ":2:15: model.activation: have sigmoid, but the model m.safetensors has tanh",
		file + ":3:9: model.bias: have true, but the model m.safetensors has false",
		file + ":4:12: precision: have float32, but the model m.safetensors has float64",
		"-set model.layers=[64, 30, 10]: have [64, 30, 10], but the model m.safetensors has [64, 20, 10]",
		"-set train.epochs=0: have 0",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}

	known.Activation = false
	if _, err := ReadFor("", nil, known); err == nil || err.Error() != "m.safetensors: model.activation: the model file does not say which: give -set model.activation=sigmoid or tanh" {
		t.Errorf("no activation: %v", err)
	}
	if _, err := ReadFor("", []string{"model.activation=relu"}, known); err == nil || strings.Contains(err.Error(), "does not say") || !strings.Contains(err.Error(), "relu") {
		t.Errorf("a wrong activation: %v", err)
	}
}

// TestReadForMeaning: what inputs and outputs mean is as the model file says it.
func TestReadForMeaning(t *testing.T) {
	known := Known{File: "m.safetensors", Activation: true, Precision: true,
		Network: model.Network{Layers: []int{4, 2}, Bias: true},
		Meaning: data.Meaning{Classes: []string{"no", "yes"}, Values: data.Range{Low: 0, High: 16},
			Inputs: data.Range{Low: 0.01, High: 1}, Targets: data.Range{Low: 0.1, High: 0.9}, Transpose: true}}
	c, err := ReadFor("", nil, known)
	if d := c.Data; err != nil || d.Values.Range() != known.Meaning.Values || d.Inputs.Range() != known.Meaning.Inputs ||
		d.Targets.Range() != known.Meaning.Targets || !d.Transpose || !reflect.DeepEqual(d.Classes, known.Meaning.Classes) {
		t.Errorf("%+v, %v", c.Data, err)
	}
	// Other files may have other values, and their images the usual order.
	c, err = ReadFor("", []string{"data.values={min: 0, max: 255}", "data.transpose=false"}, known)
	if d := c.Data; err != nil || d.Values.Range() != (data.Range{Low: 0, High: 255}) || d.Transpose {
		t.Errorf("%+v, %v", c.Data, err)
	}
	_, err = ReadFor("", []string{"data.inputs.low=0", "data.targets.low=0", "data.classes=[yes, no]"}, known)
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{
		"-set data.inputs.low=0: have 0, but the model m.safetensors was trained with 0.01",
		"-set data.targets.low=0: have 0, but the model m.safetensors was trained with 0.1",
		`-set data.classes=[yes, no]: have ["yes", "no"], but the model m.safetensors was trained with ["no", "yes"]`,
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
	// A training from this model has data of its own.
	known.ToTrain = true
	c, err = ReadFor("", []string{"data.classes=[yes, no]"}, known)
	if err != nil || c.Data.Classes[0] != "yes" || c.Data.Transpose || c.Data.Inputs != (Ends{0, 1}) {
		t.Errorf("%+v, %v", c.Data, err)
	}
}

func TestPerLayer(t *testing.T) {
	if got := (PerLayer{0.1}).Each(3); !reflect.DeepEqual(got, []float64{0.1, 0.1, 0.1}) {
		t.Errorf("one for all: %v", got)
	}
	if got := (PerLayer{1, 2, 3}).Each(3); !reflect.DeepEqual(got, []float64{1, 2, 3}) {
		t.Errorf("one for each: %v", got)
	}
}
