package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"trainer/graph/vm/cpu"
	"trainer/graph/vm/cuda"
)

// devicesCommand lists the devices, and in which mode each would train the
// configured network.
func devicesCommand(args []string, stdout, _ io.Writer) error {
	f := flag.NewFlagSet("devices", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	c, err := flags.parse(f, args, stdout)
	if err != nil {
		return err
	}
	compiler := newCompiler(c)
	m, err := cpu.New(c.Network(), compiler, cpu.Options{})
	if err != nil {
		return err
	}
	how, err := m.Describe(c.Train.Batch)
	if err == nil {
		_, err = fmt.Fprintf(stdout, "cpu     %s\n", how)
	}
	if err = errors.Join(err, m.Close()); err != nil {
		return err
	}
	devices, err := cuda.Devices()
	if err != nil {
		_, err = fmt.Fprintf(stdout, "cuda    none: %v\n", err)
		return err
	}
	for _, d := range devices {
		if _, err := fmt.Fprintf(stdout, "cuda %s\n        driver for CUDA %s\n", d, cuda.DriverVersion()); err != nil {
			return err
		}
		for _, batch := range []int{1, 128} {
			mode, err := cuda.ModeOf(c.Network(), compiler, batch, d)
			if err != nil {
				mode = err.Error()
			}
			if _, err := fmt.Fprintf(stdout, "        %v, batch %d: %s\n", c.Network(), batch, mode); err != nil {
				return err
			}
		}
	}
	return nil
}
