package data

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// pngOf returns an image as a PNG file.
func pngOf(tb testing.TB, m image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func grey(s *Set, i int) *image.Gray {
	return &image.Gray{Pix: s.Image(i), Stride: s.Cols, Rect: image.Rect(0, 0, s.Cols, s.Rows)}
}

// putClassFolders writes a set as a folder for each class.
func putClassFolders(tb testing.TB, dir string, s *Set, name func(class uint8) string) {
	tb.Helper()
	for i, label := range s.Labels {
		folder := filepath.Join(dir, name(label))
		if err := os.MkdirAll(folder, 0o750); err != nil {
			tb.Fatal(err)
		}
		put(tb, folder, fmt.Sprintf("%04d.png", i), pngOf(tb, grey(s, i)))
	}
}

// byClass returns the images of a set sorted by class, in their order.
func sortedByClass(s *Set) *Set {
	sorted := &Set{Rows: s.Rows, Cols: s.Cols, Classes: s.Classes}
	for class := range s.Classes {
		for i, label := range s.Labels {
			if int(label) == class {
				sorted.Labels, sorted.Pixels = append(sorted.Labels, label), append(sorted.Pixels, s.Image(i)...)
			}
		}
	}
	return sorted
}

func TestClassFolders(t *testing.T) {
	d := smallDigits(60, 30)
	numbers := func(k uint8) string { return fmt.Sprint(k) }
	train, test := sortedByClass(d.Train), sortedByClass(d.Test)
	dir := t.TempDir()
	putClassFolders(t, filepath.Join(dir, "train"), d.Train, numbers)
	putClassFolders(t, filepath.Join(dir, "test"), d.Test, numbers)
	put(t, filepath.Join(dir, "train"), ".DS_Store", nil)
	put(t, filepath.Join(dir, "train", "3"), "Thumbs.db", nil)
	for _, s := range []Spec{
		{Dir: dir},
		{TrainFiles: []string{filepath.Join(dir, "train")}, TestFiles: []string{filepath.Join(dir, "test")}},
	} {
		s.Kind, s.Classes = Files, 10
		got, notes, err := Open(context.Background(), s)
		if err != nil {
			t.Fatal(err)
		}
		requireSame(t, got.Train, train)
		requireSame(t, got.Test, test)
		if len(notes) != 0 {
			t.Errorf("notes %v", notes)
		}
	}
	got, _, err := Open(context.Background(), Spec{Kind: Files, Dir: filepath.Join(dir, "train"), Classes: 10})
	if err != nil || got.Train.Len() != 48 || got.Test.Len() != 12 {
		t.Errorf("one folder: %v", err)
	}

	// Names are in their order, and a file that is no image is left out.
	names := t.TempDir()
	putClassFolders(t, names, d.Train, func(k uint8) string { return string(rune('j' - k)) })
	put(t, filepath.Join(names, "a"), "notes.txt", nil)
	got, notes, err := Open(context.Background(), Spec{Kind: Files, TrainFiles: []string{names}, Classes: 10})
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Split("abcdefghij", ""); !slices.Equal(got.Train.ClassNames, want) {
		t.Errorf("classes %q, want %q", got.Train.ClassNames, want)
	}
	if !strings.Contains(fmt.Sprint(notes), `left out, as they are no PNG or JPEG images: "a/notes.txt"`) {
		t.Errorf("notes %v", notes)
	}
}

// TestGrey: colours become grey by luminance.
func TestGrey(t *testing.T) {
	m := image.NewNRGBA(image.Rect(0, 0, 3, 2))
	colours := []color.NRGBA{{255, 0, 0, 255}, {0, 255, 0, 255}, {0, 0, 255, 255}, {255, 255, 255, 255}, {255, 255, 255, 0}, {255, 255, 255, 128}}
	want := []uint8{76, 150, 29, 255, 0, 128} // 0.299, 0.587, 0.114 of 255
	for i, c := range colours {
		m.SetNRGBA(i%3, i/3, c)
	}
	dir := t.TempDir()
	for name, m := range map[string]image.Image{"a": m, "b": m.SubImage(m.Rect)} {
		got, err := decodeGrey(put(t, dir, name+".png", pngOf(t, m)), image.Point{})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range want {
			if d := int(got.Pix[i]) - int(v); d > 1 || d < -1 {
				t.Errorf("pixel %d of %s is %d, want %d", i, name, got.Pix[i], v)
			}
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, 5, 7)), nil); err != nil {
		t.Fatal(err)
	}
	got, err := decodeGrey(put(t, dir, "c.jpg", b.Bytes()), image.Pt(5, 7))
	if err != nil || got.Rect.Size() != image.Pt(5, 7) {
		t.Errorf("JPEG: %v", err)
	}
}

