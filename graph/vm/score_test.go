package vm_test

import (
	"math"
	"runtime"
	"testing"

	"trainer/graph/vm"
)

// TestScoreNotANumber: a sample with an output that is not a number is of no class, and
// the cost says so.
func TestScoreNotANumber(t *testing.T) {
	nan := math.NaN()
	for _, a := range [][]float64{{nan, 0.5, 0.1}, {0.5, nan, 0.1}, {0.1, 0.2, nan}, {nan, nan, nan}} {
		for label := range uint8(3) {
			s := vm.NewScore(3)
			s.Add(a, label)
			if s.Correct != 0 || s.Samples != 1 || !math.IsNaN(s.Cost) {
				t.Errorf("outputs %v, label %d: %+v", a, label, s)
			}
			for _, row := range s.Confusion {
				for _, n := range row {
					if n != 0 {
						t.Errorf("outputs %v, label %d: %v", a, label, s.Confusion)
					}
				}
			}
		}
	}
}

// TestScoreManyOutputs: memory does not grow with the square of the outputs.
func TestScoreManyOutputs(t *testing.T) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	s := vm.NewScore(1_000_000)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 4<<20 {
		t.Errorf("%d bytes for 1,000,000 outputs", n)
	}
	a := make([]float64, 1_000_000)
	a[999_999] = 1
	s.Add(a, 3)
	a[255] = 2
	s.Add(a, 255)
	if s.Samples != 2 || s.Correct != 1 || s.Confusion[255][255] != 1 {
		t.Errorf("%d samples, %d correct", s.Samples, s.Correct)
	}
}
