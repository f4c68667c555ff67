package safetensors

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"

	"trainer/data/files"
)

// ReadFile reads the file at path, which is a regular file. Its errors include the
// path.
func ReadFile(path string) (*File, error) {
	in, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	f, err := Read(in)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// Read reads a file from r, up to the end of r. The tensors share one array.
func Read(r io.Reader) (*File, error) {
	header, err := readHeader(r)
	if err != nil {
		return nil, fmt.Errorf("not a safetensors file: %w", err)
	}
	f, size, err := decodeHeader(header)
	if err != nil {
		return nil, fmt.Errorf("safetensors header: %w", err)
	}
	// The buffer grows as bytes arrive. A header that promises more bytes than
	// there are does not allocate memory for them.
	limit := size
	if limit < math.MaxInt64 {
		limit++ // to notice a byte after the end
	}
	var data bytes.Buffer
	n, err := io.Copy(&data, io.LimitReader(r, limit))
	switch {
	case err != nil:
		return nil, err
	case n < size:
		return nil, fmt.Errorf("safetensors: file is cut short: %d bytes of data, want %d", n, size)
	case n > size:
		return nil, fmt.Errorf("safetensors: bytes after the end of the data (%d bytes)", size)
	}
	b, at := data.Bytes(), 0
	for i := range f.Tensors {
		t := &f.Tensors[i]
		n, _ := byteSize(t.DType, t.Shape) // checked by decodeHeader
		end := at + int(n)
		t.Data = b[at:end:end]
		at = end
	}
	return f, nil
}

func readHeader(r io.Reader) ([]byte, error) {
	var length [8]byte
	if n, err := io.ReadFull(r, length[:]); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, fmt.Errorf("%d bytes long, want at least 10", n)
		}
		return nil, err
	}
	size := binary.LittleEndian.Uint64(length[:])
	if size < 2 || size > MaxHeader {
		return nil, fmt.Errorf("header of %d bytes: want 2 to %d", size, MaxHeader)
	}
	var b bytes.Buffer
	n, err := io.Copy(&b, io.LimitReader(r, int64(size)))
	if err != nil {
		return nil, err
	}
	if n < int64(size) {
		return nil, fmt.Errorf("header is cut short: %d bytes, want %d", n, size)
	}
	return b.Bytes(), nil
}

// entry is a tensor of the header and the range of its bytes in the data.
type entry struct {
	tensor     Tensor
	begin, end int64
}

// decodeHeader returns the file that the header describes, and the size of the
// data in bytes. The tensors are in the order of their data, which is not set.
func decodeHeader(header []byte) (*File, int64, error) {
	switch {
	case header[0] != '{':
		return nil, 0, fmt.Errorf("begins with %q, want {", header[:1])
	case !utf8.Valid(header):
		return nil, 0, errors.New("is not UTF-8")
	case !json.Valid(header):
		return nil, 0, errors.New("is not JSON")
	}
	h := headerDecoder{dec: json.NewDecoder(bytes.NewReader(header)), file: &File{}}
	h.dec.UseNumber()
	if err := h.object("header", h.entry); err != nil {
		return nil, 0, err
	}

	// An empty tensor may begin where another one does. A stable sort keeps
	// their order.
	slices.SortStableFunc(h.entries, func(a, b entry) int {
		return cmp.Or(cmp.Compare(a.begin, b.begin), cmp.Compare(a.end, b.end))
	})
	size := int64(0)
	for _, e := range h.entries {
		name := e.tensor.Name
		switch {
		case e.begin < size:
			return nil, 0, fmt.Errorf("tensor %q overlaps the one before it: it begins at %d, want %d", name, e.begin, size)
		case e.begin > size:
			return nil, 0, fmt.Errorf("hole in the data: tensor %q begins at %d, want %d", name, e.begin, size)
		}
		n, err := byteSize(e.tensor.DType, e.tensor.Shape)
		if err != nil {
			return nil, 0, fmt.Errorf("tensor %q: %w", name, err)
		}
		if e.end-e.begin != n {
			return nil, 0, fmt.Errorf("tensor %q has %d bytes: %v of shape %v needs %d", name, e.end-e.begin, e.tensor.DType, e.tensor.Shape, n)
		}
		size = e.end
		h.file.Tensors = append(h.file.Tensors, e.tensor)
	}
	return h.file, size, nil
}

