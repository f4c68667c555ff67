package picture

import (
	"cmp"
	"slices"

	"trainer/graph/internal/formula"
)

// Sizes, in pixels.
const (
	formulaSize = 20.0 // fonts
	moreSize    = 15.0 // of the further lines of a box
	detailSize  = 13.0
	bandSize    = 15.0
	titleSize   = 24.0
	noteSize    = 14.0

	lineHeight = 28.0
	moreHeight = 22.0
	padding    = 14.0 // between a box and its texts
	badge      = 22.0 // the least width of the number of an instruction
	wordGap    = 10.0

	margin   = 28.0
	bandPad  = 16.0 // between the boxes and the edge of their band
	laneStep = 14.0
	colGap   = 40.0
	rowGap   = 34.0
	maxGrow  = 110.0 // by which a gap may grow for the proportions of a slide
	slotStep = 16.0  // between arrows that enter a box from above or below
	sideStep = 10.0  // between arrows that enter it from a side
)

// The proportions of a slide.
const slide = 16.0 / 9

type point struct{ x, y float64 }

// route is an edge on the picture.
type route struct {
	edge
	points []point
	entry  side
}

// layout is a diagram with coordinates.
type layout struct {
	*diagram
	router        *router
	routes        []route
	width, height float64
	colX, rowY    []float64 // where columns and rows begin
	colW, rowH    []float64
	gapX, gapY    []float64 // the widths of the gutters before them, and after the last
}

// measure sets the size of a box.
func (b *box) measure() {
	w := 0.0
	for i, line := range b.lines {
		w = max(w, formula.Width(line, b.lineSize(i)))
	}
	details := formula.WordsWidth(b.shape, detailSize)
	if b.number >= 0 {
		details += b.badgeWidth() + 7
	}
	for _, s := range []string{b.note, b.tag} {
		if s != "" {
			details += wordGap + formula.WordsWidth(s, detailSize)
		}
	}
	b.width = max(w, details) + 2*padding
	b.height = 14 + lineHeight + moreHeight*float64(len(b.lines)-1) + 20
}

func (b *box) lineSize(i int) float64 {
	if i > 0 {
		return moreSize
	}
	return formulaSize
}

func newLayout(d *diagram) *layout {
	l := &layout{diagram: d, router: newRouter(d)}
	l.colW, l.rowH = make([]float64, d.cols), make([]float64, d.rows)
	for _, b := range d.boxes {
		l.colW[b.col] = max(l.colW[b.col], b.width)
		l.rowH[b.row] = max(l.rowH[b.row], b.height)
	}
	for _, b := range d.bands { // the titles are in the first column, where only the data are
		l.colW[0] = max(l.colW[0], formula.WordsWidth(b.title, bandSize))
	}
	gaps := func(n int, vertical bool, least float64) []float64 {
		g := make([]float64, n+1)
		for i := range g {
			if i > 0 && i < n {
				g[i] = least
			}
			if lanes := float(l.router.lanes[[2]any{vertical, i}]); lanes > 0 {
				g[i] = max(g[i], least-laneStep) + lanes*laneStep
			}
		}
		return g
	}
	l.gapX, l.gapY = gaps(d.cols, true, colGap), gaps(d.rows, false, rowGap)
	for _, b := range d.bands[1:] {
		l.gapY[b.first] += 2 * bandPad
	}
	l.proportion()
	l.locate()
	l.draw()
	return l
}

func float(n int) float64 { return float64(n) }

// head and foot are the heights of what is above and below the bands.
func (l *layout) head() float64 { return margin + titleSize + 22 + bandPad }

func (l *layout) foot() float64 {
	return bandPad + 16 + 20*float(len(l.words.Notes)) + margin - 8
}

// size sets the size of the picture.
func (l *layout) size() {
	l.width, l.height = 2*(margin+bandPad), l.head()+l.foot()
	for _, w := range slices.Concat(l.colW, l.gapX) {
		l.width += w
	}
	for _, h := range slices.Concat(l.rowH, l.gapY) {
		l.height += h
	}
}

// proportion widens the gutters until the picture has the proportions of a slide, as far
// as that looks well. A picture that is still too high gets room at both ends; one that is
// too wide stays so.
func (l *layout) proportion() {
	l.size()
	least := 2*margin + formula.WordsWidth(l.words.Title, titleSize)
	for _, n := range l.words.Notes {
		least = max(least, 2*margin+formula.WordsWidth(n, noteSize))
	}
	grow := func(gaps []float64, by float64) {
		inner := gaps[1 : len(gaps)-1]
		for i := range inner {
			inner[i] += max(0, min(maxGrow, by/float(len(inner))))
		}
	}
	grow(l.gapX, max(least, l.height*slide)-l.width)
	grow(l.gapY, l.width/slide-l.height)
	l.size()
	if want := max(least, l.height*slide); l.width < want {
		l.gapX[0] += (want - l.width) / 2
		l.gapX[len(l.gapX)-1] += (want - l.width) / 2
		l.size()
	}
}

