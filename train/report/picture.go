package report

import (
	"bytes"
	"encoding/base64"
	"html/template"
	"image"
	"image/color"
	"image/png"
	"math"
	"sync"

	"trainer/data"
)

// mostPixels is the largest width and height of a picture in the page. Larger images
// are reduced.
const mostPixels = 64

// encoder keeps its buffers: they are larger than the images.
var encoder = png.Encoder{CompressionLevel: png.BestSpeed, BufferPool: &buffers{}}

// buffers is a png.EncoderBufferPool.
type buffers struct{ sync.Pool }

func (b *buffers) Get() *png.EncoderBuffer {
	e, _ := b.Pool.Get().(*png.EncoderBuffer)
	return e
}

func (b *buffers) Put(e *png.EncoderBuffer) { b.Pool.Put(e) }

// uri returns an image as a data URI.
func uri(m image.Image) template.URL {
	var b bytes.Buffer
	if err := encoder.Encode(&b, m); err != nil {
		panic("BUG: report: " + err.Error()) // writing to memory
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())) // no text in it
}

// reduced calls set for each pixel of an image of at most mostPixels on a side, with
// the mean of the values that are in it. It returns the size.
func reduced(rows, cols int, at func(i int) float64, size func(width, height int), set func(x, y int, v float64)) {
	factor := (max(rows, cols) + mostPixels - 1) / mostPixels
	if rows == 1 || cols == 1 { // a strip
		factor = (max(rows, cols) + 1023) / 1024
	}
	factor = max(factor, 1)
	height, width := (rows+factor-1)/factor, (cols+factor-1)/factor
	size(width, height)
	for y := range height {
		for x := range width {
			sum, n := 0.0, 0
			for yy := y * factor; yy < min((y+1)*factor, rows); yy++ {
				for xx := x * factor; xx < min((x+1)*factor, cols); xx++ {
					sum += at(yy*cols + xx)
					n++
				}
			}
			set(x, y, sum/float64(n))
		}
	}
}

// image returns the picture, black for the low end of its range and white for the
// high end.
func (p Picture) image() image.Image {
	low, high := p.Range.Low, p.Range.High
	if p.Range == (data.Range{}) {
		low, high = 0, 255
	}
	var m *image.Gray
	reduced(p.Rows, p.Cols, func(i int) float64 { return float64(p.Pixels[i]) },
		func(width, height int) { m = image.NewGray(image.Rect(0, 0, width, height)) },
		func(x, y int, v float64) {
			m.SetGray(x, y, color.Gray{Y: uint8(255*min(max((v-low)/(high-low), 0), 1) + 0.5)})
		})
	return m
}

// shades is the number of colours of the palette on each side of zero.
const shades = 31

// diverging is the palette of signed values: blue, white for zero, red. The colours
// differ in blue and red, which most people who are colour-blind tell apart.
var diverging = func() color.Palette {
	p := make(color.Palette, 2*shades+1)
	mix := func(a, b uint8, t float64) uint8 { return uint8(float64(a) + (float64(b)-float64(a))*t + 0.5) }
	for i := range p {
		t := math.Abs(float64(i-shades)) / shades
		end := color.RGBA{R: 0xb2, G: 0x18, B: 0x2b, A: 0xff}
		if i < shades {
			end = color.RGBA{R: 0x1b, G: 0x4f, B: 0x9c, A: 0xff}
		}
		p[i] = color.RGBA{R: mix(0xff, end.R, t), G: mix(0xff, end.G, t), B: mix(0xff, end.B, t), A: 0xff}
	}
	return p
}()

// seeThrough is diverging with the page in place of white.
var seeThrough = func() color.Palette {
	p := make(color.Palette, len(diverging))
	for i := range p {
		end := diverging[0]
		if i > shades {
			end = diverging[len(diverging)-1]
		}
		c := color.NRGBAModel.Convert(end).(color.NRGBA)
		c.A = uint8(255 * math.Abs(float64(i-shades)) / shades)
		p[i] = c
	}
	return p
}()

// signedImage returns an image of signed values: white is 0, and the full colours are
// ±scale.
func signedImage(rows, cols int, values []float64, scale float64) image.Image {
	var m *image.Paletted
	reduced(rows, cols, func(i int) float64 { return values[i] },
		func(width, height int) { m = image.NewPaletted(image.Rect(0, 0, width, height), diverging) },
		func(x, y int, v float64) {
			t := 0.0
			if scale > 0 && !math.IsNaN(v) {
				t = min(max(v/scale, -1), 1)
			}
			m.SetColorIndex(x, y, uint8(shades+math.Round(t*shades)))
		})
	return m
}

// countsImage returns an image of a large confusion matrix, in the colours of
// shadeOf: the diagonal in blue, the mistakes in red.
func countsImage(confusion [][]int) image.Image {
	n := len(confusion)
	m := image.NewPaletted(image.Rect(0, 0, n, n), seeThrough)
	worst := worstShare(confusion)
	for label, row := range confusion {
		total := sum(row)
		for predicted, count := range row {
			shade := shadeOf(count, total, label == predicted, worst, shades)
			if label == predicted {
				shade = -shade
			}
			m.SetColorIndex(predicted, label, uint8(shades+shade))
		}
	}
	return m
}

func sum(row []int) int {
	total := 0
	for _, n := range row {
		total += n
	}
	return total
}

// worstShare returns the largest share of a row that a kind of mistake has.
func worstShare(confusion [][]int) float64 {
	worst := 0.0
	for label, row := range confusion {
		total := float64(sum(row))
		for predicted, n := range row {
			if label != predicted && n > 0 {
				worst = max(worst, float64(n)/total)
			}
		}
	}
	return worst
}

// shadeOf returns how dark a cell of a confusion matrix is, from 0 to most. Right
// answers are the darker the larger their share of the row. Mistakes are compared with
// the worst kind, by the root of the share, so that rare ones can be seen too.
func shadeOf(count, total int, right bool, worst float64, most int) int {
	if count == 0 || total == 0 {
		return 0
	}
	share := float64(count) / float64(total)
	if !right {
		share = 0.75 * math.Sqrt(share/worst)
	}
	return max(1, int(math.Round(float64(most)*share)))
}

// keyImage returns the colours of signed values in a row.
func keyImage() image.Image {
	m := image.NewPaletted(image.Rect(0, 0, len(diverging), 1), diverging)
	for i := range diverging {
		m.SetColorIndex(i, 0, uint8(i))
	}
	return m
}
