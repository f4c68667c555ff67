package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"
)

// Kind says which data set.
type Kind string

// The kinds.
const (
	MNIST  Kind = "mnist"  // found, downloaded if need be, and verified; see Finder
	IDX    Kind = "idx"    // a set of one's own: four files in the format that MNIST has
	CSV    Kind = "csv"    // a set of one's own: two files with a line for each image
	Digits Kind = "digits" // the built-in digits: drawn by the program, much like MNIST's
)

// Kinds lists all kinds.
func Kinds() []Kind { return []Kind{MNIST, IDX, CSV, Digits} }

// Spec says which data set to open. The zero value is MNIST, or an error.
type Spec struct {
	Kind Kind // "": MNIST

	// Dir is the folder of the files. IDX and CSV need one, Digits uses none.
	// MNIST is looked for in this folder only; with "", in the usual places.
	//
	// The files of IDX have their standard names
	//
	//	train-images-idx3-ubyte  train-labels-idx1-ubyte
	//	t10k-images-idx3-ubyte   t10k-labels-idx1-ubyte
	//
	// or the same with a dot before idx; those of CSV are mnist_train.csv and
	// mnist_test.csv. Each may end in .gz. See ReadIDX and ReadCSV for what is
	// in them. There may be any number of images of any size; training and test
	// images have the same size.
	Dir string

	// Classes is how many classes the labels of IDX and CSV name: they are less
	// than this, which is at most 256.
	Classes int

	// TestOnly opens the test set alone: Train is nil, and its files need not be
	// there.
	TestOnly bool

	// Fallback lets the built-in digits take MNIST's place where it is neither
	// found nor downloaded. A folder that was named, in Dir or TRAINER_DATA, is
	// not replaced.
	Fallback bool

	// Seed is that of the built-in digits. Train and Test are how many of them;
	// 0: as many as MNIST has, 60,000 and 10,000.
	Seed        uint64
	Train, Test int

	// Progress, when not nil, is called while files are downloaded, on the
	// caller's goroutine, some ten times a second at most.
	Progress func(Progress)
}

// Open returns a data set, its images in memory. A warning that is not empty
// says that the built-in digits have taken MNIST's place, and why: a text of
// several lines for the user, who would otherwise take the results for MNIST's.
//
// The error is ctx's when ctx ends; it wraps ErrUnavailable when MNIST cannot be
// had.
func Open(ctx context.Context, s Spec) (d *Dataset, warning string, err error) {
	return s.open(ctx, &Finder{})
}

// open is Open, with the finder that looks for MNIST.
func (s Spec) open(ctx context.Context, f *Finder) (d *Dataset, warning string, err error) {
	if s.TestOnly {
		return s.openTest(ctx, f)
	}
	switch kind := cmp.Or(s.Kind, MNIST); kind {
	case MNIST:
		f.Dir, f.Progress = s.Dir, s.Progress
		d, err = f.MNIST(ctx)
		if s.Fallback && errors.Is(err, ErrUnavailable) {
			return s.digits(), fmt.Sprintf(fallbackWarning, err), nil
		}
		return d, "", err
	case IDX, CSV:
		if s.Dir == "" {
			return nil, "", fmt.Errorf("data: %s needs the folder of the files (data.dir)", kind)
		}
		d, err = folder(ctx, s.Dir, s.Classes, kind)
		return d, "", err
	case Digits:
		return s.digits(), "", nil
	}
	return nil, "", fmt.Errorf("data: unknown kind %q: want one of %q", s.Kind, Kinds())
}

func (s Spec) digits() *Dataset {
	return GenerateDigits(s.Seed, cmp.Or(s.Train, mnistTrain), cmp.Or(s.Test, mnistTest))
}

const fallbackWarning = `%v

**********************************************************************
*  WARNING: THIS IS NOT MNIST                                        *
*  MNIST was not found and could not be downloaded (see above).      *
*  data.fallback says digits, so this run uses the built-in digits:  *
*  generated images, not handwriting. Accuracies are not MNIST's.    *
**********************************************************************

`
