package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"trainer/graph/lower"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/tape"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
)

// replicasWatcher records what it is told, and may cancel at a sample.
type replicasWatcher struct {
	epochs []train.ReplicaMetrics
	best   []bool
	batch  func(epoch, done int)
	last   int // samples
}

func (w *replicasWatcher) Batch(epoch, done int) {
	w.last = done
	if w.batch != nil {
		w.batch(epoch, done)
	}
}

func (w *replicasWatcher) Epoch(m train.ReplicaMetrics, best bool) {
	w.epochs = append(w.epochs, m)
	w.best = append(w.best, best)
}

func newMachine(t *testing.T, kind string, c config.Config) func() (vm.VM, error) {
	t.Helper()
	n := c.Network()
	compiler := lower.Compiler{Network: n, Options: lower.Options{Listing: c.Train.UpdateOrder == "listing"}}
	return map[string]func() (vm.VM, error){
		"cpu":       func() (vm.VM, error) { return cpu.New(n, compiler, cpu.Options{}) },
		"interpret": func() (vm.VM, error) { return interpret.New(n, compiler) },
		"tape":      func() (vm.VM, error) { return tape.New(n) },
	}[kind]
}

// replicasOf makes a run with replicas in a new folder, which it returns.
func replicasOf(t *testing.T, c config.Config, newVM func() (vm.VM, error), w *replicasWatcher) (*train.Replicas, string) {
	t.Helper()
	f, err := vm.NewFleet(c.Train.Replicas.Count, newVM)
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
	return &train.Replicas{Config: c, Dataset: small(1), Fleet: f, Dir: dir, Watch: w}, path
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// resultsOf reads replicas.json.
func resultsOf(t *testing.T, dir string) []train.ReplicaResult {
	t.Helper()
	var all []train.ReplicaResult
	d := json.NewDecoder(bytes.NewReader(read(t, dir, rundir.ReplicasFile)))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// untimed returns metrics without what differs from run to run.
func untimed(all []train.Metrics) []train.Metrics {
	same := make([]train.Metrics, len(all))
	for i, m := range all {
		m.TrainSeconds, m.EvalSeconds, m.SamplesPerSecond = 0, 0, 0
		same[i] = m
	}
	return same
}

// TestReplicasAreRuns: a replica is the run with its seed and rate, to the bit,
// and the files are those of the best one's own run.
func TestReplicasAreRuns(t *testing.T) {
	for _, test := range []struct {
		kind string
		sets []string
	}{
		{"cpu", []string{"train.batch=1", "precision=float32"}}, // side by side
		{"cpu", []string{"train.rate.factor=0.5", "train.update_order=listing"}},
		{"interpret", []string{"train.batch=1", "train.shuffle=false"}},
		{"tape", []string{"train.epochs=2"}},
	} {
		t.Run(strings.Join(append(test.sets, test.kind), " "), func(t *testing.T) {
			c := smallConfig(t, append([]string{"train.epochs=3", "train.replicas.count=3", "train.replicas.rates=[0.5, 2]"}, test.sets...)...)
			w := &replicasWatcher{}
			s, dir := replicasOf(t, c, newMachine(t, test.kind, c), w)
			result, err := s.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if got := resultsOf(t, dir); !reflect.DeepEqual(got, result.Replicas) {
				t.Errorf("%s has %+v, want %+v", rundir.ReplicasFile, got, result.Replicas)
			}
			var lines []train.ReplicaMetrics
			for d := json.NewDecoder(bytes.NewReader(read(t, dir, rundir.ReplicaMetricsFile))); d.More(); {
				var m train.ReplicaMetrics
				if err := d.Decode(&m); err != nil {
					t.Fatal(err)
				}
				lines = append(lines, m)
			}

			var top train.Metrics
			best, bestDir := -1, ""
			for r := range 3 {
				alone := c.Replica(r)
				m, err := newMachine(t, test.kind, alone)()
				if err != nil {
					t.Fatal(err)
				}
				single, singleDir := session(t, alone, small(1), &watcher{})
				single.Machine = m
				t.Cleanup(func() { _ = m.Close() })
				want, err := single.Run(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				var epochs []train.Metrics
				for _, line := range lines {
					if line.Replica == r {
						epochs = append(epochs, line.Metrics)
						if line.Seed != alone.Seed || line.InitialRate != alone.Train.Rate.Initial {
							t.Errorf("replica %d: %+v", r, line)
						}
					}
				}
				if !reflect.DeepEqual(untimed(epochs), untimed(want.Epochs)) {
					t.Errorf("replica %d: %+v, alone %+v", r, epochs, want.Epochs)
				}
				got := result.Replicas[r]
				if ends := untimed([]train.Metrics{*got.Best, *got.Last}); !reflect.DeepEqual(ends, untimed([]train.Metrics{want.Best, want.Epochs[len(want.Epochs)-1]})) || got.Failed != "" {
					t.Errorf("replica %d: %+v, alone %+v", r, ends, want)
				}
				b := want.Best
				if best < 0 || b.TestAccuracy > top.TestAccuracy || b.TestAccuracy == top.TestAccuracy && b.TestCost < top.TestCost {
					top, best, bestDir = b, r, singleDir
				}
			}
			if result.Best != best || !reflect.DeepEqual(untimed(result.Epochs), untimed(metricsOf(t, bestDir))) {
				t.Errorf("the best is replica %d, want %d", result.Best, best)
			}
			for _, name := range []string{rundir.ModelFile, rundir.BestFile, rundir.FigureSVG, rundir.FigurePNG} {
				if !bytes.Equal(read(t, dir, name), read(t, bestDir, name)) {
					t.Errorf("%s is not that of the run of replica %d", name, best)
				}
			}
			if !reflect.DeepEqual(metricsOf(t, dir), result.Epochs) {
				t.Errorf("%s is not that of the best replica", rundir.MetricsFile)
			}
			if len(w.epochs) != c.Train.Epochs || !w.best[0] || w.last != 3*s.Dataset.Train.Len() {
				t.Errorf("watched %+v, %v, and %d samples of an epoch", w.epochs, w.best, w.last)
			}
		})
	}
}

// failingAt is a machine whose passes at some rates are not finite from an epoch
// of the test's on.
type failingAt struct {
	vm.VM
	fails func(rate float64) bool
}

func (f failingAt) Train(ctx context.Context, p vm.Pass) error {
	if f.fails(p.Rate) {
		bad, err := f.Parameters()
		if err != nil {
			return err
		}
		clear(bad[0].Weight) // of no use
		if err := f.SetParameters(bad); err != nil {
			return err
		}
		return &vm.NonFiniteError{Tensor: "layers.0.bias", Step: 6}
	}
	return f.VM.Train(ctx, p)
}

// TestReplicasFail: one that fails is listed and does not end the others; its
// epochs before count, and the last whole one is its last. When none is left the
// run ends.
func TestReplicasFail(t *testing.T) {
	c := smallConfig(t, "train.epochs=4", "train.replicas.count=3", "train.replicas.rates=[2, 1e-6, 1e-5]")
	for _, test := range []struct {
		first, others int // the epochs in which they fail
		best, epochs  int
	}{
		{3, 9, 0, 2}, // the best by far, and it has two epochs
		{9, 2, 0, 4},
		{1, 9, -1, 4}, // another is the best
		{3, 2, 0, 2},
		{1, 1, -2, 0}, // none has an epoch
	} {
		epoch := 0
		s, dir := replicasOf(t, c, func() (vm.VM, error) {
			m, err := tape.New(c.Network())
			return failingAt{m, func(rate float64) bool {
				if rate == 2 {
					return epoch >= test.first
				}
				return epoch >= test.others
			}}, err
		}, &replicasWatcher{})
		s.Fleet = counting{s.Fleet, &epoch}
		result, err := s.Run(context.Background())
		none := test.first <= 4 && test.others <= 4
		var bad *vm.NonFiniteError
		if (err != nil) != none || none && (!errors.As(err, &bad) || !strings.Contains(err.Error(), "no replica is left")) {
			t.Errorf("%+v: %v", test, err)
		}
		for r, got := range resultsOf(t, dir) {
			fails := test.others
			if r == 0 {
				fails = test.first
			}
			if (got.Failed != "") != (fails <= 4) || got.Failed != "" && !strings.Contains(got.Failed, "batch 7: layers.0.bias") {
				t.Errorf("%+v: replica %d failed: %q", test, r, got.Failed)
			}
			if whole := min(fails-1, 4); (got.Last == nil) != (whole == 0) || whole > 0 && got.Last.Epoch != whole {
				t.Errorf("%+v: replica %d: last epoch %+v", test, r, got.Last)
			}
		}
		if test.best == -2 {
			if _, err := os.Stat(filepath.Join(dir, rundir.ModelFile)); !errors.Is(err, os.ErrNotExist) || result.Best != -1 {
				t.Errorf("a model of no epoch: %v, best %d", err, result.Best)
			}
			continue
		}
		if test.best == 0 && result.Best != 0 || test.best < 0 && result.Best == 0 || len(result.Epochs) != test.epochs {
			t.Errorf("%+v: the best is %d with %d epochs", test, result.Best, len(result.Epochs))
		}
		// The last parameters are those after the last whole epoch.
		last := readModel(t, dir, rundir.ModelFile)
		m, err := tape.New(c.Network())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetParameters(last.Parameters); err != nil {
			t.Fatal(err)
		}
		score, err := m.Evaluate(context.Background(), s.Dataset.Test)
		if err != nil || score.Cost != result.Epochs[test.epochs-1].TestCost {
			t.Errorf("%+v: model.safetensors has cost %v, %v; want %v", test, score.Cost, err, result.Epochs[test.epochs-1].TestCost)
		}
	}
}

// counting counts the epochs of a fleet.
type counting struct {
	vm.Fleet
	epoch *int
}

func (c counting) Train(ctx context.Context, passes []vm.Pass) error {
	*c.epoch++
	return c.Fleet.Train(ctx, passes)
}

// TestReplicasInterrupt: the run ends with the cause and keeps whole epochs.
func TestReplicasInterrupt(t *testing.T) {
	for _, whole := range []int{0, 2} {
		ctx, cancel := context.WithCancelCause(context.Background())
		c := smallConfig(t, "train.replicas.count=3")
		w := &replicasWatcher{batch: func(epoch, done int) {
			if epoch == whole+1 && done > 300 { // in the second replica
				cancel(errStop)
			}
		}}
		s, dir := replicasOf(t, c, newMachine(t, "tape", c), w)
		result, err := s.Run(ctx)
		if !errors.Is(err, errStop) || len(result.Epochs) != whole {
			t.Fatalf("%d epochs, error %v, want %d and the cause", len(result.Epochs), err, whole)
		}
		for _, r := range resultsOf(t, dir) {
			if (r.Last == nil) != (whole == 0) || r.Last != nil && r.Last.Epoch != whole || r.Failed != "" {
				t.Errorf("replica %+v, want %d whole epochs", r, whole)
			}
		}
		if whole == 0 {
			continue
		}
		if got := readModel(t, dir, rundir.ModelFile).Metadata["epoch"]; got != "2" || len(metricsOf(t, dir)) != 2 {
			t.Errorf("model of epoch %s, %d metrics; want 2", got, len(metricsOf(t, dir)))
		}
		readModel(t, dir, rundir.BestFile)
		read(t, dir, rundir.FigureSVG)
	}
}

// TestReplicasFolderBroken: a folder that goes away is an error with its path.
func TestReplicasFolderBroken(t *testing.T) {
	c := smallConfig(t, "train.replicas.count=2")
	w := &replicasWatcher{}
	s, dir := replicasOf(t, c, newMachine(t, "tape", c), w)
	w.batch = func(epoch, _ int) {
		if epoch == 2 {
			_ = os.RemoveAll(dir)
		}
	}
	if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one that names %s", err, dir)
	}
}

// TestReplicasWanted: a Session does not pass over train.replicas.
func TestReplicasWanted(t *testing.T) {
	s, _ := session(t, smallConfig(t, "train.replicas.count=2"), small(1), &watcher{})
	if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "train.replicas") {
		t.Errorf("error %v, want one of train.replicas", err)
	}
}

// TestReplicasInit: a file that cannot be had is an error before anything is
// written; a fleet of another size too.
func TestReplicasInit(t *testing.T) {
	c := smallConfig(t, "train.replicas.count=2", "model.init.file=none.safetensors")
	s, dir := replicasOf(t, c, newMachine(t, "tape", c), &replicasWatcher{})
	if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "model.init.file") {
		t.Errorf("error %v, want one of model.init.file", err)
	}
	s.Config = smallConfig(t, "train.replicas.count=3")
	if _, err := s.Run(context.Background()); err == nil {
		t.Error("a fleet of 2 for 3 replicas: no error")
	}
	if _, err := os.Stat(filepath.Join(dir, rundir.ConfigFile)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("config.yaml was written: %v", err)
	}
}
