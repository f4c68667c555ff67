package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// team is a group of goroutines that share the chunks of a phase. An idle worker
// takes the next chunk, so a core that is busy with another process delays the phase
// by at most one chunk. Waiting workers spin, because a phase takes microseconds.
type team struct {
	work func(phase, chunk, chunks int)

	// left has in its lower half the number of chunks that no worker has taken
	// yet. Its upper half changes with each phase, so that a late worker cannot
	// take a chunk of another phase.
	left   atomic.Uint64
	done   atomic.Int64 // chunks of the phase that are finished
	phase  int          // written before left, while no chunk runs
	chunks int          // the same
	leave  atomic.Bool
	wait   sync.WaitGroup
}

// newTeam starts a team of workers. One of them is the caller of run.
func newTeam(workers int, work func(phase, chunk, chunks int)) *team {
	t := &team{work: work}
	for range workers - 1 {
		t.wait.Go(func() {
			for spins := 0; !t.leave.Load(); spins++ {
				if t.take() {
					spins = 0
				} else if spins > 4000 {
					runtime.Gosched()
				}
			}
		})
	}
	return t
}

// run runs the chunks of a phase and returns when all are done.
func (t *team) run(phase, chunks int) {
	t.phase, t.chunks = phase, chunks
	t.done.Store(0)
	t.left.Store((t.left.Load()>>32+1)<<32 | uint64(chunks))
	for t.take() {
	}
	for spins := 0; t.done.Load() < int64(chunks); spins++ {
		if spins > 4000 {
			runtime.Gosched()
		}
	}
}

// take runs the next chunk. It reports false if there is none.
func (t *team) take() bool {
	for {
		left := t.left.Load()
		n := int(uint32(left))
		if n == 0 {
			return false
		}
		if t.left.CompareAndSwap(left, left-1) {
			t.work(t.phase, n-1, t.chunks)
			t.done.Add(1)
			return true
		}
	}
}

// dismiss ends the goroutines.
func (t *team) dismiss() {
	t.leave.Store(true)
	t.wait.Wait()
}
