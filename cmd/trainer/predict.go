package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"trainer/data"
	"trainer/internal/files"
	"trainer/internal/terminal"
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
	case *asJSON && given(f, "label"):
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
		_, _ = fmt.Fprintln(stderr, terminal.Line(note))
	}
	machine, _, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.SetParameters(m.Parameters); err != nil {
		return err
	}
	all, err := prediction.Run(ctx, machine, rows)
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
	if err := files.Write(*out, write); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%d predictions in %s\n", len(all), terminal.Line(*out))
	return err
}

// given reports whether a flag is on the command line.
func given(f *flag.FlagSet, name string) (ok bool) {
	f.Visit(func(on *flag.Flag) { ok = ok || on.Name == name })
	return ok
}
