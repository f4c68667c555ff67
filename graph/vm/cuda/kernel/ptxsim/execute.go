package ptxsim

import (
	"fmt"
	"math/bits"
	"slices"
)

// state is what a lane does.
type state uint8

const (
	running state = iota
	atBarrier
	atWarpSync
	atShuffle
	done
)

var stateNames = [...]string{"runs", "waits at a barrier", "waits at a barrier of the warp", "waits at a shuffle", "is done"}

// file is the registers of a warp: slots of 32 lanes. undefined has the lanes
// without a value, ready the cycle in which the value is there.
type file struct {
	reg       [][32]uint64
	undefined []uint32
	ready     []int64
}

// warp is 32 threads.
type warp struct {
	*file
	block   *block
	number  int
	pc      [32]int
	state   [32]state
	stack   [32][]int // the calls that a lane is in
	local   []byte
	defined []bool // of local
	sync    uint32 // barriers of the warp so far
	clock   int64
	waited  int64 // for other warps at barriers
}

// block is a block of threads.
type block struct {
	number  int
	warps   []*warp
	shared  []byte
	defined []bool
	words   []access
	epoch   uint32 // barriers so far

	// Of a cooperative launch: for each block, before which of its barriers this
	// block has seen everything; what it has acquired and sees after the next
	// barrier; and what was released at each word, which all blocks share.
	seen, coming []uint32
	published    map[int][]uint32

	cache, held map[int]byte // Options.Weak

	schedulers [4]scheduler
	port       int64 // when shared memory is free
	l1         map[int]bool
}

func (s *machine) newBlock(f *function, number int) *block {
	b := &block{
		number: number, shared: make([]byte, s.launch.Shared), defined: make([]bool, s.launch.Shared), words: make([]access, s.launch.Shared/4+4),
		cache: map[int]byte{}, held: map[int]byte{}, l1: map[int]bool{},
	}
	for i := range b.shared {
		b.shared[i] = 0xff
	}
	if s.launch.Cooperative {
		b.seen, b.coming = make([]uint32, s.launch.Grid), make([]uint32, s.launch.Grid)
		if s.published == nil {
			s.published = map[int][]uint32{}
		}
		b.published = s.published
	}
	p := s.program
	for k := range s.launch.Block / 32 {
		w := &warp{block: b, number: k, local: make([]byte, 32*p.local), defined: make([]bool, 32*p.local)}
		if n := len(p.files); n > 0 {
			w.file, p.files = p.files[n-1], p.files[:n-1]
		} else {
			w.file = &file{make([][32]uint64, p.slots), make([]uint32, p.slots), make([]int64, p.slots)}
		}
		for i := range w.undefined {
			w.undefined[i], w.ready[i] = 1<<32-1, 0
		}
		for i := range specials + len(p.constants) {
			w.undefined[i] = 0
		}
		for lane := range 32 {
			w.reg[slotThread][lane], w.reg[slotThreads][lane] = uint64(k*32+lane), uint64(s.launch.Block)
			w.reg[slotBlock][lane], w.reg[slotBlocks][lane] = uint64(number), uint64(s.launch.Grid)
			for i, v := range p.constants {
				w.reg[specials+i][lane] = v
			}
			w.pc[lane] = f.start
			at := lane*p.local + f.parameters[0].offset
			copy(w.local[at:], s.launch.Argument)
			for i := range s.launch.Argument {
				w.defined[at+i] = true
			}
		}
		b.warps = append(b.warps, w)
	}
	return b
}

// run executes blocks together, until all of their threads are done.
func (s *machine) run(blocks []*block) {
	var warps []*warp
	for _, b := range blocks {
		warps = append(warps, b.warps...)
	}
	for idle := 0; !s.stop; {
		executed := 0
		if s.options.Timed {
			executed = s.inTime(warps)
		} else {
			s.random.Shuffle(len(warps), func(i, k int) { warps[i], warps[k] = warps[k], warps[i] })
			for _, w := range warps {
				executed += s.turn(w, 1+s.random.IntN(200), nil)
			}
		}
		live, released := 0, false
		for _, b := range blocks {
			n, r := s.release(b)
			live += n
			released = released || r
		}
		switch {
		case live == 0:
			return
		case executed == 0 && !released:
			if idle++; idle > 1 {
				s.fault(nil, "threads wait forever", s.where(warps))
				return
			}
		default:
			idle = 0
		}
		if s.counts.Instructions > s.options.Limit {
			if len(s.faults) == 0 {
				s.fault(nil, fmt.Sprintf("more than %d instructions", s.options.Limit), s.where(warps))
			}
			s.stop = true
		}
	}
}

