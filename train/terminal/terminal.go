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

// Wrap breaks text into lines of at most width columns: at spaces, and beside characters
// of Chinese, but not before a punctuation mark.
func Wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		space := " "
		for _, piece := range pieces(word) {
			if line != "" && Columns(line)+len(space)+Columns(piece) > width {
				lines = append(lines, line)
				line = ""
			}
			if line != "" {
				line += space
			}
			line, space = line+piece, ""
		}
	}
	return append(lines, line)
}

// pieces splits a word where a line may be broken.
func pieces(word string) (all []string) {
	wide := true
	for _, r := range word {
		before := wide
		wide = Columns(string(r)) > 1
		if len(all) == 0 || (before || wide) && !strings.ContainsRune("，。：；、）」！？", r) && !strings.HasSuffix(all[len(all)-1], "（") {
			all = append(all, "")
		}
		all[len(all)-1] += string(r)
	}
	return all
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

// Columns returns the number of columns of a text on a terminal: the characters of
// Chinese, Japanese and Korean take two.
func Columns(s string) (n int) {
	for _, r := range s {
		n++
		if k := width.LookupRune(r).Kind(); k == width.EastAsianWide || k == width.EastAsianFullwidth {
			n++
		}
	}
	return n
}

// Table returns the lines of a table, with its columns aligned on the right and two
// spaces before each. All rows have the cells of the first.
func Table(rows [][]string) (lines []string) {
	widths := widthsOf(rows)
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(strings.Repeat(" ", 2+widths[i]-Columns(cell)) + cell)
		}
		lines = append(lines, b.String())
	}
	return lines
}

// LeftTable is Table with its columns aligned on the left, two spaces between them and
// none at the end of a line.
func LeftTable(rows [][]string) (lines []string) {
	widths := widthsOf(rows)
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			b.WriteString(cell + strings.Repeat(" ", 2+widths[i]-Columns(cell)))
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}

// widthsOf returns the width of each column of a table.
func widthsOf(rows [][]string) []int {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], Columns(cell))
		}
	}
	return widths
}

// Pairs is LeftTable for two columns.
func Pairs(rows [][2]string) []string {
	cells := make([][]string, len(rows))
	for i, row := range rows {
		cells[i] = row[:]
	}
	return LeftTable(cells)
}
