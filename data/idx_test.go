package data

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"trainer/data/files/costtest"
)

// words returns 32-bit numbers as an IDX header holds them.
func words(v ...uint32) []byte {
	var b []byte
	for _, w := range v {
		b = binary.BigEndian.AppendUint32(b, w)
	}
	return b
}

// readIDXBytes reads two files held in memory, called "images" and "labels".
func readIDXBytes(images, labels []byte, classes int) (*Set, error) {
	ii, err := newInput("idx", "images", bytes.NewReader(images), int64(len(images)))
	if err != nil {
		return nil, err
	}
	li, err := newInput("idx", "labels", bytes.NewReader(labels), int64(len(labels)))
	if err != nil {
		return nil, err
	}
	t, err := readIDX(context.Background(), ii, li, true)
	if err != nil {
		return nil, err
	}
	if want := sum(imagesHeader(len(t.labels), t.rows, t.cols), t.pixels); t.imagesSum != want {
		return nil, fmt.Errorf("BUG: the sum is %s, want %s", t.imagesSum, want)
	}
	return t.set(classes)
}

func TestReadIDX(t *testing.T) {
	for _, c := range []struct{ n, rows, cols, classes int }{
		{1, 1, 1, 1}, {7, 28, 28, 10}, {3, 5, 9, 256}, {1000, 40, 40, 26}, // the last: several MB
	} {
		want := testSet(c.n, c.rows, c.cols, c.classes, 3)
		images, labels := idxBytes(t, want)
		for _, packed := range []bool{false, true} {
			t.Run(fmt.Sprintf("%d×%d×%d packed %t", c.n, c.rows, c.cols, packed), func(t *testing.T) {
				dir := t.TempDir()
				i, l := images, labels
				if packed { // by content: no .gz in the name
					i, l = gz(t, i), gz(t, l)
				}
				path := put(t, dir, "i", i)
				got, err := ReadIDX(context.Background(), path, put(t, dir, "l", l), c.classes)
				if err != nil {
					t.Fatal(err)
				}
				requireSame(t, got, want)
				if got.Name != path {
					t.Errorf("the set's name is %q, want %q", got.Name, path)
				}
			})
		}
	}
}

var offset = regexp.MustCompile(`offset \d+`)

