package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"trainer/graph/gradcheck"
	"trainer/graph/model"
)

// errGradients says that the check itself went well, and the gradients differ.
var errGradients = errors.New("gradcheck: the gradients differ: see the rows that failed")

// gradcheckCommand compares the machine's gradients with the equations derived
// by hand and with central differences.
func gradcheckCommand(args []string, stdout, _ io.Writer) (err error) {
	f := flag.NewFlagSet("gradcheck", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", "check at the parameters of this safetensors `file`; without it, at random ones")
	asJSON := f.Bool("json", false, "print JSON")
	c, err := flags.parse(f, args, stdout)
	if err != nil {
		return err
	}
	options := gradcheck.Options{Seed: c.Seed}
	if *path != "" {
		m, err := model.Read(*path)
		if err != nil {
			return err
		}
		c = withNetwork(c, m.Network)
		options.Parameters = m.Parameters
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
	} else if err := report.Text(stdout); err != nil {
		return err
	}
	if !report.OK() {
		return errGradients
	}
	return nil
}
