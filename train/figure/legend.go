package figure

import (
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// legend is a legend in a box. It is in the corner where it covers the smallest
// part of the curves.
type legend struct {
	plot.Legend
	curves []plotter.XYs
}

// Plot implements plot.Plotter. The legend must be the last plotter of the plot, so
// that nothing is drawn over it.
func (l *legend) Plot(c draw.Canvas, p *plot.Plot) {
	const border, margin = vg.Length(7), vg.Length(8) // inside and outside of the box, in points
	l.Top = true
	size := l.Rectangle(c).Size()
	size.Y += l.TextStyle.FontExtents().Descent // of the last line
	box := l.best(c, p, size.Add(vg.Point{X: 2 * border, Y: 2 * border}), margin)

	path := box.Path()
	c.SetColor(color.NRGBA{R: 0xff, G: 0xff, B: 0xff, A: 0xe6})
	c.Fill(path)
	c.SetLineStyle(draw.LineStyle{Color: color.Gray{Y: 0xcc}, Width: vg.Points(0.8)})
	c.Stroke(path)
	c.Rectangle = vg.Rectangle{
		Min: box.Min.Add(vg.Point{X: border, Y: border}),
		Max: box.Max.Sub(vg.Point{X: border, Y: border}),
	}
	l.Draw(c)
}

// best returns the box of the given size in the best corner of c. If several
// corners are equally good, it takes the first of bottom right, top left, bottom
// left and top right.
func (l *legend) best(c draw.Canvas, p *plot.Plot, size vg.Point, margin vg.Length) vg.Rectangle {
	left, right := c.Min.X+margin, c.Max.X-margin-size.X
	bottom, top := c.Min.Y+margin, c.Max.Y-margin-size.Y
	var best vg.Rectangle
	fewest := -1
	for _, at := range []vg.Point{{X: right, Y: bottom}, {X: left, Y: top}, {X: left, Y: bottom}, {X: right, Y: top}} {
		box := vg.Rectangle{Min: at, Max: at.Add(size)}
		if n := l.covered(c, p, box); fewest < 0 || n < fewest {
			best, fewest = box, n
		}
	}
	return best
}

// covered samples the curves, including the lines between epochs, at equal
// distances on the epoch axis. It returns the number of samples that are in box.
func (l *legend) covered(c draw.Canvas, p *plot.Plot, box vg.Rectangle) int {
	const samples, clearance = 1000, vg.Length(4)
	x, y := p.Transforms(&c)
	n := 0
	for _, xys := range l.curves {
		if len(xys) == 0 {
			continue
		}
		first, last := xys[0].X, xys[len(xys)-1].X
		i := 0
		for s := range samples + 1 {
			e := first + (last-first)*float64(s)/samples
			for i+2 < len(xys) && xys[i+1].X < e {
				i++
			}
			v := xys[i].Y
			if i+1 < len(xys) {
				a, b := xys[i], xys[i+1]
				v = a.Y + (b.Y-a.Y)*(e-a.X)/(b.X-a.X)
			}
			at := vg.Point{X: x(e), Y: y(v)}
			if at.X > box.Min.X-clearance && at.X < box.Max.X+clearance && at.Y > box.Min.Y-clearance && at.Y < box.Max.Y+clearance {
				n++
			}
		}
	}
	return n
}
