package photo

import (
	"math"
	"slices"
)

// thin and pen are widths of a stroke in parts of the digit's size. In MNIST a
// stroke is about 2 of 20 pixels wide. A line that is thinner than thin, such as
// that of a ballpoint, is made as wide as pen.
const (
	thin = 1.1 / 20
	pen  = 1.8 / 20
)

// fit scales ink so that it just fits into the box of 20×20 pixels, keeping the
// ratio of its sides, and puts it into the image of 28×28 with its centre of mass at
// the pixel (14, 14), counted from 0: there MNIST has it. Sizes are in proportion to
// rows and cols.
func fit(ink plane, rows, cols int) []uint8 {
	ink = thicken(ink)
	boxRows, boxCols := inner(rows), inner(cols)
	scale := min(float64(boxRows)/float64(ink.rows), float64(boxCols)/float64(ink.cols))
	size := func(n, most int) int { return min(max(int(math.Round(scale*float64(n))), 1), most) }
	small := ink.scaled(size(ink.rows, boxRows), size(ink.cols, boxCols))

	// Full ink somewhere: a thin line has lost some of it in the scaling.
	top := slices.Max(small.v)
	var mass, down, right float64
	for i := range small.rows {
		for j, v := range small.row(i) {
			v /= top
			small.row(i)[j] = v
			mass += float64(v)
			down += float64(v) * float64(i)
			right += float64(v) * float64(j)
		}
	}
	shift := func(middle float64, n, room int) int {
		return min(max(int(math.Round(float64(room/2)-middle)), 0), room-n)
	}
	i0, j0 := shift(down/mass, small.rows, rows), shift(right/mass, small.cols, cols)
	image := newPlane(rows, cols)
	for i := range small.rows {
		copy(image.row(i0 + i)[j0:], small.row(i))
	}
	return image.bytes()
}

// inner returns the side of the box for an image of n pixels: 20 for 28.
func inner(n int) int { return max((20*n+14)/28, 1) }

// thicken returns ink with the strokes of a thin pen made wider.
func thicken(ink plane) plane {
	const half = 0.5
	area, rim := 0, 0 // of the ink: pixels, and their sides without a neighbour
	filled := func(i, j int) bool {
		return i >= 0 && j >= 0 && i < ink.rows && j < ink.cols && ink.v[i*ink.cols+j] >= half
	}
	for i := range ink.rows {
		for j := range ink.cols {
			if !filled(i, j) {
				continue
			}
			area++
			for _, beside := range [4]bool{filled(i-1, j), filled(i+1, j), filled(i, j-1), filled(i, j+1)} {
				if !beside {
					rim++
				}
			}
		}
	}
	if rim == 0 {
		return ink
	}
	// A long line of width w and length n has area w·n and a rim of 2n, which
	// pixels make longer by 4/π on average.
	size := float64(max(ink.rows, ink.cols))
	width := 2 * float64(area) / (float64(rim) * math.Pi / 4)
	if width >= thin*size {
		return ink
	}
	radius := int(math.Round((pen*size - width) / 2))
	wide := newPlane(ink.rows+2*radius, ink.cols+2*radius)
	for i := range ink.rows {
		copy(wide.row(radius + i)[radius:], ink.row(i))
	}
	return wide.dilated(radius)
}
