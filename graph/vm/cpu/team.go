package cpu

import (
	"runtime"
	"sync"
	"sync/atomic"
)

// team is some goroutines that do the pieces of a phase together. Who is free
// takes the next piece, so a core that another process holds up is not waited
// for, but for the piece that it has begun. They spin, since a phase takes
// microseconds.
type team struct {
	work func(phase, piece, pieces int)

	// left is the number of the phase's pieces that nobody has taken yet, in
	// the lower half; the upper half changes with each phase, so that whoever
	// is late cannot take a piece of the wrong one.
	left   atomic.Uint64
	done   atomic.Int64 // pieces of the phase that are finished
	phase  int          // written before left, and not while a piece is under way
	pieces int          // the same
	leave  atomic.Bool
	wait   sync.WaitGroup
}

// newTeam starts a team of so many, the caller of run included.
func newTeam(cores int, work func(phase, piece, pieces int)) *team {
	t := &team{work: work}
	for range cores - 1 {
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

// run does the pieces of a phase, and returns when all are done.
func (t *team) run(phase, pieces int) {
	t.phase, t.pieces = phase, pieces
	t.done.Store(0)
	t.left.Store((t.left.Load()>>32+1)<<32 | uint64(pieces))
	for t.take() {
	}
	for spins := 0; t.done.Load() < int64(pieces); spins++ {
		if spins > 4000 {
			runtime.Gosched()
		}
	}
}

// take does the next piece, if there is one.
func (t *team) take() bool {
	for {
		left := t.left.Load()
		n := int(uint32(left))
		if n == 0 {
			return false
		}
		if t.left.CompareAndSwap(left, left-1) {
			t.work(t.phase, n-1, t.pieces)
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
