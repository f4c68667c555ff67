package figure

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"io"
	"math"

	"git.sr.ht/~sbinet/gg"

	"trainer/train/figure/glyph"
)

// dots is the number of pixels of a point: 144 of an inch.
const dots = 2

// raster is a canvas that draws pixels.
type raster struct {
	to *gg.Context
	m  *image.RGBA
}

func newPNG(width, height float64) *raster {
	m := image.NewRGBA(image.Rect(0, 0, int(math.Round(width*dots)), int(math.Round(height*dots))))
	for i := range 4 {
		m.Pix[i] = 0xff
	}
	for n := 4; n < len(m.Pix); n *= 2 {
		copy(m.Pix[n:], m.Pix[:n])
	}
	to := gg.NewContextForRGBA(m)
	to.SetLineJoinRound()
	to.SetLineCapButt()
	return &raster{to, m}
}

// encode writes the image. Package image/png tries five filters for each row, which takes
// most of the time of a figure. This one takes the difference to the row above: rows of
// figures are often equal.
func (r *raster) encode(w io.Writer) error {
	size := r.m.Bounds().Size()
	var data bytes.Buffer
	z, err := zlib.NewWriterLevel(&data, zlib.BestSpeed)
	if err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	const up = 2 // the number of the filter
	row, above := make([]byte, 1+3*size.X), make([]byte, 4*size.X)
	row[0] = up
	for y := range size.Y {
		pixels := r.m.Pix[y*r.m.Stride:][:4*size.X]
		for i, k := 0, 1; i < len(pixels); i, k = i+4, k+3 {
			row[k], row[k+1], row[k+2] = pixels[i]-above[i], pixels[i+1]-above[i+1], pixels[i+2]-above[i+2]
		}
		above = pixels
		if _, err := z.Write(row); err != nil {
			return fmt.Errorf("figure: %w", err)
		}
	}
	if err := z.Close(); err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	head := binary.BigEndian.AppendUint32(nil, uint32(size.X))
	head = binary.BigEndian.AppendUint32(head, uint32(size.Y))
	head = append(head, 8, 2, 0, 0, 0) // bits of a colour, red green blue, and the only methods that there are
	file := []byte("\x89PNG\r\n\x1a\n")
	file = appendChunk(file, "IHDR", head)
	file = appendChunk(file, "IDAT", data.Bytes())
	file = appendChunk(file, "IEND", nil)
	_, err = w.Write(file)
	return err
}

// appendChunk appends a chunk of a PNG file.
func appendChunk(file []byte, name string, data []byte) []byte {
	file = binary.BigEndian.AppendUint32(file, uint32(len(data)))
	start := len(file)
	file = append(append(file, name...), data...)
	return binary.BigEndian.AppendUint32(file, crc32.ChecksumIEEE(file[start:]))
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
	colours := make([][4]uint8, len(m.Palette))
	for i, c := range m.Palette {
		p := color.RGBAModel.Convert(c).(color.RGBA)
		colours[i] = [4]uint8{p.R, p.G, p.B, p.A}
	}
	first := edge(x, w, 0, size.X)
	line := make([]uint8, 4*(edge(x, w, size.X, size.X)-first))
	for j := range size.Y {
		for i, k := range m.Pix[j*m.Stride : j*m.Stride+size.X] {
			for px := edge(x, w, i, size.X); px < edge(x, w, i+1, size.X); px++ {
				copy(line[4*(px-first):], colours[k][:])
			}
		}
		for py := edge(y, h, j, size.Y); py < edge(y, h, j+1, size.Y); py++ {
			copy(r.m.Pix[r.m.PixOffset(first, py):], line)
		}
	}
}
