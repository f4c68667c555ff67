// Package prediction says which class a machine takes an image for, and shows the
// image beside the outputs.
package prediction

import (
	"encoding/json"
	"fmt"
	"slices"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Image is an image without a label.
type Image struct {
	Name   string // of the file, or what stands for it
	Pixels Pixels // n^1, row by row; 0 is background, 255 full ink
	Scale  data.Scale
}

// Answer is what a network says to an image. It is a line of `trainer predict -json`.
type Answer struct {
	File    string    `json:"file"`
	Label   int       `json:"label"`   // the class with the largest output; the first of equals
	Outputs []float64 `json:"outputs"` // a^L
	Input   Pixels    `json:"input"`   // the pixels that the network saw; x = pixel / 255
}

// Pixels are bytes that JSON writes as numbers.
type Pixels []uint8

// MarshalJSON implements json.Marshaler.
func (p Pixels) MarshalJSON() ([]byte, error) {
	numbers := make([]uint16, len(p))
	for i, v := range p {
		numbers[i] = uint16(v)
	}
	return json.Marshal(numbers)
}

// Of returns the answer of the machine's network to an image. Outputs that are not
// finite are an error.
func Of(m vm.VM, image Image) (Answer, error) {
	x := make([]float64, len(image.Pixels))
	for i, pixel := range image.Pixels {
		x[i] = image.Scale.Input(pixel)
	}
	if n := m.Network().Inputs(); len(x) != n {
		return Answer{}, fmt.Errorf("%s: image of %d pixels, and a network of %d inputs", image.Name, len(x), n)
	}
	a, err := m.Predict(x)
	if err != nil {
		return Answer{}, fmt.Errorf("%s: %w", image.Name, err)
	}
	if !model.Finite(a) {
		return Answer{}, fmt.Errorf("%s: outputs of the network are not finite", image.Name)
	}
	return Answer{File: image.Name, Label: slices.Index(a, slices.Max(a)), Outputs: a, Input: image.Pixels}, nil
}
