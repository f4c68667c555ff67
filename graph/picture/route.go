package picture

import (
	"cmp"
	"maps"
	"slices"
)

// Arrows run in the gutters between the rows and the columns of the grid, so no arrow
// crosses a box. Gutter i is before row or column i. In a gutter, arrows from different
// boxes have lanes of their own where they would overlap. Arrows from one box share
// their way as far as they can.
//
// An arrow between neighbours in a row or a column is straight. Any other leaves its
// box at the top or at the bottom, in the middle, runs in a lane, if need be goes to
// another row in a lane between two columns, and enters its box.

// side is a side of a box.
type side int

const (
	top side = iota
	bottom
	left
	right
)

// lane is a part of an arrow in a gutter.
type lane struct {
	vertical bool
	gutter   int
	net      int // the box from which the arrow comes
}

// way is the route of an edge on the grid.
type way struct {
	edge
	straight bool
	exit     side
	entry    side
	h1       int // the gutter into which it leaves, if it is not straight
	v        int // the gutter between columns; -1: none
	h2       int // the gutter from which it enters, if it does so from above or below after v; -1: none
}

// router finds the ways.
type router struct {
	d     *diagram
	at    map[[2]int]int // boxes by cell
	ways  []way
	exits map[[2]any]bool // box and side from which arrows leave
	lines map[[2]any]bool // box and side with a straight arrow
	spans map[lane][2]int // from where to where a lane is used: 2i is gutter i, 2i+1 the row or column i
	lane  map[lane]int    // its number in the gutter
	lanes map[[2]any]int  // of a gutter: vertical or not, and its number
}

func newRouter(d *diagram) *router {
	r := &router{
		d: d, at: map[[2]int]int{}, exits: map[[2]any]bool{}, lines: map[[2]any]bool{},
		spans: map[lane][2]int{}, lane: map[lane]int{}, lanes: map[[2]any]int{},
	}
	for i, b := range d.boxes {
		r.at[[2]int{b.row, b.col}] = i
	}
	for _, e := range d.edges {
		if s := r.exit(e); !r.neighbours(e) || s == top || s == bottom {
			r.exits[[2]any{e.from, s}] = true
		}
	}
	for _, e := range d.edges {
		r.ways = append(r.ways, r.straight(e))
	}
	for i := range r.ways {
		if !r.ways[i].straight {
			r.bend(&r.ways[i])
		}
	}
	r.assign()
	return r
}

// neighbours reports whether an edge joins boxes in one row or column with no box
// between them.
func (r *router) neighbours(e edge) bool {
	a, b := r.d.boxes[e.from], r.d.boxes[e.to]
	dr, dc := cmp.Compare(b.row, a.row), cmp.Compare(b.col, a.col)
	if dr != 0 && dc != 0 {
		return false
	}
	for row, col := a.row+dr, a.col+dc; row != b.row || col != b.col; row, col = row+dr, col+dc {
		if _, taken := r.at[[2]int{row, col}]; taken {
			return false
		}
	}
	return true
}

// exit returns the side from which an edge leaves its box.
func (r *router) exit(e edge) side {
	a, b := r.d.boxes[e.from], r.d.boxes[e.to]
	switch {
	case a.row == b.row && r.neighbours(e) && a.col < b.col:
		return right
	case a.row == b.row && r.neighbours(e):
		return left
	case b.row < a.row:
		return top
	default:
		return bottom
	}
}

func (s side) opposite() side { return [...]side{bottom, top, right, left}[s] }

// straight returns the way of an edge, if that is a straight line: there is no box
// between, and no arrow leaves from where it ends.
func (r *router) straight(e edge) way {
	w := way{edge: e, exit: r.exit(e), v: -1, h2: -1}
	w.entry = w.exit.opposite()
	w.straight = r.neighbours(e) && !r.exits[[2]any{e.to, w.entry}]
	if w.straight {
		r.lines[[2]any{e.from, w.exit}] = true
		r.lines[[2]any{e.to, w.entry}] = true
	} else if w.exit == left || w.exit == right {
		w.exit = bottom
	}
	return w
}

// bend finds the way of an edge that is not straight.
func (r *router) bend(w *way) {
	a, b := r.d.boxes[w.from], r.d.boxes[w.to]
	w.h1 = a.row
	if w.exit == bottom {
		w.h1++
	}
	switch w.h1 {
	case b.row:
		w.entry = top
	case b.row + 1:
		w.entry = bottom
	default:
		r.far(w, a, b)
	}
	from, to := 2*a.col+1, 2*b.col+1
	if w.v < 0 {
		r.use(lane{false, w.h1, w.from}, from, to)
		return
	}
	r.use(lane{false, w.h1, w.from}, from, 2*w.v)
	if w.h2 < 0 {
		r.use(lane{true, w.v, w.from}, 2*w.h1, 2*b.row+1)
		return
	}
	r.use(lane{true, w.v, w.from}, 2*w.h1, 2*w.h2)
	r.use(lane{false, w.h2, w.from}, 2*w.v, to)
}

// far completes the way to a box in another row than the next one.
func (r *router) far(w *way, a, b box) {
	w.v, w.entry = b.col, left
	if a.col > b.col {
		w.v, w.entry = b.col+1, right
	}
	if !r.lines[[2]any{w.to, w.entry}] {
		return
	}
	if a.row < b.row {
		w.h2, w.entry = b.row, top
	} else {
		w.h2, w.entry = b.row+1, bottom
	}
}

// use notes that a lane is used from one place to another.
func (r *router) use(l lane, from, to int) {
	lo, hi := min(from, to), max(from, to)
	if s, ok := r.spans[l]; ok {
		lo, hi = min(lo, s[0]), max(hi, s[1])
	}
	r.spans[l] = [2]int{lo, hi}
}

// assign gives each lane a number in its gutter. Lanes with the same number do not
// touch.
func (r *router) assign() {
	all := slices.SortedFunc(maps.Keys(r.spans), func(a, b lane) int {
		return cmp.Or(cmp.Compare(r.spans[a][0], r.spans[b][0]), cmp.Compare(r.spans[a][1], r.spans[b][1]),
			cmp.Compare(a.net, b.net), cmp.Compare(a.gutter, b.gutter))
	})
	ends := map[[2]any][]int{} // of a gutter's lanes
	for _, l := range all {
		key := [2]any{l.vertical, l.gutter}
		span := r.spans[l]
		n := slices.IndexFunc(ends[key], func(end int) bool { return end < span[0] })
		if n < 0 {
			n = len(ends[key])
			ends[key] = append(ends[key], 0)
		}
		ends[key][n] = span[1]
		r.lane[l], r.lanes[key] = n, len(ends[key])
	}
}
