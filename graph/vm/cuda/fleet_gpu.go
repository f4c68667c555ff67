//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/kernel"
)

// fleet is a machine with several runs. A pass of all runs is one launch, in
// fused or block mode, in which block r is run r. Grid mode has one run only. So
// a fleet trains larger mini-batches in block mode, where a single run would use
// grid mode: only rounding differs.
type fleet[T data.Float] struct {
	machine *machine[T]
	failed  []bool
}

// Fleet implements vm.Fleeter.
func (m *machine[T]) Fleet(n int) (vm.Fleet, error) {
	if n < 1 {
		return nil, fmt.Errorf("cuda: fleet of %d runs: want 1 or more", n)
	}
	if m.options.Mode == "grid" {
		return nil, errors.New("cuda: grid mode trains one run: use another mode for a fleet")
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	parameters, err := m.device.Alloc("parameters of runs", n*m.count*m.size())
	if err != nil {
		return nil, fmt.Errorf("cuda: %d runs: %w", n, err)
	}
	if err := parameters.Clear(); err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: %w", err), parameters.Free())
	}
	status, err := m.device.AllocHost("status", statusSize(n))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: %w", err), parameters.Free())
	}
	errs := []error{m.parameters.Free(), m.status.Free()}
	for k, l := range m.steps { // these are for one run, or for the grid
		errs = append(errs, l.free())
		delete(m.steps, k)
	}
	m.parameters, m.status, m.runs, m.grid = parameters, status, n, false
	return &fleet[T]{m, make([]bool, n)}, errors.Join(errs...)
}

// Len implements vm.Fleet.
func (f *fleet[T]) Len() int { return f.machine.runs }

// Network implements vm.Fleet.
func (f *fleet[T]) Network() model.Network { return f.machine.network }

// Load implements vm.Fleet.
func (f *fleet[T]) Load(set *data.Set) error { return f.machine.Load(set) }

// SetParameters implements vm.Fleet.
func (f *fleet[T]) SetParameters(r int, p model.Parameters) error {
	if err := vm.CheckReplica(r, f.Len()); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	if err := p.Check(f.machine.network); err != nil {
		return fmt.Errorf("cuda: run %d: %w", r, err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	f.failed[r] = false
	return f.machine.upload(r, p)
}

// Parameters implements vm.Fleet.
func (f *fleet[T]) Parameters(r int) (model.Parameters, error) {
	if err := vm.CheckReplica(r, f.Len()); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	return f.machine.download(f.machine.parameters, r)
}

// Train implements vm.Fleet. A run that failed before is launched too, but its
// block ends early, so it does not delay the others.
func (f *fleet[T]) Train(ctx context.Context, passes []vm.Pass) error {
	if err := vm.CheckPasses(passes, f.Len(), f.machine.network); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	if passes[0].Samples() == 0 {
		return ctx.Err()
	}
	silenced := slices.Clone(passes)
	for r := range silenced {
		if f.failed[r] {
			silenced[r].Progress, silenced[r].Costs = nil, nil
		}
	}
	failed, err := f.machine.train(ctx, silenced)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return err
		}
		return fmt.Errorf("cuda: %w", err)
	}
	for r := range failed {
		if f.failed[r] {
			delete(failed, r)
		}
		f.failed[r] = true
	}
	if len(failed) > 0 {
		return &vm.ReplicasError{Failed: failed}
	}
	return nil
}

// Evaluate implements vm.Fleet. It evaluates one run after the other, each on
// the whole device.
func (f *fleet[T]) Evaluate(ctx context.Context, set *data.Set) ([]vm.Score, error) {
	m := f.machine
	scores := make([]vm.Score, f.Len())
	for r := range scores {
		if f.failed[r] {
			continue
		}
		var err error
		if scores[r], err = m.score(ctx, set, address(m.parameters)+kernel.Address(r*m.count*m.size())); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// Close implements vm.Fleet.
func (f *fleet[T]) Close() error { return f.machine.Close() }
