//go:build !gpu

// Package measure has no Go code: it is the script that checks and measures the
// CUDA machine on a GPU, with what it needs (README.md). These tests run it
// without one, on the fake driver, whose kernels run on the CPU. They build a
// trainer with the tag gpu themselves, so tests with that tag leave them out.
package measure

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"trainer/graph/vm/cuda/driver/fake"
	"trainer/graph/vm/cuda/kernel/kerneltest"
)

var whole = flag.Bool("report", false, "run the whole report on the fake driver")

// report is what the tests read of report.json.
type report struct {
	Meta struct {
		Commit string
		Quick  bool
	}
	Device  map[string]string
	Steps   []step
	Left    []string
	GPUs    []string
	Batches []struct {
		Batch    int
		StepUS   *float64 `json:"step_us"`
		DeviceUS *float64 `json:"device_step_us"`
		Source   *string
	}
	Evaluate *float64 `json:"evaluate_device_seconds_60000"`
	Targets  []struct {
		What     string
		Measured *float64
		Met      *bool
	}
	Runs *struct {
		Count      int
		RatioTrain *float64 `json:"ratio_train"`
	}
	Stop map[string]*struct{ Seconds float64 }
}

type step struct {
	Name, Part, Result, Remark string
	Seconds                    float64
}

func (s step) String() string { return s.Name + " " + s.Result + " " + s.Remark }

func python(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("NOT TESTED: no python3: install it to test the GPU report")
	}
	return path
}

