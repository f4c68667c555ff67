package report

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"trainer/data"
	"trainer/data/files"
	"trainer/graph/explain"
	"trainer/graph/gradcheck"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/evaluation"
	"trainer/train/rundir"
)

// Source is what a report is gathered from.
type Source struct {
	Folder string        // the run folder
	Config config.Config // of the run
	Model  train.Trained // of the folder

	// Dataset is that of the run. Where it is nil, Err says why, and the sections
	// that need it say that. Train may be nil.
	Dataset *data.Dataset
	Err     error

	// Open makes a machine of the run's kind for its network in a precision, and
	// returns the compiler of its programs. Gather closes the machine.
	Open func(model.Precision) (vm.VM, vm.Compiler, error)

	// Device is the machine that trained, in a line; "" is what the log says.
	Device string

	// Advice is that of the run (train.Run); "" is what the log has.
	Advice string

	Figures bool // only what Compare shows

	// Quick leaves out what takes longest: the gradient check, the sample, and the
	// checksums. It is for a run that was interrupted, whose user waits.
	Quick bool
}

// ErrQuick is why a section lacks what Source.Quick leaves out.
var ErrQuick = errors.New("the run was interrupted: trainer report makes it")

// The bounds of what is read of a folder.
const (
	mostText    = 64 << 10 // bytes of the configuration, and of the log
	mostMetrics = 64 << 20 // bytes of the metrics
	mostWrong   = 25       // pictures of mistakes
)

// mostParameters is the size of the largest network whose gradients are checked and
// whose sample is explained: both take some seconds and copies of all parameters.
const mostParameters = 5_000_000

// errLarge is why a section lacks what would take long.
var errLarge = fmt.Errorf("the network has more than %d parameters: the command of this section makes it", mostParameters)

// Gather reads a run folder and computes what its report shows. A part that cannot
// be made is left out, and Data.Missing says why. Where ctx ends, the parts that are
// not done yet are left out, for its cause. The error is for a folder whose files cannot be read.
func Gather(ctx context.Context, s Source) (*Data, error) {
	d := &Data{Folder: s.Folder, Config: s.Config, Device: s.Device, Advice: s.Advice, Missing: map[Section]error{}}
	if err := d.read(s); err != nil {
		return nil, err
	}
	d.Parameters = s.Model.Parameters
	d.Model = Model{File: filepath.Base(s.Model.File)}
	d.Model.Epoch, _ = strconv.Atoi(s.Model.Metadata["epoch"])
	d.Model.Samples, _ = strconv.Atoi(s.Model.Metadata["samples_after_epoch"])
	if s.Dataset != nil {
		d.describe(s.Dataset)
	}
	d.compute(ctx, s)
	return d, nil
}

// compute makes the parts that need a machine or the data set. They use cores that
// are idle after training.
func (d *Data) compute(ctx context.Context, s Source) {
	var mu sync.Mutex
	missing := func(err error, sections ...Section) {
		if err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			err = context.Cause(ctx)
		}
		mu.Lock()
		defer mu.Unlock()
		for _, section := range sections {
			if err != nil && d.Missing[section] == nil {
				d.Missing[section] = err
			}
		}
	}
	var work sync.WaitGroup
	// Each of these has its own machine and its own fields of d.
	work.Go(func() {
		missing(d.test(ctx, s), Confusion, Mistakes)
		if !s.Figures && !s.Quick {
			missing(d.explain(ctx, s), Sample)
		}
	})
	if !s.Figures {
		work.Go(func() { missing(d.program(s), Network) })
	}
	if s.Quick {
		missing(ErrQuick, Sample, Gradients, Setup)
	} else {
		work.Go(func() { missing(d.sums(ctx, s), Setup) })
		if !s.Figures {
			work.Go(func() { missing(d.gradients(ctx, s), Gradients) })
		}
	}
	work.Wait()
}

// opened returns a machine with parameters.
func opened(s Source, p model.Precision, parameters model.Parameters) (vm.VM, vm.Compiler, error) {
	m, c, err := s.Open(p)
	if err != nil {
		return nil, nil, err
	}
	if err := m.SetParameters(parameters); err != nil {
		return nil, nil, errors.Join(err, m.Close())
	}
	return m, c, nil
}

