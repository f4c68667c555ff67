//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// tileRows is the number of samples that a block evaluates at a time.
const tileRows = 32

// Evaluate implements vm.VM.
func (m *machine[T]) Evaluate(ctx context.Context, set *data.Set) (vm.Score, error) {
	return m.scoreOne(ctx, set, address(m.parameters))
}

func (m *machine[T]) scoreOne(ctx context.Context, set *data.Set, parameters kernel.Address) (vm.Score, error) {
	scores, err := m.score(ctx, set, []kernel.Address{parameters})
	if err != nil {
		return vm.Score{}, err
	}
	return scores[0], nil
}

// score evaluates a set with each of some parameters, given by their addresses. For
// each of them the device fills a part of m.scores: the cost of each tile, then the
// confusion matrix.
func (m *machine[T]) score(ctx context.Context, set *data.Set, parameters []kernel.Address) (_ []vm.Score, err error) {
	defer func() {
		if err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())) {
			err = fmt.Errorf("cuda: evaluate: %w", err)
		}
	}()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = false
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s, err := m.resident(set)
	if err != nil {
		return nil, err
	}
	outputs := m.network.Outputs()
	scores := make([]vm.Score, len(parameters))
	for i := range scores {
		scores[i] = vm.NewScoreOf(set, outputs)
	}
	labels := min(outputs, vm.MaxClasses) // a label is a byte
	if set.Len() == 0 || len(scores) == 0 {
		return scores, nil
	}
	a := m.tiles(set.Len())
	if err := m.supply(&a, s, m.evaluate.Image); err != nil {
		return nil, err
	}
	tiles := int(a.Steps)
	size := 8*tiles + (4*labels*outputs+7)&^7
	if err := keep(m.device, &m.scores, "costs and confusion", size*len(scores)); err != nil {
		return nil, err
	}
	err = m.device.Do(func() error {
		if err := m.stream.Clear(m.scores, 0, size*len(scores)); err != nil {
			return err
		}
		return m.timed(func() error {
			for i := range scores {
				a.TileCosts = address(m.scores) + kernel.Address(i*size)
				a.Confusion = a.TileCosts + kernel.Address(8*tiles)
				if err := m.launch(m.evaluate, a, parameters[i]); err != nil {
					return err
				}
			}
			return nil
		})
	})
	if err := errors.Join(err, m.stream.Wait()); err != nil {
		return nil, err
	}
	m.stopped = m.timer != nil
	all := make([]uint64, size/8*len(scores))
	if err := driver.CopyFrom(all, m.scores, 0); err != nil {
		return nil, err
	}
	for i := range scores {
		words := all[i*size/8 : (i+1)*size/8]
		scores[i].Samples = set.Len()
		for _, v := range words[:tiles] { // in the order of the samples, so that the sum is always the same
			scores[i].Cost += math.Float64frombits(v)
		}
		for k := range labels * outputs {
			n := int(uint32(words[tiles+k/2] >> (k % 2 * 32)))
			if k%outputs < labels {
				scores[i].Confusion[k/outputs][k%outputs] = n
			}
			if k/outputs == k%outputs {
				scores[i].Correct += n
			}
		}
		scores[i] = scores[i].Mean()
	}
	return scores, nil
}

// tiles returns the argument of a forward launch over the first samples of a set.
func (m *machine[T]) tiles(samples int) kernel.Params {
	return kernel.Params{End: uint64(samples), Steps: uint32((samples + tileRows - 1) / tileRows)}
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
	if err := m.supply(&a, s, m.evaluate.Image); err != nil {
		return nil, err
	}
	if err := errors.Join(m.launch(m.evaluate, a, address(m.parameters)), m.stream.Wait()); err != nil {
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
	return s.machine.scoreOne(ctx, set, address(s.parameters))
}

// Close implements vm.Snapshot.
func (s *snapshot[T]) Close() error { return s.parameters.Free() }

// sizeOf returns the size of an E in bytes.
func sizeOf[E driver.Scalar]() int { return int(reflect.TypeFor[E]().Size()) }
