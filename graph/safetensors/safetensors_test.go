package safetensors

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"trainer/data/files/costtest"
)

// raw returns a file with the given header and data. The length of the header is
// correct.
func raw(header string, data ...byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), data...)
}

func sample() *File {
	return &File{
		Metadata: map[string]string{"epoch": "3", "data": `"digits" <1> ü`},
		Tensors: []Tensor{
			NewU8("labels", []int{3}, []byte{7, 0, 255}),
			NewF32("layers.0.weight", []int{2, 3}, []float64{1, -2, 0.5, math.Inf(1), 1e-45, 0.1}),
			NewF64("layers.0.bias", []int{2}, []float64{math.Pi, math.Copysign(0, -1)}),
			NewF32("empty", []int{0, 4}, nil),
			NewF64("number", nil, []float64{42}),
		},
	}
}

func encode(t *testing.T, f *File) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, f); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestWriteRead(t *testing.T) {
	b := encode(t, sample())
	n := binary.LittleEndian.Uint64(b)
	if n%8 != 0 {
		t.Errorf("header of %d bytes: the data does not start at a multiple of 8", n)
	}
	if want := 3 + 24 + 16 + 0 + 8; len(b) != 8+int(n)+want {
		t.Errorf("file of %d bytes after the header, want %d", len(b)-8-int(n), want)
	}
	// One byte at a time: Read must not depend on the size of the reads.
	f, err := Read(iotest.OneByteReader(bytes.NewReader(b)))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(f.Metadata, sample().Metadata) {
		t.Errorf("metadata %v, want %v", f.Metadata, sample().Metadata)
	}
	order := make([]string, 0, len(f.Tensors))
	for _, x := range f.Tensors {
		order = append(order, x.Name)
	}
	if want := []string{"layers.0.bias", "number", "empty", "layers.0.weight", "labels"}; !slices.Equal(order, want) {
		t.Errorf("order %q, want %q", order, want)
	}
	for _, want := range sample().Tensors {
		got, ok := f.Lookup(want.Name)
		if !ok || got.DType != want.DType || !slices.Equal(got.Shape, want.Shape) || !bytes.Equal(got.Data, want.Data) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	w, err := f.Floats("layers.0.weight", 2, 3)
	want := []float64{1, -2, 0.5, math.Inf(1), float64(float32(1e-45)), float64(float32(0.1))}
	if err != nil || !slices.Equal(w, want) {
		t.Errorf("weights %v, %v, want %v", w, err, want)
	}
	v, err := f.Floats("layers.0.bias", 2)
	if err != nil || v[0] != math.Pi || !math.Signbit(v[1]) {
		t.Errorf("bias %v, %v", v, err)
	}
	if u, err := f.Bytes("labels", 3); err != nil || !slices.Equal(u, []byte{7, 0, 255}) {
		t.Errorf("labels %v, %v", u, err)
	}
}

func TestWriteOrderDoesNotMatter(t *testing.T) {
	f := sample()
	a := encode(t, f)
	slices.Reverse(f.Tensors)
	if !bytes.Equal(a, encode(t, f)) {
		t.Error("the bytes depend on the order of the tensors")
	}
	// A file that is read and written again does not change.
	g, err := Read(bytes.NewReader(a))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, encode(t, g)) {
		t.Error("write(read(file)) differs from the file")
	}
}

func TestWriteRefuses(t *testing.T) {
	one := NewU8("a", []int{1}, []byte{1})
	for name, tt := range map[string]struct {
		file File
		want string
	}{
		"twice":    {File{Tensors: []Tensor{one, one}}, `two tensors are named "a"`},
		"size":     {File{Tensors: []Tensor{NewF32("a", []int{2}, []float64{1})}}, "F32 of shape [2] needs 8"},
		"negative": {File{Tensors: []Tensor{NewU8("a", []int{-1}, nil)}}, "negative"},
		"overflow": {File{Tensors: []Tensor{NewU8("a", []int{math.MaxInt, 2, 2}, nil)}}, "too large"},
		"reserved": {File{Tensors: []Tensor{NewU8("__metadata__", []int{0}, nil)}}, "reserves that name"},
		"UTF-8":    {File{Tensors: []Tensor{NewU8("a\xff", []int{0}, nil)}}, "not UTF-8"},
		"metadata": {File{Metadata: map[string]string{"a": "\xff"}}, "not UTF-8"},
		"type":     {File{Tensors: []Tensor{{Name: "a", DType: dtypeEnd}}}, "has type DType(15)"},
	} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			err := Write(&b, &tt.file)
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q", err, tt.want)
			}
			if b.Len() != 0 {
				t.Errorf("%d bytes were written", b.Len())
			}
		})
	}
}

