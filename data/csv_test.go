package data

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"trainer/data/files/costtest"
)

// readCSVBytes reads a file held in memory, called "f.csv".
func readCSVBytes(b []byte, classes int) (*Set, error) {
	in, err := newInput("csv", "f.csv", bytes.NewReader(b), int64(len(b)))
	if err != nil {
		return nil, err
	}
	t, err := readCSV(context.Background(), in, csvOptions{values: Range{0, 255}})
	if err != nil {
		return nil, err
	}
	return t.set(classes)
}

func TestReadCSV(t *testing.T) {
	for _, c := range []struct{ n, rows, cols, classes int }{
		{1, 1, 1, 1}, {7, 28, 28, 10}, {3, 1, 45, 256}, {3, 600, 600, 10}, // the last: lines longer than the buffer
	} {
		want := testSet(c.n, c.rows, c.cols, c.classes, 3)
		raw := csvBytes(t, want)
		for name, b := range map[string][]byte{
			"plain":        raw,
			"packed":       gz(t, raw),
			"CRLF":         bytes.ReplaceAll(raw, []byte("\n"), []byte("\r\n")),
			"no last end":  bytes.TrimSuffix(raw, []byte("\n")),
			"blank lines":  append(bytes.Clone(raw), "\n\r\n"...),
			"mark":         append([]byte("\ufeff"), raw...),
			"mark, packed": gz(t, append([]byte("\ufeff"), raw...)),
		} {
			t.Run(fmt.Sprintf("%d×%d×%d %s", c.n, c.rows, c.cols, name), func(t *testing.T) {
				path := put(t, t.TempDir(), "f", b)
				got, err := ReadCSV(context.Background(), path, c.classes)
				if err != nil {
					t.Fatal(err)
				}
				requireSame(t, got, want)
				if got.Name != path {
					t.Errorf("the set's name is %q, want %q", got.Name, path)
				}
			})
		}
	}
}

func TestReadCSVHeader(t *testing.T) {
	want := &Set{Rows: 1, Cols: 2, Classes: 10, Pixels: []uint8{0, 255, 7, 8}, Labels: []uint8{3, 0}}
	for _, header := range []string{
		"label,pixel0,pixel1\n", "label,1x1,1x2\r\n", "Label,0,1\n", `"label","p0","p1"` + "\n", "y,a,b\n",
		"\ufefflabel,p0,p1\n",
	} {
		got, err := readCSVBytes([]byte(header+"3,0,255\n0,007,8\n"), 10)
		if err != nil {
			t.Errorf("header %q: %v", header, err)
			continue
		}
		requireSame(t, got, want)
	}
}

