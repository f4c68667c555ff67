package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"trainer/data/files"
	"trainer/data/lang"
	"trainer/graph"
	"trainer/graph/draw"
	"trainer/graph/ir"
	"trainer/graph/lower"
	"trainer/graph/picture"
	"trainer/graph/vm/machines"
)

// graphCommand prints or draws the program of the configured network, or its expression
// graph.
func graphCommand(args []string, stdout, _ io.Writer) (err error) {
	f := flag.NewFlagSet("graph", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	format := f.String("format", "text", "`text|dot|svg`; svg is a picture, dot is for Graphviz")
	forward := f.Bool("forward", false, "the outputs only, without cost and gradients")
	expr := f.Bool("expr", false, "Gorgonia's expression graph, from which the program is compiled, instead of the program")
	passes := f.Bool("passes", false, "the program after each pass of the compiler, and the reason for the pass; as text")
	cost := f.Bool("cost", false, "a step that computes its cost too; training does not need it")
	out := f.String("o", "", "write to this `file`, not to standard output")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	switch {
	case *passes && *format != "text":
		return usageError("graph: -passes prints text")
	case *expr && (*passes || *cost):
		return usageError("graph: -passes and -cost are for the program, not for -expr: the graph always has its cost")
	case *forward && *cost:
		return usageError("graph: -forward has no cost: give -forward or -cost")
	}
	if !slices.Contains([]string{"text", "dot", "svg"}, *format) {
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
	o := machines.Compiler(c.Network(), machineOptions(c)).Options
	o.Cost = *cost
	write := func(w io.Writer) error { return writeProgram(w, g, o, *format, c.Language(os.Getenv)) }
	switch {
	case *expr:
		write = func(w io.Writer) error { return writeGraph(w, g, *format, c.Language(os.Getenv)) }
	case *format == "text":
		write = func(w io.Writer) error { return printProgram(w, g, o, *passes) }
	}
	if *out == "" {
		return write(stdout)
	}
	return files.Write(*out, write)
}

// writeProgram draws what g compiles to.
func writeProgram(w io.Writer, g *graph.Graph, o lower.Options, format string, l lang.Language) error {
	p, err := lower.Program(g, o)
	if err != nil {
		return err
	}
	if format == "dot" {
		return picture.DOT(w, p, pictureWords(g, l))
	}
	return picture.SVG(w, p, pictureWords(g, l))
}

// writeGraph prints or draws an expression graph.
func writeGraph(w io.Writer, g *graph.Graph, format string, l lang.Language) error {
	d := g.Drawing()
	d.Title, d.Names = title(g, l), kindNames(l)
	p, err := lower.Import(g, lower.Options{})
	if err != nil {
		return err
	}
	for i, formula := range picture.Formulas(p) {
		n := &d.Nodes[i]
		n.Label = formula
		if format != "text" {
			n.Note = picture.TextbookNote(n.Note, n.Label)
		}
	}
	switch format {
	case "dot":
		return draw.DOT(w, d)
	case "svg":
		return draw.SVG(w, d)
	default:
		return draw.Text(w, d)
	}
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
