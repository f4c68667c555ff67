package data

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// TestOpenTestOnly: the test set is opened without the files of the training set,
// and is the one that Open gives with them.
func TestOpenTestOnly(t *testing.T) {
	ctx := context.Background()
	w := newWorld(t)
	idx, csv, empty := w.folder(t, t.TempDir()), t.TempDir(), t.TempDir()
	for _, name := range []string{trainImagesIDX, trainLabelsIDX} {
		if err := os.Remove(filepath.Join(idx, name)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(csv, "mnist_test.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteCSV(f, w.d.Test); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	classes := w.d.Test.Classes
	open := func(s Spec) (*Dataset, error) {
		s.TestOnly = true
		d, notes, err := s.open(ctx, w.Finder)
		if len(notes) > 0 {
			t.Errorf("notes %v", notes)
		}
		return d, err
	}
	for name, c := range map[string]struct {
		spec Spec
		name string
	}{
		"idx":           {Spec{Kind: IDX, Dir: idx, Classes: classes}, idx},
		"csv":           {Spec{Kind: CSV, Dir: csv, Classes: classes}, csv},
		"mnist, idx":    {Spec{Dir: idx}, "MNIST"},
		"mnist, csv":    {Spec{Dir: csv}, "MNIST"},
		"mnist, cached": {Spec{}, "MNIST"},
	} {
		w.folder(t, w.cache)
		d, err := open(c.spec)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Train != nil || d.Name != c.name || d.Test.Name != c.name+" test" {
			t.Errorf("%s: %+v", name, d)
		}
		requireSame(t, d.Test, w.d.Test)
	}

	if _, err := open(Spec{Kind: CSV, Dir: idx, Classes: classes}); err == nil {
		t.Error("csv: IDX files are taken")
	}
	_, err = open(Spec{Kind: IDX, Dir: empty, Classes: classes})
	requireError(t, err, empty, testImagesIDX, "the folder is empty")
	_, err = open(Spec{Kind: IDX, Classes: classes})
	requireError(t, err, "data.dir")
	w.d.Test.Pixels[0]++
	_, err = open(Spec{Dir: w.folder(t, t.TempDir())})
	requireError(t, err, "not MNIST's images")

	d, err := open(Spec{Kind: Digits, Seed: 3, Test: 10})
	if err != nil || d.Train != nil {
		t.Fatalf("%+v, %v", d, err)
	}
	requireSame(t, d.Test, GenerateDigits(3, 0, 10).Test)
}