func TestClassFoldersFaults(t *testing.T) {
	d := smallDigits(60, 0).Train
	other := pngOf(t, image.NewGray(image.Rect(0, 0, 9, 8)))
	flat := pngOf(t, image.NewGray(image.Rect(0, 0, 8, 8)))
	bomb := pngOf(t, image.NewGray(image.Rect(0, 0, 4097, 4096)))
	for name, c := range map[string]struct {
		change func(dir string)
		want   []string
	}{
		"other size":  {func(dir string) { put(t, filepath.Join(dir, "7"), "x.png", other) }, []string{"7/x.png: an image of 8×9 pixels", "8×8"}},
		"no image":    {func(dir string) { put(t, filepath.Join(dir, "7"), "x.png", []byte("text")) }, []string{"7/x.png: neither PNG nor JPEG"}},
		"cut off":     {func(dir string) { put(t, filepath.Join(dir, "7"), "x.png", flat[:len(flat)-20]) }, []string{"7/x.png: "}},
		"too large":   {func(dir string) { put(t, filepath.Join(dir, "7"), "x.png", bomb) }, []string{"7/x.png: an image of 4096×4097 pixels, want at most 16777216 pixels"}},
		"empty class": {func(dir string) { mustMkdir(t, filepath.Join(dir, "8x")) }, []string{"8x: no PNG or JPEG image in the folder of a class"}},
		"a folder":    {func(dir string) { mustMkdir(t, filepath.Join(dir, "7", "x")) }, []string{"7/x: a folder in the folder of a class"}},
		"one class": {func(dir string) {
			for k := range 10 {
				if k != 7 {
					_ = os.RemoveAll(filepath.Join(dir, fmt.Sprint(k)))
				}
			}
		}, []string{`all `, `labels are "7"`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			putClassFolders(t, dir, d, func(k uint8) string { return fmt.Sprint(k) })
			c.change(dir)
			_, _, err := Open(context.Background(), Spec{Kind: Files, TrainFiles: []string{dir}})
			for i := range c.want {
				c.want[i] = filepath.FromSlash(c.want[i])
			}
			requireError(t, err, c.want...)
		})
	}
	dir := t.TempDir()
	putClassFolders(t, dir, d, func(k uint8) string { return fmt.Sprint(k) })
	put(t, filepath.Join(dir, "7"), "x.png", flat)
	_, notes, err := Open(context.Background(), Spec{Kind: Files, TrainFiles: []string{dir}})
	if err != nil || !strings.Contains(fmt.Sprint(notes), "x.png: an image of one colour only") {
		t.Errorf("a blank image: %v, %v", err, notes)
	}
	// Blank images of 16 megapixels pack to a few kilobytes.
	bombs := t.TempDir()
	for _, class := range []string{"0", "1"} {
		mustMkdir(t, filepath.Join(bombs, class))
		for i := range 8 {
			put(t, filepath.Join(bombs, class), fmt.Sprint(i, ".png"), pngOfSize(t, 4096))
		}
	}
	_, _, err = Open(context.Background(), Spec{Kind: Files, TrainFiles: []string{bombs}})
	requireError(t, err, "16 images of 4096×4096 pixels", "too much to be true")
}

var blank []byte

func pngOfSize(tb testing.TB, side int) []byte {
	tb.Helper()
	if blank == nil {
		blank = pngOf(tb, image.NewGray(image.Rect(0, 0, side, side)))
	}
	return blank
}

func mustMkdir(tb testing.TB, dir string) {
	tb.Helper()
	if err := os.Mkdir(dir, 0o750); err != nil {
		tb.Fatal(err)
	}
}
