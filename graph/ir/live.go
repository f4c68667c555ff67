package ir

import "slices"

// Range is the life of a temporary: from the instruction that writes it to
// the last one that reads it.
type Range struct {
	Def  int // the instruction that writes it
	Last int // the last that reads it; Def if none does; len(Code) for an output
}

// Overlaps reports whether both live at some time. A life that ends where
// another begins, at the instruction that reads the one and writes the other,
// overlaps it.
func (r Range) Overlaps(s Range) bool { return r.Def <= s.Last && s.Def <= r.Last }

// Live returns the life of each buffer of a verified program. Data, target and
// parameters, and temporaries that nothing writes, live from -1 to len(Code).
func Live(p *Program) []Range {
	live := make([]Range, len(p.Buffers))
	for r := range live {
		live[r] = Range{-1, len(p.Code)}
	}
	for i, in := range p.Code {
		if p.Buffers[in.Dst].Kind == Temporary {
			live[in.Dst] = Range{i, i}
		}
		for _, r := range in.Args {
			live[r].Last = max(live[r].Last, i)
		}
	}
	for _, r := range p.Outputs {
		live[r].Last = len(p.Code)
	}
	return live
}

// InPlace reports whether instruction i of p may write its result over
// argument r, element for element: it is a Map, and r has the shape of the
// result. Verify allows two temporaries that only touch, r's life ending where
// the result's begins, to share their elements when InPlace says so.
func (p *Program) InPlace(i int, r Ref) bool {
	in := p.Code[i]
	dst, arg := p.Buffers[in.Dst], p.Buffers[r]
	return in.Op == Map && slices.Contains(in.Args, r) && dst.Rows == arg.Rows && dst.Cols == arg.Cols
}
