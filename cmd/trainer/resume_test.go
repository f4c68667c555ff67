package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"trainer/train"
	"trainer/train/rundir"
)

// bytesOf returns the content of a file of a run.
func bytesOf(t *testing.T, dir, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// sameRun fails if two runs have other results. Times may differ, and so may what
// depends on them.
func sameRun(t *testing.T, got, want string) {
	t.Helper()
	for _, name := range []string{rundir.ModelFile, rundir.BestFile, rundir.FigurePNG, rundir.FigureSVG, rundir.ConfigFile} {
		if bytesOf(t, got, name) != bytesOf(t, want, name) {
			t.Errorf("%s has other bytes", name)
		}
	}
	metrics := func(dir string) (all []train.Metrics) {
		d := json.NewDecoder(strings.NewReader(bytesOf(t, dir, rundir.MetricsFile)))
		for d.More() {
			var m train.Metrics
			if err := d.Decode(&m); err != nil {
				t.Fatal(err)
			}
			m.TrainSeconds, m.EvalSeconds, m.SamplesPerSecond = 0, 0, 0
			all = append(all, m)
		}
		return all
	}
	if got, want := metrics(got), metrics(want); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%d epochs, want the same %d", len(got), len(want))
	}
}

// TestResume: the last line of an interrupted run is the command that goes on with it,
// also in its log, and what the command gives is what an undisturbed run gives.
func TestResume(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a run's folder")
	flags := rows(t)
	c := process(append(flags, "-out", dir, "-set", "train.epochs=100000")...)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(dir, rundir.MetricsFile))
	waitForEpochs(t, dir, 50)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, c)
	want := "resume with: trainer -resume '" + strings.ReplaceAll(dir, "'", `'\''`) + "'"
	if lines := strings.Split(strings.TrimSpace(stderr.String()), "\n"); lines[len(lines)-1] != want {
		t.Errorf("standard error %q, want the last line %q", lines, want)
	}
	if log := bytesOf(t, dir, rundir.LogFile); !strings.HasSuffix(log, want+"\nended: interrupted by terminated\n") {
		t.Errorf("the log ends with %q", log[max(0, len(log)-300):])
	}
	// As many epochs more, to be done soon.
	epochs := strings.Count(bytesOf(t, dir, rundir.MetricsFile), "\n") + 20
	set := fmt.Sprintf("train.epochs=%d", epochs)
	code, stdout, errs := trainer("-resume", dir, "-set", set)
	if code != exitDone || !strings.Contains(stdout, "going on from "+filepath.Join(dir, rundir.CheckpointFile)) {
		t.Fatalf("exit code %d, %s%s", code, stdout, errs)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if code, _, errs := trainer(append(flags, "-out", whole, "-set", set)...); code != exitDone {
		t.Fatal(errs)
	}
	sameRun(t, dir, whole)

	// There is nothing left to train, and the output says so, with a command that works.
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	if code, stdout, errs = trainer("-resume", dir); code != exitDone || !strings.Contains(stdout, "已没有可训练的内容；如需继续训练：trainer -resume ") {
		t.Errorf("exit code %d, %s%s", code, stdout, errs)
	}
	t.Setenv("LC_ALL", "C")
	code, stdout, _ = trainer("-resume", dir)
	_, command, ok := strings.Cut(stdout, "nothing was left to train: to train on, trainer ")
	if more := fmt.Sprintf("-set train.epochs=%d\n", 2*epochs); code != exitDone || !ok || !strings.HasSuffix(command, more) {
		t.Errorf("exit code %d, %s", code, stdout)
	}
	sameRun(t, dir, whole)
}

