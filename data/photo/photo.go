// Package photo turns a picture of one digit or letter into an image like those
// of MNIST: a drawing, a screenshot, a scan, or a photo of paper.
//
//	pixels, err := photo.ReadFile("five.jpg", photo.Options{Rows: 28, Cols: 28})
//
// The steps are those by which MNIST's images were made from scanned forms, and
// the steps that a picture needs before them. There is one file for each group:
//
//	read.go    the file: what is refused before it is decoded, EXIF orientation
//	plane.go   luminance on white, reduced to at most 640 pixels a side
//	ink.go     polarity, background, threshold: where the ink is, and how much
//	fit.go     cut to the ink, scaled into 20×20, centred by mass in 28×28
//
// For other sizes than 28×28 the box of 20×20 has the same proportion. The result
// has Rows × Cols pixels, row by row; 0 is background and 255 is full ink, as in
// data.Set. It is a function of the picture alone: equal pictures give equal
// images.
//
// What it does not do: find several digits in a picture, turn a tilted digit
// upright, or remove lines that are as dark as the ink.
//
// Errors begin with the name of the file and say what was wanted.
package photo

import (
	"errors"
	"fmt"
	"image"
	"math"
)

// Options says what is wanted of a picture.
type Options struct {
	Rows, Cols int // of the image, in pixels

	// Raw takes a picture of Rows × Cols pixels as it is: its luminance, on
	// white where it is transparent. White is full ink, as in MNIST.
	Raw bool
}

// ErrBlank is the error for a picture without ink.
var ErrBlank = errors.New("no ink found: the picture is blank, or too faint or too noisy to tell")

// ErrSmall is the error for ink that has too few pixels to be a digit.
var ErrSmall = fmt.Errorf("the ink has fewer than %d pixels in height and width: want a larger picture of it", smallest)

// Normalise returns the image of a picture. The error is ErrBlank, ErrSmall, or
// one about the size that Raw or Rows and Cols want.
func Normalise(img image.Image, o Options) ([]uint8, error) { return normalise(img, 1, o) }

// normalise is Normalise for a picture that is stored with an EXIF orientation.
func normalise(img image.Image, orientation int, o Options) ([]uint8, error) {
	if o.Rows < 1 || o.Cols < 1 {
		return nil, fmt.Errorf("image of %d×%d pixels wanted: want 1 or more", o.Rows, o.Cols)
	}
	if img.Bounds().Empty() {
		return nil, ErrBlank
	}
	if o.Raw {
		p := luminance(img, math.MaxInt).turned(orientation)
		if p.rows != o.Rows || p.cols != o.Cols {
			return nil, fmt.Errorf("%d×%d pixels, want %d×%d to take it as it is", p.rows, p.cols, o.Rows, o.Cols)
		}
		return p.bytes(), nil
	}
	ink, err := findInk(luminance(img, workSide).turned(orientation))
	if err != nil {
		return nil, err
	}
	return fit(ink, o.Rows, o.Cols), nil
}
