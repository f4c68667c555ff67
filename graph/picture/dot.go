package picture

import (
	"fmt"
	"io"
	"strings"

	"trainer/graph/internal/formula"
	"trainer/graph/ir"
)

// DOT writes what SVG draws as Graphviz source: a cluster for each pass.
func DOT(w io.Writer, p *ir.Program, words Words) error {
	d, err := newDiagram(p, words)
	if err != nil {
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "digraph {\n  label=<%s>; labelloc=t; rankdir=LR;\n", formula.Escape(words.Title))
	b.WriteString("  node [shape=box, style=\"rounded,filled\", fontname=\"Times\"];\n")
	for i, band := range d.bands {
		fmt.Fprintf(&b, "  subgraph cluster%d {\n    label=<%s>; color=\"%s\";\n", i, formula.Escape(band.title), kinds[band.kind].stroke)
		for k := range d.boxes {
			if v := &d.boxes[k]; v.row >= band.first && v.row <= band.last {
				fmt.Fprintf(&b, "    %s [label=<%s>, fillcolor=\"%s\", color=\"%s\"];\n", v.id(), v.html(), kinds[v.kind].fill, kinds[v.kind].stroke)
			}
		}
		b.WriteString("  }\n")
	}
	for _, e := range d.edges {
		fmt.Fprintf(&b, "  %s -> %s;\n", d.boxes[e.from].id(), d.boxes[e.to].id())
	}
	b.WriteString("}\n")
	_, err = io.WriteString(w, b.String())
	return err
}

// html returns the text of a box as an HTML-like label.
func (b *box) html() string {
	var lines []string
	for _, line := range b.lines {
		lines = append(lines, formula.HTML(line))
	}
	details := join(b.shape, b.note, b.tag)
	if b.number >= 0 {
		details = fmt.Sprintf("%d: %s", b.number, details)
	}
	return strings.Join(append(lines, formula.Escape(details)), "<BR/>")
}
