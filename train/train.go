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
	"trainer/data/augment"
	"trainer/data/lang"
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
// the best epoch) and the figures (see package figure). The folder of several runs
// has the same files for the best run; its metrics.jsonl is written at the end. It
// also has runs.jsonl (a RunMetrics for each epoch and run) and, at the end,
// runs.json (a Run for each). The report is written by the caller: see package report.
//
// A checkpoint in the folder has all that a session needs to go on (Resume). It is
// written every epoch when a second has passed since the last one, every minute in a
// long epoch, and before the session ends. A session that goes on from any of them
// gives the same bits as one that was not stopped: in all files but the times in them.
type Session struct {
	Config  config.Config
	Dataset *data.Dataset
	Fleet   vm.Fleet // of Config.Train.Runs.Count runs
	Machine string   // vm.VM.Name of the fleet's machines; a checkpoint is for this kind
	Dir     *rundir.Dir
	Watch   Watcher

	From *Resume // where to go on; nil: from the beginning

	Language lang.Language // of the figures
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

	// Undrawn has the characters for which the figures have no outline: in an SVG they
	// are text, in a PNG they are empty boxes.
	Undrawn string
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
	u.augmented.close()
	for r := range u.Runs {
		u.Runs[r].Advice = u.diagnose(r)
	}
	finished := u.finish() // which adds to the result
	return u.Result, errors.Join(err, finished)
}

// session is a Session that is running.
type session struct {
	*Session
	Result // so far
	folder
	augmented augmented

	start *epoch        // where to begin
	used  func() []bool // the inputs that are not zero in some training image
}

