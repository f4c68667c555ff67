// Package sweep trains the runs of a sweep, a configuration in which some keys take
// several values (config.Sweep), and says what they came to.
//
// A sweep has a folder:
//
//	sweep.yaml              the configuration and the values: (*config.Sweep).YAML
//	runs/007-initial-0.1    a run folder for each run, as of a training alone
//	table.csv table.json    the results (Table)
//	sweep.svg sweep.png     the figure
//	index.html              the page
//
// Each run has the same bits as the training of its configuration alone, its config.yaml.
// A core trains one run at a time. Where the machine is a vm.Fleeter, such as CUDA's, it
// trains as many runs at once as fit.
//
// A run that has ended has a result.json, its last file. Run keeps such runs, goes on
// with those that have a checkpoint, and begins the others. So it can be killed at any
// time and called again; and any number of processes, each with a Shard of the runs, can
// use the same folder: a run is locked while it is trained (package rundir).
package sweep

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"

	"trainer/data"
	"trainer/data/files"
	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/figure"
	"trainer/train/rundir"
)

// The files of a sweep.
const (
	PlanFile  = "sweep.yaml"
	RunsDir   = "runs" // the folder of the folders of the runs
	CSVFile   = "table.csv"
	JSONFile  = "table.json"
	FigureSVG = "sweep.svg"
	FigurePNG = "sweep.png"
	PageFile  = "index.html"
)

// Sweep is a sweep that is to be trained.
type Sweep struct {
	Plan *config.Sweep
	Dir  string // its folder, which Run makes
	Only Shard  // the part of the runs that Run trains; zero: all

	// Open opens the data set of a run. It returns the configuration that the run is to
	// have, and keep, with it. It is also called for each kind of data before the first
	// run starts, to see whether all runs can have theirs.
	Open func(ctx context.Context, c config.Config) (*data.Dataset, config.Config, error)

	// Machine makes the machine of a run, which uses at most so many cores; 0: all. runs
	// is how many it could train together, which may decide what kind of machine it is.
	Machine func(c config.Config, cores, runs int) (vm.VM, error)

	// Fits, if it is not nil, returns how many such runs fit in memory at a time.
	Fits func(c config.Config, d *data.Dataset) int

	// Log, if it is not nil, returns what is told how a run proceeds. dir is its folder.
	Log func(c config.Combination, settled config.Config, d *data.Dataset, dir *rundir.Dir) Log

	// Started, if it is not nil, is called once, before the first run starts, with the
	// number of runs that are still to be trained, and of those at a time.
	Started func(d *data.Dataset, left, together int)
	// Ended, if it is not nil, is called when a run has ended, by one goroutine at a
	// time. kept says that it had ended before.
	Ended func(c config.Combination, o Outcome, kept bool)
	// Busy, if it is not nil, is called for a run that another process trains.
	Busy func(c config.Combination, why error)

	Language lang.Language // of the figures of the runs

	sets  sets
	ended sync.Mutex // of Ended and Busy
}

// Log is told how a run proceeds and ends.
type Log interface {
	train.Watcher
	End(result train.Result, err error)
}

// Outcome is what a run came to: result.json.
type Outcome struct {
	Run     int            `json:"run"` // its number, counted from 1, as in the name of its folder
	Folder  string         `json:"folder"`
	Over    []Setting      `json:"over"`
	Seed    uint64         `json:"seed"`
	State   State          `json:"state"`
	Failed  string         `json:"failed,omitempty"` // where a value was no longer finite
	Advice  string         `json:"advice,omitempty"` // what is wrong with a run that has not learned: see train.Run
	Machine string         `json:"machine"`
	Dataset string         `json:"dataset"`
	Data    string         `json:"data"`      // checksum of the data
	Chosen  string         `json:"chosen_on"` // the set on which the best epoch was chosen
	Best    *train.Metrics `json:"best"`      // of the best epoch; null if there is no whole epoch
	Last    *train.Metrics `json:"last"`
	Seconds float64        `json:"seconds"` // of training and evaluation
}

// Setting is a swept key with a value, as in YAML.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// State is how a run ended.
type State string

