package train_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"trainer/data"
	"trainer/data/files"
	"trainer/data/files/filestest"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/checkpoint"
	"trainer/train/config"
	"trainer/train/rundir"
)

// again makes a session on machines that newVM makes: a new one in the folder path, or
// one that goes on from the checkpoint that is there. done gives everything back.
func again(t testing.TB, newVM func() (vm.VM, error), c config.Config, path string, d *data.Dataset, w *watcher) (s *train.Session, done func()) {
	t.Helper()
	f, err := vm.NewFleet(c.Train.Runs.Count, newVM)
	if err != nil {
		t.Fatal(err)
	}
	s = &train.Session{Config: c, Dataset: d, Fleet: f, Machine: "some", Watch: w}
	if _, missing := os.Stat(path); missing != nil {
		s.Dir, err = rundir.Create(path, c.Name, time.Now())
	} else if s.Dir, err = rundir.Open(path); err == nil {
		s.From, err = train.OpenCheckpoint(path, "")
	}
	if err != nil {
		t.Fatal(err)
	}
	return s, func() {
		if err := errors.Join(s.Dir.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	}
}

// times are the parts of the files of a run that differ from run to run.
var times = regexp.MustCompile(`"(train_seconds|eval_seconds|samples_per_second)": ?[0-9.e+-]+`)

// result returns the files of a run without the times.
func result(t testing.TB, path string) map[string]string {
	t.Helper()
	files := map[string]string{}
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		text, err := os.ReadFile(filepath.Join(path, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		switch e.Name() {
		case rundir.CheckpointFile: // checksums of metrics with times are in it
			s, err := checkpoint.Read(bytes.NewReader(text), int64(len(text)))
			if err != nil {
				t.Fatal(err)
			}
			s.Lines, s.Seconds = checkpoint.Lines{}, 0
			var b bytes.Buffer
			c, err := config.Parse([]byte(s.Config), "", nil)
			if err == nil {
				err = checkpoint.Write(&b, c.Network(), s)
			}
			if err != nil {
				t.Fatal(err)
			}
			text = b.Bytes()
		case rundir.EarlierFile, rundir.LogFile:
			continue
		}
		files[e.Name()] = times.ReplaceAllString(string(text), "$1")
	}
	return files
}

// same fails if two results differ.
func same(t testing.TB, what string, got, want map[string]string) {
	t.Helper()
	for name := range want {
		if got[name] != want[name] {
			t.Errorf("%s: %s has other bytes (%d and %d), or is not there", what, name, len(got[name]), len(want[name]))
		}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d files, want %d", what, len(got), len(want))
	}
}

// undisturbed returns the result of a session that is not stopped.
func undisturbed(t testing.TB, newVM func() (vm.VM, error), c config.Config, d *data.Dataset) map[string]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "run")
	s, done := again(t, newVM, c, path, d, &watcher{})
	_, err := s.Run(context.Background())
	if done(); err != nil {
		t.Fatal(err)
	}
	return result(t, path)
}

