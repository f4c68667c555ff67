package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"trainer/data"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/tape"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
)

// small is a task of 4×4 images and 3 classes that a network learns in a few
// epochs: class k has its ink in row k.
func small(seed uint64) *data.Dataset {
	set := func(name string, n int, stream uint64) *data.Set {
		random := data.Stream(seed, "train test", stream)
		s := &data.Set{Name: name, Rows: 4, Cols: 4, Classes: 3, Pixels: make([]uint8, n*16), Labels: make([]uint8, n)}
		for i := range n {
			label := random.IntN(3)
			s.Labels[i] = uint8(label)
			for j := range s.Image(i) {
				s.Image(i)[j] = uint8(random.IntN(120))
			}
			for j := range 4 {
				s.Image(i)[4*label+j] += uint8(random.IntN(136))
			}
		}
		return s
	}
	return &data.Dataset{Name: "rows", Source: "the test", Train: set("rows train", 203, 0), Test: set("rows test", 101, 1)}
}

func smallConfig(t *testing.T, sets ...string) config.Config {
	t.Helper()
	c, err := config.Read("", append([]string{
		"name=small", "model.layers=[16, 6, 3]", "model.init.std=0.3", "precision=float64",
		"train.epochs=6", "train.batch=4", "train.rate.initial=2",
	}, sets...))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// watcher records what it is told, and may cancel at a sample.
type watcher struct {
	epochs []train.Metrics // the best of each epoch
	best   []bool
	batch  func(epoch, done int)
	runs   [][]train.RunMetrics // of each epoch
	last   int                  // samples done
}

func (w *watcher) Batch(epoch, done int) {
	w.last = done
	if w.batch != nil {
		w.batch(epoch, done)
	}
}

func (w *watcher) Epoch(runs []train.RunMetrics, top int, best bool) {
	w.runs = append(w.runs, runs)
	w.epochs = append(w.epochs, runs[top].Metrics)
	w.best = append(w.best, best)
}

// newMachine returns what makes a machine of a kind.
func newMachine(kind string, c config.Config) func() (vm.VM, error) {
	n := c.Network()
	compiler := lower.Compiler{Network: n, Options: lower.Options{Listing: c.Train.UpdateOrder == "listing"}}
	return map[string]func() (vm.VM, error){
		"cpu":       func() (vm.VM, error) { return cpu.New(n, compiler, cpu.Options{}) },
		"interpret": func() (vm.VM, error) { return interpret.New(n, compiler) },
		"tape":      func() (vm.VM, error) { return tape.New(n) },
	}[kind]
}

// session makes a session on the tape machine in a new folder, which it returns.
func session(t *testing.T, c config.Config, w *watcher) (*train.Session, string) {
	t.Helper()
	return sessionOn(t, newMachine("tape", c), c, w)
}

// sessionOn makes a session on machines that newVM makes.
func sessionOn(t *testing.T, newVM func() (vm.VM, error), c config.Config, w *watcher) (*train.Session, string) {
	t.Helper()
	f, err := vm.NewFleet(c.Train.Runs.Count, newVM)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "run")
	dir, err := rundir.Create(path, c.Name, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = dir.Close() // a test may have removed the folder
		if err := f.Close(); err != nil {
			t.Error(err)
		}
	})
	return &train.Session{Config: c, Dataset: small(1), Fleet: f, Dir: dir, Watch: w}, path
}

func readModel(t *testing.T, dir, name string) model.Model {
	t.Helper()
	m, err := model.Read(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// linesOf reads a file of JSON lines.
func linesOf[T any](t *testing.T, dir, file string) (all []T) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(read(t, dir, file)))
	d.DisallowUnknownFields()
	for d.More() {
		var v T
		if err := d.Decode(&v); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		all = append(all, v)
	}
	return all
}

func metricsOf(t *testing.T, dir string) []train.Metrics {
	t.Helper()
	return linesOf[train.Metrics](t, dir, rundir.MetricsFile)
}

