package draw

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"trainer/graph/internal/formula"
)

// Text writes one line per node, in the order of g.Nodes:
//
//	a^2 = σ(z^2)  (1×50)  a^2 = g(z^2)
func Text(w io.Writer, g Graph) error {
	if err := g.Check(); err != nil {
		return err
	}
	rows := make([][3]string, len(g.Nodes))
	var widths [3]int
	for i, v := range g.Nodes {
		rows[i] = [3]string{v.Label, "", v.Note}
		if v.Shape != "" {
			rows[i][1] = "(" + v.Shape + ")"
		}
		for c, s := range rows[i] {
			rows[i][c] = oneLine(s)
			widths[c] = max(widths[c], utf8.RuneCountInString(rows[i][c]))
		}
	}
	var b strings.Builder
	if g.Title != "" {
		b.WriteString(oneLine(g.Title) + "\n\n")
	}
	for _, row := range rows {
		var line strings.Builder
		for c, s := range row {
			if widths[c] > 0 {
				fmt.Fprintf(&line, "%-*s  ", widths[c], s)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// oneLine replaces control characters, which include line breaks, by spaces.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, s)
}

// DOT writes g as Graphviz source; dot -Tsvg turns it into a picture.
func DOT(w io.Writer, g Graph) error {
	if _, err := newNet(g); err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("digraph {\n")
	if g.Title != "" {
		fmt.Fprintf(&b, "  label=%s; labelloc=t;\n", quoteDOT(g.Title))
	}
	b.WriteString("  node [shape=box, style=\"rounded,filled\", fontname=\"Times\", fontsize=12];\n")
	for _, v := range g.Nodes {
		k := kinds[v.Kind]
		style := ""
		if k.dashed {
			style = `, style="rounded,filled,dashed"`
		}
		var lines []string
		for _, line := range boxText(v) {
			lines = append(lines, formula.HTML(line))
		}
		fmt.Fprintf(&b, "  %s [label=<%s>, fillcolor=\"%s\", color=\"%s\"%s];\n",
			quoteDOT(v.ID), strings.Join(lines, "<BR/>"), k.fill, k.stroke, style)
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %s -> %s;\n", quoteDOT(e.From), quoteDOT(e.To))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// quoteDOT returns s as a quoted DOT string. A backslash begins an escape
// there.
func quoteDOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", " ", "\x00", " ").Replace(s) + `"`
}

// boxText returns the lines in a node's box, as formulas.
func boxText(v Node) []string {
	lines := []string{v.Label}
	for _, line := range []string{v.Shape, v.Note} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