func TestReadIDXFaults(t *testing.T) {
	s := testSet(3, 2, 2, 10, 1)
	s.Labels[1] = 9
	images, labels := idxBytes(t, s)
	cat := slices.Concat[[]byte]
	for name, c := range map[string]struct {
		images, labels []byte
		want           string
	}{
		"empty images": {nil, labels, "idx: images: offset 0: the file ends in its header, want 16"},
		"empty labels": {images, nil, "idx: labels: offset 0: the file ends in its header, want 8"},
		"short header": {images[:15], labels, "idx: images: offset 15: the file ends in its header"},
		"magic": {cat(words(0x0d03), images[4:]), labels,
			"idx: images: offset 0: magic number 0x00000d03, want 0x00000803"},
		"magic of labels": {images, cat(words(0x0803), labels[4:]),
			"idx: labels: offset 0: magic number 0x00000803, want 0x00000801"},
		"swapped": {labels, images, "this is a file of images"},
		"a web page": {[]byte("\n<!DOCTYPE html><html>"), labels,
			"idx: images: offset 0: magic number 0x0a3c2144, want 0x00000803 (unsigned bytes, 3 dimensions: images): this is a web page"},
		"a short web page": {[]byte("<b>"), labels, "this is a web page"},
		"negative count": {cat(words(0x803, 0xffffffff, 2, 2), images[16:]), labels,
			"idx: images: offset 4: number of images is -1, want 1 to 2147483647"},
		"zero count": {images, words(0x801, 0), "idx: labels: offset 4: number of labels is 0, want 1"},
		"zero rows":  {words(0x803, 3, 0, 2), labels, "idx: images: offset 8: number of rows is 0"},
		"negative columns": {words(0x803, 3, 2, 0x80000000), labels,
			"idx: images: offset 12: number of columns is -2147483648"},
		"huge images": {words(0x803, 3, math.MaxInt32, math.MaxInt32), labels,
			"idx: images: offset 8: images of 2147483647×2147483647 pixels, want at most 16777216"},
		"huge count": {images, cat(words(0x801, math.MaxInt32), labels[8:]),
			"idx: labels: offset 11: the file ends after 3 bytes of data, want 2147483647"},
		"counts differ": {cat(words(0x803, 2, 2, 2), images[16:]), labels,
			"idx: images: offset 4: 2 images, but labels has 3 labels"},
		"short images": {images[:27], labels,
			"idx: images: offset 27: the file ends after 11 bytes of data, want 12: the header says 3 images of 2×2 pixels"},
		"long images": {cat(images, []byte{0}), labels, "idx: images: offset 28: the file goes on"},
		"long labels": {images, cat(labels, []byte{0}), "idx: labels: offset 11: the file goes on"},
		"label": {images, cat(labels[:9], []byte{10}, labels[10:]),
			"idx: labels: offset 9: label 10, want 0 to 9"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readIDXBytes(c.images, c.labels, 10)
			requireError(t, err, c.want)
			if strings.Contains(name, "web page") || name == "huge count" {
				return // not looked for, or another limit (TestReadIDXMemory)
			}
			_, err = readIDXBytes(gz(t, c.images), gz(t, c.labels), 10)
			requireError(t, err, offset.ReplaceAllString(c.want, "$0 unpacked"))
		})
	}
	for _, classes := range []int{-1, 0, 257} {
		_, err := ReadIDX(context.Background(), "i", "l", classes)
		requireError(t, err, fmt.Sprintf("idx: %d classes, want 1 to 256", classes))
	}
}

func TestReadIDXNoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := ReadIDX(context.Background(), filepath.Join(dir, "a"), filepath.Join(dir, "b"), 10)
	requireError(t, err, "idx: ", filepath.Join(dir, "b"))
	_, err = ReadIDX(context.Background(), dir, dir, 10)
	requireError(t, err, dir, "not a file")
}

// Every cut of a packed file is an error, and every flipped byte is one or
// changes nothing (gzip's header holds a time that nobody reads).
func TestReadIDXDamagedGzip(t *testing.T) {
	want := testSet(6, 5, 5, 10, 1)
	images, labels := idxBytes(t, want)
	packed := gz(t, images)
	for cut := range packed {
		if _, err := readIDXBytes(packed[:cut], labels, 10); err == nil {
			t.Fatalf("cut at %d of %d bytes: no error", cut, len(packed))
		}
	}
	refused := 0
	for i := range packed {
		bad := slices.Clone(packed)
		bad[i] ^= 0x10
		got, err := readIDXBytes(bad, labels, 10)
		if err != nil {
			refused++
			continue
		}
		requireSame(t, got, want)
	}
	if refused < len(packed)-10 { // the header is 10 bytes long
		t.Errorf("%d of %d flipped bytes refused", refused, len(packed))
	}

	sum := slices.Clone(packed)
	sum[len(sum)-8] ^= 1
	_, err := readIDXBytes(sum, labels, 10)
	requireError(t, err, "idx: images: offset 166 unpacked: gzip: wrong checksum")
	_, err = readIDXBytes(packed[:len(packed)-9], labels, 10)
	requireError(t, err, "gzip: the file is cut off")
	_, err = readIDXBytes(append(slices.Clone(packed), "a tail of some bytes"...), labels, 10)
	requireError(t, err, "bytes after the end of the gzip data")
}

