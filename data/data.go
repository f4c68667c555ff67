// Package data holds sets of labelled images and the ways to get them: IDX
// and CSV files, MNIST (found, downloaded and verified), and the built-in
// digits. Open is the door to all of them:
//
//	d, warning, err := data.Open(ctx, data.Spec{Kind: data.MNIST, Fallback: true})
//
// A Set keeps the pixels as the bytes of the files, one image after the
// other, rows from top to bottom. The input vector of the network is
// x = pixel / 255 (InputOf); the target is the one-hot vector of the label. Both are
// made where they are needed (Input, OneHot), so a set costs 784 bytes an
// image and not 3,136. A Set is not changed after it was made: everything may
// share it.
package data

import "fmt"

// Set is N labelled images of Rows × Cols pixels.
type Set struct {
	Name    string  // as it is shown to users: "MNIST train"
	Rows    int     // height of an image, in pixels
	Cols    int     // width of an image, in pixels
	Classes int     // labels are 0 to Classes-1
	Pixels  []uint8 // N × (Rows·Cols), row-major; 0 is background, 255 full ink
	Labels  []uint8 // N
}

// Len returns N, the number of images.
func (s *Set) Len() int { return len(s.Labels) }

// Inputs returns n^1, the number of pixels of an image.
func (s *Set) Inputs() int { return s.Rows * s.Cols }

// Image returns the pixels of image i, a slice of s.Pixels.
func (s *Set) Image(i int) []uint8 {
	n := s.Inputs()
	return s.Pixels[i*n : (i+1)*n : (i+1)*n]
}

// Check reports what is inconsistent in the set: lengths that do not belong
// together, or a label that is no class.
func (s *Set) Check() error {
	if s.Rows < 1 || s.Cols < 1 {
		return fmt.Errorf("%s: images of %d×%d pixels", s.Name, s.Rows, s.Cols)
	}
	if len(s.Pixels) != len(s.Labels)*s.Inputs() {
		return fmt.Errorf("%s: %d labels and %d pixels: want %d pixels for each label",
			s.Name, len(s.Labels), len(s.Pixels), s.Inputs())
	}
	for i, l := range s.Labels {
		if int(l) >= s.Classes {
			return fmt.Errorf("%s: image %d: label %d, want 0 to %d", s.Name, i, l, s.Classes-1)
		}
	}
	return nil
}

// Slice returns the images from..to-1 as a set that shares s's memory.
func (s *Set) Slice(from, to int) *Set {
	t := *s
	t.Pixels = s.Pixels[from*s.Inputs() : to*s.Inputs()]
	t.Labels = s.Labels[from:to]
	return &t
}

// Dataset is a training set and a test set that belong together.
type Dataset struct {
	Name   string // for outputs: "MNIST", "digits (built in)", or the folder
	Source string // where it came from: a folder, a mirror, "built in"
	Train  *Set   // nil where the test set alone was opened
	Test   *Set

	// Validation holds images that were taken out of the training set, to choose
	// by: the best epoch, when to stop, the best of several runs. Without it, nil,
	// these are chosen on the test set.
	Validation *Set
}

// Float is an element type of the network.
type Float interface{ float32 | float64 }

// InputOf returns the network's input for a pixel: pixel / 255, from 0 to 1.
func InputOf[T Float](pixel uint8) T { return T(float64(pixel) / 255) }

// InputTable returns InputOf of every pixel.
func InputTable[T Float]() (table [256]T) {
	for pixel := range table {
		table[pixel] = InputOf[T](uint8(pixel))
	}
	return table
}

// Input writes the network's input vector of image i into dst, which has
// s.Inputs() elements: InputOf each pixel.
func Input[T Float](dst []T, s *Set, i int) {
	for j, p := range s.Image(i) {
		dst[j] = InputOf[T](p)
	}
}

// OneHot writes the target of label into dst, which has an element for each
// class: 1 at the label, 0 elsewhere.
func OneHot[T Float](dst []T, label uint8) {
	clear(dst)
	dst[label] = 1
}
