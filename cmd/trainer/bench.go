package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"trainer/data/files"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train/bench"
	"trainer/train/figure"
)

// benchCommand measures the configured machine beside Gorgonia's.
func benchCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	asJSON := f.Bool("json", false, "print JSON")
	peer := f.Bool("peer", false, "also run the textbook's listing in Python with NumPy, on one thread; and mini-batches in NumPy, and in PyTorch, JAX and C where they are installed")
	python := f.String("python", "", "the Python of -peer, a `program`; without it, python3")
	growth := f.String("growth", "", "instead, measure how the time of a pass grows with the batch, the hidden units, the layers, the samples and the cores, and draw it into this SVG `file`")
	only := f.String("only", "", "measure only these `rows`, with commas between them: load, evaluate, and batch sizes of training; as in 1,128,evaluate")
	least := f.Duration("time", time.Second, "how long to measure each at the least, a `duration`")
	c, err := flags.parse(f, args, stdout)
	if err != nil {
		return err
	}
	if *python != "" && !*peer {
		return usageError("bench: -python goes with -peer")
	}
	if *growth != "" && *peer {
		return usageError("bench: -growth and -peer are two measurements: ask for one of them")
	}
	rows, err := benchRows(*only)
	if err != nil {
		return err
	}
	if rows != nil && (*growth != "" || *peer) {
		return usageError("bench: -only goes without -growth and -peer, which have rows of their own")
	}
	n, l := c.Network(), c.Language(os.Getenv)
	witness := machines.Options{Kind: machines.Tape}
	if err := checkMemory(c, machines.Memory(n, witness)+8*int64(n.Size())); err != nil {
		return err
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	d, _, err := openDataset(ctx, c, false, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	open := func(o machines.Options) func() (vm.VM, error) {
		return func() (vm.VM, error) { m, _, err := machines.Open(n, o); return m, err }
	}
	o := bench.Options{
		New:     open(machineOptions(c)),
		Witness: open(witness),
		Set:     d.Train,
		Least:   *least,
		Only:    rows,
		Other: func(n model.Network, cores int) (vm.VM, error) {
			o := machineOptions(c)
			o.Listing, o.Cores = false, cores
			m, _, err := machines.Open(n, o)
			return m, err
		},
	}
	if *peer {
		o.Python = cmp.Or(*python, "python3")
	}
	if *growth != "" {
		return grow(ctx, o, *growth, *asJSON, l, stdout)
	}
	report, err := bench.Run(ctx, o)
	if err != nil {
		return cause(ctx, err)
	}
	if *asJSON {
		return printJSON(stdout, report)
	}
	return report.Text(stdout, l)
}

// benchRows reads what -only asks for; "" is all rows.
func benchRows(only string) (*bench.Rows, error) {
	if only == "" {
		return nil, nil
	}
	rows := &bench.Rows{}
	for word := range strings.SplitSeq(only, ",") {
		batch, err := strconv.Atoi(word)
		switch {
		case word == "load":
			rows.Load = true
		case word == "evaluate":
			rows.Evaluate = true
		case err == nil && batch > 0:
			rows.Batches = append(rows.Batches, batch)
		default:
			return nil, usageError(fmt.Sprintf("bench: -only: %q is no row: want load, evaluate or a batch size, with commas between them", word))
		}
	}
	return rows, nil
}

var growthTitle = lang.Text{En: "Seconds of a pass over 60,000 samples, or over as many as the axis says", Zh: "遍历 60,000 个样本（或横轴所示数量）的秒数"}

// grow measures how times grow, draws it into a file, and prints the numbers.
func grow(ctx context.Context, o bench.Options, path string, asJSON bool, l lang.Language, stdout io.Writer) error {
	curves, err := bench.Grow(ctx, o)
	if err != nil {
		return cause(ctx, err)
	}
	g := figure.Growth{Title: growthTitle.In(l), Language: l}
	for _, c := range curves {
		g.Panels = append(g.Panels, figure.GrowthPanel{Across: c.What.In(l), Note: c.Fixed.In(l), At: c.At, Seconds: c.Seconds})
	}
	drawn, err := g.Figure()
	if err != nil {
		return err
	}
	if err := files.Write(path, drawn.SVG); err != nil {
		return err
	}
	if asJSON {
		return printJSON(stdout, curves)
	}
	return bench.GrowthText(stdout, curves, l)
}
