package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"trainer/train/evaluation"
)

// evalCommand evaluates a trained model on the test set, and if asked on the
// training set. It shows the worst mistakes if asked.
func evalCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("eval", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", modelUsage)
	both := f.Bool("train", false, "evaluate on the training set too")
	wrong := f.Int("wrong", 0, "show the `K` worst mistakes on the test set; explain -image shows one from inside")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if *path == "" {
		return usageError("eval: no model: give -model FILE, or -model RUN-FOLDER")
	}
	if *wrong < 0 {
		return usageError(fmt.Sprintf("eval: -wrong %d: want 0 or more", *wrong))
	}
	c, m, err := flags.readModel(*path, stderr)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	d, _, err := openDataset(ctx, c, !*both, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	machine, _, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.SetParameters(m.Parameters); err != nil {
		return err
	}
	report, err := evaluation.Run(ctx, machine, d)
	if err != nil {
		return cause(ctx, err)
	}
	if *wrong > 0 {
		if report.Wrong, err = evaluation.Worst(ctx, machine, d.Test, *wrong); err != nil {
			return cause(ctx, err)
		}
	}
	report.Model, report.Note = m.File, m.Note
	if *asJSON {
		return printJSON(stdout, report)
	}
	return report.Text(stdout)
}

// cause returns why ctx ended if err says that it did, else err.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
