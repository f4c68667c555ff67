package data

import (
	"crypto/sha256"
	"encoding/hex"
	"sync"
)

// Sums returns the SHA-256 sums of the images and of the labels, in hexadecimal: of
// the IDX files, not compressed, that WriteIDX would write. So for MNIST they are
// those of the published files, and equal sets have equal sums whatever the format of
// their files.
func (s *Set) Sums() (images, labels string) {
	if images = s.imagesSum; images == "" {
		images = sum(s.imagesHeader(), s.Pixels)
	}
	return images, sum(labelsHeader(s), s.Labels)
}

// sumAhead computes the sum of a header and of what add is given, in another goroutine. It
// reads a part later, so the caller does not change it. sum ends the goroutine and
// returns the sum; it may be called more than once.
func sumAhead(header []byte) (add func(part []byte), sum func() string) {
	parts := make(chan []byte, 64) // of a megabyte: a slow sum keeps nobody waiting
	result := make(chan string, 1)
	go func() {
		h := sha256.New()
		h.Write(header)
		for part := range parts {
			h.Write(part)
		}
		result <- hex.EncodeToString(h.Sum(nil))
	}()
	add = func(part []byte) { parts <- part }
	sum = sync.OnceValue(func() string {
		close(parts)
		return <-result
	})
	return add, sum
}

func sum(parts ...[]byte) string {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return hex.EncodeToString(h.Sum(nil))
}
