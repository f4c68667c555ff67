package vmtest

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// NewFleet makes a fleet of so many replicas of a network.
type NewFleet func(n model.Network, replicas int) (vm.Fleet, error)

// RunFleet runs the suite of fleets: whatever a replica does, a machine of
// newVM alone does to the bit.
func RunFleet(t *testing.T, newVM New, newFleet NewFleet) {
	for _, precision := range []model.Precision{model.Float32, model.Float64} {
		t.Run(precision.String(), func(t *testing.T) {
			s := fleetSuite{suite{newVM: newVM, precision: precision}, newFleet}
			t.Run("Alone", s.alone)
			t.Run("Failed", s.failed)
			t.Run("Cancel", s.cancel)
			t.Run("Refuses", s.refuses)
		})
	}
}

type fleetSuite struct {
	suite
	newFleet NewFleet
}

// fleet makes a fleet with these parameters that is closed with the test.
func (s fleetSuite) fleet(t *testing.T, n model.Network, parameters ...model.Parameters) vm.Fleet {
	t.Helper()
	f, err := s.newFleet(n, len(parameters))
	must(t, err)
	t.Cleanup(func() { must(t, f.Close()) })
	if f.Len() != len(parameters) || f.Network().String() != n.String() {
		t.Fatalf("fleet of %d of %v, want %d of %v", f.Len(), f.Network(), len(parameters), n)
	}
	for r, p := range parameters {
		must(t, f.SetParameters(r, p))
	}
	return f
}

func replica(t *testing.T, f vm.Fleet, r int) model.Parameters {
	t.Helper()
	p, err := f.Parameters(r)
	must(t, err)
	return p
}

// alone: two passes with parameters, orders and rates of each replica's own,
// and evaluations after each, give what each gives alone: parameters, costs and
// scores.
func (s fleetSuite) alone(t *testing.T) {
	const replicas, samples = 4, 21
	ctx := context.Background()
	tanh := s.network(true, 9, 7, 5, 3)
	tanh.Activation = model.Tanh
	networks := []model.Network{tanh, s.network(false, 35, 17, 2)}
	if !testing.Short() {
		networks = append(networks, s.network(true, 784, 50, 10))
	}
	for _, n := range networks {
		for _, batch := range []int{1, 4} { // the second with a ragged end
			t.Run(fmt.Sprintf("%v batch %d", n, batch), func(t *testing.T) {
				set, test := randomSet(n, samples, 50), randomSet(n, 33, 51)
				var parameters []model.Parameters
				var machines []vm.VM
				for r := range uint64(replicas) {
					parameters = append(parameters, randomParameters(n, 52+r))
					machines = append(machines, s.machine(t, n, parameters[r]))
				}
				f := s.fleet(t, n, parameters...)
				must(t, f.Load(set))
				for epoch := 1; epoch <= 2; epoch++ {
					done := make([]int, replicas)
					var passes, single []vm.Pass
					for r := range replicas {
						p := vm.Pass{Set: set, Order: data.Shuffled(samples, uint64(r), epoch), Batch: batch, Rate: 0.1 * float64(r+1)}
						if r == 3 {
							p.Order = nil // the set's order, among others of their own
						}
						p.Costs = make([]float64, p.Steps())
						single = append(single, p)
						p.Costs = make([]float64, p.Steps())
						p.Progress = func(now int) { done[r] = now }
						passes = append(passes, p)
					}
					must(t, f.Train(ctx, passes))
					scores, err := f.Evaluate(ctx, test)
					must(t, err)
					for r, m := range machines {
						what := fmt.Sprintf("epoch %d, replica %d", epoch, r)
						train(t, m, single[r])
						same(t, what, replica(t, f, r), parametersOf(t, m))
						nearValues(t, what+": costs", passes[r].Costs, single[r].Costs, 0)
						score, err := m.Evaluate(ctx, test)
						must(t, err)
						if !reflect.DeepEqual(scores[r], score) {
							t.Errorf("%s: score %+v, alone %+v", what, scores[r], score)
						}
						if done[r] != samples {
							t.Errorf("%s: progress ends at %d of %d", what, done[r], samples)
						}
					}
				}
			})
		}
	}
}

