package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"trainer/graph/safetensors"
)

// Model is the content of a model file.
type Model struct {
	Network    Network
	Parameters Parameters
	Metadata   map[string]string

	// A file says its layers and whether they have biases. It need not say the
	// rest; Network then has the sigmoid and float32.
	SaysActivation bool // the metadata names the activation
	SaysPrecision  bool // there is a tensor of float32 or float64, not only of half precision
}

// Read reads a model file: one that Write wrote, or one of another program.
//
// A layer is a tensor NAME.weight, n^l × n^(l−1), and, if the network has
// biases, NAME.bias with n^l elements (n, n×1 or 1×n). These are PyTorch's names:
// 0.weight and 2.weight of an nn.Sequential, fc1.weight and fc2.weight,
// layers.0.weight, or weight alone. Names that differ in numbers only give the
// order of the layers. Otherwise the shapes give it, if only one order is
// possible. Tensors are F16, BF16, F32 or F64. Precision is float64 if one of
// them is F64.
//
// Read returns an error if the tensors have no such meaning, or more than one:
// tensors beyond those of the layers, transposed weights, shapes that could be
// either, metadata that contradict the tensors, values that are not finite. The
// error says what is in the file and how to mend it.
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
			return Model{}, fmt.Errorf("metadata: %w", err)
		}
		m.SaysActivation = true
	}
	layers, err := layersOf(f)
	if err == nil {
		layers, err = inOrder(layers, f.Metadata)
	}
	if err != nil {
		return Model{}, fmt.Errorf("%w; the file has %s", err, found(f))
	}
	m.Network.Layers = []int{layers[0].in()}
	m.Network.Bias = layers[0].bias != nil
	for _, l := range layers {
		m.Network.Layers = append(m.Network.Layers, l.out())
	}
	for _, t := range f.Tensors {
		m.SaysPrecision = m.SaysPrecision || t.DType == safetensors.F32 || t.DType == safetensors.F64
		if t.DType == safetensors.F64 {
			m.Network.Precision = Float64
		}
	}
	if err := errors.Join(m.Network.Check(), m.Network.agrees(f.Metadata)); err != nil {
		return Model{}, err
	}
	for _, l := range layers {
		p := Layer{Out: l.out(), In: l.in()}
		if p.Weight, err = finite(*l.weight); err != nil {
			return Model{}, err
		}
		if l.bias != nil {
			if p.Bias, err = finite(*l.bias); err != nil {
				return Model{}, err
			}
		}
		m.Parameters = append(m.Parameters, p)
	}
	return m, nil
}

// agrees returns an error if metadata that Write wrote are of another network.
func (n Network) agrees(metadata map[string]string) error {
	if layers := metaLayersOf(metadata); layers != nil && !slices.Equal(layers, n.Layers) {
		return fmt.Errorf("the metadata say layers %v, and the tensors are those of layers %v: take the file as it was written", layers, n.Layers)
	}
	if bias, err := strconv.ParseBool(metadata[metaBias]); err == nil && bias != n.Bias {
		return fmt.Errorf("the metadata say bias %t, and the tensors bias %t: take the file as it was written", bias, n.Bias)
	}
	return nil
}

// metaLayersOf returns the layers that metadata of Write name, or nil.
func metaLayersOf(metadata map[string]string) (layers []int) {
	if json.Unmarshal([]byte(metadata[metaLayers]), &layers) != nil {
		return nil
	}
	return layers
}

// finite returns the values of a tensor, or an error that names one that is not
// finite.
func finite(t safetensors.Tensor) ([]float64, error) {
	values, err := t.Floats()
	if err != nil || Finite(values) {
		return values, err
	}
	for i, v := range values {
		if !Finite([]float64{v}) {
			return nil, fmt.Errorf("tensor %q has values that are not finite: element %d is %v", t.Name, i, v)
		}
	}
	panic("BUG: no value is not finite")
}

// layerTensors are the tensors of a layer in a file.
type layerTensors struct {
	prefix string              // of their names: "fc1."
	weight *safetensors.Tensor // a matrix
	bias   *safetensors.Tensor // nil: none
}

func (l layerTensors) out() int { return l.weight.Shape[0] }
func (l layerTensors) in() int  { return l.weight.Shape[1] }

// transposed returns the layer for a weight that is n^(l−1) × n^l.
func (l layerTensors) transposed() layerTensors {
	w := *l.weight
	w.Shape = []int{w.Shape[1], w.Shape[0]}
	l.weight = &w
	return l
}

