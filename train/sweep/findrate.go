package sweep

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/figure"
	"trainer/train/lang"
)

// The files of a search for a learning rate.
const (
	RateCSV = "rate.csv"
	RateSVG = "rate.svg"
	RatePNG = "rate.png"
)

// The range of the rates that FindRate tries, and how many of them.
const (
	leastRate = 1e-4
	mostRate  = 1000 // the largest that a configuration has
	mostRates = 140  // twenty a decade
	fewRates  = 20   // with fewer, there is no curve
)

// RateSearch is the cost of mini-batches at growing rates.
type RateSearch struct {
	Points   []RatePoint
	Steepest int // where the cost falls fastest; -1: nowhere
	Lowest   int // where it is lowest
	Ended    string
}

// RatePoint is a rate with the mean cost of the mini-batches trained at it, each before
// its step.
type RatePoint struct {
	Rate, Cost float64
	Smooth     float64 // the geometric mean of the costs of it and its neighbours
}

// FindRate trains an epoch in which the learning rate grows by equal factors (Smith 2017,
// "Cyclical learning rates for training neural networks", section 3.3). It ends when the
// cost is no longer finite, or is far above the lowest.
//
// The cost falls fastest where its logarithm has the steepest slope against that of the
// rate, before it is lowest. The first fall, in which the outputs only learn their means,
// does not count, if there is another: costs above the lowest of a constant answer.
func FindRate(ctx context.Context, c config.Config, d *data.Dataset, m vm.VM) (*RateSearch, error) {
	set, batch := d.Train, c.Train.Batch
	steps := (set.Len() + batch - 1) / batch
	if steps < fewRates {
		return nil, fmt.Errorf("an epoch has %d steps, and the rate wants %d or more to grow: use a smaller train.batch", steps, fewRates)
	}
	p, err := train.InitialParameters(c)
	if err != nil {
		return nil, err
	}
	if err := m.SetParameters(p); err != nil {
		return nil, err
	}
	order := data.FileOrder(set.Len())
	if c.Train.Shuffle {
		order = data.Shuffled(set.Len(), c.Seed, 1)
	}
	n := min(steps, mostRates)
	s := &RateSearch{}
	lowest := math.Inf(1)
	for k := range n {
		from, to := k*steps/n*batch, min((k+1)*steps/n*batch, set.Len())
		pass := vm.Pass{
			Set: set, Order: order[from:to], Batch: batch,
			Rate: leastRate * math.Pow(mostRate/leastRate, float64(k)/float64(n-1)),
		}
		pass.Costs = make([]float64, pass.Steps())
		err := m.Train(ctx, pass)
		if bad := (*vm.NonFiniteError)(nil); errors.As(err, &bad) {
			s.Ended = bad.Error()
			break
		}
		if err != nil {
			return nil, err
		}
		cost := 0.0
		for _, v := range pass.Costs {
			cost += v / float64(len(pass.Costs))
		}
		if math.IsNaN(cost) || math.IsInf(cost, 0) {
			s.Ended = "the cost is not finite"
			break
		}
		s.Points = append(s.Points, RatePoint{Rate: pass.Rate, Cost: cost})
		if lowest = min(lowest, cost); cost > 20*lowest && k > n/4 {
			s.Ended = "the cost is 20 times the lowest"
			break
		}
	}
	if len(s.Points) < fewRates/2 {
		return nil, fmt.Errorf("after %d rates, at %.3g, %s: the first weights (model.init) may be too large", len(s.Points), leastRate, s.Ended)
	}
	s.judge(constantCost(set))
	return s, nil
}

// constantCost returns the lowest cost that a constant answer can have: that of outputs
// that are the means of their targets.
func constantCost(set *data.Set) (cost float64) {
	counts := make([]float64, set.Classes)
	for _, l := range set.Labels {
		counts[l]++
	}
	targets := set.Scale.TargetRange()
	for _, n := range counts {
		p := n / float64(set.Len())
		cost += p * (1 - p) / 2 * (targets.High - targets.Low) * (targets.High - targets.Low)
	}
	return cost
}

// judge smooths the costs, and finds the lowest and the steepest place. constant is the
// lowest cost of a constant answer.
func (s *RateSearch) judge(constant float64) {
	const around = 3 // points to either side
	logs := make([]float64, len(s.Points))
	window := func(i int) (from, to int) { return max(0, i-around), min(len(logs), i+around+1) }
	for i := range s.Points {
		from, to := window(i)
		sum := 0.0
		for _, p := range s.Points[from:to] {
			sum += math.Log(max(p.Cost, 1e-300))
		}
		logs[i] = sum / float64(to-from)
		s.Points[i].Smooth = math.Exp(logs[i])
		if logs[i] < logs[s.Lowest] {
			s.Lowest = i
		}
	}
	s.Steepest = -1
	steepest := 0.0
	learns := s.Points[s.Lowest].Smooth < 0.9*constant // more than the means
	for i := around; i < s.Lowest; i++ {
		if learns && s.Points[i].Smooth > constant {
			continue
		}
		from, to := window(i)
		slope := slopeOf(logs[from:to])
		if slope < steepest {
			steepest, s.Steepest = slope, i
		}
	}
}

// slopeOf returns the slope of the line that fits equally spaced values best.
func slopeOf(values []float64) float64 {
	n := float64(len(values))
	mean, top, below := 0.0, 0.0, 0.0
	for _, v := range values {
		mean += v / n
	}
	for i, v := range values {
		x := float64(i) - (n-1)/2
		top += x * (v - mean)
		below += x * x
	}
	return top / below
}

// Suggested returns the rate at the steepest place, with two digits; 0: there is none.
func (s *RateSearch) Suggested() float64 {
	if s.Steepest < 0 {
		return 0
	}
	return roundTo(s.Points[s.Steepest].Rate, 2)
}

func roundTo(v float64, digits int) float64 {
	scale := math.Pow(10, float64(digits-1)-math.Floor(math.Log10(v)))
	return math.Round(v*scale) / scale
}

// CSV writes a line for each rate.
func (s *RateSearch) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	rows := [][]string{{"rate", "cost", "smoothed_cost"}}
	for _, p := range s.Points {
		rows = append(rows, []string{number(p.Rate), number(p.Cost), number(p.Smooth)})
	}
	return out.WriteAll(rows)
}

// Figure returns the figure of the costs.
func (s *RateSearch) Figure(title string, l lang.Language) (*figure.Figure, error) {
	f := figure.RateSearch{Title: title, Language: l, Steepest: s.Steepest, Suggested: s.Suggested()}
	for _, p := range s.Points {
		f.Rates, f.Costs, f.Smooth = append(f.Rates, p.Rate), append(f.Costs, p.Cost), append(f.Smooth, p.Smooth)
	}
	return f.Figure()
}
