package photo

import (
	"math"
	"slices"
)

// The search for ink. Contrast is that of ink to the paper around it: 0 is paper,
// 1 is black on it. All numbers were set on photos and on digits pasted on noise;
// see the tests.
const (
	paperWindow = 0.2  // dark parts narrower than twice this part of the side are ink, not shadow
	leastTop    = 0.08 // ink has a contrast of this at least
	leastNoise  = 6    // and of this many times the noise
	strong      = 0.4  // this part of the contrast of full ink is certainly ink
	faint       = 0.15 // and this part is ink beside such
	specks      = 0.04 // parts with less than this share of the largest's ink are dirt
	smallest    = 6    // pixels in height or width that a digit has
)

// findInk returns how much ink each pixel of a picture has, from 0 to 1, cut to
// the ink.
func findInk(light plane) (plane, error) {
	side := max(light.rows, light.cols)
	if inkIsLight(light, side/4) {
		for i, v := range light.v {
			light.v[i] = 1 - v
		}
	}
	ink, border, err := search(light)
	if err == nil && border {
		// It may be a dark corner of the paper.
		ink, _, err = search(flattened(light))
	}
	return ink, err
}

// search is findInk for dark ink. border says that all of it touches the border of
// the picture.
func search(light plane) (_ plane, border bool, err error) {
	side := max(light.rows, light.cols)
	// Where the ink is, is searched for without the noise; how much, is read from
	// the picture as it is.
	smooth := light.blurred(smoothing(light))
	paper := smooth.closed(int(paperWindow * float64(side)))
	c := contrast(smooth, paper)
	level, noise := spread(c.v)
	for i := range c.v {
		c.v[i] -= level
	}
	top := slices.Max(c.v)
	if top < max(leastTop, leastNoise*noise) {
		return plane{}, false, ErrBlank
	}
	full := median(above(c.v, strong*top))
	found := parts(c, strong*full)
	if len(found) == 0 {
		return plane{}, false, ErrBlank
	}
	border = !slices.ContainsFunc(found, func(p part) bool { return !p.border })
	b := bounds(found)
	size := max(b.height(), b.width())
	if size < smallest {
		return plane{}, false, ErrSmall
	}
	// The edges of the ink are what is faint, but near: a pixel of the result.
	near := newPlane(c.rows, c.cols)
	for _, part := range found {
		for _, at := range part.pixels {
			near.v[at] = 1
		}
	}
	near = near.dilated(1 + size/28)
	c = contrast(light, paper)
	ink := newPlane(c.rows, c.cols)
	least := max(faint*full, noise)
	edge := box{top: c.rows, left: c.cols}
	for i := range c.rows {
		for j := range c.cols {
			at := i*c.cols + j
			if v := c.v[at] - level; near.v[at] > 0 && v > least {
				ink.v[at] = min((v-least)/(full-least), 1)
				edge.add(i, j)
			}
		}
	}
	return ink.cut(edge), border, nil
}

// smoothing returns the radius of the mean that removes the noise of a picture.
func smoothing(p plane) int {
	fine := p.blurred(1)
	for i, v := range p.v {
		fine.v[i] = v - fine.v[i]
	}
	radius := max(p.rows, p.cols) / 400
	if _, noise := spread(fine.v); noise > 0.01 {
		radius++
	}
	return radius
}

// inkIsLight reports whether a picture shows light ink on a dark ground. There is
// less ink than ground around it, so that the few large deviations from the mean of
// the surroundings are those of the ink.
func inkIsLight(p plane, radius int) bool {
	mean := p.blurred(radius)
	sum := 0.0
	for i, v := range p.v {
		d := float64(v - mean.v[i])
		sum += d * d * d
	}
	return sum > 0
}

// flattened returns a picture divided by its light, as far as this changes slowly
// from place to place: a polynomial of degree two, fitted to what is not far from it.
// It follows a dark corner, and it does not follow the edge of a shadow.
func flattened(light plane) plane {
	const side, rounds = 64, 5
	small := light.scaled(min(light.rows, side), min(light.cols, side))
	residuals := make([]float32, len(small.v))
	var fitted polynomial
	tolerance := float32(math.Inf(1))
	for range rounds {
		fitted = fit2(small, func(at int) bool { return residuals[at] <= tolerance })
		for at, v := range small.v {
			x, y := small.place(at)
			residuals[at] = float32(math.Abs(float64(v) - fitted.at(x, y)))
		}
		tolerance = 0.01 + 2*median(slices.Clone(residuals))
	}
	flat := newPlane(light.rows, light.cols)
	for at, v := range light.v {
		x, y := light.place(at)
		flat.v[at] = min(v*0.8/max(float32(fitted.at(x, y)), 0.1), 1)
	}
	return flat
}

// place returns where a pixel is, with both coordinates from −1 to 1.
func (p plane) place(at int) (x, y float64) {
	return float64(2*(at%p.cols)+1)/float64(p.cols) - 1, float64(2*(at/p.cols)+1)/float64(p.rows) - 1
}

// polynomial has the coefficients of 1, x, y, x², xy, y².
type polynomial [6]float64

