//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/kernel"
)

// fleet is a machine with several runs. A pass of all runs is one launch, in
// fused or block mode, in which block r is run r. Exchange and grid mode have one run
// only. So a fleet trains mini-batches in block mode, where a single run would use one of
// those: only rounding differs.
type fleet[T data.Float] struct {
	machine *machine[T]
}

// Fleet implements vm.Fleeter.
func (m *machine[T]) Fleet(n int) (vm.Fleet, error) {
	if n < 1 {
		return nil, fmt.Errorf("cuda: fleet of %d runs: want 1 or more", n)
	}
	if mode := m.options.Mode; mode == "grid" || mode == "exchange" {
		return nil, fmt.Errorf("cuda: %s mode trains one run: use another mode for a fleet", mode)
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
	words, err := newWords(m.device, n)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: %w", err), parameters.Free(), words.free())
	}
	errs := []error{m.parameters.Free(), m.words.free()}
	for k, l := range m.steps { // these are for one run, or for the grid
		errs = append(errs, l.free())
		delete(m.steps, k)
	}
	m.parameters, m.words, m.runs, m.grid = parameters, words, n, false
	return &fleet[T]{m}, errors.Join(errs...)
}

// Len implements vm.Fleet.
func (f *fleet[T]) Len() int { return f.machine.runs }

// Network implements vm.Fleet.
func (f *fleet[T]) Network() model.Network { return f.machine.network }

// Load implements vm.Fleet.
func (f *fleet[T]) Load(set *data.Set) error { return f.machine.Load(set) }

// Unload implements vm.Fleet.
func (f *fleet[T]) Unload(set *data.Set) error { return f.machine.Unload(set) }

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

// Train implements vm.Fleet. A launch has a block for every run; those of the runs
// that are not listed end at once.
func (f *fleet[T]) Train(ctx context.Context, runs []int, passes []vm.Pass) error {
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
	failed, err := m.train(ctx, runs, passes)
	if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
		return fmt.Errorf("cuda: %w", err)
	}
	if len(failed) > 0 {
		return errors.Join(err, &vm.RunsError{Failed: failed})
	}
	return err
}

// Evaluate implements vm.Runs: one run after the other, each on the whole
// device.
func (f *fleet[T]) Evaluate(ctx context.Context, set *data.Set, runs []int) ([]vm.Score, error) {
	if err := vm.CheckRuns(runs, f.Len()); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	m := f.machine
	parameters := make([]kernel.Address, len(runs))
	for i, r := range runs {
		parameters[i] = address(m.parameters) + kernel.Address(r*m.count*m.size())
	}
	return m.score(ctx, set, parameters)
}

// Snapshot implements vm.Fleet: a snapshot would be evaluated on the device,
// which trains.
func (f *fleet[T]) Snapshot(int) (vm.Runs, error) { return nil, nil }

// Close implements vm.Runs.
func (f *fleet[T]) Close() error { return f.machine.Close() }
