package vm

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"trainer/data"
	"trainer/graph/model"
)

// Share gives each run of a fleet a fleet of its own, so that each can be trained by a
// caller of its own, in a goroutine of its own. Their passes are made together: a pass
// waits until every run that is not closed wants one. Passes over other sets, or of
// other sizes, are made one after the other.
//
// The fleet itself must not be used any more. It is closed with the last of its runs.
func Share(f Fleet) []Fleet {
	s := &shared{fleet: f, open: f.Len()}
	all := make([]Fleet, f.Len())
	for r := range all {
		all[r] = &member{shared: s, run: r}
	}
	return all
}

// shared is a fleet whose runs have callers of their own.
type shared struct {
	mu      sync.Mutex // of the fleet
	fleet   Fleet
	open    int // runs that are not closed
	waiting []*request
}

// request is a pass that waits for the others.
type request struct {
	ctx  context.Context
	run  int
	pass Pass
	done int        // samples visited
	end  chan error // takes the result
}

// member is one run of a shared fleet.
type member struct {
	shared *shared
	run    int
	closed bool
}

// locked calls do while nothing else uses the fleet.
func (m *member) locked(do func(f Fleet) error) error {
	m.shared.mu.Lock()
	defer m.shared.mu.Unlock()
	return do(m.shared.fleet)
}

// Len implements Fleet.
func (m *member) Len() int { return 1 }

// Network implements Fleet.
func (m *member) Network() model.Network { return m.shared.fleet.Network() }

// Load implements Fleet.
func (m *member) Load(set *data.Set) error {
	return m.locked(func(f Fleet) error { return f.Load(set) })
}

// Unload implements Fleet.
func (m *member) Unload(set *data.Set) error {
	return m.locked(func(f Fleet) error { return f.Unload(set) })
}

// SetParameters implements Fleet.
func (m *member) SetParameters(run int, p model.Parameters) error {
	if err := CheckRuns([]int{run}, 1); err != nil {
		return err
	}
	return m.locked(func(f Fleet) error { return f.SetParameters(m.run, p) })
}

// Parameters implements Runs.
func (m *member) Parameters(run int) (p model.Parameters, err error) {
	if err := CheckRuns([]int{run}, 1); err != nil {
		return nil, err
	}
	err = m.locked(func(f Fleet) (err error) {
		p, err = f.Parameters(m.run)
		return err
	})
	return p, err
}

// Evaluate implements Runs.
func (m *member) Evaluate(ctx context.Context, set *data.Set, runs []int) (scores []Score, err error) {
	if err := CheckRuns(runs, 1); err != nil || len(runs) == 0 {
		return nil, err
	}
	err = m.locked(func(f Fleet) (err error) {
		scores, err = f.Evaluate(ctx, set, []int{m.run})
		return err
	})
	return scores, err
}

// Snapshot implements Fleet: the runs use the whole machine.
func (m *member) Snapshot(int) (Runs, error) { return nil, nil }

// Close implements Runs.
func (m *member) Close() error {
	if m.closed {
		return nil
	}
	m.closed = true
	return m.locked(func(f Fleet) error {
		m.shared.open--
		if m.shared.open == 0 {
			return f.Close()
		}
		m.shared.start()
		return nil
	})
}

// Train implements Fleet. If another run of the fleet stops the pass, it goes on from
// where it stopped.
func (m *member) Train(ctx context.Context, runs []int, passes []Pass) error {
	if err := CheckPasses(runs, passes, 1); err != nil || len(runs) == 0 {
		return err
	}
	pass, from := passes[0], 0
	for {
		r := &request{ctx: ctx, run: m.run, pass: pass, end: make(chan error, 1)}
		r.pass.Progress = func(done int) {
			r.done = done
			if pass.Progress != nil {
				pass.Progress(from + done)
			}
		}
		if pass.Partial != nil {
			r.pass.Partial = func(visited int) { pass.Partial(from + visited) }
		}
		if from > 0 {
			if r.pass.Order == nil {
				r.pass.Order = data.FileOrder(pass.Set.Len())
			}
			r.pass.Order = r.pass.Order[from:]
			if pass.Costs != nil {
				r.pass.Costs = pass.Costs[from/pass.Batch:]
			}
		}
		m.shared.mu.Lock()
		m.shared.waiting = append(m.shared.waiting, r)
		m.shared.start()
		m.shared.mu.Unlock()
		err := <-r.end
		var some *RunsError
		if errors.As(err, &some) {
			some.Failed[0].Step += from / pass.Batch
			return err
		}
		if !errors.Is(err, errOtherStopped) {
			return err
		}
		from += r.done
	}
}

// errOtherStopped ends a pass that another run of the fleet has stopped.
var errOtherStopped = errors.New("another run was stopped")

// start makes the passes that wait, if every open run has one. The caller holds mu.
func (s *shared) start() {
	if len(s.waiting) == 0 || len(s.waiting) < s.open {
		return
	}
	all := s.waiting
	s.waiting = nil
	for len(all) > 0 {
		first := all[0]
		var group, rest []*request
		for _, r := range all {
			if r.pass.Set == first.pass.Set && r.pass.Batch == first.pass.Batch && r.pass.Samples() == first.pass.Samples() {
				group = append(group, r)
			} else {
				rest = append(rest, r)
			}
		}
		s.train(group)
		all = rest
	}
}

// train makes the passes of a group together.
func (s *shared) train(group []*request) {
	slices.SortFunc(group, func(a, b *request) int { return a.run - b.run })
	ctx, stop := context.WithCancel(context.WithoutCancel(group[0].ctx))
	defer stop()
	var runs []int
	var passes []Pass
	for _, r := range group {
		runs, passes = append(runs, r.run), append(passes, r.pass)
		defer context.AfterFunc(r.ctx, stop)()
	}
	err := s.fleet.Train(ctx, runs, passes)
	var some *RunsError
	failed := errors.As(err, &some)
	stopped := err != nil && errors.Is(err, context.Canceled)
	for _, r := range group {
		switch {
		case failed && some.Failed[r.run] != nil:
			r.end <- fmt.Errorf("run %d: %w", r.run, &RunsError{Failed: map[int]*NonFiniteError{0: some.Failed[r.run]}})
		case stopped && r.ctx.Err() != nil:
			r.end <- r.ctx.Err()
		case stopped && r.done < r.pass.Samples():
			r.end <- errOtherStopped
		case err == nil || failed || stopped:
			r.end <- nil
		default:
			r.end <- err
		}
	}
}
