package vm_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"sync"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/interpret"
	opener "trainer/graph/vm/machines"
)

// joined is a fleet that counts its passes, and notices two calls at the same time.
type joined struct {
	vm.Fleet
	mu     sync.Mutex
	passes []int           // runs of each
	ctx    context.Context // of the pass under way
	closed bool
}

func (j *joined) Train(ctx context.Context, runs []int, passes []vm.Pass) error {
	if !j.mu.TryLock() {
		return errors.New("two calls at a time")
	}
	defer j.mu.Unlock()
	j.passes, j.ctx = append(j.passes, len(runs)), ctx
	return j.Fleet.Train(ctx, runs, passes)
}

func (j *joined) Close() error {
	j.closed = true
	return j.Fleet.Close()
}

var sharedNetwork = model.Network{Layers: []int{9, 4, 3}, Bias: true, Precision: model.Float64}

func sharedMachine() (vm.VM, error) {
	return interpret.New(sharedNetwork, opener.Compiler(sharedNetwork, opener.Options{}))
}

func sharedSet(n int) *data.Set {
	s := &data.Set{Name: "shared", Rows: 3, Cols: 3, Classes: 3, Pixels: make([]uint8, 9*n), Labels: make([]uint8, n)}
	for i := range s.Pixels {
		s.Pixels[i] = uint8(i * 37)
	}
	for i := range s.Labels {
		s.Labels[i] = uint8(i % 3)
	}
	return s
}

// TestShare: runs with callers of their own, which make different numbers of passes over
// different sets, get the bits of a machine alone, and make passes together where they
// can. One that is stopped does not stop the others.
func TestShare(t *testing.T) {
	const runs = 4
	inner, err := vm.NewFleet(runs, sharedMachine)
	if err != nil {
		t.Fatal(err)
	}
	fleet := &joined{Fleet: inner}
	sets := []*data.Set{sharedSet(40), sharedSet(40), sharedSet(25)}
	members := vm.Share(fleet)
	var all sync.WaitGroup
	for r, f := range members {
		all.Go(func() {
			alone, err := sharedMachine()
			if err != nil {
				t.Error(err)
				return
			}
			p := model.Normal(sharedNetwork, 0.5, data.Stream(uint64(r), "shared", 0))
			if err := errors.Join(f.Load(sets[0]), f.SetParameters(0, p), alone.SetParameters(p)); err != nil {
				t.Error(err)
			}
			for epoch := range 3 + r {
				set := sets[0]
				if r == 3 {
					set = sets[1+epoch%2]
				}
				pass := vm.Pass{Set: set, Batch: 2, Rate: 0.3 + float64(r), Order: data.Shuffled(set.Len(), uint64(r), epoch)}
				if r == 1 {
					pass.Order = nil
				}
				ctx, cancel := context.WithCancel(context.Background())
				done := 0
				pass.Progress = func(n int) {
					if done = n; r == 2 && epoch == 1 && n > 9 {
						cancel()           // stops after a step
						<-fleet.ctx.Done() // it does not end before it has heard of it
					}
				}
				pass.Costs = make([]float64, pass.Steps())
				err := f.Train(ctx, []int{0}, []vm.Pass{pass})
				stopped := r == 2 && epoch == 1
				if stopped != errors.Is(err, context.Canceled) || !stopped && err != nil {
					t.Errorf("run %d, epoch %d: %v", r, epoch, err)
				}
				cancel()
				single := pass
				single.Progress, single.Costs = nil, make([]float64, pass.Steps())
				if stopped {
					single.Order, single.Costs = pass.Order[:done], nil
				} else if done != set.Len() {
					t.Errorf("run %d, epoch %d: %d samples done", r, epoch, done)
				}
				if err := alone.Train(context.Background(), single); err != nil {
					t.Error(err)
				}
				have, err := f.Parameters(0)
				want, err2 := alone.Parameters()
				if err := errors.Join(err, err2); err != nil || !reflect.DeepEqual(have, want) {
					t.Errorf("run %d, epoch %d: other parameters than alone, %v", r, epoch, err)
				}
				if single.Costs != nil && !reflect.DeepEqual(single.Costs, pass.Costs) {
					t.Errorf("run %d, epoch %d: costs %v, alone %v", r, epoch, pass.Costs, single.Costs)
				}
				scores, err := f.Evaluate(context.Background(), set, []int{0})
				if want, err2 := alone.Evaluate(context.Background(), set); err != nil || err2 != nil || !reflect.DeepEqual(scores, []vm.Score{want}) {
					t.Errorf("run %d: scores %v, alone %v, %v", r, scores, want, err)
				}
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if !fleet.closed {
		t.Error("the fleet is open")
	}
	if fleet.passes[0]+fleet.passes[1] != runs || fleet.passes[0] != 3 && fleet.passes[1] != 3 {
		t.Errorf("passes of %v runs: want the three over the same set together", fleet.passes)
	}
}

// failing is a fleet whose run 1 fails.
type failing struct{ vm.Fleet }

func (f failing) Train(ctx context.Context, runs []int, passes []vm.Pass) error {
	err := f.Fleet.Train(ctx, runs, passes)
	if slices.Contains(runs, 1) {
		err = errors.Join(err, &vm.RunsError{Failed: map[int]*vm.NonFiniteError{1: {Tensor: "cost", Step: 4}}})
	}
	return err
}

// TestShareFails: a run that fails is told so, as run 0; the others go on.
func TestShareFails(t *testing.T) {
	inner, err := vm.NewFleet(3, sharedMachine)
	if err != nil {
		t.Fatal(err)
	}
	set := sharedSet(10)
	var all sync.WaitGroup
	for r, f := range vm.Share(failing{inner}) {
		all.Go(func() {
			err := f.Train(context.Background(), []int{0}, []vm.Pass{{Set: set, Batch: 1, Rate: 0.1}})
			var some *vm.RunsError
			if r == 1 && (!errors.As(err, &some) || some.Failed[0] == nil || some.Failed[0].Step != 4) || r != 1 && err != nil {
				t.Errorf("run %d: %v", r, err)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}