// TestRun: one run, evaluated after each epoch or while the next one trains.
func TestRun(t *testing.T) {
	for _, test := range []struct {
		kind  string
		batch int
	}{{"tape", 4}, {"interpret", 4}, {"cpu", 1}} {
		t.Run(test.kind, func(t *testing.T) { testRun(t, test.kind, test.batch) })
	}
}

func testRun(t *testing.T, kind string, batch int) {
	c := smallConfig(t, "train.rate.factor=0.5", "train.rate.every=2", fmt.Sprintf("train.batch=%d", batch))
	w := &watcher{}
	s, dir := sessionOn(t, newMachine(kind, c), c, w)
	result, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	run := result.Runs[0]
	if len(w.epochs) != 6 || !reflect.DeepEqual(w.epochs, run.Epochs) {
		t.Fatalf("watched %d epochs, result of %d", len(w.epochs), len(run.Epochs))
	}
	if got := metricsOf(t, dir); !reflect.DeepEqual(got, run.Epochs) {
		t.Errorf("metrics.jsonl has %+v, want %+v", got, run.Epochs)
	}
	best := -1
	for i, m := range run.Epochs {
		if m.Epoch != i+1 {
			t.Errorf("epoch %d is numbered %d", i+1, m.Epoch)
		}
		if want := 2 * math.Pow(0.5, float64(i/2)); m.LearningRate != want {
			t.Errorf("η of epoch %d is %g, want %g", m.Epoch, m.LearningRate, want)
		}
		better := best < 0 || m.TestAccuracy > run.Epochs[best].TestAccuracy ||
			m.TestAccuracy == run.Epochs[best].TestAccuracy && m.TestCost < run.Epochs[best].TestCost
		if better {
			best = i
		}
		if w.best[i] != better {
			t.Errorf("epoch %d: best %t, want %t", m.Epoch, w.best[i], better)
		}
	}
	if result.Best != 0 || *run.Best != run.Epochs[best] {
		t.Errorf("best %d, %+v, want %+v", result.Best, *run.Best, run.Epochs[best])
	}
	// The classes can be told apart: chance is a third.
	if run.Best.TestAccuracy < 0.9 {
		t.Errorf("test accuracy %v after %d epochs: it does not learn", run.Best.TestAccuracy, len(run.Epochs))
	}

	last := readModel(t, dir, rundir.ModelFile)
	p, err := s.Fleet.Parameters(0)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(last.Parameters, p) {
		t.Error("model.safetensors does not hold the last parameters")
	}
	if last.Metadata["epoch"] != "6" || last.Metadata["dataset"] != "rows" ||
		last.Metadata["test_accuracy"] != fmt.Sprint(run.Epochs[5].TestAccuracy) {
		t.Errorf("metadata %v", last.Metadata)
	}
	kept := readModel(t, dir, rundir.BestFile)
	if kept.Metadata["epoch"] != fmt.Sprint(best+1) {
		t.Errorf("best.safetensors is of epoch %s, want %d", kept.Metadata["epoch"], best+1)
	}
	if err := s.Fleet.SetParameters(0, kept.Parameters); err != nil {
		t.Fatal(err)
	}
	scores, err := s.Fleet.Evaluate(context.Background(), s.Dataset.Test, []int{0})
	if err != nil || scores[0].Accuracy() != run.Best.TestAccuracy {
		t.Errorf("best.safetensors has the scores %v, %v; want accuracy %v", scores, err, run.Best.TestAccuracy)
	}

	for _, name := range []string{rundir.FigureSVG, rundir.FigurePNG} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() < 1000 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	// The configuration in the folder makes the same run.
	again, err := config.Read(filepath.Join(dir, rundir.ConfigFile), nil)
	if err != nil || !reflect.DeepEqual(again, c) {
		t.Errorf("config.yaml gives %+v, %v; want %+v", again, err, c)
	}
}

