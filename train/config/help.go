package config

import (
	"fmt"
	"strings"

	"trainer/train/terminal"
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
		lines := terminal.Wrap(k.doc, width)
		if k.kind != group {
			lines = append(lines, terminal.Wrap("Legal: "+k.legal()+".", width)...)
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
