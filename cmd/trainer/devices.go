package main

import (
	"flag"
	"fmt"
	"io"

	"trainer/graph/vm/machines"
)

// devicesCommand lists the devices, and how each would train the configured
// network, with single samples and with mini-batches.
func devicesCommand(args []string, stdout, _ io.Writer) error {
	f := flag.NewFlagSet("devices", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	c, err := flags.parse(f, args, stdout)
	if err != nil {
		return err
	}
	found, err := machines.Devices(c.Network(), machineOptions(c), 1, 128)
	if err != nil {
		return err
	}
	for _, d := range found {
		if _, err := fmt.Fprintf(stdout, "%-4s %s\n", d.Device, d.About); err != nil {
			return err
		}
		for _, how := range d.How {
			if _, err := fmt.Fprintf(stdout, "     %v, batch %d: %s\n", c.Network(), how.Batch, how.Text); err != nil {
				return err
			}
		}
	}
	return nil
}
