package figure

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"trainer/train/figure/glyph"
)

// run is a part of a text: one character with an outline, or characters without.
type run struct {
	x       float64 // from the start of the text, in units of glyph.Em
	width   float64 // likewise
	char    rune
	outline *glyph.Outline // nil: there is none
	missing string         // then, the characters
}

// room returns the width of a character without an outline, in units of glyph.Em: about
// that of most fonts.
func room(r rune) float64 {
	switch {
	case unicode.Is(unicode.Mn, r):
		return 0
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.Hiragana, unicode.Katakana, unicode.So):
		return glyph.Em
	}
	return 0.6 * glyph.Em
}

// layout returns the runs of a text and its width, in units of glyph.Em.
func layout(text string) (runs []run, width float64) {
	for _, r := range clean(text) {
		o, ok := glyph.Of(r)
		switch last := len(runs) - 1; {
		case ok:
			runs = append(runs, run{x: width, width: o.Advance, char: r, outline: o})
			width += o.Advance
			continue
		case last >= 0 && runs[last].outline == nil:
			runs[last].missing += string(r)
			runs[last].width += room(r)
		default:
			runs = append(runs, run{x: width, width: room(r), missing: string(r)})
		}
		width += room(r)
	}
	return runs, width
}

// measure returns the width of a text in points.
func measure(text string, size float64) float64 {
	_, width := layout(text)
	return width * size / glyph.Em
}

// clean makes a text one line, without characters that are not to be seen.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r) || unicode.IsControl(r):
			return ' '
		case r == utf8.RuneError || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Noncharacter_Code_Point, r):
			return -1
		}
		return r
	}, text)
}

// shorten cuts a text to a width.
func shorten(text string, size, width float64) string {
	if measure(text, size) <= width {
		return text
	}
	runes := []rune(clean(text))
	runes = runes[:min(len(runes), int(width/size*10))] // no character needs less room: a bound for long texts
	for n := len(runes); n > 0; n-- {
		if cut := strings.TrimRight(string(runes[:n-1]), " ") + "…"; measure(cut, size) <= width {
			return cut
		}
	}
	return ""
}
