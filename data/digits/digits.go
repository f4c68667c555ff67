// Package digits draws the built-in digits: images like those of MNIST, made
// from nothing but a seed. They stand in for MNIST where there is neither
// network nor data, and give tests something real to learn.
//
// An image is made in the steps that a digit takes from a hand to MNIST, one
// file for each:
//
//	glyphs.go    the forms of the digits: strokes with control points
//	writer.go    a person: habits, slant, pen; and how they vary
//	strokes.go   the strokes of one image: scattered, smoothed, warped
//	pen.go       ink: width, fitted into 20×20 pixels, drawn with soft edges,
//	             centred by mass in 28×28, as MNIST's images were
//
// Each split has writers of its own, so a network is tested on hands that it
// never saw. Image i is a function of seed, split and i alone: it is the same
// in a set of any size, made by any number of cores, on every platform (see
// random.go).
package digits

import (
	"runtime"
	"sync"

	"trainer/data"
)

// Split names one of the two parts of the data set.
type Split string

// The splits.
const (
	Train Split = "train"
	Test  Split = "test"
)

// Name and Source are those of the data set, and of no other.
const (
	Name   = "digits (built in)"
	Source = "built in"
)

// writers is the number of people who write a split: of 60,000 images, about
// 120 each.
const writers = 500

// Generate returns the digits of a seed, train and test images, neither
// negative. 60,000 + 10,000 as in MNIST take some seconds on one core; it uses
// as many as Go does.
func Generate(seed uint64, train, test int) *data.Dataset {
	return &data.Dataset{
		Name:   Name,
		Source: Source,
		Train:  generate(seed, Train, train),
		Test:   generate(seed, Test, test),
	}
}

// generate returns the first n images of a split.
func generate(seed uint64, split Split, n int) *data.Set {
	set := &data.Set{
		Name:    Name + " " + string(split),
		Rows:    side,
		Cols:    side,
		Classes: len(glyphs),
		Pixels:  make([]uint8, n*side*side),
		Labels:  make([]uint8, n),
	}
	hands := make([]*writer, writers)
	inParallel(writers, func(i int) { hands[i] = newWriter(seed, split, i) })
	inParallel(n, func(i int) {
		r := imageStream(seed, split, i)
		set.Labels[i] = paint(set.Image(i), r, hands[r.below(writers)])
	})
	return set
}

// Image returns one image of a split, 28×28 pixels row by row, and its label.
// Its number i is not negative; there is no last image.
func Image(seed uint64, split Split, i int) (pixels []uint8, label uint8) {
	pixels = make([]uint8, side*side)
	r := imageStream(seed, split, i)
	label = paint(pixels, r, newWriter(seed, split, r.below(writers)))
	return pixels, label
}

func imageStream(seed uint64, split Split, i int) random {
	return random{data.Stream(seed, "digits/"+string(split)+"/image", uint64(i))}
}

// paint draws an image by a writer into dst, and returns its label.
func paint(dst []uint8, r random, w *writer) uint8 {
	digit := r.below(len(glyphs))
	hand := w.vary(r)
	hand.pen /= heights[digit]
	habit := w.habits[digit]
	if r.chance(0.1) { // for once in another way
		habit = newHabit(r, digit)
	}
	strokes := habit.pose(r, hand.slop)
	lines := make([][]point, len(strokes))
	for k, s := range strokes {
		lines[k] = flatten(s, hand.round)
		distort(lines[k], hand)
	}
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

// inParallel calls do(0) … do(n-1), spread over the cores.
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