// TestResume: a run that is stopped again and again, after any number of batches, and
// resumed gives the same files as one that is not stopped, times excepted.
func TestResume(t *testing.T) {
	for i, test := range []struct {
		kind string
		sets []string
	}{
		{"tape", []string{"train.epochs=2"}},
		{"interpret", []string{"precision=float32", "train.epochs=4", "train.rate.factor=0.5", "train.rate.every=2"}},
		{"interpret", []string{"train.shuffle=false", "train.batch=7", "train.early_stopping.patience=2"}},
		{"interpret", []string{"train.epochs=2", "train.runs.count=2"}},
		{"interpret", []string{"train.runs.count=2", "train.early_stopping.patience=1", "train.epochs=5", "train.batch=9"}},
		{"interpret", []string{"train.epochs=2", "train.rate.initial=1e-9", "precision=float32"}}, // the advice
		{"interpret", []string{"train.epochs=3", "train.augment.rotate=20", "train.augment.every=2"}},
	} {
		if i%3 > 0 && testing.Short() {
			continue
		}
		t.Run(test.kind+" "+strings.Join(test.sets, " "), func(t *testing.T) {
			c := smallConfig(t, test.sets...)
			newVM := newMachine(test.kind, c)
			few := small(1)
			few.Train = few.Train.Slice(0, 18)
			want := undisturbed(t, newVM, c, few)
			for _, every := range []int{1, 7} { // calls of Batch until the next stop
				if every == 1 && testing.Short() {
					continue
				}
				path := filepath.Join(t.TempDir(), "run")
				stops := 0
				for err := errStop; errors.Is(err, errStop); stops++ {
					ctx, cancel := context.WithCancelCause(context.Background())
					left := every
					s, done := again(t, newVM, c, path, few, &watcher{batch: func(int, int) {
						if left--; left == 0 {
							cancel(errStop)
						}
					}})
					_, err = s.Run(ctx)
					done()
					if err != nil && !errors.Is(err, errStop) {
						t.Fatal(err)
					}
				}
				same(t, fmt.Sprintf("%d stops", stops-1), result(t, path), want)
				if stops < 2 {
					t.Errorf("stopped only %d times", stops-1)
				}
			}
		})
	}
}

// many returns a data set with n images to train.
func many(n int) *data.Dataset {
	d := small(1)
	all := *d.Train
	for all.Len() < n {
		all.Pixels = append(all.Pixels[:len(all.Pixels):len(all.Pixels)], d.Train.Pixels...)
		all.Labels = append(all.Labels[:len(all.Labels):len(all.Labels)], d.Train.Labels...)
	}
	d.Train = all.Slice(0, n)
	return d
}

// TestResumeCPU is TestResume for the fast machine, which evaluates an epoch while the
// next one trains, at random times.
func TestResumeCPU(t *testing.T) {
	for _, sets := range [][]string{
		{"train.batch=1", "precision=float32"},
		{"train.batch=10"},
		{"train.batch=1", "train.runs.count=3"},
	} {
		t.Run(strings.Join(sets, " "), func(t *testing.T) {
			c := smallConfig(t, append(sets, "train.epochs=5", "train.rate.initial=0.2")...)
			newVM := newMachine("cpu", c)
			d := many(10_001)
			want := undisturbed(t, newVM, c, d)
			for range max(1, *kills/20) {
				path := filepath.Join(t.TempDir(), "run")
				stops := 0
				for err := errStop; errors.Is(err, errStop); stops++ {
					ctx, cancel := context.WithCancelCause(context.Background())
					at := time.Duration(rand.IntN(20_000*(1+stops/2))) * time.Microsecond // more and more, so that it ends on a slow computer
					timer := time.AfterFunc(at, func() { cancel(errStop) })
					s, done := again(t, newVM, c, path, d, &watcher{})
					_, err = s.Run(ctx)
					timer.Stop()
					done()
					if err != nil && !errors.Is(err, errStop) {
						t.Fatal(err)
					}
				}
				same(t, fmt.Sprintf("%d stops", stops-1), result(t, path), want)
			}
		})
	}
}

// TestPause: an epoch that pauses for checkpoints gives the same files, and the
// checkpoints are of its middle.
func TestPause(t *testing.T) {
	c := smallConfig(t, "train.epochs=2", "train.runs.count=2")
	newVM := newMachine("interpret", c)
	want := undisturbed(t, newVM, c, small(1))
	defer train.PauseEvery(0)()
	path := filepath.Join(t.TempDir(), "run")
	seen := map[string]bool{}
	w := &watcher{batch: func(epoch, _ int) {
		if _, err := os.Stat(filepath.Join(path, rundir.CheckpointFile)); err != nil {
			return
		}
		r, err := train.OpenCheckpoint(path, "")
		if err != nil {
			t.Error(err)
			return
		}
		for _, run := range r.State.Runs {
			if run.Done > 0 && r.State.Epoch == epoch {
				seen[fmt.Sprint(epoch, run.Done)] = true
			}
		}
	}}
	s, done := again(t, newVM, c, path, small(1), w)
	_, err := s.Run(context.Background())
	if done(); err != nil {
		t.Fatal(err)
	}
	same(t, "pauses", result(t, path), want)
	if len(seen) < 80 {
		t.Errorf("%d checkpoints within an epoch", len(seen))
	}
}

