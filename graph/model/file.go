package model

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
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
