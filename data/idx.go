package data

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"trainer/data/files"
)

// The first four bytes of an IDX file: two zeros, the element type (8: unsigned
// byte), the number of dimensions. The dimensions follow, 4 bytes each,
// big-endian, and then the elements.
const (
	idxImages = 0x00000803
	idxLabels = 0x00000801

	idxLabelRows = 0x00000c02 // rows of 32-bit integers, the first of which is the label

	idxImagesHeader = 16
	idxLabelsHeader = 8
)

// maxImage is the largest image, in pixels, that is read: 4096 × 4096.
const maxImage = 1 << 24

// ReadIDX reads a set from an IDX file of images and one of labels. Each may be
// gzipped, whatever its name. Labels must be less than classes, which is at
// most 256. The set is named after the file of images.
//
// The files must hold exactly what their headers say. Labels are bytes, or, as in
// QMNIST, rows of 32-bit integers that begin with the label. Errors name the file
// and the byte offset (of the unpacked bytes, in a gzipped file). Memory is
// bounded by the bytes that are really there, not by what a header claims.
func ReadIDX(ctx context.Context, images, labels string, classes int) (*Set, error) {
	if err := checkClasses("idx", classes); err != nil {
		return nil, err
	}
	t, err := readIDXFiles(ctx, pair{images, labels}, false)
	if err != nil {
		return nil, err
	}
	return t.set(classes)
}

// readIDXFiles reads the two files of a set. summed asks for the checksum of the images.
func readIDXFiles(ctx context.Context, p pair, summed bool) (*table, error) {
	li, err := openInput("idx", p.labels)
	if err != nil {
		return nil, err
	}
	defer li.close()
	ii, err := openInput("idx", p.images)
	if err != nil {
		return nil, err
	}
	defer ii.close()
	return readIDX(ctx, ii, li, summed)
}

func readIDX(ctx context.Context, images, labels *input, summed bool) (*table, error) {
	l, place, err := readLabels(ctx, labels)
	if err != nil {
		return nil, err
	}
	head, err := readHeader(images, idxImages, "images", "rows", "columns")
	if err != nil {
		return nil, err
	}
	n, rows, cols := head[0], head[1], head[2]
	if n != len(l) {
		return nil, images.errorf(4, "%d images, but %s has %d labels; take two files that belong together",
			n, labels.path, len(l))
	}
	if int64(rows)*int64(cols) > maxImage {
		return nil, images.errorf(8, "images of %d×%d pixels, want at most %d pixels", rows, cols, maxImage)
	}
	var arrived func(part []byte)
	sum := func() string { return "" }
	if summed {
		arrived, sum = sumAhead(imagesHeader(n, rows, cols))
		defer sum()
	}
	p, err := readBody(ctx, images, int64(n)*int64(rows)*int64(cols),
		fmt.Sprintf("%d images of %d×%d pixels", n, rows, cols), arrived)
	if err != nil {
		return nil, err
	}
	t := &table{path: images.path, rows: rows, cols: cols, pixels: p, labels: l, labelled: true, place: place, imagesSum: sum()}
	for _, code := range l {
		t.names.seen[code] = true
	}
	return t, nil
}

// readLabels reads a file of labels. place says where the label of an image is.
func readLabels(ctx context.Context, in *input) (labels []uint8, place func(image int) string, err error) {
	offset := func(off int) string { return in.errorf(int64(off), "").Error() }
	if !bytes.HasPrefix(in.head, []byte{0, 0, 0x0c, 2}) {
		head, err := readHeader(in, idxLabels, "labels")
		if err != nil {
			return nil, nil, err
		}
		labels, err = readBody(ctx, in, int64(head[0]), fmt.Sprintf("%d labels", head[0]), nil)
		return labels, func(image int) string { return offset(idxLabelsHeader + image) }, err
	}
	head, err := readHeader(in, idxLabelRows, "labels", "columns")
	if err != nil {
		return nil, nil, err
	}
	n, cols := head[0], head[1]
	body, err := readBody(ctx, in, 4*int64(n)*int64(cols), fmt.Sprintf("%d labels of %d integers", n, cols), nil)
	if err != nil {
		return nil, nil, err
	}
	place = func(image int) string { return offset(idxLabelsHeader + 4 + 4*cols*image) }
	labels = make([]uint8, n)
	for i := range labels {
		v := int32(binary.BigEndian.Uint32(body[4*cols*i:]))
		if v < 0 || v > math.MaxUint8 {
			return nil, nil, in.errorf(int64(idxLabelsHeader+4+4*cols*i), "label %d, want 0 to 255", v)
		}
		labels[i] = uint8(v)
	}
	return labels, place, nil
}

// readHeader reads the magic number and one count for each name.
func readHeader(in *input, magic uint32, names ...string) ([]int, error) {
	head := make([]byte, 4+4*len(names))
	n, err := io.ReadFull(in, head)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return nil, err
	}
	if n >= 4 || in.html {
		if got := binary.BigEndian.Uint32(head); got != magic {
			return nil, in.errorf(0, "magic number 0x%08x, want 0x%08x (unsigned bytes, %s)%s",
				got, magic, dimensions(len(names)), guess(in, got))
		}
	}
	if n < len(head) {
		return nil, in.errorf(int64(n), "the file ends in its header, want %d bytes of it", len(head))
	}
	counts := make([]int, len(names))
	for i, name := range names {
		c := int32(binary.BigEndian.Uint32(head[4+4*i:]))
		if c < 1 {
			return nil, in.errorf(int64(4+4*i), "number of %s is %d, want 1 to %d", name, c, math.MaxInt32)
		}
		counts[i] = int(c)
	}
	return counts, nil
}