// release lets the threads of a block go on, if all of them are at the barrier. It
// returns the number of threads that are not done.
func (s *machine) release(b *block) (live int, released bool) {
	var count [done + 1]int
	for _, w := range b.warps {
		for _, st := range w.state {
			count[st]++
		}
	}
	live = 32*len(b.warps) - count[done]
	if count[atBarrier] == 0 || count[atBarrier] < live {
		return live, false
	}
	if count[done] > 0 {
		s.fault(nil, "a barrier after some threads of the block have ended", s.where(b.warps))
	}
	latest := int64(0)
	for _, w := range b.warps {
		latest = max(latest, w.clock)
	}
	for _, w := range b.warps {
		at := -1
		for lane, st := range w.state {
			if st != atBarrier {
				continue
			}
			if at >= 0 && w.pc[lane] != at {
				s.fault(&s.program.code[at], "lanes of a warp are at different barriers", "")
			}
			at = w.pc[lane]
			w.state[lane] = running
			w.pc[lane]++
		}
		if s.options.Timed {
			w.waited += latest - w.clock
			w.clock = latest + barrierTime
		}
	}
	b.epoch++
	copy(b.seen, b.coming)
	s.counts.Barriers++
	return live, true
}

// where says what the threads do, for a message.
func (s *machine) where(warps []*warp) string {
	count := map[string]int{}
	for _, w := range warps {
		for lane, st := range w.state {
			at := stateNames[st]
			if st != done {
				at += fmt.Sprintf(" at line %d", s.program.code[w.pc[lane]].line)
			}
			count[at]++
		}
	}
	var all []string
	for at, n := range count {
		all = append(all, fmt.Sprintf("%d: %s", n, at))
	}
	slices.Sort(all)
	return fmt.Sprint(all[:min(len(all), 6)])
}

// turn executes a warp for about n instructions, or while more says so. It returns
// how many it executed.
func (s *machine) turn(w *warp, n int, more func() bool) int {
	executed := 0
	for executed < n && !s.stop {
		mask, lane := s.choose(w)
		if mask == 0 {
			break
		}
		pc, limit := w.pc[lane], s.meet(w, mask, lane)
		length := n - executed
		if s.options.Lanes {
			length = 1 + s.random.IntN(64)
		}
		for range length {
			in := &s.program.code[pc]
			if s.options.Timed && s.stall(w, in) && !more() {
				s.set(w, mask, pc)
				return executed
			}
			executed++
			s.counts.Instructions++
			s.program.executed[pc] = true
			if in.do == barrier || in.do == warpSync || in.do == shuffle {
				s.set(w, mask, pc)
				s.arrive(w, in, mask, lane)
				pc = -1
				break
			}
			active := s.guarded(w, in, mask)
			if s.options.Timed {
				s.issue(w, in)
			}
			next := s.after(w, in, mask, active, pc)
			if next < 0 || next == limit || in.do == branch && mask != 1<<32-1 {
				pc = next
				break
			}
			pc = next
			if more != nil && !more() {
				s.set(w, mask, pc)
				return executed
			}
		}
		if pc >= 0 {
			s.set(w, mask, pc)
		}
		if more != nil && !more() {
			break
		}
	}
	return executed
}

// after executes an instruction of the lanes of mask, of which those of active obey its
// guard. It returns where all of them go on; -1 if each has its own place.
func (s *machine) after(w *warp, in *instruction, mask, active uint32, pc int) int {
	switch not := mask &^ active; {
	case in.do == branch && active != 0 && not != 0:
		s.counts.Divergent++
		s.set(w, active, in.target)
		s.set(w, not, pc+1)
		return -1
	case in.do == branch && active != 0:
		return in.target
	case in.do == call || in.do == ret:
		s.set(w, not, pc+1)
		s.callOrReturn(w, in, active, pc)
		return -1
	case in.do != branch && active != 0:
		s.execute(w, in, active)
	}
	return pc + 1
}

func (s *machine) set(w *warp, mask uint32, pc int) {
	for ; mask != 0; mask &= mask - 1 {
		w.pc[bits.TrailingZeros32(mask)] = pc
	}
}

