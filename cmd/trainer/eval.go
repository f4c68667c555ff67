package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"

	"trainer/graph/model"
	"trainer/train/config"
	"trainer/train/evaluation"
	"trainer/train/rundir"
)

// evalCommand evaluates a trained model on both sets.
func evalCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("eval", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", "the model, a safetensors `file`, or a run folder, whose best.safetensors is taken")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if *path == "" {
		return usageError("eval: no model: give -model FILE, or -model RUN-FOLDER")
	}
	c, m, file, err := flags.readModel(*path)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	d, err := openDataset(ctx, c, stderr)
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
	report.Model = file
	if *asJSON {
		return printJSON(stdout, report)
	}
	return report.Text(stdout)
}

// readModel reads the model that path names, and the configuration for it: that
// of the flags, or, where they name none, the one that is beside the model.
func (c *configFlags) readModel(path string) (_ config.Config, m model.Model, file string, err error) {
	file, beside, err := rundir.Find(path)
	if err != nil {
		return config.Config{}, m, "", err
	}
	if m, err = model.Read(file); err != nil {
		return config.Config{}, m, "", err
	}
	if c.file == "" {
		c.file = beside
	}
	settings, err := c.read()
	return settings.WithNetwork(m.Network), m, file, err
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
