// Package protobuf writes messages in the wire encoding of Protocol Buffers, field by
// field. The formats that need it, ONNX and TensorBoard's event files, have a dozen
// small messages each; so there is no code generated from their .proto files.
//
//	node := protobuf.Message{}.Text(4, "Gemm").Text(1, "x")
//	graph := protobuf.Message{}.Message(1, node)
//
// A method appends a field and returns the message, as append does. Field numbers are
// those of the .proto file. Fields of the same number are elements of a repeated field.
package protobuf

import (
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// Message is an encoded message.
type Message []byte

// Int appends a field of type int32, int64 or of an enum.
func (m Message) Int(field protowire.Number, v int64) Message {
	m = protowire.AppendTag(m, field, protowire.VarintType)
	return protowire.AppendVarint(m, uint64(v))
}

// Float appends a field of type float.
func (m Message) Float(field protowire.Number, v float32) Message {
	m = protowire.AppendTag(m, field, protowire.Fixed32Type)
	return protowire.AppendFixed32(m, math.Float32bits(v))
}

// Double appends a field of type double.
func (m Message) Double(field protowire.Number, v float64) Message {
	m = protowire.AppendTag(m, field, protowire.Fixed64Type)
	return protowire.AppendFixed64(m, math.Float64bits(v))
}

// Text appends a field of type string, which must be UTF-8.
func (m Message) Text(field protowire.Number, v string) Message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendString(m, v)
}

// Bytes appends a field of type bytes.
func (m Message) Bytes(field protowire.Number, v []byte) Message {
	m = protowire.AppendTag(m, field, protowire.BytesType)
	return protowire.AppendBytes(m, v)
}

// Message appends a field whose type is a message.
func (m Message) Message(field protowire.Number, v Message) Message { return m.Bytes(field, v) }

// Packed appends a field of type repeated int32 or int64 in the packed form.
func (m Message) Packed(field protowire.Number, values []int) Message {
	var packed []byte
	for _, v := range values {
		packed = protowire.AppendVarint(packed, uint64(v))
	}
	return m.Bytes(field, packed)
}