// TestExtend: a run that was finished and gets more epochs is the same as one that had
// them from the beginning. Resumed without more epochs it stays as it is.
func TestExtend(t *testing.T) {
	for _, sets := range [][]string{{"precision=float32"}, {"train.runs.count=2"}} {
		short := smallConfig(t, append(sets, "train.epochs=2", "train.rate.factor=0.5")...)
		long := smallConfig(t, append(sets, "train.epochs=5", "train.rate.factor=0.5")...)
		newVM := newMachine("interpret", long)
		path := filepath.Join(t.TempDir(), "run")
		for _, c := range []config.Config{short, short, long} {
			s, done := again(t, newVM, c, path, small(1), &watcher{})
			_, err := s.Run(context.Background())
			if done(); err != nil {
				t.Fatal(err)
			}
			same(t, fmt.Sprint(c.Train.Epochs), result(t, path), undisturbed(t, newVM, c, small(1)))
		}
	}
}

// TestResumeNonFinite: the last good checkpoint of a run that failed is there, and
// fails at the same batch.
func TestResumeNonFinite(t *testing.T) {
	c := smallConfig(t)
	path := filepath.Join(t.TempDir(), "run")
	var first string
	for i := range 2 {
		s, done := again(t, func() (vm.VM, error) {
			m, err := newMachine("interpret", c)()
			return &failing{VM: m, epoch: 2 * i}, err
		}, c, path, small(1), &watcher{})
		_, err := s.Run(context.Background())
		done()
		var bad *vm.NonFiniteError
		if !errors.As(err, &bad) {
			t.Fatalf("error %v", err)
		}
		if first == "" {
			first = err.Error()
		}
		if err.Error() != first {
			t.Errorf("%q, at first %q", err, first)
		}
	}
	if r, err := train.OpenCheckpoint(path, ""); err != nil || r.State.Epoch != 3 {
		t.Errorf("checkpoint in epoch %v, %v; want 3", r, err)
	}
}

