// Package train is the training loop: epochs of gradient descent, the schedule
// of the learning rate, the evaluation after each epoch, and the files of a run
// folder.
//
// A Session trains one or more independent runs on a vm.Fleet; nothing here
// knows which machine that is. Equal configurations, data and machines give
// equal bits: random numbers come from streams of each run's seed.
package train

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/rundir"
)

// Session trains the independent runs of a configuration (train.runs) on the
// same data. Run r is the training of Config.Run(r), and gets the same
// parameters and scores as that training alone, to the bit where the fleet
// promises it.
//
// A run ends after the last epoch, or when early stopping stops it, or when a
// value is no longer finite: then it has failed. The other runs go on. Whole
// epochs before a failure count.
//
// The best epoch, the best run and early stopping are chosen on the validation
// set. A data set without one leaves only the test set for that (see ChosenOn);
// otherwise nothing depends on the results on the test set, which are only
// reported.
//
// The folder of a single run has config.yaml, metrics.jsonl (a Metrics for each
// epoch), model.safetensors (the last parameters), best.safetensors (those of
// the best epoch) and the figure. The folder of several runs has the same files
// for the best run; its metrics.jsonl and figure are written at the end. It also
// has runs.jsonl (a RunMetrics for each epoch and run) and, at the end,
// runs.json (a Run for each).
type Session struct {
	Config  config.Config
	Dataset *data.Dataset
	Fleet   vm.Fleet // of Config.Train.Runs.Count runs
	Dir     *rundir.Dir
	Watch   Watcher

	// Parameters, if it is not nil, is given parameters that nobody changes
	// afterwards: the first ones of a run, and after an epoch those of the best run,
	// before Watch.Epoch is called for it.
	Parameters func(p model.Parameters)
}

// Watcher is told how a session proceeds.
type Watcher interface {
	// Batch is called now and then during an epoch, with the number of samples
	// that all runs together have visited in it.
	Batch(epoch, done int)
	// Epoch is called after an epoch and its evaluations with the metrics of each
	// run that made the epoch. runs[top] is the best of them; best says that no
	// earlier epoch of any run was better. The next epoch may already train, and
	// the call then comes from another goroutine than those of Batch.
	Epoch(runs []RunMetrics, top int, best bool)
}

// Result is the outcome of a session.
type Result struct {
	Runs []Run
	Best int // the run with the best epoch of all; -1 if there is no whole epoch
}

// Run trains all runs and writes the files of the run folder.
//
// When ctx is done, the runs stop after a whole step, and Run saves and returns
// what was reached with the context's cause. When all runs have failed, the
// error wraps the *vm.NonFiniteError of the last one. After any error the files
// hold what was reached; model.safetensors has only finite values.
func (s *Session) Run(ctx context.Context) (Result, error) {
	u := &session{Session: s, Result: Result{Runs: make([]Run, s.Fleet.Len()), Best: -1}}
	if err := u.begin(); err != nil {
		return Result{Best: -1}, err
	}
	err := u.train(ctx)
	for r := range u.Runs {
		u.Runs[r].Advice = u.diagnose(r)
	}
	return u.Result, errors.Join(err, u.finish())
}

// session is a Session that is running.
type session struct {
	*Session
	Result // so far
	folder

	used []bool // the inputs that are not zero in some training image; nil: not known yet
}

// begin sets the first parameters of all runs and writes the configuration.
func (s *session) begin() error {
	if n := s.Config.Train.Runs.Count; n != len(s.Runs) {
		return fmt.Errorf("BUG: a fleet of %d for %d runs (train.runs.count)", len(s.Runs), n)
	}
	for r := range s.Runs {
		c := s.Config.Run(r)
		s.Runs[r].RunID = RunID{Run: r, Seed: c.Seed, InitialRate: c.Train.Rate.Initial}
		p, err := InitialParameters(c)
		if err != nil {
			return err
		}
		if err := s.Fleet.SetParameters(r, p); err != nil {
			return err
		}
		if r == 0 && s.Parameters != nil {
			s.Parameters(p)
		}
		if !s.several() {
			s.last = snapshot{parameters: p}
		}
	}
	for _, set := range []*data.Set{s.Dataset.Train, s.Dataset.Validation, s.Dataset.Test} {
		if set == nil {
			continue
		}
		if err := s.Fleet.Load(set); err != nil {
			return fmt.Errorf("load %s: %w", set.Name, err)
		}
	}
	s.saved = time.Now()
	return s.writeConfig()
}

