package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"trainer/data/lang"
	"trainer/graph/vm/machines"
)

// howText says how a network is trained, on a line of its own.
var howText = lang.Text{En: "     %s, batch %d: %s\n", Zh: "     %s，批量 %d：%s\n"}

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
	l := c.Language(os.Getenv)
	for _, d := range found {
		if _, err := fmt.Fprintf(stdout, "%-4s %s\n", d.Device, d.About.In(l)); err != nil {
			return err
		}
		for _, how := range d.How {
			if _, err := fmt.Fprintf(stdout, howText.In(l), c.Network().Text().In(l), how.Batch, how.Text.In(l)); err != nil {
				return err
			}
		}
	}
	return nil
}
