package data

import (
	"crypto/sha256"
	"encoding/binary"
	"math/rand/v2"
)

// Stream returns the random numbers of a run for one purpose ("init",
// "shuffle", "digits", …) and one number within the purpose (the epoch, the
// layer, the image; 0 where there is only one). Each triple has a stream of
// its own: to draw more for one purpose changes no other, and epoch 7 can be
// drawn without epochs 1 to 6.
//
// The stream is a PCG-DXSM generator, an algorithm that math/rand/v2 fixes. Its
// two 64-bit seeds are the first 16 bytes, as little-endian words, of
//
//	SHA-256(seed ‖ n ‖ purpose)
//
// with seed and n as 8 bytes each, little-endian, and purpose as it is. Equal
// arguments give equal Uint64 values on every platform and with every version
// of Go. How Rand's other methods (IntN, NormFloat64, Shuffle, …) map these
// onto their results is not promised by Go; Shuffled does without them.
func Stream(seed uint64, purpose string, n uint64) *rand.Rand {
	b := make([]byte, 0, 64)
	b = binary.LittleEndian.AppendUint64(b, seed)
	b = binary.LittleEndian.AppendUint64(b, n)
	b = append(b, purpose...)
	sum := sha256.Sum256(b)
	return rand.New(rand.NewPCG(
		binary.LittleEndian.Uint64(sum[0:8]),
		binary.LittleEndian.Uint64(sum[8:16]),
	))
}