func TestReadRefuses(t *testing.T) {
	const a = `"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}`
	for name, tt := range map[string]struct {
		file []byte
		want string
	}{
		"empty":             {nil, "0 bytes long"},
		"short length":      {[]byte{2, 0, 0}, "3 bytes long"},
		"length 0":          {make([]byte, 16), "header of 0 bytes"},
		"length huge":       {bytes.Repeat([]byte{255}, 16), "want 2 to 100000000"},
		"length over cap":   {binary.LittleEndian.AppendUint64(nil, MaxHeader+1), "want 2 to 100000000"},
		"header short":      {append(binary.LittleEndian.AppendUint64(nil, MaxHeader), "{}"...), "header is cut short: 2 bytes"},
		"no object":         {raw(`[]`), "want {"},
		"leading space":     {raw(` {}`), "want {"},
		"no JSON":           {raw(`{"a":}`), "not JSON"},
		"after the object":  {raw(`{} {}`), "not JSON"},
		"not UTF-8":         {raw("{\"\xff\":1}"), "not UTF-8"},
		"value":             {raw(`{"a":1}`), `tensor "a": have 1, want {`},
		"deep":              {raw(`{"a":` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + `}`), "have [, want {"},
		"deeper":            {raw(`{"a":{"shape":` + strings.Repeat("[", 50000) + strings.Repeat("]", 50000) + `}}`), "not JSON"},
		"nested shape":      {raw(`{"a":{"dtype":"U8","shape":[[2]],"data_offsets":[0,2]}}`, 1, 2), "have [, want a number"},
		"metadata":          {raw(`{"__metadata__":{"a":1}}`), "have 1, want a string"},
		"metadata list":     {raw(`{"__metadata__":[]}`), "__metadata__: have [, want {"},
		"metadata text":     {raw(`{"__metadata__":"x"}`), "__metadata__: have x, want {"},
		"null twice":        {raw(`{"__metadata__":null,"__metadata__":null}`), "twice"},
		"metadata twice":    {raw(`{"__metadata__":{},"__metadata__":{}}`), "twice"},
		"metadata keys":     {raw(`{"__metadata__":{"a":"","a":""}}`), "twice"},
		"name twice":        {raw(`{`+a+`,`+a+`}`, 1, 2), `"a" twice`},
		"escaped twice":     {raw(`{`+a+`,"\u0061":{"dtype":"U8","shape":[2],"data_offsets":[2,4]}}`, 1, 2, 3, 4), `"a" twice`},
		"field twice":       {raw(`{"a":{"dtype":"U8","dtype":"U8","shape":[2],"data_offsets":[0,2]}}`, 1, 2), `"dtype" twice`},
		"field missing":     {raw(`{"a":{"dtype":"U8","data_offsets":[0,2]}}`, 1, 2), "want dtype, shape"},
		"field unknown":     {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2],"x":1}}`, 1, 2), `unknown key "x"`},
		"dtype":             {raw(`{"a":{"dtype":"F31","shape":[2],"data_offsets":[0,2]}}`, 1, 2), `unknown dtype "F31": want one of BOOL, U8`},
		"shape negative":    {raw(`{"a":{"dtype":"U8","shape":[-2],"data_offsets":[0,2]}}`, 1, 2), "-2 is not an integer"},
		"shape fraction":    {raw(`{"a":{"dtype":"U8","shape":[2.0],"data_offsets":[0,2]}}`, 1, 2), "2.0 is not an integer"},
		"shape exponent":    {raw(`{"a":{"dtype":"U8","shape":[2e0],"data_offsets":[0,2]}}`, 1, 2), "2e0 is not an integer"},
		"shape over int":    {raw(`{"a":{"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,2]}}`, 1, 2), "is not an integer"},
		"shape overflows":   {raw(`{"a":{"dtype":"F64","shape":[4294967296,536870912],"data_offsets":[0,0]}}`), "too large"},
		"shape wraps to 2":  {raw(`{"a":{"dtype":"U8","shape":[9223372036854775807,2],"data_offsets":[0,2]}}`, 1, 2), "too large"},
		"offsets three":     {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2,2]}}`, 1, 2), "want [begin,end]"},
		"offsets backwards": {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[2,0]}}`, 1, 2), "want [begin,end]"},
		"size":              {raw(`{"a":{"dtype":"U8","shape":[3],"data_offsets":[0,2]}}`, 1, 2), "U8 of shape [3] needs 3"},
		"hole":              {raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 0, 1, 2), "hole"},
		"hole between":      {raw(`{`+a+`,"b":{"dtype":"U8","shape":[1],"data_offsets":[3,4]}}`, 0, 1, 2, 3), "hole"},
		"overlap":           {raw(`{`+a+`,"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 0, 1, 2), "overlaps"},
		"data short":        {raw(`{`+a+`}`, 1), "cut short: 1 bytes of data, want 2"},
		"data long":         {raw(`{`+a+`}`, 1, 2, 3), "bytes after the end"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := Read(bytes.NewReader(tt.file))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("file %+v, error %v, want %q", f, err, tt.want)
			}
		})
	}
}

// TestNullMetadata checks that null is read as no metadata.
func TestNullMetadata(t *testing.T) {
	f, err := Read(bytes.NewReader(raw(`{"__metadata__": null,"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 7)))
	if err != nil || f.Metadata != nil || len(f.Tensors) != 1 {
		t.Errorf("%+v, %v", f, err)
	}
}

// TestHalf checks values of IEEE 754 binary16 and of bfloat16: the largest and the
// smallest numbers of each kind, and what is around 1.
func TestHalf(t *testing.T) {
	tensor := func(d DType, bits ...uint16) Tensor {
		var b []byte
		for _, v := range bits {
			b = binary.LittleEndian.AppendUint16(b, v)
		}
		return Tensor{Name: "a", DType: d, Shape: []int{len(bits)}, Data: b}
	}
	for _, tt := range []struct {
		tensor Tensor
		want   []float64
	}{
		{tensor(F16, 0x3c00, 0x3c01, 0x3bff, 0xc000, 0x7bff, 0x0400, 0x03ff, 0x0001, 0x8001, 0x0000, 0x7c00, 0xfc00),
			[]float64{1, 1 + 0x1p-10, 1 - 0x1p-11, -2, 65504, 0x1p-14, 0x1p-14 - 0x1p-24, 0x1p-24, -0x1p-24, 0, math.Inf(1), math.Inf(-1)}},
		{tensor(BF16, 0x3f80, 0x3f81, 0x3f7f, 0xc000, 0x7f7f, 0x0080, 0x0001, 0x0000, 0x7f80, 0xff80),
			[]float64{1, 1 + 0x1p-7, 1 - 0x1p-8, -2, 0x1.fep127, 0x1p-126, 0x1p-133, 0, math.Inf(1), math.Inf(-1)}},
	} {
		got, err := tt.tensor.Floats()
		if err != nil || !slices.Equal(got, tt.want) {
			t.Errorf("%v: %v, %v, want %v", tt.tensor.DType, got, err, tt.want)
		}
		negative := tensor(tt.tensor.DType, 0x8000)
		if got, err := negative.Floats(); err != nil || got[0] != 0 || !math.Signbit(got[0]) {
			t.Errorf("%v: -0 is %v, %v", tt.tensor.DType, got, err)
		}
		nan := tensor(tt.tensor.DType, 0x7fc0)
		if got, err := nan.Floats(); err != nil || !math.IsNaN(got[0]) {
			t.Errorf("%v: NaN is %v, %v", tt.tensor.DType, got, err)
		}
	}
}

// TestReadCut checks that a file that is cut short at any byte is refused.
func TestReadCut(t *testing.T) {
	b := encode(t, sample())
	for n := range b {
		if _, err := Read(bytes.NewReader(b[:n])); err == nil {
			t.Errorf("a file cut to %d of %d bytes was read", n, len(b))
		}
	}
}

// TestReadMemory checks that a header that promises a terabyte does not allocate
// it.
func TestReadMemory(t *testing.T) {
	b := raw(`{"a":{"dtype":"U8","shape":[1099511627776],"data_offsets":[0,1099511627776]}}`, 1, 2, 3)
	long := append(binary.LittleEndian.AppendUint64(nil, MaxHeader), '{')
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for _, b := range [][]byte{b, long} {
		if _, err := Read(bytes.NewReader(b)); err == nil {
			t.Error("no error")
		}
	}
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
		t.Errorf("%d bytes allocated to refuse files of 100 bytes", n)
	}
}

func TestReadError(t *testing.T) {
	b := encode(t, sample())
	boom := errors.New("boom")
	for _, n := range []int{0, 5, 8, 20, len(b) - 1, len(b)} {
		_, err := Read(io.MultiReader(bytes.NewReader(b[:n]), iotest.ErrReader(boom)))
		if !errors.Is(err, boom) {
			t.Errorf("an error of the reader after %d bytes gives %v", n, err)
		}
	}
}

func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if _, err := ReadFile(path); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("<html> no tensors </html>"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadFile(path); err == nil || !strings.HasPrefix(err.Error(), path+": not a safetensors file") {
		t.Errorf("HTML: %v", err)
	}
}

func TestLookupErrors(t *testing.T) {
	f := sample()
	for name, tt := range map[string]struct {
		get  func() error
		want string
	}{
		"missing": {func() error { _, err := f.Floats("layers.1.weight", 2); return err }, `no tensor "layers.1.weight": the file has ["empty" "labels"`},
		"shape":   {func() error { _, err := f.Floats("layers.0.weight", 3, 2); return err }, "has shape [2 3], want [3 2]"},
		"floats":  {func() error { _, err := f.Floats("labels", 3); return err }, "has type U8: want F16, BF16, F32 or F64"},
		"bytes":   {func() error { _, err := f.Bytes("number"); return err }, "has type F64: want U8"},
	} {
		if err := tt.get(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want %q", name, err, tt.want)
		}
	}
}

func TestDTypes(t *testing.T) {
	for d := range dtypeEnd {
		got, err := parseDType(d.String())
		if err != nil || got != d {
			t.Errorf("%v is parsed as %v, %v", d, got, err)
		}
		if d.Size() < 1 || d > 0 && d.Size() < (d-1).Size() {
			t.Errorf("%v has %d bytes: want ascending sizes", d, d.Size())
		}
	}
}

// bombs make files of about the given size that are costly to read.
var bombs = map[string]func(size int) []byte{
	"tensors": func(size int) []byte {
		var b strings.Builder
		for i := range size / 60 {
			fmt.Fprintf(&b, `,"%d":{"dtype":"U8","shape":[],"data_offsets":[%d,%d]}`, i, i, i+1)
		}
		return raw("{"+strings.TrimPrefix(b.String(), ",")+"}", make([]byte, size/60)...)
	},
	"shape": func(size int) []byte {
		return raw(`{"a":{"dtype":"U8","shape":[` + strings.Repeat("1,", size/2) + `0],"data_offsets":[0,0]}}`)
	},
	"nested": func(size int) []byte { return raw(`{"a":` + strings.Repeat("[", size) + "}") },
	"name":   func(size int) []byte { return raw(`{"` + strings.Repeat("x", size) + `":{}}`) },
	"metadata": func(size int) []byte {
		var b strings.Builder
		for i := range size / 12 {
			fmt.Fprintf(&b, `,"%d":""`, i)
		}
		return raw(`{"__metadata__":{` + strings.TrimPrefix(b.String(), ",") + "}}")
	},
	"spaces": func(size int) []byte { return raw("{" + strings.Repeat(" ", size) + "}") },
}

// TestCost checks that the memory for a file is linear in its size.
func TestCost(t *testing.T) {
	for name, bomb := range bombs {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, 50_000, bomb, func(b []byte) { _, _ = Read(bytes.NewReader(b)) })
		})
	}
}

// FuzzRead checks that Write accepts every file that Read accepts, and that
// reading it again gives the same file.
func FuzzRead(f *testing.F) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(raw(`{}`))
	f.Add(raw(`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"b":{"dtype":"F32","shape":[],"data_offsets":[2,6]}}`, 1, 2, 3, 4, 5, 6))
	f.Add(raw(`{"a":{"dtype":"U8","shape":[0,9223372036854775807],"data_offsets":[0,0]}}`))
	for _, bomb := range bombs {
		f.Add(bomb(500))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var x *File
		var err error
		costtest.Check(t, len(b), 1<<20, 500, func() { x, err = Read(bytes.NewReader(b)) })
		if err != nil {
			return
		}
		for _, tensor := range x.Tensors {
			if err := tensor.Check(); err != nil {
				t.Fatal(err)
			}
		}
		var out bytes.Buffer
		if err := Write(&out, x); err != nil {
			t.Fatal(err)
		}
		y, err := Read(bytes.NewReader(out.Bytes()))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(x.Metadata, y.Metadata) || !slices.Equal(x.Names(), y.Names()) {
			t.Fatalf("read %+v, written and read again %+v", x, y)
		}
	})
}
