//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
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
	return &fleet[T]{m}, errors.Join(errs...)
}

// Len implements vm.Fleet.
func (f *fleet[T]) Len() int { return f.machine.runs }

// Network implements vm.Fleet.
func (f *fleet[T]) Network() model.Network { return f.machine.network }

// Load implements vm.Fleet.
func (f *fleet[T]) Load(set *data.Set) error { return f.machine.Load(set) }

// SetParameters implements vm.Fleet.
func (f *fleet[T]) SetParameters(r int, p model.Parameters) error {
	if err := vm.CheckRuns([]int{r}, f.Len()); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	if err := p.Check(f.machine.network); err != nil {
		return fmt.Errorf("cuda: run %d: %w", r, err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	return f.machine.upload(r, p)
}

// Parameters implements vm.Runs.
func (f *fleet[T]) Parameters(r int) (model.Parameters, error) {
	if err := vm.CheckRuns([]int{r}, f.Len()); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	f.machine.mu.Lock()
	defer f.machine.mu.Unlock()
	return f.machine.download(f.machine.parameters, r)
}

// Train implements vm.Fleet. A launch has a block for every run. The rate of a
// run that is not listed is NaN, which ends its block after a step, and its
// parameters are put back afterwards.
func (f *fleet[T]) Train(ctx context.Context, runs []int, passes []vm.Pass) (err error) {
	m := f.machine
	if err := vm.CheckPasses(runs, passes, f.Len()); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	for i, p := range passes {
		if err := p.Check(m.network); err != nil {
			return fmt.Errorf("cuda: run %d: %w", runs[i], err)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(runs) == 0 || passes[0].Samples() == 0 {
		return ctx.Err()
	}
	every := make([]vm.Pass, f.Len())
	size := m.count * m.size()
	for r := range every {
		if i, listed := slices.BinarySearch(runs, r); listed {
			every[r] = passes[i]
			continue
		}
		every[r] = passes[0]
		every[r].Rate, every[r].Progress, every[r].Costs = math.NaN(), nil, nil
		kept, e := m.device.Alloc("parameters of a run that sits out", size)
		if e != nil {
			return fmt.Errorf("cuda: %w", e)
		}
		defer func() { err = errors.Join(err, kept.Free()) }()
		if err := kept.Copy(0, m.parameters, r*size, size); err != nil {
			return fmt.Errorf("cuda: %w", err)
		}
		defer func() { err = errors.Join(err, m.parameters.Copy(r*size, kept, 0, size)) }()
	}
	failed, err := m.train(ctx, every)
	if err != nil {
		if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
			return err
		}
		return fmt.Errorf("cuda: %w", err)
	}
	maps.DeleteFunc(failed, func(r int, _ *vm.NonFiniteError) bool {
		_, listed := slices.BinarySearch(runs, r)
		return !listed
	})
	if len(failed) > 0 {
		return &vm.RunsError{Failed: failed}
	}
	return nil
}

// Evaluate implements vm.Runs: one run after the other, each on the whole
// device.
func (f *fleet[T]) Evaluate(ctx context.Context, set *data.Set, runs []int) ([]vm.Score, error) {
	if err := vm.CheckRuns(runs, f.Len()); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	m := f.machine
	scores := make([]vm.Score, len(runs))
	for i, r := range runs {
		var err error
		if scores[i], err = m.score(ctx, set, address(m.parameters)+kernel.Address(r*m.count*m.size())); err != nil {
			return nil, err
		}
	}
	return scores, nil
}

// Snapshot implements vm.Fleet: a snapshot would be evaluated on the device,
// which trains.
func (f *fleet[T]) Snapshot(int) (vm.Runs, error) { return nil, nil }

// Close implements vm.Runs.
func (f *fleet[T]) Close() error { return f.machine.Close() }
