package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"trainer/data"
	"trainer/data/files"
	"trainer/train"
	"trainer/train/compare"
	"trainer/train/config"
)

// compareCommand compares runs: their configurations, their results, and the answers of
// their models for the images of the test set.
func compareCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("compare", flag.ContinueOnError)
	var flags configFlags
	flags.registerLang(f)
	f.Var(&flags.sets, "set", "set a key for all runs, such as data.dir where the data have moved, `key=value`; may be repeated")
	asJSON := f.Bool("json", false, "print JSON")
	out := f.String("o", "", "draw the curves of the runs over each other, into this SVG `file`")
	paths, err := parseArgs(f, args, stdout)
	if err != nil {
		return err
	}
	if len(paths) < 2 {
		return usageError(fmt.Sprintf("compare: %d runs: name two run folders or more, the one to compare with first", len(paths)))
	}
	for i, path := range paths {
		for _, earlier := range paths[:i] {
			if same(path, earlier) {
				return usageError(fmt.Sprintf("compare: %s and %s are the same run", earlier, path))
			}
		}
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	runs, test, err := readRuns(ctx, paths, flags, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	report, err := compare.New(runs, test)
	if err != nil {
		return err
	}
	if *out != "" {
		curves, err := compare.Curves(runs, test.Name, flags.language())
		if err != nil {
			return err
		}
		if err := files.Write(*out, curves.SVG); err != nil {
			return err
		}
	}
	if *asJSON {
		return printJSON(stdout, report)
	}
	return report.Text(stdout, flags.language())
}

// readRuns reads the runs, and has their models answer for the images of their test set.
// It is an error if they do not have the same one.
func readRuns(ctx context.Context, paths []string, flags configFlags, stderr io.Writer) ([]compare.Run, *data.Set, error) {
	var runs []compare.Run
	var test *data.Set
	for _, path := range paths {
		own := flags // readModel adds the file beside the model
		c, m, err := own.readModel(path, stderr)
		if err != nil {
			return nil, nil, err
		}
		if m.Config == "" {
			return nil, nil, usageError(fmt.Sprintf("compare: there is no configuration beside the model %s: name run folders", m.File))
		}
		run := compare.Run{Name: path, Model: m.File, Network: c.Network().Text()}
		if run.Config, err = config.Read(m.Config, nil); err != nil {
			return nil, nil, err
		}
		if run.Epochs, err = train.ReadMetrics(filepath.Dir(m.Config)); err != nil {
			return nil, nil, err
		}
		set := test
		if len(runs) == 0 || !sameData(run.Config, runs[0].Config) {
			d, _, err := openDataset(ctx, c, true, stderr)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", path, err)
			}
			set = d.Test
		}
		if test == nil {
			test = set
		}
		if err := compare.Same(test, set); err != nil {
			return nil, nil, fmt.Errorf("compare: %s and %s have different test sets (%s, %s), and answers for different images cannot be compared: %w",
				paths[0], path, test.Name, set.Name, err)
		}
		if run.Answers, err = answersOf(ctx, c, m, set); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", path, err)
		}
		runs = append(runs, run)
	}
	return runs, test, nil
}

// sameData reports whether two configurations give the same data, to the scale.
func sameData(a, b config.Config) bool {
	return reflect.DeepEqual(a.Data, b.Data) && a.Seed == b.Seed && a.Network().Outputs() == b.Network().Outputs() && a.Network().Inputs() == b.Network().Inputs()
}

// answersOf returns the answers of a model for a set.
func answersOf(ctx context.Context, c config.Config, m train.Trained, set *data.Set) (_ []int, err error) {
	machine, _, err := newMachine(c)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.SetParameters(m.Parameters); err != nil {
		return nil, err
	}
	return compare.Answers(ctx, machine, set)
}
