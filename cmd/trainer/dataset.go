package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"trainer/data"
	"trainer/data/digits"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/progress"
)

// Sizes of the built-in digits: MNIST's.
const (
	digitsTrain = 60_000
	digitsTest  = 10_000
)

// openDataset gets the data set that the configuration asks for. It says on
// stderr how a download gets on, and, so that nobody can miss it, that the
// built-in digits take MNIST's place.
func openDataset(ctx context.Context, c config.Config, stderr io.Writer) (*data.Dataset, error) {
	d, err := findDataset(ctx, c, stderr)
	if err != nil {
		return nil, err
	}
	for _, set := range []*data.Set{d.Train, d.Test} {
		if err := vm.CheckSet(set, c.Network()); err != nil {
			return nil, err
		}
	}
	return d, nil
}

func findDataset(ctx context.Context, c config.Config, stderr io.Writer) (*data.Dataset, error) {
	classes := c.Network().Outputs()
	switch c.Data.Dataset {
	case "digits":
		return digits.Generate(c.Seed, digitsTrain, digitsTest), nil
	case "idx", "csv":
		if c.Data.Dir == "" {
			return nil, usageError(fmt.Sprintf("data.dataset %s needs data.dir, the folder of the files: -set data.dir=FOLDER", c.Data.Dataset))
		}
		return data.Folder(ctx, c.Data.Dir, data.Format(c.Data.Dataset), classes)
	}
	finder := data.Finder{Dir: c.Data.Dir, Progress: downloadProgress(stderr, progress.IsTerminal(stderr))}
	d, err := finder.MNIST(ctx)
	if errors.Is(err, data.ErrUnavailable) && c.Data.Fallback == "digits" {
		_, _ = fmt.Fprintf(stderr, fallbackWarning, err)
		return digits.Generate(c.Seed, digitsTrain, digitsTest), nil
	}
	return d, err
}

// downloadProgress shows a download: on a terminal a line that is written over,
// else a line a file, and in both a line a failure.
func downloadProgress(w io.Writer, isTerminal bool) func(data.Progress) {
	return func(p data.Progress) {
		over := p.Err != nil || p.Done == p.Total
		switch {
		case isTerminal && over:
			_, _ = fmt.Fprintf(w, "\r%v\x1b[K\n", p)
		case isTerminal:
			_, _ = fmt.Fprintf(w, "\r%v\x1b[K", p)
		case over:
			_, _ = fmt.Fprintln(w, p)
		}
	}
}

const fallbackWarning = `%v

**********************************************************************
*  WARNING: THIS IS NOT MNIST                                        *
*  MNIST was not found and could not be downloaded (see above).      *
*  data.fallback says digits, so this run uses the built-in digits:  *
*  generated images, not handwriting. Accuracies are not MNIST's.    *
**********************************************************************

`
