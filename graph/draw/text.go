package draw

import (
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text writes one line per node, in the order of g.Nodes:
//
//	%12  sigmoid(%11)  (1×50)  a = g(z)
func Text(w io.Writer, g Graph) error {
	n, err := newNet(g)
	if err != nil {
		return err
	}
	rows := make([][4]string, len(g.Nodes))
	var widths [4]int
	for i, v := range g.Nodes {
		var operands []string
		for _, u := range n.in[i] {
			operands = append(operands, g.Nodes[u].ID)
		}
		rows[i] = [4]string{v.ID, expression(v.Label, operands), "", v.Note}
		if v.Shape != "" {
			rows[i][2] = "(" + v.Shape + ")"
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
	_, err = io.WriteString(w, b.String())
	return err
}

// expression formats an operation. A binary sign goes between its operands; a
// name goes before its operands, which are in parentheses.
func expression(label string, operands []string) string {
	switch {
	case len(operands) == 0:
		return label
	case len(operands) == 2 && isSign(label):
		return operands[0] + " " + label + " " + operands[1]
	}
	return label + "(" + strings.Join(operands, ", ") + ")"
}

// isSign reports whether a label is an operator sign such as + or ×.
func isSign(label string) bool {
	return label != "" && !strings.ContainsFunc(label, func(r rune) bool {
		return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsSpace(r)
	})
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
	b.WriteString("  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\", fontsize=11];\n")
	for _, v := range g.Nodes {
		k := kinds[v.Kind]
		style := ""
		if k.dashed {
			style = `, style="rounded,filled,dashed"`
		}
		fmt.Fprintf(&b, "  %s [label=%s, fillcolor=\"%s\", color=\"%s\"%s];\n",
			quoteDOT(v.ID), quoteDOT(strings.Join(boxText(v), "\n")), k.fill, k.stroke, style)
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

// boxText returns the lines in a node's box.
func boxText(v Node) []string {
	second := v.ID
	if v.Shape != "" {
		second += " · " + v.Shape
	}
	lines := []string{v.Label, second}
	if v.Note != "" {
		lines = append(lines, v.Note)
	}
	return lines
}
