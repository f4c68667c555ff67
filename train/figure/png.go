package figure

import (
	"bufio"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"

	"git.sr.ht/~sbinet/gg"

	"trainer/train/figure/glyph"
)

// dpi is the resolution of a PNG, in pixels an inch of 72 points.
const dpi = 150

// dots is the number of pixels of a point.
const dots = dpi / 72.0

// raster is a canvas that draws pixels.
type raster struct {
	to *gg.Context
	m  *image.RGBA
}

func newPNG(width, height float64) *raster {
	m := image.NewRGBA(image.Rect(0, 0, int(math.Round(width*dots)), int(math.Round(height*dots))))
	for i := range m.Pix {
		m.Pix[i] = 0xff
	}
	to := gg.NewContextForRGBA(m)
	to.SetLineJoinRound()
	to.SetLineCapButt()
	return &raster{to, m}
}

// encode writes the image. Speed counts more here than a smaller file.
func (r *raster) encode(w io.Writer) error {
	b := bufio.NewWriter(w)
	e := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := e.Encode(b, r.m); err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	return b.Flush()
}

func (r *raster) rect(x, y, w, h float64, c color.NRGBA) {
	r.to.SetColor(c)
	r.to.DrawRectangle(x*dots, y*dots, w*dots, h*dots)
	r.to.Fill()
}

// set takes over how lines are drawn.
func (r *raster) set(s stroke) {
	r.to.SetColor(s.color)
	r.to.SetLineWidth(s.width * dots)
	dash := make([]float64, len(s.dash))
	for i, d := range s.dash {
		dash[i] = d * dots
	}
	r.to.SetDash(dash...)
}

func (r *raster) line(path []point, s stroke) {
	r.set(s)
	for i, p := range path {
		if i == 0 {
			r.to.MoveTo(p.x*dots, p.y*dots)
		} else {
			r.to.LineTo(p.x*dots, p.y*dots)
		}
	}
	r.to.Stroke()
}

func (r *raster) dot(at point, radius float64, c color.NRGBA) {
	r.to.SetColor(c)
	r.to.DrawCircle(at.x*dots, at.y*dots, radius*dots)
	r.to.Fill()
}

func (r *raster) ring(at point, radius float64, s stroke) {
	r.set(s)
	r.to.DrawCircle(at.x*dots, at.y*dots, radius*dots)
	r.to.Stroke()
}

func (r *raster) text(t label) {
	runs, width := layout(t.text)
	scale := t.size / glyph.Em * dots
	// place returns the pixel of a point of the text, in units of the em.
	place := func(x, y float64) (float64, float64) {
		x, y = (x-float64(t.at)*width)*scale, y*scale
		if t.up {
			return t.x*dots - y, t.y*dots - x
		}
		return t.x*dots + x, t.y*dots - y
	}
	r.to.SetColor(t.color)
	for _, run := range runs {
		if run.outline == nil {
			continue
		}
		for _, s := range run.outline.Path {
			x, y := place(run.x+s.Args[0][0], s.Args[0][1])
			switch s.Op {
			case glyph.Move:
				r.to.MoveTo(x, y) // which closes the contour before
			case glyph.Line:
				r.to.LineTo(x, y)
			case glyph.Quad:
				x2, y2 := place(run.x+s.Args[1][0], s.Args[1][1])
				r.to.QuadraticTo(x, y, x2, y2)
			}
		}
	}
	r.to.Fill()
	for _, run := range runs {
		x := run.x
		for _, char := range run.missing {
			if w := room(char); w > 0 {
				r.box(place, x, w, stroke{color: t.color, width: t.size / 14})
				x += w
			}
		}
	}
}

// box draws the place of a character that has no outline, w wide.
func (r *raster) box(place func(x, y float64) (float64, float64), x, w float64, s stroke) {
	r.set(s)
	const side, bottom, top = 0.08 * glyph.Em, -0.06 * glyph.Em, 0.79 * glyph.Em
	for i, corner := range [][2]float64{{side, bottom}, {w - side, bottom}, {w - side, top}, {side, top}} {
		if px, py := place(x+corner[0], corner[1]); i == 0 {
			r.to.MoveTo(px, py)
		} else {
			r.to.LineTo(px, py)
		}
	}
	r.to.ClosePath()
	r.to.Stroke()
}

// pixels draws an image without a border between its pixels. Each of them begins at a
// whole pixel of the figure.
func (r *raster) pixels(x, y, w, h float64, m *image.Paletted) {
	size := m.Bounds().Size()
	edge := func(from, length float64, i, n int) int {
		return int(math.Round((from + length*float64(i)/float64(n)) * dots))
	}
	palette := make([]color.RGBA, len(m.Palette))
	for i, c := range m.Palette {
		palette[i] = color.RGBAModel.Convert(c).(color.RGBA)
	}
	for j := range size.Y {
		top, bottom := edge(y, h, j, size.Y), edge(y, h, j+1, size.Y)
		for i := range size.X {
			c := palette[m.Pix[j*m.Stride+i]]
			for px := edge(x, w, i, size.X); px < edge(x, w, i+1, size.X); px++ {
				for py := top; py < bottom; py++ {
					r.m.SetRGBA(px, py, c)
				}
			}
		}
	}
}
