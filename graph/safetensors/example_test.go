package safetensors_test

import (
	"bytes"
	"fmt"

	"trainer/graph/safetensors"
)

// A file with a weight matrix and a bias is written and read again.
func Example() {
	f := &safetensors.File{
		Metadata: map[string]string{"epoch": "3"},
		Tensors: []safetensors.Tensor{
			safetensors.NewF32("layers.0.weight", []int{2, 3}, []float64{1, 2, 3, 4, 5, 6}),
			safetensors.NewF32("layers.0.bias", []int{2}, []float64{0.5, -0.5}),
		},
	}
	var file bytes.Buffer
	if err := safetensors.Write(&file, f); err != nil {
		fmt.Println(err)
		return
	}

	g, err := safetensors.Read(&file)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("epoch", g.Metadata["epoch"])
	for _, t := range g.Tensors {
		fmt.Println(t.Name, t.DType, t.Shape)
	}
	w, err := g.Floats("layers.0.weight", 2, 3)
	fmt.Println(w, err)
	_, err = g.Floats("layers.0.weight", 3, 2)
	fmt.Println(err)

	// Output:
	// epoch 3
	// layers.0.bias F32 [2]
	// layers.0.weight F32 [2 3]
	// [1 2 3 4 5 6] <nil>
	// tensor "layers.0.weight" has shape [2 3], want [3 2]
}
