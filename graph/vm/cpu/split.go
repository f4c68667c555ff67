package cpu

import (
	"slices"

	"trainer/graph/ir"
	"trainer/graph/vm/cpu/kernel"
)

// split is a copy of W by input with split rows (see package kernel), of which more stay in
// the nearest cache. Single-sample steps and evaluations have it. Other steps, and
// everything outside of a pass, have W itself.
type split[T kernel.Float] struct {
	whole   matrix[T]
	n, rest int // columns of w, and of tail
	w, tail []T
	users   int // instructions that read or update it in this form
	updated bool
	open    bool // whether the copy has the values, and not W
}

// split returns the copy of parameter r for one more instruction, or nil if its rows
// cannot be split.
func (pl *plan[T]) split(r ir.Ref) *split[T] {
	s := pl.splits[r]
	if s == nil {
		m := pl.buffer[r]
		n, rest, ok := pl.kernel.Split(m.rows)
		if !ok {
			return nil
		}
		if pl.splits == nil {
			pl.splits = map[ir.Ref]*split[T]{}
		}
		s = &split[T]{whole: m, n: n, rest: rest}
		pl.splits[r] = s
	}
	s.users++
	return s
}

// keepSplits drops the copies of parameters that some instruction does not use, such as
// the update of a mini-batch, and makes the memory of the others.
func (pl *plan[T]) keepSplits() {
	for r, s := range pl.splits {
		mentions := 0
		for _, in := range pl.program.Code {
			if in.Dst == r || slices.Contains(in.Args, r) {
				mentions++
			}
		}
		if s.users != mentions {
			delete(pl.splits, r)
			continue
		}
		s.w, s.tail = kernel.Aligned[T](s.whole.cols*s.n), kernel.Aligned[T](s.whole.cols*s.rest)
	}
}

// open moves the parameters into their split copies, if the samples are sparse. Until
// close, the steps change only these.
func (pl *plan[T]) open() {
	for _, s := range pl.splits {
		if s.open = pl.sparse; s.open {
			for i := range s.whole.cols {
				row := s.whole.data[i*s.whole.colStride:]
				copy(s.w[i*s.n:][:s.n], row)
				copy(s.tail[i*s.rest:][:s.rest], row[s.n:])
			}
		}
	}
}

// close moves the parameters back.
func (pl *plan[T]) close() {
	for _, s := range pl.splits {
		if s.open && s.updated {
			for i := range s.whole.cols {
				row := s.whole.data[i*s.whole.colStride:]
				copy(row, s.w[i*s.n:][:s.n])
				copy(row[s.n:], s.tail[i*s.rest:][:s.rest])
			}
		}
		s.open = false
	}
}
