package picture

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"trainer/graph/internal/formula"
	"trainer/graph/ir"
)

// SVG writes a picture of p.
func SVG(w io.Writer, p *ir.Program, words Words) error {
	d, err := newDiagram(p, words)
	if err != nil {
		return err
	}
	l := newLayout(d)
	s := &sheet{l: l}
	s.head()
	s.bands()
	s.arrows()
	for i := range l.boxes {
		s.box(&l.boxes[i])
	}
	s.notes()
	s.b.WriteString("</svg>\n")
	_, err = io.WriteString(w, s.b.String())
	return err
}

type sheet struct {
	l *layout
	b strings.Builder
}

func (s *sheet) printf(format string, args ...any) { fmt.Fprintf(&s.b, format, args...) }

func (s *sheet) head() {
	l := s.l
	title := formula.Escape(l.words.Title)
	s.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f" role="img">`, l.width, l.height, l.width, l.height)
	s.printf("\n<title>%s</title>\n<style>\n%s", title, formula.CSS)
	s.printf("text { fill: #1f2933 }\n.box { stroke-width: 1.5 }\n.arrow { fill: none; stroke-width: 1.6 }\n")
	for _, k := range kinds {
		s.printf(".%s .box { fill: %s; stroke: %s }\n", k.name, k.fill, k.stroke)
		s.printf(".%s .arrow { stroke: %[2]s } .%[1]s .head, .%[1]s .mark { fill: %[2]s }\n", k.name, k.stroke)
		s.printf(".%s .tag text { fill: %[2]s }\n", k.name, k.stroke)
	}
	s.printf(".badge text { fill: white }\n</style>\n")
	s.printf(`<rect width="%.0f" height="%.0f" fill="white"/>`+"\n", l.width, l.height)
	formula.Words(&s.b, l.words.Title, margin, margin+titleSize, titleSize)
	s.b.WriteByte('\n')
}

func (s *sheet) bands() {
	l := s.l
	for _, band := range l.bands {
		k := kinds[band.kind]
		y := l.rowY[band.first] - bandPad
		height := l.rowY[band.last] + l.rowH[band.last] + bandPad - y
		s.printf(`<g class="%s"><rect class="area" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="12" fill="%s" fill-opacity="0.35"/>`,
			k.name, margin, y, l.width-2*margin, height, k.fill)
		s.b.WriteString(`<g class="tag">`)
		formula.Words(&s.b, band.title, margin+bandPad, y+bandPad+bandSize*0.6, bandSize)
		s.b.WriteString("</g></g>\n")
	}
}

// arrows draws the arrows, those from one box together.
func (s *sheet) arrows() {
	routes := slices.Clone(s.l.routes)
	slices.SortStableFunc(routes, func(a, b route) int { return cmp.Compare(a.from, b.from) })
	for len(routes) > 0 {
		from := routes[0].from
		n := slices.IndexFunc(routes, func(r route) bool { return r.from != from })
		if n < 0 {
			n = len(routes)
		}
		s.printf(`<g class="%s">`, kinds[s.l.boxes[from].kind].name)
		for _, r := range routes[:n] {
			s.arrow(r)
		}
		for _, p := range forks(routes[:n]) {
			s.printf(`<circle class="head" cx="%.1f" cy="%.1f" r="3"/>`, p.x, p.y)
		}
		s.b.WriteString("</g>\n")
		routes = routes[n:]
	}
}

const (
	headLength = 10.0
	headWidth  = 7.0
	corner     = 6.0
)

// arrow draws an arrow with round corners.
func (s *sheet) arrow(r route) {
	p := r.points
	last := len(p) - 1
	end, back := p[last], p[last-1]
	dx, dy := unit(back, end)
	tip := end
	end = point{end.x - dx*headLength, end.y - dy*headLength}
	var d strings.Builder
	fmt.Fprintf(&d, "M%.1f,%.1f", p[0].x, p[0].y)
	for i := 1; i < last; i++ {
		inX, inY := unit(p[i-1], p[i])
		next := p[i+1]
		outX, outY := unit(p[i], next)
		c := min(corner, distance(p[i-1], p[i])/2, distance(p[i], next)/2)
		fmt.Fprintf(&d, " L%.1f,%.1f Q%.1f,%.1f %.1f,%.1f", p[i].x-inX*c, p[i].y-inY*c, p[i].x, p[i].y, p[i].x+outX*c, p[i].y+outY*c)
	}
	fmt.Fprintf(&d, " L%.1f,%.1f", end.x, end.y)
	s.printf(`<path class="arrow" d="%s"/>`, d.String())
	s.printf(`<path class="head" d="M%.1f,%.1f L%.1f,%.1f L%.1f,%.1f Z"/>`, tip.x, tip.y,
		end.x-dy*headWidth/2, end.y+dx*headWidth/2, end.x+dy*headWidth/2, end.y-dx*headWidth/2)
}

