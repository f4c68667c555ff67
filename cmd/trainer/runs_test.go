package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"trainer/data"
	"trainer/train"
	"trainer/train/lang"
	"trainer/train/rundir"
)

// TestRuns: all results are listed, and the folder is that of the best run.
func TestRuns(t *testing.T) {
	flags := append(rows(t), "-set", "seed=5")
	dir := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := trainer(append(flags, "-out", dir, "-set", "train.runs.count=4")...)
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
		if result.Run != r || result.Seed != uint64(5+r) || result.Last.Epoch != 3 {
			t.Errorf("result %d: %+v", r, result)
		}
	}
	if code, stdout, stderr := trainer("eval", "-model", dir); code != exitDone || stderr != "" || !strings.Contains(stdout, "Confusion") {
		t.Errorf("eval of the folder: exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestRunsRefused(t *testing.T) {
	for set, want := range map[string]string{
		"train.runs.count=0":   "from 1 to 1024",
		"train.runs.rates=[1]": "unknown key",
	} {
		code, stdout, stderr := trainer("-set", set)
		if code != exitUsage || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%s: exit code %d, %q, %q; want %q", set, code, stdout, stderr, want)
		}
	}
}

// TestRunsStopEarly: the screen says which run stopped early.
func TestRunsStopEarly(t *testing.T) {
	flags := append(rows(t), "-set", "train.epochs=6", "-set", "train.early_stopping.patience=2")
	code, stdout, stderr := trainer(append(flags, "-out", filepath.Join(t.TempDir(), "run"), "-set", "train.runs.count=2", "-set", "train.rate.initial=1e-12")...)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "run 0 stopped early after epoch 3\n") || !strings.Contains(stdout, "the best is run ") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, stderr = trainer(append(flags, "-out", filepath.Join(t.TempDir(), "run"), "-set", "train.rate.initial=1e-12")...)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "stopped early: no improvement for 2 epochs\n") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
}

// TestReport: the closing lines say on which set the best was chosen, and what a
// run that learned nothing is to be warned of.
func TestReport(t *testing.T) {
	metrics := func(epoch int, validation, test float64) *train.Metrics {
		m := &train.Metrics{Epoch: epoch, TestAccuracy: test}
		if validation > 0 {
			m.Validation = &train.Validation{ValidationAccuracy: validation}
		}
		return m
	}
	a := train.Run{RunID: train.RunID{Run: 0, Seed: 1}, Best: metrics(4, 0, 0.9), Last: metrics(5, 0, 0.8)}
	b := train.Run{RunID: train.RunID{Run: 1, Seed: 2}, Best: metrics(3, 0.95, 0.89), Last: metrics(5, 0.91, 0.93)}
	c := train.Run{RunID: train.RunID{Run: 2, Seed: 3}, Best: metrics(1, 0.1, 0.12), Last: metrics(5, 0.1, 0.11), Advice: "learned nothing: because"}
	d := train.Run{RunID: train.RunID{Run: 3, Seed: 4}, Failed: "epoch 1, batch 1: cost"}
	for name, test := range map[string]struct {
		runs []train.Run
		best int
		want string
	}{
		"test set":       {[]train.Run{a}, 0, "rows: test accuracy 0.8000 after epoch 5, at best 0.9000 after epoch 4, chosen on the test set\n"},
		"validation set": {[]train.Run{b}, 0, "rows: test accuracy 0.9300 after epoch 5, and 0.8900 after epoch 3, the best on the validation set (0.9500)\n"},
		"warning":        {[]train.Run{c}, 0, "warning: the run learned nothing: because\n"},
		"runs": {[]train.Run{a, a}, 1, "" +
			"  run  seed  best test accuracy  after epoch    last\n" +
			"    0     1              0.9000            4  0.8000\n" +
			"    0     1              0.9000            4  0.8000\n" +
			"rows: the best is run 0, seed 1: test accuracy 0.8000 after epoch 5, at best 0.9000 after epoch 4, chosen on the test set\n"},
		"validated runs": {[]train.Run{b, c, d}, 0, "" +
			"  run  seed  best validation accuracy  after epoch    last  test accuracy: best    last\n" +
			"    1     2                    0.9500            3  0.9100               0.8900  0.9300\n" +
			"    2     3                    0.1000            1  0.1000               0.1200  0.1100\n" +
			"    3     4                      none            -  failed                    -       -\n" +
			"warning: run 2 learned nothing: because\n" +
			"run 3 failed: epoch 1, batch 1: cost\n" +
			"rows: the best is run 1, seed 2: test accuracy 0.9300 after epoch 5, and 0.8900 after epoch 3, the best on the validation set (0.9500)\n"},
	} {
		dir, err := rundir.Create(filepath.Join(t.TempDir(), "run"), "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		set := &data.Dataset{Name: "rows"}
		if test.runs[0].Best.Validation != nil {
			set.Validation = &data.Set{}
		}
		var out bytes.Buffer
		newScreen(&out, dir, lang.English, 5, len(test.runs), 10).report(train.Result{Runs: test.runs, Best: test.best}, &train.Session{Dataset: set, Dir: dir})
		if err := dir.Close(); err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), test.want) {
			t.Errorf("%s:\n%swant\n%s", name, out.String(), test.want)
		}
	}
}

// TestAdvice: a run that learns nothing ends with a warning, on the screen and in
// the log; a run that learns does not.
func TestAdvice(t *testing.T) {
	for set, want := range map[string]string{
		"train.rate.initial=1e-9": "warning: the run learned nothing (",
		"model.init.rule=zeros":   "set model.init.rule to hidden\n",
		"train.rate.initial=3":    "",
		"train.runs.count=2":      "warning: run 0 learned nothing (",
	} {
		dir := filepath.Join(t.TempDir(), "run")
		args := append(rows(t), "-out", dir, "-set", "train.epochs=10", "-set", set)
		if strings.Contains(set, "runs") {
			args = append(args, "-set", "train.rate.initial=1e-9")
		}
		code, stdout, stderr := trainer(args...)
		if code != exitDone || stderr != "" || !strings.Contains(stdout, want) || strings.Contains(stdout, "warning") != (want != "") {
			t.Errorf("%s: exit code %d, %q, want %q in\n%s", set, code, stderr, want, stdout)
		}
		if logged, err := os.ReadFile(filepath.Join(dir, rundir.LogFile)); err != nil || string(logged) != stdout+"ended: done\n" {
			t.Errorf("%s: log.txt is %q, %v; want what was printed", set, logged, err)
		}
	}
}
