package sweep_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
	"trainer/train/sweep"
)

// rows is a small data set: 4×4 images with more ink in the row of their class.
func rows(n int) *data.Dataset {
	set := func(name string, n int, stream uint64) *data.Set {
		random := data.Stream(1, "sweep test", stream)
		s := &data.Set{Name: name, Rows: 4, Cols: 4, Classes: 3, Pixels: make([]uint8, n*16), Labels: make([]uint8, n)}
		for i := range n {
			s.Labels[i] = uint8(random.IntN(3))
			for j := range s.Image(i) {
				s.Image(i)[j] = uint8(random.IntN(150))
			}
			for j := range 4 {
				s.Image(i)[4*int(s.Labels[i])+j] += uint8(random.IntN(105))
			}
		}
		return s
	}
	return &data.Dataset{Name: "rows", Source: "the test", Train: set("train", n, 0), Test: set("test", 60, 1)}
}

var base = []string{"name=small", "device=cpu", "model.layers=[16, 6, 3]", "model.init.std=0.3", "train.epochs=4", "train.rate.initial=0.5"}

func plan(t *testing.T, flags config.SweepFlags, sets ...string) *config.Sweep {
	t.Helper()
	p, err := config.ReadSweep("", append(slices.Clone(base), sets...), flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// grid is two rates, two networks and two seeds.
func grid(t *testing.T, sets ...string) *config.Sweep {
	t.Helper()
	return plan(t, config.SweepFlags{Over: []string{"train.rate.initial=0.1,1", "model.layers=[16,3],[16,6,3]"}, Seeds: 2}, sets...)
}

func machine(c config.Config, cores, _ int) (vm.VM, error) {
	m, _, err := machines.Open(c.Network(), machines.Options{Device: machines.CPU, Kind: machines.Kind(c.Machine), Cores: cores, Batch: c.Train.Batch})
	return m, err
}

// small returns a sweep in a folder.
func small(p *config.Sweep, dir string) *sweep.Sweep {
	d := rows(120)
	return &sweep.Sweep{Plan: p, Dir: dir, Machine: machine, Open: func(_ context.Context, c config.Config) (*data.Dataset, config.Config, error) {
		return d, c, vm.CheckSet(d.Train, c.Network())
	}}
}

func run(t *testing.T, s *sweep.Sweep) *sweep.Table {
	t.Helper()
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	return collect(t, s.Plan, s.Dir)
}

func collect(t *testing.T, p *config.Sweep, dirs ...string) *sweep.Table {
	t.Helper()
	table, err := sweep.Collect(p, dirs...)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// untimed returns the files of a table without what differs from day to day.
func untimed(t *testing.T, table *sweep.Table) string {
	t.Helper()
	timeless := *table
	timeless.Runs = slices.Clone(table.Runs)
	for i := range timeless.Runs {
		o := &timeless.Runs[i]
		o.Seconds = 0
		for _, m := range []**train.Metrics{&o.Best, &o.Last} {
			if *m != nil {
				still := **m
				still.TrainSeconds, still.EvalSeconds, still.SamplesPerSecond = 0, 0, 0
				*m = &still
			}
		}
	}
	var b bytes.Buffer
	if err := errors.Join(timeless.JSON(&b), timeless.CSV(&b)); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// models returns the parameters of all runs in a folder.
func models(t *testing.T, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	names, err := os.ReadDir(filepath.Join(dir, sweep.RunsDir))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range names {
		for _, file := range []string{rundir.ModelFile, rundir.BestFile, rundir.ConfigFile} {
			text, err := os.ReadFile(filepath.Join(dir, sweep.RunsDir, n.Name(), file))
			if err != nil {
				t.Fatal(err)
			}
			all[n.Name()+"/"+file] = string(text)
		}
	}
	return all
}

// TestAlone: each run has the files of the training of its configuration alone.
func TestAlone(t *testing.T) {
	s := small(grid(t), filepath.Join(t.TempDir(), "sweep"))
	var ended, together int
	s.Ended = func(_ config.Combination, o sweep.Outcome, kept bool) {
		ended++
		if kept || o.State != sweep.Done {
			t.Errorf("ended %+v, kept %t", o, kept)
		}
	}
	s.Started = func(_ *data.Dataset, _, n int) { together = n }
	table := run(t, s)
	if ended != 8 || together != min(8, runtime.GOMAXPROCS(0)) || len(table.Runs) != 8 || len(table.Missing) != 0 {
		t.Errorf("%d runs ended, %d together, %d in the table", ended, together, len(table.Runs))
	}
	have := models(t, s.Dir)
	for i, c := range s.Plan.Combinations {
		dir, err := rundir.Create(filepath.Join(t.TempDir(), "alone"), "", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		fleet, err := vm.NewFleet(1, func() (vm.VM, error) { return machine(c.Config, 0, 1) })
		if err != nil {
			t.Fatal(err)
		}
		session := &train.Session{Config: c.Config, Dataset: rows(120), Fleet: fleet, Machine: "cpu", Dir: dir, Watch: quiet{}}
		result, err := session.Run(context.Background())
		if err := errors.Join(err, fleet.Close(), dir.Close()); err != nil {
			t.Fatal(err)
		}
		for _, file := range []string{rundir.ModelFile, rundir.BestFile, rundir.ConfigFile} {
			want, err := os.ReadFile(dir.File(file))
			if err != nil || have[s.Name(c)+"/"+file] != string(want) {
				t.Errorf("%s of %s is another one than alone, %v", file, s.Name(c), err)
			}
		}
		if o := table.Runs[i]; o.Best.TestAccuracy != result.Runs[0].Best.TestAccuracy || o.Run != i+1 || o.Seed != c.Config.Seed {
			t.Errorf("run %d: %+v, alone %+v", i, o, result.Runs[0].Best)
		}
	}
	// The best combination is the one with the highest mean.
	for i, c := range table.Combinations {
		a, b := table.Runs[2*i].Best.TestAccuracy, table.Runs[2*i+1].Best.TestAccuracy
		if mean := (a + b) / 2; *c.Accuracy.Mean != mean || *c.Accuracy.Min != min(a, b) || c.Runs != 2 || *c.Accuracy.Mean > *table.Combinations[table.Best.Combination].Accuracy.Mean {
			t.Errorf("combination %d: %+v of %v and %v", i, c, a, b)
		}
	}
	if order := table.Order(); order[0] != table.Best.Combination || len(order) != 4 {
		t.Errorf("order %v", order)
	}
}

type quiet struct{}

func (quiet) Batch(int, int)                      {}
func (quiet) Epoch([]train.RunMetrics, int, bool) {}

// TestResume: a sweep that is stopped again and again, after any number of batches, gives
// the same as one that is not. Runs that have ended are kept as they are.
func TestResume(t *testing.T) {
	// The interpreter says after each step how far it is.
	want := small(grid(t, "machine=interpret"), filepath.Join(t.TempDir(), "whole"))
	table := untimed(t, run(t, want))
	stopped := errors.New("stopped")
	random := rand.New(rand.NewPCG(3, 4))
	s := small(grid(t, "machine=interpret"), filepath.Join(t.TempDir(), "stopped"))
	kept := 0
	s.Ended = func(_ config.Combination, _ sweep.Outcome, k bool) {
		if k {
			kept++
		}
	}
	interruptions := 0
	for ; ; interruptions++ {
		ctx, cancel := context.WithCancelCause(context.Background())
		left := int64(1 + random.IntN(1000))
		s.Log = func(config.Combination, config.Config, *data.Dataset, *rundir.Dir) sweep.Log {
			return stopper{func() {
				if atomic.AddInt64(&left, -1) == 0 {
					cancel(stopped)
				}
			}}
		}
		kept = 0
		err := s.Run(ctx)
		cancel(nil)
		if err == nil {
			break
		}
		if !errors.Is(err, stopped) || interruptions > 100 {
			t.Fatal(err)
		}
	}
	if interruptions < 3 || kept == 0 {
		t.Errorf("%d interruptions, %d runs kept at last", interruptions, kept)
	}
	if have := untimed(t, collect(t, s.Plan, s.Dir)); have != table {
		t.Errorf("the table is\n%s\nwithout interruptions\n%s", have, table)
	}
	if !reflect.DeepEqual(models(t, s.Dir), models(t, want.Dir)) {
		t.Error("other parameters than without interruptions")
	}
	before := models(t, s.Dir)
	s.Machine = func(config.Config, int, int) (vm.VM, error) { return nil, errors.New("a machine for nothing") }
	if err := s.Run(context.Background()); err != nil || !reflect.DeepEqual(models(t, s.Dir), before) {
		t.Errorf("a sweep that has ended runs again: %v", err)
	}
}

// stopper calls a function at every batch.
type stopper struct{ batch func() }

func (s stopper) Batch(int, int)                      { s.batch() }
func (s stopper) Epoch([]train.RunMetrics, int, bool) {}
func (s stopper) End(train.Result, error)             {}

// TestTorn: a run that was killed before its first checkpoint, or whose checkpoints are
// damaged, begins again.
func TestTorn(t *testing.T) {
	p := plan(t, config.SweepFlags{Seeds: 4})
	want := small(p, filepath.Join(t.TempDir(), "whole"))
	table := untimed(t, run(t, want))
	for name, spoil := range map[string]func(folder string) error{
		"no checkpoint": func(f string) error {
			return errors.Join(os.Remove(filepath.Join(f, rundir.CheckpointFile)), os.RemoveAll(filepath.Join(f, rundir.EarlierFile)))
		},
		"damaged": func(f string) error {
			return errors.Join(os.WriteFile(filepath.Join(f, rundir.CheckpointFile), []byte("x"), 0o666), os.RemoveAll(filepath.Join(f, rundir.EarlierFile)))
		},
		"nothing":                os.RemoveAll,
		"ended at the last file": func(string) error { return nil },
	} {
		dir := filepath.Join(t.TempDir(), "spoiled")
		s := small(p, dir)
		run(t, s)
		folder := filepath.Join(dir, sweep.RunsDir, s.Name(s.Plan.Combinations[3]))
		if err := errors.Join(os.Remove(filepath.Join(folder, rundir.ResultFile)), spoil(folder)); err != nil {
			t.Fatal(err)
		}
		if missing := collect(t, s.Plan, dir).Missing; !reflect.DeepEqual(missing, []string{s.Name(s.Plan.Combinations[3])}) {
			t.Errorf("%s: missing %v", name, missing)
		}
		if have := untimed(t, run(t, s)); have != table || !reflect.DeepEqual(models(t, dir), models(t, want.Dir)) {
			t.Errorf("%s: another result", name)
		}
	}
}

// TestShards: shards in one folder, at the same time and twice, and in folders of their
// own, give the table of one process.
func TestShards(t *testing.T) {
	p := grid(t)
	want := untimed(t, run(t, small(p, filepath.Join(t.TempDir(), "whole"))))
	const n = 3
	shared := filepath.Join(t.TempDir(), "shared")
	var own []string
	var all sync.WaitGroup
	for i := 1; i <= n; i++ {
		dir := filepath.Join(t.TempDir(), fmt.Sprint("own", i))
		own = append(own, dir)
		for _, dir := range []string{shared, shared, dir} {
			all.Go(func() {
				s := small(p, dir)
				s.Only = sweep.Shard{Number: i, Of: n}
				if err := s.Run(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	if have := untimed(t, collect(t, p, shared)); have != want {
		t.Errorf("shared folder:\n%s\nwant\n%s", have, want)
	}
	if have := untimed(t, collect(t, p, own...)); have != want {
		t.Errorf("own folders:\n%s\nwant\n%s", have, want)
	}
	part := collect(t, p, own[0], own[2])
	if len(part.Missing) != 3 || len(part.Runs) != 5 || part.Missing[0] != sweep.Name(p, p.Combinations[1]) {
		t.Errorf("without the second: missing %v", part.Missing)
	}
	out := filepath.Join(t.TempDir(), "merged")
	if err := (&sweep.Sweep{Plan: p, Dir: out}).Begin(); err != nil {
		t.Fatal(err)
	}
	table := collect(t, p, own...)
	if err := table.Write(out, lang.English); err != nil {
		t.Fatal(err)
	}
	if _, err := train.OpenModel(filepath.Join(out, table.Best.Folder)); err != nil {
		t.Errorf("the best run was not copied: %v", err)
	}
	for _, name := range []string{sweep.CSVFile, sweep.JSONFile, sweep.FigureSVG, sweep.FigurePNG, sweep.PageFile, sweep.PlanFile} {
		if info, err := os.Stat(filepath.Join(out, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOtherSweep: a folder with another sweep, or with something else, is left alone.
func TestOtherSweep(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "sweep")
	if err := (&sweep.Sweep{Plan: grid(t), Dir: dir}).Begin(); err != nil {
		t.Fatal(err)
	}
	other := plan(t, config.SweepFlags{Over: []string{"train.rate.initial=0.1,1", "model.layers=[16,3],[16,6,3]"}, Seeds: 2}, "train.epochs=5")
	err := small(other, dir).Run(context.Background())
	var different *sweep.DifferentError
	if !errors.As(err, &different) || !strings.Contains(err.Error(), "train.epochs is 4 there, and 5 here") {
		t.Error(err)
	}
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "thesis.txt"), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	if err := small(other, full).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "is not empty (thesis.txt)") {
		t.Error(err)
	}
	// An impossible combination leaves no trace.
	wrong := plan(t, config.SweepFlags{Over: []string{"model.layers=[16,3],[9,3]"}})
	dir = filepath.Join(t.TempDir(), "never")
	if err := small(wrong, dir).Run(context.Background()); err == nil || !strings.Contains(err.Error(), "the combination model.layers=[9, 3]: train: images of 4×4 pixels") {
		t.Error(err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a failed start left %s", dir)
	}
}

// TestOtherData: runs on other data are not put into one table.
func TestOtherData(t *testing.T) {
	p := plan(t, config.SweepFlags{Seeds: 2})
	dir := filepath.Join(t.TempDir(), "sweep")
	s := small(p, dir)
	s.Only = sweep.Shard{Number: 1, Of: 2}
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s = small(p, dir)
	other := rows(99)
	s.Open = func(_ context.Context, c config.Config) (*data.Dataset, config.Config, error) { return other, c, nil }
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	if _, err := sweep.Collect(p, dir); err == nil || !strings.Contains(err.Error(), "was trained on other data") {
		t.Error(err)
	}
}

// failing is a machine that fails at high rates.
type failing struct{ vm.VM }

func (f failing) Train(ctx context.Context, p vm.Pass) error {
	if p.Rate > 9 {
		return &vm.NonFiniteError{Tensor: "layers.0.weight", Step: 3}
	}
	return f.VM.Train(ctx, p)
}

// TestFailed: a run whose values are not finite is a result, which is kept. Another error
// ends the sweep and names the run.
func TestFailed(t *testing.T) {
	p := plan(t, config.SweepFlags{Over: []string{"train.rate.initial=1,10"}, Seeds: 2}, "train.early_stopping.patience=1", "train.epochs=50")
	s := small(p, filepath.Join(t.TempDir(), "sweep"))
	var made atomic.Int64
	s.Machine = func(c config.Config, cores, runs int) (vm.VM, error) {
		made.Add(1)
		m, err := machine(c, cores, runs)
		return failing{m}, err
	}
	table := run(t, s)
	if o := table.Runs[2]; o.State != sweep.Failed || !strings.Contains(o.Failed, "epoch 1, batch 4: layers.0.weight") || o.Best != nil {
		t.Errorf("failed run: %+v", o)
	}
	if o := table.Runs[0]; o.State != sweep.StoppedEarly || o.Last.Epoch == 50 {
		t.Errorf("early: %+v", o)
	}
	if c := table.Combinations[1]; c.Failed != 2 || c.Accuracy.Mean != nil || table.Best.Combination != 0 {
		t.Errorf("%+v, best %+v", c, table.Best)
	}
	var csv bytes.Buffer
	if err := table.CSV(&csv); err != nil || !strings.Contains(csv.String(), "3,3-rate.initial-10-seed-1,10,1,failed,,,,,,,,,,,cpu,") {
		t.Errorf("%v\n%s", err, csv.String())
	}
	if err := table.Write(s.Dir, lang.Chinese); err != nil {
		t.Error(err)
	}
	before := made.Load()
	run(t, s)
	if n := made.Load(); n != before {
		t.Errorf("%d machines for a sweep that has ended", n-before)
	}

	broken := errors.New("broken")
	s = small(grid(t), filepath.Join(t.TempDir(), "sweep"))
	s.Machine = func(c config.Config, cores, runs int) (vm.VM, error) {
		if len(c.Model.Layers) == 3 {
			return nil, broken
		}
		return machine(c, cores, runs)
	}
	if err := s.Run(context.Background()); !errors.Is(err, broken) || !strings.Contains(err.Error(), "layers-16-6-3") {
		t.Error(err)
	}
}

// fleeter is a machine that trains several runs together.
type fleeter struct {
	vm.VM
	most  int
	sizes *[]int
}

func (f fleeter) Fleet(n int) (vm.Fleet, error) {
	if n > f.most {
		return nil, errors.New("does not fit")
	}
	*f.sizes = append(*f.sizes, n)
	return vm.NewFleet(n, func() (vm.VM, error) { return f.VM, nil })
}

// TestFleets: where a machine trains runs together, those of one network are, as many as
// fit, with the same bits.
func TestFleets(t *testing.T) {
	want := small(grid(t), filepath.Join(t.TempDir(), "whole"))
	table := untimed(t, run(t, want))
	var sizes []int
	s := small(grid(t), filepath.Join(t.TempDir(), "fleets"))
	s.Machine = func(c config.Config, _, runs int) (vm.VM, error) {
		if runs != 4 {
			t.Errorf("a machine for %d runs of 4", runs)
		}
		m, err := machine(c, 1, runs)
		return fleeter{m, 3, &sizes}, err
	}
	have := run(t, s)
	if untimed(t, have) != table || !reflect.DeepEqual(models(t, s.Dir), models(t, want.Dir)) {
		t.Error("other results than one by one")
	}
	if want := []int{2, 2, 2, 2}; !reflect.DeepEqual(sizes, want) { // two networks, four runs each
		t.Errorf("fleets of %v, want %v", sizes, want)
	}
}

// TestFleetsOfSome: where only some runs have such a machine, the others are trained one by
// one, also after some have ended.
func TestFleetsOfSome(t *testing.T) {
	var sizes []int
	s := small(grid(t), filepath.Join(t.TempDir(), "some"))
	s.Machine = func(c config.Config, _, runs int) (vm.VM, error) {
		m, err := machine(c, 1, runs)
		if len(c.Model.Layers) == 3 && runs == 4 {
			return fleeter{m, 9, &sizes}, err
		}
		return m, err
	}
	s.Only = sweep.Shard{Number: 3, Of: 8} // a run of the network with three layers
	if err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Only = sweep.Shard{}
	if n := len(run(t, s).Runs); n != 8 || !reflect.DeepEqual(sizes, []int{1, 3}) {
		t.Errorf("%d runs, in fleets of %v", n, sizes)
	}
}

// TestSeedsOfData: data that are generated from the seed are those of each run's seed.
func TestSeedsOfData(t *testing.T) {
	p := plan(t, config.SweepFlags{Seeds: 3})
	s := small(p, filepath.Join(t.TempDir(), "sweep"))
	opened := map[uint64]int{}
	s.Open = func(_ context.Context, c config.Config) (*data.Dataset, config.Config, error) {
		d := rows(100 + int(c.Seed))
		d.Name, d.Source = "the digits", data.BuiltIn
		opened[c.Seed]++
		return d, c, nil
	}
	table := run(t, s)
	if len(opened) != 3 || opened[1] != 1 || table.Runs[0].Data == table.Runs[1].Data {
		t.Errorf("opened %v", opened)
	}
}

func TestShard(t *testing.T) {
	for text, want := range map[string]sweep.Shard{"1/1": {1, 1}, "2/6": {2, 6}, "6/6": {6, 6}} {
		if s, err := sweep.ParseShard(text); err != nil || s != want || s.String() != text {
			t.Errorf("%s: %v, %v", text, s, err)
		}
	}
	for _, text := range []string{"", "3", "0/4", "5/4", "-1/4", "a/b", "1/0", "1/2/3", "1.5/2"} {
		if s, err := sweep.ParseShard(text); err == nil {
			t.Errorf("%q: %v", text, s)
		}
	}
	for _, test := range []struct {
		env   string
		count int
		want  sweep.Shard
		err   string
	}{
		{"", 0, sweep.Shard{}, ""},
		{"SLURM_ARRAY_TASK_ID=0 SLURM_ARRAY_TASK_COUNT=6 SLURM_ARRAY_TASK_MIN=0", 0, sweep.Shard{Number: 1, Of: 6}, ""},
		{"SLURM_ARRAY_TASK_ID=6 SLURM_ARRAY_TASK_COUNT=6 SLURM_ARRAY_TASK_MIN=1", 0, sweep.Shard{Number: 6, Of: 6}, ""},
		{"SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1 SLURM_ARRAY_TASK_STEP=4", 0, sweep.Shard{Number: 3, Of: 3}, ""},
		{"SLURM_ARRAY_TASK_ID=9 SLURM_ARRAY_TASK_COUNT=3 SLURM_ARRAY_TASK_MIN=1", 0, sweep.Shard{}, "shard 9 of 3, which is none"},
		{"SLURM_ARRAY_TASK_ID=x SLURM_ARRAY_TASK_COUNT=3", 0, sweep.Shard{}, "want a number"},
		{"SLURM_ARRAY_TASK_ID=1", 0, sweep.Shard{}, "SLURM_ARRAY_TASK_COUNT"},
		{"JOB_COMPLETION_INDEX=0 TRAINER_SHARDS=4", 0, sweep.Shard{Number: 1, Of: 4}, ""},
		{"JOB_COMPLETION_INDEX=3 TRAINER_SHARDS=9", 4, sweep.Shard{Number: 4, Of: 4}, ""},
		{"JOB_COMPLETION_INDEX=4 TRAINER_SHARDS=4", 0, sweep.Shard{}, "which is none"},
		{"JOB_COMPLETION_INDEX=0", 0, sweep.Shard{}, "give -shards"},
		{"", 4, sweep.Shard{}, "nothing says which one"},
		{"TRAINER_SHARDS=0 JOB_COMPLETION_INDEX=0", 0, sweep.Shard{}, "want 1 or more"},
	} {
		env := map[string]string{}
		for _, pair := range strings.Fields(test.env) {
			k, v, _ := strings.Cut(pair, "=")
			env[k] = v
		}
		s, _, err := sweep.ShardOf(func(name string) string { return env[name] }, test.count)
		if s != test.want || (err == nil) != (test.err == "") || err != nil && !strings.Contains(err.Error(), test.err) {
			t.Errorf("%s, %d: %v, %v", test.env, test.count, s, err)
		}
	}
}

// TestFindRate: the cost of a network that learns falls fastest between rates that change
// nothing and rates that are too large.
func TestFindRate(t *testing.T) {
	c, err := config.Read("", base)
	if err != nil {
		t.Fatal(err)
	}
	m, err := machine(c, 1, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	d := rows(6000)
	s, err := sweep.FindRate(context.Background(), c, d, m)
	if err != nil {
		t.Fatal(err)
	}
	if r := s.Suggested(); r < 0.01 || r > 10 || s.Steepest >= s.Lowest || s.Points[s.Lowest].Smooth > 0.5*s.Points[0].Smooth {
		t.Errorf("suggested %v, lowest at %v: %+v", r, s.Points[s.Lowest].Rate, s.Points)
	}
	for i, p := range s.Points[1:] {
		if p.Rate <= s.Points[i].Rate {
			t.Fatalf("rates do not grow: %v", s.Points)
		}
	}
	var csv, svg bytes.Buffer
	f, err := s.Figure("rates", lang.English)
	if err := errors.Join(err, s.CSV(&csv), f.SVG(&svg)); err != nil || strings.Count(csv.String(), "\n") != len(s.Points)+1 || !strings.Contains(svg.String(), "steepest") {
		t.Errorf("%v %s", err, csv.String())
	}
	c.Train.Batch = 5000
	if _, err := sweep.FindRate(context.Background(), c, d, m); err == nil || !strings.Contains(err.Error(), "an epoch has 2 steps") {
		t.Error(err)
	}
}
