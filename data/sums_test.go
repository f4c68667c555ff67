package data_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"trainer/data"
)

// TestSums: the sums are those of the files that would be written.
func TestSums(t *testing.T) {
	s := &data.Set{Rows: 1, Cols: 2, Classes: 3, Pixels: []uint8{1, 2, 3, 4}, Labels: []uint8{0, 2}}
	var images, labels bytes.Buffer
	if err := data.WriteIDXImages(&images, s); err != nil {
		t.Fatal(err)
	}
	if err := data.WriteIDXLabels(&labels, s); err != nil {
		t.Fatal(err)
	}
	sum := func(b []byte) string {
		h := sha256.Sum256(b)
		return hex.EncodeToString(h[:])
	}
	i, l := s.Sums()
	if i != sum(images.Bytes()) || l != sum(labels.Bytes()) {
		t.Errorf("sums %s and %s", i, l)
	}
	s.Rows, s.Cols = 2, 1 // the same pixels in another shape are another set
	if other, _ := s.Sums(); other == i {
		t.Error("the shape does not count")
	}
}