// failed: a replica that fails does not disturb the others, is passed by, and
// comes back with new parameters.
func (s fleetSuite) failed(t *testing.T) {
	ctx := context.Background()
	n, p, set, rate := s.overflow()
	f := s.fleet(t, n, p, p, p)
	alone := s.machine(t, n, p)
	passes := make([]vm.Pass, 3)
	for r := range passes {
		passes[r] = vm.Pass{Set: set, Batch: 3, Rate: 0.5} // the last step, which is ragged, comes after the failure
	}
	passes[1].Rate = rate
	for epoch := range 2 {
		err := f.Train(ctx, passes)
		var some *vm.ReplicasError
		var bad *vm.NonFiniteError
		switch want := (vm.NonFiniteError{Tensor: "layers.0.weight", Step: 1}); {
		case epoch == 1:
			must(t, err) // the replica is passed by
		case !errors.As(err, &some) || len(some.Failed) != 1 || some.Failed[1] == nil || *some.Failed[1] != want:
			t.Fatalf("%v, want %+v of replica 1", err, want)
		case !errors.As(err, &bad):
			t.Error("the replicas' error does not hold the replica's")
		}
		train(t, alone, passes[0])
		for _, r := range []int{0, 2} {
			same(t, fmt.Sprintf("replica %d", r), replica(t, f, r), parametersOf(t, alone))
		}
		scores, err := f.Evaluate(ctx, set)
		must(t, err)
		if scores[0].Samples != set.Len() || scores[1].Samples != 0 || scores[2].Samples != set.Len() {
			t.Errorf("scores %+v, want none of replica 1", scores)
		}
	}
	must(t, f.SetParameters(1, p))
	passes[1].Rate = 0.5
	must(t, f.Train(ctx, passes))
	again := s.machine(t, n, p)
	train(t, again, passes[1])
	same(t, "replica 1 again", replica(t, f, 1), parametersOf(t, again))
}

// cancel: each replica stops after a whole step.
func (s fleetSuite) cancel(t *testing.T) {
	n := s.network(true, 16, 4)
	a, b := randomParameters(n, 60), randomParameters(n, 61)
	f := s.fleet(t, n, a, b)
	pass := vm.Pass{Set: randomSet(n, 20000, 62), Batch: 8, Rate: 0.1}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := pass
	first.Progress = func(int) { cancel() }
	if err := f.Train(ctx, []vm.Pass{first, first}); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled pass: %v, want %v", err, context.Canceled)
	}
	steps := 0
	for r, p := range []model.Parameters{a, b} {
		steps += stepsTo(t, s.machine(t, n, p), pass, replica(t, f, r))
	}
	if steps == 0 {
		t.Error("the pass reported progress, and made no step")
	}
	if _, err := f.Evaluate(ctx, pass.Set); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled evaluation: %v, want %v", err, context.Canceled)
	}
}

// refuses: what does not fit is an error, and changes nothing.
func (s fleetSuite) refuses(t *testing.T) {
	n := s.network(true, 16, 5, 4)
	p := randomParameters(n, 63)
	f := s.fleet(t, n, p, p)
	pass := vm.Pass{Set: randomSet(n, 6, 64), Batch: 1, Rate: 0.1}
	other, large, few := pass, pass, pass
	other.Set = randomSet(n, 6, 65)
	large.Batch = 2
	few.Order = []int32{1, 2}
	wide := randomSet(s.network(true, 17, 4), 6, 66)
	train := func(passes ...vm.Pass) error { return f.Train(context.Background(), passes) }
	_, evaluate := f.Evaluate(context.Background(), wide)
	for what, err := range map[string]error{
		"one pass for two":        train(pass),
		"another set":             train(pass, other),
		"another batch":           train(pass, large),
		"fewer samples":           train(pass, few),
		"set of 17 pixels":        train(vm.Pass{Set: wide, Batch: 1}, vm.Pass{Set: wide, Batch: 1}),
		"load of 17 pixels":       f.Load(wide),
		"evaluation of 17 pixels": evaluate,
		"parameters of replica 2": f.SetParameters(2, p),
		"parameters of one layer": f.SetParameters(1, p[:1]),
		"replica −1":              second(f.Parameters(-1)),
		"fleet of none":           second(s.newFleet(n, 0)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	for r := range 2 {
		same(t, "after all of it", replica(t, f, r), p)
		replica(t, f, r)[0].Weight[0] = 7 // the caller's copy
		same(t, "after the caller's copy changed", replica(t, f, r), p)
	}
}
