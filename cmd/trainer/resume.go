package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/lang"
	"trainer/train/rundir"
	"trainer/train/terminal"
)

// What a user sees of resuming.
var (
	resumeText  = lang.Text{En: "resume with: %s", Zh: "继续训练：%s"}
	goingOnText = lang.Text{En: "going on from %s, after epoch %d", Zh: "从 %s 继续，已完成 %d 轮"}
	withinText  = lang.Text{
		En: "going on from %s, after epoch %d and %d samples",
		Zh: "从 %s 继续，已完成 %d 轮及 %d 个样本",
	}
	finishedText = lang.Text{
		En: "nothing was left to train: to train on, %s",
		Zh: "已没有可训练的内容；如需继续训练：%s",
	}
	stoppedEarlyText = lang.Text{
		En: "nothing was left to train, because of train.early_stopping: to train on, %s",
		Zh: "由于 train.early_stopping，已没有可训练的内容；如需继续训练：%s",
	}
	smallerRateText = lang.Text{
		En: "go on from the last good checkpoint, in a new run: %s",
		Zh: "从最后一个正常的检查点开始新的训练：%s",
	}
	earlierText = lang.Text{
		En: "the one before it, after epoch %d, is whole; go on from it with: %s",
		Zh: "前一个检查点（已完成 %d 轮）完好；可由它继续：%s",
	}
	noEarlierText = lang.Text{
		En: "there is no whole one before it; begin a new run from the parameters with: %s",
		Zh: "前面没有完好的检查点；可用已有参数开始新的训练：%s",
	}
)

// resumeFlags are the flags that continue a run.
type resumeFlags struct{ run, fork string }

// resumption is a run that goes on.
type resumption struct {
	from *train.Resume
	fork bool
	dir  *rundir.Dir // of the run, locked; nil for a fork
	lang lang.Language
}

// commandLine returns the command with these arguments, as one types it.
func commandLine(args ...string) string {
	quoted := []string{"trainer"}
	for _, a := range args {
		quoted = append(quoted, shellQuote(terminal.Line(a)))
	}
	return strings.Join(quoted, " ")
}

// open finds where to go on, and the configuration.
func (r resumeFlags) open(flags *configFlags) (_ *resumption, c config.Config, err error) {
	if flags.file != "" {
		return nil, c, usageError("train: -resume has the configuration of the run: change keys with -set, and leave out " + flags.file)
	}
	sets, err := flags.settings()
	if err != nil {
		return nil, c, err
	}
	folder, name, err := train.CheckpointPath(r.run)
	if err != nil {
		return nil, c, fmt.Errorf("-resume: %w", err)
	}
	to := &resumption{fork: r.fork != "", lang: flags.language()}
	if !to.fork {
		if to.dir, err = rundir.Open(folder); err != nil {
			return nil, c, err
		}
		defer func() {
			if err != nil {
				err = errors.Join(err, to.dir.Close())
			}
		}()
	}
	if to.from, err = train.OpenCheckpoint(folder, name); err != nil {
		var damaged *train.DamagedError
		if !errors.As(err, &damaged) {
			return nil, c, err
		}
		if damaged.Before == "" {
			return nil, c, fmt.Errorf("%w\n%s", err, noEarlierText.Format(to.lang, commandLine("-config", folder+"/"+rundir.ConfigFile, "-set", "model.init.file="+folder)))
		}
		args := []string{"-resume", damaged.Before}
		if to.fork {
			args = append(args, "-fork", r.fork)
		}
		return nil, c, fmt.Errorf("%w\n%s", err, earlierText.Format(to.lang, damaged.Epoch-1, commandLine(args...)))
	}
	if c, err = config.Parse([]byte(to.from.State.Config), to.from.File, sets); err != nil {
		return nil, c, err
	}
	to.lang = c.Language(os.Getenv)
	if to.fork {
		changed := config.Changed(to.from.Config, c)
		if i := slices.IndexFunc(changed, func(path string) bool { return strings.HasPrefix(path, "model.init.") }); i >= 0 {
			return nil, c, usageError(fmt.Sprintf("train: %s cannot be set: a fork begins with the parameters of the checkpoint", changed[i]))
		}
	} else if refused := to.from.Allows(c); len(refused) > 0 {
		return nil, c, usageError(fmt.Sprintf("train: a change of %s would make it another run: leave it out, or begin a new run from the checkpoint with -fork FOLDER", strings.Join(refused, ", ")))
	}
	if done := to.from.State.Epoch - 1; c.Train.Epochs < done {
		return nil, c, usageError(fmt.Sprintf("train: train.epochs is %d, and %d epochs are trained: want %[2]d or more", c.Train.Epochs, done))
	}
	return to, c, nil
}

