package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/progress"
	"trainer/train/rundir"
	"trainer/train/terminal"
)

// trainCommand trains a network and leaves a run folder.
func trainCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("train", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	out := f.String("out", "", "the run `folder`; else runs/<time>-<name>")
	var again resumeFlags
	f.StringVar(&again.run, "resume", "", "go on with the run in `folder`, from its last checkpoint, as if it had not been stopped; keys that change the mathematics cannot be set")
	f.StringVar(&again.fork, "fork", "", "with -resume: begin a new run in `folder` from the checkpoint, with any change")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if again != (resumeFlags{}) {
		return again.train(&flags, *out, stdout, stderr)
	}
	c, err := flags.read()
	if err != nil {
		return err
	}
	if file := c.Model.Init.File; file != "" {
		if c, err = flags.readInitial(file, stderr); err != nil {
			return err
		}
		if _, err := train.InitialParameters(c); err != nil { // before there is a folder
			return err
		}
	}
	return trainRun(c, flags.source(), *out, nil, stdout, stderr)
}

// trainRun makes everything that a session needs, cheap checks first, and runs
// it. The run folder is made last, and a session that does not start leaves none.
// source says which configuration c is, if that is not plain. If again is not nil, the
// session goes on from a checkpoint.
func trainRun(c config.Config, source, out string, again *resumption, stdout, stderr io.Writer) (err error) {
	leave := func() error { return nil }
	defer func() { err = errors.Join(err, leave()) }()
	if again != nil && again.dir != nil {
		leave = again.dir.Close
	}
	shown := progress.NewQueue(stdout)
	defer func() { flush(shown, errors.As(err, new(signalError))) }()
	var log atomic.Pointer[rundir.Dir]
	ctx, stop := untilSignal(func(s os.Signal) {
		line := fmt.Sprintf("%v: finishing the batch and saving", s)
		_, _ = fmt.Fprintf(stderr, "trainer: %s; send it again to end at once\n", line)
		if dir := log.Load(); dir != nil {
			_ = dir.AppendLine(rundir.LogFile, []byte(line))
		}
	})
	defer stop()
	need := train.Memory(c)
	if err := checkMemory(c, need); err != nil {
		return err
	}
	fleet, machine, chose, err := newFleet(again.onDevice(c))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	dataset, notes, err := openDataset(ctx, c, false, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	if c, err = settled(c, dataset); err != nil {
		return err
	}
	c = withFound(c, dataset)
	if err := checkMemory(c, need, dataset.Train, dataset.Validation, dataset.Test); err != nil {
		return err
	}
	var checkpoint *train.Resume
	var goingOn []string
	if again != nil {
		checkpoint = again.from
		if goingOn, err = again.begin(c, dataset, machine); err != nil {
			return err
		}
	}
	dir := again.folder()
	if dir == nil {
		if dir, err = rundir.Create(out, c.Name, time.Now()); err != nil {
			return err
		}
		leave = dir.Discard
	}
	log.Store(dir)
	defer log.Store(nil)
	defer func() { logEnd(dir, err, recover()) }()
	screen := newScreen(shown, dir, c.Train.Epochs, fleet.Len(), dataset.Train.Len())
	for _, note := range notes { // they were shown
		screen.logged.Print(lineOf(note))
	}
	from := ""
	if dataset.Source != data.BuiltIn {
		from = ", from " + dataset.Source
	}
	if v := dataset.Validation; v != nil {
		from = fmt.Sprintf(", and %d for validation%s", v.Len(), from)
	}
	if source != "" {
		screen.say("%s", source)
	}
	screen.say("%s: %d + %d images%s", dataset.Name, dataset.Train.Len(), dataset.Test.Len(), from)
	screen.say("%v: %d parameters", c.Network(), c.Network().Size())
	screen.say("%s", chose)
	screen.say("run folder %s", dir.Path())
	if n := fleet.Len(); n > 1 {
		screen.say("%d runs, with the seeds %d to %d", n, c.Seed, c.Run(n-1).Seed)
	}
	for _, line := range goingOn {
		screen.say("%s", line)
	}
	session := &train.Session{Config: c, Dataset: dataset, Fleet: fleet, Machine: machine, Dir: dir, Watch: screen, From: checkpoint}
	result, err := session.Run(ctx)
	screen.shown.Close()
	if result.Runs == nil { // it did not start
		return err
	}
	leave = dir.Close
	screen.report(result, session)
	if left := again.nothingLeft(result, dir, c.Train.Epochs); left != "" && err == nil {
		screen.say("%s", left)
	}
	err = resumable(err, dir, result, session.RateKey())
	logHow(dir, err)
	return err
}

// newFleet makes the fleet that trains the runs. machine is the name of its kind;
// chose says in a line which machine it is and why.
func newFleet(c config.Config) (f vm.Fleet, machine, chose string, err error) {
	f, err = vm.NewFleet(c.Train.Runs.Count, func() (m vm.VM, err error) {
		if m, chose, err = newMachine(c); err == nil {
			machine = m.Name()
		}
		return m, err
	})
	return f, machine, chose, err
}

// screen shows how a session proceeds: on standard output, and in the folder's
// log.
type screen struct {
	shown   *progress.Progress
	logged  *progress.Progress
	several bool // whether there is more than one run
}

// newScreen makes the screen of a session of runs, each with so many samples an
// epoch.
func newScreen(stdout io.Writer, dir *rundir.Dir, epochs, runs, samples int) screen {
	return screen{
		shown:   progress.New(stdout, progress.IsTerminal(stdout), epochs, runs*samples),
		logged:  progress.New(logWriter{dir}, false, epochs, runs*samples),
		several: runs > 1,
	}
}

func (s screen) say(format string, args ...any) {
	line := terminal.Line(fmt.Sprintf(format, args...))
	s.shown.Print(line)
	s.logged.Print(line)
}

// Batch implements train.Watcher.
func (s screen) Batch(epoch, done int) { s.shown.Advance(epoch, done) }

// Epoch implements train.Watcher: it shows the best run of the epoch.
func (s screen) Epoch(runs []train.RunMetrics, top int, best bool) {
	m := runs[top]
	line := progress.EpochLine{
		Epoch: m.Epoch, Rate: m.LearningRate, Best: best,
		TrainCost: m.TrainCost, TrainAccuracy: m.TrainAccuracy,
		TestCost: m.TestCost, TestAccuracy: m.TestAccuracy,
		SamplesPerSecond: m.SamplesPerSecond, Seconds: m.TrainSeconds,
	}
	if v := m.Validation; v != nil {
		line.Validation = &progress.Validation{Cost: v.ValidationCost, Accuracy: v.ValidationAccuracy}
	}
	if s.several {
		line.Note = fmt.Sprintf("run %d", m.Run)
	}
	s.shown.Epoch(line)
	s.logged.Epoch(line)
}

// report shows what the session came to.
func (s screen) report(result train.Result, session *train.Session) {
	if s.several {
		s.list(result.Runs, session.Dataset.Validation != nil)
	}
	if result.Best < 0 {
		return
	}
	best, which := result.Runs[result.Best], ""
	if s.several {
		which = fmt.Sprintf("the best is run %d, seed %d, rate %.4g: ", best.Run, best.Seed, best.InitialRate)
	} else if best.StoppedEarly {
		s.say("stopped early: no improvement for %d epochs", session.Config.Train.EarlyStopping.Patience)
	}
	s.say("%s: %stest accuracy %.4f after epoch %d, %s",
		session.Dataset.Name, which, best.Last.TestAccuracy, best.Last.Epoch, chosen(*best.Best))
	if best.Advice != "" && !s.several { // list shows that of several runs
		s.say("warning: the run %s", best.Advice)
	}
	s.files(session.Dir)
}

// files lists the files that are in the folder.
func (s screen) files(dir *rundir.Dir) {
	path, moved := dir.Where()
	switch {
	case moved && path == "":
		s.say("the run folder %s was removed, or moved elsewhere", dir.Path())
		return
	case moved:
		s.say("the run folder %s was moved to %s", dir.Path(), path)
	}
	best := dir.Written(rundir.BestFile, rundir.ModelFile, rundir.MetricsFile, rundir.FigurePNG)
	if len(best) == 0 {
		return
	}
	list := strings.Join(best, ", ")
	if s.several {
		list += " of the best"
		if all := dir.Written(rundir.RunsFile, rundir.RunMetricsFile); len(all) > 0 {
			list += "; " + strings.Join(all, ", ") + " of all"
		}
	}
	s.say("files in %s: %s", path, list)
}

// logEnd writes how the session ended as the last line of the log. panicked is what the
// session panicked with, or nil; logEnd panics with it again.
func logEnd(dir *rundir.Dir, err error, panicked any) {
	end := "ended: done"
	switch {
	case panicked != nil:
		end = fmt.Sprintf("ended: %v", panicked)
	case err != nil:
		end = fmt.Sprintf("ended: %v", err)
	}
	_ = dir.AppendLine(rundir.LogFile, []byte(terminal.Line(end)))
	if panicked != nil {
		panic(panicked)
	}
}

// chosen says how good the best epoch is, and on which set it was chosen.
func chosen(best train.Metrics) string {
	if v := best.Validation; v != nil {
		return fmt.Sprintf("and %.4f after epoch %d, the best on the validation set (%.4f)", best.TestAccuracy, best.Epoch, v.ValidationAccuracy)
	}
	return fmt.Sprintf("at best %.4f after epoch %d, chosen on the test set", best.TestAccuracy, best.Epoch)
}

// list shows a table of all runs. The test accuracies of runs that were judged on
// a validation set have their own columns.
func (s screen) list(runs []train.Run, validated bool) {
	header, columns := "run\tseed\trate\tbest test accuracy\tafter epoch\tlast\t", 3
	if validated {
		header, columns = "run\tseed\trate\tbest validation accuracy\tafter epoch\tlast\ttest accuracy: best\tlast\t", 5
	}
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(w, header)
	for _, r := range runs {
		row := slices.Repeat([]string{"-"}, columns)
		row[0] = "none"
		if r.Best != nil {
			best, _ := r.Best.Judged()
			last, _ := r.Last.Judged()
			row[0], row[1], row[2] = accuracy(best), strconv.Itoa(r.Best.Epoch), accuracy(last)
			if validated {
				row[3], row[4] = accuracy(r.Best.TestAccuracy), accuracy(r.Last.TestAccuracy)
			}
		}
		if r.Failed != "" {
			row[2] = "failed"
		}
		_, _ = fmt.Fprintf(w, "%d\t%d\t%.4g\t%s\t\n", r.Run, r.Seed, r.InitialRate, strings.Join(row, "\t"))
	}
	_ = w.Flush() // to memory
	for line := range strings.Lines(table.String()) {
		s.say("%s", strings.TrimSuffix(line, "\n"))
	}
	for _, r := range runs {
		if r.Failed != "" {
			s.say("run %d failed: %s", r.Run, r.Failed)
		} else if r.StoppedEarly {
			s.say("run %d stopped early after epoch %d", r.Run, r.Last.Epoch)
		}
		if r.Advice != "" {
			s.say("warning: run %d %s", r.Run, r.Advice)
		}
	}
}

func accuracy(v float64) string { return fmt.Sprintf("%.4f", v) }

// logWriter appends lines to the log of a run folder. An error ends the log, not
// the session: an error of a file that matters does end it.
type logWriter struct{ dir *rundir.Dir }

func (w logWriter) Write(b []byte) (int, error) {
	if err := w.dir.AppendLine(rundir.LogFile, bytes.TrimSuffix(b, []byte("\n"))); err != nil {
		return 0, err
	}
	return len(b), nil
}
