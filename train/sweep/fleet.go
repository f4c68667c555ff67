package sweep

import (
	"context"
	"errors"
	"reflect"
	"sync"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train/config"
)

// mostTogether is the largest number of runs that a fleet trains at a time. Each takes a
// block of a GPU, which has about as many places for blocks.
const mostTogether = 128

// together is some runs that a machine trains at the same time.
type together struct {
	sweep *Sweep
	runs  []config.Combination
}

// fleets takes those runs out that a machine trains better together: see vm.Fleeter.
func (s *Sweep) fleets(ctx context.Context, runs []config.Combination) (all []together, rest []config.Combination, err error) {
	type place struct{ device, machine string }
	better := map[place]bool{} // whether such machines are Fleeters
	var sets []*data.Dataset
	for _, c := range runs {
		at := place{c.Config.Device, c.Config.Machine}
		if _, known := better[at]; !known {
			m, err := s.Machine(c.Config, 1)
			if err != nil {
				return nil, nil, err
			}
			_, better[at] = m.(vm.Fleeter)
			if err := m.Close(); err != nil {
				return nil, nil, err
			}
		}
		if !better[at] {
			rest = append(rest, c)
			continue
		}
		d, _, err := s.sets.open(ctx, s, c.Config)
		if err != nil {
			return nil, nil, err
		}
		i := 0
		for i < len(all) && (len(all[i].runs) == mostTogether || sets[i] != d || !sameMachine(all[i].runs[0].Config, c.Config)) {
			i++
		}
		if i == len(all) {
			all, sets = append(all, together{sweep: s}), append(sets, d)
		}
		all[i].runs = append(all[i].runs, c)
	}
	return all, rest, nil
}

// sameMachine reports whether one machine can train both runs together.
func sameMachine(a, b config.Config) bool {
	return reflect.DeepEqual(a.Network(), b.Network()) && a.Train.Batch == b.Train.Batch && a.Train.UpdateOrder == b.Train.UpdateOrder &&
		a.Device == b.Device && a.Machine == b.Machine
}

// train trains the runs together. Where they do not fit, it trains one half after the
// other.
func (t together) train(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	m, err := t.sweep.Machine(t.runs[0].Config, 0)
	if err != nil {
		return err
	}
	fleet, err := m.(vm.Fleeter).Fleet(len(t.runs))
	if err != nil {
		err = errors.Join(err, m.Close())
		if len(t.runs) == 1 {
			return err
		}
		for _, half := range [][]config.Combination{t.runs[:len(t.runs)/2], t.runs[len(t.runs)/2:]} {
			if err := (together{t.sweep, half}).train(ctx); err != nil {
				return err
			}
		}
		return nil
	}
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var all sync.WaitGroup
	for i, member := range vm.Share(fleet) {
		all.Go(func() {
			err := t.sweep.one(ctx, t.runs[i], func(config.Config) (vm.Fleet, string, error) { return member, m.Name(), nil })
			if err != nil {
				stop(err)
			}
			if err := member.Close(); err != nil { // also where the run was left alone
				stop(err)
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