// describe takes from the data set what a report says about it.
func (d *Data) describe(of *data.Dataset) {
	d.Dataset, d.Source = of.Name, of.Source
	for _, part := range []struct {
		part Part
		set  *data.Set
	}{{Training, of.Train}, {Validation, of.Validation}, {Test, of.Test}} {
		if s := part.set; s != nil {
			d.Sets = append(d.Sets, Set{Part: part.part, Name: s.Name, Images: s.Len(), Rows: s.Rows, Cols: s.Cols, Counts: s.Counts()})
		}
	}
	set := cmp.Or(of.Train, of.Test)
	for k := range set.Classes {
		d.Classes = append(d.Classes, set.ClassName(k))
	}
}

// sums computes the checksums of the sets.
func (d *Data) sums(ctx context.Context, s Source) error {
	if s.Dataset == nil {
		return s.Err
	}
	of := s.Dataset
	sets := slices.DeleteFunc([]*data.Set{of.Train, of.Validation, of.Test}, func(s *data.Set) bool { return s == nil })
	for i, set := range sets {
		if err := ctx.Err(); err != nil {
			return err
		}
		d.Sets[i].ImagesSum, d.Sets[i].LabelsSum = set.Sums()
	}
	return nil
}

// program compiles a training step.
func (d *Data) program(s Source) error {
	m, c, err := s.Open(s.Config.Precision)
	if err != nil {
		return err
	}
	d.Program, err = c.Step(s.Config.Train.Batch)
	return errors.Join(err, m.Close())
}

// gradients checks the gradients of the machine that trains, with fewer elements and
// batches than trainer gradcheck takes.
func (d *Data) gradients(ctx context.Context, s Source) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	o := gradcheck.Options{Seed: s.Config.Seed, Batches: []int{1, 3}, Small: 1, Samples: 10, Parameters: s.Model.Parameters}
	switch size := s.Config.Network().Size(); {
	case size > mostParameters:
		return errLarge
	case size > 100_000:
		o.Batches = []int{1}
	}
	m, _, err := s.Open(s.Config.Precision)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	g, err := gradcheck.Check(m, o)
	if err != nil {
		return err
	}
	d.Gradients = &g
	return nil
}

// test evaluates the test set, and takes the worst mistakes.
func (d *Data) test(ctx context.Context, s Source) (err error) {
	if s.Dataset == nil {
		return s.Err
	}
	set := s.Dataset.Test
	m, _, err := opened(s, s.Config.Precision, s.Model.Parameters)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	r, err := evaluation.Run(ctx, m, &data.Dataset{Name: s.Dataset.Name, Test: set})
	if err != nil {
		return err
	}
	d.Test = &r.Test
	wrong, err := evaluation.Worst(ctx, m, set, set.Len())
	if err != nil {
		return err
	}
	for i, w := range wrong {
		d.AllWrong = append(d.AllWrong, w.Index)
		if i < mostWrong {
			d.Wrong = append(d.Wrong, Mistake{w, pictureOf(set, w.Index)})
		}
	}
	d.SampleIndex = teacher(m.Network().Activation, wrong)
	slices.Sort(d.AllWrong)
	return nil
}

// teacher returns the image of the mistake with the largest δ^L: there the derivation
// has numbers to look at, and a step changes something. Without a mistake it is the
// first image.
func teacher(g model.Activation, wrong []evaluation.Mistake) (index int) {
	most := 0.0
	for _, w := range wrong {
		size := 0.0
		for k, number := range w.Outputs {
			a := float64(number)
			slope := a * (1 - a)
			if g == model.Tanh {
				slope = 1 - a*a
			}
			d := a * slope
			if k == w.Label {
				d = (a - 1) * slope
			}
			size += d * d
		}
		if size > most { // never of a NaN
			index, most = w.Index, size
		}
	}
	return index
}

