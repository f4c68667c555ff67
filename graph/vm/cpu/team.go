package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// team is a group of goroutines that share the chunks of a phase. A worker takes the
// chunks of its own share first, so that what it works on stays in the cache of its core
// from step to step. Then it takes what others have left, so a core that is busy with
// another process delays the phase by at most one chunk. Waiting workers spin, because a
// phase takes microseconds.
type team struct {
	work    func(phase, chunk, chunks int)
	workers int

	// current has the number of the present phase in its upper half and the number of
	// its chunks in the lower one. taken[c] is the number of the last phase in which a
	// worker took chunk c: all chunks are taken before the next phase begins, so a late
	// worker finds none in a phase that is over.
	current atomic.Uint64
	taken   []atomic.Uint64
	done    atomic.Int64 // chunks of the phase that are finished
	phase   int          // the argument of run; written before current, while no chunk runs
	leave   atomic.Bool
	wait    sync.WaitGroup
}

// newTeam starts a team of workers. One of them is the caller of run. A phase has at most
// chunks chunks.
func newTeam(workers, chunks int, work func(phase, chunk, chunks int)) *team {
	t := &team{work: work, workers: workers, taken: make([]atomic.Uint64, chunks)}
	for w := 1; w < workers; w++ {
		t.wait.Go(func() {
			var seen uint64
			for spins := 0; !t.leave.Load(); spins++ {
				if now := t.current.Load(); now != seen {
					t.help(w, now)
					seen, spins = now, 0
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
	t.phase = phase
	t.done.Store(0)
	now := (t.current.Load()>>32+1)<<32 | uint64(chunks)
	t.current.Store(now)
	t.help(0, now)
	for spins := 0; t.done.Load() < int64(chunks); spins++ {
		if spins > 4000 {
			runtime.Gosched()
		}
	}
}

// help runs the chunks of a phase that worker w finds untaken.
func (t *team) help(w int, now uint64) {
	number, chunks := now>>32, int(uint32(now))
	for k := range chunks {
		c := (w*chunks/t.workers + k) % chunks
		if last := t.taken[c].Load(); last < number && t.taken[c].CompareAndSwap(last, number) {
			t.work(t.phase, c, chunks)
			t.done.Add(1)
		}
	}
}

// dismiss ends the goroutines.
func (t *team) dismiss() {
	t.leave.Store(true)
	t.wait.Wait()
}
