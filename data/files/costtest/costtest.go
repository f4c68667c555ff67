// Package costtest checks that the cost of reading an input is linear in its size. It
// counts bytes allocated, not time, so that a test does not depend on the computer: what
// takes long for its size usually copies or builds something again and again.
package costtest

import (
	"runtime"
	"testing"
)

// Allocated returns the bytes that do allocates, together with what other goroutines do
// meanwhile.
func Allocated(do func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	do()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}

// Check fails if do, which reads size bytes, allocates more than fixed + perByte·size
// bytes.
func Check(tb testing.TB, size, fixed, perByte int, do func()) {
	tb.Helper()
	if have, most := Allocated(do), int64(fixed)+int64(perByte)*int64(size); have > most {
		tb.Errorf("%d bytes of input: %d bytes allocated, want at most %d + %d for each byte", size, have, fixed, perByte)
	}
}

// Linear fails if reading an input that is four times as large allocates more than six
// times as much. input returns an input of about the given size.
func Linear(tb testing.TB, size int, input func(size int) []byte, read func([]byte)) {
	tb.Helper()
	small, large := input(size), input(4*size)
	read(small) // what is done once
	a, b := Allocated(func() { read(small) }), Allocated(func() { read(large) })
	if ratio := float64(len(large)) / float64(len(small)); float64(b) > 1.5*ratio*float64(a)+1e6 {
		tb.Errorf("%d bytes of input: %d bytes allocated; %d bytes of input: %d bytes allocated", len(small), a, len(large), b)
	}
}
