package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// pair is the file or the two files of one set. CSV has no labels file; a folder
// of class folders is an images file here.
type pair struct{ images, labels string }

// found is a data set's files in a folder. Paths of files that are not there
// are empty.
type found struct {
	dir         string
	format      Kind // IDX, CSV or classFolders
	train, test pair
}

// classFolders is the format of images in a folder for each class.
const classFolders Kind = "class folders"

// wanted lists the names that a file may have, each with or without ".gz".
var (
	wantTrainImages = []string{trainImagesIDX, "train-images.idx3-ubyte"}
	wantTrainLabels = []string{trainLabelsIDX, "train-labels.idx1-ubyte"}
	wantTestImages  = []string{testImagesIDX, "t10k-images.idx3-ubyte"}
	wantTestLabels  = []string{testLabelsIDX, "t10k-labels.idx1-ubyte"}
	wantTrainCSV    = []string{"mnist_train.csv"}
	wantTestCSV     = []string{"mnist_test.csv"}
)

// errNoFiles is in the error of find where a folder lacks the files.
var errNoFiles = errors.New("no data set")

// find looks for the files of a data set in a folder, in one of some formats:
// IDX before CSV. Without the training set, where testOnly, those of the test set
// do. Its error wraps errNoFiles and lists what was looked for and what is there,
// unless a link or a permission is at fault.
func find(dir string, testOnly bool, formats ...Kind) (found, error) {
	var want []string
	var broken error
	pick := func(names []string) string {
		path, err := pick(dir, names)
		if broken == nil {
			broken = err
		}
		return path
	}
	if slices.Contains(formats, IDX) {
		f := found{dir: dir, format: IDX,
			train: pair{pick(wantTrainImages), pick(wantTrainLabels)},
			test:  pair{pick(wantTestImages), pick(wantTestLabels)}}
		if (testOnly || f.train.images != "" && f.train.labels != "") && f.test.images != "" && f.test.labels != "" {
			return f, nil
		}
		want = append(want, strings.Join([]string{trainImagesIDX, trainLabelsIDX, testImagesIDX, testLabelsIDX}, ", "))
	}
	if slices.Contains(formats, CSV) {
		f := found{dir: dir, format: CSV,
			train: pair{images: pick(wantTrainCSV)},
			test:  pair{images: pick(wantTestCSV)}}
		if (testOnly || f.train.images != "") && f.test.images != "" {
			return f, nil
		}
		want = append(want, wantTrainCSV[0]+", "+wantTestCSV[0])
	}
	if broken != nil {
		return found{}, broken
	}
	return found{}, fmt.Errorf("data: %s: %w: looked for %s (each may end in .gz); %s",
		dir, errNoFiles, strings.Join(want, "; or "), contents(dir))
}

// findOwn looks for the files of a set of one's own in a folder: those that find
// finds, or the only ones whose names say what they are, or folders of classes.
// Where there is no test set, its files are empty.
func findOwn(dir string, testOnly bool, formats ...Kind) (found, error) {
	f, err := find(dir, testOnly, formats...)
	if err == nil || !errors.Is(err, errNoFiles) {
		return f, err
	}
	entries, listErr := visible(dir)
	if listErr != nil {
		return found{}, err
	}
	var names []string
	for _, e := range entries {
		if regular, err := isRegular(filepath.Join(dir, e.Name())); err != nil {
			return found{}, err
		} else if regular {
			names = append(names, e.Name())
		}
	}
	for _, format := range formats {
		switch format {
		case IDX:
			images := slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, err := labelsOf(filepath.Join(dir, n)); return err != nil })
			if f, ok := byName(dir, images, testOnly); ok {
				f.format = IDX
				for _, p := range []*pair{&f.train, &f.test} {
					if p.images != "" {
						p.labels, _ = labelsOf(p.images)
					}
				}
				return f, nil
			}
		case CSV:
			csv := slices.DeleteFunc(slices.Clone(names), func(n string) bool {
				return !slices.Contains([]string{".csv", ".tsv"}, strings.ToLower(filepath.Ext(strings.TrimSuffix(n, ".gz"))))
			})
			if f, ok := byName(dir, csv, testOnly); ok {
				f.format = CSV
				return f, nil
			}
			if len(csv) > 1 {
				return found{}, fmt.Errorf("%w; which of %s is the training set, and which the test set, is not plain from their names: "+
					"name them in data.train and data.test", err, shorten(csv))
			}
		case classFolders:
			if f, ok := findClassFolders(dir); ok {
				return f, nil
			}
		}
	}
	return found{}, fmt.Errorf("%w; files with other names: set data.train and data.test", err)
}

