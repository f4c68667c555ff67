// Package model defines a network and its parameters as plain structs. It knows
// neither expression graphs nor machines.
//
// A Network is an architecture. Parameters are its weights and biases. Read and
// Write read and write model files (safetensors).
//
// Layers are numbered as in the textbook: layer 1 is the input, layer L is the
// output, and layer l has n^l nodes. Layer l (2 ≤ l ≤ L) has a weight matrix
// W^l, n^l × n^(l−1), row-major, and a bias b^l with n^l elements. In a slice of
// layers, index 0 is layer 2, the first layer with parameters.
package model

import (
	"fmt"
	"slices"
	"strings"

	"trainer/data/lang"
	"trainer/graph/internal/enum"
)

// Activation is the function g of a layer: a^l = g(z^l).
type Activation int

// The activations.
const (
	Sigmoid Activation = iota // σ(z) = 1/(1+e^−z), the textbook's
	Tanh
)

var activations = enum.New[Activation]("activation", "sigmoid", "tanh")

func (a Activation) String() string { return activations.Name(a) }

// ActivationNames returns the names that ParseActivation accepts.
func ActivationNames() []string { return activations.Names() }

// ParseActivation returns the activation with the given name.
func ParseActivation(name string) (Activation, error) { return activations.Parse(name) }

// Precision is the element type of all values of a network.
type Precision int

// The element types.
const (
	Float32 Precision = iota
	Float64
)

var precisions = enum.New[Precision]("precision", "float32", "float64")

func (p Precision) String() string { return precisions.Name(p) }

// PrecisionNames returns the names that ParsePrecision accepts.
func PrecisionNames() []string { return precisions.Names() }

// ParsePrecision returns the precision with the given name.
func ParsePrecision(name string) (Precision, error) { return precisions.Parse(name) }

// Network is an architecture: fully connected layers with one activation.
type Network struct {
	Layers     []int // n^1 … n^L: 784, 50, 10
	Activation Activation
	Bias       bool // whether z^l has the term b^l
	Precision  Precision
}

// Check returns an error unless n has at least two layers, each with at least
// one node, and a valid activation and precision.
func (n Network) Check() error {
	if len(n.Layers) < 2 {
		return fmt.Errorf("network of %d layers: want at least an input and an output", len(n.Layers))
	}
	for i, size := range n.Layers {
		if size < 1 {
			return fmt.Errorf("layer %d has %d nodes: want 1 or more", i+1, size)
		}
	}
	if !activations.Has(n.Activation) || !precisions.Has(n.Precision) {
		return fmt.Errorf("network with %v and %v", n.Activation, n.Precision)
	}
	return nil
}

// Inputs returns n^1.
func (n Network) Inputs() int { return n.Layers[0] }

// Outputs returns n^L.
func (n Network) Outputs() int { return n.Layers[len(n.Layers)-1] }

// Size returns the number of parameters.
func (n Network) Size() int {
	size := 0
	for i, out := range n.Layers[1:] {
		size += out * n.Layers[i]
		if n.Bias {
			size += out
		}
	}
	return size
}

// String describes the network: "784-50-10 sigmoid, with bias, float32".
func (n Network) String() string { return n.Text().En }

// Text is String in both languages.
func (n Network) Text() lang.Text {
	var b strings.Builder
	for i, size := range n.Layers {
		if i > 0 {
			b.WriteByte('-')
		}
		fmt.Fprint(&b, size)
	}
	text := lang.Text{En: "%s %v, no bias, %v", Zh: "%s %v，无偏置，%v"}
	if n.Bias {
		text = lang.Text{En: "%s %v, with bias, %v", Zh: "%s %v，含偏置，%v"}
	}
	return text.With(b.String(), n.Activation, n.Precision)
}

// TensorNames returns the names of the parameters in files and messages, in the
// order of Parameters.Tensors.
func (n Network) TensorNames() []string {
	var names []string
	for i := range n.Layers[1:] {
		names = append(names, WeightName(i))
		if n.Bias {
			names = append(names, BiasName(i))
		}
	}
	return names
}

// Layer holds the parameters of a layer l, or the gradients of these.
type Layer struct {
	Out, In int       // n^l, n^(l−1)
	Weight  []float64 // W^l: Out × In, row-major
	Bias    []float64 // b^l: Out; nil in a network without bias
}

