package sweep

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
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
	type kind struct { // of machine
		first  config.Config
		better bool
	}
	var kinds []kind
	var sets []*data.Dataset // of all
	for _, c := range runs {
		i := slices.IndexFunc(kinds, func(k kind) bool { return sameMachine(k.first, c.Config) })
		if i < 0 {
			better, err := s.isBetter(c.Config)
			if err != nil {
				return nil, nil, fmt.Errorf("%s: %w", s.Name(c), err)
			}
			i, kinds = len(kinds), append(kinds, kind{c.Config, better})
		}
		if !kinds[i].better {
			rest = append(rest, c)
			continue
		}
		d, _, err := s.sets.open(ctx, s, c.Config)
		if err != nil {
			return nil, nil, err
		}
		i = 0
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

// isBetter reports whether the machine of a run trains several together.
func (s *Sweep) isBetter(c config.Config) (bool, error) {
	m, err := s.Machine(c, 1, s.alike(c))
	if err != nil {
		return false, err
	}
	_, better := m.(vm.Fleeter)
	return better, m.Close()
}

// alike returns how many runs of the sweep a machine could train together with a run,
// itself included. It does not depend on which of them have ended, or are of this shard:
// so a run has the same kind of machine whenever it is trained.
func (s *Sweep) alike(c config.Config) (n int) {
	for _, other := range s.Plan.Combinations {
		if sameMachine(c, other.Config) {
			n++
		}
	}
	return min(n, mostTogether)
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
	c := t.runs[0].Config
	m, err := t.sweep.Machine(c, 0, t.sweep.alike(c))
	if err != nil {
		return err
	}
	own, ok := m.(vm.Fleeter)
	if !ok { // it was one a moment ago
		return errors.Join(fmt.Errorf("the machine %s does not train several runs", m.Name()), m.Close())
	}
	fleet, err := own.Fleet(len(t.runs))
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
