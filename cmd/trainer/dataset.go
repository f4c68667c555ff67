package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"trainer/data"
	"trainer/data/digits"
	"trainer/train/config"
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
	classes := c.Network().Outputs()
	switch c.Data.Dataset {
	case "digits":
		return digits.Generate(c.Seed, digitsTrain, digitsTest), nil
	case "idx":
		return data.Folder(ctx, c.Data.Dir, data.IDX, classes)
	case "csv":
		return data.Folder(ctx, c.Data.Dir, data.CSV, classes)
	}
	finder := data.Finder{Dir: c.Data.Dir, Progress: func(p data.Progress) {
		if p.Err != nil || p.Done == p.Total { // a line a file, and one a failure
			_, _ = fmt.Fprintln(stderr, p)
		}
	}}
	d, err := finder.MNIST(ctx)
	if errors.Is(err, data.ErrUnavailable) && c.Data.Fallback == "digits" {
		_, _ = fmt.Fprintf(stderr, fallbackWarning, err)
		return digits.Generate(c.Seed, digitsTrain, digitsTest), nil
	}
	return d, err
}

const fallbackWarning = `%v

**********************************************************************
*  WARNING: THIS IS NOT MNIST                                        *
*  MNIST was not found and could not be downloaded (see above).      *
*  data.fallback says digits, so this run uses the built-in digits:  *
*  generated images, not handwriting. Accuracies are not MNIST's.    *
**********************************************************************

`
