package model

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"trainer/graph/safetensors"
)

// Metadata keys that describe the network of a model file.
const (
	metaLayers     = "layers"     // "[784,50,10]"
	metaActivation = "activation" // "sigmoid"
	metaBias       = "bias"       // "true"
)

// Write writes a model file in the safetensors format. Its tensors are
// layers.0.weight (n^2 × n^1, row-major), layers.0.bias (n^2), layers.1.weight, …
// in the precision of n. Its metadata describes n and contains more. Write
// returns an error if p does not have the shape of n.
func Write(w io.Writer, n Network, p Parameters, more map[string]string) error {
	if err := p.Check(n); err != nil {
		return fmt.Errorf("model: %w", err)
	}
	layers, err := json.Marshal(n.Layers)
	if err != nil {
		return fmt.Errorf("model: %w", err)
	}
	f := &safetensors.File{Metadata: map[string]string{
		metaLayers:     string(layers),
		metaActivation: n.Activation.String(),
		metaBias:       strconv.FormatBool(n.Bias),
	}}
	maps.Copy(f.Metadata, more)
	tensor := safetensors.NewF64
	if n.Precision == Float32 {
		tensor = safetensors.NewF32
	}
	p.Tensors(func(name string, shape []int, values []float64) {
		f.Tensors = append(f.Tensors, tensor(name, shape, values))
	})
	return safetensors.Write(w, f)
}

// Model is the content of a model file.
type Model struct {
	Network    Network
	Parameters Parameters
	Metadata   map[string]string
}

// Read reads a model file written by Write, or by another program that uses the
// same names and shapes. Layers, bias and precision come from the tensors. The
// activation comes from the metadata; it is the sigmoid if the metadata does not
// name one. Read returns an error for other tensors and for values that are not
// finite.
func Read(path string) (Model, error) {
	f, err := safetensors.ReadFile(path)
	if err != nil {
		return Model{}, err
	}
	m, err := modelOf(f)
	if err != nil {
		return Model{}, fmt.Errorf("%s: %w", path, err)
	}
	return m, nil
}

func modelOf(f *safetensors.File) (Model, error) {
	m := Model{Metadata: f.Metadata}
	if name, ok := f.Metadata[metaActivation]; ok {
		var err error
		if m.Network.Activation, err = ParseActivation(name); err != nil {
			return Model{}, err
		}
	}
	for i := 0; ; i++ {
		w, ok := f.Lookup(WeightName(i))
		if !ok {
			break
		}
		if len(w.Shape) != 2 {
			return Model{}, fmt.Errorf("%s has shape %v, want n^l × n^(l−1)", w.Name, w.Shape)
		}
		if i == 0 {
			m.Network.Layers = []int{w.Shape[1]}
			_, m.Network.Bias = f.Lookup(BiasName(0))
			if w.DType == safetensors.F64 {
				m.Network.Precision = Float64
			}
		}
		m.Network.Layers = append(m.Network.Layers, w.Shape[0])
	}
	if len(m.Network.Layers) == 0 {
		return Model{}, fmt.Errorf("no tensor %s: not a model of this trainer (it has %v)", WeightName(0), f.Names())
	}
	if err := m.Network.Check(); err != nil {
		return Model{}, err
	}
	p := make(Parameters, len(m.Network.Layers)-1)
	known := map[string]bool{}
	for i := range p {
		l := Layer{In: m.Network.Layers[i], Out: m.Network.Layers[i+1]}
		var err error
		if l.Weight, err = f.Floats(WeightName(i), l.Out, l.In); err != nil {
			return Model{}, err
		}
		known[WeightName(i)] = true
		if m.Network.Bias {
			if l.Bias, err = f.Floats(BiasName(i), l.Out); err != nil {
				return Model{}, err
			}
			known[BiasName(i)] = true
		}
		p[i] = l
	}
	for _, name := range slices.Sorted(slices.Values(f.Names())) {
		if !known[name] {
			return Model{}, fmt.Errorf("tensor %s does not belong to a network of layers %v: "+
				"want layers.<i>.weight from 0 on, and layers.<i>.bias for all of them or none", name, m.Network.Layers)
		}
	}
	if bad := p.NonFinite(); bad != "" {
		return Model{}, fmt.Errorf("%s has values that are not finite", bad)
	}
	m.Parameters = p
	return m, nil
}
