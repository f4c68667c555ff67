package vm

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"trainer/data"
	"trainer/graph/model"
)

// Fleet trains replicas of one network together: independent runs, each with
// parameters, an order and a learning rate of its own. A replica comes to the
// same bits as on a machine of the same kind alone; a fleet says where not.
//
// A replica whose values are no longer finite has failed: it keeps parameters
// of no use, and Train and Evaluate pass it by until SetParameters gives it
// new ones. The others go on.
//
// A fleet is used from one goroutine at a time.
type Fleet interface {
	// Len returns the number of replicas.
	Len() int

	// Network returns the network of all replicas.
	Network() model.Network

	// Load makes a set resident, as VM.Load does.
	Load(set *data.Set) error

	// SetParameters copies p into replica r, rounded to the network's precision.
	SetParameters(r int, p model.Parameters) error

	// Parameters returns a copy of the parameters of replica r.
	Parameters(r int) (model.Parameters, error)

	// Train makes a pass with each replica: passes[r] is that of replica r. All
	// have the same Set, Batch and number of samples. Progress is called from
	// one goroutine at a time. A *ReplicasError says which replicas failed in
	// this pass, when the others have made it whole. When ctx is done, each
	// replica stops after a whole step of its own, and the error is ctx's.
	Train(ctx context.Context, passes []Pass) error

	// Evaluate runs each replica forward over a set. The score of a replica that
	// failed is of no samples.
	Evaluate(ctx context.Context, set *data.Set) ([]Score, error)

	// Close frees what the fleet holds.
	Close() error
}

// Fleeter is a machine that has a better way to train replicas than several
// machines of its kind.
type Fleeter interface {
	// Fleet makes the machine a fleet of n replicas with parameters of zero. The
	// machine is then the fleet's, which closes it; after an error it is not.
	Fleet(n int) (Fleet, error)
}

// ReplicasError says which replicas failed in a pass.
type ReplicasError struct {
	Failed map[int]*NonFiniteError // by replica
}

func (e *ReplicasError) Error() string {
	var each []string
	for _, r := range slices.Sorted(maps.Keys(e.Failed)) {
		each = append(each, fmt.Sprintf("replica %d: %v", r, e.Failed[r]))
	}
	return strings.Join(each, "; ")
}

// Unwrap returns the replicas' errors.
func (e *ReplicasError) Unwrap() []error {
	var all []error
	for _, r := range slices.Sorted(maps.Keys(e.Failed)) {
		all = append(all, e.Failed[r])
	}
	return all
}

// CheckPasses reports what makes the passes impossible for a fleet of n
// replicas.
func CheckPasses(passes []Pass, n int, network model.Network) error {
	if len(passes) != n {
		return fmt.Errorf("%d passes for %d replicas", len(passes), n)
	}
	for r, p := range passes {
		if err := p.Check(network); err != nil {
			return fmt.Errorf("replica %d: %w", r, err)
		}
		if first := passes[0]; p.Set != first.Set || p.Batch != first.Batch || p.Samples() != first.Samples() {
			return fmt.Errorf("replica %d: another set, batch or number of samples than replica 0", r)
		}
	}
	return nil
}

// CheckReplica reports that a fleet of n replicas has no replica r.
func CheckReplica(r, n int) error {
	if r < 0 || r >= n {
		return fmt.Errorf("replica %d of %d", r, n)
	}
	return nil
}

// NewFleet makes a fleet of n replicas with parameters of zero. It is that of
// the machine that newVM returns if it is a Fleeter. Else the replicas take
// turns on one machine, or, where that leaves cores idle, on as many as there
// are cores, which newVM makes when they are needed; each has its own copy of
// the sets. The fleet closes the machines.
func NewFleet(n int, newVM func() (VM, error)) (Fleet, error) {
	if n < 1 {
		return nil, fmt.Errorf("fleet of %d replicas: want 1 or more", n)
	}
	m, err := newVM()
	if err != nil {
		return nil, err
	}
	if own, ok := m.(Fleeter); ok {
		f, err := own.Fleet(n)
		if err != nil {
			return nil, errors.Join(err, m.Close())
		}
		return f, nil
	}
	f := &pool{newVM: newVM, machines: []VM{m}, replicas: make([]model.Parameters, n), failed: make([]bool, n)}
	for r := range f.replicas {
		f.replicas[r] = model.NewParameters(m.Network())
	}
	return f, nil
}

