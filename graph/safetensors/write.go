package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"unicode/utf8"
)

// Write writes f to w. It sorts the tensors as Python's library does: by type,
// wide types first, and then by name. The data starts at a multiple of 8 bytes
// from the start of the file. If f is not consistent, Write returns an error and
// writes nothing.
func Write(w io.Writer, f *File) error {
	tensors := slices.Clone(f.Tensors)
	slices.SortFunc(tensors, func(a, b Tensor) int {
		return cmp.Or(cmp.Compare(b.DType, a.DType), cmp.Compare(a.Name, b.Name))
	})
	header, err := encodeHeader(f.Metadata, tensors)
	if err != nil {
		return fmt.Errorf("safetensors: %w", err)
	}
	if _, err := w.Write(header); err != nil {
		return err
	}
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	return nil
}

// encodeHeader returns the first part of a file: the length of the header, and
// the header. The data of the tensors follows in the given order.
func encodeHeader(metadata map[string]string, tensors []Tensor) ([]byte, error) {
	e := headerEncoder{names: make(map[string]bool, len(tensors))}
	e.buf.Write(make([]byte, 8)) // space for the length, which is set at the end
	e.buf.WriteByte('{')
	if metadata != nil {
		e.metadata(metadata)
	}
	offset := int64(0)
	for _, t := range tensors {
		if err := e.tensor(t, offset); err != nil {
			return nil, err
		}
		offset += int64(len(t.Data))
	}
	e.buf.WriteByte('}')
	for e.buf.Len()%8 != 0 {
		e.buf.WriteByte(' ')
	}
	if e.err != nil {
		return nil, e.err
	}
	b := e.buf.Bytes()
	if len(b)-8 > MaxHeader {
		return nil, fmt.Errorf("header of %d bytes: want at most %d; use fewer or shorter names", len(b)-8, MaxHeader)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}

// headerEncoder builds the JSON itself, so that its keys are in the order of the
// data.
type headerEncoder struct {
	buf   bytes.Buffer
	names map[string]bool
	err   error // the first string that is not UTF-8
}

func (e *headerEncoder) metadata(m map[string]string) {
	e.key(metadataKey)
	e.buf.WriteByte('{')
	for i, k := range slices.Sorted(maps.Keys(m)) {
		if i > 0 {
			e.buf.WriteByte(',')
		}
		e.string(k)
		e.buf.WriteByte(':')
		e.string(m[k])
	}
	e.buf.WriteByte('}')
}

func (e *headerEncoder) tensor(t Tensor, offset int64) error {
	if err := t.Check(); err != nil {
		return err
	}
	if t.Name == metadataKey {
		return fmt.Errorf("tensor named %q: the format reserves that name", t.Name)
	}
	if e.names[t.Name] {
		return fmt.Errorf("two tensors are named %q", t.Name)
	}
	e.names[t.Name] = true
	e.key(t.Name)
	fmt.Fprintf(&e.buf, `{"dtype":"%v","shape":[`, t.DType)
	for i, dim := range t.Shape {
		if i > 0 {
			e.buf.WriteByte(',')
		}
		fmt.Fprint(&e.buf, dim)
	}
	fmt.Fprintf(&e.buf, `],"data_offsets":[%d,%d]}`, offset, offset+int64(len(t.Data)))
	return nil
}

// key writes the next key of the outermost object.
func (e *headerEncoder) key(s string) {
	if b := e.buf.Bytes(); b[len(b)-1] != '{' {
		e.buf.WriteByte(',')
	}
	e.string(s)
	e.buf.WriteByte(':')
}

func (e *headerEncoder) string(s string) {
	if !utf8.ValidString(s) && e.err == nil {
		e.err = fmt.Errorf("%q is not UTF-8", s)
	}
	enc := json.NewEncoder(&e.buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil && e.err == nil {
		e.err = err
	}
	e.buf.Truncate(e.buf.Len() - 1) // the encoder ends each value with a newline
}
