package main

import (
	"context"
	"fmt"
	"io"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/internal/terminal"
	"trainer/train/config"
	"trainer/train/progress"
)

// openDataset opens the data set that the configuration asks for, or its test set
// alone. It says on stderr how a download gets on, and whether the built-in digits
// take MNIST's place.
func openDataset(ctx context.Context, c config.Config, testOnly bool, stderr io.Writer) (*data.Dataset, error) {
	n := c.Network()
	d, warning, err := data.Open(ctx, data.Spec{
		Kind: data.Kind(c.Data.Dataset), Dir: c.Data.Dir, Classes: min(n.Outputs(), vm.MaxClasses), Seed: c.Seed,
		TestOnly: testOnly, Fallback: c.Data.Fallback == "digits",
		Progress: downloadProgress(stderr, progress.IsTerminal(stderr)),
	})
	if err != nil {
		return nil, err
	}
	_, _ = io.WriteString(stderr, terminal.Printable(warning))
	for _, set := range []*data.Set{d.Train, d.Test} {
		if set == nil {
			continue
		}
		if err := vm.CheckSet(set, n); err != nil {
			return nil, usageError(err.Error())
		}
	}
	return d, nil
}

// downloadProgress shows a download: on a terminal a line that is written over,
// else a line a file, and in both a line a failure.
func downloadProgress(w io.Writer, isTerminal bool) func(data.Progress) {
	return func(p data.Progress) {
		over := p.Err != nil || p.Done == p.Total
		text := terminal.Shorten(terminal.Line(p.String()), 300) // a server's reason is in it
		switch {
		case isTerminal && over:
			_, _ = fmt.Fprintf(w, "\r%s\x1b[K\n", text)
		case isTerminal:
			_, _ = fmt.Fprintf(w, "\r%s\x1b[K", text)
		case over:
			_, _ = fmt.Fprintln(w, text)
		}
	}
}