// biasFits reports whether the bias, if there is one, has an element for each
// node.
func (l layerTensors) biasFits() bool {
	if l.bias == nil {
		return true
	}
	elements := 1
	for _, n := range l.bias.Shape {
		elements *= n
	}
	return elements == l.out()
}

const wantLayers = "want for each layer NAME.weight, n^l × n^(l−1), and for all layers or none NAME.bias with n^l elements"

// layersOf returns the layers of a file, in the order of their names.
func layersOf(f *safetensors.File) ([]layerTensors, error) {
	byPrefix := map[string]*layerTensors{}
	for i := range f.Tensors {
		t := &f.Tensors[i]
		at := strings.LastIndexByte(t.Name, '.') + 1
		prefix, part := t.Name[:at], t.Name[at:]
		if part != "weight" && part != "bias" {
			return nil, extra(f, t.Name)
		}
		l := byPrefix[prefix]
		if l == nil {
			l = &layerTensors{prefix: prefix}
			byPrefix[prefix] = l
		}
		if part == "weight" {
			l.weight = t
		} else {
			l.bias = t
		}
	}
	var layers []layerTensors
	for _, l := range byPrefix {
		layers = append(layers, *l)
	}
	slices.SortFunc(layers, func(a, b layerTensors) int { return cmp.Compare(a.prefix, b.prefix) })
	withBias := slices.IndexFunc(layers, func(l layerTensors) bool { return l.bias != nil })
	for _, l := range layers {
		switch {
		case l.weight == nil:
			return nil, fmt.Errorf("there is %q and no %q: %s", l.bias.Name, l.prefix+"weight", wantLayers)
		case len(l.weight.Shape) != 2:
			return nil, fmt.Errorf("tensor %q has shape %v: this is no fully connected layer; %s", l.weight.Name, l.weight.Shape, wantLayers)
		case l.bias == nil && withBias >= 0:
			return nil, fmt.Errorf("there is %q and no %q: give the layers without a bias one of zeros", layers[withBias].bias.Name, l.prefix+"bias")
		case l.bias != nil && !isVector(l.bias.Shape):
			return nil, fmt.Errorf("tensor %q has shape %v: want n, n×1 or 1×n", l.bias.Name, l.bias.Shape)
		}
	}
	if len(layers) == 0 {
		return nil, fmt.Errorf("no layer: %s", wantLayers)
	}
	return layers, nil
}

// isVector reports whether a tensor of this shape is a list of elements: n, n×1
// or 1×n.
func isVector(shape []int) bool {
	return len(shape) == 1 || len(shape) == 2 && slices.Min(shape) == 1
}

// extra returns the error for a tensor that belongs to no layer.
func extra(f *safetensors.File, name string) error {
	for _, n := range f.Names() {
		if strings.Contains(n, "kernel") {
			return fmt.Errorf("tensor %q is a weight of Keras or JAX, n^(l−1) × n^l: transpose each (np.ascontiguousarray(w.T)), "+
				"name them layers.0.weight, layers.1.weight, …, name the biases layers.0.bias, …, and write the file again", n)
		}
	}
	return fmt.Errorf("tensor %q does not belong to a network of fully connected layers: %s; write the file again without it", name, wantLayers)
}

// found lists the tensors of a file for an error message.
func found(f *safetensors.File) string {
	const most = 8
	if len(f.Tensors) == 0 {
		return "no tensors"
	}
	var list []string
	for i, name := range f.Names() {
		if i == most {
			list = append(list, fmt.Sprintf("and %d more", len(f.Tensors)-most))
			break
		}
		t, _ := f.Lookup(name)
		list = append(list, fmt.Sprintf("%q %v", name, t.Shape))
	}
	return strings.Join(list, ", ")
}

