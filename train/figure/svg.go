package figure

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"strconv"

	"trainer/train/figure/glyph"
)

// svg is a canvas that writes SVG. The outline of each character is written once.
type svg struct {
	width, height float64
	label         string
	shapes, body  bytes.Buffer
	known         map[rune]int // numbers of the outlines in shapes
}

func newSVG(width, height float64, label string) *svg {
	return &svg{width: width, height: height, label: label, known: map[rune]int{}}
}

// finish returns the document.
func (s *svg) finish() []byte {
	var b bytes.Buffer
	w, h := number(s.width), number(s.height)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="%spt" height="%spt" viewBox="0 0 %s %s" role="img" aria-label="%s">`+"\n",
		w, h, w, h, escape(s.label))
	fmt.Fprintf(&b, `<rect width="%s" height="%s" fill="#ffffff"/>`+"\n", w, h)
	fmt.Fprintf(&b, "<defs>\n%s</defs>\n", s.shapes.Bytes())
	b.Write(s.body.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}

// number formats a length with at most two decimals.
func number(v float64) string {
	v = math.Round(100*v) / 100
	return strconv.FormatFloat(v+0, 'f', -1, 64) // −0 becomes 0
}

// escape makes a text safe in an attribute or an element.
func escape(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(clean(text))) // to memory
	return b.String()
}

func hex(c color.NRGBA) string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

func (s *svg) rect(x, y, w, h float64, c color.NRGBA) {
	fmt.Fprintf(&s.body, `<rect x="%s" y="%s" width="%s" height="%s" fill="%s"/>`+"\n", number(x), number(y), number(w), number(h), hex(c))
}

func (s *svg) line(path []point, how stroke) {
	fmt.Fprintf(&s.body, `<path d="`)
	for i, p := range path {
		op := "L"
		if i == 0 {
			op = "M"
		}
		fmt.Fprintf(&s.body, "%s%s %s", op, number(p.x), number(p.y))
	}
	fmt.Fprintf(&s.body, `" fill="none" stroke="%s" stroke-width="%s" stroke-linejoin="round"`, hex(how.color), number(how.width))
	for i, d := range how.dash {
		sep := " "
		if i == 0 {
			sep = ` stroke-dasharray="`
		}
		s.body.WriteString(sep + number(d))
	}
	if how.dash != nil {
		s.body.WriteByte('"')
	}
	s.body.WriteString("/>\n")
}

func (s *svg) dot(at point, r float64, c color.NRGBA) {
	fmt.Fprintf(&s.body, `<circle cx="%s" cy="%s" r="%s" fill="%s"/>`+"\n", number(at.x), number(at.y), number(r), hex(c))
}

func (s *svg) ring(at point, r float64, how stroke) {
	fmt.Fprintf(&s.body, `<circle cx="%s" cy="%s" r="%s" fill="none" stroke="%s" stroke-width="%s"/>`+"\n",
		number(at.x), number(at.y), number(r), hex(how.color), number(how.width))
}

func (s *svg) text(t label) {
	runs, width := layout(t.text)
	if len(runs) == 0 {
		return
	}
	scale := t.size / glyph.Em
	turn := ""
	if t.up {
		turn = " rotate(-90)"
	}
	fmt.Fprintf(&s.body, `<g aria-label="%s" fill="%s" transform="translate(%s %s)%s scale(%s) translate(%s)">`,
		escape(t.text), hex(t.color), number(t.x), number(t.y), turn, strconv.FormatFloat(scale, 'f', 4, 64), number(-float64(t.at)*width))
	for _, r := range runs {
		if r.outline == nil {
			fmt.Fprintf(&s.body, `<text x="%s" font-size="%d" textLength="%s" lengthAdjust="spacingAndGlyphs" font-family="sans-serif">%s</text>`,
				number(r.x), glyph.Em, number(r.width), escape(r.missing))
		} else if len(r.outline.Path) > 0 {
			fmt.Fprintf(&s.body, `<use xlink:href="#c%d" x="%s"/>`, s.shape(r), number(r.x))
		}
	}
	s.body.WriteString("</g>\n")
}

// shape returns the number of a character's outline.
func (s *svg) shape(r run) int {
	n, ok := s.known[r.char]
	if ok {
		return n
	}
	n = len(s.known) + 1
	s.known[r.char] = n
	fmt.Fprintf(&s.shapes, `<path id="c%d" d="`, n)
	whole := func(v float64) int { return int(math.Round(v)) }
	for i, p := range r.outline.Path {
		a := p.Args
		switch p.Op {
		case glyph.Move:
			if i > 0 {
				s.shapes.WriteByte('Z')
			}
			fmt.Fprintf(&s.shapes, "M%d %d", whole(a[0][0]), whole(-a[0][1]))
		case glyph.Line:
			fmt.Fprintf(&s.shapes, "L%d %d", whole(a[0][0]), whole(-a[0][1]))
		case glyph.Quad:
			fmt.Fprintf(&s.shapes, "Q%d %d %d %d", whole(a[0][0]), whole(-a[0][1]), whole(a[1][0]), whole(-a[1][1]))
		}
	}
	s.shapes.WriteString("Z\"/>\n")
	return n
}

func (s *svg) pixels(x, y, w, h float64, m *image.Paletted) {
	var b bytes.Buffer
	if err := png.Encode(&b, m); err != nil {
		panic("BUG: figure: " + err.Error()) // to memory, and never empty
	}
	fmt.Fprintf(&s.body, `<image x="%s" y="%s" width="%s" height="%s" preserveAspectRatio="none" style="image-rendering:crisp-edges;image-rendering:pixelated" xlink:href="data:image/png;base64,%s"/>`+"\n",
		number(x), number(y), number(w), number(h), base64.StdEncoding.EncodeToString(b.Bytes()))
}
