package vm

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"

	"trainer/data"
	"trainer/graph/model"
)

// Fleet trains independent runs of one network together. Each run has its own
// parameters, order of samples and learning rate, and gets the same bits as on
// a machine of the same kind alone, unless the fleet documents otherwise.
//
// Runs are counted from 0. A list of runs is in ascending order.
//
// A fleet is used from one goroutine at a time. A snapshot of it may be used
// from another goroutine meanwhile.
type Fleet interface {
	// Runs evaluates the runs as they are now. Close frees the whole fleet.
	Runs

	// Len returns the number of runs.
	Len() int

	// Network returns the network of all runs.
	Network() model.Network

	// Load makes a set resident, as VM.Load does.
	Load(set *data.Set) error

	// Unload frees a set, as VM.Unload does.
	Unload(set *data.Set) error

	// SetParameters copies p into a run, rounded to the network's precision.
	SetParameters(run int, p model.Parameters) error

	// Train makes a pass with each of the listed runs: passes[i] is the pass of
	// runs[i]. All passes have the same Set, Batch and number of samples. The
	// other runs stay as they are. Progress and Partial are called from one
	// goroutine at a time.
	//
	// A *RunsError says which runs failed because a value was no longer finite;
	// the others made the whole pass. The parameters of a failed run are
	// undefined until the next SetParameters. When ctx is done, each run stops
	// after a whole step, and Train returns ctx's error, joined with a *RunsError if
	// runs failed before. After any other error some of the runs may have made their
	// pass.
	Train(ctx context.Context, runs []int, passes []Pass) error

	// Snapshot copies the runs as they are now, to evaluate them during the next
	// passes. It returns nil if passes of this batch size leave no cores idle:
	// evaluating a copy would then slow them down.
	Snapshot(batch int) (Runs, error)
}

// Runs is the parameters of some runs: those of a fleet now, or a snapshot.
type Runs interface {
	// Parameters returns the parameters of a run as they are now. Nobody changes
	// them afterwards: neither the fleet nor the caller.
	Parameters(run int) (model.Parameters, error)

	// Evaluate runs the network forward over a set with the parameters of each
	// of the listed runs: the i-th score is the score of runs[i]. A snapshot
	// evaluates only sets that were loaded before.
	Evaluate(ctx context.Context, set *data.Set, runs []int) ([]Score, error)

	// Close frees what it holds. A fleet may have one open snapshot at a time.
	Close() error
}

// Fleeter is a machine that has a better way to train several runs than several
// machines of its kind.
type Fleeter interface {
	// Fleet makes the machine a fleet of n runs with parameters of zero. The
	// fleet owns the machine and closes it; after an error the caller does.
	Fleet(n int) (Fleet, error)
}

// RunsError says which runs failed in a pass.
type RunsError struct {
	Failed map[int]*NonFiniteError // by run
}

func (e *RunsError) Error() string { return fmt.Sprintf("runs failed: %v", e.Failed) }

// CheckPasses reports why the passes cannot be passes of the listed runs of a
// fleet of n. It does not check each pass for itself: see Pass.Check.
func CheckPasses(runs []int, passes []Pass, n int) error {
	if err := CheckRuns(runs, n); err != nil {
		return err
	}
	if len(passes) != len(runs) {
		return fmt.Errorf("%d passes for %d runs", len(passes), len(runs))
	}
	for i, p := range passes {
		if first := passes[0]; p.Set != first.Set || p.Batch != first.Batch || p.Samples() != first.Samples() {
			return fmt.Errorf("run %d: another set, batch or number of samples than run %d", runs[i], runs[0])
		}
	}
	return nil
}

// CheckRuns reports what is wrong with a list of runs of a fleet of n.
func CheckRuns(runs []int, n int) error {
	for i, run := range runs {
		if run < 0 || run >= n {
			return fmt.Errorf("run %d: the fleet has the runs 0 to %d", run, n-1)
		}
		if i > 0 && run <= runs[i-1] {
			return fmt.Errorf("runs %v: want ascending order", runs)
		}
	}
	return nil
}

// NewFleet makes a fleet of n runs with parameters of zero on machines that
// newVM makes. The fleet closes the machines.
//
// One run has the machine to itself. For several, a machine that is a Fleeter
// makes the fleet. On other machines the runs take turns: on one machine that
// uses all cores, or on up to a machine a core where one leaves cores idle,
// each with its own copy of the sets.
func NewFleet(n int, newVM func() (VM, error)) (Fleet, error) {
	if n < 1 {
		return nil, fmt.Errorf("fleet of %d runs: want 1 or more", n)
	}
	m, err := newVM()
	if err != nil {
		return nil, err
	}
	if own, ok := m.(Fleeter); ok && n > 1 {
		f, err := own.Fleet(n)
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		return f, nil
	}
	f := &pool{newVM: newVM, machines: []VM{m}, runs: make([]model.Parameters, n)}
	if n > 1 {
		for r := range f.runs {
			f.runs[r] = model.NewParameters(m.Network())
		}
	}
	return f, nil
}

// pool is a fleet of runs that take turns on machines. Moving parameters to a
// machine and back costs little beside a pass; a single run leaves them there.
type pool struct {
	newVM    func() (VM, error)
	machines []VM
	runs     []model.Parameters // replaced by passes, never changed; [nil] for a single run
}

// Len implements Fleet.
func (f *pool) Len() int { return len(f.runs) }

// Network implements Fleet.
func (f *pool) Network() model.Network { return f.machines[0].Network() }