func dimensions(n int) string {
	if n == 1 {
		return "1 dimension: labels"
	}
	return fmt.Sprintf("%d dimensions: images", n)
}

// guess says what a file with a wrong magic number may be.
func guess(in *input, magic uint32) string {
	switch {
	case in.html:
		return ": this is a web page; get the file again"
	case magic>>8 == 0x0d || magic>>8 == 0x0e || magic>>8 == 0x0b || magic>>8 == 0x0c || magic>>8 == 0x09:
		return ": IDX of numbers that are no unsigned bytes, which is not read"
	case magic == idxImages:
		return ": this is a file of images"
	case magic == idxLabels:
		return ": this is a file of labels"
	}
	return ": not an IDX file of this kind"
}

// readBody reads want bytes and makes sure that the input ends after them; what
// says for errors what the bytes are. arrived, if it is not nil, is given each part of
// them as soon as it is there; nobody changes it any more.
func readBody(ctx context.Context, in *input, want int64, what string, arrived func(part []byte)) ([]byte, error) {
	start := in.off
	short := func(have int64) error {
		return in.errorf(start+have, "the file ends after %d bytes of data, want %d: the header says %s",
			have, want, what)
	}
	long := func() error {
		return in.errorf(start+want, "the file goes on after its last byte of data: the header says %s", what)
	}
	// A first allocation that is neither more than the data nor, for a packed
	// file, far from what such bytes usually unpack to; it doubles as bytes come.
	first := want
	if in.packed {
		if want > in.limit-start {
			return nil, in.errorf(start, "the header says %s, %d bytes: too much for %d bytes of gzip; "+
				"if the file is right, unpack it first (gunzip)", what, want, in.size)
		}
		first = min(want, max(1<<20, 8*in.size))
	} else {
		if have := in.size - start; have < want {
			return nil, short(have)
		} else if have > want {
			return nil, long()
		}
	}
	if want > math.MaxInt {
		return nil, in.errorf(start, "the header says %s: more than this machine can address", what)
	}
	b := make([]byte, 0, first)
	for int64(len(b)) < want {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("idx: %s: %w", in.path, err)
		}
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(want, 2*int64(cap(b))))
			copy(grown, b)
			b = grown
		}
		n, err := io.ReadFull(in, b[len(b):min(cap(b), len(b)+1<<20)])
		if b = b[:len(b)+n]; arrived != nil {
			arrived(b[len(b)-n:])
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return nil, short(int64(len(b)))
		}
		if err != nil {
			return nil, err
		}
	}
	// The read that finds the end also verifies gzip's checksum.
	switch n, err := io.ReadFull(in, make([]byte, 1)); {
	case n > 0:
		return nil, long()
	case err != io.EOF:
		return nil, err
	}
	return b, nil
}

// The standard names of the four files of an IDX data set.
const (
	trainImagesIDX = "train-images-idx3-ubyte"
	trainLabelsIDX = "train-labels-idx1-ubyte"
	testImagesIDX  = "t10k-images-idx3-ubyte"
	testLabelsIDX  = "t10k-labels-idx1-ubyte"
)

// WriteIDX writes a data set into a folder, which it makes if need be: the four
// standard files, not packed, which Open and many other programs read. Each
// file appears whole or not at all.
func WriteIDX(dir string, d *Dataset) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("idx: %w", err)
	}
	for _, f := range []struct {
		name  string
		write func(io.Writer, *Set) error
		set   *Set
	}{
		{trainImagesIDX, WriteIDXImages, d.Train},
		{trainLabelsIDX, WriteIDXLabels, d.Train},
		{testImagesIDX, WriteIDXImages, d.Test},
		{testLabelsIDX, WriteIDXLabels, d.Test},
	} {
		err := files.Write(filepath.Join(dir, f.name), func(w io.Writer) error { return f.write(w, f.set) })
		if err != nil {
			return fmt.Errorf("idx: %s: %w", filepath.Join(dir, f.name), err)
		}
	}
	return nil
}

// WriteIDXImages writes the images of s in IDX format.
func WriteIDXImages(w io.Writer, s *Set) error {
	return write(w, s.imagesHeader(), s.Pixels)
}

// WriteIDXLabels writes the labels of s in IDX format.
func WriteIDXLabels(w io.Writer, s *Set) error {
	return write(w, labelsHeader(s), s.Labels)
}

func (s *Set) imagesHeader() []byte { return imagesHeader(s.Len(), s.Rows, s.Cols) }

func imagesHeader(images, rows, cols int) []byte {
	h := binary.BigEndian.AppendUint32(nil, idxImages)
	h = binary.BigEndian.AppendUint32(h, uint32(images))
	h = binary.BigEndian.AppendUint32(h, uint32(rows))
	return binary.BigEndian.AppendUint32(h, uint32(cols))
}

func labelsHeader(s *Set) []byte {
	h := binary.BigEndian.AppendUint32(nil, idxLabels)
	return binary.BigEndian.AppendUint32(h, uint32(s.Len()))
}

func write(w io.Writer, parts ...[]byte) error {
	b := bufio.NewWriter(w)
	for _, p := range parts {
		if _, err := b.Write(p); err != nil {
			return err
		}
	}
	return b.Flush()
}
