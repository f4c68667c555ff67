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
// The two splits have different writers, so a network is tested on handwriting
// that it was not trained on. Image i depends only on the seed, the split and i.
// It is the same for any size of the set, any number of cores, and every platform
// (see random.go).
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

// Name and Source are the name and the source of the data set. No other data set
// uses them.
const (
	Name   = "digits (built in)"
	Source = "built in"
)

// writers is the number of writers of a split. With 60,000 images each writes
// about 120.
const writers = 500

// Generate returns a data set with the given numbers of training and test images,
// which must not be negative. 60,000 + 10,000 images, as in MNIST, take a few
// seconds on one core. It uses GOMAXPROCS goroutines.
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

// Image returns image i of a split, 28×28 pixels in row-major order, and its
// label. i must not be negative; it has no upper limit.
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
	if r.chance(0.1) { // the writer forms this digit in an unusual way
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