// TestResumeUsage: what would be another run, or is unclear, is refused with what to do.
func TestResumeUsage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	flags := rows(t)
	if code, _, errs := trainer(append(flags, "-out", dir)...); code != exitDone {
		t.Fatal(errs)
	}
	logBefore, before := bytesOf(t, dir, rundir.LogFile), bytesOf(t, dir, rundir.MetricsFile)
	missing := filepath.Join(t.TempDir(), "missing")
	empty := t.TempDir()
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-set", "seed=2", "-set", "train.batch=5"}, exitUsage, "a change of seed, train.batch would make it another run"},
		{[]string{"-set", "train.rate.initial=5", "-set", "train.epochs=9"}, exitUsage, "a change of train.rate.initial would"},
		{[]string{"-set", "train.epochs=2"}, exitUsage, "train.epochs is 2, and 3 epochs are trained"},
		{[]string{"-config", "mnist"}, exitUsage, "leave out mnist"},
		{[]string{"-out", "x"}, exitUsage, "-fork x"},
		{[]string{"-set", "machine=interpret"}, exitFailed, "the machine was cpu, and now is interpret"},
		{[]string{"-fork", dir}, exitFailed, "already holds a run"},
		{[]string{"-fork", "x", "-out", "y"}, exitUsage, "leave out -out"},
		{[]string{"-fork", "x", "-set", "model.init.rule=zeros"}, exitUsage, "model.init.rule cannot be set"},
		{[]string{"-fork", "x", "-set", "train.runs.count=2"}, exitUsage, "train.runs.count is 2, and the checkpoint has 1 runs"},
		{[]string{"-fork", missing, "-set", "model.layers=[16, 7, 3]"}, exitFailed, "layers.0.weight"},
	} {
		code, _, errs := trainer(append([]string{"-resume", dir}, test.args...)...)
		if code != test.code || !strings.Contains(errs, test.want) {
			t.Errorf("%q: exit code %d, %q; want %d, %q", test.args, code, errs, test.code, test.want)
		}
	}
	for _, test := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-fork", "x"}, exitUsage, "with -resume RUN-FOLDER"},
		{[]string{"-resume", missing}, exitFailed, missing},
		{[]string{"-resume", empty}, exitFailed, "it is not a run folder"},
		{[]string{"-resume", ""}, exitUsage, "it is empty"},
	} {
		if code, _, errs := trainer(test.args...); code != test.code || !strings.Contains(errs, test.want) {
			t.Errorf("%q: exit code %d, %q; want %d, %q", test.args, code, errs, test.code, test.want)
		}
	}
	for _, path := range []string{"x", missing} {
		if _, err := os.Stat(path); err == nil {
			t.Errorf("a refused start left %s", path)
		}
	}
	// The machine is known late, so the log has a line more.
	if log := bytesOf(t, dir, rundir.LogFile); !strings.HasPrefix(log, logBefore) || bytesOf(t, dir, rundir.MetricsFile) != before {
		t.Errorf("refused commands changed the run: %q", log)
	}
	d, err := rundir.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, errs := trainer("-resume", dir); code != exitFailed || !strings.Contains(errs, "in use by process") || !strings.Contains(errs, "-fork") || strings.Contains(errs, "-out") {
		t.Errorf("a run that is running: exit code %d, %s", code, errs)
	}
	fork := filepath.Join(t.TempDir(), "fork")
	if code, stdout, errs := trainer("-resume", dir, "-fork", fork, "-set", "train.epochs=5", "-set", "train.rate.initial=1"); code != exitDone || !strings.Contains(stdout, "epoch 5/5") {
		t.Errorf("fork of a run that is running: exit code %d, %s%s", code, stdout, errs)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(bytesOf(t, fork, rundir.MetricsFile), "\n"); n != 5 {
		t.Errorf("the fork has %d epochs, want 5", n)
	}
}

// TestResumeDamaged: the error of a damaged checkpoint has a command that works.
func TestResumeDamaged(t *testing.T) {
	flags := rows(t)
	dir := filepath.Join(t.TempDir(), "run")
	if code, _, errs := trainer(append(flags, "-out", dir)...); code != exitDone {
		t.Fatal(errs)
	}
	for _, more := range []string{"4", "6"} { // each writes a checkpoint
		if code, _, errs := trainer("-resume", dir, "-set", "train.epochs="+more); code != exitDone {
			t.Fatal(errs)
		}
	}
	path := filepath.Join(dir, rundir.CheckpointFile)
	text := bytesOf(t, dir, rundir.CheckpointFile)
	if err := os.WriteFile(path, []byte(text[:len(text)-1]), 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, errs := trainer("-resume", dir)
	want := "the one before it, after epoch 4, is whole; go on from it with: trainer -resume " + filepath.Join(dir, rundir.EarlierFile) + "\n"
	if code != exitFailed || !strings.Contains(errs, path+": the checkpoint is damaged") || !strings.HasSuffix(errs, want) {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	if code, _, errs := trainer("-resume", filepath.Join(dir, rundir.EarlierFile), "-set", "train.epochs=6"); code != exitDone {
		t.Fatal(errs)
	}
	whole := filepath.Join(t.TempDir(), "whole")
	if code, _, errs := trainer(append(flags, "-out", whole, "-set", "train.epochs=6")...); code != exitDone {
		t.Fatal(errs)
	}
	sameRun(t, dir, whole)
	for _, name := range []string{rundir.CheckpointFile, rundir.EarlierFile} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code, _, errs = trainer("-resume", dir)
	_, command, ok := strings.Cut(errs, "begin a new run from the parameters with: trainer ")
	if code != exitFailed || !ok {
		t.Fatalf("exit code %d, %s", code, errs)
	}
	args := append(strings.Fields(command), "-out", filepath.Join(t.TempDir(), "new"))
	if code, _, errs := trainer(args...); code != exitDone {
		t.Errorf("%q: exit code %d, %s", args, code, errs)
	}
}
