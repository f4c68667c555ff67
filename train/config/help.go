package config

import (
	"strings"

	"trainer/data/lang"
	"trainer/train/terminal"
)

// helpWidth is the width of the text of Help, in characters.
const helpWidth = 100

// The words of Help.
var (
	keyText     = lang.Text{En: "KEY", Zh: "键"}
	defaultText = lang.Text{En: "DEFAULT", Zh: "默认值"}
	meaningText = lang.Text{En: "MEANING", Zh: "含义"}
	legalText   = lang.Text{En: "Legal: %s.", Zh: "可取：%s。"}
)

// pad appends spaces up to a number of columns on a terminal.
func pad(s string, columns int) string {
	return s + strings.Repeat(" ", columns-terminal.Columns(s))
}

// Help returns the documentation of all keys as a plain-text table with the key, the
// default, the meaning and the legal values.
func Help(l lang.Language) string {
	const gap = 2
	head := []string{keyText.In(l), defaultText.In(l), meaningText.In(l)}
	keyWidth, defWidth := terminal.Columns(head[0]), terminal.Columns(head[1])
	for i := range keys {
		keyWidth = max(keyWidth, len(keys[i].path))
		defWidth = max(defWidth, len(keys[i].def))
	}
	var b strings.Builder
	row := func(key, def, last string) {
		line := pad(key, keyWidth+gap) + pad(def, defWidth+gap) + last
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	row(head[0], head[1], head[2])
	for i := range keys {
		k := &keys[i]
		width := helpWidth - keyWidth - defWidth - 2*gap
		lines := terminal.Wrap(k.doc.In(l), width)
		if k.kind != group {
			lines = append(lines, terminal.Wrap(legalText.Format(l, k.legal()), width)...)
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