// inOrder returns the layers from the input to the output.
func inOrder(layers []layerTensors, metadata map[string]string) ([]layerTensors, error) {
	numbered := byNumber(layers)
	if !numbered && len(layers) > maxUnnumbered {
		return nil, fmt.Errorf("the names of the %d layers do not say their order: name them layers.0, layers.1, …", len(layers))
	}
	transposed := make([]layerTensors, len(layers))
	for i, l := range layers {
		transposed[i] = l.transposed()
	}
	orders, others := chains(layers, numbered), chains(transposed, numbered)
	switch {
	case len(orders) == 0 && len(others) > 0:
		return nil, fmt.Errorf("the weights are transposed, n^(l−1) × n^l, as Keras and JAX store them: "+
			"transpose each (np.ascontiguousarray(w.T)) and write the file again; here %q has shape %v, for a network of layers %v",
			layers[0].weight.Name, layers[0].weight.Shape, sizes(others[0]))
	case len(orders) == 0:
		return nil, broken(layers, numbered)
	case len(orders) > 1:
		return nil, fmt.Errorf("the layers fit in more than one order (%v, %v), and their names do not say which: name them layers.0, layers.1, …",
			sizes(orders[0]), sizes(orders[1]))
	}
	others = slices.DeleteFunc(others, func(o []layerTensors) bool {
		return outputs(o) > maxClasses && outputs(orders[0]) <= maxClasses
	})
	if len(others) > 0 && metaLayersOf(metadata) == nil && metadata["format"] != "pt" {
		return nil, fmt.Errorf("the shapes fit a network of layers %v and, if the weights are transposed as Keras stores them, one of layers %v: "+
			"if they are n^l × n^(l−1), as PyTorch stores them, write the file again with the metadata {\"format\": \"pt\"}; if not, transpose them",
			sizes(orders[0]), sizes(others[0]))
	}
	return orders[0], nil
}

const (
	// maxUnnumbered is the largest number of layers that are put in order by their
	// shapes alone.
	maxUnnumbered = 8
	// maxClasses is the largest number of classes of a data set: a label is a byte.
	maxClasses = 256
)

var number = regexp.MustCompile(`[0-9]+`)

// byNumber sorts the layers if their names differ in numbers only, and reports
// whether they do.
func byNumber(layers []layerTensors) bool {
	for _, l := range layers {
		if number.ReplaceAllString(l.prefix, "0") != number.ReplaceAllString(layers[0].prefix, "0") {
			return false
		}
	}
	compare := func(a, b layerTensors) int {
		return slices.CompareFunc(number.FindAllString(a.prefix, -1), number.FindAllString(b.prefix, -1), func(a, b string) int {
			a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
			return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
		})
	}
	slices.SortFunc(layers, compare)
	for i := 1; i < len(layers); i++ {
		if compare(layers[i-1], layers[i]) == 0 {
			return false // fc1 and fc01
		}
	}
	return true
}

// chains returns the orders in which each layer takes as many values as the one
// before it gives, at most two of them. Only the given order counts if the names
// say it.
func chains(layers []layerTensors, ordered bool) (orders [][]layerTensors) {
	if ordered { // there may be many
		for i, l := range layers {
			if !l.biasFits() || i > 0 && layers[i-1].out() != l.in() {
				return nil
			}
		}
		return [][]layerTensors{layers}
	}
	var extend func(order, rest []layerTensors)
	extend = func(order, rest []layerTensors) {
		if len(rest) == 0 && len(orders) < 2 {
			orders = append(orders, slices.Clone(order))
		}
		for i, l := range rest {
			if len(orders) == 2 {
				return
			}
			if l.biasFits() && (len(order) == 0 || order[len(order)-1].out() == l.in()) {
				extend(append(order, l), slices.Delete(slices.Clone(rest), i, i+1))
			}
		}
	}
	extend(nil, layers)
	return orders
}

// broken returns the error for layers that do not fit.
func broken(layers []layerTensors, ordered bool) error {
	for i, l := range layers {
		if !l.biasFits() {
			return fmt.Errorf("tensor %q has shape %v: want %d elements, as %q has shape %v", l.bias.Name, l.bias.Shape, l.out(), l.weight.Name, l.weight.Shape)
		}
		if ordered && i > 0 && layers[i-1].out() != l.in() {
			before := layers[i-1].weight
			return fmt.Errorf("tensor %q has shape %v: want n×%d, as %q before it has shape %v", l.weight.Name, l.weight.Shape, before.Shape[0], before.Name, before.Shape)
		}
	}
	return errors.New("the layers do not fit in any order: each weight is n^l × n^(l−1), and takes as many values as the layer before gives")
}

// sizes returns n^1 … n^L.
func sizes(layers []layerTensors) []int {
	n := []int{layers[0].in()}
	for _, l := range layers {
		n = append(n, l.out())
	}
	return n
}

// outputs returns n^L.
func outputs(layers []layerTensors) int { return layers[len(layers)-1].out() }
