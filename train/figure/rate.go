package figure

import (
	"errors"
	"math"
	"strconv"

	"trainer/train/lang"
)

// RateSearch is what the figure of a search for a learning rate shows: the cost of
// mini-batches while the rate grows, and where it falls fastest.
type RateSearch struct {
	Title     string
	Language  lang.Language
	Rates     []float64 // ascending
	Costs     []float64 // at each rate
	Smooth    []float64 // smoothed
	Steepest  int       // index of the rate at which the cost falls fastest; -1: none
	Suggested float64   // that rate, rounded
}

var (
	rateAxisText  = lang.Text{En: "learning rate η (logarithmic)", Zh: "学习率 η（对数坐标）"}
	rateCostText  = lang.Text{En: "cost of the mini-batches (logarithmic)", Zh: "小批量的代价（对数坐标）"}
	ratePlainText = lang.Text{En: "cost of the mini-batches", Zh: "小批量的代价"}
	steepestText  = lang.Text{En: "○ steepest: η = %s", Zh: "○ 下降最快：η = %s"}
	dotsText      = lang.Text{En: "· cost at a rate, line: smoothed", Zh: "· 各学习率下的代价，曲线：平滑后"}
)

// The size of the figure of a search for a rate, in points.
const (
	rateWidth  = 7.5 * 72
	rateHeight = 270
)

// Figure returns the figure. It is an error if there are fewer than two rates.
func (r RateSearch) Figure() (*Figure, error) {
	if len(r.Rates) < 2 || len(r.Costs) != len(r.Rates) || len(r.Smooth) != len(r.Rates) {
		return nil, errors.New("figure: no costs at two or more rates to draw")
	}
	notes := []string{dotsText.In(r.Language)}
	if r.Steepest >= 0 {
		notes = append(notes, steepestText.Format(r.Language, strconv.FormatFloat(r.Suggested, 'g', -1, 64)))
	}
	top := heading(r.Title, notes...)
	return &Figure{
		width: rateWidth, height: math.Ceil(top + rateHeight + below + margin),
		label: described(append([]string{r.Title}, notes...)...),
		draw: func(c canvas) {
			head(c, rateWidth, r.Title, notes...)
			up := costScale(r.Costs)
			name := ratePlainText
			if up.log {
				name = rateCostText
			}
			ticks := costTicks(up)
			left := leftOf(ticks)
			around := math.Pow(r.Rates[len(r.Rates)-1]/r.Rates[0], 0.02)
			p := panel{
				x: margin + left, y: top, w: rateWidth - 2*margin - left - 8, h: rateHeight,
				across: scale{lo: r.Rates[0] / around, hi: r.Rates[len(r.Rates)-1] * around, log: true}, up: up,
			}
			p.axes(c, costTicks(p.across), ticks, left, rateAxisText.In(r.Language), name.In(r.Language))
			at := func(i int, cost float64) point {
				return point{p.x + p.w*p.across.at(r.Rates[i]), p.y + p.h*(1-up.at(min(max(cost, up.lo), up.hi)))}
			}
			var line []point
			for i := range r.Rates {
				if finite(r.Costs[i]) {
					c.dot(at(i, r.Costs[i]), 1.5, pale(blue))
				}
				line = append(line, at(i, r.Smooth[i]))
			}
			c.line(line, stroke{color: blue, width: 1.8})
			if r.Steepest >= 0 {
				mark := at(r.Steepest, r.Smooth[r.Steepest])
				c.line([]point{{mark.x, p.y}, {mark.x, p.y + p.h}}, stroke{color: red, width: 1, dash: []float64{4, 3}})
				c.ring(mark, 5.5, stroke{color: red, width: 1.4})
			}
		},
	}, nil
}
