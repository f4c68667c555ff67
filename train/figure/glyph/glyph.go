// Package glyph has the outlines of characters, so that a figure looks the same on every
// computer, whatever fonts it has.
//
// They are those of two fonts that are embedded in the program: Liberation Sans and, for
// what it lacks, a part of Noto Sans CJK SC, with about 4,100 characters of Chinese and
// the kana of Japanese. generate.sh makes that part. Some characters have no outline.
//
// The functions may be called from several goroutines.
package glyph

import (
	_ "embed" // the font
	"fmt"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

//go:embed noto-sans-sc.ttf
var notoSansSC []byte

// Em is the size of a font in the units of Outline.
const Em = 1000

// Outline is the shape of a character, in units of Em, with x to the right and y
// upwards from the start of its base line.
type Outline struct {
	Advance float64 // to the start of the next character
	Path    []Segment
}

// Segment is a part of an outline. The first point of a contour is that of a Move, and
// the last point is joined to it.
type Segment struct {
	Op   Op
	Args [2][2]float64 // Move, Line: the end; Quad: the control point and the end
}

// Op is what a Segment does.
type Op int

// The ops.
const (
	Move Op = iota
	Line
	Quad
)

// load parses a font when it is first needed.
func load(name string, data []byte) func() *sfnt.Font {
	return sync.OnceValue(func() *sfnt.Font {
		f, err := sfnt.Parse(data)
		if err != nil {
			panic(fmt.Sprintf("BUG: the embedded font %s: %v", name, err))
		}
		return f
	})
}

// fonts are in the order of preference.
var fonts = []func() *sfnt.Font{
	load("Liberation Sans", liberationsansregular.TTF),
	load("Noto Sans CJK SC", notoSansSC),
}

// known has the outlines that were asked for.
var known = struct {
	sync.Mutex
	outlines map[rune]*Outline // nil: there is none
	buffer   sfnt.Buffer
}{outlines: map[rune]*Outline{}}

// Of returns the outline of a character. The result is shared: do not change it.
func Of(r rune) (*Outline, bool) {
	known.Lock()
	defer known.Unlock()
	o, ok := known.outlines[r]
	if !ok {
		o = read(r, &known.buffer)
		known.outlines[r] = o
	}
	return o, o != nil
}

// read returns the outline of a character, nil if no font has it.
func read(r rune, buffer *sfnt.Buffer) *Outline {
	for _, of := range fonts {
		f := of()
		index, err := f.GlyphIndex(buffer, r)
		if err != nil || index == 0 {
			continue
		}
		// At this size, a unit of the font is 1/64 of a pixel.
		size := fixed.Int26_6(f.UnitsPerEm())
		scale := Em / float64(size)
		advance, err := f.GlyphAdvance(buffer, index, size, font.HintingNone)
		if err != nil {
			continue
		}
		segments, err := f.LoadGlyph(buffer, index, size, nil)
		if err != nil {
			continue
		}
		o := &Outline{Advance: scale * float64(advance), Path: make([]Segment, len(segments))}
		for i, s := range segments {
			p := Segment{Op: Op(s.Op)}
			for k, at := range s.Args[:2] {
				p.Args[k] = [2]float64{scale * float64(at.X), -scale * float64(at.Y)}
			}
			o.Path[i] = p
		}
		return o
	}
	return nil
}