// The states.
const (
	Done         State = "done"
	StoppedEarly State = "stopped early"
	Failed       State = "failed" // a value was no longer finite
)

// Run trains the runs that have not ended. When ctx is done, the runs that are under way
// save where they are, and Run returns the context's cause. A run that fails because its
// values are no longer finite is a result; any other error ends the sweep, likewise.
func (s *Sweep) Run(ctx context.Context) error {
	runs := s.Only.of(s.Plan.Combinations)
	if err := s.check(ctx); err != nil {
		return err
	}
	if err := s.Begin(); err != nil {
		return err
	}
	var left []config.Combination
	for _, c := range runs {
		o, err := s.outcome(c)
		if err != nil {
			return err
		}
		if o != nil {
			s.report(c, *o, true)
			continue
		}
		left = append(left, c)
	}
	together := min(runtime.GOMAXPROCS(0), max(1, len(left)), s.sets.fit)
	if s.Started != nil {
		s.Started(s.sets.first, len(left), together)
	}
	return s.train(ctx, left, together)
}

// train trains runs, so many together.
func (s *Sweep) train(ctx context.Context, runs []config.Combination, together int) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	fleets, runs, err := s.fleets(ctx, runs)
	if err != nil {
		return err
	}
	for _, f := range fleets {
		if err := f.train(ctx); err != nil {
			return err
		}
	}
	cores := max(1, runtime.GOMAXPROCS(0)/together)
	next := make(chan config.Combination)
	var all sync.WaitGroup
	for range together {
		all.Go(func() {
			for c := range next {
				if err := s.one(ctx, c, func(settled config.Config) (vm.Fleet, string, error) { return s.single(settled, cores) }); err != nil {
					stop(err) // the others save, and end
				}
			}
		})
	}
	for _, c := range runs {
		select {
		case next <- c:
			continue
		case <-ctx.Done():
		}
		break
	}
	close(next)
	all.Wait()
	return context.Cause(ctx)
}

// single makes a fleet of one run on a machine of its own.
func (s *Sweep) single(c config.Config, cores int) (vm.Fleet, string, error) {
	name := ""
	f, err := vm.NewFleet(1, func() (vm.VM, error) {
		m, err := s.Machine(c, cores, s.alike(c))
		if err == nil {
			name = m.Name()
		}
		return m, err
	})
	return f, name, err
}

