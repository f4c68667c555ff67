package kernel

import (
	"fmt"
	"slices"

	"trainer/graph/ir"
)

// Limits for the choices below. Only speed depends on them.
const (
	warpValues = 32      // one warp is faster than a block and its barriers for at most this many values
	warpWork   = 1024    // and products
	laneTerms  = 1024    // lanes share a sum of at most this many terms even if their terms are not adjacent
	partLen    = 32      // least terms of a lane in one part of a split sum
	rowPart    = 8       // typical entries of a warp in one part of a row
	pixelPart  = 256     // least samples of a thread in one part of a sum over samples
	splitSpace = 1 << 24 // most elements of scratch for a split sum
)

// split chooses how many lanes, warps and parts share each sum, and adds the
// steps that add up the parts.
func (e *encoder) split() error {
	threads := e.o.Threads
	if e.o.Mode == Grid {
		threads *= e.o.Blocks
	}
	var steps []*step
	for _, s := range e.steps {
		n := s.rows * s.cols
		work := n
		if s.op == opDot {
			work *= s.inner
		}
		s.warp = e.o.Mode != Grid && n <= warpValues && work <= warpWork && (s.op == opDot || s.op == opCopy || s.op == opFill)
		workers := threads
		if s.warp {
			workers = 32
		}
		switch s.op {
		case opDot:
			near := func(stride int32) bool { return stride == 0 || stride == 1 }
			if e.o.Mode != Grid || s.inner <= laneTerms || near(s.a.operand.Cs) && near(s.b.operand.Rs) {
				for s.lanes < 32 && 2*s.lanes*n <= workers && s.lanes < s.inner {
					s.lanes *= 2
				}
			}
			if !s.warp {
				s.splits = min(workers/(n*s.lanes), s.inner/(s.lanes*partLen))
			}
		case opRows:
			if e.o.Mode != Grid {
				s.splits = min(workers/32/s.rows, s.inner/5/rowPart) // about a fifth of the pixels are not zero
			}
		case opPixels:
			s.splits = min(workers/(s.cols*((s.rows+tile-1)/tile)), s.inner/pixelPart)
		}
		s.splits = max(1, min(s.splits, splitSpace/n))
		s.chunk = (s.inner + s.splits - 1) / s.splits
		steps = append(steps, s)
		if s.splits == 1 {
			continue
		}
		part := matrix{buf: e.next, operand: operand{Space: spaceArena, Rs: int32(s.cols), Cs: 1}}
		e.temps[e.next] = &temp{len: n * s.splits}
		e.next++
		finish := *s
		finish.op, finish.a, finish.b, finish.lanes = opFinish, &part, nil, 1
		for finish.lanes < 32 && 2*finish.lanes*n <= threads && finish.lanes < s.splits {
			finish.lanes *= 2
		}
		s.sink, s.dst, s.raw, s.args, s.expr, s.chain = sinkStore, &part, nil, nil, ir.Expr{}, nil
		steps = append(steps, &finish)
	}
	e.steps = steps
	return nil
}

// plan gives each temporary the first place in the arena that no other
// temporary uses during its lifetime. The lifetime includes the steps of the
// first write and the last read, because threads do not execute a step in
// lockstep.
func (e *encoder) plan() error {
	for i, s := range e.steps {
		for _, m := range s.results() {
			if m.operand.Space == spaceArena {
				t := e.temps[m.buf]
				if t == nil {
					t = &temp{len: e.p.Buffers[m.buf].Len()}
					e.temps[m.buf] = t
				}
				t.first, t.last = i, i
			}
		}
		for _, m := range s.operands() {
			if m.operand.Space == spaceArena {
				e.temps[m.buf].last = i
			}
		}
	}
	var placed []*temp
	order := make([]int, 0, len(e.temps))
	for b := range e.temps {
		order = append(order, b)
	}
	slices.SortFunc(order, func(a, b int) int {
		if d := e.temps[a].first - e.temps[b].first; d != 0 {
			return d
		}
		return a - b
	})
	for _, b := range order {
		t := e.temps[b]
		for moved := true; moved; {
			moved = false
			for _, o := range placed {
				if t.first <= o.last && o.first <= t.last && t.offset < o.offset+o.len && o.offset < t.offset+t.len {
					t.offset, moved = (o.offset+o.len+3)&^3, true
				}
			}
		}
		placed = append(placed, t)
		e.image.ArenaCount = max(e.image.ArenaCount, (t.offset+t.len+3)&^3)
	}
	if e.image.ArenaCount > ir.MaxLen {
		return fmt.Errorf("more than %d elements of temporaries: use a smaller batch", ir.MaxLen)
	}
	return nil
}

// span is a range of elements of a space.
type span struct {
	space    uint32
	from, to int
}

func (s span) meets(o span) bool { return s.space == o.space && s.from < o.to && o.from < s.to }

// touched returns the spans that s reads and writes.
func (e *encoder) touched(s *step) (reads, writes []span) {
	of := func(m *matrix) span {
		switch m.operand.Space {
		case spaceParam:
			pl := e.place[ir.Ref(m.buf)]
			return span{spaceParam, pl.Offset, pl.Offset + pl.N}
		case spaceArena:
			t := e.temps[m.buf]
			return span{spaceArena, t.offset, t.offset + t.len}
		}
		return span{space: m.operand.Space} // empty: nothing writes to it
	}
	for _, m := range s.operands() {
		reads = append(reads, of(m))
	}
	for _, m := range s.results() {
		writes = append(writes, of(m))
	}
	return reads, writes
}

// barriers puts a barrier before each step that conflicts with a step since the
// last barrier: both touch the same memory and at least one writes it. Between
// two steps of the first warp, a barrier of that warp is enough. Each execution
// of the program begins with a barrier of all threads.
func (e *encoder) barriers() error {
	// access is a step since the last barrier of all threads.
	type access struct {
		reads, writes []span
		warp          bool
		synced        bool // a barrier of the warp came after it
	}
	var pending []access
	meet := func(a, b []span) bool {
		return slices.ContainsFunc(a, func(s span) bool { return slices.ContainsFunc(b, s.meets) })
	}
	e.image.Barriers = 1
	for _, s := range e.steps {
		reads, writes := e.touched(s)
		for _, o := range pending {
			if !meet(reads, o.writes) && !meet(writes, o.writes) && !meet(writes, o.reads) {
				continue
			}
			switch {
			case !s.warp || !o.warp:
				s.barrier = barrierAll
			case !o.synced:
				s.barrier = max(s.barrier, barrierWarp)
			}
		}
		switch s.barrier {
		case barrierAll:
			pending = pending[:0]
			e.image.Barriers++
		case barrierWarp:
			for k := range pending {
				pending[k].synced = true
			}
		}
		pending = append(pending, access{reads: reads, writes: writes, warp: s.warp})
	}
	return nil
}
