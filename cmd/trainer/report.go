package main

import (
	"cmp"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"trainer/data"
	"trainer/data/files"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/report"
	"trainer/train/rundir"
	"trainer/train/terminal"
)

// reportCommand writes the report of a run folder again, or a comparison of several.
func reportCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("report", flag.ContinueOnError)
	var flags configFlags
	f.StringVar(&flags.device, "device", "", "`"+strings.Join(config.Devices, "|")+"`, short for -set device=…")
	f.Var(&flags.sets, "set", "set a key of the configuration of each run, `key=value`; may be repeated")
	flags.registerLang(f)
	out := f.String("o", "", "write to this `file`; else to report.html in the run folder, or, of several runs, to comparison.html here")
	folders, err := parseArgs(f, args, stdout)
	if err != nil {
		return err
	}
	if len(folders) == 0 {
		return usageError("report: no run: give the folder of a run, or of several to compare")
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	r := reader{flags: flags, stderr: stderr, figures: len(folders) > 1}
	var all []*report.Data
	var l lang.Language
	for _, folder := range folders {
		d, err := r.gather(ctx, folder)
		if err != nil {
			return cause(ctx, err)
		}
		l = r.settings.Language(os.Getenv)
		for _, lack := range d.Lacks(l) {
			_, _ = fmt.Fprintf(stderr, "warning: %s: %s\n", terminal.Line(folder), terminal.Line(lack))
		}
		all = append(all, d)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	write := func(w io.Writer) error { return all[0].HTML(w, l) }
	path := filepath.Join(folders[0], rundir.ReportFile)
	if len(all) > 1 {
		write = func(w io.Writer) error { return report.Compare(w, all, l) }
		path = "comparison.html"
	}
	path = cmp.Or(*out, path)
	if err := files.Write(path, write); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, terminal.Line(path))
	return err
}

// reader gathers reports. It opens a data set once for all runs that use it.
type reader struct {
	flags   configFlags
	stderr  io.Writer
	figures bool // only what a comparison shows

	settings config.Config // of dataset
	dataset  *data.Dataset
	err      error
}

func (r *reader) gather(ctx context.Context, folder string) (*report.Data, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("report: %s is no run folder: give the folder that a training has left", folder)
	}
	flags := r.flags
	c, m, err := flags.readModel(folder, r.stderr)
	if err != nil {
		return nil, err
	}
	r.open(ctx, c)
	s := reportSource(folder, c, m, r.dataset, r.err)
	s.Figures = r.figures
	return report.Gather(ctx, s)
}

// open opens the data set of a configuration, unless it is open.
func (r *reader) open(ctx context.Context, c config.Config) {
	same := reflect.DeepEqual(r.settings.Data, c.Data) && r.settings.Seed == c.Seed && r.settings.Network().Outputs() == c.Network().Outputs() && r.settings.Network().Inputs() == c.Network().Inputs()
	if (r.dataset != nil || r.err != nil) && same {
		return
	}
	r.settings = c
	r.dataset, _, r.err = openDataset(ctx, c, false, r.stderr)
	if r.err != nil {
		r.err = fmt.Errorf("the data set cannot be opened, so this is left out (-set data.dir=FOLDER says where it is now): %w", r.err)
	}
}

// reportSource returns what the report of a run is gathered from.
func reportSource(folder string, c config.Config, m train.Trained, d *data.Dataset, err error) report.Source {
	return report.Source{
		Folder: folder, Config: c, Model: m, Dataset: d, Err: err,
		Open: func(p model.Precision) (vm.VM, vm.Compiler, error) {
			c := c
			c.Precision = p
			c.Train.Runs = config.Runs{Count: 1}
			machine, _, err := newMachine(c)
			return machine, machines.Compiler(c.Network(), machineOptions(c)), err
		},
	}
}

// quickReport is how long the evaluation for the report of an interrupted session may
// take.
const quickReport = 100 * time.Millisecond

// writeReport writes the report of a session that has ended into its folder, and says
// so. The error is that of a file that could not be read or written. A session that has
// failed need not have left a model: then there is no report, and its own error is
// enough.
func writeReport(ctx context.Context, session *train.Session, result train.Result, failed bool, device string, screen screen, stderr io.Writer) error {
	interrupted := ctx.Err() != nil
	if interrupted {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(context.WithoutCancel(ctx), quickReport, report.ErrQuick)
		defer cancel()
	}
	folder, moved := session.Dir.Where()
	if moved && folder == "" {
		return nil // the folder is gone, which the closing lines say
	}
	m, err := train.OpenModel(folder)
	switch {
	case err != nil && failed:
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", rundir.ReportFile, err)
	}
	s := reportSource(folder, session.Config, m, session.Dataset, nil)
	s.Device, s.Quick = device, interrupted
	if result.Best >= 0 {
		s.Advice = result.Runs[result.Best].Advice
	}
	lacks, err := report.Write(ctx, session.Dir, s, session.Language)
	if err != nil {
		return err
	}
	if interrupted {
		screen.say(lang.Text{
			En: "%s is short, because the run was interrupted: 'trainer report %s' writes the whole",
			Zh: "训练被中断，%s 只有一部分：用 trainer report %s 可生成完整的报告",
		}, rundir.ReportFile, shellQuote(folder))
		return nil
	}
	for _, lack := range lacks {
		_, _ = fmt.Fprintf(stderr, "warning: %s lacks %s\n", rundir.ReportFile, terminal.Line(lack))
	}
	return nil
}
