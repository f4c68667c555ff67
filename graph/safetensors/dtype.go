package safetensors

import (
	"fmt"
	"strings"
)

// DType is the type of a tensor's elements.
type DType uint8

// The element types, in the order of the format's own list. Write stores later
// types first, which aligns wide elements.
const (
	Bool DType = iota
	U8
	I8
	F8E5M2
	F8E4M3
	I16
	U16
	F16
	BF16
	I32
	U32
	F32
	F64
	I64
	U64
	dtypeEnd
)

var dtypes = [dtypeEnd]struct {
	name string
	size int // bytes per element
}{
	Bool:   {"BOOL", 1},
	U8:     {"U8", 1},
	I8:     {"I8", 1},
	F8E5M2: {"F8_E5M2", 1},
	F8E4M3: {"F8_E4M3", 1},
	I16:    {"I16", 2},
	U16:    {"U16", 2},
	F16:    {"F16", 2},
	BF16:   {"BF16", 2},
	I32:    {"I32", 4},
	U32:    {"U32", 4},
	F32:    {"F32", 4},
	F64:    {"F64", 8},
	I64:    {"I64", 8},
	U64:    {"U64", 8},
}

// String returns the name that files use for the type, such as "F32".
func (d DType) String() string {
	if d >= dtypeEnd {
		return fmt.Sprintf("DType(%d)", uint8(d))
	}
	return dtypes[d].name
}

// Size returns the size of an element in bytes, or 0 if d is not a valid DType.
func (d DType) Size() int {
	if d >= dtypeEnd {
		return 0
	}
	return dtypes[d].size
}

func parseDType(name string) (DType, error) {
	var known []string
	for d, t := range dtypes {
		if t.name == name {
			return DType(d), nil
		}
		known = append(known, t.name)
	}
	return 0, fmt.Errorf("unknown dtype %q: want one of %s", name, strings.Join(known, ", "))
}
