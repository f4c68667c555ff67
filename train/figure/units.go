package figure

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"slices"

	"trainer/data/lang"
)

// Units is what the figure of the units of a layer shows: the weights of each unit as an
// image, in the places of the pixels that they belong to. All images have one scale of
// colours: dark for negative weights, grey for 0, light for positive ones.
type Units struct {
	Title    string
	Language lang.Language
	Weights  []float64 // a row of Rows × Cols for each unit: W^2
	Rows     int       // height of an image, in pixels
	Cols     int       // width of an image, in pixels
	Epoch    int       // after which these are the weights; 0: not said
	Outputs  bool      // whether the units are the outputs: the network has no hidden layer
}

// mostUnits is the largest number of units that are drawn.
const mostUnits = 105 // in 15 columns

// The sizes of the images, in pixels of a PNG.
const (
	tileSide = 112 // of the longer side of an image, about
	mostSide = 150 // at most
	tileGap  = 4   // at least
)

var (
	unitsText     = lang.Text{En: "the weights of all hidden units (%d)", Zh: "全部%d个隐藏节点的权重"}
	someUnitsText = lang.Text{En: "the weights of the first %d of %d hidden units", Zh: "前%d个隐藏节点的权重（共%d个）"}
	outputsText   = lang.Text{En: "the weights of all outputs (%d)", Zh: "全部%d个输出节点的权重"}
	someOutputs   = lang.Text{En: "the weights of the first %d of %d outputs", Zh: "前%d个输出节点的权重（共%d个）"}
	epochText     = lang.Text{En: "%s after epoch %d", Zh: "%s，第%d次迭代后"}
	cutText       = lang.Text{En: "larger weights than ±%.3g have the colours of the ends", Zh: "绝对值超过%.3g的权重取两端的颜色"}
)

// Figure returns the figure. It is an error if Weights are no images.
func (u Units) Figure() (*Figure, error) {
	size := u.Rows * u.Cols
	if u.Rows < 1 || u.Cols < 1 || len(u.Weights) == 0 || len(u.Weights)%size != 0 {
		return nil, fmt.Errorf("figure: %d weights are no images of %d×%d pixels", len(u.Weights), u.Rows, u.Cols)
	}
	units := len(u.Weights) / size
	drawn := min(units, mostUnits)
	most, cut := u.end(u.Weights[:drawn*size])

	// An image has whole pixels for a weight, or the other way round.
	longer := max(u.Rows, u.Cols)
	zoom, shrink := max(1, (tileSide+longer/2)/longer), (longer+mostSide-1)/mostSide
	rows, cols := (u.Rows+shrink-1)/shrink, (u.Cols+shrink-1)/shrink
	gap := (tileGap + zoom - 1) / zoom // in weights
	across := acrossOf(drawn, float64(cols+gap), float64(rows+gap))
	down := (drawn + across - 1) / across
	m := mosaic{image.NewPaletted(image.Rect(0, 0, across*(cols+gap)-gap, down*(rows+gap)-gap), palette), rows, cols, gap}
	wide, tall := float64(m.Rect.Dx()*zoom)/dots, float64(m.Rect.Dy()*zoom)/dots

	notes := []string{u.note(units, drawn), ""}
	if cut {
		notes[1] = cutText.Format(u.Language, most)
	}
	numbers := measure(fmt.Sprint(across*(down-1)+1), noteSize) + 6
	const bar = 14 // width of the scale
	ticks := linearTicks(scale{lo: -most, hi: most}, 6)
	right := bar + 12 + tickGap + leftOf(ticks) - textSize - 8
	body := numbers + wide + right
	width := math.Ceil(max(body, headWidth(u.Title, notes...)) + 2*margin)
	top := heading(u.Title, notes...)
	for i := range drawn {
		u.tile(m, i/across, i%across, u.Weights[i*size:(i+1)*size], most, shrink)
	}
	return &Figure{
		width: width, height: math.Ceil(top + max(tall, 100) + margin),
		label: described(append([]string{u.Title}, notes...)...),
		draw: func(c canvas) {
			head(c, width, u.Title, notes...)
			// Whole pixels, for images that are sharp.
			left := math.Round(((width-body)/2+numbers)*dots) / dots
			top := math.Round(top*dots) / dots
			c.pixels(left, top, wide, tall, m.Paletted)
			for row := range down {
				y := top + float64((row*(rows+gap)+rows/2)*zoom)/dots
				c.text(label{x: left - 6, y: y + 0.36*noteSize, at: end, size: noteSize, color: noteColor, text: fmt.Sprint(row*across + 1)})
			}
			x := left + wide + 12
			bottom := top + max(tall, 90)
			c.pixels(x, top, bar, bottom-top, colourBar())
			axis := stroke{color: axisColor, width: axisWidth}
			up := scale{lo: -most, hi: most}
			for _, t := range ticks {
				y := bottom - (bottom-top)*up.at(t.value)
				c.line([]point{{x + bar, y}, {x + bar + tickLength, y}}, axis)
				c.text(label{x: x + bar + tickLength + tickGap, y: y + 0.36*textSize, size: textSize, color: textColor, text: t.label})
			}
		},
	}, nil
}