// explain computes the derivation with the numbers of one test image.
func (d *Data) explain(ctx context.Context, s Source) (err error) {
	if s.Dataset == nil {
		return s.Err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if s.Config.Network().Size() > mostParameters {
		return errLarge
	}
	m, c, err := opened(s, model.Float64, s.Model.Parameters)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	set := s.Dataset.Test
	if set.Len() == 0 {
		return fmt.Errorf("%s has no images", set.Name)
	}
	e, err := explain.Explain(m, c, set.Slice(d.SampleIndex, d.SampleIndex+1), explain.Options{
		Sample: set.Name, Rate: s.Config.Train.Rate.Initial, Listing: s.Config.Train.UpdateOrder == "listing",
	})
	if err != nil {
		return err
	}
	d.Explained, d.Sample = &e, pictureOf(set, d.SampleIndex)
	return nil
}

func pictureOf(set *data.Set, i int) Picture {
	return Picture{Rows: set.Rows, Cols: set.Cols, Pixels: set.Image(i), Range: set.Scale.Pixels}
}

// read reads the text files of the run folder. Any may be missing: the run was
// interrupted early, or it is one of several.
func (d *Data) read(s Source) error {
	var err error
	d.YAML, err = readText(filepath.Join(s.Folder, rundir.ConfigFile))
	if err != nil {
		return err
	}
	if d.YAML == "" {
		d.YAML = string(s.Config.YAML())
	}
	if d.Log, err = readText(filepath.Join(s.Folder, rundir.LogFile)); err != nil {
		return err
	}
	if d.Device == "" {
		d.Device = deviceIn(d.Log)
	}
	err = readLines(filepath.Join(s.Folder, rundir.MetricsFile), func(line []byte) {
		if e, _, ok := parseEpoch(line); ok {
			d.Epochs = append(d.Epochs, e)
		}
	})
	if err != nil {
		return err
	}
	file := filepath.Join(s.Folder, rundir.RunsFile)
	text, err := readUpTo(file, mostMetrics)
	if err == nil && text != nil {
		err = json.Unmarshal(text, &d.Runs)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	curves := map[int]*Curve{}
	err = readLines(filepath.Join(s.Folder, rundir.RunMetricsFile), func(line []byte) {
		if e, run, ok := parseEpoch(line); ok {
			c := curves[run]
			if c == nil {
				c = &Curve{Run: run}
				curves[run] = c
			}
			c.Values = append(c.Values, e.TestAccuracy)
		}
	})
	if err != nil {
		return err
	}
	for _, c := range curves {
		d.Curves = append(d.Curves, *c)
	}
	slices.SortFunc(d.Curves, func(a, b Curve) int { return cmp.Compare(a.Run, b.Run) })
	return nil
}

// deviceIn returns the line of a log that says which machine trained, or "".
func deviceIn(log string) string {
	for line := range strings.Lines(log) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, "machine ") || strings.HasPrefix(line, "计算设备 ") {
			return line
		}
	}
	return ""
}

// mostWarnings is how many warnings of the log are shown.
const mostWarnings = 5

// warningsIn returns the warnings of a log.
func warningsIn(log string) []string {
	var list []string
	for line := range strings.Lines(log) {
		for _, word := range []string{"warning:", "警告"} {
			if text, ok := strings.CutPrefix(line, word); ok && len(list) < mostWarnings {
				list = append(list, strings.TrimLeft(strings.TrimSpace(text), ":\uFF1A "))
			}
		}
	}
	return list
}

// readText returns the beginning of a text file; "" if there is none.
func readText(path string) (string, error) {
	text, err := readUpTo(path, mostText)
	return string(bytes.ToValidUTF8(text, []byte("\uFFFD"))), err
}

// readUpTo returns the beginning of a file; nil if there is none.
func readUpTo(path string, most int64) ([]byte, error) {
	f, err := files.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	return io.ReadAll(io.LimitReader(f, most))
}

// readLines calls each for every line of a file that ends in a newline: a line torn
// by a crash is none. A file that does not exist has no lines.
func readLines(path string, each func(line []byte)) error {
	f, err := files.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReader(io.LimitReader(f, mostMetrics))
	for {
		line, err := r.ReadBytes('\n')
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		each(line)
	}
}

// parseEpoch reads a line of metrics.jsonl or runs.jsonl. It takes what the line has:
// null and a missing key are NaN.
func parseEpoch(line []byte) (e Epoch, run int, ok bool) {
	e = Epoch{
		Rate: math.NaN(), TrainCost: math.NaN(), TrainAccuracy: math.NaN(), ValidationCost: math.NaN(), ValidationAccuracy: math.NaN(),
		TestCost: math.NaN(), TestAccuracy: math.NaN(), TrainSeconds: math.NaN(), EvalSeconds: math.NaN(),
	}
	var keys map[string]any
	if json.Unmarshal(line, &keys) != nil {
		return e, 0, false
	}
	for key, to := range map[string]*float64{
		"learning_rate": &e.Rate, "train_cost": &e.TrainCost, "train_accuracy": &e.TrainAccuracy,
		"validation_cost": &e.ValidationCost, "validation_accuracy": &e.ValidationAccuracy,
		"test_cost": &e.TestCost, "test_accuracy": &e.TestAccuracy, "train_seconds": &e.TrainSeconds, "eval_seconds": &e.EvalSeconds,
	} {
		if v, is := keys[key].(float64); is {
			*to = v
		}
	}
	number, _ := keys["epoch"].(float64)
	if r, is := keys["run"].(float64); is {
		run = int(r)
	}
	e.Number = int(number)
	return e, run, number >= 1 && number <= math.MaxInt32
}
