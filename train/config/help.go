package config

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// helpWidth is the width of the text of Help, in characters.
const helpWidth = 100

// Help returns the documentation of all keys as a plain-text table with the key, the
// default, the meaning and the legal values.
func Help() string {
	const gap = 2
	keyWidth, defWidth := len("KEY"), len("DEFAULT")
	for i := range keys {
		keyWidth = max(keyWidth, len(keys[i].path))
		defWidth = max(defWidth, len(keys[i].def))
	}
	var b strings.Builder
	row := func(key, def, last string) {
		line := fmt.Sprintf("%-*s%-*s%s", keyWidth+gap, key, defWidth+gap, def, last)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	row("KEY", "DEFAULT", "MEANING")
	for i := range keys {
		k := &keys[i]
		width := helpWidth - keyWidth - defWidth - 2*gap
		lines := wrap(k.doc, width)
		if k.kind != group {
			lines = append(lines, wrap("Legal: "+k.legal()+".", width)...)
		}
		for j, line := range lines {
			if j == 0 {
				row(k.path, k.def, line)
			} else {
				row("", "", line)
			}
		}
	}
	return b.String()
}

// wrap breaks text into lines of at most width characters, at spaces.
func wrap(text string, width int) []string {
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
