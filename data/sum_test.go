package data

import (
	"math/rand/v2"
	"testing"
)

// TestSum: the checksum depends on all that is trained and evaluated on, and on nothing
// else.
func TestSum(t *testing.T) {
	of := func(change func(*Dataset)) string {
		d := GenerateDigits(1, 20, 10)
		d.Validation = d.Train.Slice(15, 20)
		d.Train = d.Train.Slice(0, 15)
		change(d)
		return d.Sum()
	}
	want := of(func(*Dataset) {})
	for what, change := range map[string]func(*Dataset){
		"names": func(d *Dataset) { d.Name, d.Source, d.Train.Name = "a", "b", "c" },
		"a scale in words": func(d *Dataset) {
			d.Test.Scale = Scale{Pixels: Range{0, 255}, Inputs: Range{0, 1}, Targets: Range{0, 1}}
		},
	} {
		if of(change) != want {
			t.Errorf("%s change the checksum", what)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	seen := map[string]string{want: "nothing"}
	for what, change := range map[string]func(*Dataset){
		"a pixel of the training set": func(d *Dataset) { d.Train.Pixels[random.IntN(len(d.Train.Pixels))] ^= 1 },
		"a label of the test set":     func(d *Dataset) { d.Test.Labels[random.IntN(10)] ^= 1 },
		"a pixel to validate":         func(d *Dataset) { d.Validation.Pixels[3] ^= 1 },
		"the scale":                   func(d *Dataset) { d.Train.Scale.Targets = Range{-1, 1} },
		"the shape":                   func(d *Dataset) { d.Train.Rows, d.Train.Cols = d.Train.Cols*2, d.Train.Rows/2 },
		"the classes":                 func(d *Dataset) { d.Test.Classes = 11 },
		"no validation":               func(d *Dataset) { d.Validation = nil },
		"another division":            func(d *Dataset) { d.Train, d.Validation = d.Validation, d.Train },
	} {
		sum := of(change)
		if other := seen[sum]; other != "" {
			t.Errorf("%s: the same checksum as with %s", what, other)
		}
		seen[sum] = what
	}
}