func readReport(t *testing.T, folder string) (r report, page string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(folder, "report.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	text, err = os.ReadFile(filepath.Join(folder, "report.md"))
	if err != nil {
		t.Fatal(err)
	}
	return r, string(text)
}

// TestReport makes a bundle and runs the whole report with it, in the quick
// form. Its times mean nothing; all steps have to run, and their results have
// to reach the page.
func TestReport(t *testing.T) {
	if !*whole {
		t.Skip("NOT TESTED without -report, which make gpu-check gives: the GPU report on the fake driver, most of a minute")
	}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("NOT TESTED: the GPU report is for linux/amd64")
	}
	t.Parallel()
	py := python(t)
	driver := t.TempDir()
	if err := fake.Build(driver); errors.Is(err, exec.ErrNotFound) {
		t.Skipf("NOT TESTED: the GPU report on the fake driver: %v: install gcc", err)
	} else if err != nil {
		t.Fatal(err)
	}
	kernels := kerneltest.Library(t)
	bundle := filepath.Join(t.TempDir(), "bundle")
	if out, err := exec.Command("bash", "bundle.sh", bundle).CombinedOutput(); err != nil {
		t.Fatalf("bundle.sh: %v\n%s", err, out)
	}
	run := func(out string, environment ...string) (string, error) {
		c := exec.Command("bash", filepath.Join(bundle, "report.sh"))
		c.Dir = t.TempDir()
		c.Env = append(os.Environ(), "QUICK=1", "RESULTS="+out, "PEERS_DEVICE=cpu", "DATA=", "TRAINER_DATA=", "PYTHON="+py,
			"LD_LIBRARY_PATH="+driver, "CUDA_FAKE_KERNELS="+kernels, "CUDA_FAKE_ARGUMENTS=1", "CUDA_FAKE_ATTRIBUTES=16=3")
		c.Env = append(c.Env, environment...)
		text, err := c.CombinedOutput()
		return string(text), err
	}

	out := filepath.Join(t.TempDir(), "results")
	// A call that has no time for all of it, and one that goes on.
	text, err := run(out, "BUDGET=23")
	if exitCode(err) != 3 || !strings.Contains(text, "call it again to go on") {
		t.Fatalf("report.sh with three seconds: %v, want exit code 3\n%s", err, text)
	}
	before, page := readReport(t, out)
	if len(before.Left) == 0 || !strings.Contains(page, "**Not complete: ") {
		t.Errorf("left: %v; the page says nothing of it", before.Left)
	}
	if text, err := run(out, "BUDGET=0"); err != nil {
		t.Fatalf("report.sh: %v\n%s", err, text)
	}
	r, page := readReport(t, out)
	if len(r.Left) > 0 || strings.Contains(page, "Not complete") {
		t.Errorf("left: %v", r.Left)
	}
	kept := 0
	for _, s := range before.Steps {
		if s.Part != "facts" && s.Result == "pass" {
			kept++
			if !slices.Contains(r.Steps, s) {
				t.Errorf("%s: the second call did it again", s)
			}
		}
	}
	if kept == 0 {
		t.Errorf("the first call did nothing: %v", before.Steps)
	}
	mayMiss := func(s step) bool { // other programs, which may not be here
		return s.Part == "sanitizer" || s.Part == "peers" || s.Part == "eager" || strings.HasPrefix(s.Name, "nvidia-smi")
	}
	for _, s := range r.Steps {
		if s.Name == "graph-vm-cuda.TestPassCalls" { // on a GPU
			if s.Result != "skip" || s.Remark != "only the fake driver tells its calls" {
				t.Errorf("%s, want skip and the reason", s)
			}
			continue
		}
		if s.Result != "pass" && (s.Result != "missing" || !mayMiss(s)) {
			t.Error(s)
		}
	}
	for _, name := range []string{
		"devices", "smoke", "graph-vm-cuda.TestModeOf", "graph-vm-cuda.TestStepCycles", "graph-vm-cuda.TestPassCalls", "gradcheck-float64-784,50,10", "cuda-float64-128", "weights-1", "weights-128",
		"stop-cuda", "racecheck-batch-128", "bench-1", "bench-rest", "epoch-1", "epoch-full", "main", "modes-block", "peers-jax", "peers-graphs",
	} {
		if !slices.ContainsFunc(r.Steps, func(s step) bool { return s.Name == name }) {
			t.Errorf("no step %s", name)
		}
	}
	for _, target := range r.Targets {
		// The peers have no CUDA graphs here.
		if target.Measured == nil && !strings.Contains(target.What, "CUDA graph") {
			t.Errorf("target %q was not measured", target.What)
		}
	}
	// The device's time is part of the host's.
	for _, b := range r.Batches {
		if bench := b.Source != nil && *b.Source == "trainer bench"; bench != (b.DeviceUS != nil) || bench && (*b.DeviceUS <= 0 || *b.DeviceUS > *b.StepUS) {
			t.Errorf("batch %d: %v µs on the device of %v µs a step", b.Batch, b.DeviceUS, b.StepUS)
		}
	}
	if r.Evaluate == nil || *r.Evaluate <= 0 {
		t.Errorf("evaluation on the device: %v", r.Evaluate)
	}
	// The tar has the page and the results of the last part.
	list, err := exec.Command("tar", "-tzf", out+".tar.gz").CombinedOutput()
	for _, name := range []string{"results/report.md", "results/report.json", "results/steps.tsv", "results/logs/smoke.log", "results/logs/peers-jax.log"} {
		if err != nil || !slices.Contains(strings.Split(string(list), "\n"), name) {
			t.Errorf("%s.tar.gz has no %s: %v", out, name, err)
		}
	}
	if r.Runs == nil || r.Runs.Count != 3 || r.Runs.RatioTrain == nil {
		t.Errorf("runs: %+v, want 3, one a multiprocessor of the fake device, with a ratio", r.Runs)
	}
	if !r.Meta.Quick || !strings.Contains(page, "no figure here is a measurement") {
		t.Error("the page does not say that nothing was measured")
	}
	if want := "Fake GPU 0"; r.Device["name"] != want || !strings.Contains(page, want) {
		t.Errorf("device %q, want %q", r.Device["name"], want)
	}

	t.Run("weights that differ", func(t *testing.T) {
		// The last float64 of the model, by a part in 10^9.
		model := filepath.Join(out, "runs", "cuda-float64-1", "model.safetensors")
		b, err := os.ReadFile(model)
		if err != nil {
			t.Fatal(err)
		}
		last := b[len(b)-8:]
		v := math.Float64frombits(binary.LittleEndian.Uint64(last))
		binary.LittleEndian.PutUint64(last, math.Float64bits(v*(1+1e-9)))
		if err := os.WriteFile(model, b, 0o666); err != nil {
			t.Fatal(err)
		}
		text, err := run(out, "AGAIN=weights-1", "PARTS=core")
		if exitCode(err) != 1 || !strings.Contains(text, "FAIL: weights-1") || strings.Contains(text, "weights-128") {
			t.Errorf("%v, want exit code 1 for weights-1, and nothing else done again:\n%s", err, text)
		}
	})
	t.Run("no device", func(t *testing.T) {
		out := filepath.Join(t.TempDir(), "results")
		text, err := run(out, "BUDGET=0", "CUDA_FAKE_DEVICES=0", "PARTS=smoke core")
		if exitCode(err) != 1 {
			t.Fatalf("%v, want exit code 1\n%s", err, text)
		}
		r, page := readReport(t, out)
		for name, want := range map[string]string{"smoke": "FAIL", "cpu-float32-1": "pass", "cuda-float32-1": "FAIL", "gradcheck-float32-784,50,10": "FAIL", "weights-1": "FAIL"} {
			if i := slices.IndexFunc(r.Steps, func(s step) bool { return s.Name == name }); i < 0 || r.Steps[i].Result != want {
				t.Errorf("%s: want %s in %v", name, want, r.Steps)
			}
		}
		for _, target := range r.Targets {
			if target.Measured != nil {
				t.Errorf("target %q was measured", target.What)
			}
		}
		if !strings.Contains(page, "| batch 1, a sample | ≤ 0.45 µs | missing | missing |") {
			t.Error(page)
		}
	})
}

