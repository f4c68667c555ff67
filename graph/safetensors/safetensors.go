// Package safetensors reads and writes files of named tensors in the
// safetensors format. Python's library of the same name reads them too.
//
// A file consists of
//
//	8 bytes   N, the length of the header, little-endian
//	N bytes   the header: a JSON object, padded with spaces
//	the rest  the data: all tensors, one after another, row-major, little-endian
//
// The header maps the name of each tensor to its type, its shape and the range
// of its bytes in the data. Under "__metadata__" it holds strings for the reader:
//
//	{"__metadata__":{"epoch":"3"},
//	 "layers.0.bias":{"dtype":"F32","shape":[50],"data_offsets":[0,200]}}
//
// "__metadata__":null, which some programs write, is the same as no metadata.
// Read returns an error for any file that does not follow this format exactly:
// overlaps and holes in the data, a size that does not match the shape, a name
// that occurs twice, an unknown key, a truncated file, bytes after the end. The
// memory that it needs is at most a small multiple of the bytes that are present,
// whatever the header promises. Write gives the same bytes for the same tensors
// in any order.
//
//	f := &safetensors.File{Metadata: map[string]string{"epoch": "3"}}
//	f.Tensors = append(f.Tensors, safetensors.NewF32("layers.0.weight", []int{50, 784}, w))
//	err := safetensors.Write(out, f)
//
//	f, err := safetensors.ReadFile("model.safetensors")
//	w, err := f.Floats("layers.0.weight", 50, 784)
package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
)

// MaxHeader is the size of the largest header in bytes, a limit of the format.
const MaxHeader = 100_000_000

// metadataKey is the only key of the header that is not the name of a tensor.
const metadataKey = "__metadata__"

// File is the content of a safetensors file.
type File struct {
	Metadata map[string]string
	Tensors  []Tensor // Read returns them in the order of their data
}

// Tensor is a named array.
type Tensor struct {
	Name  string
	DType DType
	Shape []int  // empty for a single number; [rows, columns] for a matrix
	Data  []byte // the elements, row-major, little-endian
}

// NewF32 returns a tensor of type F32. It rounds each value to the nearest
// float32. len(values) must be the product of shape; Check and Write report an
// error if it is not.
func NewF32(name string, shape []int, values []float64) Tensor {
	t := Tensor{Name: name, DType: F32, Shape: slices.Clone(shape), Data: make([]byte, 0, 4*len(values))}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint32(t.Data, math.Float32bits(float32(v)))
	}
	return t
}

// NewF64 returns a tensor of type F64 with the given values. len(values) must be
// the product of shape.
func NewF64(name string, shape []int, values []float64) Tensor {
	t := Tensor{Name: name, DType: F64, Shape: slices.Clone(shape), Data: make([]byte, 0, 8*len(values))}
	for _, v := range values {
		t.Data = binary.LittleEndian.AppendUint64(t.Data, math.Float64bits(v))
	}
	return t
}

// NewU8 returns a tensor of type U8. It keeps values without a copy.
func NewU8(name string, shape []int, values []byte) Tensor {
	return Tensor{Name: name, DType: U8, Shape: slices.Clone(shape), Data: values}
}

// Check returns an error if the type is invalid, a size is negative, or the
// length of the data does not match the type and the shape.
func (t Tensor) Check() error {
	if t.DType >= dtypeEnd {
		return fmt.Errorf("tensor %q has type %v", t.Name, t.DType)
	}
	n, err := byteSize(t.DType, t.Shape)
	if err != nil {
		return fmt.Errorf("tensor %q: %w", t.Name, err)
	}
	if n != int64(len(t.Data)) {
		return fmt.Errorf("tensor %q has %d bytes: %v of shape %v needs %d", t.Name, len(t.Data), t.DType, t.Shape, n)
	}
	return nil
}

