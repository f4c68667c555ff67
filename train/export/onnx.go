package export

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	"trainer/graph/model"
	"trainer/train/internal/protobuf"
)

// The version of ONNX that a file says it is written for: that of ONNX 1.21. The three
// operators here are the same in every opset since 13.
const (
	onnxIR    = 13
	onnxOpset = 26
)

// The names of the ends of the graph, and of its free dimension.
const (
	onnxInput  = "input"
	onnxOutput = "output"
	onnxBatch  = "batch"
)

// The numbers of enums in onnx.proto.
const (
	onnxFloat, onnxDouble = 1, 11 // TensorProto.DataType
	onnxInt               = 2     // AttributeProto.AttributeType
)

// writeONNX writes the network as an ONNX model. Its input has a row of n^1 inputs for
// each image, its output a row of n^L; how many rows is free. For each layer l there is
//
//	z^l = Gemm(a^(l−1), W^l, b^l)   transB = 1: z = a Wᵀ + b, and W is stored as in the model file
//	a^l = Sigmoid(z^l)              or Tanh
//
// The values are called z2, a2, …, and the parameters as in the model file. Numbers of
// fields are those of onnx.proto (github.com/onnx/onnx).
func writeONNX(w io.Writer, n model.Network, p model.Parameters, metadata map[string]string) error {
	element := int64(onnxFloat)
	if n.Precision == model.Float64 {
		element = onnxDouble
	}
	activation := map[model.Activation]string{model.Sigmoid: "Sigmoid", model.Tanh: "Tanh"}[n.Activation]
	if activation == "" {
		return fmt.Errorf("export: no ONNX operator for the activation %v", n.Activation)
	}

	var graph protobuf.Message // GraphProto
	from := onnxInput
	for i := range p {
		z, a := fmt.Sprintf("z%d", i+2), fmt.Sprintf("a%d", i+2)
		if i == len(p)-1 {
			a = onnxOutput
		}
		gemm := protobuf.Message{}.Text(1, from).Text(1, model.WeightName(i))
		if n.Bias {
			gemm = gemm.Text(1, model.BiasName(i))
		}
		gemm = gemm.Text(2, z).Text(3, z).Text(4, "Gemm").
			Message(5, protobuf.Message{}.Text(1, "transB").Int(3, 1).Int(20, onnxInt))
		graph = graph.Message(1, gemm).
			Message(1, protobuf.Message{}.Text(1, z).Text(2, a).Text(3, a).Text(4, activation))
		from = a
	}
	graph = graph.Text(2, graphName(metadata))
	p.Tensors(func(name string, shape []int, values []float64) {
		graph = graph.Message(5, protobuf.Message{}.Packed(1, shape).Int(2, element).Text(8, name).Bytes(9, raw(n.Precision, values)))
	})
	graph = graph.
		Message(11, onnxEnd(onnxInput, element, n.Inputs())).
		Message(12, onnxEnd(onnxOutput, element, n.Outputs()))

	var file protobuf.Message // ModelProto
	file = file.Int(1, onnxIR).Text(2, "trainer").Text(6, n.String()).Message(7, graph)
	file = file.Message(8, protobuf.Message{}.Text(1, "").Int(2, onnxOpset)) // the operators of ONNX itself
	properties := map[string]string{"network": n.String(), "activation": n.Activation.String(), "bias": strconv.FormatBool(n.Bias)}
	maps.Copy(properties, metadata)
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		file = file.Message(14, protobuf.Message{}.Text(1, key).Text(2, properties[key]))
	}
	// A message is less than 2 GiB by the rules of the format.
	if len(file) > math.MaxInt32 {
		return fmt.Errorf("export: the network has %d parameters, and an ONNX file is at most 2 GiB: use safetensors", n.Size())
	}
	_, err := w.Write(file)
	return err
}

// graphName is the name of the run, which the format wants to be there.
func graphName(metadata map[string]string) string {
	if name := metadata["name"]; name != "" {
		return name
	}
	return "network"
}

// onnxEnd returns the ValueInfoProto of a matrix with a row for each image.
func onnxEnd(name string, element int64, columns int) protobuf.Message {
	shape := protobuf.Message{}.
		Message(1, protobuf.Message{}.Text(2, onnxBatch)).
		Message(1, protobuf.Message{}.Int(1, int64(columns)))
	tensor := protobuf.Message{}.Int(1, element).Message(2, shape)
	return protobuf.Message{}.Text(1, name).Message(2, protobuf.Message{}.Message(1, tensor))
}

// raw returns the values in the network's precision, little-endian.
func raw(p model.Precision, values []float64) []byte {
	b := make([]byte, 0, 8*len(values))
	for _, v := range values {
		if p == model.Float64 {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
		} else {
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(float32(v)))
		}
	}
	return b
}
