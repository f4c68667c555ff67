// Package figure draws the figure of the textbook's listing: accuracy over epochs,
// with the training set in red, the test set in blue, a legend and a grid. A
// validation set is orange, and a ring marks the best epoch. The figure has 10×4
// inches. Its formats are SVG and PNG.
//
// The same curve gives the same bytes. The figure omits values that are not finite.
package figure

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Curve is the data of the figure. Element i of Train, Validation and Test is the
// accuracy after epoch i+1, from 0 to 1. They may have different lengths; an empty one
// is not drawn.
type Curve struct {
	Title      string // shown above the figure; cut to 90 characters
	Train      []float64
	Validation []float64
	Test       []float64

	// Best is the epoch whose parameters are the best, counted from 1. It was chosen
	// on the validation set, if there is one, else on the test set, and the legend
	// says so. 0: no epoch is marked.
	Best int
}

// The size of the figure.
const (
	width  = 10 * vg.Inch
	height = 4 * vg.Inch
	dpi    = 150 // resolution of the PNG
)

// fewEpochs is the largest number of epochs for which each epoch has a dot.
const fewEpochs = 20

// manyEpochs is the largest number of epochs for which lines have the full width.
const manyEpochs = 300

var (
	red       = color.RGBA{R: 0xd6, G: 0x27, B: 0x28, A: 0xff}
	orange    = color.RGBA{R: 0xe6, G: 0x8a, B: 0x00, A: 0xff}
	blue      = color.RGBA{R: 0x1f, G: 0x5f, B: 0xb4, A: 0xff}
	textColor = color.Gray{Y: 0x26}
	axisColor = color.Gray{Y: 0x66}
	gridColor = color.Gray{Y: 0xe2}
)

// SVG writes the figure as SVG. Text is written as text, not as outlines. It returns
// an error if c has no finite value.
func SVG(w io.Writer, c Curve) error {
	p, err := newPlot(c)
	if err != nil {
		return err
	}
	canvas := vgsvg.New(width, height)
	canvas.SetColor(color.White)
	canvas.Fill(vg.Rectangle{Max: vg.Point{X: width, Y: height}}.Path())
	drawOn(canvas, p)
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	// Few browsers have Liberation Sans. Arial has the same character widths.
	out := bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:'Liberation Sans',Arial,Helvetica,sans-serif;"))
	_, err = w.Write(out)
	return err
}

// PNG writes the figure as PNG, 1500×600 pixels. It returns an error if c has no
// finite value.
func PNG(w io.Writer, c Curve) error {
	p, err := newPlot(c)
	if err != nil {
		return err
	}
	canvas := vgimg.NewWith(vgimg.UseWH(width, height), vgimg.UseDPI(dpi))
	drawOn(canvas, p)
	b := bufio.NewWriter(w)
	if err := png.Encode(b, canvas.Image()); err != nil {
		return fmt.Errorf("figure: %w", err)
	}
	return b.Flush()
}

// drawOn draws p with a margin on all sides.
func drawOn(canvas vg.CanvasSizer, p *plot.Plot) {
	const margin = vg.Length(10)
	p.Draw(draw.Crop(draw.New(canvas), margin, -2*margin, margin, -margin))
}