func powers(x, y float64) polynomial { return polynomial{1, x, y, x * x, x * y, y * y} }

func (c polynomial) at(x, y float64) float64 {
	sum := 0.0
	for k, t := range powers(x, y) {
		sum += c[k] * t
	}
	return sum
}

// fit2 returns the polynomial with the least squares of deviations from the chosen
// pixels of p.
func fit2(p plane, chosen func(at int) bool) (c polynomial) {
	var a [6][7]float64 // the normal equations
	for at, v := range p.v {
		if !chosen(at) {
			continue
		}
		t := powers(p.place(at))
		for i := range t {
			for j := range t {
				a[i][j] += t[i] * t[j]
			}
			a[i][6] += t[i] * float64(v)
		}
	}
	// A small picture does not determine all coefficients: keep those small.
	for i := range a {
		a[i][i] += 1e-6 * (1 + a[0][0])
	}
	for i := range a { // elimination; the matrix is positive definite
		for k := range a {
			if f := a[k][i] / a[i][i]; k != i {
				for j := range a[k] {
					a[k][j] -= f * a[i][j]
				}
			}
		}
	}
	for i := range c {
		c[i] = a[i][6] / a[i][i]
	}
	return c
}

// contrast returns how much darker than the paper each pixel is, as a part of the
// paper's light: ink in a shadow has the contrast of ink elsewhere. The paper is a
// picture without all that is dark and narrower than a window.
func contrast(light, paper plane) plane {
	c := newPlane(light.rows, light.cols)
	for i, v := range light.v {
		c.v[i] = (paper.v[i] - v) / max(paper.v[i], 0.2)
	}
	return c
}

// spread returns the median of the values, and how far they are spread: the
// standard deviation if they are normal, whatever a minority is.
func spread(values []float32) (middle, deviation float32) {
	sample := make([]float32, 0, 1<<14)
	step := 1 + len(values)/cap(sample)
	for i := 0; i < len(values); i += step {
		sample = append(sample, values[i])
	}
	middle = median(sample)
	for i, v := range sample {
		sample[i] = float32(math.Abs(float64(v - middle)))
	}
	return middle, 1.4826 * median(sample)
}

// median sorts the values, of which there is at least one.
func median(values []float32) float32 {
	slices.Sort(values)
	return values[len(values)/2]
}

func above(values []float32, least float32) (some []float32) {
	for _, v := range values {
		if v >= least {
			some = append(some, v)
		}
	}
	return some
}

// box is a part of a plane; bottom and right are behind it.
type box struct{ top, left, bottom, right int }

func (b box) height() int { return b.bottom - b.top }
func (b box) width() int  { return b.right - b.left }

// add extends b to the pixel in row i and column j.
func (b *box) add(i, j int) {
	b.top, b.left = min(b.top, i), min(b.left, j)
	b.bottom, b.right = max(b.bottom, i+1), max(b.right, j+1)
}

func (p plane) cut(b box) plane {
	q := newPlane(b.height(), b.width())
	for i := range q.rows {
		copy(q.row(i), p.row(b.top + i)[b.left:b.right])
	}
	return q
}

// part is a connected part of a plane.
type part struct {
	pixels []int // their places in plane.v
	ink    float64
	box    box
	border bool // it touches the border of the plane
}

// parts returns the connected parts of p with values of at least least that belong
// to the digit: no dirt, and nothing that comes from beyond the border, such as a
// table or a shadow, if there is anything else.
func parts(p plane, least float32) []part {
	all := connected(p, least)
	most, inside := 0.0, 0.0
	for _, q := range all {
		most = max(most, q.ink)
		if !q.border {
			inside = max(inside, q.ink)
		}
	}
	onlyInside := inside > most/50
	if onlyInside {
		most = inside
	}
	return slices.DeleteFunc(all, func(q part) bool { return q.ink < specks*most || onlyInside && q.border })
}

// connected returns the connected parts of p with values of at least least.
// Pixels are connected to their eight neighbours.
func connected(p plane, least float32) (all []part) {
	seen := make([]bool, len(p.v))
	for start, v := range p.v {
		if v < least || seen[start] {
			continue
		}
		seen[start] = true
		q := part{pixels: []int{start}, box: box{top: p.rows, left: p.cols}}
		for k := 0; k < len(q.pixels); k++ {
			at := q.pixels[k]
			q.ink += float64(p.v[at])
			i, j := at/p.cols, at%p.cols
			q.box.add(i, j)
			q.border = q.border || i == 0 || j == 0 || i == p.rows-1 || j == p.cols-1
			for y := max(i-1, 0); y <= min(i+1, p.rows-1); y++ {
				for x := max(j-1, 0); x <= min(j+1, p.cols-1); x++ {
					if n := y*p.cols + x; !seen[n] && p.v[n] >= least {
						seen[n] = true
						q.pixels = append(q.pixels, n)
					}
				}
			}
		}
		all = append(all, q)
	}
	return all
}

// bounds returns the box of all parts, of which there is at least one.
func bounds(all []part) box {
	b := all[0].box
	for _, q := range all {
		b.add(q.box.top, q.box.left)
		b.add(q.box.bottom-1, q.box.right-1)
	}
	return b
}