func TestReadCSVFaults(t *testing.T) {
	for text, want := range map[string]string{
		"":                              "csv: f.csv:1:1: no images",
		"\n\n":                          "no images",
		"label,p0\n":                    "no images",
		"7\n":                           `csv: f.csv:1:1: a line of one field "7", want label,p0,p1`,
		"<html>\n":                      `csv: f.csv:1:1: a line of one field "<html>"`,
		"1 2 3\n":                       "3 columns with spaces between them, want commas, tabs or semicolons",
		"1,2\n10,3\n":                   `csv: f.csv:2: label 10, want 0 to 9: the network has 10 outputs`,
		"1,2\n18446744073709551617,3\n": `csv: f.csv:2:1: label is "18446744073709551617", want a whole number`,
		"1,2\n1.5,3\n":                  `csv: f.csv:2:1: label is "1.5", want a whole number`,
		"1,2\n,3\n":                     `csv: f.csv:2:1: label is "", which is no label`,
		"1,2\nnan,3\n":                  `csv: f.csv:2:1: label is "nan", which is no label`,
		"1,2\n\x1b]0;x,3\n":             `csv: f.csv:2:1: label is "\x1b]0;x", want a number or a name`,
		"1,x\n":                         `csv: f.csv:1:3: pixel 0 is "x", want a number`,
		"1,2\n1,256\n":                  `csv: f.csv:2:3: pixel 0 is "256", want a number from 0 to 255`,
		"1,2,3,4\n1,20,30,-4\n":         `csv: f.csv:2:9: pixel 2 is "-4"`,
		"1,2,3,9\n1,20,3e3,4\n":         `csv: f.csv:2:6: pixel 1 is "3e3"`,
		"1,2\n1,4294967297\n":           `pixel 0 is "4294967297"`,
		"1,2\n1,\n":                     `csv: f.csv:2:3: pixel 0 is "", want a number`,
		"1,2,4\n1,,3\n":                 `csv: f.csv:2:3: pixel 0 is ""`,
		"1,2\n1,inf\n":                  `csv: f.csv:2:3: pixel 0 is "inf"`,
		"1,2\n1,0x10\n":                 `csv: f.csv:2:3: pixel 0 is "0x10"`,
		"1,2\n1,1e99\n":                 `csv: f.csv:2:3: pixel 0 is "1e99"`,
		"\ufeff1,x\n":                   `csv: f.csv:1:6: pixel 0 is "x"`, // the mark is 3 bytes
		"1,2\r\n1,x\r\n":                `csv: f.csv:2:3: pixel 0 is "x"`,
		"1,2\r\r\n\r\r\n1,x\r\r\n":      `csv: f.csv:3:3: pixel 0 is "x"`,
		"1,2\r1,2\r1,x":                 `csv: f.csv:3:3: pixel 0 is "x"`,
		"label,p0\n1,2\n1,x\n":          `csv: f.csv:3:3: pixel 0 is "x"`,
		"1,2\nlabel,p0\n":               `csv: f.csv:2:7: pixel 0 is "p0"`,
		"label,p0\n1,2\nlabel,p0\n":     `csv: f.csv:3:1: this is the header again`,
		"1,2,4\n1,2\n":                  `csv: f.csv:2:4: the line ends after 2 columns, want 3 as in line 1`,
		"1,2,4\n1,2,3,4\n":              `csv: f.csv:2:7: the line has 4 columns, want 3 as in line 1`,
		"label,p0,p1\n1,2\n":            `csv: f.csv:2:4: the line ends after 2 columns, want 3 as in line 1`,
		"1,2\n1," + strings.Repeat("9", 99) + "\n":         `pixel 0 is "` + strings.Repeat("9", 40) + `"…, want`,
		"1,2\n1,7\n1,x\x00yyyyyyyyyyy\n":                   "this is no text",
		"1,2\n" + strings.Repeat("1,2\n", 20) + "1,\x00\n": `csv: f.csv:22:3: pixel 0 is "\x00"`,
	} {
		_, err := readCSVBytes([]byte(text), 10)
		requireError(t, err, want)
		if text != "" {
			_, err = readCSVBytes(gz(t, []byte(text)), 10)
			requireError(t, err, want)
		}
	}
	_, err := ReadCSV(context.Background(), "f.csv", 300)
	requireError(t, err, "csv: 300 classes, want 1 to 256")
	_, err = ReadCSV(context.Background(), t.TempDir(), 10)
	requireError(t, err, "not a file")
}

func TestReadCSVDamagedGzip(t *testing.T) {
	packed := gz(t, csvBytes(t, testSet(6, 5, 5, 10, 1)))
	for cut := range packed {
		if cut == 0 {
			continue // an empty file is another error
		}
		if _, err := readCSVBytes(packed[:cut], 10); err == nil {
			t.Fatalf("cut at %d of %d bytes: no error", cut, len(packed))
		}
	}
	packed[len(packed)-8] ^= 1
	_, err := readCSVBytes(packed, 10)
	requireError(t, err, "csv: f.csv: offset", "gzip: wrong checksum")
}

