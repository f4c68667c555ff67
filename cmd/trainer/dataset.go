package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"trainer/data"
	"trainer/data/describe"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/progress"
	"trainer/train/terminal"
)

// openDataset opens the data set that the configuration asks for, or its test set
// alone. It says on stderr how a download gets on, and what there is to know about the
// data set, and returns the latter.
func openDataset(ctx context.Context, c config.Config, testOnly bool, stderr io.Writer) (*data.Dataset, []data.Note, error) {
	n := c.Network()
	spec := datasetSpec(c, stderr)
	spec.Classes, spec.TestOnly = min(n.Outputs(), vm.MaxClasses), testOnly
	d, notes, err := data.Open(ctx, spec)
	if errors.As(err, new(data.OutputsError)) {
		return nil, nil, usageError(err.Error())
	}
	if err != nil {
		return nil, nil, err
	}
	say(stderr, notes, c.Language(os.Getenv))
	for _, set := range []*data.Set{d.Train, d.Validation, d.Test} {
		if set == nil {
			continue
		}
		if err := vm.CheckSet(set, n); err != nil {
			return nil, nil, usageError(fmt.Sprintf("%v: for this data set, set %s", err, layersFor(n, set)))
		}
	}
	return d, notes, nil
}

// say writes a line for each note.
func say(w io.Writer, notes []data.Note, l lang.Language) {
	for _, note := range notes {
		_, _ = fmt.Fprintln(w, describe.Note(note).Line(l))
	}
}

// datasetSpec returns what the configuration says about data, for labels of any
// number of classes.
func datasetSpec(c config.Config, stderr io.Writer) data.Spec {
	return data.Spec{
		Kind: data.Kind(c.Data.Dataset), Dir: c.Data.Dir, TrainFiles: c.Data.Train, TestFiles: c.Data.Test,
		Split: c.Data.Split.Test, SplitSeed: c.Data.Split.Seed, Validation: c.Data.Validation,
		Label: c.Data.CSV.Label, Values: c.Data.Values.Range(), Inputs: c.Data.Inputs.Range(), Targets: c.Data.Targets.Range(),
		Transpose: c.Data.Transpose, ClassNames: c.Data.Classes, Ordered: !c.Train.Shuffle,
		Seed: c.Seed, Fallback: c.Data.Fallback == "digits",
		Progress: downloadProgress(stderr, progress.IsTerminal(stderr)),
	}
}

// withFound returns the configuration with what was found out about its data set,
// so that it means the same without the training set.
func withFound(c config.Config, d *data.Dataset) config.Config {
	if c.Data.Values.Range() == (data.Range{}) && d.Values != (data.Range{Low: 0, High: 255}) {
		c.Data.Values = config.Values{Min: config.Bound{Number: d.Values.Low, Given: true}, Max: config.Bound{Number: d.Values.High, Given: true}}
	}
	if len(c.Data.Classes) == 0 {
		c.Data.Classes = slices.Clone(cmp.Or(d.Train, d.Test).ClassNames)
	}
	return c
}

// layersFor returns the layers of a network for a set, with the hidden ones of n.
func layersFor(n model.Network, s *data.Set) string {
	layers := slices.Clone(n.Layers)
	layers[0], layers[len(layers)-1] = s.Inputs(), s.Classes
	return "model.layers to " + strings.ReplaceAll(fmt.Sprint(layers), " ", ", ")
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
		line := terminal.Shorten(terminal.Line(p.String()), 300) // a server's reason is in it
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
