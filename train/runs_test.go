package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/graph/vm/tape"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
)

// runsOf reads runs.json.
func runsOf(t *testing.T, dir string) []train.Run {
	t.Helper()
	var all []train.Run
	d := json.NewDecoder(bytes.NewReader(read(t, dir, rundir.RunsFile)))
	d.DisallowUnknownFields()
	if err := d.Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

// untimed returns metrics without what differs from time to time.
func untimed(all []train.Metrics) []train.Metrics {
	same := make([]train.Metrics, len(all))
	for i, m := range all {
		m.TrainSeconds, m.EvalSeconds, m.SamplesPerSecond = 0, 0, 0
		same[i] = m
	}
	return same
}

// alone trains run r of a configuration on its own.
func alone(t *testing.T, kind string, c config.Config, r int) (train.Run, string) {
	t.Helper()
	c = c.Run(r)
	s, dir := sessionOn(t, newMachine(kind, c), c, &watcher{})
	result, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return result.Runs[0], dir
}

// TestRuns: each run of several is the run with its seed alone, to the
// bit, and the files are those of the best run alone.
func TestRuns(t *testing.T) {
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
			c := smallConfig(t, append([]string{"train.epochs=3", "train.runs.count=3"}, test.sets...)...)
			w := &watcher{}
			s, dir := sessionOn(t, newMachine(test.kind, c), c, w)
			result, err := s.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := json.MarshalIndent(result.Runs, "", "  "); err != nil || string(got)+"\n" != string(read(t, dir, rundir.RunsFile)) {
				t.Errorf("%s has %s, want %s, %v", rundir.RunsFile, read(t, dir, rundir.RunsFile), got, err)
			}
			lines := linesOf[train.RunMetrics](t, dir, rundir.RunMetricsFile)

			var top train.Metrics
			best, bestDir := -1, ""
			for r := range 3 {
				want, aloneDir := alone(t, test.kind, c, r)
				var epochs []train.Metrics
				for _, line := range lines {
					if line.Run == r {
						epochs = append(epochs, line.Metrics)
						if line.Seed != c.Run(r).Seed {
							t.Errorf("run %d: %+v", r, line)
						}
					}
				}
				got := result.Runs[r]
				if !reflect.DeepEqual(untimed(epochs), untimed(want.Epochs)) || !reflect.DeepEqual(got.Epochs, epochs) {
					t.Errorf("run %d: %+v, alone %+v", r, epochs, want.Epochs)
				}
				if ends := untimed([]train.Metrics{*got.Best, *got.Last}); !reflect.DeepEqual(ends, untimed([]train.Metrics{*want.Best, *want.Last})) || got.Failed != "" {
					t.Errorf("run %d: %+v, alone %+v", r, ends, want)
				}
				b := *want.Best
				if best < 0 || b.TestAccuracy > top.TestAccuracy || b.TestAccuracy == top.TestAccuracy && b.TestCost < top.TestCost {
					top, best, bestDir = b, r, aloneDir
				}
			}
			if result.Best != best || !reflect.DeepEqual(untimed(result.Runs[best].Epochs), untimed(metricsOf(t, bestDir))) {
				t.Errorf("the best is run %d, want %d", result.Best, best)
			}
			// The last parameters of a run among several were chosen with the run.
			last, lastAlone := readModel(t, dir, rundir.ModelFile), readModel(t, bestDir, rundir.ModelFile)
			if lastAlone.Metadata["chosen_on"] = "test set"; !reflect.DeepEqual(last, lastAlone) {
				t.Errorf("%s has %v, run %d alone %v", rundir.ModelFile, last.Metadata, best, lastAlone.Metadata)
			}
			for _, name := range []string{rundir.BestFile, rundir.HiddenSVG, rundir.HiddenPNG, rundir.ConfusionSVG, rundir.ConfusionPNG} {
				if !bytes.Equal(read(t, dir, name), read(t, bestDir, name)) {
					t.Errorf("%s is not that of run %d alone", name, best)
				}
			}
			if !reflect.DeepEqual(metricsOf(t, dir), result.Runs[best].Epochs) {
				t.Errorf("%s is not that of the best run", rundir.MetricsFile)
			}
			if len(w.runs) != c.Train.Epochs || len(w.runs[0]) != 3 || !w.best[0] || w.last != 3*s.Dataset.Train.Len() {
				t.Errorf("watched %+v, %v, and %d samples of an epoch", w.runs, w.best, w.last)
			}
		})
	}
}