// TestFolder: the files of one run, and what is in them.
func TestFolder(t *testing.T) {
	s, dir := session(t, smallConfig(t, "train.epochs=2"), &watcher{})
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if got, want := filesOf(t, dir), []string{"accuracy.png", "accuracy.svg", "best.safetensors", "checkpoint", "config.yaml", "confusion.png", "confusion.svg", "hidden.png", "hidden.svg", "metrics.jsonl", "model.safetensors"}; !reflect.DeepEqual(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	line := `{"epoch":1,"learning_rate":2,"train_cost":#,"train_accuracy":#,"test_cost":#,"test_accuracy":#,"train_seconds":#,"eval_seconds":#,"samples_per_second":#}` + "\n"
	want := line + strings.Replace(line, "1", "2", 1)
	if got := regexp.MustCompile(`:[0-9.e+-]{3,}`).ReplaceAllString(string(read(t, dir, rundir.MetricsFile)), ":#"); got != want {
		t.Errorf("metrics.jsonl is %s, want %s", got, want)
	}
	m := readModel(t, dir, rundir.ModelFile)
	keys := slices.Sorted(maps.Keys(m.Metadata))
	if want := strings.Fields("activation bias dataset epoch inputs layers name seed targets test_accuracy test_cost train_accuracy train_cost transpose values"); !reflect.DeepEqual(keys, want) {
		t.Errorf("metadata %v, want the keys %v", m.Metadata, want)
	}
}

func filesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name()[0] != '.' { // the lock
			names = append(names, e.Name())
		}
	}
	return names
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// TestSameBits: the same configuration gives the same parameters; another
// seed, another order or another start others.
func TestSameBits(t *testing.T) {
	run := func(sets ...string) model.Parameters {
		s, dir := session(t, smallConfig(t, append([]string{"train.epochs=2"}, sets...)...), &watcher{})
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		return readModel(t, dir, rundir.ModelFile).Parameters
	}
	first := run()
	if !reflect.DeepEqual(run(), first) {
		t.Error("the second run gives other parameters")
	}
	for _, set := range []string{"seed=2", "train.shuffle=false", "model.init.rule=hidden", "train.rate.initial=1", "train.batch=1"} {
		if reflect.DeepEqual(run(set), first) {
			t.Errorf("%s changes nothing", set)
		}
	}
}

// TestInitFromFile: a run that starts from the parameters of another.
func TestInitFromFile(t *testing.T) {
	first, dir := session(t, smallConfig(t, "train.epochs=1"), &watcher{})
	if _, err := first.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, rundir.ModelFile)
	p, err := train.InitialParameters(smallConfig(t, "model.init.file="+file))
	if err != nil {
		t.Fatal(err)
	}
	if want := readModel(t, dir, rundir.ModelFile).Parameters; !reflect.DeepEqual(p, want) {
		t.Error("the parameters are not those of the file")
	}
	for set, want := range map[string]string{
		"model.layers=[16, 7, 3]": "layers.0.weight is 6×16",
		"model.bias=false":        "layers.0.bias",
		"model.activation=tanh":   "model.activation is tanh",
	} {
		_, err := train.InitialParameters(smallConfig(t, "model.init.file="+file, set))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "model.init.file") {
			t.Errorf("%s: error %v, want one with %q", set, err, want)
		}
	}
	zeros, err := train.InitialParameters(smallConfig(t, "model.init.rule=zeros"))
	if err != nil || zeros[0].Weight[0] != 0 || zeros[1].Weight[5] != 0 {
		t.Errorf("zeros: %v, %v", zeros, err)
	}
}

var errStop = errors.New("stop")

