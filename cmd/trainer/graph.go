package main

import (
	"flag"
	"fmt"
	"io"
	"os"

	"trainer/graph"
	"trainer/graph/draw"
)

// graphCommand prints the expression graph of the configured network.
func graphCommand(args []string, stdout, _ io.Writer) (err error) {
	f := flag.NewFlagSet("graph", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	format := f.String("format", "text", "text, dot (for Graphviz) or svg")
	forward := f.Bool("forward", false, "the outputs only, without cost and gradients")
	out := f.String("o", "", "write to this `file`, not to standard output")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if err := noArguments(f); err != nil {
		return err
	}
	print, ok := map[string]func(io.Writer, draw.Graph) error{"text": draw.Text, "dot": draw.DOT, "svg": draw.SVG}[*format]
	if !ok {
		return usageError(fmt.Sprintf("graph: unknown format %q: want text, dot or svg", *format))
	}
	c, err := flags.read()
	if err != nil {
		return err
	}
	build := graph.Step
	if *forward {
		build = graph.Forward
	}
	g, err := build(c.Network(), c.Train.Batch)
	if err != nil {
		return err
	}
	if *out == "" {
		return print(stdout, g.Drawing())
	}
	file, err := os.Create(*out)
	if err != nil {
		return err
	}
	if err := print(file, g.Drawing()); err != nil {
		_ = file.Close()
		return err
	}
	return file.Close()
}
