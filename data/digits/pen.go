package digits

import "math"

const (
	side = 28  // pixels of an image in each direction
	box  = 20  // the ink fits into box × box pixels
	soft = 1.3 // pixels over which a stroke's edge fades from full ink to none
)

// tiny keeps a division by a length from being one by zero.
const tiny = 1e-9

// dab is a straight piece of ink: a line with round ends.
type dab struct {
	a, b   point
	radius float64
}

// draw returns the ink of the pen along the lines of a writer. The radius
// changes slowly along a line, with its direction, and a little at random.
func draw(r random, lines [][]point, w *writer) []dab {
	dabs := make([]dab, 0, 128)
	for _, line := range lines {
		gap := len(line) // where the pen leaves the paper for a moment: mostly nowhere
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

// fit scales and shifts the dabs so that their ink just fits into the box, its
// aspect kept, in the middle. The radii stay as they are.
func fit(dabs []dab, pen float64) {
	scale := 10.0
	rim := pen + pen + soft // about the part of the size that does not scale
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

// extent returns the corners of the smallest rectangle around the ink of the
// dabs after their lines are scaled.
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

// page is the box with its ink: 0 is none, 1 full.
type page [box][box]float64

// ink adds a dab to the page. A pixel takes the most that any dab gives it,
// which falls with the distance of its centre from the dab's line.
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

// within returns the pixels from..to-1 of the box that an interval touches.
func within(a, b float64) (from, to int) {
	return max(int(a), 0), min(int(b)+1, box)
}

// grey returns the page in grey values. The edge is the cubic smooth step with
// the grain that MNIST's has, because its originals were black and white.
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

// centre copies the box into the image of side × side pixels so that the ink's
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
		copy(dst[(top+i)*side+left:], grey[i][:])
	}
}

// shift returns how many pixels the box moves from the image's edge to bring the
// centre moment / mass to pixel 14, kept so that the box stays inside.
func shift(moment, mass int) int {
	twice := side*mass - 2*moment
	return min(max((twice+mass)/(2*mass), 0), side-box)
}