// note says which units are drawn.
func (u Units) note(units, drawn int) string {
	all, some := unitsText, someUnitsText
	if u.Outputs {
		all, some = outputsText, someOutputs
	}
	note := all.Format(u.Language, units)
	if drawn < units {
		note = some.Format(u.Language, drawn, units)
	}
	if u.Epoch > 0 {
		note = epochText.Format(u.Language, note, u.Epoch)
	}
	return note
}

// acrossOf returns in how many columns n tiles stand, for a shape of about 2 to 1.
func acrossOf(n int, w, h float64) int {
	for across := 1; ; across++ {
		down := (n + across - 1) / across
		if across >= n || float64(across)*w >= 1.8*float64(down)*h {
			return across
		}
	}
}

// end returns the weight at the ends of the scale of colours: one that hardly any weight
// exceeds, so that a few large ones do not make all others grey. cut says whether some
// do. Weights that are not finite do not count.
func (u Units) end(weights []float64) (end float64, cut bool) {
	const most = 100_000 // that are sorted
	step := 1 + len(weights)/most
	var sizes []float64
	largest := 0.0
	for i, w := range weights {
		if !finite(w) {
			continue
		}
		if i%step == 0 {
			sizes = append(sizes, math.Abs(w))
		}
		largest = max(largest, math.Abs(w))
	}
	if len(sizes) == 0 {
		return 1, false
	}
	slices.Sort(sizes)
	end = sizes[(len(sizes)-1)*995/1000]
	if end == 0 {
		end = largest
	}
	if end == 0 {
		return 1, false
	}
	return end, largest > end
}

// mosaic is an image with a tile for each unit and gaps between them.
type mosaic struct {
	*image.Paletted
	rows, cols, gap int // of a tile, in pixels
}

// tile draws a unit at its place; each pixel is the mean of shrink × shrink weights, and
// most is the weight at the end of the scale.
func (u Units) tile(m mosaic, row, col int, weights []float64, most float64, shrink int) {
	top, left := row*(m.rows+m.gap), col*(m.cols+m.gap)
	for i := range m.rows {
		for j := range m.cols {
			sum, n := 0.0, 0
			for y := i * shrink; y < min((i+1)*shrink, u.Rows); y++ {
				for x := j * shrink; x < min((j+1)*shrink, u.Cols); x++ {
					sum += weights[y*u.Cols+x]
					n++
				}
			}
			m.Pix[(top+i)*m.Stride+left+j] = shade(sum / float64(n) / most)
		}
	}
}

// shade returns the index in the palette of a value from −1 to 1; NaN has that of 0.
func shade(v float64) uint8 {
	if math.IsNaN(v) {
		v = 0
	}
	return 1 + uint8(math.Round((max(-1, min(v, 1))+1)/2*shades))
}

// shades + 1 is the number of colours of weights in the palette. shades is even, so that
// 0 has a colour of its own.
const shades = 254

// palette has white, for gaps, and the colours of −1 to 1: dark blue, grey, light yellow.
// They diverge from grey, and get lighter all the way, so that the sign can be seen
// without colours.
var palette = func() color.Palette {
	stops := []struct {
		at float64
		c  color.NRGBA
	}{
		{-1, color.NRGBA{R: 0x05, G: 0x1c, B: 0x5c, A: 0xff}},
		{-0.5, color.NRGBA{R: 0x2a, G: 0x5c, B: 0xb8, A: 0xff}},
		{0, color.NRGBA{R: 0x96, G: 0x96, B: 0x96, A: 0xff}},
		{0.5, color.NRGBA{R: 0xf0, G: 0xb0, B: 0x30, A: 0xff}},
		{1, color.NRGBA{R: 0xff, G: 0xf7, B: 0xc4, A: 0xff}},
	}
	p := color.Palette{white}
	for i := range shades + 1 {
		v := 2*float64(i)/shades - 1
		k := 0
		for k < len(stops)-2 && v > stops[k+1].at {
			k++
		}
		a, b := stops[k], stops[k+1]
		p = append(p, blend(a.c, b.c, (v-a.at)/(b.at-a.at)))
	}
	return p
}()

// blend returns a colour between two: a for 0, b for 1.
func blend(a, b color.NRGBA, t float64) color.NRGBA {
	mix := func(x, y uint8) uint8 { return uint8(math.Round(float64(x) + t*(float64(y)-float64(x)))) }
	return color.NRGBA{R: mix(a.R, b.R), G: mix(a.G, b.G), B: mix(a.B, b.B), A: 0xff}
}

// colourBar is the palette from top to bottom.
func colourBar() *image.Paletted {
	m := image.NewPaletted(image.Rect(0, 0, 1, shades+1), palette)
	for i := range m.Pix {
		m.Pix[i] = uint8(shades + 1 - i)
	}
	return m
}