// several reports whether there is more than one run.
func (s *session) several() bool { return len(s.Runs) > 1 }

// epoch is an epoch of the runs that have not ended.
type epoch struct {
	number  int // counted from 1
	runs    []int
	done    []int   // samples visited, by run
	seconds float64 // of training
}

// train is the training loop. Where the fleet leaves cores idle, an epoch is
// evaluated and recorded while the next one trains.
func (s *session) train(ctx context.Context) error {
	t := s.Config.Train
	var runs []int // that have not ended
	for r := range s.Runs {
		runs = append(runs, r)
	}
	var pending <-chan error // of the evaluation under way
	for number := 1; number <= t.Epochs && len(runs) > 0; number++ {
		e := &epoch{number: number, runs: runs, done: make([]int, len(s.Runs))}
		err := s.pass(ctx, e)
		if pending != nil {
			if earlier := <-pending; earlier != nil {
				return earlier
			}
			pending = nil
		}
		if err := s.fail(e, err); err != nil {
			return s.stopped(ctx, e, err)
		}
		runs = e.runs
		// Early stopping needs the scores before the next epoch.
		if number < t.Epochs && t.EarlyStopping.Patience == 0 {
			if pending, err = s.evaluateAhead(ctx, e); err != nil {
				return s.stopped(ctx, e, err)
			}
		}
		if pending == nil {
			if err := s.evaluate(ctx, s.Fleet, e); err != nil {
				return s.stopped(ctx, e, err)
			}
			runs = slices.DeleteFunc(e.runs, func(r int) bool { return s.Runs[r].StoppedEarly })
		}
	}
	return nil
}

// pass trains the runs of an epoch.
func (s *session) pass(ctx context.Context, e *epoch) error {
	set := s.Dataset.Train
	passes := make([]vm.Pass, len(e.runs))
	total := 0
	var shuffles sync.WaitGroup
	for i, r := range e.runs {
		passes[i] = vm.Pass{Set: set, Batch: s.Config.Train.Batch, Rate: s.rate(r, e.number), Progress: func(done int) {
			total += done - e.done[r]
			e.done[r] = done
			s.Watch.Batch(e.number, total)
		}}
		if s.Config.Train.Shuffle {
			shuffles.Go(func() { passes[i].Order = data.Shuffled(set.Len(), s.Runs[r].Seed, e.number) })
		}
	}
	shuffles.Wait()
	start := time.Now()
	err := s.Fleet.Train(ctx, e.runs, passes)
	e.seconds = time.Since(start).Seconds()
	return err
}

// rate returns the learning rate of a run in an epoch.
func (s *session) rate(run, epoch int) float64 { return s.Config.Run(run).Train.Rate.At(epoch) }

// fail ends the runs that a *vm.RunsError names. It returns any other error, and
// one if all runs of the session have failed.
func (s *session) fail(e *epoch, err error) error {
	var some *vm.RunsError
	if !errors.As(err, &some) {
		return err
	}
	for _, r := range e.runs {
		if bad := some.Failed[r]; bad != nil {
			err = fmt.Errorf("epoch %d, batch %d: %w", e.number, bad.Step+1, bad)
			s.Runs[r].Failed = err.Error()
			err = fmt.Errorf("%w: the learning rate %g may be too large (%s), or the first weights (model.init)", err, s.rate(r, e.number), s.rateKey())
		}
	}
	// The next epoch may already use the old list.
	e.runs = slices.DeleteFunc(slices.Clone(e.runs), func(r int) bool { return some.Failed[r] != nil })
	for i := range s.Runs {
		if s.Runs[i].Failed == "" {
			return nil
		}
	}
	if s.several() {
		return fmt.Errorf("no run is left (see %s); the last failed in %w", rundir.RunsFile, err)
	}
	return err
}

// evaluateAhead starts to evaluate an epoch, to go on while the next one trains.
// It returns nil if the fleet has no idle cores for that.
func (s *session) evaluateAhead(ctx context.Context, e *epoch) (<-chan error, error) {
	snapshot, err := s.Fleet.Snapshot(s.Config.Train.Batch)
	if snapshot == nil || err != nil {
		return nil, err
	}
	// It is short, and an interrupted session should have its last epoch.
	ctx = context.WithoutCancel(ctx)
	done := make(chan error, 1)
	go func() {
		err := s.evaluate(ctx, snapshot, e)
		if err = errors.Join(err, snapshot.Close()); err != nil {
			err = s.stopped(ctx, e, err)
		}
		done <- err
	}()
	return done, nil
}

