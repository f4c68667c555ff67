package main

import (
	"cmp"
	"flag"
	"io"
	"os"
	"time"

	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train/bench"
)

// benchCommand measures the configured machine beside Gorgonia's.
func benchCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	asJSON := f.Bool("json", false, "print JSON")
	peer := f.Bool("peer", false, "also run the textbook's listing in Python with NumPy, on one thread")
	python := f.String("python", "", "the Python of -peer, a `program`; without it, python3")
	least := f.Duration("time", time.Second, "how long to measure each at the least, a `duration`")
	c, err := flags.parse(f, args, stdout)
	if err != nil {
		return err
	}
	if *python != "" && !*peer {
		return usageError("bench: -python goes with -peer")
	}
	n := c.Network()
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
	}
	if *peer {
		o.Python = cmp.Or(*python, "python3")
	}
	report, err := bench.Run(ctx, o)
	if err != nil {
		return cause(ctx, err)
	}
	if *asJSON {
		return printJSON(stdout, report)
	}
	return report.Text(stdout)
}
