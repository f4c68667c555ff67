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

// NewFleet makes a fleet of runs of a network.
type NewFleet func(n model.Network, runs int) (vm.Fleet, error)

// RunFleet runs the suite of fleets: each run gets the same bits as on a
// machine of newVM alone.
func RunFleet(t *testing.T, newVM New, newFleet NewFleet) {
	for _, precision := range []model.Precision{model.Float32, model.Float64} {
		t.Run(precision.String(), func(t *testing.T) {
			s := fleetSuite{suite{newVM: newVM, precision: precision}, newFleet}
			t.Run("Alone", s.alone)
			t.Run("One", s.one)
			t.Run("SitOut", s.sitOut)
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

// fleet makes a fleet of runs with these parameters. It is closed with the test.
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

func parametersOfRun(t *testing.T, f vm.Runs, run int) model.Parameters {
	t.Helper()
	p, err := f.Parameters(run)
	must(t, err)
	return p
}

// alone: each run has its own parameters, orders and rates. After each of two
// passes, its parameters, costs and scores are those of a machine alone.
func (s fleetSuite) alone(t *testing.T) {
	const count, samples = 4, 21
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
				for r := range uint64(count) {
					parameters = append(parameters, randomParameters(n, 52+r))
					machines = append(machines, s.machine(t, n, parameters[r]))
				}
				f := s.fleet(t, n, parameters...)
				must(t, f.Load(set))
				for epoch := 1; epoch <= 2; epoch++ {
					done := make([]int, count)
					var passes, single []vm.Pass
					for r := range count {
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
					must(t, f.Train(ctx, all(f), passes))
					scores, err := f.Evaluate(ctx, test, all(f))
					must(t, err)
					for r, m := range machines {
						what := fmt.Sprintf("epoch %d, run %d", epoch, r)
						train(t, m, single[r])
						same(t, what, parametersOfRun(t, f, r), parametersOf(t, m))
						nearValues(t, what+": costs", passes[r].Costs, single[r].Costs, 0)
						if want := evaluate(t, m, test); !reflect.DeepEqual(scores[r], want) {
							t.Errorf("%s: score %+v, alone %+v", what, scores[r], want)
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

// one: a fleet of one run gets the bits and scores of the machine alone, also
// from a snapshot that is evaluated after the next pass.
func (s fleetSuite) one(t *testing.T) {
	ctx := context.Background()
	n := s.network(true, 16, 5, 4)
	p, set := randomParameters(n, 70), randomSet(n, 21, 71)
	f, alone := s.fleet(t, n, p), s.machine(t, n, p)
	must(t, f.Load(set))
	for _, batch := range []int{1, 4} {
		pass := vm.Pass{Set: set, Batch: batch, Rate: 0.1}
		for range 2 {
			must(t, f.Train(ctx, all(f), []vm.Pass{pass}))
			train(t, alone, pass)
			want, score := parametersOf(t, alone), evaluate(t, alone, set)
			same(t, "fleet of one", parametersOfRun(t, f, 0), want)
			scores, err := f.Evaluate(ctx, set, all(f))
			must(t, err)
			if !reflect.DeepEqual(scores, []vm.Score{score}) {
				t.Errorf("batch %d: scores %+v, alone %+v", batch, scores, score)
			}
			before, err := f.Snapshot(batch)
			must(t, err)
			if (before != nil) != alone.LeavesCoresIdle(batch) {
				t.Errorf("batch %d: snapshot %v, and the machine leaves cores idle: %t", batch, before, alone.LeavesCoresIdle(batch))
			}
			if before == nil {
				continue
			}
			must(t, f.Train(ctx, all(f), []vm.Pass{pass}))
			train(t, alone, pass)
			same(t, "snapshot of a fleet of one", parametersOfRun(t, before, 0), want)
			scores, err = before.Evaluate(ctx, set, all(f))
			must(t, err)
			if !reflect.DeepEqual(scores, []vm.Score{score}) {
				t.Errorf("batch %d: scores of the snapshot %+v, alone %+v", batch, scores, score)
			}
			must(t, before.Close())
		}
	}
	must(t, f.Train(ctx, nil, nil))
	same(t, "after no pass", parametersOfRun(t, f, 0), parametersOf(t, alone))
	for what, err := range map[string]error{
		"run 1":             f.SetParameters(1, p),
		"parameters of 1":   second(f.Parameters(1)),
		"a pass of 1":       f.Train(ctx, []int{1}, []vm.Pass{{Set: set, Batch: 1}}),
		"two runs":          f.Train(ctx, []int{0, 0}, make([]vm.Pass, 2)),
		"no pass for a run": f.Train(ctx, []int{0}, nil),
		"evaluation of 1":   second(f.Evaluate(ctx, set, []int{1})),
	} {
		if err == nil {
			t.Errorf("fleet of one: %s: no error", what)
		}
	}
}

// sitOut: a run without a pass keeps its parameters, and goes on later as if
// nothing had happened.
func (s fleetSuite) sitOut(t *testing.T) {
	ctx := context.Background()
	n := s.network(true, 16, 5, 4)
	set := randomSet(n, 21, 72)
	for _, batch := range []int{1, 4} {
		var parameters []model.Parameters
		var machines []vm.VM
		for r := range uint64(3) {
			parameters = append(parameters, randomParameters(n, 73+r))
			machines = append(machines, s.machine(t, n, parameters[r]))
		}
		f := s.fleet(t, n, parameters...)
		for _, runs := range [][]int{{0, 1, 2}, {0, 2}, {2}, {}, {0, 1}} {
			var passes []vm.Pass
			for _, r := range runs {
				p := vm.Pass{Set: set, Order: data.Shuffled(set.Len(), uint64(r), 1), Batch: batch, Rate: 0.1 * float64(r+1)}
				passes = append(passes, p)
				train(t, machines[r], p)
			}
			must(t, f.Train(ctx, runs, passes))
			scores, err := f.Evaluate(ctx, set, runs)
			must(t, err)
			if len(scores) != len(runs) {
				t.Fatalf("%d scores of the runs %v", len(scores), runs)
			}
			for i, r := range runs {
				if want := evaluate(t, machines[r], set); !reflect.DeepEqual(scores[i], want) {
					t.Errorf("passes of %v: score of run %d %+v, alone %+v", runs, r, scores[i], want)
				}
			}
			for r, m := range machines {
				same(t, fmt.Sprintf("passes of %v: run %d", runs, r), parametersOfRun(t, f, r), parametersOf(t, m))
			}
		}
	}
}

// failed: a run that fails does not disturb the others, sits out, and comes
// back with new parameters.
func (s fleetSuite) failed(t *testing.T) {
	ctx := context.Background()
	n, p, set, rate := s.overflow([]int{4, 2, 1})
	f := s.fleet(t, n, p, p, p)
	alone := s.machine(t, n, p)
	good := vm.Pass{Set: set, Batch: 3, Rate: 0.5} // the last step, which is ragged, comes after the failure
	bad := good
	bad.Rate = rate
	want := map[int]*vm.NonFiniteError{1: {Tensor: "layers.0.weight", Step: 1}}
	var some *vm.RunsError
	if err := f.Train(ctx, all(f), []vm.Pass{good, bad, good}); !errors.As(err, &some) || !reflect.DeepEqual(some.Failed, want) {
		t.Fatalf("%v, want %v", err, &vm.RunsError{Failed: want})
	}
	train(t, alone, good)
	for range 2 {
		for _, r := range []int{0, 2} {
			same(t, fmt.Sprintf("run %d", r), parametersOfRun(t, f, r), parametersOf(t, alone))
		}
		must(t, f.Train(ctx, []int{0, 2}, []vm.Pass{good, good}))
		train(t, alone, good)
	}
	must(t, f.SetParameters(1, p))
	must(t, f.Train(ctx, all(f), []vm.Pass{good, good, good}))
	again := s.machine(t, n, p)
	train(t, again, good)
	same(t, "run 1 again", parametersOfRun(t, f, 1), parametersOf(t, again))
	one := s.fleet(t, n, p)
	if err := one.Train(ctx, all(one), []vm.Pass{bad}); !errors.As(err, &some) || !reflect.DeepEqual(some.Failed, map[int]*vm.NonFiniteError{0: want[1]}) {
		t.Errorf("a fleet of one: %v, want %v of run 0", err, want[1])
	}
}

// cancel: each run stops after a whole step.
func (s fleetSuite) cancel(t *testing.T) {
	n := s.network(true, 16, 4)
	a, b := randomParameters(n, 60), randomParameters(n, 61)
	f := s.fleet(t, n, a, b)
	pass := vm.Pass{Set: randomSet(n, 20000, 62), Batch: 8, Rate: 0.1}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	first := pass
	first.Progress = func(int) { cancel() }
	if err := f.Train(ctx, all(f), []vm.Pass{first, first}); !errors.Is(err, context.Canceled) {
		t.Fatalf("cancelled pass: %v, want %v", err, context.Canceled)
	}
	steps := 0
	for r, p := range []model.Parameters{a, b} {
		steps += stepsTo(t, s.machine(t, n, p), pass, parametersOfRun(t, f, r))
	}
	if steps == 0 {
		t.Error("the pass reported progress, and made no step")
	}
	if _, err := f.Evaluate(ctx, pass.Set, all(f)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled evaluation: %v, want %v", err, context.Canceled)
	}
}

// refuses: what does not fit is an error, and changes nothing.
func (s fleetSuite) refuses(t *testing.T) {
	ctx := context.Background()
	n := s.network(true, 16, 5, 4)
	p := randomParameters(n, 63)
	f := s.fleet(t, n, p, p)
	pass := vm.Pass{Set: randomSet(n, 6, 64), Batch: 1, Rate: 0.1}
	other, large, few := pass, pass, pass
	other.Set = randomSet(n, 6, 65)
	large.Batch = 2
	few.Order = []int32{1, 2}
	wide := randomSet(s.network(true, 17, 4), 6, 66)
	train := func(passes ...vm.Pass) error { return f.Train(ctx, all(f), passes) }
	for what, err := range map[string]error{
		"one pass for two":        train(pass),
		"another set":             train(pass, other),
		"another batch":           train(pass, large),
		"fewer samples":           train(pass, few),
		"set of 17 pixels":        train(vm.Pass{Set: wide, Batch: 1}, vm.Pass{Set: wide, Batch: 1}),
		"load of 17 pixels":       f.Load(wide),
		"evaluation of 17 pixels": second(f.Evaluate(ctx, wide, all(f))),
		"a pass of run 2":         f.Train(ctx, []int{2}, []vm.Pass{pass}),
		"runs out of order":       f.Train(ctx, []int{1, 0}, []vm.Pass{pass, pass}),
		"evaluation of run 2":     second(f.Evaluate(ctx, pass.Set, []int{2})),
		"parameters of run 2":     f.SetParameters(2, p),
		"parameters of one layer": f.SetParameters(1, p[:1]),
		"run −1":                  second(f.Parameters(-1)),
		"fleet of none":           second(s.newFleet(n, 0)),
	} {
		if err == nil {
			t.Errorf("%s: no error", what)
		}
	}
	for r := range 2 {
		same(t, "after all of it", parametersOfRun(t, f, r), p)
	}
}

// all lists the runs of a fleet.
func all(f vm.Fleet) []int {
	runs := make([]int, f.Len())
	for r := range runs {
		runs[r] = r
	}
	return runs
}

func evaluate(t *testing.T, m vm.VM, set *data.Set) vm.Score {
	t.Helper()
	s, err := m.Evaluate(context.Background(), set)
	must(t, err)
	return s
}
