package figure

import (
	"image"
	"image/color"
)

// canvas is what a figure is drawn on. Lengths are points, y is downwards.
type canvas interface {
	// rect fills a rectangle.
	rect(x, y, w, h float64, c color.NRGBA)
	// line strokes a path.
	line(path []point, s stroke)
	// dot fills a circle.
	dot(at point, r float64, c color.NRGBA)
	// ring strokes a circle.
	ring(at point, r float64, s stroke)
	// text draws a line of text.
	text(t label)
	// pixels draws an image, each pixel of it as a rectangle.
	pixels(x, y, w, h float64, m *image.Paletted)
}

type point struct{ x, y float64 }

// stroke is how a line is drawn.
type stroke struct {
	color color.NRGBA
	width float64
	dash  []float64 // the lengths of dashes and gaps; nil: none
}

// label is a line of text.
type label struct {
	x, y  float64 // of the base line, at the anchor
	at    anchor
	up    bool // from bottom to top
	size  float64
	color color.NRGBA
	text  string
}

// anchor is the part of a text that is at its place.
type anchor float64

const (
	start  anchor = 0
	middle anchor = 0.5
	end    anchor = 1
)

// nothing is a canvas that draws nothing.
type nothing struct{}

func (nothing) rect(_, _, _, _ float64, _ color.NRGBA)       {}
func (nothing) line([]point, stroke)                         {}
func (nothing) dot(point, float64, color.NRGBA)              {}
func (nothing) ring(point, float64, stroke)                  {}
func (nothing) text(label)                                   {}
func (nothing) pixels(_, _, _, _ float64, _ *image.Paletted) {}