// TestInterrupt: a run that is cancelled ends after a whole step, with the
// cause, and saves what it has.
func TestInterrupt(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	w := &watcher{}
	w.batch = func(epoch, done int) {
		if epoch == 2 && done >= 80 {
			cancel(errStop)
		}
	}
	s, dir := session(t, smallConfig(t), w)
	result, err := s.Run(ctx)
	if !errors.Is(err, errStop) {
		t.Fatalf("error %v, want the cause", err)
	}
	if len(result.Runs[0].Epochs) != 1 || len(metricsOf(t, dir)) != 1 {
		t.Errorf("%d whole epochs and %d metrics, want 1", len(result.Runs[0].Epochs), len(metricsOf(t, dir)))
	}
	last := readModel(t, dir, rundir.ModelFile)
	if last.Metadata["epoch"] != "1" || last.Metadata["samples_after_epoch"] != "80" || last.Metadata["test_accuracy"] != "" {
		t.Errorf("metadata %v, want epoch 1 and 80 samples more, and no accuracy, which was not measured", last.Metadata)
	}
	if best := readModel(t, dir, rundir.BestFile); best.Metadata["epoch"] != "1" {
		t.Errorf("best is of epoch %s, want 1", best.Metadata["epoch"])
	}
	for _, name := range []string{rundir.FigureSVG, rundir.FigurePNG} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// TestInterruptFirstEpoch: there is no best yet, and no figure.
func TestInterruptFirstEpoch(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	s, dir := session(t, smallConfig(t), &watcher{batch: func(int, int) { cancel(errStop) }})
	if _, err := s.Run(ctx); !errors.Is(err, errStop) {
		t.Fatalf("error %v, want the cause", err)
	}
	if got := readModel(t, dir, rundir.ModelFile).Metadata["samples_after_epoch"]; got != "4" {
		t.Errorf("%s samples, want 4", got)
	}
	if _, err := os.Stat(filepath.Join(dir, rundir.BestFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("best.safetensors of no epoch: %v", err)
	}
}

// TestEarlyStopping: a rate of nearly nothing improves nothing.
func TestEarlyStopping(t *testing.T) {
	s, _ := session(t, smallConfig(t, "train.epochs=20", "train.rate.initial=1e-12", "train.early_stopping.patience=3"), &watcher{})
	result, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if !result.Runs[0].StoppedEarly || len(result.Runs[0].Epochs) != 4 {
		t.Errorf("stopped early: %t after %d epochs, want after 4", result.Runs[0].StoppedEarly, len(result.Runs[0].Epochs))
	}
}

// TestEarlyStoppingMinDelta: improvements that are too small do not count.
func TestEarlyStoppingMinDelta(t *testing.T) {
	s, _ := session(t, smallConfig(t, "train.early_stopping.patience=2", "train.early_stopping.min_delta=1"), &watcher{})
	result, err := s.Run(context.Background())
	if err != nil || len(result.Runs[0].Epochs) != 3 {
		t.Errorf("%d epochs, %v; want 3: no accuracy rises by more than 1", len(result.Runs[0].Epochs), err)
	}
}

// failing is a machine that reports a value that is not finite in an epoch.
type failing struct {
	vm.VM
	epoch int
}

func (f *failing) Train(ctx context.Context, p vm.Pass) error {
	f.epoch++
	if err := f.VM.Train(ctx, p); err != nil || f.epoch < 3 {
		return err
	}
	return &vm.NonFiniteError{Tensor: "layers.1.bias", Step: 16}
}

// TestNonFinite: the run ends, says where, and keeps the last good parameters.
func TestNonFinite(t *testing.T) {
	c := smallConfig(t)
	s, dir := sessionOn(t, func() (vm.VM, error) {
		m, err := tape.New(c.Network())
		return &failing{VM: m}, err
	}, c, &watcher{})
	result, err := s.Run(context.Background())
	var bad *vm.NonFiniteError
	if !errors.As(err, &bad) {
		t.Fatalf("error %v, want a NonFiniteError", err)
	}
	for _, want := range []string{"epoch 3", "batch 17", "layers.1.bias", "train.rate.initial"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if len(result.Runs[0].Epochs) != 2 || readModel(t, dir, rundir.ModelFile).Metadata["epoch"] != "2" {
		t.Errorf("%d epochs; model %v, want the one of epoch 2", len(result.Runs[0].Epochs), readModel(t, dir, rundir.ModelFile).Metadata)
	}
}

// TestRunFolderBroken: a folder that goes away is an error with its path.
func TestRunFolderBroken(t *testing.T) {
	w := &watcher{}
	s, dir := session(t, smallConfig(t), w)
	w.batch = func(epoch, _ int) {
		if epoch == 2 {
			_ = os.RemoveAll(dir)
		}
	}
	if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one that names %s", err, dir)
	}
}
