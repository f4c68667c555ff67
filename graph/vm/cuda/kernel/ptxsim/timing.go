package ptxsim

import (
	"container/heap"
	"slices"
)

// The estimate of cycles is for a multiprocessor with four schedulers, each of which
// issues at most one instruction a cycle, of the warps w, w + 4, … in order. An instruction
// waits for its operands. PTX is not what the device executes: ptxas merges
// instructions and adds some. So the estimate is for comparing kernels, and for the
// order of magnitude. Latencies are those that are published for Hopper; no GPU of
// ours has confirmed them.
const (
	barrierTime = 20
	timeALU     = 4
	timeDouble  = 8
	timeSpecial = 22 // ex2, rcp
	timeShuffle = 24
	timeShared  = 29
	timeL1      = 42
	timeL2      = 275
	timeDivide  = 40 // an integer division is a subroutine
)

// pipe is a unit of a scheduler that executes a kind of instruction.
type pipe uint8

const (
	pipeFloat pipe = iota
	pipeInteger
	pipeSpecial
	pipeMemory
	pipeNone // a parameter is a register
	pipes
)

// cost says which pipe executes an instruction, how often its scheduler issues it, for
// how long the pipe is then busy, and when the value is there.
type cost struct {
	pipe                 pipe
	issue, busy, latency int64
}

func costOf(op string, k kind) cost {
	switch op {
	case "ex2", "rcp":
		return cost{pipeSpecial, 1, 8, timeSpecial}
	case "shfl", "vote":
		return cost{pipeMemory, 1, 2, timeShuffle}
	case "ld", "st", "atom", "red":
		return cost{pipeMemory, 1, 1, timeALU}
	case "div", "rem":
		return cost{pipeInteger, 20, 20, timeDivide}
	}
	switch {
	case k.float && k.bytes == 8:
		return cost{pipeFloat, 1, 2, timeDouble}
	case k.float, op == "bra", op == "bar":
		return cost{pipeFloat, 1, 1, timeALU}
	case k.bytes == 8 && op != "mov" && op != "cvta" && op != "cvt":
		return cost{pipeInteger, 2, 4, timeALU}
	}
	return cost{pipeInteger, 1, 2, timeALU} // half of the lanes at once
}

// narrow corrects the costs of addresses of shared memory. PTX computes them in 64 bits;
// ptxas does it in 32, and joins a shift to the addition after it.
func (p *parser) narrow() {
	starts := []int{len(p.code)}
	for _, f := range p.functions {
		starts = append(starts, f.start)
	}
	slices.Sort(starts)
	for i, end := range starts[1:] {
		code, wide := p.code[starts[i]:end], map[int]bool{}
		narrow := func(in *instruction) bool {
			return in.do == compute && in.kind.bytes == 8 && !in.kind.float && slices.Contains([]string{"add", "shl", "cvt", "mov"}, in.op) && !wide[in.dst[0]]
		}
		for before := -1; before < len(wide); {
			before = len(wide)
			for k := range code {
				in := &code[k]
				if in.base >= 0 && in.space != shared {
					wide[in.base] = true
				}
				if narrow(in) {
					continue
				}
				for _, o := range in.src {
					wide[o] = true
				}
				for _, move := range in.moves {
					wide[move[0]] = true
				}
			}
		}
		for k := range code {
			switch in := &code[k]; {
			case !narrow(in):
			case in.op == "add":
				in.cost = costOf("add", kind{bytes: 4})
			default:
				in.cost = cost{pipeNone, 0, 0, 0}
			}
		}
	}
}

// scheduler says when a scheduler, and each of its pipes, is free.
type scheduler struct {
	free  int64
	pipes [pipes]int64
}

// costs returns the cost of in, and the scheduler of w.
func (s *machine) costs(w *warp, in *instruction) (cost, *scheduler) {
	c := in.cost
	if in.space == local && (in.do == load || in.do == store) {
		c = cost{pipeNone, 0, 0, 0}
	}
	return c, &w.block.schedulers[w.number%4]
}

// stall advances the clock of a warp to the cycle in which it can issue in, and reports
// whether that is later. Other warps may issue before it then.
func (s *machine) stall(w *warp, in *instruction) bool {
	c, unit := s.costs(w, in)
	t := max(unit.free, unit.pipes[c.pipe])
	wait := func(slot int) {
		if slot >= 0 {
			t = max(t, w.ready[slot])
		}
	}
	wait(in.guard)
	wait(in.base)
	for _, o := range in.src {
		wait(o)
	}
	if t <= w.clock {
		return false
	}
	w.clock = t
	return true
}

// issue issues in, and notes when the results are there.
func (s *machine) issue(w *warp, in *instruction) {
	c, unit := s.costs(w, in)
	t := w.clock
	unit.free, w.clock, unit.pipes[c.pipe] = t+c.issue, t+c.issue, t+c.busy
	for _, d := range in.dst {
		w.ready[d] = t + c.latency
	}
}

// accessTime notes when the values of an access are there.
func (s *machine) accessTime(w *warp, in *instruction, sp space, passes, sectors int) {
	latency := int64(1)
	switch sp {
	case shared:
		at := max(w.clock, w.block.port)
		w.block.port = at + int64(passes)
		latency = at - w.clock + int64(passes) + timeShared
	case global:
		latency = timeL2 + int64(sectors)/2
		if !in.strong && in.do == load && s.hit {
			latency = timeL1 + int64(sectors)/2
		}
	}
	for _, d := range in.dst {
		w.ready[d] = max(w.ready[d], w.clock+latency)
	}
}

// stamp makes a strong load see a strong store no earlier than a trip to the L2 cache
// after it was made.
func (s *machine) stamp(w *warp, in *instruction, at place) {
	if s.stamps == nil {
		s.stamps = map[int]int64{}
	}
	if in.do != load {
		s.stamps[at.offset] = max(s.stamps[at.offset], w.clock)
		return
	}
	for _, d := range in.dst {
		w.ready[d] = max(w.ready[d], s.stamps[at.offset]+timeL2)
	}
}

// byClock is a heap of the warps that are not done or waiting: the least far first.
type byClock []*warp

func (h byClock) Len() int           { return len(h) }
func (h byClock) Less(i, k int) bool { return h[i].clock < h[k].clock }
func (h byClock) Swap(i, k int)      { h[i], h[k] = h[k], h[i] }
func (h *byClock) Push(w any)        { *h = append(*h, w.(*warp)) }
func (h *byClock) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// inTime executes the warps until all of them wait: always the one that is least far,
// until it is further than the next.
func (s *machine) inTime(warps []*warp) int {
	h := byClock(append([]*warp(nil), warps...))
	heap.Init(&h)
	total := 0
	for len(h) > 0 && !s.stop && s.counts.Instructions <= s.options.Limit {
		w := heap.Pop(&h).(*warp)
		more := func() bool { return len(h) == 0 || w.clock <= h[0].clock }
		n := s.turn(w, 1<<20, more)
		total += n
		if anyRuns(w) {
			heap.Push(&h, w)
			continue
		}
		// The block may be released while others still run.
		if _, released := s.release(w.block); released {
			for _, o := range w.block.warps {
				heap.Push(&h, o)
			}
		}
	}
	return total
}

func anyRuns(w *warp) bool {
	for _, st := range w.state {
		if st == running {
			return true
		}
	}
	return false
}
