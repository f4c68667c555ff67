package train_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/augment"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/rundir"
)

// augmenting are settings that distort images of 4×4 pixels.
var augmenting = []string{"train.augment.rotate=10", "train.augment.shift=0.3", "train.augment.elastic=0.1", "train.augment.every=2", "train.augment.seed=5"}

// TestAugment: a session trains on the distorted sets in turn, with the order of the
// epoch, and is evaluated on the images as they are. That is done again by hand.
func TestAugment(t *testing.T) {
	for _, test := range []struct {
		kind string
		sets []string
	}{{"cpu", []string{"train.batch=1"}}, {"cpu", nil}, {"interpret", []string{"train.epochs=5"}}} {
		c := smallConfig(t, append(augmenting, test.sets...)...)
		s, dir := sessionOn(t, newMachine(test.kind, c), c, &watcher{})
		result, err := s.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}

		ctx := context.Background()
		m, err := newMachine(test.kind, c)()
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = m.Close() }()
		p, err := train.InitialParameters(c)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetParameters(p); err != nil {
			t.Fatal(err)
		}
		d := small(1)
		for epoch := 1; epoch <= c.Train.Epochs; epoch++ {
			job, err := augment.New(d.Train, c.Train.Augment.Options(), 5, uint64(epoch-1)/2)
			if err != nil {
				t.Fatal(err)
			}
			set, err := job.Set(ctx)
			if err != nil {
				t.Fatal(err)
			}
			if err := m.Train(ctx, vm.Pass{Set: set, Order: data.Shuffled(set.Len(), c.Seed, epoch), Batch: c.Train.Batch, Rate: c.Train.Rate.At(epoch)}); err != nil {
				t.Fatal(err)
			}
			score, err := m.Evaluate(ctx, d.Train)
			if err != nil {
				t.Fatal(err)
			}
			if got := result.Runs[0].Epochs[epoch-1]; got.TrainAccuracy != score.Accuracy() {
				t.Errorf("%s, epoch %d: training accuracy %v, want %v", test.kind, epoch, got.TrainAccuracy, score.Accuracy())
			}
		}
		want, err := m.Parameters()
		if err != nil {
			t.Fatal(err)
		}
		if got := readModel(t, dir, rundir.ModelFile).Parameters; !reflect.DeepEqual(got, want) {
			t.Errorf("%s %v: other parameters than by hand", test.kind, test.sets)
		}
	}
}

// TestAugmentSameBits: the number of cores changes no bit, and a run of several trains
// as alone.
func TestAugmentSameBits(t *testing.T) {
	c := smallConfig(t, append(augmenting, "train.epochs=4", "train.batch=1", "precision=float32")...)
	parameters := func(r int) model.Parameters {
		_, dir := alone(t, "cpu", c, r)
		return readModel(t, dir, rundir.ModelFile).Parameters
	}
	want := parameters(0)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	if got := parameters(0); !reflect.DeepEqual(got, want) {
		t.Error("on one core: other parameters")
	}
	runtime.GOMAXPROCS(3)
	c.Train.Runs.Count = 2
	s, _ := sessionOn(t, newMachine("cpu", c), c, &watcher{})
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	for r := range 2 {
		got, err := s.Fleet.Parameters(r)
		if err != nil {
			t.Fatal(err)
		}
		if want := parameters(r); !reflect.DeepEqual(got, want) {
			t.Errorf("run %d: other parameters than alone", r)
		}
	}
}

// resident counts the sets that a fleet holds beside those that begin loads.
type resident struct {
	vm.Fleet
	held map[*data.Set]bool
	most int
}

func (r *resident) Train(ctx context.Context, runs []int, passes []vm.Pass) error {
	r.held[passes[0].Set] = true
	r.most = max(r.most, len(r.held))
	return r.Fleet.Train(ctx, runs, passes)
}

func (r *resident) Unload(set *data.Set) error {
	delete(r.held, set)
	return r.Fleet.Unload(set)
}

// TestAugmentMemory: a set that was trained on is given back, so that a long training
// needs no more memory than a short one.
func TestAugmentMemory(t *testing.T) {
	c := smallConfig(t, append(augmenting, "train.epochs=9", "train.augment.every=1")...)
	s, _ := sessionOn(t, newMachine("cpu", c), c, &watcher{})
	f := &resident{Fleet: s.Fleet, held: map[*data.Set]bool{}}
	s.Fleet = f
	if _, err := s.Run(context.Background()); err != nil || f.most != 1 {
		t.Errorf("%v; at most %d distorted sets are held, want 1", err, f.most)
	}
}

// TestAugmentEnds: an interrupted session saves what it has, and one whose images cannot
// be distorted does not start.
func TestAugmentEnds(t *testing.T) {
	c := smallConfig(t, augmenting...)
	ctx, cancel := context.WithCancelCause(context.Background())
	stop := errors.New("stop")
	w := &watcher{batch: func(epoch, _ int) {
		if epoch == 3 {
			cancel(stop)
		}
	}}
	s, dir := session(t, c, w)
	if result, err := s.Run(ctx); !errors.Is(err, stop) || len(result.Runs[0].Epochs) != 2 {
		t.Errorf("interrupted in epoch 3: %v, %+v", err, result.Runs)
	}
	if got := len(metricsOf(t, dir)); got != 2 {
		t.Errorf("%d epochs are saved", got)
	}

	s, dir = session(t, c, &watcher{})
	for _, set := range []*data.Set{s.Dataset.Train, s.Dataset.Test} {
		set.Rows, set.Cols = 1, 16
	}
	if result, err := s.Run(context.Background()); result.Runs != nil || err == nil || !strings.Contains(err.Error(), "1×16") {
		t.Errorf("images of one row: %v", err)
	}
	if _, err := os.Stat(filepath.Join(dir, rundir.ConfigFile)); err == nil {
		t.Error("a session that did not start has written a file")
	}
}
