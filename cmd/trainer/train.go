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
	var page pageFlag
	f.Var(&page, "serve", "show the training on a page for the browser, until Ctrl-C; -serve=ADDRESS is another address than "+pageAddress)
	c, err := flags.parse(f, args, stdout)
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
	w, err := watchedAt(page)
	if err != nil {
		return err
	}
	return w.finish(trainRun(c, flags.source(), *out, w, stdout, stderr), stdout)
}

// trainRun makes everything that a session needs, cheap checks first, and runs
// it. The run folder is made last, and a session that does not start leaves none.
// source says which configuration c is, if that is not plain.
// page is that of -serve.
func trainRun(c config.Config, source, out string, page *watched, stdout, stderr io.Writer) (err error) {
	ctx, stop := untilSignal(func(s os.Signal) {
		_, _ = fmt.Fprintf(stderr, "trainer: %v: finishing the batch and saving; send it again to end at once\n", s)
	})
	defer stop()
	fleet, chose, err := newFleet(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, fleet.Close()) }()
	dataset, err := openDataset(ctx, c, false, stderr)
	if err != nil {
		return cause(ctx, err)
	}
	if c, err = settled(c, dataset); err != nil {
		return err
	}
	c = withFound(c, dataset)
	dir, err := rundir.Create(out, c.Name, time.Now())
	if err != nil {
		return err
	}
	leave := dir.Discard
	defer func() { err = errors.Join(err, leave()) }()
	screen := newScreen(stdout, dir, c.Train.Epochs, fleet.Len(), dataset.Train.Len())
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
	session := &train.Session{Config: c, Dataset: dataset, Fleet: fleet, Dir: dir, Watch: screen}
	if err := page.attach(session, screen.say); err != nil {
		return err
	}
	result, err := session.Run(ctx)
	screen.shown.Close()
	if result.Runs == nil { // it did not start
		return err
	}
	leave = dir.Close
	screen.report(result, session)
	return err
}

// newFleet makes the fleet that trains the runs, and says in a line which
// machine it is and why.
func newFleet(c config.Config) (f vm.Fleet, chose string, err error) {
	f, err = vm.NewFleet(c.Train.Runs.Count, func() (m vm.VM, err error) {
		m, chose, err = newMachine(c)
		return m, err
	})
	return f, chose, err
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
	files := fmt.Sprintf("files in %s: %s, %s, %s, %s", session.Dir.Path(), rundir.BestFile, rundir.ModelFile, rundir.MetricsFile, rundir.FigurePNG)
	if s.several {
		files += fmt.Sprintf(" of the best; %s, %s of all", rundir.RunsFile, rundir.RunMetricsFile)
	}
	s.say("%s", files)
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
