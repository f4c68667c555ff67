package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"trainer/data"
	"trainer/graph/vm/cuda"
	"trainer/train/config"
	"trainer/train/evaluation"
	"trainer/train/rundir"
)

// trainer runs the program in this process.
func trainer(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String(), errs.String()
}

// rows writes a small data set to a folder: 4×4 images whose ink is in the row
// of their class. It returns the flags that train on it.
func rows(t *testing.T) []string {
	t.Helper()
	set := func(n int) *data.Set {
		s := &data.Set{Rows: 4, Cols: 4, Classes: 3, Pixels: make([]uint8, n*16), Labels: make([]uint8, n)}
		for i := range n {
			s.Labels[i] = uint8(i % 3)
			for j := range 4 {
				s.Image(i)[4*(i%3)+j] = uint8(100 + (i*7+j*31)%150)
			}
		}
		return s
	}
	dir := t.TempDir()
	if err := data.WriteIDX(dir, &data.Dataset{Train: set(60), Test: set(30)}); err != nil {
		t.Fatal(err)
	}
	return []string{
		"-set", "data.dataset=idx", "-set", "data.dir=" + dir, "-set", "model.layers=[16, 5, 3]",
		"-set", "train.epochs=3", "-set", "train.batch=4", "-set", "train.rate.initial=3",
	}
}

