package vmtest

import (
	"embed"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/safetensors"
	"trainer/graph/vm"
)

// references has the reference runs: one pass over 200 images in float64 NumPy. Each
// file has images and labels, the initial parameters, the gradient of the first
// mini-batch, the cost of each step, the final parameters, and the outputs for all
// images after the pass.
//
//go:embed testdata/*.safetensors
var references embed.FS

// referenceCases are the names of the reference runs, with what they test.
var referenceCases = []string{
	"sgd",              // the textbook's network, one sample per step
	"sgd-bias",         // with b^l (A.60, A.61)
	"minibatch-bias",   // batches of 10 (A.66)
	"ragged-batch",     // batches of 64: the last has 8
	"deep-bias",        // 784-24-16-10 (A.65 twice)
	"textbook-listing", // the listing's update order
}

// referenceBounds are relative to a cost, and to the largest magnitude of a tensor. In
// float64, 1e-12 and 1e-11 leave room for another order of the sums over 200 steps
// (784 terms of 2^-53 are 1e-13). In float32 a rounding is 2^-24, and
// 784 · 2^-24 = 5e-5.
var referenceBounds = map[model.Precision]struct{ cost, weight float64 }{
	model.Float64: {1e-12, 1e-11},
	model.Float32: {5e-5, 5e-5},
}

// Reference is a reference run.
type Reference struct {
	Network  model.Network // in float64
	Batch    int
	Rate     float64
	Listing  bool // in the listing's update order
	Set      *data.Set
	Initial  model.Parameters
	Gradient model.Parameters // of the first mini-batch
	Costs    []float64        // of each step
	Final    model.Parameters
	Output   []float64 // 200 × n^L, after the last step
}

// LoadReference reads a reference run by its name.
func LoadReference(name string) (*Reference, error) {
	file, err := references.Open("testdata/" + name + ".safetensors")
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	f, err := safetensors.Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r := &Reference{Listing: f.Metadata["rule"] == "listing"}
	r.Network.Precision = model.Float64
	r.Network.Bias = f.Metadata["bias"] == "True"
	if err := json.Unmarshal([]byte(f.Metadata["layers"]), &r.Network.Layers); err != nil {
		return nil, fmt.Errorf("%s: layers: %w", name, err)
	}
	if r.Batch, err = strconv.Atoi(f.Metadata["batch"]); err != nil {
		return nil, fmt.Errorf("%s: batch: %w", name, err)
	}
	if r.Rate, err = strconv.ParseFloat(f.Metadata["learning_rate"], 64); err != nil {
		return nil, fmt.Errorf("%s: learning_rate: %w", name, err)
	}
	if r.Set, err = referenceSet(f, name); err != nil {
		return nil, err
	}
	samples := r.Set.Len()
	if r.Costs, err = f.Floats("cost", (samples+r.Batch-1)/r.Batch); err != nil {
		return nil, err
	}
	if r.Output, err = f.Floats("output", samples, r.Network.Outputs()); err != nil {
		return nil, err
	}
	for prefix, p := range map[string]*model.Parameters{"initial.": &r.Initial, "gradient.": &r.Gradient, "final.": &r.Final} {
		*p = model.NewParameters(r.Network)
		p.Tensors(func(tensor string, shape []int, values []float64) {
			v, e := f.Floats(prefix+tensor, shape...)
			if e != nil {
				err = e
			}
			copy(values, v)
		})
	}
	return r, err
}

func referenceSet(f *safetensors.File, name string) (*data.Set, error) {
	const samples, rows, cols = 200, 28, 28
	set := &data.Set{Name: "reference " + name, Rows: rows, Cols: cols, Classes: 10}
	var err error
	if set.Pixels, err = f.Bytes("images", samples, rows*cols); err != nil {
		return nil, err
	}
	if set.Labels, err = f.Bytes("labels", samples); err != nil {
		return nil, err
	}
	return set, set.Check()
}

// reference: costs, first gradient, final parameters and outputs agree with the
// reference runs.
func (s suite) reference(t *testing.T) {
	for _, name := range referenceCases {
		t.Run(name, func(t *testing.T) {
			if why := s.options.Skip[name]; why != "" {
				t.Skip(why)
			}
			r, err := LoadReference(name)
			must(t, err)
			n := r.Network
			n.Precision = s.precision
			bound := referenceBounds[s.precision]
			m := s.machineOf(t, n, r.Initial, r.Listing)

			x, y := batchOf(r.Set, n, min(r.Batch, r.Set.Len()))
			cost, gradient, err := m.Gradients(x, y)
			must(t, err)
			nearValues(t, "first cost", []float64{cost}, r.Costs[:1], bound.cost)
			near(t, "first gradient", gradient, r.Gradient, bound.weight)

			costs := make([]float64, len(r.Costs))
			train(t, m, vm.Pass{Set: r.Set, Batch: r.Batch, Rate: r.Rate, Costs: costs})
			for i, want := range r.Costs {
				if d := math.Abs(costs[i]-want) / want; !(d <= bound.cost) {
					t.Errorf("cost of step %d is %v, want %v: relative difference %.3g, at most %.3g", i+1, costs[i], want, d, bound.cost)
				}
			}
			near(t, "final parameters", parametersOf(t, m), r.Final, bound.weight)
			x, _ = batchOf(r.Set, n, r.Set.Len())
			output, err := m.Predict(x)
			must(t, err)
			nearValues(t, "outputs", output, r.Output, bound.weight)
		})
	}
}

// batchOf returns the inputs and targets of the first samples of a set.
func batchOf(set *data.Set, n model.Network, samples int) (x, y []float64) {
	x = make([]float64, samples*n.Inputs())
	y = make([]float64, samples*n.Outputs())
	for i := range samples {
		data.Input(x[i*n.Inputs():(i+1)*n.Inputs()], set, i)
		data.OneHot(y[i*n.Outputs():(i+1)*n.Outputs()], set.Labels[i])
	}
	return x, y
}
