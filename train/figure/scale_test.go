package figure

import (
	"math"
	"slices"
	"strings"
	"testing"
)

func labels(ticks []tick) string {
	s := make([]string, 0, len(ticks))
	for _, t := range ticks {
		s = append(s, t.label)
	}
	return strings.Join(s, " ")
}

func TestEpochTicks(t *testing.T) {
	for epochs, want := range map[int]string{
		1:    "1",
		2:    "1 2",
		10:   "1 2 3 4 5 6 7 8 9 10",
		11:   "2 4 6 8 10",
		21:   "2 4 6 8 10 12 14 16 18 20",
		22:   "1 5 10 15 20",
		50:   "1 5 10 15 20 25 30 35 40 45 50",
		100:  "1 10 20 30 40 50 60 70 80 90 100",
		1000: "1 100 200 300 400 500 600 700 800 900 1000",
	} {
		if got := labels(epochTicks(epochs, 10)); got != want {
			t.Errorf("%d epochs: %s, want %s", epochs, got, want)
		}
	}
	for _, most := range []int{2, 5, 10} {
		for epochs := 1; epochs < 30000; epochs += 1 + epochs/50 {
			ticks := epochTicks(epochs, most)
			if n := len(ticks); n < 1 || n > most+1 || ticks[n-1].value > float64(epochs) {
				t.Errorf("%d epochs, at most %d: %s", epochs, most, labels(ticks))
			}
		}
	}
}

func TestAccuracyTicks(t *testing.T) {
	for _, test := range []struct {
		lo, hi float64
		want   string
	}{
		{0.93, 0.99, "0.93 0.94 0.95 0.96 0.97 0.98 0.99"},
		{0.9, 1.003, "0.90 0.92 0.94 0.96 0.98 1.00"},
		{0.925, 0.935, "0.926 0.928 0.930 0.932 0.934"},
		{-0.06, 1.06, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{0.995, 1.005, "0.995 0.996 0.997 0.998 0.999 1.000"},
	} {
		if got := labels(accuracyTicks(scale{lo: test.lo, hi: test.hi})); got != test.want {
			t.Errorf("%v to %v: %s, want %s", test.lo, test.hi, got, test.want)
		}
	}
	// For many ranges: the values are inside, and the labels differ and are inside.
	for lo := 0.0; lo <= 1; lo += 0.0137 {
		for hi := lo; hi <= 1; hi += 0.0171 {
			s := accuracyScale([]float64{lo, hi})
			ticks := accuracyTicks(s)
			l := strings.Fields(labels(ticks))
			if n := len(l); s.lo > lo || s.hi < hi || n < 3 || n > 9 || len(slices.Compact(l)) != n || ticks[0].value < s.lo || ticks[n-1].value > s.hi {
				t.Errorf("%v to %v: %+v, %s", lo, hi, s, labels(ticks))
			}
		}
	}
}

// TestAccuracyScale: noise does not fill the axis.
func TestAccuracyScale(t *testing.T) {
	for _, test := range []struct {
		lo, hi float64
		want   float64 // the least range
	}{
		{0.098, 0.1135, 0.44}, // guessing
		{0.93, 0.9301, 0.034}, // one epoch
		{0.99, 0.9901, 0.0099},
		{1, 1, 0.01},
		{0, 0, 0.5},
		{0.1, 0.97, 0.87},
	} {
		if s := accuracyScale([]float64{test.lo, test.hi}); s.hi-s.lo < test.want || s.hi-s.lo > 1.5*test.want {
			t.Errorf("%v to %v: %+v, want a range of about %v", test.lo, test.hi, s, test.want)
		}
	}
}

func TestCostScale(t *testing.T) {
	for _, test := range []struct {
		values []float64
		log    bool
		ticks  string
	}{
		{[]float64{0.06, 0.02, 0.0101}, false, "0.00 0.01 0.02 0.03 0.04 0.05 0.06"},
		{[]float64{0.45, 0.4501}, false, "0.0 0.1 0.2 0.3 0.4"},
		{[]float64{0.06, 0.004}, true, "0.005 0.01 0.02 0.05"},
		{[]float64{0.4, 0.0004}, true, "0.0003 0.001 0.003 0.01 0.03 0.1 0.3"},
		{[]float64{0.4, 7e-6}, true, "1e−05 0.0001 0.001 0.01 0.1"},
		{[]float64{1, 1e-12}, true, "1e−06 1e−05 0.0001 0.001 0.01 0.1 1"}, // six decades
		{[]float64{0.4, 0}, false, "0.0 0.1 0.2 0.3 0.4"},
		{[]float64{0, 0}, false, "0.0 0.2 0.4 0.6 0.8 1.0"},
		{[]float64{5e20, 6e20}, false, "0 1e+20 2e+20 3e+20 4e+20 5e+20 6e+20"},
		{[]float64{1e-30, 2e-30}, false, "0 5e−31 1e−30 1.5e−30 2e−30"},
	} {
		s := costScale(test.values)
		if got := labels(costTicks(s)); s.log != test.log || got != test.ticks {
			t.Errorf("%v: %+v, %s; want %s", test.values, s, got, test.ticks)
		}
		for _, v := range test.values {
			if at := s.at(v); at < 0 || at > 1 || math.IsNaN(at) {
				t.Errorf("%v: %v is at %v", test.values, v, at)
			}
		}
	}
}

// TestLogTicks: a logarithmic axis has some ticks and not too many, however short it is.
func TestLogTicks(t *testing.T) {
	for hi := 1.0; hi < 1e5; hi *= 1.07 {
		for _, lo := range []float64{1, 1.7, 3.3, 7e-4} {
			s := logScale([]float64{lo, lo * hi})
			ticks := costTicks(s)
			if n := len(ticks); n < 3 || n > 9 || ticks[0].value < s.lo || ticks[n-1].value > s.hi {
				t.Errorf("%v to %v: %s", lo, lo*hi, labels(ticks))
			}
		}
	}
}
