package digits

import "math"

const (
	box  = 20  // the ink fits into box × box pixels
	soft = 1.3 // width in pixels of a stroke's edge, from full ink to none
)

// tiny is added to lengths to avoid a division by zero.
const tiny = 1e-9

// dab is a straight segment of ink: a line with round ends.
type dab struct {
	a, b   point
	radius float64
}

// draw returns the ink that the pen leaves along lines. The radius changes slowly
// along a line, with the direction of the line, and a little at random.
func draw(r random, lines [][]point, w *writer) []dab {
	dabs := make([]dab, 0, 128)
	for _, line := range lines {
		gap := len(line) // where the pen briefly leaves the paper; usually at no point
		if r.chance(0.03) && len(line) > 3*pieces {
			gap = r.below(len(line))
		}
		swell, target := 1.0, 1.0
		for i := 1; i < len(line); i++ {
			if i%pieces == 1 {
				target = r.spread(1, w.pressure)
			}
			swell += mul(0.25, target-swell)
			rough := r.between(-0.12, 0.12)
			if gap <= i && i < gap+pieces/2 {
				continue
			}
			a, b := line[i-1], line[i]
			dx, dy := math.Abs(b.x-a.x), math.Abs(b.y-a.y)
			across := (dx - dy) / (dx + dy + tiny)
			radius := mul(w.pen, mul(swell, 1-mul(w.nib, across))+rough)
			dabs = append(dabs, dab{a, b, max(0.35, radius)})
		}
	}
	return dabs
}

// fit scales and shifts the dabs so that their ink just fits into the box and is
// centred in it. The aspect ratio and the radii do not change.
func fit(dabs []dab, pen float64) {
	scale := 10.0
	rim := pen + pen + soft // approximately the part of the size that does not scale
	for range 3 {
		lo, hi := extent(dabs, scale)
		size := max(hi.x-lo.x, hi.y-lo.y)
		scale = mul(scale, (box-rim)/(size-rim))
	}
	lo, hi := extent(dabs, scale)
	dx, dy := (box-lo.x-hi.x)/2, (box-lo.y-hi.y)/2
	for i := range dabs {
		d := &dabs[i]
		d.a = point{mul(d.a.x, scale) + dx, mul(d.a.y, scale) + dy}
		d.b = point{mul(d.b.x, scale) + dx, mul(d.b.y, scale) + dy}
	}
}

// extent returns the corners of the bounding box of the ink of the dabs, after
// their lines are scaled.
func extent(dabs []dab, scale float64) (lo, hi point) {
	lo, hi = point{math.Inf(1), math.Inf(1)}, point{math.Inf(-1), math.Inf(-1)}
	for _, d := range dabs {
		reach := d.radius + soft/2
		for _, p := range [2]point{d.a, d.b} {
			x, y := mul(p.x, scale), mul(p.y, scale)
			lo = point{min(lo.x, x-reach), min(lo.y, y-reach)}
			hi = point{max(hi.x, x+reach), max(hi.y, y+reach)}
		}
	}
	return lo, hi
}

// page holds the ink of each pixel of the box, from 0 (none) to 1 (full).
type page [box][box]float64

// ink adds a dab to the page. The ink that a dab gives a pixel decreases with the
// distance of the pixel's centre from the line of the dab. A pixel has the largest
// amount of ink that any dab gives it.
func (p *page) ink(d dab) {
	reach := d.radius + soft/2
	left, right := within(min(d.a.x, d.b.x)-reach, max(d.a.x, d.b.x)+reach)
	top, bottom := within(min(d.a.y, d.b.y)-reach, max(d.a.y, d.b.y)+reach)
	ux, uy := d.b.x-d.a.x, d.b.y-d.a.y
	length := mul(ux, ux) + mul(uy, uy) + tiny
	for i := top; i < bottom; i++ {
		y := float64(i) + 0.5 - d.a.y
		for j := left; j < right; j++ {
			x := float64(j) + 0.5 - d.a.x
			t := min(max((mul(x, ux)+mul(y, uy))/length, 0), 1)
			ex, ey := x-mul(t, ux), y-mul(t, uy)
			distance := math.Sqrt(mul(ex, ex) + mul(ey, ey))
			p[i][j] = max(p[i][j], min((reach-distance)/soft, 1))
		}
	}
}

// within returns the range of pixels of the box, from to to−1, that the interval
// from a to b touches.
func within(a, b float64) (from, to int) {
	return max(int(a), 0), min(int(b)+1, box)
}

// grey returns the grey values of the page. The profile of an edge is a cubic
// smooth step with added noise. The edges in MNIST have such noise too, because
// the original images were black and white.
func (p *page) grey(r random) *[box][box]uint8 {
	full := 252 + mul(2.4, r.unit()) + r.unit() // 252 to 255, as in MNIST
	var g [box][box]uint8
	for i := range p {
		for j, v := range p[i] {
			if v > 0 && v < 1 {
				v = min(max(v+r.between(-0.1, 0.1), 0), 1)
				v = mul(mul(v, v), 3-v-v)
			}
			g[i][j] = uint8(mul(v, full))
		}
	}
	return &g
}

// centre copies the box into the image of Side × Side pixels so that the ink's
// centre of mass is within half a pixel of the centre of pixel (14, 14), counted
// from 0. That is where MNIST has it.
func centre(dst []uint8, grey *[box][box]uint8) {
	var mass, mx, my int
	for i := range grey {
		for j, g := range grey[i] {
			mass += int(g)
			mx += int(g) * j
			my += int(g) * i
		}
	}
	left, top := shift(mx, mass), shift(my, mass)
	clear(dst)
	for i := range grey {
		copy(dst[(top+i)*Side+left:], grey[i][:])
	}
}

// shift returns the distance of the box from the edge of the image, in pixels, for
// which the centre of mass, moment / mass in the box, is at pixel 14. It limits the
// distance so that the box stays inside the image.
func shift(moment, mass int) int {
	twice := Side*mass - 2*moment
	return min(max((twice+mass)/(2*mass), 0), Side-box)
}
