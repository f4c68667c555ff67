package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/progress"
	"trainer/train/terminal"
)

// openDataset opens the data set that the configuration asks for, or its test set
// alone. It says on stderr how a download gets on, and whether the built-in digits
// take MNIST's place.
func openDataset(ctx context.Context, c config.Config, testOnly bool, stderr io.Writer) (*data.Dataset, error) {
	n := c.Network()
	d, warning, err := data.Open(ctx, data.Spec{
		Kind: data.Kind(c.Data.Dataset), Dir: c.Data.Dir, Classes: n.Outputs(), Seed: c.Seed,
		TestOnly: testOnly, Fallback: c.Data.Fallback == "digits",
		Progress: downloadProgress(stderr, progress.IsTerminal(stderr)),
	})
	if err != nil {
		return nil, err
	}
	_, _ = io.WriteString(stderr, terminal.Printable(warning))
	if d.Train == nil {
		return d, vm.CheckSet(d.Test, n)
	}
	return d, cmp.Or(vm.CheckSet(d.Train, n), vm.CheckSet(d.Test, n))
}

// settled returns the configuration as it is kept with a run that trains on d: it
// gives the same data in every folder and environment.
func settled(c config.Config, d *data.Dataset) (config.Config, error) {
	switch {
	case d.Source == data.BuiltIn && c.Data.Dataset != string(data.Digits): // the fallback
		c.Data.Dataset, c.Name = string(data.Digits), c.Name+"-digits"
	case c.Data.Dataset == string(data.MNIST) && c.Data.Dir == "" && (os.Getenv(data.EnvDir) != "" || !filepath.IsAbs(d.Source)):
		c.Data.Dir = d.Source // not the cache, which is found from everywhere
	}
	return c.Absolute()
}

// downloadProgress shows a download: on a terminal a line that is written over,
// else a line a file, and in both a line a failure.
func downloadProgress(w io.Writer, isTerminal bool) func(data.Progress) {
	return func(p data.Progress) {
		over := p.Err != nil || p.Done == p.Total
		line := terminal.Line(p.String()) // it may have text of a server
		switch {
		case isTerminal && over:
			_, _ = fmt.Fprintf(w, "\r%s\x1b[K\n", line)
		case isTerminal:
			_, _ = fmt.Fprintf(w, "\r%s\x1b[K", line)
		case over:
			_, _ = fmt.Fprintln(w, line)
		}
	}
}
