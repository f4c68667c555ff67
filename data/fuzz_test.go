package data

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"trainer/data/files/costtest"
)

// rowBombs make files of rows of about the given size that are costly to read.
var rowBombs = map[string]func(size int) []byte{
	"ids":    func(size int) []byte { return []byte(strings.Repeat("id,", size/3) + "p\n") },
	"labels": func(size int) []byte { return []byte("id," + strings.Repeat("label,", size/6) + "p\n") },
	"quotes": func(size int) []byte { return []byte(strings.Repeat(`"",`, size/3) + "\n") },
	"open":   func(size int) []byte { return []byte(`"` + strings.Repeat("a,", size/2)) },
	"rows":   func(size int) []byte { return bytes.Repeat([]byte("1\n"), size/2) },
	"empty":  func(size int) []byte { return bytes.Repeat([]byte("\n"), size) },
	"fields": func(size int) []byte { return []byte(strings.Repeat(",", size) + "\n") },
	"number": func(size int) []byte { return []byte(strings.Repeat("1", size) + "\n") },
}

func readRowBytes(b []byte, inputs int) (*Rows, error) {
	in, err := newInput("rows", "f.csv", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	return readRows(context.Background(), in, RowOptions{Inputs: inputs, ID: "id", Values: Range{0, 255}})
}

// TestRowsCost checks that the memory for a file of rows is linear in its size.
func TestRowsCost(t *testing.T) {
	for name, bomb := range rowBombs {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, 100_000, bomb, func(b []byte) { _, _ = readRowBytes(b, 1) })
		})
	}
}

// FuzzReadRows: whatever the bytes, the reader returns an error or whole rows, and few
// notes.
func FuzzReadRows(f *testing.F) {
	f.Add([]byte("id,pixel0,pixel1\n7,1,255\n"), 2)
	f.Add([]byte("pixel0;pixel1;label\n1;2;3\n"), 2)
	f.Add([]byte("\ufeff\"1\", \"2\"\n"), 2)
	f.Add([]byte("1.0\t2e0\n"), 2)
	f.Add(gz(f, []byte("1,2\n3,4\n")), 2)
	for _, bomb := range rowBombs {
		f.Add(bomb(300), 1)
	}
	f.Fuzz(func(t *testing.T, b []byte, inputs int) {
		if inputs < 1 || inputs > 1000 {
			return
		}
		var r *Rows
		var err error
		costtest.Check(t, len(b), 4<<20, 20_000, func() { r, err = readRowBytes(b, inputs) })
		if err != nil {
			return
		}
		if r.Inputs != inputs || r.Len() == 0 || len(r.Pixels) != r.Len()*inputs || r.IDs != nil && len(r.IDs) != r.Len() || len(r.Notes) > maxNotes {
			t.Errorf("%d rows of %d pixels, %d identifiers, %d notes", r.Len(), len(r.Pixels), len(r.IDs), len(r.Notes))
		}
	})
}

// FuzzGzip: whatever the bytes, an input returns an error, or as many bytes as it says,
// and no more than its limit.
func FuzzGzip(f *testing.F) {
	f.Add(gz(f, []byte("hello")))
	f.Add(append(gz(f, []byte("hello")), gz(f, []byte(" again"))...))
	f.Add(append(gz(f, []byte("hello")), "trailing"...))
	f.Add(gz(f, make([]byte, 1<<20)))
	f.Add(gz(f, []byte("hello"))[:12])
	f.Add([]byte("\x1f\x8b"))
	f.Add([]byte("<html>"))
	f.Fuzz(func(t *testing.T, b []byte) {
		costtest.Check(t, len(b), 1<<20, 100, func() {
			in, err := newInput("idx", "f", bytes.NewReader(b), int64(len(b)))
			if err != nil {
				return
			}
			n, err := io.Copy(io.Discard, in)
			if err == nil && (n != in.off || in.packed && n > in.limit || !in.packed && n != int64(len(b))) {
				t.Errorf("%d bytes, offset %d, limit %d: %v", n, in.off, in.limit, fmt.Sprint(err))
			}
		})
	})
}
