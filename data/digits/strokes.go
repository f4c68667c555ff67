package digits

// mix interpolates linearly between two poses of the same form: part 0 gives a, and
// part 1 gives b. part may be a little below 0 or above 1.
func mix(a, b pose, part float64) pose {
	p := make(pose, len(a))
	for i := range a {
		p[i] = make(stroke, len(a[i]))
		for j, n := range a[i] {
			m := b[i][j]
			p[i][j] = node{n.x + mul(part, m.x-n.x), n.y + mul(part, m.y-n.y), min(n.sharp, m.sharp)}
		}
	}
	return p
}

// scatter shifts every stroke and every node by a random amount with standard
// deviation sd, and makes each stroke a little longer or shorter.
func (p pose) scatter(r random, sd float64) {
	for _, s := range p {
		dx, dy := r.spread(0, sd), r.spread(0, sd)
		for j := range s {
			s[j].x += dx + r.spread(0, sd)
			s[j].y += dy + r.spread(0, sd)
		}
		last, tail := len(s)-1, r.spread(0.05, mul(0.08, sd))
		if r.chance(0.1) { // a flourish
			tail += r.between(0, 1)
		}
		s[0] = beyond(s[1], s[0], r.spread(0, mul(0.06, sd)))
		s[last] = beyond(s[last-1], s[last], tail)
	}
}

// beyond returns b, moved along the line from a to b by the given part of the
// distance between them.
func beyond(a, b node, part float64) node {
	return node{b.x + mul(part, b.x-a.x), b.y + mul(part, b.y-a.y), b.sharp}
}

// pieces is the number of straight segments between two nodes.
const pieces = 8

// point is a place on the paper.
type point struct{ x, y float64 }

// flatten returns the curve through the nodes of a stroke, a Catmull-Rom spline, as
// straight segments. round is 0 for sharp corners and 1 for smooth ones.
func flatten(s stroke, round float64) []point {
	tangent := func(i int) point {
		a, b := s[max(i-1, 0)], s[min(i+1, len(s)-1)]
		k := 0.5 - mul(mul(0.5, s[i].sharp), 1-round)
		return point{mul(k, b.x-a.x), mul(k, b.y-a.y)}
	}
	line := make([]point, 0, pieces*(len(s)-1)+1)
	line = append(line, point{s[0].x, s[0].y})
	for i := 1; i < len(s); i++ {
		a, b, u, v := s[i-1], s[i], tangent(i-1), tangent(i)
		for j := 1; j <= pieces; j++ {
			t := float64(j) / pieces
			t2 := mul(t, t)
			t3 := mul(t2, t)
			// The cubic Hermite basis.
			ha, hu := mul(2, t3)-mul(3, t2)+1, t3-mul(2, t2)+t
			hb, hv := 1-ha, t3-t2
			line = append(line, point{
				mul(ha, a.x) + mul(hu, u.x) + mul(hb, b.x) + mul(hv, v.x),
				mul(ha, a.y) + mul(hu, u.y) + mul(hb, b.y) + mul(hv, v.y),
			})
		}
	}
	return line
}

// warp is an elastic deformation of the paper. The displacement is a polynomial in
// x and y with terms of second and third order. The slant, tilt and width of the
// writer are the affine part.
type warp struct{ x, y [7]float64 }

// vary adds a random number with standard deviation sd to each coefficient.
func (w *warp) vary(r random, sd float64) {
	for i := range w.x {
		w.x[i] = r.spread(w.x[i], sd)
		w.y[i] = r.spread(w.y[i], sd)
	}
}

// distort applies the warp, then the width, slant and tilt, to the points of line,
// in place. It moves the middle of the glyph to the origin and scales 50 units to
// 1.
func distort(line []point, w *writer) {
	for i, p := range line {
		x, y := (p.x-50)/50, (p.y-50)/50
		xx, xy, yy := mul(x, x), mul(x, y), mul(y, y)
		terms := [7]float64{xx, xy, yy, mul(xx, x), mul(xx, y), mul(xy, y), mul(yy, y)}
		for j, t := range terms {
			x += mul(w.warp.x[j], t)
			y += mul(w.warp.y[j], t)
		}
		x = mul(x, w.width) - mul(w.slant, y)
		line[i] = point{x - mul(w.tilt, y), y + mul(w.tilt, x)}
	}
}