// byName finds the training set and the test set among the names of files: the
// only one of each, or a training set that is the only file.
func byName(dir string, names []string, testOnly bool) (f found, ok bool) {
	var train, test []string
	for _, name := range names {
		switch lower := strings.ToLower(name); {
		case strings.Contains(lower, "train"):
			train = append(train, name)
		case strings.Contains(lower, "test"), strings.Contains(lower, "t10k"):
			test = append(test, name)
		}
	}
	f.dir = dir
	switch {
	case len(train) == 1 && len(test) == 1:
		f.train.images, f.test.images = filepath.Join(dir, train[0]), filepath.Join(dir, test[0])
	case testOnly && len(test) == 1:
		f.test.images = filepath.Join(dir, test[0])
	case len(names) == 1 && len(test) == 0:
		f.train.images = filepath.Join(dir, names[0])
	default:
		return f, false
	}
	return f, true
}

// findClassFolders looks for images in folders of classes: in the folders train
// and test, or in one folder.
func findClassFolders(dir string) (f found, ok bool) {
	f = found{dir: dir, format: classFolders}
	for _, names := range [][2]string{{"train", "test"}, {"training", "testing"}, {"train", "val"}} {
		train, test := filepath.Join(dir, names[0]), filepath.Join(dir, names[1])
		if isClassFolders(train) && isClassFolders(test) {
			f.train.images, f.test.images = train, test
			return f, true
		}
	}
	f.train.images = dir
	return f, isClassFolders(dir)
}

// labelsOf returns the file of labels that is beside a file of images, by the
// usual names.
func labelsOf(images string) (string, error) {
	dir, name := filepath.Split(images)
	name = strings.TrimSuffix(name, ".gz")
	var tried []string
	for _, word := range []string{"images", "imgs", "image"} {
		i := strings.LastIndex(name, word)
		if i < 0 {
			continue
		}
		labels := "labels"
		if word == "image" {
			labels = "label"
		}
		base := name[:i] + labels + name[i+len(word):]
		for _, end := range []string{"idx1-ubyte", "idx2-int", "idx3-ubyte", "idx1"} {
			other := strings.Replace(strings.Replace(base, "idx3-ubyte", end, 1), "idx3", end[:4], 1)
			if slices.Contains(tried, other) {
				continue
			}
			tried = append(tried, other)
		}
		break
	}
	if tried == nil {
		return "", fmt.Errorf("data: %s: which file has the labels? It is found where the name of the images has the word images, and that of the labels labels in its place", images)
	}
	path, err := pick(dir, tried)
	if err == nil && path == "" {
		err = fmt.Errorf("data: %s: no file of labels beside it: looked for %s (each may end in .gz)", images, strings.Join(tried, ", "))
	}
	return path, err
}

// pick returns the path of the first of names that is a file in dir, or "".
func pick(dir string, names []string) (string, error) {
	var broken error
	for _, ext := range []string{"", ".gz"} { // not packed first: it loads faster
		for _, name := range names {
			path := filepath.Join(dir, name+ext)
			regular, err := isRegular(path)
			if regular {
				return path, nil
			}
			if broken == nil {
				broken = err
			}
		}
	}
	return "", broken
}

