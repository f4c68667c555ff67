package data

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"trainer/data/lang"
)

// Kind says which data set.
type Kind string

// The kinds. Those of other published sets, such as "fashion-mnist", are in Kinds.
const (
	MNIST  Kind = "mnist"  // found, downloaded if need be, and verified; see Finder
	Files  Kind = "files"  // a set of one's own, in any format
	IDX    Kind = "idx"    // a set of one's own: files in the format that MNIST has
	CSV    Kind = "csv"    // a set of one's own: files with a line for each image
	Digits Kind = "digits" // the built-in digits: drawn by the program, much like MNIST's
)

// Kinds lists all kinds.
func Kinds() []Kind {
	kinds := []Kind{MNIST, Files, IDX, CSV, Digits}
	for _, n := range namedSets {
		kinds = append(kinds, n.kind)
	}
	return kinds
}

// isOwn tells whether a set of this kind is one's own.
func isOwn(k Kind) bool { return k == Files || k == IDX || k == CSV }

// Spec says which data set to open. The zero value is MNIST, or an error.
type Spec struct {
	Kind Kind // "": MNIST

	// Dir is the folder of the files. Sets of one's own need it, unless TrainFiles
	// are given, and so do the published ones other than MNIST. Digits uses none.
	// MNIST is looked for in this folder only; with "", in the usual places.
	//
	// The files of IDX have their standard names
	//
	//	train-images-idx3-ubyte  train-labels-idx1-ubyte
	//	t10k-images-idx3-ubyte   t10k-labels-idx1-ubyte
	//
	// or the same with a dot before idx; those of CSV are mnist_train.csv and
	// mnist_test.csv. Each may end in .gz. A set of one's own may have other names
	// where these say which file is which: one with train in its name, one with
	// test. Files also takes a folder of class folders, or the folders train and
	// test of these. See ReadIDX and ReadCSV for what is in the files. There may be
	// any number of images of any size; training and test images have the same size.
	Dir string

	// TrainFiles and TestFiles are paths or patterns of files, in place of Dir: CSV,
	// IDX images whose labels are beside them, or folders of class folders. The
	// content says which. Without TestFiles, a part of the training set is taken for
	// the test set.
	TrainFiles, TestFiles []string

	// Split is how many images of a training set without a test set become one, from
	// 1 on, or which fraction of it, below 1; 0: 0.2. Validation is the same for the
	// validation set; 0: none. Both are drawn with SplitSeed.
	Split, Validation float64
	SplitSeed         uint64

	// Label says which column of a CSV file is the label: "first", "last", a name in
	// its header, or a number counted from 1; "" or "auto": see ReadCSV.
	Label string

	// Values are those of the files that become the lowest and the highest input;
	// zero: found out. Inputs and Targets are those of Scale.
	Values          Range
	Inputs, Targets Range

	Transpose  bool     // swap rows and columns of the images
	ClassNames []string // of the classes; nil: those of the set, if it has some

	// Classes is how many classes the labels of sets of one's own name: they are less
	// than this. It is the number of outputs of the network. 0: as many as there are.
	Classes int

	// TestOnly opens the test set alone: Train is nil, and its files need not be
	// there.
	TestOnly bool

	Ordered bool // training visits the images in their order

	// Fallback lets the built-in digits take MNIST's place where it is neither
	// found nor downloaded. A folder that was named, in Dir or TRAINER_DATA, is
	// not replaced.
	Fallback bool

	Offline bool // nothing is downloaded: MNIST is found here, or unavailable

	// Seed is that of the built-in digits. Train and Test are how many of them;
	// 0: as many as MNIST has, 60,000 and 10,000.
	Seed        uint64
	Train, Test int

	// Progress, when not nil, is called while files are downloaded, on the
	// caller's goroutine, some ten times a second at most.
	Progress func(Progress)
}

// Open returns a data set, its images in memory, and what its user should know
// about it: what was found out about the files, warnings of what is likely to be
// wrong, and that the built-in digits have taken MNIST's place, and why.
//
// The error is ctx's when ctx ends; it wraps ErrUnavailable when MNIST cannot be
// had.
func Open(ctx context.Context, s Spec) (d *Dataset, notes []Note, err error) {
	return s.open(ctx, &Finder{})
}

// open is Open, with the finder that looks for MNIST.
func (s Spec) open(ctx context.Context, f *Finder) (d *Dataset, notes []Note, err error) {
	kind := cmp.Or(s.Kind, MNIST)
	n, isNamed := named(kind)
	switch {
	case kind == MNIST:
		f.Dir, f.Progress, f.testOnly = s.Dir, s.Progress, s.TestOnly
		f.Offline = f.Offline || s.Offline
		d, err = f.MNIST(ctx)
		if s.Fallback && errors.Is(err, ErrUnavailable) {
			d, notes, err = s.digits(), []Note{{Warning: true, Text: fallbackWarning.With(err), Framed: true}}, nil
		}
	case kind == Digits:
		d = s.digits()
	case isOwn(kind) && len(s.TrainFiles)+len(s.TestFiles) > 0:
		d, notes, err = s.files(ctx)
	case (isOwn(kind) || isNamed) && s.Dir == "":
		err = fmt.Errorf("data: %s needs the folder of the files (data.dir)", kind)
	case isOwn(kind):
		d, notes, err = s.folder(ctx, kind)
	case isNamed:
		d, notes, err = s.named(ctx, n)
	default:
		err = fmt.Errorf("data: unknown kind %q: want one of %q", s.Kind, Kinds())
	}
	if err != nil {
		return nil, nil, err
	}
	more, err := s.finish(d)
	if err != nil {
		return nil, nil, err
	}
	return d, append(notes, more...), nil
}

func (s Spec) digits() *Dataset {
	if s.TestOnly {
		d := GenerateDigits(s.Seed, 0, cmp.Or(s.Test, mnistTest))
		d.Train = nil
		return d
	}
	return GenerateDigits(s.Seed, cmp.Or(s.Train, mnistTrain), cmp.Or(s.Test, mnistTest))
}

// splitTest returns Split, or its default.
func (s Spec) splitTest() float64 { return cmp.Or(s.Split, 0.2) }

var fallbackWarning = lang.Text{En: `%v

**********************************************************************
*  WARNING: THIS IS NOT MNIST                                        *
*  MNIST was not found and could not be downloaded (see above).      *
*  data.fallback says digits, so this run uses the built-in digits:  *
*  generated images, not handwriting. Accuracies are not MNIST's.    *
**********************************************************************
`, Zh: `%v

**********************************************************************
*  警告：这不是 MNIST                                                *
*  没有找到 MNIST，也无法下载（见上）。                              *
*  data.fallback 的值是 digits，所以这次训练使用内置数字：           *
*  它们是生成的图像，不是手写数字。准确率不是 MNIST 的。             *
**********************************************************************
`}