// one trains a run to its end, on the fleet that open makes. A run that another process
// trains, or has trained meanwhile, is left alone.
func (s *Sweep) one(ctx context.Context, c config.Combination, open func(config.Config) (vm.Fleet, string, error)) (err error) {
	named := func(err error) error {
		if err == nil || ctx.Err() != nil && errors.Is(err, context.Cause(ctx)) {
			return err
		}
		return fmt.Errorf("%s: %w", s.Name(c), err)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	dir, fresh, err := s.folder(c)
	if errors.Is(err, rundir.ErrInUse) {
		s.ended.Lock()
		defer s.ended.Unlock()
		if s.Busy != nil {
			s.Busy(c, err)
		}
		return nil
	}
	if err != nil {
		return named(err)
	}
	leave := dir.Close
	if fresh {
		leave = dir.Discard // until it starts
	}
	defer func() { err = errors.Join(err, named(leave())) }()
	if o, err := s.outcome(c); err != nil || o != nil { // another process was faster
		leave = dir.Close
		if o != nil {
			s.report(c, *o, true)
		}
		return err
	}
	d, settled, err := s.sets.open(ctx, s, c.Config)
	if err != nil {
		return named(err)
	}
	fleet, machine, err := open(settled)
	if err != nil {
		return named(err)
	}
	defer func() { err = errors.Join(err, named(fleet.Close())) }()
	from, err := s.from(dir, settled, d, machine, fresh)
	if err != nil {
		return named(err)
	}
	session := &train.Session{
		Config: settled, Dataset: d, Fleet: fleet, Machine: machine, Dir: dir, Watch: silent{}, From: from, Language: s.Language,
	}
	var log Log
	if s.Log != nil {
		log = s.Log(c, settled, d, dir)
		session.Watch = log
	}
	result, err := session.Run(ctx)
	if result.Runs != nil {
		leave = dir.Close
	}
	if log != nil {
		log.End(result, err)
	}
	run, failed := train.Run{}, false
	if len(result.Runs) == 1 {
		run = result.Runs[0]
		failed = errors.As(err, new(*vm.NonFiniteError)) && run.Failed != ""
	}
	if err != nil && !failed {
		return named(err)
	}
	o := s.result(c, run, d, machine)
	err = dir.WriteFile(rundir.ResultFile, func(w io.Writer) error { return writeJSON(w, o) })
	if err != nil {
		return named(err)
	}
	s.report(c, o, false)
	return nil
}

// result returns the outcome of a run that has ended.
func (s *Sweep) result(c config.Combination, run train.Run, d *data.Dataset, machine string) Outcome {
	o := Outcome{
		Run: c.Index + 1, Folder: s.Name(c), Over: s.settings(c), Seed: c.Config.Seed, State: Done, Failed: run.Failed, Advice: run.Advice,
		Machine: machine, Dataset: d.Name, Data: s.sets.sum(d), Chosen: train.ChosenOn(d), Best: run.Best, Last: run.Last,
	}
	for _, m := range run.Epochs {
		o.Seconds += m.TrainSeconds + m.EvalSeconds
	}
	switch {
	case run.Failed != "":
		o.State = Failed
	case run.StoppedEarly && run.Last.Epoch < c.Config.Train.Epochs:
		o.State = StoppedEarly
	}
	return o
}

func (s *Sweep) settings(c config.Combination) []Setting {
	over := []Setting{}
	for i, v := range c.Values {
		over = append(over, Setting{s.Plan.Over[i].Key, v})
	}
	return over
}

func (s *Sweep) report(c config.Combination, o Outcome, kept bool) {
	s.ended.Lock()
	defer s.ended.Unlock()
	if s.Ended != nil {
		s.Ended(c, o, kept)
	}
}

// silent is a watcher that says nothing.
type silent struct{}

func (silent) Batch(int, int)                      {}
func (silent) Epoch([]train.RunMetrics, int, bool) {}

// Begin makes the folder with its plan, which Run does too. A folder that is there has to have the same one.
func (s *Sweep) Begin() error {
	text, err := s.Plan.YAML()
	if err != nil {
		return err
	}
	there, err := ReadPlan(s.Dir, nil)
	switch {
	case err == nil:
		return Same(s.Dir, there, s.Plan)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	names, err := os.ReadDir(s.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("folder of the sweep: %w: choose another with -out", err)
	}
	for _, n := range names {
		// Another process may be at the same place.
		if n.Name() != PlanFile && !strings.HasPrefix(n.Name(), files.TempPrefix) {
			if there, err := ReadPlan(s.Dir, nil); err == nil { // it has been faster
				return Same(s.Dir, there, s.Plan)
			}
			return fmt.Errorf("folder %s is not empty (%s) and holds no sweep: choose another with -out", s.Dir, n.Name())
		}
	}
	if err := os.MkdirAll(s.Dir, 0o777); err != nil {
		return fmt.Errorf("folder of the sweep: %w: choose another with -out", err)
	}
	err = files.Write(filepath.Join(s.Dir, PlanFile), func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	if there, err = ReadPlan(s.Dir, nil); err != nil {
		return err
	}
	return Same(s.Dir, there, s.Plan)
}

// ReadPlan reads the plan of the sweep in a folder. known is that of config.ReadSweep.
// The error wraps fs.ErrNotExist if there is none.
func ReadPlan(dir string, known func(file string) (config.Known, error)) (*config.Sweep, error) {
	path := filepath.Join(dir, PlanFile)
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is a file: name the folder of a sweep, or a new one", dir)
	}
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	return config.ParseSweep(text, path, known)
}

// DifferentError says that a folder holds another sweep.
type DifferentError struct {
	Dir  string
	Keys []config.Difference // the first value is that of the folder
}

func (e *DifferentError) Error() string {
	var keys []string
	for _, d := range e.Keys {
		value := func(v string) string {
			if v == "" {
				return "nothing"
			}
			return v
		}
		keys = append(keys, fmt.Sprintf("%s is %s there, and %s here", d.Path, value(d.Values[0]), value(d.Values[1])))
	}
	return fmt.Sprintf("folder %s holds another sweep: %s", e.Dir, strings.Join(keys, "; "))
}

// Same returns a *DifferentError if the sweep in a folder is not the wanted one.
func Same(dir string, there, want *config.Sweep) error {
	if keys := there.Differences(want); len(keys) > 0 {
		return &DifferentError{dir, keys}
	}
	return nil
}

// Name returns the name of the folder of a run: its number, counted from 1, and what is
// its own.
func (s *Sweep) Name(c config.Combination) string { return Name(s.Plan, c) }

// Name is (*Sweep).Name for the run of a plan.
func Name(plan *config.Sweep, c config.Combination) string {
	var parts []string
	for i, v := range c.Values {
		parts = append(parts, figure.ShortKey(plan.Over[i].Key)+" "+v)
	}
	if plan.Seeds > 1 {
		parts = append(parts, fmt.Sprintf("seed %d", c.Config.Seed))
	}
	digits := len(fmt.Sprint(len(plan.Combinations)))
	return rundir.CleanName(fmt.Sprintf("%0*d %s", digits, c.Index+1, strings.Join(parts, " ")))
}

// path returns the path of the folder of a run.
func (s *Sweep) path(c config.Combination) string {
	return filepath.Join(s.Dir, RunsDir, s.Name(c))
}

// outcome returns the outcome of a run that has ended, else nil.
func (s *Sweep) outcome(c config.Combination) (*Outcome, error) {
	return readOutcome(s.path(c), s.Plan, c)
}

// readOutcome reads the outcome of a run from its folder; nil: it has not ended.
func readOutcome(folder string, plan *config.Sweep, c config.Combination) (*Outcome, error) {
	path := filepath.Join(folder, rundir.ResultFile)
	f, err := files.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	var o Outcome
	d := json.NewDecoder(io.LimitReader(f, 1<<20))
	d.DisallowUnknownFields()
	if err := d.Decode(&o); err != nil {
		return nil, fmt.Errorf("%s: %w: remove the folder, to train the run again", path, err)
	}
	same := o.Run == c.Index+1 && o.Seed == c.Config.Seed && len(o.Over) == len(c.Values)
	for i, v := range c.Values {
		same = same && o.Over[i] == Setting{plan.Over[i].Key, v}
	}
	if !same {
		return nil, fmt.Errorf("%s is of another run than %s: remove the folder, to train the run again", path, plan.Title(c))
	}
	return &o, nil
}

// folder makes or opens the folder of a run, and locks it. fresh says that it is new.
func (s *Sweep) folder(c config.Combination) (dir *rundir.Dir, fresh bool, err error) {
	path := s.path(c)
	if _, err := os.Lstat(path); err == nil {
		dir, err = rundir.Open(path)
		return dir, false, err
	}
	dir, err = rundir.Create(path, "", time.Now())
	if err == nil || errors.Is(err, rundir.ErrInUse) {
		return dir, true, err
	}
	if again, e := rundir.Open(path); e == nil { // another process has made it meanwhile
		return again, false, nil
	}
	return nil, false, err
}

// from returns where a run goes on, nil for the beginning. A run that cannot go on from
// a checkpoint, because there is none or on this kind of machine it would not be the
// same, begins again.
func (s *Sweep) from(dir *rundir.Dir, c config.Config, d *data.Dataset, machine string, fresh bool) (*train.Resume, error) {
	if fresh {
		return nil, nil
	}
	from, err := train.OpenCheckpoint(dir.Path(), "")
	var damaged *train.DamagedError
	if errors.As(err, &damaged) && damaged.Before != "" {
		from, err = train.OpenCheckpoint(dir.Path(), filepath.Base(damaged.Before))
	}
	if err == nil && from.State.Machine == machine && from.State.Data == s.sets.sum(d) && len(config.Changed(from.Config, c)) == 0 && from.State.Epoch-1 <= c.Train.Epochs {
		return from, nil
	}
	return nil, dir.Reset()
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