func newPlot(c Curve) (*plot.Plot, error) {
	epochs := max(len(c.Train), len(c.Validation), len(c.Test))
	curves := []struct {
		name  string
		xys   plotter.XYs
		color color.Color
	}{{"training", points(c.Train), red}, {"validation", points(c.Validation), orange}, {"test", points(c.Test), blue}}
	var all plotter.XYs
	key := &legend{Legend: plot.NewLegend()}
	for _, s := range curves {
		all = append(all, s.xys...)
		key.curves = append(key.curves, s.xys)
	}
	if len(all) == 0 {
		return nil, errors.New("figure: no accuracy to draw: train for at least one epoch")
	}
	p := plot.New()
	p.BackgroundColor = nil // the canvases are white
	style(p)
	p.Title.Text = shorten(c.Title)
	p.X.Label.Text = "epoch"
	p.Y.Label.Text = "accuracy"

	p.X.Min, p.X.Max = xRange(epochs)
	p.Y.Min, p.Y.Max = yRange(all)
	p.X.Tick.Marker = plot.ConstantTicks(xTicks(epochs))
	p.Y.Tick.Marker = plot.ConstantTicks(yTicks(p.Y.Min, p.Y.Max))

	grid := plotter.NewGrid()
	grid.Horizontal.Color, grid.Vertical.Color = gridColor, gridColor
	grid.Horizontal.Width, grid.Vertical.Width = vg.Points(0.6), vg.Points(0.6)
	p.Add(grid)

	key.TextStyle = p.Legend.TextStyle
	key.TextStyle.Font.Size = vg.Points(11)
	key.Padding = vg.Points(4)
	key.ThumbnailWidth = vg.Points(24)
	key.Left = true
	for _, s := range curves {
		if len(s.xys) == 0 {
			continue
		}
		thumbnails, err := addCurve(p, s.xys, s.color, epochs <= fewEpochs)
		if err != nil {
			return nil, fmt.Errorf("figure: %w", err)
		}
		last := s.xys[len(s.xys)-1]
		key.Add(fmt.Sprintf("%s (%.4f at epoch %.0f)", s.name, last.Y, last.X), thumbnails...)
	}
	judge := curves[2]
	if len(c.Validation) > 0 {
		judge = curves[1]
	}
	if i := slices.IndexFunc(judge.xys, func(at plotter.XY) bool { return at.X == float64(c.Best) }); i >= 0 {
		ring, err := plotter.NewScatter(judge.xys[i : i+1])
		if err != nil {
			return nil, fmt.Errorf("figure: %w", err)
		}
		ring.GlyphStyle = draw.GlyphStyle{Color: textColor, Radius: vg.Points(5), Shape: draw.RingGlyph{}}
		p.Add(ring)
		key.Add(fmt.Sprintf("best: epoch %d (%.4f), chosen on the %s set", c.Best, judge.xys[i].Y, judge.name), ring)
	}
	p.Add(key)
	return p, nil
}

// style sets fonts, colours and spacing.
func style(p *plot.Plot) {
	sans := font.Font{Typeface: "Liberation", Variant: "Sans"}
	p.Title.TextStyle.Font = font.From(sans, vg.Points(14))
	p.Title.TextStyle.Color = textColor
	p.Title.Padding = vg.Points(8)
	p.Legend.TextStyle.Font = font.From(sans, vg.Points(11))
	p.Legend.TextStyle.Color = textColor
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font = font.From(sans, vg.Points(12))
		a.Label.TextStyle.Color = textColor
		a.Label.Padding = vg.Points(4)
		a.Tick.Label.Font = font.From(sans, vg.Points(11))
		a.Tick.Label.Color = textColor
		a.Tick.Color = axisColor
		a.Tick.Length = vg.Points(4)
		a.Color = axisColor
		a.Width = vg.Points(0.8)
		a.Padding = 0
	}
}

// addCurve adds a curve to p. It draws a dot at each epoch if dots is set, or if the
// curve has a single point and so no line. It returns the thumbnails for the legend.
func addCurve(p *plot.Plot, xys plotter.XYs, c color.Color, dots bool) ([]plot.Thumbnailer, error) {
	line, err := plotter.NewLine(xys)
	if err != nil {
		return nil, err
	}
	line.Color = c
	line.Width = vg.Points(1.8)
	if len(xys) > manyEpochs {
		line.Width = vg.Points(1)
	}
	p.Add(line)
	thumbnails := []plot.Thumbnailer{line}
	if dots || len(xys) == 1 {
		scatter, err := plotter.NewScatter(xys)
		if err != nil {
			return nil, err
		}
		scatter.GlyphStyle = draw.GlyphStyle{Color: c, Radius: vg.Points(3), Shape: draw.CircleGlyph{}}
		p.Add(scatter)
		thumbnails = append(thumbnails, scatter)
	}
	return thumbnails, nil
}

// shorten cuts a title to the width of the figure.
func shorten(title string) string {
	const limit = 90
	if r := []rune(title); len(r) > limit {
		return string(r[:limit-1]) + "…"
	}
	return title
}

// points returns the points (epoch, accuracy) with a finite accuracy.
func points(accuracy []float64) plotter.XYs {
	var xys plotter.XYs
	for i, a := range accuracy {
		if !math.IsNaN(a) && !math.IsInf(a, 0) {
			xys = append(xys, plotter.XY{X: float64(i + 1), Y: a})
		}
	}
	return xys
}
