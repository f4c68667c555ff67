package config

import (
	"trainer/data"
	"trainer/graph/model"
)

// Known is what a model file says of its network.
type Known struct {
	File    string // for messages
	Network model.Network

	// A file says its layers and whether they have biases. Activation and Precision
	// report whether it says these too.
	Activation, Precision bool

	Meaning data.Meaning // of the inputs and outputs, as far as the file says it

	// ToTrain says that a training starts from the model. Its precision, to which the
	// parameters are converted, and its data are those of the configuration.
	ToTrain bool
}

// ReadFor is Read for the network of a model file. What the configuration does not
// give of the network is that of the file. It is an error if the configuration
// gives something else than the file says, or if neither says the activation.
func ReadFor(path string, sets []string, known Known) (Config, error) {
	r := read(path, sets)
	r.know(known)
	return r.result()
}

// know sets the network to that of a model file, and reports how the configuration
// contradicts the file.
func (r *reader) know(known Known) {
	n := known.Network
	if len(n.Layers) > maxLayers {
		r.report(Problem{File: known.File}, "the model has %d layers, the limit is %d: take another model", len(n.Layers), maxLayers)
		return
	}
	given := func(path string) bool {
		_, ok := r.places[path]
		return ok
	}
	if !known.Activation {
		n.Activation = r.config.Model.Activation
		if k := find("model.activation"); !given(k.path) {
			r.report(Problem{File: known.File, Path: k.path}, "the model file does not say which: give -set %s=%s", k.path, k.legal())
		}
	}
	if given("precision") && (known.ToTrain || !known.Precision) {
		n.Precision = r.config.Precision
	}
	file := r.config.WithNetwork(n)
	for _, path := range []string{"model.layers", "model.activation", "model.bias", "precision"} {
		k := find(path)
		have, want := format(k.field(&r.config)), format(k.field(&file))
		if given(path) && r.good(path) && have != want {
			r.report(r.place(path), "have %s, but the model %s has %s: leave it out, or take another model", have, known.File, want)
		}
	}
	if !known.ToTrain {
		r.knowData(&file, known, given)
	}
	r.config = file
}

// knowData sets what the inputs and outputs mean to what a model file says, and reports
// how the configuration contradicts it. The values of the files and the order of their
// pixels may be others than those of the files of the training.
func (r *reader) knowData(file *Config, known Known, given func(path string) bool) {
	to, m := &file.Data, known.Meaning
	if v := m.Values; v != (data.Range{}) && to.Values.Range() == (data.Range{}) {
		to.Values = Values{Bound{v.Low, true}, Bound{v.High, true}}
	}
	if !given("data.transpose") {
		to.Transpose = m.Transpose
	}
	if m.Inputs != (data.Range{}) {
		to.Inputs = Ends(m.Inputs)
	}
	if m.Targets != (data.Range{}) {
		to.Targets = Ends(m.Targets)
	}
	if m.Classes != nil {
		to.Classes = m.Classes
	}
	paths := []string{"data.inputs.low", "data.inputs.high", "data.targets.low", "data.targets.high"}
	if len(r.config.Data.Classes) > 0 { // an empty list says nothing
		paths = append(paths, "data.classes")
	}
	for _, path := range paths {
		k := find(path)
		have, want := format(k.field(&r.config)), format(k.field(file))
		if given(path) && r.good(path) && have != want {
			r.report(r.place(path), "have %s, but the model %s was trained with %s: leave it out, or take another model", have, known.File, want)
		}
	}
}