// Floats returns the values of a tensor of type F16, BF16, F32 or F64. A float64
// holds each value of these types exactly.
func (t Tensor) Floats() ([]float64, error) {
	if err := t.Check(); err != nil {
		return nil, err
	}
	switch t.DType {
	case F16:
		values := make([]float64, len(t.Data)/2)
		for i := range values {
			values[i] = float16(binary.LittleEndian.Uint16(t.Data[2*i:]))
		}
		return values, nil
	case BF16: // the upper half of a float32
		values := make([]float64, len(t.Data)/2)
		for i := range values {
			values[i] = float64(math.Float32frombits(uint32(binary.LittleEndian.Uint16(t.Data[2*i:])) << 16))
		}
		return values, nil
	case F32:
		values := make([]float64, len(t.Data)/4)
		for i := range values {
			values[i] = float64(math.Float32frombits(binary.LittleEndian.Uint32(t.Data[4*i:])))
		}
		return values, nil
	case F64:
		values := make([]float64, len(t.Data)/8)
		for i := range values {
			values[i] = math.Float64frombits(binary.LittleEndian.Uint64(t.Data[8*i:]))
		}
		return values, nil
	}
	return nil, fmt.Errorf("tensor %q has type %v: want F16, BF16, F32 or F64", t.Name, t.DType)
}

// float16 returns the value of an IEEE 754 binary16: a sign bit, five bits of
// exponent with bias 15, and ten bits of fraction.
func float16(bits uint16) float64 {
	exponent, fraction := int(bits>>10&0x1f), float64(bits&0x3ff)
	var v float64
	switch exponent {
	case 0: // zero and subnormal numbers
		v = math.Ldexp(fraction, -24)
	case 0x1f:
		if v = math.Inf(1); fraction != 0 {
			v = math.NaN()
		}
	default:
		v = math.Ldexp(fraction+0x400, exponent-25)
	}
	if bits>>15 != 0 {
		v = -v
	}
	return v
}

// Lookup returns the tensor with the given name, and whether there is one.
func (f *File) Lookup(name string) (Tensor, bool) {
	i := slices.IndexFunc(f.Tensors, func(t Tensor) bool { return t.Name == name })
	if i < 0 {
		return Tensor{}, false
	}
	return f.Tensors[i], true
}

// Names returns the names of the tensors, sorted.
func (f *File) Names() []string {
	names := make([]string, len(f.Tensors))
	for i, t := range f.Tensors {
		names[i] = t.Name
	}
	slices.Sort(names)
	return names
}

// Floats returns the values of the tensor with the given name. It returns an
// error if there is no such tensor, if its shape differs from shape, or if its
// type is none of F16, BF16, F32 and F64.
func (f *File) Floats(name string, shape ...int) ([]float64, error) {
	t, err := f.require(name, shape)
	if err != nil {
		return nil, err
	}
	return t.Floats()
}

// Bytes returns the values of the tensor with the given name, which share the
// memory of the tensor. It returns an error if there is no such tensor, if its
// shape differs from shape, or if its type is not U8.
func (f *File) Bytes(name string, shape ...int) ([]byte, error) {
	t, err := f.require(name, shape)
	if err != nil {
		return nil, err
	}
	if t.DType != U8 {
		return nil, fmt.Errorf("tensor %q has type %v: want U8", name, t.DType)
	}
	return t.Data, t.Check()
}

// require returns the tensor with the given name and shape.
func (f *File) require(name string, shape []int) (Tensor, error) {
	t, ok := f.Lookup(name)
	if !ok {
		return t, fmt.Errorf("no tensor %q: the file has %s", name, shortList(f.Names()))
	}
	if !slices.Equal(t.Shape, shape) {
		return t, fmt.Errorf("tensor %q has shape %v, want %v", name, t.Shape, shape)
	}
	return t, nil
}

// shortList formats at most the first 8 names for an error message.
func shortList(names []string) string {
	const limit = 8
	if len(names) > limit {
		return fmt.Sprintf("%q and %d more", names[:limit], len(names)-limit)
	}
	return fmt.Sprintf("%q", names)
}

// byteSize returns the size of a tensor in bytes.
func byteSize(d DType, shape []int) (int64, error) {
	n := int64(d.Size())
	empty := false
	for _, dim := range shape {
		if dim < 0 {
			return 0, fmt.Errorf("shape %v has a negative size", shape)
		}
		if dim == 0 {
			empty = true
			continue
		}
		if n > math.MaxInt64/int64(dim) {
			return 0, errors.New("shape is too large")
		}
		n *= int64(dim)
	}
	if empty {
		return 0, nil
	}
	return n, nil
}
