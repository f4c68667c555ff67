package prediction

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Style says how text is drawn.
type Style struct {
	Cols int // width of the image, in pixels
	Top  int // outputs to show, the largest first; 0: all, in the order of the classes

	// Blocks draws grey levels with half blocks, for a terminal that shows colours
	// and Unicode. Without it the text is ASCII.
	Blocks bool
}

// Text returns the name of the image and the answer, and below them the image beside
// the outputs as bars.
func (a Answer) Text(s Style) string {
	left := Picture(a.Input, s.Cols, s.Blocks)
	right := Bars(a.Outputs, s.Top, s.Blocks)
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d\n", Printable(a.File), a.Label)
	for i := range max(len(left), len(right)) {
		line := strings.Repeat(" ", s.Cols)
		if i < len(left) {
			line = left[i]
		}
		if i < len(right) {
			line += "  " + right[i]
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// greys are characters with more and more ink.
const greys = " .:-=+*#%@"

// Picture returns the lines of an image, cols columns wide. A line shows two rows of
// pixels. As in MNIST, ink is light where blocks are drawn; see Style.
func Picture(pixels []uint8, cols int, blocks bool) (lines []string) {
	rows := len(pixels) / cols
	for i := 0; i < rows; i += 2 {
		upper := pixels[i*cols : (i+1)*cols]
		lower := make([]uint8, cols) // below the last row there is background
		if i+1 < rows {
			lower = pixels[(i+1)*cols : (i+2)*cols]
		}
		var b strings.Builder
		before := ""
		for j := range cols {
			if !blocks {
				b.WriteByte(greys[(int(upper[j])+int(lower[j]))*len(greys)/(2*256)])
				continue
			}
			// The upper half has the foreground's colour, the lower one the background's.
			if colour := fmt.Sprintf("\x1b[38;5;%d;48;5;%dm", grey(upper[j]), grey(lower[j])); colour != before {
				b.WriteString(colour)
				before = colour
			}
			b.WriteString("▀")
		}
		if blocks {
			b.WriteString("\x1b[0m")
		}
		lines = append(lines, b.String())
	}
	return lines
}

// grey returns the colour of a grey level in the palette of 256 colours: black, 24
// levels, white.
func grey(level uint8) int {
	switch step := int(level) * 26 / 256; step {
	case 0:
		return 16
	case 25:
		return 231
	default:
		return 231 + step
	}
}

// barWidth is the width of the bar of 1, in columns.
const barWidth = 30

// Bars returns a line for each output: the class, a bar, and the value. See Style for
// top and blocks.
func Bars(outputs []float64, top int, blocks bool) (lines []string) {
	classes := make([]int, len(outputs))
	for k := range classes {
		classes[k] = k
	}
	if top > 0 {
		slices.SortStableFunc(classes, func(j, k int) int { return cmp.Compare(outputs[k], outputs[j]) })
		classes = classes[:min(top, len(classes))]
	}
	full := "#"
	if blocks {
		full = "█"
	}
	digits := len(strconv.Itoa(len(outputs) - 1))
	for _, k := range classes {
		n := int(math.Round(barWidth * min(max(outputs[k], 0), 1)))
		lines = append(lines, fmt.Sprintf("%*d %s%s %7.4f", digits, k, strings.Repeat(full, n), strings.Repeat(" ", barWidth-n), outputs[k]))
	}
	return lines
}

// Printable returns text from outside, such as the name of a file, as it may be
// written to a terminal: quoted if it has control characters, and bounded.
func Printable(s string) string {
	const most = 1000
	if len(s) > most {
		s = s[:most] + "…"
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}
