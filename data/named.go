package data

import (
	"context"
	"crypto/md5" //nolint:gosec // these sums are what was published
	"encoding/hex"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"trainer/data/files"
	"trainer/data/lang"
)

// namedSet is a published set other than MNIST in the same format.
type namedSet struct {
	kind       Kind
	title      string
	prefixes   [2]string // of the names of the files of the training and the test set
	labels     string    // how the name of a file of labels ends: "labels-idx1-ubyte"
	classes    []string  // names; nil: the digits
	transposed bool      // images lie on their side
	sums       []string  // MD5 of the packed files as published: train images, labels, test images, labels; nil: unknown
}

const standardLabels = "labels-idx1-ubyte"

// emnistClasses are the classes of EMNIST's splits with letters. Those of balanced
// and bymerge have one class for a capital and its small letter where both look
// alike.
var (
	capitals = strings.Split("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "")
	digits10 = strings.Split("0123456789", "")
	byClass  = append(append(append([]string{}, digits10...), capitals...), strings.Split("abcdefghijklmnopqrstuvwxyz", "")...)
	byMerge  = append(append(append([]string{}, digits10...), capitals...), strings.Split("abdefghnqrt", "")...)
)

// namedSets are all of them. The sums of Fashion-MNIST, KMNIST and QMNIST are those
// that their authors, and torchvision, publish.
var namedSets = []namedSet{
	{kind: "fashion-mnist", title: "Fashion-MNIST", prefixes: [2]string{"train", "t10k"}, labels: standardLabels,
		classes: []string{"T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"},
		sums: []string{"8d4fb7e6c68d591d4c3dfef9ec88bf0d", "25c81989df183df01b3e8a0aad5dffbe",
			"bef4ecab320f06d8554ea6380940ec79", "bb300cfdad3c16e7a12a480ee83cd310"}},
	{kind: "kmnist", title: "Kuzushiji-MNIST", prefixes: [2]string{"train", "t10k"}, labels: standardLabels,
		classes: []string{"o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"},
		sums: []string{"bdb82020997e1d708af4cf47b453dcf7", "e144d726b3acfaa3e44228e80efcd344",
			"5c965bf0a639b31b8f53240b1b52f4d7", "7320c461ea6c1c855c0b718fb2a4b134"}},
	{kind: "qmnist", title: "QMNIST", prefixes: [2]string{"qmnist-train", "qmnist-test"}, labels: "labels-idx2-int",
		sums: []string{"ed72d4157d28c017586c42bc6afe6370", "0058f8dd561b90ffdd0f734c6a30e5e4",
			"1394631089c404de565df7b7aeaf9412", "5b5b05890a5e13444e108efe57b788aa"}},
	emnist("balanced", byMerge), emnist("byclass", byClass), emnist("bymerge", byMerge),
	emnist("digits", nil), emnist("letters", capitals), emnist("mnist", nil),
}

func emnist(split string, classes []string) namedSet {
	prefix := "emnist-" + split
	return namedSet{kind: Kind(prefix), title: "EMNIST " + split, prefixes: [2]string{prefix + "-train", prefix + "-test"},
		labels: standardLabels, classes: classes, transposed: true}
}

// named returns the set of a kind.
func named(kind Kind) (n namedSet, ok bool) {
	for _, n := range namedSets {
		if n.kind == kind {
			return n, true
		}
	}
	return n, false
}

// files looks for the files of the set in a folder.
func (n namedSet) files(dir string, testOnly bool) (f found, err error) {
	f = found{dir: dir, format: IDX}
	var want []string
	for i, p := range []*pair{&f.train, &f.test} {
		images, labels := n.prefixes[i]+"-images-idx3-ubyte", n.prefixes[i]+"-"+n.labels
		want = append(want, images, labels)
		if i == 0 && testOnly {
			continue
		}
		for _, file := range []struct {
			to   *string
			name string
		}{{&p.images, images}, {&p.labels, labels}} {
			dotted := strings.Replace(file.name, "-idx", ".idx", 1)
			if *file.to, err = pick(dir, []string{file.name, dotted}); err != nil {
				return f, err
			}
		}
	}
	if f.test.images == "" || f.test.labels == "" || !testOnly && (f.train.images == "" || f.train.labels == "") {
		return f, fmt.Errorf("data: %s: %w: for %s looked for %s (each may end in .gz); %s", dir, errNoFiles, n.title, strings.Join(want, ", "), contents(dir))
	}
	return f, nil
}

// verify compares the packed files with the published sums, and says which are
// others.
func (n namedSet) verify(ctx context.Context, f found) (notes []Note, err error) {
	if n.sums == nil {
		return nil, nil
	}
	for i, path := range []string{f.train.images, f.train.labels, f.test.images, f.test.labels} {
		if !strings.HasSuffix(path, ".gz") {
			continue // the sums of what is in them were not published
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		got, err := md5Of(path)
		if err != nil {
			return nil, folderError(path, err)
		}
		if got != n.sums[i] {
			notes = append(notes, warning(lang.Text{En: "%s: this is not the file of %s as it was published: its MD5 sum is %s, want %s (the same images, packed anew, have another sum, too)", Zh: "%s：这不是 %s 发布时的文件：MD5 为 %s，应为 %s（同样的图像重新压缩后 MD5 也会不同）"},
				path, n.title, got, n.sums[i]))
		}
	}
	return notes, nil
}

func md5Of(path string) (string, error) {
	f, err := files.OpenRegular(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	h := md5.New() //nolint:gosec // see above
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// refuseMNIST refuses MNIST's files under another name: several sets have files of
// the same names.
func (n namedSet) refuseMNIST(test *table) error {
	s := &Set{Rows: test.rows, Cols: test.cols, Pixels: test.pixels, Labels: test.labels}
	if sum(labelsHeader(s), s.Labels) == mnistFiles[testLabels].sum {
		return fmt.Errorf("data: %s: these are MNIST's labels, and data.dataset is %s: set it to mnist, or name the folder of %s",
			filepath.Dir(test.path), n.kind, n.title)
	}
	return nil
}
