package augment

import (
	"math"
	"math/rand/v2"

	"trainer/data"
)

// side is that of the square of noise that the elastic shifts of a set are taken from.
// Each image has a window of it, at a random place.
const (
	side = 256
	wrap = side - 1 // i&wrap is i modulo side
)

// mostElastic is the largest elastic shift, in standard deviations: what is larger is cut.
const mostElastic = 4

// field is elastic shifts, in 2^−fine pixels. It continues as it begins, so that a window
// can begin anywhere in the square.
type field struct {
	x, y   []int16
	stride int
}

// newField draws the shifts for images like those of s: noise that is smoothed, and
// scaled to the standard deviation that is wanted.
func newField(o Options, s *data.Set, r *rand.Rand) *field {
	f := &field{stride: side + s.Cols}
	f.x = make([]int16, f.stride*(side+s.Rows))
	f.y = make([]int16, len(f.x))
	if o.Elastic == 0 {
		return f
	}
	for _, to := range [][]int16{f.x, f.y} {
		noise := make([]float64, side*side)
		for i := range noise {
			noise[i] = even(r, 1)
		}
		smooth(noise, o.Smooth)
		sum := 0.0
		for _, v := range noise {
			sum += float64(v * v)
		}
		most := mostElastic * o.Elastic * one
		scale := o.Elastic * one / math.Sqrt(sum/(side*side))
		for i := range side + s.Rows {
			for j := range s.Cols + side {
				v := math.Floor(float64(noise[i&wrap*side+j&wrap]*scale) + 0.5)
				to[i*f.stride+j] = int16(min(max(v, -most), most))
			}
		}
	}
	return f
}

// window returns the shifts, and where those of a random window begin in them.
func (f *field) window(r *rand.Rand) (x, y []int16, from int) {
	u := r.Uint64()
	return f.x, f.y, int(u%side)*f.stride + int(u>>32%side)
}

// smooth is the convolution with a Gaussian of standard deviation sigma, nearly: three
// times the mean of 2r+1 values and a part of the two beyond them, in each direction. A
// third of the variance is that of
//
//	(Σ_{|d| ≤ r} v[k+d] + part·(v[k−r−1] + v[k+r+1])) / (2r + 1 + 2·part)
//
// The square continues as it begins. P. Gwosdek and others, Theoretical foundations of
// Gaussian convolution by extended box filtering, SSVM 2011.
func smooth(v []float64, sigma float64) {
	third := sigma * sigma / 3
	r := 0
	for float64((r+1)*(r+2)) <= 3*third {
		r++
	}
	next := float64((r + 1) * (r + 1))
	part := float64(2*r+1) * (float64(r*(r+1)) - 3*third) / (6 * (third - next))
	weight := 1 / (float64(2*r+1) + 2*part)

	line, out := make([]float64, side), make([]float64, side)
	blur := func(first, step int) {
		for k := range line {
			line[k] = v[first+k*step]
		}
		for range 3 {
			sum := 0.0
			for d := -r; d <= r; d++ {
				sum += line[(d+side)&wrap]
			}
			for k := range out {
				ends := line[(k-r-1+side)&wrap] + line[(k+r+1)&wrap]
				out[k] = (sum + float64(part*ends)) * weight
				sum += line[(k+r+1)&wrap] - line[(k-r+side)&wrap]
			}
			line, out = out, line
		}
		for k := range line {
			v[first+k*step] = line[k]
		}
	}
	for i := range side {
		blur(i*side, 1)
	}
	for j := range side {
		blur(j, side)
	}
}
