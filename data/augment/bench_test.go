package augment

import (
	"testing"

	"trainer/data"
)

var usual = Options{Rotate: 6, Scale: 0.06, Shear: 0.06, Shift: 0.7, Elastic: 0.4, Smooth: 4}

// BenchmarkSet times the distortion of an image on one core.
func BenchmarkSet(b *testing.B) {
	digits := data.GenerateDigits(1, 20000, 0).Train
	images := 0
	for b.Loop() {
		j, err := New(digits, usual, 1, 1)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := j.Set(b.Context()); err != nil {
			b.Fatal(err)
		}
		images += digits.Len()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(images), "ns/image")
}
