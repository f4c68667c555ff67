package figure

import (
	"errors"
	"math"
	"slices"
	"strconv"

	"trainer/data/lang"
)

// Growth is what the figure of measurements shows: how a time grows with each of several
// quantities. Both axes of a panel are logarithmic, so a time that is proportional to the
// quantity is a line of slope 1.
type Growth struct {
	Title    string
	Language lang.Language
	Panels   []GrowthPanel
}

// GrowthPanel is a curve of a [Growth]. At and Seconds have the same length, and all
// their values are above 0. At is in ascending order.
type GrowthPanel struct {
	Across  string // the name of the quantity
	Note    string // what stays the same
	At      []float64
	Seconds []float64
}

var secondsText = lang.Text{En: "seconds", Zh: "秒"}

// growthPanels is the number of panels side by side.
const growthPanels = 3

// Figure returns the figure. It is an error if a panel has no points, or a point that has
// no place on a logarithmic axis.
func (g Growth) Figure() (*Figure, error) {
	if len(g.Panels) == 0 {
		return nil, errors.New("figure: no growth to draw")
	}
	for _, p := range g.Panels {
		if len(p.At) == 0 || len(p.At) != len(p.Seconds) {
			return nil, errors.New("figure: " + p.Across + ": as many times as places are needed, and at least one")
		}
		for _, v := range slices.Concat(p.At, p.Seconds) {
			if !finite(v) || v <= 0 {
				return nil, errors.New("figure: " + p.Across + ": a value is not above 0")
			}
		}
	}
	top := heading(g.Title)
	const row = panelHeight + below + textSize + 12
	rows := (len(g.Panels) + growthPanels - 1) / growthPanels
	return &Figure{
		width: trainingWidth, height: math.Ceil(top + float64(rows)*row + margin),
		label: described(g.Title),
		draw: func(c canvas) {
			head(c, trainingWidth, g.Title)
			const gap = 20.0
			width := (trainingWidth - 2*margin - (growthPanels-1)*gap) / growthPanels
			for i, p := range g.Panels {
				x := margin + float64(i%growthPanels)*(width+gap)
				y := top + textSize + 6 + float64(i/growthPanels)*row
				p.draw(c, g.Language, x, y, width)
			}
		},
	}, nil
}

// draw draws a panel whose area, with its labels, begins at x and is as wide as width.
func (g GrowthPanel) draw(c canvas, l lang.Language, x, y, width float64) {
	across, up := logScale(g.At), logScale(g.Seconds)
	ticks := costTicks(up)
	if !up.log {
		ticks = linearTicks(up, 6)
	}
	left := leftOf(ticks)
	p := panel{x: x + left, y: y, w: width - left, h: panelHeight, across: across, up: up}
	var places []tick
	end := math.Inf(-1) // of the last label
	for _, at := range g.At {
		t := tick{at, strconv.FormatFloat(at, 'f', -1, 64)}
		half := measure(t.label, textSize) / 2
		if middle := p.w * across.at(at); middle-half > end+4 {
			places, end = append(places, t), middle+half
		}
	}
	c.text(label{x: p.x, y: y - 6, size: textSize, color: textColor, text: shorten(g.Note, textSize, p.w)})
	p.axes(c, places, ticks, left, g.Across, secondsText.In(l))
	var path []point
	for i, at := range g.At {
		path = append(path, point{p.x + p.w*across.at(at), p.y + p.h*(1-up.at(g.Seconds[i]))})
	}
	if len(path) > 1 {
		c.line(path, stroke{color: blue, width: 1.5})
	}
	for _, at := range path {
		c.dot(at, 2.6, blue)
	}
}

// logScale returns a logarithmic axis for some values above 0. It spans at least a factor
// of two.
func logScale(values []float64) scale {
	lo, hi := slices.Min(values), slices.Max(values)
	if hi < 2*lo {
		m := math.Sqrt(2 * lo / hi)
		lo, hi = lo/m, hi*m
	}
	margin := math.Pow(hi/lo, 0.06)
	return scale{lo: lo / margin, hi: hi * margin, log: true}
}