// TestRunsStopEarly: a run that no longer improves stops, and keeps what it has;
// another goes on, as alone. The session ends when none is left.
func TestRunsStopEarly(t *testing.T) {
	for _, test := range []struct {
		kind    string
		epochs  int
		longest bool // whether a run makes all epochs
	}{{"cpu", 6, true}, {"cpu", 100, false}, {"tape", 6, true}} {
		c := smallConfig(t, "train.early_stopping.patience=3", "train.runs.count=3", "train.rate.initial=1")
		c.Train.Epochs = test.epochs
		w := &watcher{}
		s, dir := sessionOn(t, newMachine(test.kind, c), c, w)
		s.Fleet = rated{s.Fleet, []float64{1e-12, 1, 1e-11}}
		result, err := s.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for r, got := range result.Runs {
			if listed := runsOf(t, dir)[r]; listed.StoppedEarly != got.StoppedEarly || !reflect.DeepEqual(listed.Last, got.Last) {
				t.Errorf("%+v: %s has %+v, want %+v", test, rundir.RunsFile, listed, got)
			}
			if r != 1 {
				if len(got.Epochs) != 4 || !got.StoppedEarly {
					t.Errorf("%+v: run %d improves nothing, and has %d epochs, stopped early: %t", test, r, len(got.Epochs), got.StoppedEarly)
				}
				continue
			}
			want, _ := alone(t, test.kind, c, r)
			if !reflect.DeepEqual(untimed(got.Epochs), untimed(want.Epochs)) || got.StoppedEarly != want.StoppedEarly {
				t.Errorf("%+v: run %d has %d epochs, stopped early: %t; alone %d, %t", test, r, len(got.Epochs), got.StoppedEarly, len(want.Epochs), want.StoppedEarly)
			}
			if n := len(got.Epochs); n != len(w.runs) || n < 6 || (n == test.epochs) != test.longest || got.StoppedEarly == test.longest {
				t.Errorf("%+v: run %d has %d epochs, stopped early: %t; watched %d", test, r, n, got.StoppedEarly, len(w.runs))
			}
		}
		for i, runs := range w.runs {
			if want := map[bool]int{true: 3, false: 1}[i < 4]; len(runs) != want {
				t.Errorf("%+v: %d runs in epoch %d, want %d", test, len(runs), i+1, want)
			}
		}
		if w.last != s.Dataset.Train.Len() {
			t.Errorf("%+v: %d samples in the last epoch, want those of one run", test, w.last)
		}
	}
}

// rated is a fleet whose runs train at other rates than they are told.
type rated struct {
	vm.Fleet
	factors []float64
}

func (f rated) Train(ctx context.Context, runs []int, passes []vm.Pass) error {
	passes = slices.Clone(passes)
	for i, r := range runs {
		passes[i].Rate *= f.factors[r]
	}
	return f.Fleet.Train(ctx, runs, passes)
}

// failingAt is a machine whose passes fail at some rates.
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