// pool is a fleet of replicas that take turns on machines: to bring parameters
// to a machine and back costs nothing beside a pass.
type pool struct {
	newVM    func() (VM, error)
	machines []VM
	replicas []model.Parameters
	failed   []bool
}

// Len implements Fleet.
func (f *pool) Len() int { return len(f.replicas) }

// Network implements Fleet.
func (f *pool) Network() model.Network { return f.machines[0].Network() }

// Load implements Fleet. The other machines load a set when they first see it.
func (f *pool) Load(set *data.Set) error { return f.machines[0].Load(set) }

// SetParameters implements Fleet.
func (f *pool) SetParameters(r int, p model.Parameters) error {
	if err := CheckReplica(r, f.Len()); err != nil {
		return err
	}
	if err := p.Check(f.Network()); err != nil {
		return fmt.Errorf("replica %d: %w", r, err)
	}
	f.replicas[r], f.failed[r] = p.Clone(), false
	f.replicas[r].Round(f.Network().Precision)
	return nil
}

// Parameters implements Fleet.
func (f *pool) Parameters(r int) (model.Parameters, error) {
	if err := CheckReplica(r, f.Len()); err != nil {
		return nil, err
	}
	return f.replicas[r].Clone(), nil
}

// Train implements Fleet.
func (f *pool) Train(ctx context.Context, passes []Pass) error {
	if err := CheckPasses(passes, f.Len(), f.Network()); err != nil {
		return err
	}
	if err := f.grow(passes[0].Batch); err != nil {
		return err
	}
	var mu sync.Mutex
	failed := map[int]*NonFiniteError{}
	err := f.each(ctx, func(m VM, r int) error {
		pass := passes[r]
		if report := pass.Progress; report != nil {
			pass.Progress = func(done int) {
				mu.Lock()
				defer mu.Unlock()
				report(done)
			}
		}
		trained := m.Train(ctx, pass)
		p, err := m.Parameters()
		if err != nil {
			return errors.Join(trained, err)
		}
		f.replicas[r] = p
		var bad *NonFiniteError
		if errors.As(trained, &bad) {
			mu.Lock()
			defer mu.Unlock()
			f.failed[r], failed[r] = true, bad
			return nil
		}
		return trained
	})
	if err == nil && len(failed) > 0 {
		return &ReplicasError{failed}
	}
	return err
}

// grow makes the machines that a pass of this batch size can use.
func (f *pool) grow(batch int) error {
	if !f.machines[0].Idle(batch) {
		return nil
	}
	for len(f.machines) < min(f.Len(), runtime.GOMAXPROCS(0)) {
		m, err := f.newVM()
		if err != nil {
			return err
		}
		f.machines = append(f.machines, m)
	}
	return nil
}

// Evaluate implements Fleet.
func (f *pool) Evaluate(ctx context.Context, set *data.Set) ([]Score, error) {
	scores := make([]Score, f.Len())
	err := f.each(ctx, func(m VM, r int) (err error) {
		scores[r], err = m.Evaluate(ctx, set)
		return err
	})
	if err != nil {
		return nil, err
	}
	return scores, nil
}

// each calls do for each replica that has not failed, with a machine that has
// its parameters. The machines work side by side, and the one that is free
// takes the next replica. After an error no other begins.
func (f *pool) each(ctx context.Context, do func(m VM, r int) error) error {
	var wait sync.WaitGroup
	var next, stop atomic.Int64
	errs := make([]error, f.Len())
	work := func(m VM) {
		for stop.Load() == 0 {
			r := int(next.Add(1)) - 1
			if r >= f.Len() {
				return
			}
			if f.failed[r] {
				continue
			}
			err := ctx.Err()
			if err == nil {
				err = m.SetParameters(f.replicas[r])
			}
			if err == nil {
				err = do(m, r)
			}
			if errs[r] = err; err != nil {
				stop.Store(1)
			}
		}
	}
	for _, m := range f.machines[1:] {
		wait.Go(func() { work(m) })
	}
	work(f.machines[0])
	wait.Wait()
	for r, err := range errs {
		if err != nil {
			return fmt.Errorf("replica %d: %w", r, err)
		}
	}
	return nil
}

// Close implements Fleet.
func (f *pool) Close() error {
	var errs []error
	for _, m := range f.machines {
		errs = append(errs, m.Close())
	}
	return errors.Join(errs...)
}