// choose returns the lanes that execute next, and one of them: in lock step all that
// are in the deepest call and there at the first instruction, so that those which
// diverged meet again.
func (s *machine) choose(w *warp) (mask uint32, best int) {
	best = -1
	seen := 0
	for lane, st := range w.state {
		if st != running {
			continue
		}
		seen++
		switch {
		case best < 0:
			best = lane
		case s.options.Lanes:
			if s.random.IntN(seen) == 0 {
				best = lane
			}
		case len(w.stack[lane]) > len(w.stack[best]), len(w.stack[lane]) == len(w.stack[best]) && w.pc[lane] < w.pc[best]:
			best = lane
		}
	}
	if best < 0 {
		return 0, 0
	}
	if s.options.Lanes {
		return 1 << best, best
	}
	for lane, st := range w.state {
		if st == running && w.pc[lane] == w.pc[best] && slices.Equal(w.stack[lane], w.stack[best]) {
			mask |= 1 << lane
		}
	}
	return mask, best
}

// meet returns the first instruction at which other lanes may join those of mask; -1:
// none.
func (s *machine) meet(w *warp, mask uint32, best int) int {
	limit := -1
	for lane, st := range w.state {
		if mask>>lane&1 == 0 && st == running && w.pc[lane] > w.pc[best] && (limit < 0 || w.pc[lane] < limit) {
			limit = w.pc[lane]
		}
	}
	return limit
}

// guarded returns the lanes of mask that execute in.
func (s *machine) guarded(w *warp, in *instruction, mask uint32) uint32 {
	if in.guard < 0 {
		return mask
	}
	if w.undefined[in.guard]&mask != 0 {
		s.fault(in, "an undefined value decides", "")
	}
	active := uint32(0)
	p := &w.reg[in.guard]
	for lane := range 32 {
		if (p[lane] != 0) != in.negated {
			active |= 1 << lane
		}
	}
	return active & mask
}

// execute executes an instruction that is not control flow for the lanes of mask.
func (s *machine) execute(w *warp, in *instruction, mask uint32) {
	switch in.do {
	case compute:
		a := in.src[0]
		b, c := a, a
		if len(in.src) > 1 {
			b = in.src[1]
		}
		if len(in.src) > 2 {
			c = in.src[2]
		}
		d, x, y, z := &w.reg[in.dst[0]], &w.reg[a], &w.reg[b], &w.reg[c]
		unused := len(in.src) < 3
		for m := mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m)
			if unused {
				d[lane] = in.f(x[lane], y[lane], 0)
			} else {
				d[lane] = in.f(x[lane], y[lane], z[lane])
			}
		}
		u := w.undefined[a] | w.undefined[b] | w.undefined[c]
		w.undefined[in.dst[0]] = w.undefined[in.dst[0]]&^mask | u&mask
	case selectValue:
		d, a, b, p := in.dst[0], in.src[0], in.src[1], in.src[2]
		undefined := w.undefined[p]
		for m := mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m)
			from := b
			if w.reg[p][lane] != 0 {
				from = a
			}
			undefined |= w.undefined[from] & (1 << lane)
			w.reg[d][lane] = w.reg[from][lane]
		}
		w.undefined[d] = w.undefined[d]&^mask | undefined&mask
	case pack, unpack:
		width := 8 * in.kind.bytes / max(len(in.src), len(in.dst))
		undefined := uint32(0)
		for _, o := range in.src {
			undefined |= w.undefined[o]
		}
		for m := mask; m != 0; m &= m - 1 {
			lane := bits.TrailingZeros32(m)
			v := uint64(0)
			for k, o := range in.src {
				v |= w.reg[o][lane] << (k * width)
			}
			for k, o := range in.dst {
				w.reg[o][lane] = v >> (k * width)
				if len(in.dst) > 1 {
					w.reg[o][lane] &= 1<<width - 1
				}
			}
		}
		for _, o := range in.dst {
			w.undefined[o] = w.undefined[o]&^mask | undefined&mask
		}
	case fence:
		w.block.flush(s)
		clear(w.block.cache)
	case load, store, atomic:
		s.access(w, in, mask)
	default:
		panic(fmt.Sprintf("BUG: ptxsim: line %d is not executed: %s", in.line, in.text))
	}
}

