package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/rundir"
)

// evalCommand evaluates a trained model on both sets.
func evalCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("eval", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", "the model, a safetensors `file`, or a run folder, whose best.safetensors is taken")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if *path == "" {
		return usageError("eval: no model: give -model FILE, or -model RUN-FOLDER")
	}
	file := *path
	if info, err := os.Stat(file); err == nil && info.IsDir() {
		file = filepath.Join(file, rundir.BestFile)
	}
	m, err := model.Read(file)
	if err != nil {
		return err
	}
	if flags.file == "" {
		// A model in a run folder brings its configuration along.
		beside := filepath.Join(filepath.Dir(file), rundir.ConfigFile)
		if _, err := os.Stat(beside); err == nil {
			flags.file = beside
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	c, err := flags.read()
	if err != nil {
		return err
	}
	c = withNetwork(c, m.Network)

	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	d, err := openDataset(ctx, c, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	machine, _, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.SetParameters(m.Parameters); err != nil {
		return err
	}
	e := evaluation{Model: file, Network: m.Network.String(), Dataset: d.Name, Source: d.Source}
	for _, part := range []struct {
		set *data.Set
		to  *result
	}{{d.Train, &e.Train}, {d.Test, &e.Test}} {
		score, err := machine.Evaluate(ctx, part.set)
		if err != nil {
			return cause(ctx, err)
		}
		*part.to = newResult(score)
	}
	if *asJSON {
		return printJSON(stdout, e)
	}
	return e.print(stdout)
}

// cause returns why ctx ended if err says that it did, else err.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return context.Cause(ctx)
	}
	return err
}

// withNetwork returns c for the network n.
func withNetwork(c config.Config, n model.Network) config.Config {
	c.Model.Layers, c.Model.Activation, c.Model.Bias = slices.Clone(n.Layers), n.Activation, n.Bias
	c.Precision = n.Precision
	return c
}

// evaluation is what eval prints.
type evaluation struct {
	Model   string `json:"model"`
	Network string `json:"network"`
	Dataset string `json:"dataset"`
	Source  string `json:"source"`
	Train   result `json:"train"`
	Test    result `json:"test"`
}

type result struct {
	Samples   int     `json:"samples"`
	Cost      float64 `json:"cost"`
	Correct   int     `json:"correct"`
	Accuracy  float64 `json:"accuracy"`
	Confusion [][]int `json:"confusion"` // [label][predicted]
}

func newResult(s vm.Score) result {
	return result{s.Samples, s.Cost, s.Correct, s.Accuracy(), s.Confusion}
}

func (e evaluation) print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintf(t, "model\t%s\nnetwork\t%s\ndata\t%s, from %s\n", e.Model, e.Network, e.Dataset, e.Source)
	for _, part := range []struct {
		name string
		result
	}{{"train", e.Train}, {"test", e.Test}} {
		_, _ = fmt.Fprintf(t, "%s\taccuracy %.4f (%d of %d), cost %.5f\n", part.name, part.Accuracy, part.Correct, part.Samples, part.Cost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, _ = fmt.Fprintf(w, "\nConfusion on the test set: a row a label, a column a prediction.\n")
	t = tabwriter.NewWriter(w, 0, 0, 1, ' ', tabwriter.AlignRight)
	for k := range e.Test.Confusion {
		_, _ = fmt.Fprintf(t, "\t%d", k)
	}
	_, _ = fmt.Fprintln(t, "\t")
	for label, row := range e.Test.Confusion {
		_, _ = fmt.Fprintf(t, "%d", label)
		for _, n := range row {
			_, _ = fmt.Fprintf(t, "\t%d", n)
		}
		_, _ = fmt.Fprintln(t, "\t")
	}
	return t.Flush()
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