// headerDecoder reads the tokens of a header. json.Unmarshal would accept a name
// that occurs twice.
type headerDecoder struct {
	dec     *json.Decoder
	file    *File
	entries []entry
}

// object reads an object. It calls field for each key; field reads the value.
func (h *headerDecoder) object(what string, field func(key string) error) error {
	if err := h.delim(what, '{'); err != nil {
		return err
	}
	return h.fields(what, field)
}

// fields is object after its opening brace.
func (h *headerDecoder) fields(what string, field func(key string) error) error {
	seen := make(map[string]bool)
	for h.dec.More() {
		key, err := h.string(what)
		if err != nil {
			return err
		}
		if seen[key] {
			return fmt.Errorf("%s has %q twice", what, key)
		}
		seen[key] = true
		if err := field(key); err != nil {
			return err
		}
	}
	return h.delim(what, '}')
}

// numbers reads an array of integers from 0 to math.MaxInt.
func (h *headerDecoder) numbers(what string) ([]int, error) {
	if err := h.delim(what, '['); err != nil {
		return nil, err
	}
	numbers := []int{}
	for h.dec.More() {
		t, err := h.dec.Token()
		if err != nil {
			return nil, err
		}
		s, ok := t.(json.Number)
		if !ok {
			return nil, fmt.Errorf("%s: have %v, want a number", what, t)
		}
		n, err := strconv.ParseUint(s.String(), 10, strconv.IntSize-1)
		if err != nil {
			return nil, fmt.Errorf("%s: %s is not an integer from 0 to %d", what, s, math.MaxInt)
		}
		numbers = append(numbers, int(n))
	}
	return numbers, h.delim(what, ']')
}

func (h *headerDecoder) string(what string) (string, error) {
	t, err := h.dec.Token()
	if err != nil {
		return "", err
	}
	s, ok := t.(string)
	if !ok {
		return "", fmt.Errorf("%s: have %v, want a string", what, t)
	}
	return s, nil
}

func (h *headerDecoder) delim(what string, want json.Delim) error {
	t, err := h.dec.Token()
	if err != nil {
		return err
	}
	if t != want {
		return fmt.Errorf("%s: have %v, want %v", what, t, want)
	}
	return nil
}

// metadata reads the value of metadataKey: null, or an object of strings.
func (h *headerDecoder) metadata() error {
	t, err := h.dec.Token()
	if err != nil || t == nil {
		return err
	}
	if t != json.Delim('{') {
		return fmt.Errorf("%s: have %v, want {", metadataKey, t)
	}
	h.file.Metadata = make(map[string]string)
	return h.fields(metadataKey, func(key string) error {
		value, err := h.string(fmt.Sprintf("%s, %q", metadataKey, key))
		h.file.Metadata[key] = value
		return err
	})
}

// entry reads the value of one key of the header.
func (h *headerDecoder) entry(name string) error {
	if name == metadataKey {
		return h.metadata()
	}
	what := fmt.Sprintf("tensor %q", name)
	e := entry{tensor: Tensor{Name: name}}
	fields := 0
	err := h.object(what, func(key string) (err error) {
		fields++
		switch key {
		case "dtype":
			var s string
			if s, err = h.string(what); err != nil {
				return err
			}
			if e.tensor.DType, err = parseDType(s); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
		case "shape":
			e.tensor.Shape, err = h.numbers(what + ", shape")
		case "data_offsets":
			var at []int
			if at, err = h.numbers(what + ", data_offsets"); err != nil {
				return err
			}
			if len(at) != 2 || at[0] > at[1] {
				return fmt.Errorf("%s has data_offsets %v: want [begin,end]", what, at)
			}
			e.begin, e.end = int64(at[0]), int64(at[1])
		default:
			return fmt.Errorf("%s has the unknown key %q", what, key)
		}
		return err
	})
	if err != nil {
		return err
	}
	if fields != 3 {
		return fmt.Errorf("%s: want dtype, shape and data_offsets", what)
	}
	h.entries = append(h.entries, e)
	return nil
}