// callOrReturn executes a call or a return: a lane copies the arguments, or the result.
func (s *machine) callOrReturn(w *warp, in *instruction, mask uint32, pc int) {
	move := func(lane int, m [3]int) {
		from, to := lane*s.program.local+m[0], lane*s.program.local+m[1]
		copy(w.local[to:to+m[2]], w.local[from:from+m[2]])
		copy(w.defined[to:to+m[2]], w.defined[from:from+m[2]])
	}
	for ; mask != 0; mask &= mask - 1 {
		lane := bits.TrailingZeros32(mask)
		stack := w.stack[lane]
		switch {
		case in.do == call:
			for _, m := range in.moves[:len(in.moves)-1] {
				move(lane, m)
			}
			w.stack[lane] = append(stack, pc)
			w.pc[lane] = in.callee.start
		case len(stack) == 0:
			w.state[lane] = done
		default:
			from := stack[len(stack)-1]
			moves := s.program.code[from].moves
			move(lane, moves[len(moves)-1])
			w.stack[lane] = stack[:len(stack)-1]
			w.pc[lane] = from + 1
		}
	}
}

// arrive makes lanes wait at a barrier or a shuffle, and executes those of a warp if
// all of its lanes are there.
func (s *machine) arrive(w *warp, in *instruction, mask uint32, lane int) {
	wait := map[action]state{barrier: atBarrier, warpSync: atWarpSync, shuffle: atShuffle}[in.do]
	if in.guard >= 0 {
		s.fault(in, "a guarded barrier", "")
	}
	for l := range 32 {
		if mask>>l&1 != 0 {
			w.state[l] = wait
		} else if !s.options.Lanes && w.state[l] == running {
			s.fault(in, "some lanes of the warp are elsewhere", s.where([]*warp{w}))
		}
	}
	if s.options.Timed {
		s.issue(w, in)
	}
	if in.do == barrier {
		return
	}
	pc, members := w.pc[lane], in.src[0]
	if in.do == shuffle {
		members = in.src[3]
	}
	want := uint32(w.reg[members][lane])
	for l := range 32 {
		switch {
		case want>>l&1 == 0:
		case w.state[l] == done:
			s.fault(in, "it waits for a lane that has ended", "")
			return
		case w.state[l] != wait || w.pc[l] != pc:
			return
		}
	}
	if in.do == shuffle {
		s.exchange(w, in, want)
	} else {
		w.sync++
	}
	for l := range 32 {
		if want>>l&1 != 0 {
			w.state[l], w.pc[l] = running, pc+1
		}
	}
}

// exchange executes a shuffle: shfl.sync.idx takes the value of lane b, bfly that
// of lane l ^ b; and vote.sync.ballot.
func (s *machine) exchange(w *warp, in *instruction, mask uint32) {
	var v [32]uint64
	undefined := uint32(0)
	value, from := in.src[0], in.src[1]
	if (w.undefined[from]|w.undefined[in.src[2]])&mask != 0 {
		s.fault(in, "a shuffle from an undefined lane", "")
	}
	ballot := uint64(0)
	for l := range 32 {
		ballot |= (w.reg[value][l] & 1) << l & uint64(mask)
	}
	for l := range 32 {
		if mask>>l&1 == 0 {
			continue
		}
		if in.modifier == "ballot" {
			v[l], undefined = ballot, undefined|w.undefined[value]&mask
			continue
		}
		b, c := int(w.reg[from][l]&31), int(w.reg[in.src[2]][l])
		segment := c >> 8 & 31
		last := l&segment | c&31&^segment
		at := l ^ b
		switch in.modifier {
		case "idx":
			at = l&segment | b&^segment
		case "down":
			at = l + b
		case "up":
			at, last = l-b, max(l-b, 0)
			if at < 0 {
				at = l
			}
		}
		if at > last {
			at = l
		}
		if mask>>at&1 == 0 {
			s.fault(in, "a shuffle from a lane that does not take part", "")
		}
		v[l] = w.reg[value][at]
		if w.undefined[value]>>at&1 != 0 {
			undefined |= 1 << l
		}
	}
	d := in.dst[0]
	for l := range 32 {
		if mask>>l&1 != 0 {
			w.reg[d][l] = v[l]
		}
	}
	w.undefined[d] = w.undefined[d]&^mask | undefined
}
