//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// tileRows is the number of samples that a block evaluates at a time.
const tileRows = 32

// Evaluate implements vm.VM.
func (m *machine[T]) Evaluate(ctx context.Context, set *data.Set) (vm.Score, error) {
	return m.score(ctx, set, address(m.parameters))
}

// score evaluates a set. parameters is the address of the parameters.
func (m *machine[T]) score(ctx context.Context, set *data.Set, parameters kernel.Address) (_ vm.Score, err error) {
	defer func() {
		if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
			err = fmt.Errorf("cuda: evaluate: %w", err)
		}
	}()
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return vm.Score{}, err
	}
	s, err := m.resident(set)
	if err != nil {
		return vm.Score{}, err
	}
	outputs := m.network.Outputs()
	score := vm.NewScore(outputs)
	labels := len(score.Confusion)
	if set.Len() == 0 {
		return score, nil
	}
	costs, err := m.device.Alloc("costs of samples", 8*set.Len())
	if err != nil {
		return vm.Score{}, err
	}
	defer func() { err = errors.Join(err, costs.Free()) }()
	confusion, err := upload(m.device, "confusion", make([]uint32, labels*outputs))
	if err != nil {
		return vm.Score{}, err
	}
	defer func() { err = errors.Join(err, confusion.Free()) }()
	a := m.tiles(set.Len())
	a.SampleCosts, a.Confusion = address(costs), address(confusion)
	if err := m.launchAndWait(m.evaluate, s, a, parameters); err != nil {
		return vm.Score{}, err
	}
	values, counts := make([]float64, set.Len()), make([]uint32, labels*outputs)
	if err := driver.CopyFrom(values, costs, 0); err != nil {
		return vm.Score{}, err
	}
	if err := driver.CopyFrom(counts, confusion, 0); err != nil {
		return vm.Score{}, err
	}
	for _, v := range values { // in the order of the samples, so that the sum is always the same
		score.Cost += v
	}
	score.Samples = set.Len()
	for i, n := range counts {
		if i%outputs < labels {
			score.Confusion[i/outputs][i%outputs] = int(n)
		}
		if i/outputs == i%outputs {
			score.Correct += int(n)
		}
	}
	return score.Mean(), nil
}

// tiles returns the argument of a forward launch over the first samples of a set.
func (m *machine[T]) tiles(samples int) kernel.Params {
	return kernel.Params{End: uint64(samples), Steps: uint32((samples + tileRows - 1) / tileRows)}
}

// launchAndWait launches a kernel and waits until it ends.
func (m *machine[T]) launchAndWait(l *loaded, s *resident, a kernel.Params, parameters kernel.Address) error {
	if err := m.launch(l, s, a, parameters); err != nil {
		return err
	}
	return m.stream.Wait()
}

// Predict implements vm.VM.
func (m *machine[T]) Predict(x []float64) ([]float64, error) {
	in, out := m.network.Inputs(), m.network.Outputs()
	if len(x)%in != 0 {
		return nil, fmt.Errorf("cuda: predict: %d values, want rows of %d", len(x), in)
	}
	if len(x) == 0 {
		return nil, nil
	}
	a, err := m.predict(x, len(x)/in, out)
	if err != nil {
		return nil, fmt.Errorf("cuda: predict: %w", err)
	}
	return a, nil
}

func (m *machine[T]) predict(x []float64, rows, out int) (_ []float64, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, err := m.inputs(x, make([]float64, rows*out))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.free()) }()
	predictions, err := m.device.Alloc("predictions", rows*out*m.size())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, predictions.Free()) }()
	a := m.tiles(rows)
	a.Predictions = address(predictions)
	if err := m.launchAndWait(m.evaluate, s, a, address(m.parameters)); err != nil {
		return nil, err
	}
	values := make([]T, rows*out)
	if err := driver.CopyFrom(values, predictions, 0); err != nil {
		return nil, err
	}
	result := make([]float64, len(values))
	for i, v := range values {
		result[i] = float64(v)
	}
	return result, nil
}

// LeavesCoresIdle implements vm.VM. It is always false: the device that trains also
// evaluates the snapshot.
func (m *machine[T]) LeavesCoresIdle(int) bool { return false }

// snapshot is a copy of the parameters on the device.
type snapshot[T data.Float] struct {
	machine    *machine[T]
	parameters *driver.Memory
}

// Snapshot implements vm.VM.
func (m *machine[T]) Snapshot() (vm.Snapshot, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	copied, err := m.device.Alloc("snapshot", m.count*m.size())
	if err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if err := copied.Copy(0, m.parameters, 0, m.count*m.size()); err != nil {
		return nil, errors.Join(fmt.Errorf("cuda: %w", err), copied.Free())
	}
	return &snapshot[T]{m, copied}, nil
}

// Evaluate implements vm.Snapshot. It waits until the current pass ends.
func (s *snapshot[T]) Evaluate(ctx context.Context, set *data.Set) (vm.Score, error) {
	return s.machine.score(ctx, set, address(s.parameters))
}

// Close implements vm.Snapshot.
func (s *snapshot[T]) Close() error { return s.parameters.Free() }

// loadWord and storeWord read and write a word that the device shares.
func loadWord(w *uint32) uint32     { return atomic.LoadUint32(w) }
func storeWord(w *uint32, v uint32) { atomic.StoreUint32(w, v) }

// sizeOf returns the size of an E in bytes.
func sizeOf[E driver.Scalar]() int { return int(reflect.TypeFor[E]().Size()) }