func TestTrainAndEval(t *testing.T) {
	flags := rows(t)
	dir := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := trainer(append(flags, "-out", dir)...)
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, standard error %q", code, stderr)
	}
	for _, want := range []string{"60 + 30 images", "16-5-3 sigmoid", "machine cpu", "epoch 1/3", "epoch 3/3", "best", dir} {
		if !strings.Contains(stdout, want) {
			t.Errorf("standard output lacks %q:\n%s", want, stdout)
		}
	}
	if strings.ContainsAny(stdout, "\x1b\r") {
		t.Errorf("control characters without a terminal: %q", stdout)
	}
	logged, err := os.ReadFile(filepath.Join(dir, rundir.LogFile))
	if err != nil || string(logged) != stdout+"ended: done\n" {
		t.Errorf("log.txt is %q, %v; want what was printed, and how it ended", logged, err)
	}

	// A second run does not write into the folder.
	code, _, stderr = trainer(append(flags, "-out", dir)...)
	if code != exitFailed || !strings.Contains(stderr, "already holds a run") {
		t.Errorf("the same folder again: exit code %d, %q", code, stderr)
	}

	code, stdout, stderr = trainer("eval", "-model", dir)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "test ") || !strings.Contains(stdout, "Confusion") {
		t.Errorf("eval: exit code %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, _ = trainer("eval", "-json", "-model", filepath.Join(dir, rundir.ModelFile))
	var e evaluation.Report
	if err := json.Unmarshal([]byte(stdout), &e); code != exitDone || err != nil {
		t.Fatalf("eval -json: exit code %d, %v, %q", code, err, stdout)
	}
	code, stdout, _ = trainer("eval", "-json", "-wrong", "30", "-model", filepath.Join(dir, rundir.ModelFile))
	var withMistakes evaluation.Report
	if err := json.Unmarshal([]byte(stdout), &withMistakes); code != exitDone || err != nil || len(withMistakes.Wrong) != e.Test.Samples-e.Test.Correct || len(e.Wrong) != 0 {
		t.Errorf("eval -wrong: exit code %d, %v, %d mistakes of %d", code, err, len(withMistakes.Wrong), e.Test.Samples-e.Test.Correct)
	}
	var last struct {
		TestAccuracy float64 `json:"test_accuracy"`
		TestCost     float64 `json:"test_cost"`
	}
	metrics, err := os.ReadFile(filepath.Join(dir, rundir.MetricsFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(metrics)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if e.Test.Accuracy != last.TestAccuracy || e.Test.Cost != last.TestCost || e.Test.Samples != 30 {
		t.Errorf("eval says %+v, the run's last epoch %+v", e.Test, last)
	}

	code, stdout, stderr = trainer("gradcheck", "-model", dir)
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "given parameters") {
		t.Errorf("gradcheck of a model: exit code %d, %q, %q", code, stdout, stderr)
	}
}

func TestGradcheck(t *testing.T) {
	code, stdout, stderr := trainer("gradcheck", "-set", "model.layers=[9,5,4,3]", "-set", "precision=float64")
	if code != exitDone || stderr != "" || !strings.Contains(stdout, "symbolic × delta") {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	code, stdout, _ = trainer("gradcheck", "-json", "-set", "model.layers=[9,3]")
	var report struct{ Rows []struct{ OK bool } }
	if err := json.Unmarshal([]byte(stdout), &report); code != exitDone || err != nil || len(report.Rows) == 0 {
		t.Errorf("-json: exit code %d, %v, %q", code, err, stdout)
	}
}

// TestGraph: every format of the program and of the expression graph, in both
// languages.
func TestGraph(t *testing.T) {
	for _, c := range []struct {
		args, locale, want string
	}{
		{"", "C", "4  d3  = outputdelta"},
		{"-passes", "C", "# after \"fold bias\""},
		{"-cost", "C", "cost E"},
		{"-format dot", "C", "subgraph cluster1"},
		{"-format svg", "C", ">backward</text>"},
		{"-format svg", "zh_CN.UTF-8", ">反向传播</text>"},
		{"-format svg -cost", "C", ">cost</text>"},
		{"-expr", "C", "δ^3 = ∇b^3 E (A.61, A.64)"},
		{"-expr", "C", "δ^3 = t_33 ⊙ t_30"},
		{"-expr -format dot", "C", "digraph"},
		{"-expr -format svg", "C", ">gradient</text>"},
		{"-expr -format svg", "zh_CN.UTF-8", ">梯度</text>"},
		{"-expr -forward", "C", "a^3 = σ(z^3)"},
	} {
		t.Setenv("LC_ALL", c.locale)
		code, stdout, stderr := trainer(append([]string{"graph"}, strings.Fields(c.args)...)...)
		if code != exitDone || stderr != "" || !strings.Contains(stdout, c.want) {
			t.Errorf("%s: exit code %d, %q, no %q in standard output of %d bytes", c.args, code, stderr, c.want, len(stdout))
		}
	}
	file := filepath.Join(t.TempDir(), "g.svg")
	if code, stdout, stderr := trainer("graph", "-forward", "-format", "svg", "-o", file); code != exitDone || stdout+stderr != "" {
		t.Errorf("-o: exit code %d, %q, %q", code, stdout, stderr)
	}
	if text, err := os.ReadFile(file); err != nil || !bytes.Contains(text, []byte("<svg")) {
		t.Errorf("-o: %v", err)
	}
}

// TestMachines: the machines know every device and kind that a configuration may
// name, and no pair of them is an error but for a device that is not there.
func TestMachines(t *testing.T) {
	for _, device := range config.Devices {
		for _, kind := range config.Machines {
			c := config.Default()
			c.Model.Layers, c.Device, c.Machine = []int{4, 3}, device, kind
			m, why, err := newMachine(c)
			if device == "cuda" && kind == "compiled" && cuda.Check() != nil {
				if err == nil || m != nil {
					t.Errorf("%s, %s: %v, %q", device, kind, m, why)
				}
				continue
			}
			if err != nil {
				t.Errorf("%s, %s: %v", device, kind, err)
				continue
			}
			if want := "machine " + m.Name(); !strings.HasPrefix(why.En, want) {
				t.Errorf("%s, %s: %q does not begin with %q", device, kind, why, want)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestErrors: exit codes, and words that help. Nothing goes to standard output.
func TestErrors(t *testing.T) {
	empty := t.TempDir()
	bad := filepath.Join(empty, "bad.yaml")
	if err := os.WriteFile(bad, []byte("seed: 1\ntrain:\n  epoch: 3\n  batch: 0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args []string
		code int
		want []string
	}{
		{[]string{"bogus"}, exitUsage, []string{`unknown command "bogus"`, "gradcheck"}},
		{[]string{"-bogus"}, exitUsage, []string{"-bogus", "trainer help"}},
		{[]string{"-config"}, exitUsage, []string{"-config"}},
		{[]string{"train", "x.yaml"}, exitUsage, []string{"x.yaml", "no such file"}},
		{[]string{"-config", filepath.Join(empty, "none.yaml")}, exitUsage, []string{"none.yaml", "no such file"}},
		{[]string{"-config", bad}, exitUsage, []string{bad + ":3:3", "train.epoch", "epochs", bad + ":4:10", "train.batch"}},
		{[]string{"-set", "train.epochs=x"}, exitUsage, []string{"-set train.epochs=x"}},
		{[]string{"-device", "cuda", "-set", "data.dataset=digits"}, exitFailed, []string{"cuda", "device cpu"}},
		{[]string{"-set", "data.dir=" + empty, "-out", filepath.Join(empty, "a")}, exitFailed, []string{empty, "train-images-idx3-ubyte"}},
		{[]string{"-set", "data.dataset=csv", "-set", "data.dir=" + empty, "-out", filepath.Join(empty, "b")}, exitFailed, []string{empty, "mnist_train.csv"}},
		{[]string{"-set", "data.dataset=idx"}, exitUsage, []string{"data.dir"}},
		{append(rows(t), "-set", "model.layers=[17, 3]", "-out", filepath.Join(empty, "c")), exitUsage, []string{"4×4 pixels", "17 inputs", "model.layers"}},
		{[]string{"eval"}, exitUsage, []string{"-model"}},
		{[]string{"eval", "-model", "m", "-wrong", "-1"}, exitUsage, []string{"-wrong -1"}},
		{[]string{"eval", "-model", empty}, exitFailed, []string{empty, rundir.BestFile}},
		{[]string{"eval", "-model", bad}, exitFailed, []string{bad}},
		{[]string{"graph", "-format", "png"}, exitUsage, []string{`"png"`, "text, dot or svg"}},
		{[]string{"graph", "-passes", "-format", "svg"}, exitUsage, []string{"-passes prints text"}},
		{[]string{"graph", "-expr", "-cost"}, exitUsage, []string{"-expr"}},
		{[]string{"graph", "-forward", "-cost"}, exitUsage, []string{"-forward has no cost"}},
		{[]string{"help", "me"}, exitUsage, []string{`no help on "me"`, "config", "gradcheck"}},
		{[]string{"version", "x"}, exitUsage, []string{`"x"`}},
	} {
		code, stdout, stderr := trainer(c.args...)
		if code != c.code {
			t.Errorf("%v: exit code %d, want %d (%s)", c.args, code, c.code, stderr)
		}
		if stdout != "" {
			t.Errorf("%v: standard output %q", c.args, stdout)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%v: standard error lacks %q:\n%s", c.args, want, stderr)
			}
		}
	}
	// A run that could not start leaves no folder.
	for _, name := range []string{"a", "b", "c"} {
		if _, err := os.Stat(filepath.Join(empty, name)); err == nil {
			t.Errorf("the folder %s of a run that did not start is there", name)
		}
	}
}

// TestMain lets the test binary be the program, so that signals and pipes can
// be tested on a process.
func TestMain(m *testing.M) {
	if os.Getenv("TRAINER_BE_MAIN") == "1" {
		main()
		return
	}
	os.Exit(m.Run())
}

func process(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = append(os.Environ(), "TRAINER_BE_MAIN=1")
	return c
}

// TestSignals: SIGINT, SIGTERM and SIGHUP end a run after a batch, with its
// files written, and the exit code says which it was.
func TestSignals(t *testing.T) {
	flags := append(rows(t), "-set", "train.epochs=100000")
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: 130, syscall.SIGTERM: 143, syscall.SIGHUP: 129} {
		dir := filepath.Join(t.TempDir(), "run")
		c := process(append(flags, "-out", dir)...)
		var stderr bytes.Buffer
		c.Stderr = &stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, filepath.Join(dir, rundir.MetricsFile))
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if got := c.ProcessState.ExitCode(); got != want {
			t.Errorf("%v: exit code %d, want %d: %s", signal, got, want, stderr.String())
		}
		for _, name := range []string{rundir.ModelFile, rundir.BestFile, rundir.FigurePNG} {
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("%v: %v", signal, err)
			}
		}
	}
}

// TestClosedPipe: a reader that goes away (trainer | head) does not end a run.
func TestClosedPipe(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := process(append(rows(t), "-set", "train.epochs=40", "-out", dir)...)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr bytes.Buffer
	c.Stdout, c.Stderr = write, &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	_ = read.Close()
	if err := c.Wait(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	metrics, err := os.ReadFile(filepath.Join(dir, rundir.MetricsFile))
	if err != nil || bytes.Count(metrics, []byte("\n")) != 40 {
		t.Errorf("%d epochs in metrics.jsonl, %v; want 40", bytes.Count(metrics, []byte("\n")), err)
	}
}

// TestFallback: without MNIST and network, a run on the built-in digits says so
// everywhere, and its configuration repeats it.
func TestFallback(t *testing.T) {
	if testing.Short() {
		t.Skip("generates 70,000 images")
	}
	home := t.TempDir()
	c := process("-config", "mnist.yaml", "-set", "train.epochs=1", "-set", "train.batch=100")
	c.Dir = home
	if err := os.WriteFile(filepath.Join(home, "mnist.yaml"), []byte("name: mnist\ndata: {fallback: digits}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// Names that resolve nowhere: a proxy that is not there.
	c.Env = append(c.Env, "HOME="+home, "XDG_CACHE_HOME="+home, "TRAINER_DATA=", "HTTPS_PROXY=http://127.0.0.1:1")
	var stdout, stderr bytes.Buffer
	c.Stdout, c.Stderr = &stdout, &stderr
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	if !strings.Contains(stderr.String(), "\n*  WARNING: THIS IS NOT MNIST   ") { // a line of its own
		t.Errorf("no warning: %s", stderr.String())
	}
	if strings.Contains(stdout.String(), "MNIST") || !strings.Contains(stdout.String(), "digits (built in)") {
		t.Errorf("standard output: %s", stdout.String())
	}
	folders, err := filepath.Glob(filepath.Join(home, "runs", "*-mnist-digits"))
	if err != nil || len(folders) != 1 {
		t.Fatalf("run folders %v, %v", folders, err)
	}
	text, err := os.ReadFile(filepath.Join(folders[0], rundir.ConfigFile))
	if err != nil || !bytes.Contains(text, []byte("dataset: digits")) {
		t.Errorf("config.yaml: %s, %v", text, err)
	}
	figure, err := os.ReadFile(filepath.Join(folders[0], rundir.FigureSVG))
	if err != nil || !bytes.Contains(figure, []byte("digits (built in)")) || bytes.Contains(figure, []byte("MNIST")) {
		t.Errorf("accuracy.svg does not say digits (built in), %v", err)
	}
}

// TestDownloadProgress: a line that moves on a terminal, whole lines elsewhere.
func TestDownloadProgress(t *testing.T) {
	for isTerminal, want := range map[bool]string{
		false: "MNIST file 1 of 4: a from m: 2.0 of 2.0 MB\n",
		true:  "\rMNIST file 1 of 4: a from m: 1.0 of 2.0 MB\x1b[K\rMNIST file 1 of 4: a from m: 2.0 of 2.0 MB\x1b[K\n",
	} {
		var b bytes.Buffer
		show := downloadProgress(&b, isTerminal)
		show(data.Progress{File: "a", Number: 1, Files: 4, Mirror: "m", Done: 1e6, Total: 2e6})
		show(data.Progress{File: "a", Number: 1, Files: 4, Mirror: "m", Done: 2e6, Total: 2e6})
		if b.String() != want {
			t.Errorf("terminal %t: %q, want %q", isTerminal, b.String(), want)
		}
	}
	var b bytes.Buffer
	downloadProgress(&b, false)(data.Progress{File: "a", Number: 1, Files: 4, Mirror: "m", Err: errors.New("the mirror answered 404 \x1b[2J\nno")})
	if want := "MNIST file 1 of 4: a from m: the mirror answered 404 \\x1b[2J\\nno\n"; b.String() != want {
		t.Errorf("text of a server: %q, want %q", b.String(), want)
	}
}

func waitFor(t *testing.T, path string) {
	t.Helper()
	for range 1000 {
		if info, err := os.Stat(path); err == nil && info.Size() > 0 {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%s does not appear", path)
}
