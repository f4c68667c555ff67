package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// team is some goroutines that run the phases of a step together: all run a
// phase, each its part, and none begins the next before all are done. They wait
// for each other by spinning, since a phase takes microseconds.
type team struct {
	parts  int
	phases int
	work   func(phase, part, parts int)

	arrived atomic.Int32
	rounds  atomic.Uint32 // of the barrier
	leave   bool          // read behind the barrier
	wait    sync.WaitGroup
}

// newTeam starts a team of so many, the caller of run included.
func newTeam(parts int, work func(phase, part, parts int)) *team {
	t := &team{parts: parts, work: work}
	for part := 1; part < parts; part++ {
		t.wait.Go(func() {
			for {
				t.barrier() // for run, or dismiss
				if t.leave {
					return
				}
				t.share(part)
			}
		})
	}
	return t
}

// run runs the phases 0..phases-1.
func (t *team) run(phases int) {
	t.phases = phases
	t.barrier()
	t.share(0)
}

func (t *team) share(part int) {
	for phase := range t.phases {
		t.work(phase, part, t.parts)
		t.barrier()
	}
}

// dismiss ends the goroutines.
func (t *team) dismiss() {
	t.leave = true
	t.barrier()
	t.wait.Wait()
}

// barrier returns when all have called it.
func (t *team) barrier() {
	round := t.rounds.Load()
	if t.arrived.Add(1) == int32(t.parts) {
		t.arrived.Store(0)
		t.rounds.Add(1)
		return
	}
	for spins := 0; t.rounds.Load() == round; spins++ {
		if spins > 4000 {
			runtime.Gosched()
		}
	}
}