// Bombs: many lines, and one line without an end. Both stop at the limit for
// unpacked bytes, here 1 MB.
func TestReadCSVBomb(t *testing.T) {
	for name, text := range map[string]string{
		"lines": strings.Repeat("0"+strings.Repeat(",0", 99)+"\n", 80000),
		"line":  "0" + strings.Repeat(",0", 8<<20),
	} {
		t.Run(name, func(t *testing.T) {
			b := gz(t, []byte(text))
			in, err := newInput("csv", "f.csv", bytes.NewReader(b), int64(len(b)))
			if err != nil {
				t.Fatal(err)
			}
			in.limit = 1 << 20
			got := allocated(func() { _, err = readCSV(context.Background(), in, csvOptions{}) })
			requireError(t, err, "csv: f.csv: offset", fmt.Sprintf("%d bytes of gzip unpack to more than 1048576 bytes", len(b)))
			if got > 8<<20 {
				t.Errorf("%d bytes allocated, want at most 8 MB", got)
			}
		})
	}
}

// A line without an end stops at the longest line that can hold an image.
func TestReadCSVLongLine(t *testing.T) {
	p := csvParser{path: "f.csv", longest: 1000, end: '\n', other: '\r'}
	r := bufio.NewReaderSize(strings.NewReader("1,"+strings.Repeat("0", 997)+"\n1,"+strings.Repeat("0", 998)+"\n"), 64)
	if line, err := p.readLine(r); err != nil || len(line) != 1000 {
		t.Errorf("a line of %d bytes, error %v, want 1000", len(line), err)
	}
	_, err := p.readLine(r)
	requireError(t, err, "csv: f.csv:1:1: a line of more than 1000 bytes, want at most 16777216 pixels")
}

func TestReadCSVMemory(t *testing.T) {
	b := csvBytes(t, testSet(2000, 28, 28, 10, 1)) // some 4.5 MB
	got := allocated(func() {
		if _, err := readCSVBytes(b, 10); err != nil {
			t.Fatal(err)
		}
	})
	if most := uint64(len(b)); got > most {
		t.Errorf("%d bytes allocated for a file of %d", got, most)
	}
}

func TestReadCSVCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := ReadCSV(ctx, put(t, t.TempDir(), "f", []byte("1,2\n")), 10)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one that wraps context.Canceled", err)
	}
}

// slowCSV reads what is plainly a CSV of images, with strings and strconv.
func slowCSV(text string) (labels, pixels []uint8, ok bool) {
	for line := range strings.Lines(text) {
		if p := (csvParser{layout: layout{separator: ','}}); labels == nil && p.isHeader(p.fields([]byte(strings.TrimRight(line, "\r\n")))) {
			return nil, nil, false
		}
		for i, field := range strings.Split(strings.TrimRight(line, "\r\n"), ",") {
			v, err := strconv.ParseUint(field, 10, 8)
			if err != nil {
				return nil, nil, false
			}
			if i == 0 {
				labels = append(labels, uint8(v))
			} else {
				pixels = append(pixels, uint8(v))
			}
		}
	}
	return labels, pixels, true
}

// Whatever the bytes, the reader returns an error or a consistent set, which it
// reads again from what WriteCSV makes of it; and where the slow reader
// understands every field, it found the same.
func FuzzReadCSV(f *testing.F) {
	f.Add([]byte("1,2,3\n4,5,6\n"))
	f.Add([]byte("\ufefflabel,p0\r\n1,255\r\n\r\n"))
	f.Add([]byte("7,0,0,0,0\n9,1,2,3,256\n"))
	f.Add([]byte("1,2\n\n1,2"))
	f.Add([]byte("\"a,b\";label\r\"1\"; 5e0\r2,0;x\r\r\n"))
	f.Add([]byte("id,p0,y\n7,0.5,cat\n8,16,dog\n,,\n"))
	f.Add(gz(f, []byte("1,2\n3,4\n")))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s *Set
		var err error
		costtest.Check(t, len(b), 4<<20, 5000, func() { s, err = readCSVBytes(b, 10) })
		if err != nil {
			return
		}
		if err := s.Check(); err != nil {
			t.Fatal(err)
		}
		again, err := readCSVBytes(csvBytes(t, s), 10)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, again, s)
		if labels, pixels, ok := slowCSV(string(b)); ok {
			if !bytes.Equal(labels, s.Labels) || !bytes.Equal(pixels, s.Pixels) {
				t.Fatalf("read %v %v, want %v %v", s.Labels, s.Pixels, labels, pixels)
			}
		}
	})
}
