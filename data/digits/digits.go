// Package digits draws the built-in digits: images similar to those of MNIST,
// generated from a seed. They replace MNIST where it cannot be downloaded, and
// they give tests a data set from which a network can learn.
//
// The steps that generate an image follow the way of a handwritten digit into
// MNIST. There is one file for each step:
//
//	glyphs.go    the forms of the digits: strokes with control points
//	writer.go    a writer: habits, slant, pen, and how they vary
//	strokes.go   the strokes of one image: scattered, smoothed, warped
//	pen.go       the ink: line width, scaled to 20×20 pixels, drawn with soft
//	             edges, centred by mass in 28×28 pixels, as in MNIST
//
// Each split has writers of its own, so a network is tested on hands that it
// never saw. Image i is a function of the random numbers, split and i alone: it
// is the same in a set of any size, made by any number of cores, on every
// platform (see random.go).
//
// Package data makes a data set of them.
package digits

import (
	"math/rand/v2"
	"runtime"
	"sync"
)

// An image has Side × Side pixels and shows one of Classes digits.
const (
	Side    = 28
	Classes = 10
)

// Split names one of the two parts of the data set.
type Split string

// The splits.
const (
	Train Split = "train"
	Test  Split = "test"
)

// Streams returns the random numbers for a purpose and a number within it.
// Equal arguments give equal numbers; it may be called from several goroutines.
// See data.Stream.
type Streams func(purpose string, n uint64) *rand.Rand

// writers is the number of writers of a split. With 60,000 images each writes
// about 120.
const writers = 500

// Images returns the first n images of a split, one after the other, Side × Side
// pixels each, row by row, and their labels. 70,000 images take some seconds on
// one core; it uses as many as Go does.
func Images(streams Streams, split Split, n int) (pixels, labels []uint8) {
	pixels, labels = make([]uint8, n*Side*Side), make([]uint8, n)
	hands := make([]*writer, writers)
	inParallel(writers, func(i int) { hands[i] = newWriter(streams, split, i) })
	inParallel(n, func(i int) {
		r := imageStream(streams, split, i)
		labels[i] = paint(pixels[i*Side*Side:(i+1)*Side*Side], r, hands[r.below(writers)])
	})
	return pixels, labels
}

// Image returns one image of a split, Side × Side pixels row by row, and its
// label. Its number i is not negative; there is no last image.
func Image(streams Streams, split Split, i int) (pixels []uint8, label uint8) {
	pixels = make([]uint8, Side*Side)
	r := imageStream(streams, split, i)
	label = paint(pixels, r, newWriter(streams, split, r.below(writers)))
	return pixels, label
}

func imageStream(streams Streams, split Split, i int) random {
	return random{streams("digits/"+string(split)+"/image", uint64(i))}
}

// Point is a place on the paper. A glyph is about 2 units high, with its middle at the
// origin; X runs to the right, Y downwards.
type Point struct{ X, Y float64 }

// Lines returns the lines that the pen draws for an image of a split, in their order,
// and its label: what Image shows, before there is ink.
func Lines(streams Streams, split Split, i int) (lines [][]Point, label uint8) {
	r := imageStream(streams, split, i)
	digit, _, drawn := write(r, newWriter(streams, split, r.below(writers)))
	for _, line := range drawn {
		points := make([]Point, len(line))
		for k, p := range line {
			points[k] = Point{p.x, p.y}
		}
		lines = append(lines, points)
	}
	return lines, uint8(digit)
}

// write returns the lines of a digit by a writer, and the writer's hand at it.
func write(r random, w *writer) (digit int, hand *writer, lines [][]point) {
	digit = r.below(len(glyphs))
	hand = w.vary(r)
	hand.pen /= heights[digit]
	habit := w.habits[digit]
	if r.chance(0.1) { // the writer forms this digit in an unusual way
		habit = newHabit(r, digit)
	}
	strokes := habit.pose(r, hand.slop)
	lines = make([][]point, len(strokes))
	for k, s := range strokes {
		lines[k] = flatten(s, hand.round)
		distort(lines[k], hand)
	}
	return digit, hand, lines
}

// paint draws an image by a writer into dst, and returns its label.
func paint(dst []uint8, r random, w *writer) uint8 {
	digit, hand, lines := write(r, w)
	dabs := draw(r, lines, hand)
	fit(dabs, hand.pen)
	if r.chance(0.02) { // a speck of dirt
		at := point{r.between(1, box-1), r.between(1, box-1)}
		dabs = append(dabs, dab{at, at, r.between(0, 0.6)})
	}
	var p page
	for _, d := range dabs {
		p.ink(d)
	}
	centre(dst, p.grey(r))
	return uint8(digit)
}

// inParallel calls do(0) … do(n-1), using GOMAXPROCS goroutines.
func inParallel(n int, do func(i int)) {
	workers := runtime.GOMAXPROCS(0)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				do(i)
			}
		})
	}
	wg.Wait()
}