// Load implements Fleet. The other machines load a set when they first see it.
func (f *pool) Load(set *data.Set) error { return f.machines[0].Load(set) }

// Unload implements Fleet.
func (f *pool) Unload(set *data.Set) error {
	var errs []error
	for _, m := range f.machines {
		errs = append(errs, m.Unload(set))
	}
	return errors.Join(errs...)
}

// SetParameters implements Fleet.
func (f *pool) SetParameters(run int, p model.Parameters) error {
	if err := CheckRuns([]int{run}, f.Len()); err != nil {
		return err
	}
	if f.Len() == 1 {
		return f.machines[0].SetParameters(p)
	}
	if err := p.Check(f.Network()); err != nil {
		return fmt.Errorf("run %d: %w", run, err)
	}
	p = p.Clone()
	p.Round(f.Network().Precision)
	f.runs[run] = p
	return nil
}

// Parameters implements Runs.
func (f *pool) Parameters(run int) (model.Parameters, error) {
	if err := CheckRuns([]int{run}, f.Len()); err != nil {
		return nil, err
	}
	if f.Len() == 1 {
		return f.machines[0].Parameters()
	}
	return f.runs[run], nil
}

// Train implements Fleet.
func (f *pool) Train(ctx context.Context, runs []int, passes []Pass) error {
	if err := CheckPasses(runs, passes, f.Len()); err != nil || len(runs) == 0 {
		return err
	}
	if err := f.grow(len(runs), passes[0].Batch); err != nil {
		return err
	}
	var mu sync.Mutex
	failed := map[int]*NonFiniteError{}
	err := f.each(ctx, runs, func(m VM, i int) error {
		pass := passes[i]
		for _, call := range []*func(int){&pass.Progress, &pass.Partial} {
			if report := *call; report != nil {
				*call = func(done int) {
					mu.Lock()
					defer mu.Unlock()
					report(done)
				}
			}
		}
		trained := m.Train(ctx, pass)
		if f.Len() > 1 {
			p, err := m.Parameters()
			if err != nil {
				return errors.Join(trained, err)
			}
			f.runs[runs[i]] = p
		}
		var bad *NonFiniteError
		if errors.As(trained, &bad) {
			mu.Lock()
			defer mu.Unlock()
			failed[runs[i]] = bad
			return nil
		}
		return trained
	})
	if len(failed) > 0 {
		return errors.Join(err, &RunsError{failed})
	}
	return err
}

// grow makes the machines that passes of n runs and this batch size can use.
func (f *pool) grow(n, batch int) error {
	if !f.machines[0].LeavesCoresIdle(batch) {
		return nil
	}
	for len(f.machines) < min(n, runtime.GOMAXPROCS(0)) {
		m, err := f.newVM()
		if err != nil {
			return err
		}
		f.machines = append(f.machines, m)
	}
	return nil
}

// Evaluate implements Runs.
func (f *pool) Evaluate(ctx context.Context, set *data.Set, runs []int) ([]Score, error) {
	if err := CheckRuns(runs, f.Len()); err != nil {
		return nil, err
	}
	scores := make([]Score, len(runs))
	err := f.each(ctx, runs, func(m VM, i int) (err error) {
		scores[i], err = m.Evaluate(ctx, set)
		return err
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// Snapshot implements Fleet. The passes of several runs use all cores.
func (f *pool) Snapshot(batch int) (Runs, error) {
	m := f.machines[0]
	if f.Len() > 1 || !m.LeavesCoresIdle(batch) {
		return nil, nil
	}
	p, err := m.Parameters()
	if err != nil {
		return nil, err
	}
	s, err := m.Snapshot()
	return single{s, p}, err
}

// single is a snapshot of the single run of a fleet.
type single struct {
	Snapshot
	parameters model.Parameters
}

// Parameters implements Runs.
func (s single) Parameters(run int) (model.Parameters, error) {
	return s.parameters, CheckRuns([]int{run}, 1)
}

// Evaluate implements Runs.
func (s single) Evaluate(ctx context.Context, set *data.Set, runs []int) ([]Score, error) {
	scores := make([]Score, len(runs))
	err := CheckRuns(runs, 1)
	for i := range runs {
		if err == nil {
			scores[i], err = s.Snapshot.Evaluate(ctx, set)
		}
	}
	return scores, err
}

// each calls do with the index of each listed run and a machine that has the
// run's parameters. The machines work side by side; an idle machine takes the
// next run. After an error no other run starts.
func (f *pool) each(ctx context.Context, runs []int, do func(m VM, i int) error) error {
	var wait sync.WaitGroup
	var next, stop atomic.Int64
	errs := make([]error, len(runs))
	work := func(m VM) {
		for stop.Load() == 0 {
			i := int(next.Add(1)) - 1
			if i >= len(runs) {
				return
			}
			err := ctx.Err()
			if err == nil && f.Len() > 1 {
				err = m.SetParameters(f.runs[runs[i]])
			}
			if err == nil {
				err = do(m, i)
			}
			if errs[i] = err; err != nil {
				stop.Store(1)
			}
		}
	}
	for _, m := range f.machines[1:] {
		wait.Go(func() { work(m) })
	}
	work(f.machines[0])
	wait.Wait()
	for i, err := range errs {
		if err != nil {
			return fmt.Errorf("run %d: %w", runs[i], err)
		}
	}
	return nil
}

// Close implements Runs.
func (f *pool) Close() error {
	var errs []error
	for _, m := range f.machines {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