// evaluate scores the runs of an epoch on all sets and records the results.
func (s *session) evaluate(ctx context.Context, runs vm.Runs, e *epoch) error {
	start := time.Now()
	train, err := runs.Evaluate(ctx, s.Dataset.Train, e.runs)
	if err != nil {
		return err
	}
	var validation []vm.Score
	if set := s.Dataset.Validation; set != nil {
		if validation, err = runs.Evaluate(ctx, set, e.runs); err != nil {
			return err
		}
	}
	test, err := runs.Evaluate(ctx, s.Dataset.Test, e.runs)
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	var all []RunMetrics
	var failed error
	bad := map[int]*vm.NonFiniteError{}
	for i, r := range e.runs {
		m := RunMetrics{s.Runs[r].RunID, Metrics{
			Epoch: e.number, LearningRate: s.rate(r, e.number),
			TrainCost: train[i].Cost, TrainAccuracy: train[i].Accuracy(),
			TestCost: test[i].Cost, TestAccuracy: test[i].Accuracy(),
			TrainSeconds: e.seconds, EvalSeconds: seconds,
			SamplesPerSecond: float64(len(e.runs)*s.Dataset.Train.Len()) / e.seconds,
		}}
		sum := m.TrainCost + m.TestCost
		if validation != nil {
			m.Validation = &Validation{validation[i].Cost, validation[i].Accuracy()}
			sum += m.ValidationCost
		}
		if math.IsNaN(sum) || math.IsInf(sum, 0) {
			bad[r] = &vm.NonFiniteError{Tensor: "cost", Step: (s.Dataset.Train.Len() - 1) / s.Config.Train.Batch}
			failed = &vm.RunsError{Failed: bad}
			continue
		}
		s.Runs[r].confusion = train[i].Confusion
		all = append(all, m)
	}
	if err := s.fail(e, failed); err != nil || len(all) == 0 {
		return err
	}
	return s.record(runs, all)
}

// record keeps what a whole epoch gave: all metrics, and the parameters of the
// best run.
func (s *session) record(runs vm.Runs, all []RunMetrics) error {
	top := 0
	for i, m := range all {
		s.Runs[m.Run].add(m.Metrics, s.Config.Train.EarlyStopping)
		if err := s.appendMetrics(m); err != nil {
			return err
		}
		if m.better(all[top].Metrics) {
			top = i
		}
	}
	improved := s.Best < 0 || all[top].better(s.best.metrics)
	if improved {
		s.Best = all[top].Run
	}
	if last := s.Runs[s.Best].Last; last.Epoch == all[top].Epoch { // else the best run has ended
		p, err := runs.Parameters(s.Best)
		if err != nil {
			return err
		}
		if before := s.last; before.parameters != nil && before.metrics.Epoch == last.Epoch-1 {
			s.Runs[s.Best].unchanged = s.unchanged(before.parameters, p)
		}
		s.last = snapshot{parameters: p, metrics: *last}
		if s.Parameters != nil {
			s.Parameters(p)
		}
		if improved {
			s.best, s.unsaved = s.last, true
		}
	}
	if time.Since(s.saved) >= saveEvery {
		if err := s.save(); err != nil {
			return err
		}
	}
	s.Watch.Epoch(all, top, improved)
	return nil
}

// stopped returns the error of an epoch that was not completed. After an
// interruption it keeps where each run stopped, and the parameters that the best
// run has then.
func (s *session) stopped(ctx context.Context, e *epoch, err error) error {
	var bad *vm.NonFiniteError
	switch {
	case errors.As(err, &bad): // fail said where
		return err
	case ctx.Err() == nil || !errors.Is(err, ctx.Err()):
		return fmt.Errorf("epoch %d: %w", e.number, err)
	}
	for _, r := range e.runs {
		s.Runs[r].Samples = e.done[r]
		if r != s.Best && s.several() {
			continue
		}
		p, err := s.Fleet.Parameters(r)
		if err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if p.NonFinite() == "" {
			s.last.parameters, s.last.samples = p, e.done[r]
		}
	}
	return context.Cause(ctx)
}
