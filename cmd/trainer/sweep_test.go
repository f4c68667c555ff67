package main

import (
	"bytes"
	"encoding/csv"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"trainer/train/rundir"
	"trainer/train/sweep"
)

// sweepArgs are those of a small sweep of four runs in a folder.
func sweepArgs(flags []string, dir string, more ...string) []string {
	args := append([]string{"sweep"}, flags...)
	return append(append(args, "-over", "train.rate.initial=0.5,3", "-seeds", "2", "-out", dir), more...)
}

// tableOf reads the table of a sweep without the seconds.
func tableOf(t *testing.T, dir string) [][]string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, sweep.CSVFile))
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for i := range rows {
		rows[i] = rows[i][:len(rows[i])-1]
	}
	return rows
}

// TestSweep: the files, the lines, and a second time, which keeps all.
func TestSweep(t *testing.T) {
	flags := rows(t)
	dir := filepath.Join(t.TempDir(), "sweep")
	code, stdout, stderr := trainer(sweepArgs(flags, dir)...)
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, %q, %s", code, stderr, stdout)
	}
	for _, want := range []string{
		"sweep of run: 4 runs, 2 seeds each (1 to 2)\n", "train.rate.initial: 0.5, 3\n", "60 + 30 images", "4 to train, ",
		"[4/4] train.rate.initial=", "the best is train.rate.initial=", "(mean of 2 seeds), chosen on the test set, as there is no validation set\n",
		"the best run is " + filepath.Join(dir, "runs"), "index.html, sweep.svg, sweep.png, table.csv, table.json",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("standard output lacks %q:\n%s", want, stdout)
		}
	}
	table := tableOf(t, dir)
	if len(table) != 5 || !reflect.DeepEqual(table[0][:5], []string{"run", "folder", "train.rate.initial", "seed", "state"}) {
		t.Errorf("table %q", table)
	}
	// Each run folder is one as of a training: the other commands take it.
	best := table[4][1]
	for _, file := range []string{rundir.LogFile, rundir.CheckpointFile, rundir.FigurePNG} {
		if _, err := os.Stat(filepath.Join(dir, "runs", best, file)); err != nil {
			t.Error(err)
		}
	}
	if code, _, stderr := trainer("eval", filepath.Join(dir, "runs", best)); code != exitDone {
		t.Errorf("eval of a run: %s", stderr)
	}
	log, err := os.ReadFile(filepath.Join(dir, "runs", best, rundir.LogFile))
	if err != nil || !strings.Contains(string(log), "epoch 3/3") || !strings.HasSuffix(string(log), "ended: done\n") {
		t.Errorf("log %q, %v", log, err)
	}
	reports, err := filepath.Glob(filepath.Join(dir, "runs", "*", rundir.ReportFile))
	if err != nil || len(reports) != 1 {
		t.Errorf("reports %v: want that of the best run", reports)
	}

	for _, args := range [][]string{sweepArgs(flags, dir), {"sweep", "-resume", dir}} {
		code, stdout, stderr = trainer(args...)
		if code != exitDone || stderr != "" || !strings.Contains(stdout, "4 of the runs had ended before, and are kept\n") || !reflect.DeepEqual(tableOf(t, dir), table) {
			t.Errorf("again: exit code %d, %q, %s", code, stderr, stdout)
		}
	}

	// The file of the sweep is the sweep.
	other := filepath.Join(t.TempDir(), "other")
	code, _, stderr = trainer("sweep", filepath.Join(dir, sweep.PlanFile), "-out", other, "-lang", "zh")
	if code != exitDone || !reflect.DeepEqual(tableOf(t, other), table) {
		t.Errorf("sweep.yaml again: exit code %d, %s", code, stderr)
	}
	page, err := os.ReadFile(filepath.Join(other, sweep.PageFile))
	if err != nil || !strings.Contains(string(page), "参数扫描") {
		t.Errorf("the page in Chinese: %v", err)
	}
	// Other settings are another sweep.
	code, _, stderr = trainer(sweepArgs(flags, dir, "-set", "train.shuffle=false")...)
	if code != exitUsage || !strings.Contains(stderr, "holds another sweep: train.shuffle is true there, and false here") {
		t.Errorf("another sweep: exit code %d, %s", code, stderr)
	}
	// A training does not take the file.
	code, _, stderr = trainer("-config", filepath.Join(dir, sweep.PlanFile))
	if code != exitUsage || !strings.Contains(stderr, "sweep: only trainer sweep reads this") {
		t.Errorf("train: exit code %d, %s", code, stderr)
	}
}