// exitCode returns the exit code that an error of a command has; -1 if it has none.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// TestBudget: a step that the end of a call cuts off is left, and next time it is the
// first one; if it takes all of that call, it is out of time. What needs its result
// waits. The trainer is a script: CPU runs in float32 take a minute.
func TestBudget(t *testing.T) {
	if !*whole {
		t.Skip("NOT TESTED without -report: calls of report.sh that end early, some ten seconds")
	}
	t.Parallel()
	py := python(t)
	folder := t.TempDir()
	stub := filepath.Join(folder, "trainer")
	if err := os.WriteFile(stub, []byte(`#!/bin/sh
case "$*" in
devices) echo "cuda 0: $GPU, compute capability 9.0" ;;
*"-device cpu -set precision=float32"*) sleep 60 ;;
*"-set train.batch=128"*) echo broken >&2; exit 1 ;;
bench*) echo '{"machine": "cuda", "rows": null}' ;;
esac
`), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "nvidia-smi"), []byte(`#!/bin/sh
case "$*" in
*-lms*) while echo 1500, 2000, 40, 300, 99; do sleep 0.1; done ;;
*name*) printf 'name, driver_version\n%s, 1.2.3\n' "$GPU" ;;
esac
`), 0o777); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(folder, "results")
	command := func(environment ...string) *exec.Cmd {
		c := exec.Command("bash", "report.sh")
		c.Env = append(os.Environ(), "QUICK=1", "RESULTS="+out, "TRAINER="+stub, "TESTS="+folder, "CONFIGS="+folder, "DATA=", "TRAINER_DATA=", "PYTHON="+py,
			"PARTS=core", "BUDGET=25", "GPU=First GPU",
			"PATH="+folder+":"+os.Getenv("PATH"))
		c.Env = append(c.Env, environment...)
		return c
	}
	run := func(environment ...string) (string, error) {
		text, err := command(environment...).CombinedOutput()
		return string(text), err
	}
	results := func(r report) map[string]string {
		all := map[string]string{}
		for _, s := range r.Steps {
			all[s.Name] = s.Result
		}
		return all
	}

	// Ctrl-C in a step.
	stopped := filepath.Join(folder, "stopped")
	c := command("RESULTS="+stopped, "BUDGET=0")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		time.Sleep(20 * time.Millisecond)
		if _, err := os.Stat(filepath.Join(stopped, "logs", "cpu-float32-1.log")); err == nil {
			break
		}
	}
	if err := c.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	err := c.Wait()
	if r, page := readReport(t, stopped); exitCode(err) != 130 || !slices.Equal(r.Left, []string{"cpu-float32-1"}) || !strings.Contains(page, "Left: cpu-float32-1.") {
		t.Errorf("after Ctrl-C: %v, left %q; want exit code 130 and cpu-float32-1", err, r.Left)
	}

	text, err := run()
	if exitCode(err) != 3 {
		t.Fatalf("%v, want exit code 3\n%s", err, text)
	}
	r, _ := readReport(t, out)
	got := results(r)
	for _, name := range []string{"cpu-float32-1", "cpu-float64-1", "weights-1", "bench-128"} {
		if got[name] != "left" {
			t.Errorf("%s: %q, want left\n%s", name, got[name], text)
		}
	}
	for calls := 1; got["cpu-float32-1"] == "left"; calls++ {
		if calls == 4 { // more than one if the computer was busy
			t.Fatalf("cpu-float32-1 is left after %d calls\n%s", calls, text)
		}
		text, err = run()
		r, _ = readReport(t, out)
		got = results(r)
	}
	if got["cpu-float32-1"] != "timeout" || exitCode(err) != 3 {
		t.Errorf("cpu-float32-1: %q, %v; want timeout and exit code 3\n%s", got["cpu-float32-1"], err, text)
	}
	// The other step of a minute ends the next call; the rest runs after it.
	if err := os.WriteFile(filepath.Join(out, "steps.tsv"), []byte("cpu-float32-1\tcore\ttimeout\t4\t\t\ncpu-float32-128\tcore\ttimeout\t4\t\t\n"+
		"gradcheck-float32-784,50,10\tcore\tpass\t1\t\tFirst GPU\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	text, err = run("BUDGET=0", "GPU=Second GPU")
	r, page := readReport(t, out)
	got = results(r)
	want := map[string]string{
		"cpu-float32-1": "timeout", "cpu-float64-1": "pass", "weights-1": "FAIL", "cpu-float64-128": "FAIL", "bench-128": "pass",
	}
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %q, want %q\n%s", name, got[name], want[name], text)
		}
	}
	if exitCode(err) != 1 || len(r.Left) > 0 {
		t.Errorf("%v, left %v: want exit code 1, and none\n%s", err, r.Left, text)
	}
	if want := []string{"First GPU", "Second GPU"}; !slices.Equal(r.GPUs, want) || !strings.Contains(page, "**Measured on different GPUs: First GPU, Second GPU.**") {
		t.Errorf("GPUs %q, want %q, and a warning", r.GPUs, want)
	}

	for _, line := range []string{"| GPU | Second GPU |", "| driver | 1.2.3 |", "| clocks while busy, MHz | SM 1500 to 1500, memory 2000 to 2000 |"} {
		if !strings.Contains(page, line+"\n") {
			t.Errorf("no line %q in\n%s", line, page)
		}
	}

	for _, c := range []struct{ setting, want string }{
		{"PARTS=core speed", "there is no part speed"},
		{"BUDGET=20", "more than 20"},
		{"BUDGET=ten", "want seconds"},
		{"AGAIN=weight", "no step is named weight"},
		{"QUICK=", "has results of something else"},
	} {
		if text, err := run(c.setting); exitCode(err) != 1 || !strings.Contains(text, c.want) {
			t.Errorf("%s: %v, want exit code 1 and %q\n%s", c.setting, err, c.want, text)
		}
	}
}

