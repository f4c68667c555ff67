package figure

import (
	"math"
	"strconv"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
)

// xRange returns the range of the epoch axis: 1 to epochs, with a margin.
func xRange(epochs int) (lo, hi float64) {
	if epochs == 1 {
		return 0.5, 1.5
	}
	margin := 0.02 * float64(epochs-1)
	return 1 - margin, float64(epochs) + margin
}

// xTicks returns labelled ticks at the first epoch and at the multiples of a round
// number, at most 11 in total.
func xTicks(epochs int) []plot.Tick {
	step := 1
	for decade := 1; epochs/step > 10; decade *= 10 {
		for _, factor := range []int{2, 5, 10} {
			if epochs/step > 10 {
				step = decade * factor
			}
		}
	}
	var ticks []plot.Tick
	if step > 2 { // for a smaller step the label 1 would be a multiple, or next to 2
		ticks = append(ticks, plot.Tick{Value: 1, Label: "1"})
	}
	for e := step; e <= epochs; e += step {
		ticks = append(ticks, plot.Tick{Value: float64(e), Label: strconv.Itoa(e)})
	}
	return ticks
}

// yRange returns the range of the accuracy axis: the range of the values, with a
// margin.
func yRange(xys plotter.XYs) (lo, hi float64) {
	lo, hi = math.Inf(1), math.Inf(-1)
	for _, p := range xys {
		lo, hi = min(lo, p.Y), max(hi, p.Y)
	}
	// The range is at least 0.01, so that noise in the fourth digit looks small.
	margin := max(0.06*(hi-lo), (0.01-(hi-lo))/2, 0.001)
	return lo - margin, hi + margin
}

// yTicks returns labelled ticks at the multiples of a round step from lo to hi, at
// most nine, none of them above 1 or below 0.
func yTicks(lo, hi float64) []plot.Tick {
	const maxSteps = 8
	decimals, step := 4, 0.0
	for _, s := range []struct {
		step     float64
		decimals int
	}{{0.001, 3}, {0.002, 3}, {0.005, 3}, {0.01, 2}, {0.02, 2}, {0.05, 2}, {0.1, 1}, {0.2, 1}} {
		if step, decimals = s.step, s.decimals; (hi-lo)/step <= maxSteps {
			break
		}
	}
	var ticks []plot.Tick
	for i := math.Ceil(max(lo, 0) / step); ; i++ {
		// Rounding to the digits of the label gives 0.93, not 0.9300000000000002.
		label := strconv.FormatFloat(i*step, 'f', decimals, 64)
		v, err := strconv.ParseFloat(label, 64)
		if err != nil || v > min(hi, 1) {
			return ticks
		}
		ticks = append(ticks, plot.Tick{Value: v, Label: label})
	}
}