// TestRunsFail: a run that fails is listed and does not end the others. Its
// whole epochs count. When all have failed, so has the session.
func TestRunsFail(t *testing.T) {
	c := smallConfig(t, "train.epochs=4", "train.runs.count=3", "train.rate.initial=1")
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
		s, dir := sessionOn(t, func() (vm.VM, error) {
			m, err := tape.New(c.Network())
			return failingAt{m, func(rate float64) bool {
				if rate == 2 {
					return epoch >= test.first
				}
				return epoch >= test.others
			}}, err
		}, c, &watcher{})
		s.Fleet = counting{rated{s.Fleet, []float64{2, 1e-6, 1e-5}}, &epoch}
		result, err := s.Run(context.Background())
		none := test.first <= 4 && test.others <= 4
		var bad *vm.NonFiniteError
		if (err != nil) != none || none && (!errors.As(err, &bad) || !strings.Contains(err.Error(), "no run is left") || !strings.Contains(err.Error(), "train.rate.initial")) {
			t.Errorf("%+v: %v", test, err)
		}
		for r, got := range runsOf(t, dir) {
			fails := test.others
			if r == 0 {
				fails = test.first
			}
			if (got.Failed != "") != (fails <= 4) || got.Failed != "" && !strings.Contains(got.Failed, "batch 7: layers.0.bias") {
				t.Errorf("%+v: run %d failed: %q", test, r, got.Failed)
			}
			if whole := min(fails-1, 4); (got.Last == nil) != (whole == 0) || whole > 0 && got.Last.Epoch != whole {
				t.Errorf("%+v: run %d: last epoch %+v", test, r, got.Last)
			}
		}
		if test.best == -2 {
			if _, err := os.Stat(filepath.Join(dir, rundir.ModelFile)); !errors.Is(err, os.ErrNotExist) || result.Best != -1 {
				t.Errorf("a model of no epoch: %v, best %d", err, result.Best)
			}
			continue
		}
		epochs := result.Runs[result.Best].Epochs
		if test.best == 0 && result.Best != 0 || test.best < 0 && result.Best == 0 || len(epochs) != test.epochs {
			t.Errorf("%+v: the best is %d with %d epochs", test, result.Best, len(epochs))
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
		if err != nil || score.Cost != epochs[test.epochs-1].TestCost {
			t.Errorf("%+v: model.safetensors has cost %v, %v; want %v", test, score.Cost, err, epochs[test.epochs-1].TestCost)
		}
	}
}

// counting counts the epochs of a fleet.
type counting struct {
	vm.Fleet
	epoch *int
}

func (c counting) Train(ctx context.Context, runs []int, passes []vm.Pass) error {
	*c.epoch++
	return c.Fleet.Train(ctx, runs, passes)
}

// spoiled is a fleet whose evaluations from the second epoch on give run 0 no
// finite cost.
type spoiled struct{ counting }

func (s spoiled) Evaluate(ctx context.Context, set *data.Set, runs []int) ([]vm.Score, error) {
	return spoiledRuns{s.Fleet, *s.epoch}.Evaluate(ctx, set, runs)
}

func (s spoiled) Snapshot(batch int) (vm.Runs, error) {
	runs, err := s.Fleet.Snapshot(batch)
	if runs == nil {
		return nil, err
	}
	return spoiledRuns{runs, *s.epoch}, err
}

type spoiledRuns struct {
	vm.Runs
	epoch int
}

func (s spoiledRuns) Evaluate(ctx context.Context, set *data.Set, runs []int) ([]vm.Score, error) {
	scores, err := s.Runs.Evaluate(ctx, set, runs)
	if i := slices.Index(runs, 0); i >= 0 && err == nil && s.epoch > 1 {
		scores[i].Cost = math.NaN()
	}
	return scores, err
}

// TestRunsNonFiniteCost: a cost that is not finite is a failure too.
func TestRunsNonFiniteCost(t *testing.T) {
	for _, test := range []struct{ kind, count string }{{"tape", "1"}, {"interpret", "1"}, {"tape", "2"}} {
		count := test.count
		c := smallConfig(t, "train.epochs=3", "train.runs.count="+count)
		s, _ := sessionOn(t, newMachine(test.kind, c), c, &watcher{})
		s.Fleet = spoiled{counting{s.Fleet, new(int)}}
		result, err := s.Run(context.Background())
		var bad *vm.NonFiniteError
		if (count == "1") != errors.As(err, &bad) || count == "2" && err != nil {
			t.Errorf("%s runs: error %v", count, err)
		}
		if got := result.Runs[0]; len(got.Epochs) != 1 || !strings.Contains(got.Failed, "epoch 2, batch 51: cost is not finite") {
			t.Errorf("%s runs: %d epochs of the run that failed: %q", count, len(got.Epochs), got.Failed)
		}
		if count == "2" && len(result.Runs[1].Epochs) != 3 {
			t.Errorf("%d epochs of the run that did not fail, want 3", len(result.Runs[1].Epochs))
		}
	}
}

