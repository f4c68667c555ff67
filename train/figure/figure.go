// Package figure draws the figures of a run: accuracy and cost over epochs, as the
// textbook's listing does ([Training]), the weights of the hidden units ([Units]), and
// the confusion matrix ([Matrix]). The formats are SVG and PNG, with 144 pixels an inch.
//
// A figure needs no font of the computer: text is drawn as outlines (package glyph). A
// character without an outline is text in an SVG, as wide as the room that it has, and
// an empty box in a PNG; [Figure.Missing] returns these characters. The same input gives
// the same bytes. A figure can also be read without colours.
package figure

import (
	"bytes"
	"errors"
	"image/color"
	"io"
	"slices"
	"strings"
	"sync"

	"trainer/train/figure/glyph"
)

// Figure is a figure that is ready to be drawn. Its methods may be called from several
// goroutines.
type Figure struct {
	width, height float64 // in points
	label         string  // the text for readers who do not see it
	draw          func(canvas)
}

// SVG writes the figure as SVG.
func (f *Figure) SVG(w io.Writer) error {
	c := newSVG(f.width, f.height, f.label)
	f.draw(c)
	_, err := w.Write(c.finish())
	return err
}

// PNG writes the figure as PNG.
func (f *Figure) PNG(w io.Writer) error {
	c := newPNG(f.width, f.height)
	f.draw(c)
	return c.encode(w)
}

// Encode draws figures in both formats, on all cores. Element i of the results is of
// figure i.
func Encode(figures ...*Figure) (svg, png [][]byte, err error) {
	svgs, pngs := make([]bytes.Buffer, len(figures)), make([]bytes.Buffer, len(figures))
	errs := make([]error, 2*len(figures))
	var all sync.WaitGroup
	for i, f := range figures {
		all.Go(func() { errs[2*i] = f.PNG(&pngs[i]) })
		all.Go(func() { errs[2*i+1] = f.SVG(&svgs[i]) })
	}
	all.Wait()
	for i := range figures {
		svg, png = append(svg, svgs[i].Bytes()), append(png, pngs[i].Bytes())
	}
	return svg, png, errors.Join(errs...)
}

// Missing returns the characters of the figure that have no outline, in order. In a PNG
// they are empty boxes.
func (f *Figure) Missing() string {
	c := &finder{}
	f.draw(c)
	slices.Sort(c.missing)
	return string(slices.Compact(c.missing))
}

// finder is a canvas that only looks for characters without an outline.
type finder struct {
	nothing
	missing []rune
}

func (f *finder) text(t label) {
	for _, r := range clean(t.text) {
		if _, ok := glyph.Of(r); !ok {
			f.missing = append(f.missing, r)
		}
	}
}

// The sizes of text, in points.
const (
	titleSize = 14
	textSize  = 11
	noteSize  = 10
)

// margin is the empty border of a figure, in points.
const margin = 14

var (
	red       = color.NRGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
	orange    = color.NRGBA{R: 0xc7, G: 0x72, B: 0x00, A: 0xff}
	blue      = color.NRGBA{R: 0x1f, G: 0x5f, B: 0xb4, A: 0xff}
	textColor = color.NRGBA{R: 0x26, G: 0x26, B: 0x26, A: 0xff}
	noteColor = color.NRGBA{R: 0x55, G: 0x55, B: 0x55, A: 0xff}
	axisColor = color.NRGBA{R: 0x66, G: 0x66, B: 0x66, A: 0xff}
	gridColor = color.NRGBA{R: 0xe2, G: 0xe2, B: 0xe2, A: 0xff}
	white     = color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xff}
)

// head draws the title and the notes below it, each in a line and cut to the width of
// the figure. It returns where the rest begins.
func head(c canvas, width float64, title string, notes ...string) (y float64) {
	y = margin
	if title != "" {
		y += titleSize
		c.text(label{x: width / 2, y: y, at: middle, size: titleSize, color: textColor, text: shorten(title, titleSize, width-2*margin)})
		y += 4
	}
	for _, note := range notes {
		if note != "" {
			y += noteSize + 3
			c.text(label{x: width / 2, y: y, at: middle, size: noteSize, color: noteColor, text: shorten(note, noteSize, width-2*margin)})
		}
	}
	return y + 10
}

// heading is the height of what head draws.
func heading(title string, notes ...string) float64 { return head(nothing{}, 1000, title, notes...) }

// headWidth returns the width that head needs, at most that of a page.
func headWidth(title string, notes ...string) float64 {
	width := measure(title, titleSize)
	for _, note := range notes {
		width = max(width, measure(note, noteSize))
	}
	return min(width, 600)
}

// described joins what a figure says in its title and notes.
func described(parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), "; ")
}