// TestPeers: a second run of the peers keeps the rows that the file has, and adds what
// it lacks; rows of other work are not kept.
func TestPeers(t *testing.T) {
	if !*whole {
		t.Skip("NOT TESTED without -report: the peers, some ten seconds")
	}
	t.Parallel()
	py := python(t)
	if err := exec.Command(py, "-c", "import numpy, jax").Run(); err != nil {
		t.Skip("NOT TESTED: the peers: install NumPy and JAX")
	}
	out := filepath.Join(t.TempDir(), "peers.json")
	type row struct {
		Name  string
		Batch int
		Least float64 `json:"step_us_min"`
	}
	run := func(flags ...string) []row {
		c := exec.Command(py, append([]string{"peers.py", "--device", "cpu", "--only", "jax", "--seconds", "0.01", "--repeats", "1", "--out", out}, flags...)...)
		if text, err := c.CombinedOutput(); err != nil {
			t.Fatalf("peers.py: %v\n%s", err, text)
		}
		text, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		var r struct{ Rows []row }
		if err := json.Unmarshal(text, &r); err != nil {
			t.Fatal(err)
		}
		return r.Rows
	}
	first := run("--samples", "40", "--batches", "10")
	second := run("--samples", "40", "--batches", "1,10")
	if len(first) != 1 || len(second) != 2 || second[0] != first[0] || second[1].Batch != 1 {
		t.Errorf("rows %+v, then %+v: want the first one again and one more", first, second)
	}
	if third := run("--samples", "50", "--batches", "10"); len(third) != 1 || third[0] == first[0] {
		t.Errorf("with other images: rows %+v, want a new one", third)
	}
}

