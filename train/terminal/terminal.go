// Package terminal prepares text for a terminal.
package terminal

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/width"
)

// Printable returns s without what could control a terminal: control characters
// other than line breaks, characters that change the direction of a text, and bytes
// that are not UTF-8 are written as in Go, as \x1b. Text from files, servers and
// flags may have them.
func Printable(s string) string {
	return escape(s, func(r rune) bool { return r == '\n' })
}

// Line is Printable for a text that is to stay one line.
func Line(s string) string {
	return escape(s, func(rune) bool { return false })
}

func escape(s string, allowed func(rune) bool) string {
	var b strings.Builder
	for len(s) > 0 {
		r, size := utf8.DecodeRuneInString(s)
		char := s[:size]
		s = s[size:]
		switch {
		case allowed(r):
			b.WriteRune(r)
		case r == utf8.RuneError && size == 1, unicode.IsControl(r), r == '\u2028', r == '\u2029', unicode.Is(unicode.Bidi_Control, r):
			quoted := strconv.QuoteToASCII(char)
			b.WriteString(quoted[1 : len(quoted)-1])
		default:
			b.WriteString(char)
		}
	}
	return b.String()
}

// Wrap breaks text into lines of at most width characters, at spaces.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += word
	}
	return append(lines, line)
}

// Shorten returns s with the middle of each line left out that is longer than most
// characters.
func Shorten(s string, most int) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		if r := []rune(line); len(r) > most {
			lines[i] = string(r[:most/2]) + " … " + string(r[len(r)-most/2:])
		}
	}
	return strings.Join(lines, "\n")
}

// Width returns how many columns a line takes on a terminal: two for each wide character,
// such as Chinese ones, and one for each other. s has no control characters.
func Width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}
