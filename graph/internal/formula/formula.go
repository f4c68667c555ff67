// Package formula sets formulas and words in pictures.
//
// A formula is a text with marks for superscripts and subscripts: "W^2" is W², and
// "t_15" is t with the index 15. A mark takes the digits that follow it, or else one
// character, or a group in braces, which may have marks of its own: "∇_{W^2} E". The
// character ᵀ is always a superscript. A single letter is a variable, in italics; a
// longer word is upright, as in "tanh z^2", and so is the A of an equation's number.
//
// SVG names common fonts, and the viewer may have others. So every run of text is
// placed on its own, and its length is given: it is as wide as measured here,
// whatever the font.
package formula

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"codeberg.org/go-fonts/liberation/liberationserifitalic"
	"codeberg.org/go-fonts/liberation/liberationserifregular"
	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

// CSS is the style of the texts that Formula and Words write: .i and .r are the
// italic and the upright parts of a formula, .w are words.
const CSS = `.i, .r { font-family: "Times New Roman", "Liberation Serif", Times, serif }
.i { font-style: italic }
.w { font-family: Arial, "Liberation Sans", Helvetica, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", sans-serif }
`

// run is a part of a formula with one style. Lengths are in units of the font size.
type run struct {
	text     string
	italic   bool
	scripts  string  // the marks that it is inside, the outermost first: "_^" in "∇_{W^2} E"
	scale    float64 // of the font size
	raise    float64 // of the baseline
	x, width float64
}

// How a script is set, as in TeX's text style.
const (
	scriptScale = 0.7
	supRaise    = 0.4
	subRaise    = -0.2
	space       = 0.22 // a space of a formula
)

// measure returns the width of a rune, in units of the font size.
type measure func(rune) float64

// These fonts have the widths of Times and Arial, and so do most fonts that replace
// these.
var (
	serif  = newMeasure(liberationserifregular.TTF)
	italic = newMeasure(liberationserifitalic.TTF)
	sans   = newMeasure(liberationsansregular.TTF)
)

func newMeasure(ttf []byte) measure {
	f, err := sfnt.Parse(ttf)
	if err != nil {
		panic("BUG: formula: " + err.Error())
	}
	const em = 1000
	return func(r rune) float64 {
		var b sfnt.Buffer
		i, err := f.GlyphIndex(&b, r)
		switch {
		case err != nil || i == 0 && r < 0x2e80:
			return 0.8 // a sign from another font
		case i == 0:
			return 1 // Chinese
		}
		advance, err := f.GlyphAdvance(&b, i, fixed.I(em), font.HintingNone)
		if err != nil {
			return 0.8
		}
		return float64(advance) / 64 / em
	}
}

// parse splits a formula into runs, and returns its width.
func parse(s string) (runs []run, width float64) {
	p := parser{}
	p.parse(s, "", 1, 0)
	return p.runs, p.x
}

type parser struct {
	runs []run
	x    float64
}

func (p *parser) parse(s, scripts string, scale, raise float64) {
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == '^' || r == '_':
			var script string
			script, s = cutScript(s[n:])
			p.script(script, scripts+string(r), scale, raise)
			continue
		case r == 'ᵀ':
			p.script("{T}", scripts+"^", scale, raise)
		case r == ' ':
			p.x += space * scale
		case unicode.IsLetter(r):
			n = len(s) - len(strings.TrimLeftFunc(s, func(r rune) bool { return unicode.IsLetter(r) && r != 'ᵀ' }))
			word := s[:n]
			p.add(word, scripts, scale, raise, utf8.RuneCountInString(word) == 1 && r != 'Σ' && r < 0x2e80 && !strings.HasPrefix(s, "A."))
		default:
			p.add(string(r), scripts, scale, raise, false)
		}
		s = s[n:]
	}
}

// cutScript cuts the script that follows a mark.
func cutScript(s string) (script, rest string) {
	if strings.HasPrefix(s, "{") {
		depth := 0
		for i, r := range s {
			switch r {
			case '{':
				depth++
			case '}':
				depth--
			}
			if depth == 0 {
				return s[:i+1], s[i+1:]
			}
		}
		return s, ""
	}
	n := len(s) - len(strings.TrimLeft(s, "0123456789"))
	if n == 0 {
		_, n = utf8.DecodeRuneInString(s)
	}
	return s[:n], s[n:]
}

// script parses a script, of which the last of scripts is the mark.
func (p *parser) script(s, scripts string, scale, raise float64) {
	s = strings.TrimSuffix(strings.TrimPrefix(s, "{"), "}")
	shift := subRaise
	if strings.HasSuffix(scripts, "^") {
		shift = supRaise
		if n := len(p.runs); n > 0 && p.runs[n-1].italic {
			p.x += 0.04 * scale // an italic letter leans to the right
		}
	}
	p.parse(s, scripts, scale*scriptScale, raise+shift*scale)
	p.x += 0.03 * scale
}

func (p *parser) add(s, scripts string, scale, raise float64, inItalics bool) {
	m := serif
	if inItalics {
		m = italic
	}
	w := 0.0
	for _, r := range s {
		w += m(r) * scale
	}
	if n := len(p.runs); n > 0 {
		if l := &p.runs[n-1]; l.italic == inItalics && l.scripts == scripts && l.x+l.width == p.x {
			l.text += s
			l.width += w
			p.x += w
			return
		}
	}
	p.runs = append(p.runs, run{s, inItalics, scripts, scale, raise, p.x, w})
	p.x += w
}

// Width returns the width of a formula.
func Width(s string, size float64) float64 {
	_, w := parse(s)
	return w * size
}

// SVG writes a formula as SVG. Its left end is at x and its baseline at y.
func SVG(b *strings.Builder, s string, x, y, size float64) {
	runs, _ := parse(s)
	for _, r := range runs {
		class := "r"
		if r.italic {
			class = "i"
		}
		text(b, class, r.text, x+r.x*size, y-r.raise*size, r.scale*size, r.width*size)
	}
}

// WordsWidth returns the width of words.
func WordsWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		w += sans(r)
	}
	return w * size
}

// Words writes words as SVG. Their left end is at x and their baseline at y.
func Words(b *strings.Builder, s string, x, y, size float64) {
	text(b, "w", s, x, y, size, WordsWidth(s, size))
}

func text(b *strings.Builder, class, s string, x, y, size, width float64) {
	if s == "" {
		return
	}
	fmt.Fprintf(b, `<text class="%s" x="%.1f" y="%.1f" font-size="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs">%s</text>`,
		class, x, y, size, width, Escape(s))
}

// HTML returns a formula as an HTML-like label of Graphviz.
func HTML(s string) string {
	runs, _ := parse(s)
	var b strings.Builder
	end := 0.0
	for _, r := range runs {
		if r.x-end > space*r.scale/2 {
			b.WriteByte(' ')
		}
		end = r.x + r.width
		t := Escape(r.text)
		if r.italic {
			t = "<I>" + t + "</I>"
		}
		for _, mark := range slices.Backward([]byte(r.scripts)) {
			tag := "SUB"
			if mark == '^' {
				tag = "SUP"
			}
			t = "<" + tag + ">" + t + "</" + tag + ">"
		}
		b.WriteString(t)
	}
	return b.String()
}

// Escape escapes a text for XML. Characters that XML cannot have become U+FFFD.
func Escape(s string) string {
	var b strings.Builder
	// Writing to a strings.Builder never fails.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
