package kernel

import (
	"fmt"
	"slices"

	"trainer/graph/ir"
)

// step is a device instruction before it is encoded.
type step struct {
	op, sink       int
	inner          int // terms of a sum
	lanes, splits  int
	chunk          int
	warp           bool
	barrier        int
	dst, raw, a, b *matrix
	bias           *matrix   // the sum starts from it
	form           int       // sinkMap
	args           []*matrix // of the form
	expr           ir.Expr   // formCode
	value          float64   // opFill: the value; an output delta: the factor
	rated          bool      // an output delta: times −η
	chain          []*step   // forms that are computed with it, element by element
}

// translate makes a step for each instruction.
func (e *encoder) translate() error {
	for _, in := range e.p.Code {
		e.steps = append(e.steps, e.entry(in))
	}
	if e.p.Cost != ir.None {
		cost := e.view(e.p.Cost, false)
		e.steps = append(e.steps, &step{op: opCopy, sink: sinkCost, dst: cost, a: cost})
	}
	if e.o.Mode == Tiles {
		a := e.view(e.p.Output, false)
		e.steps = append(e.steps, &step{op: opScore, dst: a, a: a})
	}
	return nil
}

// join joins each element-wise step to the sum that makes its argument, which
// saves a barrier: the product, its activation and the output delta become one
// step. The first one is the sink of the sum; those that read the result of that
// are chained.
func (e *encoder) join() error {
	for i := 0; i < len(e.steps); i++ {
		s := e.steps[i]
		if s.sink != sinkStore || s.op != opDot && s.op != opRows {
			continue
		}
		for k := i + 1; k < len(e.steps); k++ {
			m := e.steps[k]
			if !s.joins(m, e.steps[:i], e.steps[i+1:k]) {
				continue
			}
			for j, a := range m.args {
				if a.buf == s.dst.buf {
					m.args[j] = &matrix{buf: -1, operand: operand{Space: spaceSelf}}
				}
			}
			e.steps = slices.Delete(e.steps, k, k+1)
			k--
			if s.sink == sinkMap {
				s.chain = append(s.chain, m)
				continue
			}
			s.raw = s.dst
			s.sink, s.dst, s.form, s.args, s.expr, s.value, s.rated = sinkMap, m.dst, m.form, m.args, m.expr, m.value, m.rated
		}
		if s.raw != nil && !slices.ContainsFunc(e.steps, func(o *step) bool { return o.reads(s.raw.buf) }) {
			s.raw = nil
		}
	}
	return nil
}

// joins reports whether m can be computed with s: it reads the result of s
// element by element, and its other arguments already have their values when s
// runs. before are the steps before s; between are the steps between s and m.
func (s *step) joins(m *step, before, between []*step) bool {
	if m.op != opCopy || m.sink != sinkMap || m.dst.rows != s.dst.rows || m.dst.cols != s.dst.cols || !m.reads(s.dst.buf) {
		return false
	}
	return !slices.ContainsFunc(m.args, func(a *matrix) bool {
		writes := func(o *step) bool { return o.writes(a.buf) }
		return a.buf != s.dst.buf && (slices.ContainsFunc(between, writes) ||
			a.operand.Space == spaceArena && !slices.ContainsFunc(before, writes))
	})
}

// operands returns the matrices that s reads, without its own value.
func (s *step) operands() []*matrix {
	all := slices.DeleteFunc(append([]*matrix{s.a, s.b, s.bias}, s.args...), func(m *matrix) bool { return m == nil })
	for _, c := range s.chain {
		all = append(all, c.operands()...)
	}
	return all
}

// results returns the matrices that s writes.
func (s *step) results() []*matrix {
	if s.sink == sinkCost || s.op == opScore {
		return nil
	}
	all := []*matrix{s.dst}
	if s.raw != nil {
		all = append(all, s.raw)
	}
	for _, c := range s.chain {
		all = append(all, c.dst)
	}
	return all
}

func (s *step) reads(buf int) bool {
	return slices.ContainsFunc(s.operands(), func(m *matrix) bool { return m.buf == buf })
}

func (s *step) writes(buf int) bool {
	return slices.ContainsFunc(s.results(), func(m *matrix) bool { return m.buf == buf })
}

// Limits for the choices below. Only speed depends on them.
const (
	warpValues = 32      // one warp is faster than a block and its barriers for at most this many values
	warpWork   = 1024    // and products
	laneTerms  = 1024    // lanes share a sum of at most this many terms even if their terms are not adjacent
	partLen    = 32      // least terms of a lane in one part of a split sum
	rowPart    = 8       // typical entries of a warp in one part of a row
	pixelPart  = 8       // least samples of a thread in one part of a sum over samples
	splitSpace = 1 << 24 // most elements of scratch for a split sum
)

