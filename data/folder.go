package data

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

// pair is the file or the two files of one set. CSV has no labels file.
type pair struct{ images, labels string }

// found is a data set's files in a folder. Paths of files that are not there
// are empty.
type found struct {
	dir         string
	format      Kind // IDX or CSV
	train, test pair
}

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
// IDX before CSV. Its error wraps errNoFiles and lists what was looked for and
// what is there.
func find(dir string, formats ...Kind) (found, error) {
	var want []string
	if slices.Contains(formats, IDX) {
		f := found{dir: dir, format: IDX,
			train: pair{pick(dir, wantTrainImages), pick(dir, wantTrainLabels)},
			test:  pair{pick(dir, wantTestImages), pick(dir, wantTestLabels)}}
		if f.train.images != "" && f.train.labels != "" && f.test.images != "" && f.test.labels != "" {
			return f, nil
		}
		want = append(want, strings.Join([]string{trainImagesIDX, trainLabelsIDX, testImagesIDX, testLabelsIDX}, ", "))
	}
	if slices.Contains(formats, CSV) {
		f := found{dir: dir, format: CSV,
			train: pair{images: pick(dir, wantTrainCSV)},
			test:  pair{images: pick(dir, wantTestCSV)}}
		if f.train.images != "" && f.test.images != "" {
			return f, nil
		}
		want = append(want, wantTrainCSV[0]+", "+wantTestCSV[0])
	}
	return found{}, fmt.Errorf("data: %s: %w: looked for %s (each may end in .gz); %s",
		dir, errNoFiles, strings.Join(want, "; or "), contents(dir))
}

// pick returns the path of the first of names that is a file in dir, or "".
func pick(dir string, names []string) string {
	for _, ext := range []string{"", ".gz"} { // not packed first: it loads faster
		for _, name := range names {
			if path := filepath.Join(dir, name+ext); isRegular(path) {
				return path
			}
		}
	}
	return ""
}

// contents says for an error what a folder holds.
func contents(dir string) string {
	const most = 12
	if info, err := os.Stat(dir); err == nil && !info.IsDir() { // a named pipe cannot be opened at once
		return "this is a file, not a folder"
	}
	f, err := os.Open(dir)
	if errors.Is(err, os.ErrNotExist) {
		return "the folder does not exist"
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

// folder reads a data set of one's own from a folder, in one of some formats:
// see Spec.Dir.
func folder(ctx context.Context, dir string, classes int, formats ...Kind) (*Dataset, error) {
	f, err := find(dir, formats...)
	if err != nil {
		return nil, err
	}
	d, err := f.read(ctx, classes, nil)
	if err != nil {
		return nil, err
	}
	d.Name, d.Source = dir, dir
	d.Train.Name, d.Test.Name = dir+" train", dir+" test"
	return d, nil
}

// read reads both sets at the same time. check, if there is one, is asked about
// each of them, for the training set also at the same time.
func (f found) read(ctx context.Context, classes int, check func(s *Set, p pair, test bool) error) (*Dataset, error) {
	one := func(p pair, test bool) (s *Set, err error) {
		if f.format == CSV {
			s, err = ReadCSV(ctx, p.images, classes)
		} else {
			s, err = ReadIDX(ctx, p.images, p.labels, classes)
		}
		if err == nil && check != nil {
			err = check(s, p, test)
		}
		return s, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var test *Set
	var testErr error
	var other sync.WaitGroup
	other.Go(func() { test, testErr = one(f.test, true) })
	train, err := one(f.train, false)
	if err != nil {
		cancel() // the other's result is of no use
	}
	other.Wait()
	if err == nil {
		err = testErr
	}
	if err != nil {
		return nil, err
	}
	if train.Rows != test.Rows || train.Cols != test.Cols {
		return nil, fmt.Errorf("data: %s has images of %d×%d pixels, but %s of %d×%d; training and test need the same size",
			f.train.images, train.Rows, train.Cols, f.test.images, test.Rows, test.Cols)
	}
	return &Dataset{Train: train, Test: test}, nil
}
