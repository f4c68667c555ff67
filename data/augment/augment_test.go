package augment

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"trainer/data"
)

// made returns a distorted set, made by so many goroutines.
func made(t *testing.T, s *data.Set, o Options, seed, number uint64, workers int) *data.Set {
	t.Helper()
	j, err := New(s, o, seed, number)
	if err != nil {
		t.Fatal(err)
	}
	for range workers - 1 {
		go j.Work(t.Context())
	}
	set, err := j.Set(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestSameBits: the bytes do not depend on the number of cores, and not on the
// platform; they do depend on the seed and on the number of the set.
func TestSameBits(t *testing.T) {
	digits := data.GenerateDigits(1, 1000, 0).Train
	before := bytes.Clone(digits.Pixels)
	one := made(t, digits, usual, 1, 0, 1)
	if two := made(t, digits, usual, 1, 0, 3); !bytes.Equal(one.Pixels, two.Pixels) {
		t.Error("three goroutines make other images than one")
	}
	if !bytes.Equal(before, digits.Pixels) {
		t.Error("the set itself has changed")
	}
	for what, other := range map[string]*data.Set{"another seed": made(t, digits, usual, 2, 0, 2), "the next set": made(t, digits, usual, 1, 1, 2)} {
		if bytes.Equal(one.Pixels, other.Pixels) {
			t.Errorf("%s: the same images", what)
		}
	}
	if err := one.Check(); err != nil || !bytes.Equal(one.Labels, digits.Labels) {
		t.Errorf("labels: %v", err)
	}
	// Written down on amd64. A difference means that runs can no longer be repeated.
	const want = "60bca53f04e4219d"
	if got := fmt.Sprintf("%x", sha256.Sum256(one.Pixels)); got[:16] != want {
		t.Errorf("the images have the sum %s, want %s", got[:16], want)
	}
	// An image is what it is in a smaller set.
	if few := made(t, digits.Slice(0, 300), usual, 1, 0, 1); !bytes.Equal(few.Pixels, one.Slice(0, 300).Pixels) {
		t.Error("the images of a smaller set are others")
	}
}

// TestNothing: amounts of 0 leave every byte as it is.
func TestNothing(t *testing.T) {
	digits := data.GenerateDigits(1, 300, 0).Train
	if set := made(t, digits, Options{}, 1, 3, 1); !bytes.Equal(set.Pixels, digits.Pixels) {
		t.Error("images have changed")
	}
	odd := &data.Set{Name: "odd", Rows: 5, Cols: 8, Classes: 2, Labels: []uint8{0, 1}, Pixels: make([]uint8, 80)}
	for i := range odd.Pixels {
		odd.Pixels[i] = uint8(7 * i)
	}
	if set := made(t, odd, Options{}, 1, 3, 1); !bytes.Equal(set.Pixels, odd.Pixels) {
		t.Errorf("have %v", set.Pixels)
	}
	if !(Options{Smooth: 4}).None() || usual.None() {
		t.Error("None")
	}
}

// moments returns the mass of an image, its middle, and its second moments.
func moments(s *data.Set, i int) (mass, x, y, xx, xy, yy float64) {
	for k, p := range s.Image(i) {
		v := float64(p)
		mass += v
		x += v * float64(k%s.Cols)
		y += v * float64(k/s.Cols)
	}
	x, y = x/mass, y/mass
	for k, p := range s.Image(i) {
		dx, dy := float64(k%s.Cols)-x, float64(k/s.Cols)-y
		xx += float64(p) * dx * dx / mass
		xy += float64(p) * dx * dy / mass
		yy += float64(p) * dy * dy / mass
	}
	return mass, x, y, xx, xy, yy
}

// bar is images of a bright upright bar in the middle, 31×31.
func bar(n int) *data.Set {
	s := &data.Set{Name: "bar", Rows: 31, Cols: 31, Classes: 1, Labels: make([]uint8, n), Pixels: make([]uint8, n*31*31)}
	for i := range n {
		for y := 8; y <= 22; y++ {
			for x := 14; x <= 16; x++ {
				s.Image(i)[31*y+x] = 255
			}
		}
	}
	return s
}

// TestAmounts: each kind of distortion does what it says, up to the amount that is
// given, evenly to both sides. What it should do is measured in the images.
func TestAmounts(t *testing.T) {
	const n = 400
	bars := bar(n)
	mass, _, _, _, _, _ := moments(bars, 0)
	for name, c := range map[string]struct {
		o       Options
		amount  float64
		measure func(s *data.Set, i int) float64
		error   float64 // of the measurement
	}{
		"rotate": {Options{Rotate: 20}, 20, func(s *data.Set, i int) float64 {
			_, _, _, xx, xy, yy := moments(s, i)
			return 0.5 * math.Atan2(2*xy, yy-xx) * 180 / math.Pi
		}, 0.3},
		"scale": {Options{Scale: 0.2}, 0.2, func(s *data.Set, i int) float64 {
			m, _, _, _, _, _ := moments(s, i)
			return math.Sqrt(m/mass) - 1
		}, 0.02},
		"shear": {Options{Shear: 0.3}, 0.3, func(s *data.Set, i int) float64 {
			_, _, _, _, xy, yy := moments(s, i)
			return xy / yy
		}, 0.01},
		"shift x": {Options{Shift: 3}, 3, func(s *data.Set, i int) float64 {
			_, x, _, _, _, _ := moments(s, i)
			return x - 15
		}, 0.02},
		"shift y": {Options{Shift: 3}, 3, func(s *data.Set, i int) float64 {
			_, _, y, _, _, _ := moments(s, i)
			return y - 15
		}, 0.02},
	} {
		set := made(t, bars, c.o, 1, 0, 1)
		low, high, sum := 0.0, 0.0, 0.0
		for i := range n {
			v := c.measure(set, i)
			low, high, sum = min(low, v), max(high, v), sum+v
		}
		// Of n even draws from ±a, the largest is within 3 % of a with probability
		// 1 − 0.985^400 = 0.998, and their mean has the deviation a/√(3n).
		if high > c.amount+c.error || high < 0.97*c.amount-c.error || -low > c.amount+c.error || -low < 0.97*c.amount-c.error {
			t.Errorf("%s: from %v to %v, want ±%v", name, low, high, c.amount)
		}
		if mean := math.Abs(sum / n); mean > 4*c.amount/math.Sqrt(3*n)+c.error {
			t.Errorf("%s: mean %v", name, mean)
		}
	}
}

// TestElastic: the shifts have the standard deviation that was asked for, and go together
// as far as a Gaussian of that σ makes them: over a distance d their correlation is
// exp(−d²/4σ²).
func TestElastic(t *testing.T) {
	o := Options{Elastic: 1.5, Smooth: 4}
	s := bar(1)
	f := newField(o, s, data.Stream(1, "field", 0))
	for name, v := range map[string][]int16{"x": f.x, "y": f.y} {
		at := func(i, j int) float64 { return float64(v[i%side*f.stride+j%side]) / one }
		for _, d := range []int{0, 1, 4, 8, 16} {
			across, down := 0.0, 0.0
			for i := range side {
				for j := range side {
					across += at(i, j) * at(i, j+d)
					down += at(i, j) * at(i+d, j)
				}
			}
			want := o.Elastic * o.Elastic * math.Exp(-float64(d*d)/(4*o.Smooth*o.Smooth))
			// About (256/8)² places are independent: a deviation of 1/32 of the variance.
			for direction, sum := range map[string]float64{"across": across, "down": down} {
				if got := sum / (side * side); math.Abs(got-want) > 4*o.Elastic*o.Elastic/32 {
					t.Errorf("%s %s: covariance %v over %d pixels, want %v", name, direction, got, d, want)
				}
			}
		}
		for i := range s.Rows { // it continues as it begins
			for j := range s.Cols {
				if v[(side+i)*f.stride+side+j] != v[i*f.stride+j] {
					t.Fatalf("%s: other shifts at %d, %d", name, i, j)
				}
			}
		}
	}
}

// TestLimits distorts as much as is legal: nothing is read outside of an image, and its
// edge goes on outside.
func TestLimits(t *testing.T) {
	most := Options{MaxRotate, MaxScale, MaxShear, MaxShift, MaxElastic, MinSmooth}
	for _, size := range [][2]int{{28, 28}, {2, 2}, {2, 90}, {64, 3}, {40, 60}} {
		s := &data.Set{Name: "grey", Rows: size[0], Cols: size[1], Classes: 1, Labels: make([]uint8, 600), Pixels: make([]uint8, 600*size[0]*size[1])}
		for i := range s.Pixels {
			s.Pixels[i] = 77
		}
		for _, p := range made(t, s, most, 1, 0, 1).Pixels {
			if p != 77 {
				t.Fatalf("%v: a grey image has a pixel of %d", size, p)
			}
		}
	}
	for _, c := range []struct {
		change func(*Options)
		want   string
	}{
		{func(o *Options) { o.Rotate = 46 }, "rotate is 46: want 0 to 45"}, {func(o *Options) { o.Scale = -0.1 }, "scale"},
		{func(o *Options) { o.Shear = math.NaN() }, "shear"}, {func(o *Options) { o.Shift = math.Inf(1) }, "shift"},
		{func(o *Options) { o.Elastic = 6 }, "elastic"}, {func(o *Options) { o.Smooth = 0 }, "smooth is 0: want 1 to 20"},
	} {
		o := usual
		c.change(&o)
		if _, err := New(bar(1), o, 1, 0); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", o, err, c.want)
		}
	}
	row := &data.Set{Name: "rows", Rows: 1, Cols: 9, Classes: 1}
	if _, err := New(row, usual, 1, 0); err == nil || !strings.Contains(err.Error(), "1×9") {
		t.Errorf("images of one row: %v", err)
	}
	if set := made(t, bar(0), usual, 1, 0, 2); set.Len() != 0 {
		t.Error("of no images")
	}
}

// TestCancel: a job ends when its context does.
func TestCancel(t *testing.T) {
	j, err := New(bar(10_000), usual, 1, 0)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Set(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("have %v", err)
	}
}

// TestTurn compares sine and cosine with those of package math.
func TestTurn(t *testing.T) {
	for a := -45.0; a <= 45; a += 0.5 {
		sin, cos := turn(a)
		r := a * math.Pi / 180
		if math.Abs(sin-math.Sin(r)) > 1e-11 || math.Abs(cos-math.Cos(r)) > 1e-11 {
			t.Errorf("%v°: %v and %v, want %v and %v", a, sin, cos, math.Sin(r), math.Cos(r))
		}
	}
}
