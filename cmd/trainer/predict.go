package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"trainer/data"
	"trainer/train/prediction"
)

// predictCommand says which classes a trained model takes images for.
func predictCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("predict", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", modelUsage)
	file := f.String("data", "", "the images, a `file` without labels: CSV with a row for each image, or IDX images")
	out := f.String("o", "", "write to this `file`, not to standard output")
	id := f.String("id", "id", "`name` of the column of identifiers; a column of the data with this name has them, else they count from 1")
	label := f.String("label", "label", "`name` of the column of predictions")
	asJSON := f.Bool("json", false, "print JSON, with the outputs of the network")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	switch {
	case *path == "":
		return usageError("predict: no model: give -model FILE, or -model RUN-FOLDER")
	case *file == "":
		return usageError("predict: no images: give -data FILE")
	case *asJSON && isGiven(f, "label"):
		return usageError("predict: -label names a column of CSV: leave it out, or -json")
	}
	c, m, err := flags.readModel(*path, stderr)
	if err != nil {
		return err
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	rows, err := data.ReadRows(ctx, *file, m.Network.Inputs(), *id)
	if err != nil {
		return cause(ctx, err)
	}
	for _, note := range rows.Notes {
		_, _ = fmt.Fprintln(stderr, note)
	}
	rows.Scale = data.Scale{Pixels: c.Data.Values.Range(), Inputs: c.Data.Inputs.Range()}
	machine, _, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.SetParameters(m.Parameters); err != nil {
		return err
	}
	all, err := prediction.Run(ctx, machine, rows, c.Data.Classes)
	if err != nil {
		return cause(ctx, err)
	}
	write := func(w io.Writer) error { return prediction.CSV(w, all, *id, *label) }
	if *asJSON {
		write = func(w io.Writer) error { return prediction.JSON(w, all) }
	}
	if *out == "" {
		return write(stdout)
	}
	if err := writeFile(*out, write); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d predictions in %s\n", len(all), *out)
	return err
}

// isGiven reports whether a flag is on the command line.
func isGiven(f *flag.FlagSet, name string) (ok bool) {
	f.Visit(func(on *flag.Flag) { ok = ok || on.Name == name })
	return ok
}

// writeFile writes a file whole or not at all: an earlier one is kept until then.
func writeFile(path string, write func(io.Writer) error) (err error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() { // /dev/stdout
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".part-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	if err := errors.Join(write(f), f.Chmod(0o644), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