// split chooses how many lanes, warps and parts share each sum, and adds the
// steps that add up the parts.
func (e *encoder) split() error {
	threads := e.o.Threads
	if e.o.Mode == Grid {
		threads *= e.o.Blocks
	}
	lanes := func(n, workers, terms int) int {
		l := 1
		for l < 32 && 2*l*n <= workers && l < terms {
			l *= 2
		}
		return l
	}
	var steps []*step
	for _, s := range e.steps {
		n := s.dst.rows * s.dst.cols
		work := n
		if s.op == opDot {
			work *= s.inner
		}
		s.warp = e.o.Mode != Grid && n <= warpValues && work <= warpWork && (s.op == opDot || s.op == opCopy || s.op == opFill)
		workers := threads
		if s.warp {
			workers = 32
		}
		s.lanes = 1
		switch s.op {
		case opDot:
			near := func(stride int32) bool { return stride == 0 || stride == 1 }
			if e.o.Mode != Grid || s.inner <= laneTerms || near(s.a.operand.Cs) && near(s.b.operand.Rs) {
				s.lanes = lanes(n, workers, s.inner)
			}
			if !s.warp {
				s.splits = min(workers/(n*s.lanes), s.inner/(s.lanes*partLen))
			}
		case opRows:
			s.splits = min(workers/32/s.dst.rows, s.inner/5/rowPart) // about a fifth of the pixels are not zero
		case opPixels:
			s.splits = min(workers/(s.dst.cols*((s.dst.rows+tile-1)/tile)), s.inner/pixelPart)
		}
		least := (s.inner + s.lanes*sumTerms - 1) / (s.lanes * sumTerms)
		s.splits = max(1, least, min(s.splits, splitSpace/n))
		s.chunk = (s.inner + s.splits - 1) / s.splits
		steps = append(steps, s)
		if s.splits == 1 {
			continue
		}
		part := &matrix{e.next, s.dst.rows, s.dst.cols, operand{Space: spaceArena, Rs: int32(s.dst.cols), Cs: 1}}
		e.temps[e.next] = &temp{len: n * s.splits}
		e.next++
		finish := *s
		finish.op, finish.a, finish.b, finish.lanes = opFinish, part, nil, lanes(n, threads, s.splits)
		*s = step{op: s.op, inner: s.inner, lanes: s.lanes, splits: s.splits, chunk: s.chunk, a: s.a, b: s.b, dst: part}
		steps = append(steps, &finish)
	}
	e.steps = steps
	return nil
}

// temp is the life of a temporary or a scratch, in steps, and its place in the
// arena.
type temp struct {
	len, first, last, offset int
}

// arena gives each temporary the first place in the arena that no other
// temporary uses during its lifetime. The lifetime includes the steps of the
// first write and the last read, because threads do not execute a step in
// lockstep.
func (e *encoder) arena() error {
	var order []int
	for i, s := range e.steps {
		for _, m := range s.results() {
			if m.operand.Space == spaceArena {
				t := e.temps[m.buf]
				if t == nil {
					t = &temp{len: m.rows * m.cols}
					e.temps[m.buf] = t
				}
				t.first, t.last = i, i
				order = append(order, m.buf)
			}
		}
		for _, m := range s.operands() {
			if m.operand.Space == spaceArena {
				e.temps[m.buf].last = i
			}
		}
	}
	var placed []*temp
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

// spans returns the memory of matrices.
func (e *encoder) spans(matrices []*matrix) []span {
	var all []span
	for _, m := range matrices {
		switch m.operand.Space { // nothing writes to the others
		case spaceParam:
			pl := e.place[ir.Ref(m.buf)]
			all = append(all, span{spaceParam, pl.Offset, pl.Offset + pl.N})
		case spaceArena:
			t := e.temps[m.buf]
			all = append(all, span{spaceArena, t.offset, t.offset + t.len})
		}
	}
	return all
}

func meet(a, b []span) bool {
	return slices.ContainsFunc(a, func(s span) bool {
		return slices.ContainsFunc(b, func(o span) bool { return s.space == o.space && s.from < o.to && o.from < s.to })
	})
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
	e.image.Barriers = 1
	for _, s := range e.steps {
		reads, writes := e.spans(s.operands()), e.spans(s.results())
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