// unit returns the direction from a to b, which differ in x or in y only.
func unit(a, b point) (dx, dy float64) {
	return float(cmp.Compare(b.x, a.x)), float(cmp.Compare(b.y, a.y))
}

func distance(a, b point) float64 { return max(b.x-a.x, a.x-b.x) + max(b.y-a.y, a.y-b.y) }

// forks returns the points where the routes from a box part.
func forks(routes []route) []point {
	var points []point
	for i, a := range routes {
		for _, b := range routes[i+1:] {
			k := 0
			for k < min(len(a.points), len(b.points)) && a.points[k] == b.points[k] {
				k++
			}
			if k == 0 {
				continue // they leave from different sides
			}
			p := part(a.points[k-1:], b.points[k-1:])
			if p != a.points[0] && !slices.Contains(points, p) {
				points = append(points, p)
			}
		}
	}
	return points
}

// part returns where two lines that begin at the same point part.
func part(a, b []point) point {
	if len(a) < 2 || len(b) < 2 {
		return a[0]
	}
	ax, ay := unit(a[0], a[1])
	if bx, by := unit(b[0], b[1]); ax != bx || ay != by {
		return a[0]
	}
	if distance(a[0], a[1]) < distance(b[0], b[1]) {
		return a[1]
	}
	return b[1]
}

func (b *box) badgeWidth() float64 {
	return max(badge, formula.WordsWidth(strconv.Itoa(b.number), detailSize)+10)
}

func (s *sheet) box(b *box) {
	s.printf(`<g class="%s" id="%s"><title>%s</title><rect class="box" x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="8"/>`,
		kinds[b.kind].name, b.id(), formula.Escape(b.hint), b.x, b.y, b.width, b.height)
	y := b.y + 8
	for i, line := range b.lines {
		size := b.lineSize(i)
		height := lineHeight
		if i > 0 {
			height = moreHeight
		}
		formula.SVG(&s.b, line, b.x+(b.width-formula.Width(line, size))/2, y+height*0.74, size)
		y += height
	}
	y += 17
	x := b.x + padding
	if b.number >= 0 {
		number, w := strconv.Itoa(b.number), b.badgeWidth()
		s.printf(`<rect class="mark" x="%.1f" y="%.1f" width="%.1f" height="17" rx="5"/><g class="badge">`, x, y-13.5, w)
		formula.Words(&s.b, number, x+(w-formula.WordsWidth(number, detailSize))/2, y, detailSize)
		s.b.WriteString("</g>")
		x += w + 7
	}
	for _, t := range []string{b.shape, b.note} {
		if t != "" {
			formula.Words(&s.b, t, x, y, detailSize)
			x += formula.WordsWidth(t, detailSize) + wordGap
		}
	}
	if b.tag != "" {
		s.b.WriteString(`<g class="tag">`)
		formula.Words(&s.b, b.tag, b.x+b.width-padding-formula.WordsWidth(b.tag, detailSize), y, detailSize)
		s.b.WriteString("</g>")
	}
	s.b.WriteString("</g>\n")
}

// id returns a name for a box: that of its buffer, or the number of its instruction.
func (b *box) id() string {
	if b.number < 0 {
		return fmt.Sprintf("buffer%d", b.ref)
	}
	return fmt.Sprintf("instruction%d", b.number)
}

func (s *sheet) notes() {
	l := s.l
	y := l.height - margin + 8 - 20*float(len(l.words.Notes)-1)
	for _, n := range l.words.Notes {
		formula.Words(&s.b, n, margin, y, noteSize)
		s.b.WriteByte('\n')
		y += 20
	}
}
