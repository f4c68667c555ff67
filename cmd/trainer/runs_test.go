package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/train"
	"trainer/train/rundir"
)

// TestRuns: all results are listed, and the folder is that of the best run.
func TestRuns(t *testing.T) {
	flags := append(rows(t), "-set", "seed=5")
	dir := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := trainer(append(flags, "-out", dir, "-set", "train.runs.count=4", "-set", "train.runs.rates=[3, 0.01]")...)
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, standard error %q", code, stderr)
	}
	for _, want := range []string{"4 runs, with the seeds 5 to 8", "epoch 1/3  run ", "best test accuracy", "the best is run", rundir.RunsFile} {
		if !strings.Contains(stdout, want) {
			t.Errorf("standard output lacks %q:\n%s", want, stdout)
		}
	}
	if logged, err := os.ReadFile(filepath.Join(dir, rundir.LogFile)); err != nil || string(logged) != stdout+"ended: done\n" {
		t.Errorf("log.txt is %q, %v; want what was printed", logged, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.RunsFile))
	if err != nil {
		t.Fatal(err)
	}
	var all []train.Run
	if err := json.Unmarshal(text, &all); err != nil || len(all) != 4 {
		t.Fatalf("%d results, %v, in %s", len(all), err, text)
	}
	for r, result := range all {
		if result.Run != r || result.Seed != uint64(5+r) || result.InitialRate != []float64{3, 0.01}[r%2] || result.Last.Epoch != 3 {
			t.Errorf("result %d: %+v", r, result)
		}
	}
	if code, stdout, stderr := trainer("eval", "-model", dir); code != exitDone || stderr != "" || !strings.Contains(stdout, "Confusion") {
		t.Errorf("eval of the folder: exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestRunsRefused(t *testing.T) {
	for set, want := range map[string]string{
		"train.runs.count=0":         "from 1 to 1024",
		"train.runs.rates=[1, 2, 3]": "3 rates for 2 runs",
	} {
		code, stdout, stderr := trainer("-set", "train.runs.count=2", "-set", set)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q, %q; want %q", set, code, stdout, stderr, want)
		}
	}
}

// TestRunsStopEarly: one run stops early and the other goes on; the screen says
// so.
func TestRunsStopEarly(t *testing.T) {
	flags := append(rows(t), "-set", "train.epochs=6", "-set", "train.early_stopping.patience=2")
	code, stdout, stderr := trainer(append(flags, "-out", filepath.Join(t.TempDir(), "run"), "-set", "train.runs.count=2", "-set", "train.runs.rates=[1e-12, 1]")...)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "run 0 stopped early after epoch 3\n") || !strings.Contains(stdout, "the best is run 1") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, stderr = trainer(append(flags, "-out", filepath.Join(t.TempDir(), "run"), "-set", "train.rate.initial=1e-12")...)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "stopped early: no improvement for 2 epochs\n") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}
