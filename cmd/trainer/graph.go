package main

import (
	"errors"
	"flag"
	"fmt"
	"io"

	"trainer/data/files"
	"trainer/graph"
	"trainer/graph/draw"
	"trainer/graph/ir"
	"trainer/graph/lower"
	"trainer/graph/vm/machines"
)

// graphCommand prints the expression graph of the configured network.
func graphCommand(args []string, stdout, _ io.Writer) (err error) {
	f := flag.NewFlagSet("graph", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	format := f.String("format", "text", "`text|dot|svg`; dot is for Graphviz")
	forward := f.Bool("forward", false, "the outputs only, without cost and gradients")
	program := f.Bool("program", false, "the compiled program instead of the graph: what a machine runs for a mini-batch")
	passes := f.Bool("passes", false, "with -program: the program after each pass of the compiler, and the reason for the pass")
	cost := f.Bool("cost", false, "with -program: a step that computes its cost too; training does not need it")
	out := f.String("o", "", "write to this `file`, not to standard output")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if *program && *format != "text" || (*passes || *cost) && !*program {
		return usageError("graph: -program prints text; -passes and -cost go with -program")
	}
	drawing, ok := map[string]func(io.Writer, draw.Graph) error{"text": draw.Text, "dot": draw.DOT, "svg": draw.SVG}[*format]
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
	write := func(w io.Writer) error { return drawing(w, g.Drawing()) }
	if *program {
		o := machines.Compiler(c.Network(), machineOptions(c)).Options
		o.Cost = *cost
		write = func(w io.Writer) error { return printProgram(w, g, o, *passes) }
	}
	if *out == "" {
		return write(stdout)
	}
	return files.Write(*out, write)
}

// printProgram prints what g compiles to, and if asked for the way there.
func printProgram(w io.Writer, g *graph.Graph, o lower.Options, passes bool) error {
	why := map[string]string{"import": "an instruction for each node of the graph, an update for each parameter"}
	for _, p := range lower.Passes {
		why[p.Name] = p.Why
	}
	var failed error
	if passes {
		o.Trace = func(pass string, p *ir.Program) {
			if _, err := fmt.Fprintf(w, "# after %q: %s; %d instructions\n%v\n", pass, why[pass], len(p.Code), p); err != nil {
				failed = err
			}
		}
	}
	p, err := lower.Program(g, o)
	if err != nil || passes {
		return errors.Join(err, failed)
	}
	_, err = fmt.Fprint(w, p)
	return err
}