// allocated returns the bytes that f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What a header claims costs no memory until the bytes come.
func TestReadIDXMemory(t *testing.T) {
	const big = 40 << 20
	bomb := gz(t, append(words(0x801, 3), make([]byte, 20<<20)...))
	for name, c := range map[string]struct {
		images, labels []byte
		most           uint64
		want           string
	}{
		"plain claim": {nil, append(words(0x801, math.MaxInt32), 1, 2, 3), 1 << 20,
			"idx: labels: offset 11: the file ends after 3 bytes"},
		"packed claim": {nil, gz(t, append(words(0x801, big), 1, 2, 3)), 4 << 20,
			"idx: labels: offset 11 unpacked: the file ends after 3 bytes"},
		"claim beyond the limit": {nil, gz(t, append(words(0x801, math.MaxInt32), 1, 2, 3)), 1 << 20,
			"idx: labels: offset 8 unpacked: the header says 2147483647 labels, 2147483647 bytes: too much for"},
		"bomb behind a small claim": {nil, bomb, 3 << 20, "idx: labels: offset 11 unpacked: the file goes on"},
	} {
		t.Run(name, func(t *testing.T) {
			var err error
			got := allocated(func() { _, err = readIDXBytes(c.images, c.labels, 256) })
			requireError(t, err, c.want)
			if got > c.most {
				t.Errorf("%d bytes allocated, want at most %d", got, c.most)
			}
		})
	}
}

// A packed file may unpack to a multiple of its size, and to a fixed amount.
func TestUnpackLimit(t *testing.T) {
	b := gz(t, []byte("x"))
	for _, c := range []struct{ size, want int64 }{
		{0, 64 << 20}, {1000, 64<<20 + 100*1000}, {1 << 30, 8 << 30}, {math.MaxInt64, 8 << 30},
	} {
		in, err := newInput("idx", "f", bytes.NewReader(b), c.size)
		if err != nil {
			t.Fatal(err)
		}
		if in.limit != c.want {
			t.Errorf("%d bytes may unpack to %d, want %d", c.size, in.limit, c.want)
		}
	}
}

func TestReadIDXCancelled(t *testing.T) {
	images, labels := idxBytes(t, testSet(3, 2, 2, 10, 1))
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := ReadIDX(ctx, put(t, dir, "i", images), put(t, dir, "l", labels), 10)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that wraps context.Canceled", err)
	}
}

func TestWriteIDX(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "folder")
	want := testDataset()
	if err := WriteIDX(dir, want); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(names(dir), " "),
		"t10k-images-idx3-ubyte t10k-labels-idx1-ubyte train-images-idx3-ubyte train-labels-idx1-ubyte"; got != want {
		t.Errorf("the folder holds %s, want %s", got, want)
	}
	got, err := folder(context.Background(), dir, 10, IDX)
	if err != nil {
		t.Fatal(err)
	}
	requireSame(t, got.Train, want.Train)
	requireSame(t, got.Test, want.Test)

	// A file in the folder's place.
	file := put(t, t.TempDir(), "file", nil)
	requireError(t, WriteIDX(file, want), "idx: ", file)
}

// Whatever the bytes, the reader returns an error or a consistent set whose
// files are, byte for byte, those that were read.
func FuzzReadIDX(f *testing.F) {
	images, labels := idxBytes(f, testSet(3, 2, 2, 10, 1))
	f.Add(images, labels)
	f.Add(gz(f, images), gz(f, labels))
	f.Add(images[:20], labels)
	f.Add(words(0x803, 0x7fffffff, 0x7fffffff, 0x7fffffff), words(0x801, 0x7fffffff))
	f.Add(words(0x803, 0xffffffff, 2, 2), words(0x801, 0x80000000))
	f.Fuzz(func(t *testing.T, images, labels []byte) {
		var s *Set
		var err error
		// The buffers of two files; gzip unpacks to 1,032 bytes for one at most, and the
		// memory doubles as bytes come.
		costtest.Check(t, len(images)+len(labels), 4<<20, 4000, func() { s, err = readIDXBytes(images, labels, 10) })
		if err != nil {
			return
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		i, l := idxBytes(t, s)
		if images[0] == 0 && !bytes.Equal(i, images) || labels[0] == 0 && !bytes.Equal(l, labels) {
			t.Fatal("what was read is not what is written")
		}
	})
}
