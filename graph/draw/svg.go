package draw

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Sizes of the drawing, in pixels.
const (
	margin     = 24.0
	labelSize  = 14.0 // fonts
	detailSize = 11.0
	titleSize  = 18.0
	lineHeight = 15.0
	padding    = 10.0 // in a box, left and right
	layerGap   = 38.0
	headHeight = 64.0 // of title and legend
	leastWidth = 420.0
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
	_, err = w.Write(p.b.Bytes())
	return err
}

// picture writes the SVG of a layout.
type picture struct {
	g             Graph
	l             *layout
	b             bytes.Buffer
	top           []float64 // of each layer's highest box
	height        []float64 // of it
	width, bottom float64   // of the picture
}

// measure finds the places of the layers and the size of the picture.
func (p *picture) measure() {
	p.width = max(leastWidth, 2*margin+textWidth(p.g.Title, titleSize))
	for _, s := range p.l.spots {
		p.width = max(p.width, s.x+s.width/2+2*margin)
	}
	y := margin + headHeight
	for _, layer := range p.l.layers {
		h := 0.0
		for _, s := range layer {
			if v := p.l.spots[s].node; v >= 0 {
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

// head writes what stands before the boxes: the styles, title and legend.
func (p *picture) head() {
	p.printf(`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" `+
		`font-family="Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif">`+"\n", p.width, p.bottom, p.width, p.bottom)
	p.printf("<title>%s</title>\n", escape(p.g.Title))
	p.b.WriteString(`<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">` +
		`<path d="M0,1 L10,5 L0,9 z" fill="#6b7280"/></marker></defs>` + "\n")
	p.b.WriteString("<style>\n")
	p.printf(".label { font-size: %.0fpx; font-weight: bold; fill: #1f2933 }\n", labelSize)
	p.printf(".detail { font-size: %.0fpx; fill: #4b5563 }\n", detailSize)
	p.printf(".title { font-size: %.0fpx; fill: #1f2933 }\n", titleSize)
	p.b.WriteString("text.label, text.detail { text-anchor: middle }\n")
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
	p.printf(`<text class="title" x="%.0f" y="%.0f">%s</text>`+"\n", margin, margin+14, escape(p.g.Title))
	x := margin
	for k := range kindEnd {
		if !slices.ContainsFunc(p.g.Nodes, func(v Node) bool { return v.Kind == k }) {
			continue
		}
		p.printf(`<rect class="%v" x="%.1f" y="%.1f" width="18" height="12" rx="3"/>`, k, x, margin+28)
		p.printf(`<text class="detail" style="text-anchor: start" x="%.1f" y="%.1f">%v</text>`+"\n", x+23, margin+38, k)
		x += 23 + textWidth(k.String(), detailSize) + 16
	}
}

// link is an edge with the places where it leaves and reaches its boxes.
type link struct {
	route    []int
	from, to float64 // x
}

// ports spreads the ends of the edges of each box, in the order in which the
// edges go on, so that they do not cross at the box.
func (p *picture) ports() []link {
	spots := p.l.spots
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
				return cmp.Compare(spots[next(links[a])].x, spots[next(links[b])].x)
			})
			step := min(16, 0.7*spots[v].width/float64(max(len(at), 1)))
			for i, e := range at {
				set(&links[e], spots[v].x+step*(float64(i)-float64(len(at)-1)/2))
			}
		}
		spread(starts[v], func(e link) int { return e.route[1] }, func(e *link, x float64) { e.from = x })
		spread(ends[v], func(e link) int { return e.route[len(e.route)-2] }, func(e *link, x float64) { e.to = x })
	}
	return links
}

// edge draws an edge: straight through the layers that it passes, an S between.
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
		layer := p.l.spots[s].layer
		curve(p.l.spots[s].x+margin, p.top[layer])
		y += p.height[layer]
		fmt.Fprintf(&d, " V%.1f", y)
	}
	curve(e.to+margin, p.boxTop(last))
	p.printf(`<path class="edge" d="%s"/>`+"\n", d.String())
}

// boxTop returns the y of a box's upper side: boxes stand in the middle of
// their layer.
func (p *picture) boxTop(v int) float64 {
	layer := p.l.spots[v].layer
	return p.top[layer] + (p.height[layer]-boxHeight(p.g.Nodes[v]))/2
}

// box draws a node.
func (p *picture) box(v int) {
	node, s := p.g.Nodes[v], p.l.spots[v]
	x, y := s.x+margin, p.boxTop(v)
	p.printf(`<g><rect class="%v" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="6"/>`,
		node.Kind, x-s.width/2, y, s.width, boxHeight(node))
	class := "label"
	for i, line := range boxText(node) {
		p.printf(`<text class="%s" x="%.1f" y="%.1f">%s</text>`, class, x, y+lineHeight*float64(i)+18, escape(line))
		class = "detail"
	}
	p.b.WriteString("</g>\n")
}

func boxWidth(v Node) float64 {
	size, w := labelSize*1.08, 44.0 // the label is bold
	for _, line := range boxText(v) {
		w = max(w, textWidth(line, size)+2*padding)
		size = detailSize
	}
	return w
}

func boxHeight(v Node) float64 { return 12 + lineHeight*float64(len(boxText(v))) }

// textWidth estimates the width of a text: the browser's font is not known.
func textWidth(s string, size float64) float64 {
	w := 0.0
	for _, r := range s {
		switch {
		case strings.ContainsRune(" .,:;'|!()[]{}ijltfI", r):
			w += 0.36
		case r >= 0x2e80:
			w += 1 // Chinese, Japanese, Korean
		case strings.ContainsRune("mwMW%@∂∇Σ", r):
			w += 0.9
		case r >= 'A' && r <= 'Z':
			w += 0.7
		default:
			w += 0.58
		}
	}
	return w * size
}

// escape makes s the text of an element.
func escape(s string) string {
	var b strings.Builder
	// A strings.Builder takes everything.
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}