// invented are results that no device ever gave: round numbers, to check the
// arithmetic of page.py by hand.
var invented = map[string]string{
	"meta.json":         `{"begun": "2000-01-01T00:00:00Z", "commit": "SYNTHETIC", "data": "SYNTHETIC", "quick": false}`,
	"gpu.csv":           "name, driver_version, memory.total [MiB]\nSYNTHETIC GPU, 1.2.3, 1000 MiB\n",
	"clocks.csv":        "300, 1000, 30, 70, 0\n1000, 2000, 40, 300, 99\n1900, 2000, 50, 500, 100\n",
	"bench-1.json":      `{"machine": "cuda", "rows": [{"what": "train, batch 1", "how": "SYNTHETIC mode", "ns_per_sample": 600, "device_ns_per_sample": 500}]}`,
	"bench-128.json":    `{"machine": "cuda", "rows": [{"what": "train, batch 128", "ns_per_sample": 20, "device_ns_per_sample": 15}]}`,
	"bench-rest.json":   `{"machine": "cuda", "rows": [{"what": "evaluate", "ns_per_sample": 10, "seconds_per_epoch": 0.0006, "device_ns_per_sample": 5}]}`,
	"bench-10.json":     `{"machine": "cuda", "rows": null}`,
	"peers-jax.json":    `{"data": "SYNTHETIC", "packages": {"JAX": {"version": "0.0", "device": "SYNTHETIC"}}, "skipped": [], "rows": []}`,
	"peers-graphs.json": `{"data": "SYNTHETIC", "packages": {"PyTorch": {"version": "0.0", "device": "SYNTHETIC"}}, "skipped": [{"who": "JAX", "variant": "all", "batch": 0, "why": "not installed"}], "rows": [` + peer("CUDA graph of many steps", 32) + "," + peer("CUDA graph of a step", 64) + "," + peer("CUDA graph of many steps, TF32", 16) + `]}`,
	"stop-cuda.json":    `{"seconds": 0.25, "limit": 0.75, "exit_code": 130, "ok": true}`,
	"weights-1.json":    `{"batch": 1, "checks": [{"what": "SYNTHETIC", "value": 2e-13, "bound": 1e-12, "ok": true}]}`,
	"runs.txt":          "100\n",
	"steps.tsv": "bench-rest\ttiming\tpass\t10\t\tSYNTHETIC GPU\nbench-1\tcore\tpass\t10\t\tSYNTHETIC GPU\nbench-10\ttiming\tpass\t10\t\t\nbench-128\tcore\tpass\t10\t\t\nstop-cuda\tcorrectness\tleft\t0\tno time left for it\t\nepoch-full\ttiming\tpass\t1\t\nruns-one-1\ttiming\tpass\t2\t\nruns-one-6\ttiming\tpass\t3\t\n" +
		"runs-many-1\ttiming\tpass\t4\t\nruns-many-6\ttiming\tpass\t6\t\nepoch-1\ttiming\tFAIL\t1\texit code 1\nmain\ttiming\tpass\t4\t\n",
	"runs/epoch-full/metrics.jsonl":  `{"epoch": 1, "train_seconds": 0.0002, "test_accuracy": 0.5}` + "\n" + `{"epoch": 2, "train_seconds": 0.0003, "test_accuracy": 0.6}` + "\n",
	"runs/epoch-1/metrics.jsonl":     `{"epoch": 1, "train_seconds": 1, "test_accuracy": 0.123}` + "\n",
	"runs/main/metrics.jsonl":        `{"epoch": 1, "train_seconds": 1, "test_accuracy": 0.9}` + "\n" + `{"epoch": 2, "train_seconds": 2, "test_accuracy": 0.8}` + "\n",
	"runs/runs-one-6/metrics.jsonl":  `{"epoch": 1, "train_seconds": 0.04}` + "\n",
	"runs/runs-many-6/metrics.jsonl": `{"epoch": 1, "train_seconds": 0.05}` + "\n",
}

