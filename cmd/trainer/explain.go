package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"trainer/data"
	"trainer/data/lang"
	"trainer/data/photo"
	"trainer/graph/explain"
	"trainer/graph/model"
	"trainer/graph/vm/machines"
	"trainer/train/config"
	"trainer/train/prediction"
	"trainer/train/progress"
)

// explainCommand prints the textbook's derivation with the numbers of one sample.
func explainCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("explain", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", modelUsage)
	var sample sampleFlags
	sample.register(f)
	step := f.Bool("step", false, "with the cost and the outputs before and after a step, with the rate of the run's first epoch")
	weight := f.String("weight", "", "the weight `l,i,j` whose gradient is computed in three ways: w_ij of W^l, i and j from 0; l,i,b is b_i of b^l")
	asJSON := f.Bool("json", false, "print JSON")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	switch {
	case *path == "":
		return usageError("explain: no model: give -model FILE, or -model RUN-FOLDER")
	case sample.image == "":
		return usageError("explain: no sample: give -image INDEX of the test set, or -image FILE and -label")
	}
	w, err := parseWeight(*weight)
	if err != nil {
		return err
	}
	c, m, err := flags.readModel(*path, stderr)
	if err != nil {
		return err
	}
	if w != nil {
		if err := w.Check(m.Network); err != nil {
			return usageError(fmt.Sprintf("explain: -weight %v", err))
		}
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	set, name, cols, err := sample.read(ctx, c, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	c.Precision = model.Float64
	machine, _, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.SetParameters(m.Parameters); err != nil {
		return err
	}
	options := machineOptions(c)
	e, err := explain.Explain(machine, machines.Compiler(c.Network(), options), set, explain.Options{
		Sample: name, Rate: c.Train.Rate.Initial, Listing: options.Listing, Weight: w,
	})
	if err != nil {
		return err
	}
	if *asJSON {
		return printJSON(stdout, e)
	}
	answer := prediction.Answer{File: name, Label: e.Answer, Outputs: e.Output, Input: set.Pixels}
	if _, err := fmt.Fprintln(stdout, answer.Text(prediction.Style{Cols: cols, Blocks: progress.HasBlocks(stdout)})); err != nil {
		return err
	}
	return e.Text(stdout, *step, c.Language(os.Getenv))
}

// sampleFlags are the flags that name a sample.
type sampleFlags struct {
	image    string
	label    int
	pictures pictureFlags
}

func (s *sampleFlags) register(f *flag.FlagSet) {
	f.StringVar(&s.image, "image", "", "the `INDEX` of an image of the test set, from 0, or the FILE of a picture")
	f.IntVar(&s.label, "label", -1, "with -image FILE: the `class` that the picture shows")
	s.pictures.register(f)
}

// read returns the sample as a set of one image, what it is called, and how many
// columns the image has.
func (s *sampleFlags) read(ctx context.Context, c config.Config, stderr io.Writer) (set *data.Set, name string, cols int, err error) {
	n := c.Network()
	index, err := strconv.Atoi(s.image)
	if err == nil {
		if s.label >= 0 || s.pictures != (pictureFlags{}) {
			return nil, "", 0, usageError("explain: -label, -raw and -size are for -image FILE")
		}
		d, _, err := openDataset(ctx, c, true, stderr)
		if err != nil {
			return nil, "", 0, err
		}
		if index < 0 || index >= d.Test.Len() {
			return nil, "", 0, usageError(fmt.Sprintf("explain: -image %d: %s has the images 0 to %d", index, d.Test.Name, d.Test.Len()-1))
		}
		return d.Test.Slice(index, index+1), lang.Text{En: "image %d of %s", Zh: "%[2]s 的第 %[1]d 幅图像"}.Format(c.Language(os.Getenv), index, d.Test.Name), d.Test.Cols, nil
	}
	if s.label < 0 || s.label >= n.Outputs() {
		return nil, "", 0, usageError(fmt.Sprintf("explain: -image FILE needs -label, from 0 to %d: the cost is measured against it", n.Outputs()-1))
	}
	o, err := s.pictures.options(n.Inputs())
	if err != nil {
		return nil, "", 0, err
	}
	pixels, err := photo.ReadFile(s.image, o)
	if err != nil {
		return nil, "", 0, err
	}
	name = prediction.Printable(s.image)
	return &data.Set{
		Name: name, Rows: o.Rows, Cols: o.Cols, Classes: n.Outputs(), Pixels: pixels, Labels: []uint8{uint8(s.label)},
		Scale: data.Scale{Inputs: c.Data.Inputs.Range(), Targets: c.Data.Targets.Range()},
	}, name, o.Cols, nil
}

// parseWeight reads l,i,j or l,i,b; nil if the text is empty.
func parseWeight(text string) (*explain.Weight, error) {
	if text == "" {
		return nil, nil
	}
	wrong := usageError(fmt.Sprintf("explain: -weight %q: want l,i,j or l,i,b: whole numbers, or b for a bias", text))
	parts := strings.Split(text, ",")
	if len(parts) != 3 {
		return nil, wrong
	}
	var w explain.Weight
	for k, to := range []*int{&w.Layer, &w.I, &w.J} {
		part := strings.TrimSpace(parts[k])
		if k == 2 && part == "b" {
			w.Bias = true
			continue
		}
		var err error
		if *to, err = strconv.Atoi(part); err != nil {
			return nil, wrong
		}
	}
	return &w, nil
}
