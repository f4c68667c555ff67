package figure

import (
	"cmp"
	"image/color"
	"slices"
)

// panel is a pair of axes with curves over epochs.
type panel struct {
	x, y, w, h float64 // of the area of the curves
	across     scale
	up         scale
}

// place returns where a value of an epoch is.
func (p panel) place(epoch int, v float64) point {
	return point{p.x + p.w*p.across.at(float64(epoch)), p.y + p.h*(1-p.up.at(v))}
}

// The sizes of the parts of a panel, in points.
const (
	tickLength = 4
	tickGap    = 4 // between a tick and its label
	axisWidth  = 0.8
	leader     = 26 // from the area to the labels of the curves
	lineHeight = 13 // of the labels of the curves
)

// axes draws the grid, the axes and their labels. left is the room left of the area.
func (p panel) axes(c canvas, across, up []tick, left float64, acrossName, upName string) {
	grid := stroke{color: gridColor, width: 0.6}
	axis := stroke{color: axisColor, width: axisWidth}
	bottom := p.y + p.h
	for _, t := range across {
		x := p.x + p.w*p.across.at(t.value)
		c.line([]point{{x, p.y}, {x, bottom}}, grid)
	}
	for _, t := range up {
		y := p.y + p.h*(1-p.up.at(t.value))
		c.line([]point{{p.x, y}, {p.x + p.w, y}}, grid)
	}
	for _, t := range across {
		x := p.x + p.w*p.across.at(t.value)
		c.line([]point{{x, bottom}, {x, bottom + tickLength}}, axis)
		c.text(label{x: x, y: bottom + tickLength + tickGap + 0.72*textSize, at: middle, size: textSize, color: textColor, text: t.label})
	}
	for _, t := range up {
		y := p.y + p.h*(1-p.up.at(t.value))
		c.line([]point{{p.x - tickLength, y}, {p.x, y}}, axis)
		c.text(label{x: p.x - tickLength - tickGap, y: y + 0.36*textSize, at: end, size: textSize, color: textColor, text: t.label})
	}
	c.line([]point{{p.x, p.y}, {p.x, bottom}, {p.x + p.w, bottom}}, axis)
	c.text(label{x: p.x + p.w/2, y: bottom + below - 3, at: middle, size: textSize + 1, color: textColor, text: acrossName})
	c.text(label{x: p.x - left + textSize, y: p.y + p.h/2, at: middle, up: true, size: textSize + 1, color: textColor, text: upName})
}

// below is the height of what is below the area of a panel.
const below = 38

// leftOf returns the room that the labels of an axis need left of the area.
func leftOf(ticks []tick) float64 {
	widest := 0.0
	for _, t := range ticks {
		widest = max(widest, measure(t.label, textSize))
	}
	return widest + tickLength + tickGap + textSize + 8
}

// path returns the points of the finite values, in order.
func (p panel) path(values []float64) []point {
	path := make([]point, 0, len(values))
	for i, v := range values {
		if finite(v) {
			path = append(path, p.place(i+1, v))
		}
	}
	return path
}

// thin returns a path with fewer points, for columns of some width: of the points in the
// same column, the lowest and the highest.
func thin(path []point, column float64) []point {
	var out []point
	for i := 0; i < len(path); {
		n := i + 1
		for n < len(path) && path[n].x-path[i].x < column {
			n++
		}
		if n-i <= 2 {
			out = append(out, path[i:n]...)
		} else {
			lowest, highest := i, i
			for k := i; k < n; k++ {
				if path[k].y > path[lowest].y {
					lowest = k
				}
				if path[k].y < path[highest].y {
					highest = k
				}
			}
			out = append(out, path[min(lowest, highest)])
			if lowest != highest {
				out = append(out, path[max(lowest, highest)])
			}
		}
		i = n
	}
	// The label of the curve begins at its end.
	if len(path) > 0 && out[len(out)-1] != path[len(path)-1] {
		out = append(out, path[len(path)-1])
	}
	return out
}

// ending is the label at the end of a curve.
type ending struct {
	from  point // the end of the curve
	y     float64
	color color.NRGBA
	dash  []float64
	text  string
}

// endings draws the labels at the ends of the curves, right of the area, so that none
// covers another. A thin line leads from the curve to a piece in its manner.
func (p panel) endings(c canvas, all []ending) {
	for i := range all {
		all[i].y = all[i].from.y
	}
	slices.SortStableFunc(all, func(a, b ending) int { return cmp.Compare(a.y, b.y) })
	spread(all, p.y+lineHeight/2, p.y+p.h-lineHeight/2)
	for _, e := range all {
		edge, x := p.x+p.w+4, p.x+p.w+leader
		c.line([]point{e.from, {edge, e.y}}, stroke{color: pale(e.color), width: 0.6})
		c.line([]point{{edge, e.y}, {x - 3, e.y}}, stroke{color: e.color, width: 1.8, dash: e.dash})
		c.text(label{x: x, y: e.y + 0.36*textSize, size: textSize, color: e.color, text: e.text})
	}
}

// spread moves labels, which are in the order of y, to places between top and bottom
// that are at least lineHeight apart.
func spread(all []ending, top, bottom float64) {
	at := top
	for i := range all {
		all[i].y = max(all[i].y, at)
		at = all[i].y + lineHeight
	}
	at = bottom
	for i := len(all) - 1; i >= 0; i-- {
		all[i].y = min(all[i].y, at)
		at = all[i].y - lineHeight
	}
}
