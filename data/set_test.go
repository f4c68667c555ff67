package data

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// testSet returns n images of rows×cols pixels with labels 0 to classes-1.
// Pixels and labels are drawn with the seed.
func testSet(n, rows, cols, classes int, seed uint64) *Set {
	r := Stream(seed, "test set", 0)
	s := &Set{Rows: rows, Cols: cols, Classes: classes,
		Pixels: make([]uint8, n*rows*cols), Labels: make([]uint8, n)}
	for i := range s.Pixels {
		if v := r.Uint64(); v>>63 == 0 {
			s.Pixels[i] = uint8(v)
		}
	}
	for i := range s.Labels {
		s.Labels[i] = uint8(r.Uint64() % uint64(classes))
	}
	return s
}

// testDataset returns 12 + 5 images of 3×3 pixels in ten classes.
func testDataset() *Dataset {
	return &Dataset{Train: testSet(12, 3, 3, 10, 1), Test: testSet(5, 3, 3, 10, 2)}
}

// TestInput: x = pixel / 255 rounded once, the same by all three ways.
func TestInput(t *testing.T) {
	s := &Set{Rows: 16, Cols: 16, Classes: 1, Pixels: make([]uint8, 256), Labels: make([]uint8, 1)}
	for p := range s.Pixels {
		s.Pixels[p] = uint8(p)
	}
	single, double := make([]float32, 256), make([]float64, 256)
	Input(single, s, 0)
	Input(double, s, 0)
	for p := range 256 {
		want := float64(p) / 255
		if double[p] != want || TableOf[float64](Scale{})[p] != want || InputOf[float64](uint8(p)) != want {
			t.Errorf("pixel %d in float64: %v", p, double[p])
		}
		if want := float32(want); single[p] != want || TableOf[float32](Scale{})[p] != want {
			t.Errorf("pixel %d in float32: %v", p, single[p])
		}
	}
}

// requireSame fails unless the sets differ in nothing but their names.
func requireSame(tb testing.TB, got, want *Set) {
	tb.Helper()
	if err := got.Check(); err != nil {
		tb.Fatal(err)
	}
	if got.Rows != want.Rows || got.Cols != want.Cols || got.Classes != want.Classes {
		tb.Fatalf("got %d×%d, %d classes, want %d×%d, %d",
			got.Rows, got.Cols, got.Classes, want.Rows, want.Cols, want.Classes)
	}
	if !slices.Equal(got.Labels, want.Labels) || !slices.Equal(got.Pixels, want.Pixels) {
		tb.Fatal("labels or pixels differ")
	}
}

// requireError fails unless err holds every part.
func requireError(tb testing.TB, err error, parts ...string) {
	tb.Helper()
	if err == nil {
		tb.Fatalf("no error, want one with %q", parts)
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			tb.Errorf("error %q lacks %q", err, part)
		}
	}
}

// gz returns b as a gzip file.
func gz(tb testing.TB, b []byte) []byte {
	tb.Helper()
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestSpeed)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := z.Write(b); err != nil {
		tb.Fatal(err)
	}
	if err := z.Close(); err != nil {
		tb.Fatal(err)
	}
	return out.Bytes()
}

// put writes a file and returns its path.
func put(tb testing.TB, dir, name string, b []byte) string {
	tb.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return path
}

// putCSV writes d as mnist_train.csv and mnist_test.csv, packed or not.
func putCSV(tb testing.TB, dir string, d *Dataset, packed bool) {
	tb.Helper()
	for name, s := range map[string]*Set{"mnist_train.csv": d.Train, "mnist_test.csv": d.Test} {
		if packed {
			put(tb, dir, name+".gz", gz(tb, csvBytes(tb, s)))
		} else {
			put(tb, dir, name, csvBytes(tb, s))
		}
	}
}

func csvBytes(tb testing.TB, s *Set) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := WriteCSV(&b, s); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

// idxBytes returns the two IDX files of a set.
func idxBytes(tb testing.TB, s *Set) (images, labels []byte) {
	tb.Helper()
	var i, l bytes.Buffer
	if err := WriteIDXImages(&i, s); err != nil {
		tb.Fatal(err)
	}
	if err := WriteIDXLabels(&l, s); err != nil {
		tb.Fatal(err)
	}
	return i.Bytes(), l.Bytes()
}

// names returns the names in a folder, sorted; none if it does not exist.
func names(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return list
}