func peer(variant string, us float64) string {
	b, err := json.Marshal(map[string]any{"who": "PyTorch", "variant": variant, "batch": 128, "step_us_min": us, "step_us_median": us + 1,
		"epoch_seconds_min": us * 60000 / 128 / 1e6, "rate": 3, "accuracy": 0.75, "accuracy_note": ""})
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestPage: the targets and tables from invented results; from none, and from
// broken ones, a page on which all is missing.
func TestPage(t *testing.T) {
	py := python(t)
	page := func(t *testing.T, files map[string]string) (report, string) {
		t.Helper()
		folder := t.TempDir()
		for name, text := range files {
			path := filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
				t.Fatal(err)
			}
		}
		if text, err := exec.Command(py, "page.py", folder).CombinedOutput(); err != nil {
			t.Fatalf("page.py: %v\n%s", err, text)
		}
		return readReport(t, folder)
	}
	t.Run("invented", func(t *testing.T) {
		r, text := page(t, invented)
		for i, want := range []struct {
			measured float64
			met      bool
		}{
			{0.6, false},        // 600 ns
			{0.6, false},        // the stretch
			{2.56, false},       // 128 · 20 ns
			{2.56, false},       // the stretch
			{32 / 2.56, true},   // the faster graph without TF32
			{200, true},         // the least pass of the run, in µs
			{200, false},        // the stretch, 80
			{0.05 / 0.04, true}, // of 100 runs by one
		} {
			got := r.Targets[i]
			if got.Measured == nil || math.Abs(*got.Measured-want.measured) > 1e-9 || got.Met == nil || *got.Met != want.met {
				t.Errorf("target %q: measured %v, met %v; want %v", got.What, got.Measured, got.Met, want)
			}
		}
		for _, line := range []string{
			"| commit | SYNTHETIC |",
			"| GPU | SYNTHETIC GPU |",
			"| clocks while busy, MHz | SM 1000 to 1900, memory 2000 to 2000 |", // not the idle sample
			"| batch 128, a step | ≤ 2.5 µs | 2.56 µs | **no** |",
			"| trainer, CUDA | 0.6 | 0.5 |  | 0.036 | 1 | missing |", // epoch-1 failed: its metrics do not count
			"The trainer's time is from trainer bench: SYNTHETIC mode.",
			"| trainer, CUDA | 2.56 | 1.92 |  | 0.0012 | 1 | missing |",
			"| PyTorch, CUDA graph of a step | 64 |  | 65 | 0.03 | 25 | 0.7500 |", // 64 · 60000/128 µs; 64/2.56
			"| trainer, CUDA | 200 | missing |  | 0.0002 | 1 | 0.6000 |",          // the last epoch's accuracy
			"Evaluation of 60,000 images on the GPU: 0.0006 s, of which on the device 0.0003 s.",
			"Peers: JAX 0.0 on SYNTHETIC; PyTorch 0.0 on SYNTHETIC. Their images: SYNTHETIC.",
			"**Not complete: 1 of 12 steps left.** Call `report.sh` again to go on. Left: stop-cuda.",
			"**Failed or out of time: epoch-1.** The table of steps, at the end, says why.",
			"| timing | 9 | 8 | 1 |  |  |  |  |",
			"| correctness | 1 |  |  |  |  |  | 1 |",
			"| sanitizer | not called |  |  |  |  |  |  |",
			"| 2 | 4 | 3 | 1 | 0.8000 | 0.9000 |",           // the main job
			"| ratio | 1.25 | 2 |",                          // (6 − 4)/(3 − 2) by the clock
			"| 1 | SYNTHETIC | 2.00e-13 | 1.00e-12 | yes |", // weights
			"Ctrl-C to exit, saving included: 0.25 s (at most 0.75 s; on the CPU missing); exit code 130.",
			"- JAX, all, batch any: not installed",
			"| epoch-1 | timing | FAIL | 1.0 | exit code 1 |",
		} {
			if !strings.Contains(text, line+"\n") {
				t.Errorf("no line %q", line)
			}
		}
		if t.Failed() {
			t.Log(text)
		}
	})
	t.Run("another machine", func(t *testing.T) {
		files := maps.Clone(invented)
		files["bench-1.json"] = strings.Replace(files["bench-1.json"], "cuda", "cpu", 1)
		if r, _ := page(t, files); r.Targets[0].Measured != nil {
			t.Error("times of the CPU are taken for the GPU's")
		}
	})
	broken := map[string]string{}
	for name := range invented {
		broken[name] = "\x00{["
	}
	delete(broken, "steps.tsv") // report.sh itself writes it
	delete(broken, "runs.txt")
	for name, files := range map[string]map[string]string{"nothing": nil, "broken": broken} {
		t.Run(name, func(t *testing.T) {
			r, text := page(t, files)
			for _, target := range r.Targets {
				if target.Measured != nil || target.Met != nil {
					t.Errorf("target %q: %v, %v", target.What, target.Measured, target.Met)
				}
			}
			if !strings.Contains(text, "| batch 128, a step | ≤ 2.5 µs | missing | missing |\n") {
				t.Error(text)
			}
		})
	}
}
