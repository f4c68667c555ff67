package data

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
)

// Sum returns a checksum of all that training and evaluation use of the data set: the
// size, the scale, the pixels and the labels of its sets, in their order. Names do not
// count. It is a SHA-256 in hexadecimal digits.
func (d *Dataset) Sum() string {
	h := sha256.New()
	for _, s := range []*Set{d.Train, d.Validation, d.Test} {
		var head struct {
			There               bool
			Rows, Cols, Classes int
			Samples             int
			Pixels              Range
			Inputs, Targets     Range
		}
		if s != nil {
			head.There, head.Rows, head.Cols, head.Classes, head.Samples = true, s.Rows, s.Cols, s.Classes, s.Len()
			head.Pixels, head.Inputs, head.Targets = s.Scale.Pixels.or(Range{0, 255}), s.Scale.InputRange(), s.Scale.TargetRange()
		}
		text, err := json.Marshal(head)
		if err != nil {
			panic("BUG: " + err.Error()) // a scale has no NaN
		}
		h.Write(binary.LittleEndian.AppendUint64(nil, uint64(len(text))))
		h.Write(text)
		if s != nil {
			h.Write(s.Pixels)
			h.Write(s.Labels)
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}
