package data

import "math/bits"

// FileOrder returns the order 0, 1, …, n-1: the samples as they lie in the
// file, which is the listing's order.
func FileOrder(n int) []int32 {
	order := make([]int32, n)
	for i := range order {
		order[i] = int32(i)
	}
	return order
}

// Shuffled returns the order in which the n samples are visited in an epoch of
// a run with the given seed. It depends on its arguments only, so a resumed
// run finds the order of its epoch without drawing those before it. n is at
// most 2³¹-1, as in every Set that this package reads.
//
// The shuffle is Fisher and Yates's, from the top: for i = n-1 … 1, swap i
// with ⌊u·(i+1)/2⁶⁴⌋, u the next Uint64 of Stream(seed, "shuffle", epoch).
// It is written out here, and not rand.Shuffle, because Go does not promise
// that rand.Shuffle gives the same order in its next version, and a run must
// be repeatable. No place is favoured by more than n/2⁶⁴.
func Shuffled(n int, seed uint64, epoch int) []int32 {
	order := FileOrder(n)
	r := Stream(seed, "shuffle", uint64(epoch))
	for i := n - 1; i > 0; i-- {
		j, _ := bits.Mul64(r.Uint64(), uint64(i+1))
		order[i], order[j] = order[j], order[i]
	}
	return order
}