// TestRunsEndMixed: a session whose runs have failed or stopped early has not
// failed.
func TestRunsEndMixed(t *testing.T) {
	c := smallConfig(t, "train.epochs=20", "train.early_stopping.patience=2", "train.runs.count=2", "train.rate.initial=1")
	epoch := 0
	s, _ := sessionOn(t, func() (vm.VM, error) {
		m, err := tape.New(c.Network())
		return failingAt{m, func(rate float64) bool { return rate == 2 && epoch == 4 }}, err
	}, c, &watcher{})
	s.Fleet = counting{rated{s.Fleet, []float64{1e-12, 2}}, &epoch}
	result, err := s.Run(context.Background())
	if err != nil || !result.Runs[0].StoppedEarly || result.Runs[1].Failed == "" || epoch != 4 || result.Best != 1 {
		t.Errorf("%v, %+v after %d epochs; want run 0 stopped and run 1 failed", err, result, epoch)
	}
}

// TestRunsInterrupt: the session ends with the cause, keeps whole epochs and
// where each run stopped. model.safetensors is that of the best run there.
func TestRunsInterrupt(t *testing.T) {
	for _, whole := range []int{0, 2} {
		ctx, cancel := context.WithCancelCause(context.Background())
		c := smallConfig(t, "train.runs.count=3", "train.rate.initial=1")
		w := &watcher{batch: func(epoch, done int) {
			if epoch == whole+1 && done > 300 { // in the second run
				cancel(errStop)
			}
		}}
		s, dir := session(t, c, w)
		s.Fleet = rated{s.Fleet, []float64{1e-12, 2, 1e-12}}
		result, err := s.Run(ctx)
		if !errors.Is(err, errStop) {
			t.Fatalf("error %v, want the cause", err)
		}
		for r, got := range runsOf(t, dir) {
			if (got.Last == nil) != (whole == 0) || got.Last != nil && got.Last.Epoch != whole || got.Failed != "" || len(result.Runs[r].Epochs) != whole {
				t.Errorf("run %+v, want %d whole epochs", got, whole)
			}
			if want := []int{203, 100, 0}[r]; got.Samples != want { // in steps of 4; 203 are all
				t.Errorf("run %d stopped after %d samples, want %d", r, got.Samples, want)
			}
		}
		if whole == 0 {
			if _, err := os.Stat(filepath.Join(dir, rundir.ModelFile)); !errors.Is(err, os.ErrNotExist) || result.Best != -1 {
				t.Errorf("a model of no best run: %v, best %d", err, result.Best)
			}
			continue
		}
		last := readModel(t, dir, rundir.ModelFile)
		if result.Best != 1 || last.Metadata["epoch"] != "2" || last.Metadata["samples_after_epoch"] != "100" || len(metricsOf(t, dir)) != 2 {
			t.Errorf("best %d, model %v, %d metrics; want epoch 2 of run 1 and 100 samples", result.Best, last.Metadata, len(metricsOf(t, dir)))
		}
		if p, err := s.Fleet.Parameters(1); err != nil || !reflect.DeepEqual(p, last.Parameters) {
			t.Errorf("model.safetensors has not the parameters of run 1, %v", err)
		}
		readModel(t, dir, rundir.BestFile)
		read(t, dir, rundir.FigureSVG)
	}
}

// TestRunsFolderBroken: a folder that goes away is an error with its path.
func TestRunsFolderBroken(t *testing.T) {
	w := &watcher{}
	s, dir := session(t, smallConfig(t, "train.runs.count=2"), w)
	w.batch = func(epoch, _ int) {
		if epoch == 2 {
			_ = os.RemoveAll(dir)
		}
	}
	if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("error %v, want one that names %s", err, dir)
	}
}

// TestRunsInit: a missing file of first weights is an error before anything is
// written, and so is a fleet of another size.
func TestRunsInit(t *testing.T) {
	s, dir := session(t, smallConfig(t, "train.runs.count=2", "model.init.file=none.safetensors"), &watcher{})
	if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "model.init.file") {
		t.Errorf("error %v, want one of model.init.file", err)
	}
	for _, count := range []string{"1", "3"} {
		s.Config = smallConfig(t, "train.runs.count="+count)
		if _, err := s.Run(context.Background()); err == nil || !strings.Contains(err.Error(), "train.runs.count") {
			t.Errorf("a fleet of 2 for %s runs: error %v", count, err)
		}
	}
	if got := filesOf(t, dir); len(got) > 0 {
		t.Errorf("files %v were written", got)
	}
}
