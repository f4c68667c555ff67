package data

import (
	"cmp"
	"context"
	"os"
)

// openTest is open for the test set alone: it reads no training set where it finds
// the test set's files.
func (s Spec) openTest(ctx context.Context, f *Finder) (d *Dataset, warning string, err error) {
	kind := cmp.Or(s.Kind, MNIST)
	if kind == Digits {
		d = GenerateDigits(s.Seed, 0, cmp.Or(s.Test, mnistTest))
		d.Train = nil
		return d, "", nil
	}
	for _, dir := range s.places(kind, f) {
		for _, format := range []Kind{IDX, CSV} {
			files := testFiles(dir, format)
			if files.images == "" || kind != MNIST && kind != format {
				continue
			}
			if kind != MNIST {
				d, err = readTest(ctx, dir, files, s.Classes)
			} else if d, err = readTest(ctx, dir, files, mnistClasses); err == nil {
				d.Name, d.Test.Name = "MNIST", "MNIST test"
				err = f.verify(d.Test, files, true)
			}
			if err != nil {
				return nil, "", err
			}
			return d, "", nil
		}
	}
	// Elsewhere, or nowhere: Open finds it, or says what it looked for.
	s.TestOnly = false
	if d, warning, err = s.open(ctx, f); err == nil {
		d.Train = nil
	}
	return d, warning, err
}

// places returns the folders that may have the test set's files.
func (s Spec) places(kind Kind, f *Finder) []string {
	if s.Dir != "" {
		return []string{s.Dir}
	}
	if kind != MNIST {
		return nil
	}
	getenv := f.Getenv
	if getenv == nil {
		getenv = os.Getenv
	}
	if dir := getenv(EnvDir); dir != "" {
		return []string{dir}
	}
	return []string{f.local()}
}

// testFiles returns the files of a test set in a folder, none where one is
// missing.
func testFiles(dir string, format Kind) pair {
	if format == CSV {
		return pair{images: pick(dir, wantTestCSV)}
	}
	p := pair{pick(dir, wantTestImages), pick(dir, wantTestLabels)}
	if p.labels == "" {
		return pair{}
	}
	return p
}

func readTest(ctx context.Context, dir string, files pair, classes int) (*Dataset, error) {
	var s *Set
	var err error
	if files.labels == "" {
		s, err = ReadCSV(ctx, files.images, classes)
	} else {
		s, err = ReadIDX(ctx, files.images, files.labels, classes)
	}
	if err != nil {
		return nil, err
	}
	s.Name = dir + " test"
	return &Dataset{Name: dir, Source: dir, Test: s}, nil
}