// TestResumeRefuses: what would not be the same run is refused, and the folder stays as
// it is.
func TestResumeRefuses(t *testing.T) {
	c := smallConfig(t, "train.epochs=2")
	newVM := newMachine("interpret", c)
	path := filepath.Join(t.TempDir(), "run")
	run := func(d *data.Dataset, machine string) error {
		s, done := again(t, newVM, c, path, d, &watcher{})
		defer done()
		s.Machine = machine
		_, err := s.Run(context.Background())
		return err
	}
	if err := run(small(1), "cpu"); err != nil {
		t.Fatal(err)
	}
	before := result(t, path)
	changed := small(1)
	changed.Test.Labels[5] ^= 1
	for want, err := range map[string]error{
		"the machine was cpu, and now is cuda": run(small(1), "cuda"),
		"the data are not those of the run":    run(changed, "cpu"),
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	same(t, "after refusals", result(t, path), before)

	// Lines of the metrics: one that was torn is cut, a change is refused.
	metrics := filepath.Join(path, rundir.MetricsFile)
	text := read(t, path, rundir.MetricsFile)
	for _, tail := range []string{`{"epoch":3,"lea`, "{\"epoch\":3}\n{\"epoch\":4"} {
		if err := os.WriteFile(metrics, append(bytes.Clone(text), tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := run(small(1), "cpu"); err != nil {
			t.Error(err)
		}
		same(t, "with a torn line", result(t, path), before)
	}
	for _, bad := range [][]byte{nil, text[:len(text)-1], bytes.Replace(text, []byte(`"epoch":2`), []byte(`"epoch":3`), 1)} {
		if err := os.WriteFile(metrics, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := train.OpenCheckpoint(path, ""); err == nil || !strings.Contains(err.Error(), metrics+" is not as it was") {
			t.Errorf("metrics of %d bytes: %v", len(bad), err)
		}
	}
}

// TestDamagedCheckpoint: a checkpoint that is damaged is refused, and the one before it
// is offered and goes on to the same result. One that is missing, because its process
// was killed in the middle of a rename, is replaced by the one before it, with a note.
func TestDamagedCheckpoint(t *testing.T) {
	defer train.SaveEvery(0)()
	c := smallConfig(t, "train.epochs=3")
	newVM := newMachine("interpret", c)
	want := undisturbed(t, newVM, c, small(1))
	for _, name := range []string{"", rundir.EarlierFile} {
		path := filepath.Join(t.TempDir(), "run")
		run := func(from *train.Resume) {
			s, done := again(t, newVM, c, path, small(1), &watcher{})
			defer done()
			if from != nil {
				s.From = from
			}
			if _, err := s.Run(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		run(nil)
		newest, earlier := filepath.Join(path, rundir.CheckpointFile), filepath.Join(path, rundir.EarlierFile)
		kept := read(t, path, rundir.EarlierFile)
		if name == "" {
			if err := os.Remove(newest); err != nil {
				t.Fatal(err)
			}
		} else {
			text := read(t, path, rundir.CheckpointFile)
			text[len(text)/2] ^= 4
			if err := os.WriteFile(newest, text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := train.OpenCheckpoint(path, "")
			var damaged *train.DamagedError
			if !errors.As(err, &damaged) || damaged.Before != earlier || damaged.Epoch != 3 || !strings.Contains(err.Error(), newest) {
				t.Fatalf("error %v", err)
			}
		}
		from, err := train.OpenCheckpoint(path, name)
		if err != nil || from.State.Epoch != 3 || (from.Note == "") == (name == "") {
			t.Fatalf("%+v, %v", from, err)
		}
		// The session writes its first checkpoint over the damaged one.
		restore := train.SaveEvery(time.Hour)
		s, done := again2(t, newVM, c, path, from)
		_, err = s.Run(context.Background())
		done()
		restore()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(read(t, path, rundir.EarlierFile), kept) {
			t.Error("the whole checkpoint was given up for the damaged one")
		}
		same(t, "from the one before", result(t, path), want)
	}
	// Without a whole one before it there is nothing to offer.
	path := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{rundir.CheckpointFile, rundir.EarlierFile} {
		if err := os.WriteFile(filepath.Join(path, name), []byte("trainer checkpoint 1\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := train.OpenCheckpoint(path, "")
	var damaged *train.DamagedError
	if !errors.As(err, &damaged) || damaged.Before != "" {
		t.Errorf("two damaged ones: %v", err)
	}
}

// again2 is again from a checkpoint that was chosen.
func again2(t testing.TB, newVM func() (vm.VM, error), c config.Config, path string, from *train.Resume) (*train.Session, func()) {
	t.Helper()
	f, err := vm.NewFleet(c.Train.Runs.Count, newVM)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := rundir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return &train.Session{Config: c, Dataset: small(1), Fleet: f, Machine: "some", Dir: dir, Watch: &watcher{}, From: from}, func() {
		if err := errors.Join(dir.Close(), f.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestFork: a new run from a checkpoint, in another folder.
func TestFork(t *testing.T) {
	c := smallConfig(t, "train.epochs=3")
	newVM := newMachine("interpret", c)
	path := filepath.Join(t.TempDir(), "run")
	ctx, cancel := context.WithCancelCause(context.Background())
	s, done := again(t, newVM, c, path, small(1), &watcher{batch: func(epoch, n int) {
		if epoch == 2 && n == 80 {
			cancel(errStop)
		}
	}})
	_, err := s.Run(ctx)
	if done(); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	before := result(t, path)
	for _, test := range []struct {
		set   string
		seed  uint64 // of the data
		note  string
		epoch int // the first of the new run
		from  int // samples
	}{
		{"train.rate.initial=1", 1, "", 2, 80},
		{"train.batch=5", 1, "another order", 2, 0},
		{"train.epochs=4", 2, "other data", 1, 0},
	} {
		c := smallConfig(t, "train.epochs=3", test.set)
		from, err := train.OpenCheckpoint(path, "")
		if err != nil {
			t.Fatal(err)
		}
		was := from.State.Runs[0].Parameters
		note, err := from.Fork(c, small(test.seed), "other")
		if err != nil || !strings.HasPrefix(note, test.note) || (note == "") != (test.note == "") {
			t.Errorf("%s: note %q, %v", test.set, note, err)
		}
		out := filepath.Join(t.TempDir(), "fork")
		w := &watcher{}
		began, first := false, 0
		w.batch = func(_, n int) {
			if !began {
				began, first = true, n
			}
		}
		s, done := again(t, newVM, c, out, small(test.seed), w)
		s.From, s.Machine = from, "other"
		result1, err := s.Run(context.Background())
		done()
		if err != nil {
			t.Fatal(err)
		}
		if w.epochs[0].Epoch != test.epoch || first != test.from+c.Train.Batch {
			t.Errorf("%s: begins in epoch %d, after %d samples", test.set, w.epochs[0].Epoch, first)
		}
		if len(result1.Runs[0].Epochs) != c.Train.Epochs || len(metricsOf(t, out)) != c.Train.Epochs {
			t.Errorf("%s: %d epochs", test.set, len(result1.Runs[0].Epochs))
		}
		if was == nil {
			t.Error("no parameters")
		}
		same(t, "the run that was forked", result(t, path), before)
	}
	from, err := train.OpenCheckpoint(path, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := from.Fork(smallConfig(t, "train.runs.count=2"), small(1), "other"); err == nil || !strings.Contains(err.Error(), "train.runs.count") {
		t.Errorf("more runs: %v", err)
	}
}

// TestFaultsThenResume lets call k of a session fail, once, or that call and all after
// it, as on a full disk. Resumed without faults, the run ends in the same files as one
// without any.
func TestFaultsThenResume(t *testing.T) {
	defer train.SaveEvery(0)()
	c := smallConfig(t, "train.epochs=2")
	newVM := newMachine("interpret", c)
	want := undisturbed(t, newVM, c, small(1))
	resumed := 0
	for _, all := range []bool{false, true} {
		for k := 1; ; k += 1 + k/soften() {
			path := filepath.Join(t.TempDir(), "run")
			s, done := again(t, newVM, c, path, small(1), &watcher{})
			fault := &filestest.FS{Fail: k, All: all, Short: k%2 == 0}
			s.Dir.Through(func(d files.FS) files.FS {
				fault.FS = d
				return fault
			})
			_, err := s.Run(context.Background())
			done()
			if fault.Failed == "" {
				break
			}
			if err == nil {
				t.Errorf("call %d (%s): no error", k, fault.Failed)
			}
			if _, err := train.OpenCheckpoint(path, ""); err != nil {
				// The first epoch was not over: no checkpoint, and none that is damaged.
				if !strings.Contains(err.Error(), "has no "+rundir.CheckpointFile) || resumed > 0 && !all {
					t.Errorf("call %d (%s): %v", k, fault.Failed, err)
				}
				continue
			}
			s, done = again(t, newVM, c, path, small(1), &watcher{})
			_, err = s.Run(context.Background())
			if done(); err != nil {
				t.Fatal(err)
			}
			resumed++
			same(t, fmt.Sprintf("call %d (%s, all %t)", k, fault.Failed, all), result(t, path), want)
		}
	}
	if resumed < 10 {
		t.Errorf("only %d runs were resumed", resumed)
	}
}

// soften is larger when there is more time: see make soak.
func soften() int {
	if *kills > 12 {
		return 1000
	}
	return 4
}

// kills is the number of kills of TestKilled: make soak has 200.
var kills = flag.Int("kills", 12, "processes that TestKilled kills")

// childVariable is set in the process that trains until it is killed.
const childVariable = "TRAIN_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		if err := child(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// childTask is what a child trains: many short epochs, with a checkpoint after each of
// them and in the middle of many.
func childTask(t testing.TB, kind int) (config.Config, *data.Dataset) {
	sets := [][]string{
		{"train.epochs=30", "precision=float32"},
		{"train.epochs=15", "train.runs.count=3"},
	}[kind%2]
	c, err := config.Read("", append([]string{
		"name=small", "model.layers=[16, 6, 3]", "model.init.std=0.3", "train.batch=1", "train.rate.initial=0.2",
	}, sets...))
	if err != nil {
		t.Fatal(err)
	}
	return c, many(20_000)
}

// child trains in path, whose name ends with the kind of the task, or goes on there.
func child(path string) error {
	train.SaveEvery(time.Millisecond)
	train.PauseEvery(2 * time.Millisecond)
	t := &fatal{}
	c, d := childTask(t, int(path[len(path)-1]-'0'))
	s, done := again(t, newMachine("cpu", c), c, path, d, &watcher{})
	_, err := s.Run(context.Background())
	done()
	return err
}

// fatal is a testing.TB for a child.
type fatal struct{ testing.TB }

func (*fatal) Helper() {}

func (*fatal) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(1)
}

func (f *fatal) Error(args ...any) { f.Fatal(args...) }

// TestKilled kills processes (kill -9) at random times and resumes their run, until it
// ends: in the files of a run that was not disturbed. A process that is killed before
// its first checkpoint leaves none.
func TestKilled(t *testing.T) {
	for kind := range 2 {
		c, d := childTask(t, kind)
		want := undisturbed(t, newMachine("cpu", c), c, d)
		killed, runs, middle := 0, 0, 0
		for killed < *kills/2 {
			path := filepath.Join(t.TempDir(), fmt.Sprint("run", kind))
			runs++
			for ended := false; !ended; {
				if from, err := train.OpenCheckpoint(path, ""); err == nil && from.State.Runs[0].Done > 0 {
					middle++
				}
				ended = !killChild(t, path, killed < *kills/2)
				if !ended {
					killed++
					if _, err := train.OpenCheckpoint(path, ""); err != nil {
						if !strings.Contains(err.Error(), "no "+rundir.CheckpointFile) && !errors.Is(err, os.ErrNotExist) {
							t.Fatalf("after kill %d: %v", killed, err)
						}
						if err := os.RemoveAll(path); err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			same(t, fmt.Sprintf("kind %d after %d kills", kind, killed), result(t, path), want)
		}
		t.Logf("%d kills in %d runs; %d resumed in the middle of an epoch", killed, runs, middle)
	}
}

// killChild runs a child on path, and kills it at a random time. It reports whether
// the child was killed before it ended.
func killChild(t *testing.T, path string, kill bool) bool {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command(exe)
	c.Env = append(os.Environ(), childVariable+"="+path)
	var stderr bytes.Buffer
	c.Stderr = &stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var timer *time.Timer
	if kill {
		timer = time.AfterFunc(time.Duration(rand.IntN(300_000))*time.Microsecond, func() { _ = c.Process.Kill() })
	}
	err = c.Wait()
	if timer != nil {
		timer.Stop()
	}
	if err == nil {
		return false
	}
	if !kill || c.ProcessState.ExitCode() >= 0 {
		t.Fatalf("%v: %s", err, stderr.String())
	}
	return true
}