// TestSweepShards: shards in one folder, by a flag, Slurm and Kubernetes; a merge of what
// is there names what is missing; the merge of all is as of one process.
func TestSweepShards(t *testing.T) {
	flags := rows(t)
	whole, dir := filepath.Join(t.TempDir(), "whole"), filepath.Join(t.TempDir(), "shards")
	if code, _, stderr := trainer(sweepArgs(flags, whole)...); code != exitDone {
		t.Fatal(stderr)
	}
	code, stdout, stderr := trainer(sweepArgs(flags, dir, "-shard", "1/3")...)
	if code != exitDone || !strings.Contains(stdout, "merge them with: trainer sweep -merge "+dir+"\n") || !strings.Contains(stdout, "[2/2]") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	t.Setenv("SLURM_ARRAY_TASK_ID", "7")
	t.Setenv("SLURM_ARRAY_TASK_MIN", "6")
	t.Setenv("SLURM_ARRAY_TASK_COUNT", "3")
	if code, stdout, stderr = trainer(sweepArgs(flags, dir)...); code != exitDone || !strings.Contains(stdout, "shard 2/3 (SLURM_ARRAY_TASK_ID): 1 of the runs\n") {
		t.Fatalf("exit code %d, %s%s", code, stdout, stderr)
	}
	code, stdout, stderr = trainer("sweep", "-merge", dir)
	if code != exitFailed || !strings.Contains(stderr, "1 of 4 runs are missing: 3-rate.initial-3-seed-1\ngo on with: trainer sweep -resume "+dir+"\n") || len(tableOf(t, dir)) != 4 {
		t.Errorf("part: exit code %d, %s, %s", code, stderr, stdout)
	}
	t.Setenv("SLURM_ARRAY_TASK_ID", "")
	t.Setenv("JOB_COMPLETION_INDEX", "2")
	if code, _, stderr = trainer("sweep", "-resume", dir, "-shards", "3"); code != exitDone {
		t.Fatal(stderr)
	}
	if code, _, stderr = trainer("sweep", "-merge", dir); code != exitDone || stderr != "" || !reflect.DeepEqual(tableOf(t, dir), tableOf(t, whole)) {
		t.Errorf("all: exit code %d, %s", code, stderr)
	}
	for _, name := range []string{sweep.FigureSVG, sweep.FigurePNG} {
		a, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if b, err := os.ReadFile(filepath.Join(whole, name)); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs, %v", name, err)
		}
	}
	for i, part := range []string{"first", "second"} {
		code, _, stderr = trainer(sweepArgs(flags, filepath.Join(filepath.Dir(dir), part), "-shard", []string{"1/3", "2/3"}[i])...)
		if code != exitDone {
			t.Fatal(stderr)
		}
	}
	code, _, stderr = trainer("sweep", "-merge", filepath.Join(filepath.Dir(dir), "first"), filepath.Join(filepath.Dir(dir), "second"), "-out", filepath.Join(t.TempDir(), "part"))
	if code != exitFailed || !strings.Contains(stderr, "1 of 4 runs are missing: 3-rate.initial-3-seed-1\ntrain them in the folders of their shards") {
		t.Errorf("parts of their own: exit code %d, %s", code, stderr)
	}
	out := filepath.Join(t.TempDir(), "out")
	if code, _, stderr = trainer("sweep", "-merge", dir, whole, "-out", out); code != exitDone || !reflect.DeepEqual(tableOf(t, out), tableOf(t, whole)) {
		t.Errorf("two folders: exit code %d, %s", code, stderr)
	}
}

