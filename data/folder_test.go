package data

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// putIDX writes d's four files under names made from the patterns "train" and
// "t10k" by name.
func putIDX(tb testing.TB, dir string, d *Dataset, packed bool, name func(set, kind, dims string) string) {
	tb.Helper()
	for set, s := range map[string]*Set{"train": d.Train, "t10k": d.Test} {
		images, labels := idxBytes(tb, s)
		if packed {
			images, labels = gz(tb, images), gz(tb, labels)
		}
		put(tb, dir, name(set, "images", "idx3"), images)
		put(tb, dir, name(set, "labels", "idx1"), labels)
	}
}

func dashed(set, kind, dims string) string { return set + "-" + kind + "-" + dims + "-ubyte" }
func dotted(set, kind, dims string) string { return set + "-" + kind + "." + dims + "-ubyte" }

// folder reads a set of one's own from a folder.
func folder(ctx context.Context, dir string, classes int, formats ...Kind) (*Dataset, error) {
	kind := formats[0]
	if len(formats) > 1 {
		kind = Files
	}
	d, _, err := Spec{Dir: dir, Classes: classes}.folder(ctx, kind)
	return d, err
}

func TestFolder(t *testing.T) {
	want := &Dataset{Train: testSet(12, 3, 5, 200, 1), Test: testSet(5, 3, 5, 200, 2)}
	idxOrEither, csvOrEither := [][]Kind{{IDX}, {IDX, CSV}}, [][]Kind{{CSV}, {IDX, CSV}}
	square := &Dataset{Train: testSet(12, 4, 4, 200, 1), Test: testSet(5, 4, 4, 200, 2)}
	for name, c := range map[string]struct {
		write   func(dir string)
		formats [][]Kind
		want    *Dataset
	}{
		"idx": {func(dir string) { putIDX(t, dir, want, false, dashed) }, idxOrEither, want},
		"idx.gz": {func(dir string) {
			putIDX(t, dir, want, true, func(s, k, d string) string { return dashed(s, k, d) + ".gz" })
		}, idxOrEither, want},
		"dotted": {func(dir string) { putIDX(t, dir, want, false, dotted) }, idxOrEither, want},
		"dotted.gz": {func(dir string) {
			putIDX(t, dir, want, true, func(s, k, d string) string { return dotted(s, k, d) + ".gz" })
		}, idxOrEither, want},
		"dotted beside folders of the other name": {func(dir string) {
			putIDX(t, dir, want, false, dotted)
			if err := os.Mkdir(filepath.Join(dir, trainImagesIDX), 0o755); err != nil {
				t.Fatal(err)
			}
		}, idxOrEither, want},
		"csv":    {func(dir string) { putCSV(t, dir, square, false) }, csvOrEither, square},
		"csv.gz": {func(dir string) { putCSV(t, dir, square, true) }, csvOrEither, square},
		"csv and half of idx": {func(dir string) {
			putCSV(t, dir, square, false)
			put(t, dir, trainImagesIDX, nil)
		}, csvOrEither, square},
		"both: idx": {func(dir string) {
			putCSV(t, dir, square, false)
			putIDX(t, dir, want, false, dashed)
		}, idxOrEither, want},
		"both: csv": {func(dir string) {
			putCSV(t, dir, square, false)
			putIDX(t, dir, want, false, dashed)
		}, [][]Kind{{CSV}}, square},
	} {
		for _, formats := range c.formats {
			t.Run(fmt.Sprintf("%s as %v", name, formats), func(t *testing.T) {
				dir := t.TempDir()
				c.write(dir)
				got, err := folder(context.Background(), dir, 200, formats...)
				if err != nil {
					t.Fatal(err)
				}
				requireSame(t, got.Train, c.want.Train)
				requireSame(t, got.Test, c.want.Test)
				if got.Name != dir || got.Source != dir || got.Train.Name != dir+" train" || got.Test.Name != dir+" test" {
					t.Errorf("names %q, %q, %q, %q", got.Name, got.Source, got.Train.Name, got.Test.Name)
				}
			})
		}
	}
}

func TestFolderFaults(t *testing.T) {
	d := testDataset()
	full := t.TempDir()
	putIDX(t, full, d, false, dashed)
	_, err := folder(context.Background(), full, 10, CSV)
	requireError(t, err, "data: "+full, "looked for mnist_train.csv, mnist_test.csv (each may end in .gz)",
		"the folder holds t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte, train-images-idx3-ubyte, train-labels-idx1-ubyte")
	_, err = folder(context.Background(), full, 5, IDX)
	requireError(t, err, "idx: "+full, "offset", "want 0 to 4")

	empty := t.TempDir()
	_, err = folder(context.Background(), empty, 10, IDX, CSV)
	requireError(t, err, "looked for train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte, "+
		"t10k-labels-idx1-ubyte; or mnist_train.csv, mnist_test.csv", "the folder is empty")
	_, err = folder(context.Background(), filepath.Join(empty, "no"), 10, IDX, CSV)
	requireError(t, err, "the folder does not exist")
	_, err = folder(context.Background(), put(t, t.TempDir(), "file", nil), 10, IDX)
	requireError(t, err, "this is a file, not a folder")

	many := t.TempDir()
	for c := 'a'; c <= 'z'; c++ {
		put(t, many, string(c), nil)
	}
	_, err = folder(context.Background(), many, 10, IDX)
	requireError(t, err, ", …")
	if n := strings.Count(err.Error(), ","); n > 20 {
		t.Errorf("too long a list: %v", err)
	}

	sizes := t.TempDir()
	putIDX(t, sizes, &Dataset{Train: d.Train, Test: testSet(2, 3, 4, 10, 1)}, false, dashed)
	_, err = folder(context.Background(), sizes, 10, IDX)
	requireError(t, err, filepath.Join(sizes, trainImagesIDX)+" has images of 3×3 pixels, but ",
		filepath.Join(sizes, testImagesIDX)+" of 3×4; training and test need the same size")

	for _, broken := range []string{trainImagesIDX, testLabelsIDX} {
		dir := t.TempDir()
		putIDX(t, dir, d, false, dashed)
		path := put(t, dir, broken, []byte("text"))
		_, err = folder(context.Background(), dir, 10, IDX)
		requireError(t, err, "idx: "+path+": offset 0: magic number 0x74657874")
	}
}
