package draw

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"trainer/graph/internal/formula"
)

// Sizes of the drawing, in pixels.
const (
	margin     = 24.0
	labelSize  = 16.0 // fonts
	detailSize = 13.0
	legendSize = 12.0
	titleSize  = 18.0
	lineHeight = 19.0
	padding    = 10.0 // between the text and the left and right sides of its box
	layerGap   = 38.0
	headHeight = 64.0 // the title and the legend
	minWidth   = 420.0
)

// SVG writes g as a picture.
func SVG(w io.Writer, g Graph) error {
	n, err := newNet(g)
	if err != nil {
		return err
	}
	widths := make([]float64, len(g.Nodes))
	for i, v := range g.Nodes {
		widths[i] = boxWidth(v)
	}
	p := &picture{g: g, l: newLayout(n, widths)}
	p.measure()
	p.head()
	for _, e := range p.ports() {
		p.edge(e)
	}
	for v := range g.Nodes {
		p.box(v)
	}
	p.b.WriteString("</svg>\n")
	_, err = io.WriteString(w, p.b.String())
	return err
}

// picture writes the SVG of a layout.
type picture struct {
	g             Graph
	l             *layout
	b             strings.Builder
	top           []float64 // of each layer's highest box
	height        []float64 // of it
	width, bottom float64   // of the picture
}

// measure finds the places of the layers and the size of the picture.
func (p *picture) measure() {
	p.width = max(minWidth, 2*margin+formula.WordsWidth(p.g.Title, titleSize))
	for _, s := range p.l.vertices {
		p.width = max(p.width, s.x+s.width/2+2*margin)
	}
	y := margin + headHeight
	for _, layer := range p.l.layers {
		h := 0.0
		for _, s := range layer {
			if v := p.l.vertices[s].node; v >= 0 {
				h = max(h, boxHeight(p.g.Nodes[v]))
			}
		}
		p.top = append(p.top, y)
		p.height = append(p.height, h)
		y += h + layerGap
	}
	p.bottom = max(y-layerGap, margin+headHeight) + margin
}

func (p *picture) printf(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

// head writes everything above the boxes: the styles, the title and the legend.
func (p *picture) head() {
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`+"\n", p.width, p.bottom, p.width, p.bottom)
	p.printf("<title>%s</title>\n", formula.Escape(p.g.Title))
	p.b.WriteString(`<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">` +
		`<path d="M0,1 L10,5 L0,9 z" fill="#6b7280"/></marker></defs>` + "\n")
	p.b.WriteString("<style>\n")
	p.b.WriteString(formula.CSS + "text { fill: #1f2933 }\n")
	p.b.WriteString(".edge { fill: none; stroke: #6b7280; stroke-width: 1.2; marker-end: url(#arrow) }\n")
	for k := range kindEnd {
		dash := ""
		if kinds[k].dashed {
			dash = "; stroke-dasharray: 5 2"
		}
		p.printf(".%v { fill: %s; stroke: %s; stroke-width: 1.4%s }\n", k, kinds[k].fill, kinds[k].stroke, dash)
	}
	p.b.WriteString("</style>\n")
	p.printf(`<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", p.width, p.bottom)
	formula.Words(&p.b, p.g.Title, margin, margin+14, titleSize)
	p.b.WriteByte('\n')
	x := margin
	for k := range kindEnd {
		if !slices.ContainsFunc(p.g.Nodes, func(v Node) bool { return v.Kind == k }) {
			continue
		}
		p.printf(`<rect class="%v" x="%.1f" y="%.1f" width="18" height="12" rx="3"/>`, k, x, margin+28)
		name := p.g.name(k)
		formula.Words(&p.b, name, x+23, margin+38, legendSize)
		p.b.WriteByte('\n')
		x += 23 + formula.WordsWidth(name, legendSize) + 16
	}
}

// link is an edge and the two points where it meets its boxes.
type link struct {
	route    []int
	from, to float64 // x
}

// ports spreads the ends of each box's edges along the box. They are in the
// order of the next vertices of the edges, so the edges do not cross at the box.
func (p *picture) ports() []link {
	vertices := p.l.vertices
	links := make([]link, len(p.l.routes))
	starts, ends := make(map[int][]int), make(map[int][]int) // links by node
	for i, r := range p.l.routes {
		links[i].route = r
		starts[r[0]] = append(starts[r[0]], i)
		ends[r[len(r)-1]] = append(ends[r[len(r)-1]], i)
	}
	for v := range p.g.Nodes {
		spread := func(at []int, next func(link) int, set func(*link, float64)) {
			slices.SortStableFunc(at, func(a, b int) int {
				return cmp.Compare(vertices[next(links[a])].x, vertices[next(links[b])].x)
			})
			step := min(16, 0.7*vertices[v].width/float64(max(len(at), 1)))
			for i, e := range at {
				set(&links[e], vertices[v].x+step*(float64(i)-float64(len(at)-1)/2))
			}
		}
		spread(starts[v], func(e link) int { return e.route[1] }, func(e *link, x float64) { e.from = x })
		spread(ends[v], func(e link) int { return e.route[len(e.route)-2] }, func(e *link, x float64) { e.to = x })
	}
	return links
}

// edge draws an edge: a straight line through each layer that it crosses, and an
// S-shaped curve between two layers.
func (p *picture) edge(e link) {
	first, last := e.route[0], e.route[len(e.route)-1]
	x, y := e.from+margin, p.boxTop(first)+boxHeight(p.g.Nodes[first])
	var d strings.Builder
	fmt.Fprintf(&d, "M%.1f,%.1f", x, y)
	curve := func(toX, toY float64) {
		middle := (y + toY) / 2
		fmt.Fprintf(&d, " C%.1f,%.1f %.1f,%.1f %.1f,%.1f", x, middle, toX, middle, toX, toY)
		x, y = toX, toY
	}
	for _, s := range e.route[1 : len(e.route)-1] {
		layer := p.l.vertices[s].layer
		curve(p.l.vertices[s].x+margin, p.top[layer])
		y += p.height[layer]
		fmt.Fprintf(&d, " V%.1f", y)
	}
	curve(e.to+margin, p.boxTop(last))
	p.printf(`<path class="edge" d="%s"/>`+"\n", d.String())
}

// boxTop returns the y of a box's upper side. A box is centred vertically in
// its layer.
func (p *picture) boxTop(v int) float64 {
	layer := p.l.vertices[v].layer
	return p.top[layer] + (p.height[layer]-boxHeight(p.g.Nodes[v]))/2
}

// box draws a node.
func (p *picture) box(v int) {
	node, s := p.g.Nodes[v], p.l.vertices[v]
	x, y := s.x+margin, p.boxTop(v)
	p.printf(`<g><rect class="%v" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6"/>`,
		node.Kind, x-s.width/2, y, s.width, boxHeight(node))
	size := labelSize
	for i, line := range boxText(node) {
		formula.SVG(&p.b, line, x-formula.Width(line, size)/2, y+lineHeight*float64(i)+19, size)
		size = detailSize
	}
	p.b.WriteString("</g>\n")
}

func boxWidth(v Node) float64 {
	size, w := labelSize, 44.0
	for _, line := range boxText(v) {
		w = max(w, formula.Width(line, size)+2*padding)
		size = detailSize
	}
	return w
}

func boxHeight(v Node) float64 { return 12 + lineHeight*float64(len(boxText(v))) }
