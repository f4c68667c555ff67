package cpu

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"trainer/data"
	"trainer/graph/vm/cpu/kernel"
)

// TestRows: sparse rows have the inputs that are not zero, of images of any width, in
// scales in which another pixel than 0 is a zero input, or none, or all are, on any number
// of cores.
func TestRows(t *testing.T) {
	scales := map[string]data.Scale{
		"":           {},
		"inverted":   {Inputs: data.Range{Low: 1, High: 0}},
		"middle":     {Pixels: data.Range{Low: 0, High: 254}, Inputs: data.Range{Low: -1, High: 1}}, // 127 is 0
		"no zero":    {Inputs: data.Range{Low: 0.01, High: 1}},
		"all vanish": {Inputs: data.Range{Low: 0, High: 1e-60}}, // in float32
	}
	for _, inputs := range []int{1, 3, 7, 8, 9, 16, 63, 130, 784} {
		for name, scale := range scales {
			for _, byteOf := range []int{0, 127, 255} { // most pixels
				set := randomSet(23, inputs, 0.3)
				set.Scale = scale
				for k, p := range set.Pixels {
					if p == 0 {
						set.Pixels[k] = uint8(byteOf)
					}
				}
				for _, cores := range []int{1, 2, 3} {
					t.Run(fmt.Sprintf("%d %s %d %d", inputs, name, byteOf, cores), func(t *testing.T) {
						checkRows[float32](t, set, cores)
						checkRows[float64](t, set, cores)
					})
				}
			}
		}
	}
}

func checkRows[T kernel.Float](t *testing.T, set *data.Set, cores int) {
	t.Helper()
	r, n := newRows[T](set, 10, cores), set.Inputs()
	x := make([]T, n)
	if r.len() != set.Len() {
		t.Fatalf("%d rows, want %d", r.len(), set.Len())
	}
	for i := range set.Len() {
		data.Input(x, set, i)
		if r.dense != nil {
			if got := r.dense[i*n : (i+1)*n]; !slices.Equal(got, x) {
				t.Fatalf("image %d: %v, want %v", i, got, x)
			}
			continue
		}
		entries := r.entry[r.start[i]:r.start[i+1]]
		k, p := 0, 0
		for j, v := range x {
			for ; p < inputParts-1 && n*(p+1)/inputParts <= j; p++ {
				if got := int(r.splits[i*(inputParts-1)+p]); got != k {
					t.Fatalf("image %d: split %d is %d, want %d", i, p, got, k)
				}
			}
			if v == 0 {
				continue
			}
			if k >= len(entries) || int(uint16(entries[k])) != j || r.table[entries[k]>>16] != v {
				t.Fatalf("image %d: input %d is not entry %d of %v", i, j, k, entries)
			}
			k++
		}
		if k != len(entries) {
			t.Fatalf("image %d has %d entries, want %d", i, len(entries), k)
		}
	}
	used, zeros := 0, 0
	for i := range set.Len() {
		data.Input(x, set, i)
		for _, v := range x {
			if v != 0 {
				used++
			}
		}
	}
	for _, v := range data.TableOf[T](set.Scale) {
		if v == 0 {
			zeros++
		}
	}
	if dense := zeros != 1 || float64(used) > denseFrom*float64(len(set.Pixels)); dense != (r.dense != nil) {
		t.Errorf("%d of %d inputs are not zero, and the rows are dense: %t", used, len(set.Pixels), r.dense != nil)
	}
}

// BenchmarkLoad makes 10,000 images resident, of whose pixels a fifth is not zero, in runs
// as in drawings.
func BenchmarkLoad(b *testing.B) {
	set := &data.Set{Name: "strokes", Rows: 28, Cols: 28, Classes: 10, Pixels: make([]uint8, 10_000*784), Labels: make([]uint8, 10_000)}
	for k := range set.Pixels {
		if x, y := k%28, k/28%28; math.Abs(float64(x-14+k/784%5)) < 5 && y > 4 && y < 23 {
			set.Pixels[k] = uint8(1 + k*k%255)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		newRows[float32](set, 10, 2)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(set.Len()), "ns/sample")
}