// isRegular tells whether path is a file, or a link to one. Its error says that a
// link leads nowhere, or that it cannot be found out.
func isRegular(path string) (bool, error) {
	info, err := os.Stat(path)
	switch {
	case err == nil:
		return info.Mode().IsRegular(), nil
	case errors.Is(err, fs.ErrNotExist) && !isLink(path), errors.Is(err, syscall.ENOTDIR):
		return false, nil
	}
	return false, folderError(path, err)
}

// isLink reports whether path itself is a symbolic link.
func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// folderError says what is wrong with a path that cannot be read.
func folderError(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if link := brokenLink(path); link != "" {
			return fmt.Errorf("data: %s: %s", path, link)
		}
		return fmt.Errorf("data: %s: does not exist", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("data: %s: no permission to look there: the file needs the permission to be read, and the folders above it that to be searched (chmod u+rX): %w",
			path, fs.ErrPermission)
	}
	var p *fs.PathError
	if errors.As(err, &p) {
		err = p.Err
	}
	return fmt.Errorf("data: %s: %w", path, err)
}

// brokenLink says where a link leads that leads nowhere; "" if there is none on the
// path.
func brokenLink(path string) string {
	for at := filepath.Clean(path); ; at = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			return ""
		}
		if isLink(at) {
			target, err := os.Readlink(at)
			if err != nil {
				return ""
			}
			what := "this is"
			if at != filepath.Clean(path) {
				what = at + " is"
			}
			return fmt.Sprintf("%s a broken link: it leads to %s, which does not exist", what, target)
		}
		if at == filepath.Dir(at) {
			return ""
		}
	}
}

// contents says for an error what a folder holds.
func contents(dir string) string {
	const most = 12
	if info, err := os.Stat(dir); err == nil && !info.IsDir() { // a named pipe cannot be opened at once
		return "this is a file, not a folder"
	}
	f, err := os.Open(dir) //nolint:forbidigo // a folder
	if errors.Is(err, os.ErrNotExist) {
		if link := brokenLink(dir); link != "" {
			return link
		}
		return "the folder does not exist"
	}
	if errors.Is(err, fs.ErrPermission) {
		return "no permission to read the folder, or to search one above it (chmod u+rX)"
	}
	if err != nil {
		return err.Error()
	}
	defer func() { _ = f.Close() }()
	entries, err := f.ReadDir(most + 1)
	if len(entries) == 0 {
		if err != nil && !errors.Is(err, io.EOF) {
			return err.Error()
		}
		return "the folder is empty"
	}
	names := make([]string, len(entries))
	for i, e := range entries {
		if names[i] = e.Name(); e.IsDir() {
			names[i] += string(filepath.Separator)
		}
	}
	slices.Sort(names)
	if len(names) > most {
		names[most] = "…"
	}
	return "the folder holds " + strings.Join(names, ", ")
}

// read reads both sets at the same time, and only one where the other has no
// files.
func (f found) read(ctx context.Context, one func(context.Context, pair) (*table, error)) (train, test *table, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var testErr error
	var other sync.WaitGroup
	if f.test.images != "" {
		other.Go(func() { test, testErr = one(ctx, f.test) })
	}
	if f.train.images != "" {
		if train, err = one(ctx, f.train); err != nil {
			cancel() // the other's result is of no use
		}
	}
	other.Wait()
	if err == nil {
		err = testErr
	}
	return train, test, err
}

// sameSize refuses training and test images of different sizes.
func sameSize(train, test *table) error {
	if train == nil || test == nil || train.rows == test.rows && train.cols == test.cols {
		return nil
	}
	hint := ""
	if train.labelled && test.inputs() == train.inputs()-1 {
		hint = "; a line of the second is shorter by one: it may have no labels, and is then no test set: data.split makes one of a part of the training set"
	}
	return fmt.Errorf("data: %s has images of %d×%d pixels, but %s of %d×%d; training and test need the same size%s",
		train.path, train.rows, train.cols, test.path, test.rows, test.cols, hint)
}
