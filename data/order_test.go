package data

import (
	"math"
	"slices"
	"testing"
)

// The numbers come from a transcription of Stream's comment and of the paper's
// PCG-DXSM into 15 lines of Python.
func TestStreamIsFixed(t *testing.T) {
	for _, c := range []struct {
		seed    uint64
		purpose string
		n       uint64
		want    [3]uint64
	}{
		{1, "init", 0, [3]uint64{0x9c4908af52aa1284, 0x59ed66f877c7c3eb, 0x98d60ccd53729bcf}},
		{1, "shuffle", 0, [3]uint64{0xba9d6f19b791e268, 0x50f5d3612740e576, 0xc1545b6e519928cc}},
		{1, "shuffle", 1, [3]uint64{0x54d9919793738e7b, 0x1870b20b31368236, 0x5d0356ea5d777c1a}},
		{math.MaxUint64, "", math.MaxUint64, [3]uint64{0xdf7723ae625176e5, 0x2236b4ba7c3fe3d1, 0x5784b51149873527}},
	} {
		r := Stream(c.seed, c.purpose, c.n)
		if got := [3]uint64{r.Uint64(), r.Uint64(), r.Uint64()}; got != c.want {
			t.Errorf("Stream(%d, %q, %d) begins %#x, want %#x", c.seed, c.purpose, c.n, got, c.want)
		}
	}
}

// The orders come from the same Python.
func TestShuffledIsFixed(t *testing.T) {
	for _, c := range []struct {
		seed  uint64
		epoch int
		want  []int32
	}{
		{1, 0, []int32{9, 1, 8, 5, 4, 0, 3, 6, 2, 7}},
		{1, 1, []int32{6, 7, 5, 8, 4, 9, 1, 2, 0, 3}},
		{2, 1, []int32{0, 3, 5, 4, 2, 9, 6, 7, 8, 1}},
	} {
		if got := Shuffled(10, c.seed, c.epoch); !slices.Equal(got, c.want) {
			t.Errorf("Shuffled(10, %d, %d) = %v, want %v", c.seed, c.epoch, got, c.want)
		}
	}
}

func TestOrdersArePermutations(t *testing.T) {
	for _, n := range []int{0, 1, 2, 3, 1000} {
		want := FileOrder(n)
		for i, v := range want {
			if int(v) != i {
				t.Fatalf("FileOrder(%d)[%d] = %d", n, i, v)
			}
		}
		got := Shuffled(n, 7, 3)
		if n == 1000 && slices.Equal(got, want) {
			t.Errorf("Shuffled(%d) is the file's order", n)
		}
		slices.Sort(got)
		if len(got) != n || !slices.Equal(got, want) {
			t.Errorf("Shuffled(%d) is no permutation", n)
		}
	}
}

// Over 24,000 epochs each of the 24 orders of four samples is expected 1,000
// times. χ² with 23 degrees of freedom exceeds 58.6 once in 15,000 draws; the
// draw is fixed by the seed.
func TestShuffledIsUniform(t *testing.T) {
	const epochs = 24000
	count := map[[4]int32]float64{}
	for e := range epochs {
		count[[4]int32(Shuffled(4, 1, e))]++
	}
	const want = epochs / 24.0
	chi := float64(24-len(count)) * want
	for _, c := range count {
		chi += (c - want) * (c - want) / want
	}
	if chi > 58.6 {
		t.Errorf("χ² = %.1f, want below 58.6; counts %v", chi, count)
	}
}
