package figure

import (
	"math"
	"slices"
	"strconv"
	"strings"
)

// tick is a labelled place on an axis.
type tick struct {
	value float64
	label string
}

// scale is the range of an axis.
type scale struct {
	lo, hi float64
	log    bool // then lo is above 0
}

// at returns where a value is: 0 at lo, 1 at hi.
func (s scale) at(v float64) float64 {
	if s.log {
		return math.Log(math.Max(v, s.lo)/s.lo) / math.Log(s.hi/s.lo)
	}
	return (v - s.lo) / (s.hi - s.lo)
}

// epochScale returns the axis of the epochs: 1 to epochs, with a margin.
func epochScale(epochs int) scale {
	if epochs == 1 {
		return scale{lo: 0.5, hi: 1.5}
	}
	margin := 0.02 * float64(epochs-1)
	return scale{lo: 1 - margin, hi: float64(epochs) + margin}
}

// epochTicks returns ticks at the first epoch and at the multiples of a round number, at
// most one more than most.
func epochTicks(epochs, most int) []tick {
	step := 1
	for decade := 1; epochs/step > most; decade *= 10 {
		for _, factor := range []int{2, 5, 10} {
			if epochs/step > most {
				step = decade * factor
			}
		}
	}
	var ticks []tick
	if step > 2 { // for a smaller step the label 1 would be a multiple, or next to 2
		ticks = append(ticks, tick{1, "1"})
	}
	for e := step; e <= epochs; e += step {
		ticks = append(ticks, tick{float64(e), strconv.Itoa(e)})
	}
	return ticks
}

// accuracyScale returns the axis of some accuracies: their range with a margin. The
// range is at least half of what is left to 1, so that the noise of a run that has
// learned nothing, or everything, looks as small as it is.
func accuracyScale(values []float64) scale {
	lo, hi := slices.Min(values), slices.Max(values)
	margin := 0.06 * (hi - lo)
	if least := max(0.01, 0.5*(1-hi)); hi-lo+2*margin < least {
		margin = (least - (hi - lo)) / 2
	}
	s := scale{lo: lo - margin, hi: hi + margin}
	// A little space, so that a line at 0 or 1 is not on the frame.
	const over = 0.03
	if s.lo < 0 {
		s.lo, s.hi = 0, s.hi-s.lo
		s.lo = -over * s.hi
	}
	if s.hi > 1 {
		s.lo -= s.hi - 1
		s.hi = 1 + over*(1-s.lo)
	}
	return s
}

// accuracyTicks returns ticks at the multiples of a round step, at most nine, none of
// them above 1 or below 0.
func accuracyTicks(s scale) []tick {
	return linearTicks(scale{lo: max(s.lo, 0), hi: min(s.hi, 1)}, 8)
}

// costScale returns the axis of some costs. It begins at 0, or it is logarithmic if the
// costs differ by more than a factor of ten, over six decades at most: lower costs are
// then on its lower edge.
func costScale(values []float64) scale {
	lo, hi := math.Inf(1), slices.Max(values)
	for _, v := range values {
		if v > 0 {
			lo = min(lo, v)
		}
	}
	switch {
	case hi <= 0:
		return scale{lo: 0, hi: 1}
	case hi/lo <= 10:
		return scale{lo: 0, hi: 1.06 * hi}
	}
	lo = max(lo, 1e-6*hi)
	margin := math.Pow(hi/lo, 0.05)
	return scale{lo: lo / margin, hi: hi * margin, log: true}
}

// costTicks returns at most nine ticks.
func costTicks(s scale) []tick {
	const most = 8
	if !s.log {
		return linearTicks(s, most)
	}
	var ticks []tick
	for _, c := range []struct {
		decades float64 // the least for these factors
		factors []float64
	}{{4, []float64{1}}, {2.5, []float64{1, 3}}, {0, []float64{1, 2, 5}}, {0, []float64{1, 1.5, 2, 3, 4, 5, 6, 8}}, {0, []float64{1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 9}}} {
		if math.Log10(s.hi/s.lo) <= c.decades {
			continue
		}
		if ticks = logTicks(s, c.factors); len(ticks) > 2 {
			break
		}
	}
	return ticks
}

// logTicks returns the ticks at these factors of the powers of ten.
func logTicks(s scale, factors []float64) (ticks []tick) {
	for e := int(math.Floor(math.Log10(s.lo))); e <= int(math.Ceil(math.Log10(s.hi))); e++ {
		for _, f := range factors {
			// Parsing gives the number that is nearest to the decimal digits.
			label := strconv.FormatFloat(f, 'f', -1, 64) + "e" + strconv.Itoa(e)
			v, err := strconv.ParseFloat(label, 64)
			if err == nil && v >= s.lo && v <= s.hi {
				ticks = append(ticks, tick{v, minus(strconv.FormatFloat(v, 'g', -1, 64))})
			}
		}
	}
	return ticks
}

// minus gives a number the sign of mathematics.
func minus(number string) string { return strings.ReplaceAll(number, "-", "−") }

// linearTicks returns ticks at the multiples of a round step, at most one more than
// most.
func linearTicks(s scale, most int) []tick {
	var step float64
	var text string
	exponent := int(math.Floor(math.Log10((s.hi - s.lo) / float64(most))))
	for _, factor := range []string{"1", "2", "5", "10", "20"} {
		text = factor + "e" + strconv.Itoa(exponent)
		step, _ = strconv.ParseFloat(text, 64)
		if (s.hi-s.lo)/step <= float64(most) {
			if len(factor) > 1 {
				exponent++
			}
			break
		}
	}
	decimals := max(0, -exponent)
	format := func(v float64) string {
		if exponent > 3 || exponent < -6 {
			return strconv.FormatFloat(v, 'g', 3, 64)
		}
		return strconv.FormatFloat(v, 'f', decimals, 64)
	}
	var ticks []tick
	for i := math.Ceil(s.lo / step); i <= math.Floor(s.hi/step); i++ {
		v := i * step
		if exponent <= 3 && exponent >= -6 {
			// Rounding to the digits of the label gives 0.93, not 0.9300000000000002.
			v, _ = strconv.ParseFloat(format(v), 64)
		}
		ticks = append(ticks, tick{v + 0, minus(format(v + 0))}) // −0 becomes 0
	}
	return ticks
}
