package compare

import (
	"math"

	"gonum.org/v1/gonum/stat/distuv"
)

// Pair compares two models by their answers for the same samples.
type Pair struct {
	Samples    int `json:"samples"`
	Both       int `json:"both_right"`
	OnlyFirst  int `json:"only_first_right"`
	OnlySecond int `json:"only_second_right"`
	Neither    int `json:"both_wrong"`

	// Difference is the accuracy of the second less that of the first. Low and High are
	// the ends of its interval of 95 %.
	Difference float64 `json:"difference"`
	Low        float64 `json:"low_95"`
	High       float64 `json:"high_95"`

	// P is the probability of a difference at least as large, either way, if both models
	// were equally good: McNemar's exact test.
	P float64 `json:"p"`
}

// newPair counts the answers of two models for the labels.
func newPair(labels []uint8, first, second []int) Pair {
	p := Pair{Samples: len(labels)}
	for i, label := range labels {
		switch a, b := first[i] == int(label), second[i] == int(label); {
		case a && b:
			p.Both++
		case a:
			p.OnlyFirst++
		case b:
			p.OnlySecond++
		default:
			p.Neither++
		}
	}
	p.Difference = float64(p.OnlySecond-p.OnlyFirst) / float64(p.Samples)
	p.Low, p.High = interval(p.OnlyFirst, p.OnlySecond, p.Samples)
	p.P = exact(p.OnlyFirst, p.OnlySecond)
	return p
}

// exact returns the p-value of McNemar's test. Samples on which both models are right,
// or both wrong, say nothing about which is better. Of the n = b + c others, each would
// be for the one or for the other with probability ½, if the models were equally good.
// So the number for one is binomial, and
//
//	p = min(1, 2 · P(X ≤ min(b, c)))   X ~ Binomial(n, ½)
//
// Q. McNemar, Note on the sampling error of the difference between correlated
// proportions, Psychometrika 12 (1947), in the exact form.
func exact(b, c int) float64 {
	if b == c {
		return 1
	}
	x := distuv.Binomial{N: float64(b + c), P: 0.5}
	return min(1, 2*x.CDF(float64(min(b, c))))
}

// interval returns the ends of the interval of 95 % for the difference (c − b)/n of two
// paired proportions, where b samples are right with the first only and c with the
// second only: Wald's interval after half a sample is added to each of the four counts.
// Unlike Wald's own, it keeps its promise also where b and c are small.
//
// A. Agresti and Y. Min, Simple improved confidence intervals for comparing matched
// proportions, Statistics in Medicine 24 (2005).
func interval(b, c, n int) (low, high float64) {
	const z = 1.959964 // of the normal distribution, for 95 %
	p, q, m := float64(b)+0.5, float64(c)+0.5, float64(n)+2
	d := (q - p) / m
	half := z * math.Sqrt(p+q-(q-p)*(q-p)/m) / m
	return d - half, d + half
}