// Parameters holds the parameters of a network, or the gradients of these, from
// layer 2 to layer L. Values are float64 for both precisions; float64 represents
// every float32 exactly.
type Parameters []Layer

// NewParameters returns the parameters of n, all zero.
func NewParameters(n Network) Parameters {
	p := make(Parameters, len(n.Layers)-1)
	for i := range p {
		l := Layer{Out: n.Layers[i+1], In: n.Layers[i]}
		l.Weight = make([]float64, l.Out*l.In)
		if n.Bias {
			l.Bias = make([]float64, l.Out)
		}
		p[i] = l
	}
	return p
}

// Clone returns a copy that shares no memory with p.
func (p Parameters) Clone() Parameters {
	q := slices.Clone(p)
	for i := range q {
		q[i].Weight = slices.Clone(p[i].Weight)
		q[i].Bias = slices.Clone(p[i].Bias)
	}
	return q
}

// Check returns an error if the shapes of p are not those of the parameters of n.
func (p Parameters) Check(n Network) error {
	if len(p) != len(n.Layers)-1 {
		return fmt.Errorf("parameters of %d layers, want %d", len(p), len(n.Layers)-1)
	}
	for i, l := range p {
		out, in := n.Layers[i+1], n.Layers[i]
		if l.Out != out || l.In != in || len(l.Weight) != out*in {
			return fmt.Errorf("%s is %d×%d with %d values, want %d×%d", WeightName(i), l.Out, l.In, len(l.Weight), out, in)
		}
		switch {
		case n.Bias && len(l.Bias) != out:
			return fmt.Errorf("%s has %d values, want %d", BiasName(i), len(l.Bias), out)
		case !n.Bias && l.Bias != nil:
			return fmt.Errorf("%s has %d values, but the network has no bias", BiasName(i), len(l.Bias))
		}
	}
	return nil
}

// Round rounds every value to precision, in place.
func (p Parameters) Round(precision Precision) {
	if precision != Float32 {
		return
	}
	for _, l := range p {
		for i, v := range l.Weight {
			l.Weight[i] = float64(float32(v))
		}
		for i, v := range l.Bias {
			l.Bias[i] = float64(float32(v))
		}
	}
}

// Tensors calls f for each tensor of p with its name, shape and values: W^2,
// b^2, W^3, b^3, …
func (p Parameters) Tensors(f func(name string, shape []int, values []float64)) {
	for i, l := range p {
		f(WeightName(i), []int{l.Out, l.In}, l.Weight)
		if l.Bias != nil {
			f(BiasName(i), []int{l.Out}, l.Bias)
		}
	}
}

// NonFinite returns the name of the first tensor that contains a NaN or an
// infinity. It returns "" if all values are finite.
func (p Parameters) NonFinite() string {
	bad := ""
	p.Tensors(func(name string, _ []int, values []float64) {
		if bad == "" && !Finite(values) {
			bad = name
		}
	})
	return bad
}

// Finite reports whether no value is NaN or infinite. It takes about as long as
// reading them.
func Finite[T float32 | float64](values []T) bool {
	// 0·v is 0 for what is finite, and NaN for what is not. Eight sums do not
	// wait for each other.
	var s [8]T
	for ; len(values) >= len(s); values = values[len(s):] {
		for i := range s {
			s[i] += 0 * values[i]
		}
	}
	for i, v := range values {
		s[i] += 0 * v
	}
	return s[0]+s[1]+s[2]+s[3]+s[4]+s[5]+s[6]+s[7] == 0
}

// Symbols returns the names that graphs and programs use for the weights and the
// bias of the layer at index i: "W2" and "b2" for index 0, which is layer 2.
func Symbols(i int) (weight, bias string) { return fmt.Sprintf("W%d", i+2), fmt.Sprintf("b%d", i+2) }

// WeightName returns the name that files and messages use for the weights of the
// layer at index i: "layers.0.weight".
func WeightName(i int) string { return fmt.Sprintf("layers.%d.weight", i) }

// BiasName returns the name that files and messages use for the bias of the
// layer at index i: "layers.0.bias".
func BiasName(i int) string { return fmt.Sprintf("layers.%d.bias", i) }