// begin sets the parameters that all runs start from and writes the configuration.
func (s *session) begin() error {
	if n := s.Config.Train.Runs.Count; n != len(s.Runs) {
		return fmt.Errorf("BUG: a fleet of %d for %d runs (train.runs.count)", len(s.Runs), n)
	}
	for r := range s.Runs {
		c := s.Config.Run(r)
		s.Runs[r].RunID = RunID{Run: r, Seed: c.Seed}
	}
	s.sum = sync.OnceValue(s.Dataset.Sum)
	s.used = sync.OnceValue(func() []bool { return usedInputs(s.Dataset.Train) })
	first := s.initialise
	if s.From != nil {
		first = s.restore
	}
	if err := first(); err != nil {
		return err
	}
	if c := s.Config.Train.Augment; !c.Options().None() {
		if _, err := augment.New(s.Dataset.Train, c.Options(), c.Seed, 0); err != nil {
			return err
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
	if err := s.firstFiles(); err != nil {
		return err
	}
	go func() { // the end of the first epoch needs them; no core is idle before it
		s.sum()
		s.used()
	}()
	return nil
}

// initialise sets the first parameters of all runs.
func (s *session) initialise() error {
	s.start = s.newEpoch(1)
	for r := range s.Runs {
		p, err := InitialParameters(s.Config.Run(r))
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
	return nil
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

// newEpoch returns an epoch of the runs that have not ended, at its beginning.
func (s *session) newEpoch(number int) *epoch {
	e := &epoch{number: number, done: make([]int, len(s.Runs))}
	for r := range s.Runs {
		if s.Runs[r].Failed == "" && !s.Runs[r].StoppedEarly {
			e.runs = append(e.runs, r)
		}
	}
	return e
}

// train is the training loop. Where the fleet leaves cores idle, an epoch is
// evaluated and recorded while the next one trains.
func (s *session) train(ctx context.Context) error {
	t := s.Config.Train
	var pending <-chan error // of the evaluation under way
	for e := s.start; e.number <= t.Epochs && len(e.runs) > 0; {
		wait := func() error {
			if pending == nil {
				return nil
			}
			err := <-pending
			pending = nil
			e.runs = slices.DeleteFunc(slices.Clone(e.runs), func(r int) bool { return s.Runs[r].Failed != "" })
			return err
		}
		err := s.pass(ctx, e, wait)
		if err != nil {
			return err
		}
		// Early stopping needs the scores before the next epoch.
		if e.number < t.Epochs && t.EarlyStopping.Patience == 0 {
			if pending, err = s.evaluateAhead(ctx, e); err != nil {
				return s.stopped(ctx, s.Fleet, e, err)
			}
		}
		next := &epoch{number: e.number + 1, runs: e.runs, done: make([]int, len(s.Runs))}
		if pending == nil {
			if err := s.evaluate(ctx, s.Fleet, e); err != nil {
				return s.stopped(ctx, s.Fleet, e, err)
			}
			next = s.newEpoch(e.number + 1)
		}
		e = next
	}
	return nil
}

// pauseEvery is the time after which an epoch pauses for a checkpoint.
var pauseEvery = 50 * time.Second

// pass trains the runs of an epoch. It pauses for checkpoints. Before it looks at or
// changes anything that an evaluation under way changes, it waits for that. When it
// returns, the evaluation is over.
func (s *session) pass(ctx context.Context, e *epoch, wait func() error) error {
	begin := time.Now()
	set, err := s.trainingSet(ctx, e.number)
	if err != nil {
		if earlier := wait(); earlier != nil {
			return earlier
		}
		return s.stopped(ctx, s.Fleet, e, err)
	}
	if set != s.Dataset.Train {
		e.seconds += time.Since(begin).Seconds() // training waited for it
	}
	orders := s.orders(e)
	pause := time.Now().Add(pauseEvery)
	for {
		group := e.behind(set.Len())
		if len(group) == 0 {
			return wait()
		}
		err := s.part(ctx, e, set, group, orders, pause)
		if err == nil {
			continue
		}
		if earlier := wait(); earlier != nil {
			return earlier
		}
		var some *vm.RunsError
		paused := errors.Is(err, errPause)
		interrupted := ctx.Err() != nil && errors.Is(err, ctx.Err())
		if errors.As(err, &some) {
			if failed := s.fail(e, some); failed != nil {
				return failed
			}
		}
		switch {
		case paused:
			if err = s.pauseFor(e); err != nil {
				return err
			}
			pause = time.Now().Add(pauseEvery)
		case interrupted || some == nil:
			return s.stopped(ctx, s.Fleet, e, err)
		}
	}
}

// orders returns the orders in which the runs of an epoch visit the samples; nil: that
// of the set.
func (s *session) orders(e *epoch) [][]int32 {
	orders := make([][]int32, len(s.Runs))
	if !s.Config.Train.Shuffle {
		return orders
	}
	var shuffles sync.WaitGroup
	for _, r := range e.runs {
		shuffles.Go(func() { orders[r] = data.Shuffled(s.Dataset.Train.Len(), s.Runs[r].Seed, e.number) })
	}
	shuffles.Wait()
	return orders
}

// behind returns those of the runs that have visited the fewest samples, none if all
// have visited all n. Runs that stopped during a pass have not stopped at the same
// step, and a fleet trains only those together that have.
func (e *epoch) behind(n int) (runs []int) {
	least := n
	for _, r := range e.runs {
		if e.done[r] < least {
			least, runs = e.done[r], nil
		}
		if e.done[r] == least && least < n {
			runs = append(runs, r)
		}
	}
	return runs
}

// errPause is in the error of a part of an epoch that stopped for a checkpoint.
var errPause = errors.New("pause")

// part trains some runs, which have visited the same number of samples, to the end of
// the epoch, or until a step after the time pause.
func (s *session) part(ctx context.Context, e *epoch, set *data.Set, runs []int, orders [][]int32, pause time.Time) error {
	from, total := e.done[runs[0]], 0
	for _, r := range e.runs {
		total += e.done[r]
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	passes := make([]vm.Pass, len(runs))
	for i, r := range runs {
		passes[i] = vm.Pass{Set: set, Order: orders[r], Batch: s.Config.Train.Batch, Rate: s.rate(r, e.number), Progress: func(done int) {
			done += from
			total += done - e.done[r]
			e.done[r] = done
			s.Watch.Batch(e.number, total)
			if !time.Now().Before(pause) {
				stop(errPause)
			}
		}, Partial: func(visited int) {
			s.Watch.Batch(e.number, total+from+visited-e.done[r])
		}}
		if from > 0 {
			if passes[i].Order == nil {
				passes[i].Order = data.FileOrder(set.Len())
			}
			passes[i].Order = passes[i].Order[from:]
		}
	}
	start := time.Now()
	err := s.Fleet.Train(ctx, runs, passes)
	e.seconds += max(time.Since(start).Seconds(), 1e-9) // a coarse clock may say 0
	var some *vm.RunsError
	if errors.As(err, &some) {
		for _, bad := range some.Failed {
			bad.Step += from / s.Config.Train.Batch
		}
	}
	if cause := context.Cause(ctx); err != nil && errors.Is(err, ctx.Err()) && errors.Is(cause, errPause) {
		err = errors.Join(err, errPause)
	}
	return err
}

// pauseFor writes a checkpoint in the middle of an epoch.
func (s *session) pauseFor(e *epoch) error {
	var err error
	if s.next, err = s.point(s.Fleet, e); err != nil {
		return fmt.Errorf("epoch %d: %w", e.number, err)
	}
	return s.writeCheckpoint()
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
			err = fmt.Errorf("%w: the learning rate %g may be too large (%s), or the first weights (model.init)", err, s.rate(r, e.number), rateKey)
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
	done := make(chan error, 1)
	go func() {
		// It is short for most networks, and an interrupted session should have its
		// last epoch.
		ctx, cancel := delayed(ctx, finishEvaluation)
		defer cancel()
		err := s.evaluate(ctx, snapshot, e)
		if err != nil {
			err = s.stopped(ctx, snapshot, e, err)
		}
		done <- errors.Join(err, snapshot.Close())
	}()
	return done, nil
}

// finishEvaluation is how long an evaluation may go on after an interruption.
const finishEvaluation = 500 * time.Millisecond

// delayed returns a context that is cancelled some time after ctx is.
func delayed(ctx context.Context, delay time.Duration) (context.Context, context.CancelFunc) {
	later, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(delay, cancel) })
	return later, func() {
		stop()
		cancel()
	}
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
		s.Runs[r].labels, s.Runs[r].answers = sums(train[i].Confusion)
		s.Runs[r].testConfusion = test[i].Confusion
		all = append(all, m)
	}
	if err := s.fail(e, failed); err != nil || len(all) == 0 {
		return err
	}
	return s.record(runs, e, all)
}

// sums returns the sums of the rows and of the columns of a confusion matrix: how many
// samples have each label, and how many were taken for each class.
func sums(confusion [][]int) (labels, answers []int) {
	labels, answers = make([]int, len(confusion)), make([]int, len(confusion))
	for label, row := range confusion {
		for k, n := range row {
			labels[label] += n
			answers[k] += n
		}
	}
	return labels, answers
}

// record keeps what a whole epoch gave: all metrics, and the parameters of the
// best run.
func (s *session) record(runs vm.Runs, e *epoch, all []RunMetrics) error {
	top := 0
	for i, m := range all {
		s.Runs[m.Run].add(m.Metrics, s.Config.Train.EarlyStopping)
		if err := errors.Join(s.appendMetrics(m), s.appendEvents(m)); err != nil {
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
		s.last = snapshot{parameters: p, metrics: *last, confusion: s.Runs[s.Best].testConfusion}
		if s.Parameters != nil {
			s.Parameters(p)
		}
		if improved {
			s.best, s.unsaved = s.last, true
		}
	}
	next := s.newEpoch(e.number + 1)
	due := time.Since(s.saved) >= saveEvery
	if due || !s.several() || e.number == s.Config.Train.Epochs || len(next.runs) == 0 {
		var err error
		if s.next, err = s.point(runs, next); err != nil {
			return err
		}
	}
	if due {
		if err := errors.Join(s.writeCheckpoint(), s.save()); err != nil {
			return err
		}
	}
	s.Watch.Epoch(all, top, improved)
	return nil
}

// stopped returns the error of an epoch that was not completed. After an
// interruption it keeps where each run stopped, and the parameters that the best
// run has then: those of runs.
func (s *session) stopped(ctx context.Context, runs vm.Runs, e *epoch, err error) error {
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
		p, err := runs.Parameters(r)
		if err != nil {
			return errors.Join(context.Cause(ctx), err)
		}
		if p.NonFinite() == "" {
			s.at = &snapshot{parameters: p, metrics: s.last.metrics, samples: e.done[r]}
		}
	}
	next, err := s.point(runs, e)
	if err == nil && next != nil {
		s.next = next
	}
	return errors.Join(context.Cause(ctx), err)
}