func TestSweepRefused(t *testing.T) {
	flags := rows(t)
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o666); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, test := range []struct{ args, want string }{
		{"", "nothing to sweep"},
		{"-over train.rate.inital=1,2", "did you mean train.rate.initial?"},
		{"-over train.batch=1,x", "have x, want a whole number"},
		{"-over", "flag needs an argument"},
		{"-over train.batch=1 -seeds 0", "-seeds 0: want 1 or more"},
		{"-over train.batch=1 -seeds x", "invalid value"},
		{"-over train.batch=1 -shard 3/2", `the shard is "3/2"`},
		{"-over train.batch=1 -shard 1/2 -shards 2", "-shard with -shards"},
		{"-over train.batch=1 -shards 2", "nothing says which one this is"},
		{"-over train.batch=1,2 -random 3", "-random 3 of 2 combinations"},
		{"-over model.layers=[16,3],[9,3] -out x", "the combination model.layers=[9, 3]: "},
		{"-over machine=compiled,tape -set train.update_order=listing", "the combination machine=tape"},
		{"-resume nowhere", "holds no sweep"},
		{"-resume nowhere -over train.batch=1", "-resume with -over"},
		{"-merge", "name the folder of the sweep"},
		{"-merge nowhere", "nowhere holds no sweep"},
		{"-merge a b", "say with -out"},
		{"-merge a -seeds 2", "-merge with -seeds"},
		{"-find-rate -over train.batch=1", "-find-rate with -over"},
		{"over train.batch=1", "unexpected argument"},
		{"mnist minibatch", "it is given twice"},
	} {
		args := []string{"sweep"}
		if !strings.Contains(test.args, "-resume") && !strings.Contains(test.args, "-merge") && !strings.Contains(test.args, "mnist") {
			args = append(args, flags...)
		}
		code, stdout, stderr := trainer(append(args, strings.Fields(test.args)...)...)
		if code != exitUsage || strings.Contains(stdout, "to train") || !strings.Contains(stderr, test.want) {
			t.Errorf("%s: exit code %d, %q, %q; want %q", test.args, code, stdout, stderr, test.want)
		}
	}
	for out, want := range map[string]string{file: "is a file: name the folder of a sweep", ".": "is not empty (file) and holds no sweep: choose another with -out"} {
		if code, _, stderr := trainer(sweepArgs(flags, out)...); code != exitFailed || !strings.Contains(stderr, want) {
			t.Errorf("-out %s: exit code %d, %s", out, code, stderr)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 1 {
		t.Errorf("failed starts left %v", left)
	}
}

// TestSweepSignal: a signal saves the runs that are under way, and the last line says how
// to go on; killed, the sweep goes on too, with the same result.
func TestSweepSignal(t *testing.T) {
	flags := append(rows(t), "-set", "train.epochs=30000", "-set", "train.batch=1")
	dir := filepath.Join(t.TempDir(), "sweep")
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGKILL} {
		c := process(sweepArgs(flags, dir)...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, filepath.Join(dir, "runs", "1-rate.initial-0.5-seed-1", rundir.CheckpointFile))
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if signal == syscall.SIGINT && (c.ProcessState.ExitCode() != exitSignal+int(syscall.SIGINT) || !strings.HasSuffix(stderr.String(), "\ngo on with: trainer sweep -resume "+dir+"\n")) {
			t.Errorf("exit code %d, %s", c.ProcessState.ExitCode(), stderr.String())
		}
	}
}

func TestFindRate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "rate")
	code, stdout, stderr := trainer(append([]string{"sweep", "-find-rate", "-out", dir}, append(rows(t), "-set", "train.batch=1")...)...)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "smoothed\n") || !strings.Contains(stdout, "rate.svg, rate.png, rate.csv\n") {
		t.Errorf("exit code %d, %q, %s", code, stderr, stdout)
	}
	for _, name := range []string{sweep.RateCSV, sweep.RateSVG, sweep.RatePNG} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	code, _, stderr = trainer(append([]string{"sweep", "-find-rate"}, rows(t)...)...)
	if code != exitFailed || !strings.Contains(stderr, "an epoch has 15 steps") {
		t.Errorf("few steps: exit code %d, %s", code, stderr)
	}
}
