package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"trainer/graph/gradcheck"
	"trainer/train"
	"trainer/train/config"
)

// errGradients says that the check itself went well, and the gradients differ.
var errGradients = errors.New("gradcheck: the gradients differ: see the rows that failed")

// gradcheckCommand compares the machine's gradients with the equations derived
// by hand and with central differences.
func gradcheckCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("gradcheck", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", modelUsage+"; without it, parameters are random")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	var options gradcheck.Options
	var c config.Config
	if *path == "" {
		c, err = flags.read()
	} else {
		var m train.Trained
		c, m, err = flags.readModel(*path, stderr)
		options.Parameters = m.Parameters
	}
	if err != nil {
		return err
	}
	options.Seed = c.Seed
	// The parameters and three gradients, each as float64 and as slopes or differences.
	if err := checkMemory(c, 6*8*int64(c.Network().Size())); err != nil {
		return err
	}
	machine, _, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	report, err := gradcheck.Check(machine, options)
	if err != nil {
		return err
	}
	if *asJSON {
		text, err := report.JSON()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(stdout, "%s\n", text); err != nil {
			return err
		}
	} else if err := report.Text(stdout, c.Language(os.Getenv)); err != nil {
		return err
	}
	if !report.OK() {
		return errGradients
	}
	return nil
}
