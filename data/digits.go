package data

import (
	"math/rand/v2"

	"trainer/data/digits"
)

// BuiltIn is the Source of the built-in digits, and of no other data set.
const BuiltIn = "built in"

// digitsName is their name.
const digitsName = "digits (built in)"

// GenerateDigits returns the built-in digits of a seed: train and test images,
// neither number negative. 60,000 + 10,000, as in MNIST, take some seconds on
// one core; it uses as many as Go does. See package digits.
func GenerateDigits(seed uint64, train, test int) *Dataset {
	return &Dataset{
		Name:   digitsName,
		Source: BuiltIn,
		Train:  digitsSet(seed, digits.Train, train),
		Test:   digitsSet(seed, digits.Test, test),
	}
}

func digitsSet(seed uint64, split digits.Split, n int) *Set {
	streams := func(purpose string, n uint64) *rand.Rand { return Stream(seed, purpose, n) }
	s := &Set{Name: digitsName + " " + string(split), Rows: digits.Side, Cols: digits.Side, Classes: digits.Classes}
	s.Pixels, s.Labels = digits.Images(streams, split, n)
	return s
}
