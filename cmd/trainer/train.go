package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/progress"
	"trainer/train/rundir"
)

// trainCommand trains a network and leaves a run folder.
func trainCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	out := f.String("out", "", "the run `folder`; else runs/<time>-<name>")
	c, err := flags.parse(f, args, stdout)
	if err != nil {
		return err
	}
	return trainRun(c, *out, stdout, stderr)
}

// trainRun makes everything that a run needs, in the order in which mistakes
// are cheapest to find, and runs it.
func trainRun(c config.Config, out string, stdout, stderr io.Writer) (err error) {
	ctx, stop := untilSignal(func(s os.Signal) {
		_, _ = fmt.Fprintf(stderr, "trainer: %v: finishing the batch and saving; once more ends at once\n", s)
	})
	defer stop()
	machine, fleet, chose, err := newTrainer(c)
	if err != nil {
		return err
	}
	defer func() {
		if fleet != nil {
			err = errors.Join(err, fleet.Close())
		} else {
			err = errors.Join(err, machine.Close())
		}
	}()
	dataset, err := openDataset(ctx, c, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	if dataset.Source == data.BuiltIn && c.Data.Dataset != "digits" {
		// The fallback: what ran is what the run's files say.
		c.Data.Dataset, c.Name = "digits", c.Name+"-digits"
	}
	dir, err := rundir.Create(out, c.Name, time.Now())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dir.Close()) }()
	screen := newScreen(stdout, dir, c.Train.Epochs, c.Train.Replicas.Count*dataset.Train.Len())
	from := ""
	if dataset.Source != data.BuiltIn {
		from = ", from " + dataset.Source
	}
	screen.say("%s: %d + %d images%s", dataset.Name, dataset.Train.Len(), dataset.Test.Len(), from)
	screen.say("%v: %d parameters", c.Network(), c.Network().Size())
	screen.say("%s", chose)
	screen.say("run folder %s", dir.Path())

	if fleet != nil {
		run := &train.Replicas{Config: c, Dataset: dataset, Fleet: fleet, Dir: dir, Watch: replicasScreen{screen}}
		screen.say("%d replicas, with the seeds %d to %d", fleet.Len(), c.Seed, c.Replica(fleet.Len()-1).Seed)
		result, err := run.Run(ctx)
		screen.shown.Close()
		screen.replicas(result, dataset.Name, dir)
		return err
	}
	session := &train.Session{Config: c, Dataset: dataset, Machine: machine, Dir: dir, Watch: screen}
	result, err := session.Run(ctx)
	screen.shown.Close()
	if len(result.Epochs) > 0 {
		last := result.Epochs[len(result.Epochs)-1]
		if result.StoppedEarly {
			screen.say("stopped early: no improvement for %d epochs", c.Train.EarlyStopping.Patience)
		}
		screen.say("%s: test accuracy %.4f after epoch %d, at best %.4f after epoch %d",
			dataset.Name, last.TestAccuracy, last.Epoch, result.Best.TestAccuracy, result.Best.Epoch)
		screen.say("files in %s: %s, %s, %s, %s", dir.Path(), rundir.BestFile, rundir.ModelFile, rundir.MetricsFile, rundir.FigurePNG)
	}
	return err
}

// newTrainer makes a machine, or a fleet of them for replicas, and says in a line
// which and why.
func newTrainer(c config.Config) (m vm.VM, f vm.Fleet, chose string, err error) {
	n := c.Train.Replicas.Count
	if n == 1 {
		m, chose, err = newMachine(c)
		return m, nil, chose, err
	}
	f, err = vm.NewFleet(n, func() (m vm.VM, err error) {
		m, chose, err = newMachine(c)
		return m, err
	})
	return nil, f, chose, err
}

// screen says how a run gets on: on standard output, and in the folder's log.
type screen struct {
	shown  *progress.Progress
	logged *progress.Progress
}

func newScreen(stdout io.Writer, dir *rundir.Dir, epochs, samples int) screen {
	return screen{
		shown:  progress.New(stdout, progress.IsTerminal(stdout), epochs, samples),
		logged: progress.New(logWriter{dir}, false, epochs, samples),
	}
}

func (s screen) say(format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	s.shown.Print(line)
	s.logged.Print(line)
}

// Batch implements train.Watcher.
func (s screen) Batch(epoch, done int) { s.shown.Advance(epoch, done) }

// Epoch implements train.Watcher.
func (s screen) Epoch(m train.Metrics, best bool) { s.epoch(m, best, "") }

// replicasScreen is the screen of a run with replicas: it shows the best of each
// epoch.
type replicasScreen struct{ screen }

// Epoch implements train.ReplicasWatcher.
func (s replicasScreen) Epoch(m train.ReplicaMetrics, best bool) {
	s.epoch(m.Metrics, best, fmt.Sprintf("replica %d", m.Replica))
}

// replicas lists the results of all replicas, and says which is the best.
func (s screen) replicas(result train.ReplicasResult, dataset string, dir *rundir.Dir) {
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, "replica\tseed\trate\tbest test accuracy\tafter epoch\tlast\t")
	for _, r := range result.Replicas {
		best, epoch, last := "none", "-", "-"
		if r.Best != nil {
			best, epoch, last = fmt.Sprintf("%.4f", r.Best.TestAccuracy), strconv.Itoa(r.Best.Epoch), fmt.Sprintf("%.4f", r.Last.TestAccuracy)
		}
		if r.Failed != "" {
			last = "failed"
		}
		_, _ = fmt.Fprintf(w, "%d\t%d\t%.4g\t%s\t%s\t%s\t\n", r.Replica, r.Seed, r.InitialRate, best, epoch, last)
	}
	_ = w.Flush() // to memory
	for line := range strings.Lines(table.String()) {
		s.say("%s", strings.TrimSuffix(line, "\n"))
	}
	for _, r := range result.Replicas {
		if r.Failed != "" {
			s.say("replica %d failed: %s", r.Replica, r.Failed)
		}
	}
	if result.Best < 0 {
		return
	}
	best := result.Replicas[result.Best]
	s.say("%s: the best is replica %d, seed %d, rate %.4g: test accuracy %.4f after epoch %d, at best %.4f after epoch %d",
		dataset, best.Replica, best.Seed, best.InitialRate, best.Last.TestAccuracy, best.Last.Epoch, best.Best.TestAccuracy, best.Best.Epoch)
	s.say("files in %s: %s, %s, %s and %s of the best; %s, %s of all", dir.Path(),
		rundir.BestFile, rundir.ModelFile, rundir.MetricsFile, rundir.FigurePNG, rundir.ReplicasFile, rundir.ReplicaMetricsFile)
}

func (s screen) epoch(m train.Metrics, best bool, note string) {
	line := progress.EpochLine{
		Note: note, Epoch: m.Epoch, Rate: m.LearningRate, Best: best,
		TrainCost: m.TrainCost, TrainAccuracy: m.TrainAccuracy,
		TestCost: m.TestCost, TestAccuracy: m.TestAccuracy,
		SamplesPerSecond: m.SamplesPerSecond, Seconds: m.TrainSeconds,
	}
	s.shown.Epoch(line)
	s.logged.Epoch(line)
}

// logWriter appends lines to the log of a run folder. An error ends the log,
// not the run: what counts is saved by other ways, which do fail.
type logWriter struct{ dir *rundir.Dir }

func (w logWriter) Write(b []byte) (int, error) {
	if err := w.dir.AppendLine(rundir.LogFile, bytes.TrimSuffix(b, []byte("\n"))); err != nil {
		return 0, err
	}
	return len(b), nil
}
