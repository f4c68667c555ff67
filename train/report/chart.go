package report

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// chart is the picture of some curves over the epochs. Its width is that of the page:
// places from left to right are percentages, and text keeps its size.
type chart struct {
	Title  string
	ID     string
	Height int // in pixels
	Series []series
	X, Y   []tick
	Best   []mark // where the best epoch is

	Named []series // of the page of a sweep: those that are told apart

	epochs   []float64 // of the points
	from, to float64   // of X
	low, top float64   // of Y
}

// series is a curve of a chart.
type series struct {
	Name  string
	Class string // s0 to s7, or thin
	Last  string // its last value
	D     string // the path, in a square of 1000×1000
	Dots  []mark // its points, where they are few
}

type tick struct {
	At   string // percent, or pixels
	Text string
}

type mark struct {
	X string // percent
	Y string // pixels
}

// Keys reports whether the curves are few enough to be named.
func (c *chart) Keys() bool { return len(c.Series) <= mostColours && c.Series[0].Class != thin }

// thin is the class of curves that are not told apart.
const thin = "thin"

// line is the values of a curve, one for each epoch of the chart.
type line struct {
	name, class string
	values      []float64
}

// fewPoints is the largest number of epochs for which each epoch has a dot.
const fewPoints = 20

// newChart returns the chart of lines over epochs. zero has the axis begin at 0.
// best is the epoch to mark on some lines; 0: none.
func newChart(id, title string, height int, epochs []float64, lines []line, zero bool, best int) *chart {
	c := &chart{ID: id, Title: title, Height: height, epochs: epochs}
	low, top := math.Inf(1), math.Inf(-1)
	for _, l := range lines {
		for _, v := range l.values {
			if finite(v) {
				low, top = min(low, v), max(top, v)
			}
		}
	}
	if low > top || len(epochs) == 0 {
		return nil
	}
	c.scaleX()
	c.scaleY(low, top, zero)
	for _, l := range lines {
		c.add(l)
	}
	if i := slices.Index(epochs, float64(best)); i >= 0 && best > 0 {
		for _, l := range lines {
			if i < len(l.values) && finite(l.values[i]) && l.class != thin {
				c.Best = append(c.Best, c.mark(i, l.values[i]))
			}
		}
	}
	return c
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// scaleX sets the range of the epochs and its ticks, whole numbers.
func (c *chart) scaleX() {
	c.from, c.to = c.epochs[0], c.epochs[len(c.epochs)-1]
	if c.from == c.to {
		c.from, c.to = c.from-1, c.to+1
	}
	step := max(1, niceStep((c.to-c.from)/6))
	for v := math.Ceil(c.from/step) * step; v <= c.to; v += step {
		if v >= 1 {
			c.X = append(c.X, tick{percent(c.x(v)), strconv.FormatFloat(v, 'f', 0, 64)})
		}
	}
	if c.from == 1 && step > 1 && c.x(step) > 0.07 {
		c.X = slices.Insert(c.X, 0, tick{percent(0), "1"})
	}
}

// leastRange is the least range of an axis that does not begin at 0: one of accuracies.
// Without it, a run that stays at chance level would seem to go up and down.
const leastRange = 0.01

// scaleY sets the range of the values and its ticks.
func (c *chart) scaleY(low, top float64, zero bool) {
	if zero {
		low = min(low, 0)
	} else if few := leastRange - (top - low); few > 0 {
		low, top = low-few/2, top+few/2
	}
	if low == top {
		low, top = low-0.05*max(math.Abs(low), 1e-6), top+0.05*max(math.Abs(top), 1e-6)
	}
	step := niceStep((top - low) / max(2, float64(c.Height)/50))
	c.low, c.top = math.Floor(low/step)*step, math.Ceil(top/step)*step
	decimals := max(0, int(math.Ceil(-math.Log10(step)-1e-9)))
	for i := 0; ; i++ {
		v := c.low + float64(i)*step
		if v > c.top+step/2 || i > 20 {
			break
		}
		text := strconv.FormatFloat(v, 'f', decimals, 64)
		if decimals > 6 || math.Abs(v) >= 1e7 {
			text = strconv.FormatFloat(v, 'g', 3, 64)
		}
		c.Y = append(c.Y, tick{pixels(c.y(v) * float64(c.Height)), text})
	}
}

// niceStep returns the smallest of 1, 2 and 5 times a power of ten that is not below
// step.
func niceStep(step float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(step)))
	for _, m := range []float64{1, 2, 5} {
		if m*power >= step*(1-1e-9) {
			return m * power
		}
	}
	return 10 * power
}

// x and y return places from 0 to 1; y counts from the top.
func (c *chart) x(epoch float64) float64 { return (epoch - c.from) / (c.to - c.from) }
func (c *chart) y(value float64) float64 { return (c.top - value) / (c.top - c.low) }

func percent(x float64) string { return strconv.FormatFloat(100*x, 'f', 2, 64) + "%" }
func pixels(y float64) string  { return strconv.FormatFloat(y, 'f', 1, 64) }

func (c *chart) mark(i int, value float64) mark {
	return mark{percent(c.x(c.epochs[i])), pixels(c.y(value) * float64(c.Height))}
}

// add adds a line. Where a value is not finite, it has a gap.
func (c *chart) add(l line) {
	var path strings.Builder
	s := series{Name: l.name, Class: l.class, Last: "–"}
	points := min(len(l.values), len(c.epochs))
	gap := true
	for i := range points {
		v := l.values[i]
		if !finite(v) {
			gap = true
			continue
		}
		s.Last = figureOf(v)
		letter := byte('L')
		if gap {
			letter = 'M'
		}
		gap = false
		path.WriteByte(letter)
		path.WriteString(strconv.FormatFloat(1000*c.x(c.epochs[i]), 'f', 1, 64))
		path.WriteByte(' ')
		path.WriteString(strconv.FormatFloat(1000*c.y(v), 'f', 1, 64))
		if points <= fewPoints && l.class != thin {
			s.Dots = append(s.Dots, c.mark(i, v))
		}
	}
	s.D = path.String()
	c.Series = append(c.Series, s)
}

// figureOf formats a value of a chart: an accuracy, a cost or a rate.
func figureOf(v float64) string {
	switch {
	case !finite(v):
		return "–"
	case v != 0 && math.Abs(v) < 0.01 || math.Abs(v) >= 1e5:
		return strconv.FormatFloat(v, 'g', 3, 64)
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

// thinned returns which of n points to show, at most most: equally spaced, the last
// and those of keep among them.
func thinned(n, most int, keep ...int) []int {
	var list []int
	if n <= most {
		for i := range n {
			list = append(list, i)
		}
		return list
	}
	for i := range most {
		list = append(list, i*(n-1)/(most-1))
	}
	for _, k := range keep {
		if k >= 0 && k < n {
			list = append(list, k)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