// train goes on with a run.
func (r resumeFlags) train(flags *configFlags, out string, page pageFlag, stdout, stderr io.Writer) error {
	switch {
	case r.run == "":
		return usageError("train: -fork begins from a checkpoint: say of which run, with -resume RUN-FOLDER")
	case out != "" && r.fork == "":
		return usageError("train: -resume goes on in the folder of the run: leave out -out, or begin a new run with -fork " + shellQuote(out))
	case out != "":
		return usageError("train: -fork names the folder: leave out -out")
	}
	again, c, err := r.open(flags)
	if err != nil {
		return err
	}
	return watchedRun(c, "", r.fork, again, page, stdout, stderr)
}

// close gives back what again holds, if the run does not begin.
func (r *resumption) close() error {
	if r == nil || r.dir == nil {
		return nil
	}
	return r.dir.Close()
}

// folder returns the folder of the run that goes on, or nil for a new one.
func (r *resumption) folder() *rundir.Dir {
	if r == nil {
		return nil
	}
	return r.dir
}

// onDevice returns c for the device on which the run was, if c leaves it open.
func (r *resumption) onDevice(c config.Config) config.Config {
	if r != nil && c.Device == "auto" && !r.fork && slices.Contains(config.Devices, r.from.State.Machine) {
		c.Device = r.from.State.Machine
	}
	return c
}

// begin fits the checkpoint to the configuration and data of a fork. It returns the
// lines that say where the session goes on.
func (r *resumption) begin(c config.Config, d *data.Dataset, machine string) (lines []string, err error) {
	state := r.from.State
	samples := 0
	for _, run := range state.Runs {
		samples += run.Done
	}
	lines = []string{goingOnText.Format(r.lang, r.from.File, state.Epoch-1)}
	if samples > 0 {
		lines[0] = withinText.Format(r.lang, r.from.File, state.Epoch-1, samples)
	}
	if r.from.Note != "" {
		lines = append(lines, r.from.Note)
	}
	if r.fork {
		note, err := r.from.Fork(c, d, machine)
		if err != nil {
			return nil, usageError("train: -fork: " + err.Error())
		}
		if note != "" {
			lines = append(lines, note)
		}
	}
	return lines, nil
}

// nothingLeft says what to do if the session had nothing to train, else "".
func (r *resumption) nothingLeft(result train.Result, dir *rundir.Dir, epochs int) string {
	if r == nil {
		return ""
	}
	stoppedEarly := false
	for _, run := range result.Runs {
		if len(run.Epochs) >= r.from.State.Epoch {
			return ""
		}
		stoppedEarly = stoppedEarly || run.StoppedEarly
	}
	if r.from.State.Epoch <= epochs && stoppedEarly {
		return stoppedEarlyText.Format(r.lang, commandLine("-resume", dir.Path(), "-fork", "FOLDER", "-set", "train.early_stopping.patience=0"))
	}
	if r.from.State.Epoch <= epochs {
		return ""
	}
	return finishedText.Format(r.lang, commandLine("-resume", dir.Path(), "-set", fmt.Sprintf("train.epochs=%d", 2*epochs)))
}

// resumableError is the error of a run that can go on.
type resumableError struct {
	error
	how string // the line that says how
}

func (e resumableError) Unwrap() error { return e.error }

// resumable returns the error of a session together with how to go on, where there is
// a checkpoint.
func resumable(err error, session *train.Session, result train.Result) error {
	dir := session.Dir
	if err == nil || len(dir.Written(rundir.CheckpointFile)) == 0 {
		return err
	}
	path, _ := dir.Where()
	if path == "" {
		return err // it was removed
	}
	if bad := (*vm.NonFiniteError)(nil); errors.As(err, &bad) {
		rate := "RATE"
		if len(result.Runs) == 1 {
			rate = fmt.Sprintf("%.3g", session.Config.Train.Rate.Initial/10)
		}
		return resumableError{err, smallerRateText.Format(session.Language, commandLine("-resume", path, "-fork", "FOLDER", "-set", "train.rate.initial="+rate))}
	}
	return resumableError{err, resumeText.Format(session.Language, commandLine("-resume", path))}
}

// howToGoOn prints how a run goes on that err ended.
func howToGoOn(w io.Writer, err error) {
	var e resumableError
	if errors.As(err, &e) {
		_, _ = fmt.Fprintln(w, e.how)
	}
}

// logHow writes the same line to the log of the run.
func logHow(dir *rundir.Dir, err error) {
	var e resumableError
	if errors.As(err, &e) {
		_ = dir.AppendLine(rundir.LogFile, []byte(e.how))
	}
}