// locate sets the places of the boxes.
func (l *layout) locate() {
	x, y := margin+bandPad, l.head()
	for c, w := range l.colW {
		x += l.gapX[c]
		l.colX = append(l.colX, x)
		x += w
	}
	l.colX = append(l.colX, x+l.gapX[len(l.colW)])
	for c, h := range l.rowH {
		y += l.gapY[c]
		l.rowY = append(l.rowY, y)
		y += h
	}
	l.rowY = append(l.rowY, y+l.gapY[len(l.rowH)])
	for i := range l.boxes {
		b := &l.boxes[i]
		b.x = l.colX[b.col] + (l.colW[b.col]-b.width)/2
		b.y = l.rowY[b.row] + (l.rowH[b.row]-b.height)/2
	}
}

// laneAt returns the x of a vertical lane, or the y of a horizontal one.
func (l *layout) laneAt(k lane) float64 {
	start, gap := l.rowY, l.gapY
	if k.vertical {
		start, gap = l.colX, l.gapX
	}
	n := l.router.lanes[[2]any{k.vertical, k.gutter}]
	return start[k.gutter] - gap[k.gutter]/2 + laneStep*(float(l.router.lane[k])-float(n-1)/2)
}

func (b box) middle() point { return point{b.x + b.width/2, b.y + b.height/2} }

// upShift keeps arrows that leave a box upwards apart from those that leave the box
// above it downwards.
const upShift = -10.0

// start returns where arrows leave a box.
func (b box) start(s side) point {
	m := b.middle()
	switch s {
	case top:
		return point{m.x + upShift, b.y}
	case bottom:
		return point{m.x, b.y + b.height}
	case left:
		return point{b.x, m.y}
	default:
		return point{b.x + b.width, m.y}
	}
}

// end returns where an arrow enters a box, shifted from the middle of the side.
func (b box) end(s side, shift float64) point {
	m := b.middle()
	switch s {
	case top:
		return point{m.x + shift, b.y}
	case bottom:
		return point{m.x + shift, b.y + b.height}
	case left:
		return point{b.x, m.y + shift}
	default:
		return point{b.x + b.width, m.y + shift}
	}
}

// draw sets the routes.
func (l *layout) draw() {
	shift := l.shifts()
	for i, w := range l.router.ways {
		a, b := l.boxes[w.from], l.boxes[w.to]
		from := a.start(w.exit)
		at := route{edge: w.edge, points: []point{from}, entry: w.entry}
		if w.straight {
			to := b.end(w.entry, 0)
			if w.exit == top || w.exit == bottom {
				to.x = from.x
			} else {
				to.y = from.y
			}
			at.points = append(at.points, to)
			l.routes = append(l.routes, at)
			continue
		}
		to := b.end(w.entry, shift[i])
		y := l.laneAt(lane{false, w.h1, w.from})
		at.points = append(at.points, point{from.x, y})
		switch {
		case w.v < 0:
			at.points = append(at.points, point{to.x, y})
		case w.h2 < 0:
			x := l.laneAt(lane{true, w.v, w.from})
			at.points = append(at.points, point{x, y}, point{x, to.y})
		default:
			x, y2 := l.laneAt(lane{true, w.v, w.from}), l.laneAt(lane{false, w.h2, w.from})
			at.points = append(at.points, point{x, y}, point{x, y2}, point{to.x, y2})
		}
		at.points = append(at.points, to)
		l.routes = append(l.routes, at)
	}
}

// shifts returns for each edge that is not straight how far from the middle of a side
// it enters its box.
func (l *layout) shifts() []float64 {
	shift := make([]float64, len(l.router.ways))
	type place struct {
		box  int
		side side
	}
	enter := map[place][]int{}
	busy := map[[2]int]int{} // how many arrows use the middle of a column in a gutter
	at := func(b box, s side) [2]int {
		if s == bottom {
			return [2]int{b.row + 1, b.col}
		}
		return [2]int{b.row, b.col}
	}
	leave := map[place]bool{}
	for i, w := range l.router.ways {
		leave[place{w.from, w.exit}] = true
		if w.straight {
			leave[place{w.to, w.entry}] = true
			continue
		}
		enter[place{w.to, w.entry}] = append(enter[place{w.to, w.entry}], i)
	}
	for p := range leave {
		if p.side == top || p.side == bottom {
			busy[at(l.boxes[p.box], p.side)]++
		}
	}
	for p, edges := range enter {
		if p.side == top || p.side == bottom {
			busy[at(l.boxes[p.box], p.side)] += len(edges)
		}
	}
	for p, edges := range enter {
		b := l.boxes[p.box]
		// Where the arrow comes from: from the left first.
		key := func(i int) float64 {
			w := l.router.ways[i]
			if w.h2 >= 0 {
				return float(2*w.v) - 0.5
			}
			return float(2*l.boxes[w.from].col + 1)
		}
		slices.SortStableFunc(edges, func(i, j int) int { return cmp.Compare(key(i), key(j)) })
		if p.side == left || p.side == right {
			for k, i := range edges {
				shift[i] = sideStep * float(k-len(edges)/2)
				if p.side == right {
					shift[i] += sideStep / 2 // not on the line of an arrow that enters the box opposite
				}
			}
			continue
		}
		if len(edges) == 1 && busy[at(b, p.side)] == 1 {
			continue
		}
		first := slotStep
		if p.side == bottom {
			first += 6
		}
		before := 0
		for _, i := range edges {
			if key(i) < float(2*b.col+1) {
				before++
			}
		}
		for k, i := range edges {
			if k < before {
				shift[i] = -first - slotStep*float(before-1-k)
			} else {
				shift[i] = first + slotStep*float(k-before)
			}
		}
	}
	return shift
}
