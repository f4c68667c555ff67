package figure

import (
	"errors"
	"image/color"
	"math"
	"strconv"

	"trainer/data/lang"
)

// Overlay is what the figure of a comparison shows: the accuracy and the cost of several
// trainings on the test set over the epochs, each in its own colour and dashes, with its
// name at its end.
type Overlay struct {
	Title    string // above the figure, cut to its width
	Language lang.Language
	Curves   []Overlaid
}

// Overlaid is the curves of a training. Element i of each is the value after epoch i+1;
// values that are not finite are not drawn.
type Overlaid struct {
	Name     string // its end, if it is long: there the names of run folders differ
	Accuracy []float64
	Cost     []float64
}

var (
	testAccuracyText = lang.Text{En: "test accuracy", Zh: "测试准确率"}
	testCostText     = lang.Text{En: "test cost", Zh: "测试代价"}
	testLogCostText  = lang.Text{En: "test cost (logarithmic)", Zh: "测试代价（对数坐标）"}
	someCurvesText   = lang.Text{En: "%[1]d runs, of which %[2]d are drawn", Zh: "共%d次独立训练，画出其中%d次"}
)

// mostOverlaid is the largest number of curves whose names have room beside a panel.
const mostOverlaid = 15

// overlayNameWidth is the room of a name, in points.
const overlayNameWidth = 100

// overlayColors differ also for most who see few colours, and in how dark they are.
// After the last one, they begin again with other dashes.
var (
	overlayColors = []color.NRGBA{blue, red, {R: 0x1b, G: 0x7f, B: 0x4d, A: 0xff}, orange, {R: 0x7b, G: 0x3f, B: 0xa0, A: 0xff}}
	overlayDashes = [][]float64{nil, {5, 2.5}, {6, 2, 1.5, 2}}
)

// Figure returns the figure. It is an error if no curve has a finite accuracy.
func (o Overlay) Figure() (*Figure, error) {
	curves := o.Curves[:min(len(o.Curves), mostOverlaid)]
	accuracy := func(c Overlaid) []float64 { return c.Accuracy }
	cost := func(c Overlaid) []float64 { return c.Cost }
	accuracies, costs := finiteOf(curves, accuracy), finiteOf(curves, cost)
	if len(accuracies) == 0 {
		return nil, errors.New("figure: no accuracy to draw: train for at least one epoch")
	}
	note := ""
	if len(curves) < len(o.Curves) {
		note = someCurvesText.Format(o.Language, len(o.Curves), len(curves))
	}
	top := heading(o.Title, note)
	return &Figure{
		width: trainingWidth, height: math.Ceil(top + panelHeight + below + margin),
		label: described(o.Title, note),
		draw: func(c canvas) {
			head(c, trainingWidth, o.Title, note)
			const gap = 24.0
			width := (trainingWidth - 2*margin - gap) / 2
			up := accuracyScale(accuracies)
			o.panel(c, curves, accuracy, frame{x: margin, y: top, width: width, up: up, ticks: accuracyTicks(up), name: testAccuracyText})
			if len(costs) == 0 {
				return
			}
			up = costScale(costs)
			f := frame{x: margin + width + gap, y: top, width: width, up: up, ticks: costTicks(up), name: testCostText}
			if up.log {
				f.name = testLogCostText
			}
			o.panel(c, curves, cost, f)
		},
	}, nil
}

// finiteOf returns the finite values of some curves.
func finiteOf(curves []Overlaid, of func(Overlaid) []float64) (all []float64) {
	for _, c := range curves {
		for _, v := range of(c) {
			if finite(v) {
				all = append(all, v)
			}
		}
	}
	return all
}

// panel draws the curves in a panel.
func (o Overlay) panel(c canvas, curves []Overlaid, of func(Overlaid) []float64, f frame) {
	epochs, right := 1, 0.0
	names := make([]string, len(curves))
	for i, curve := range curves {
		values := of(curve)
		last := lastFinite(values)
		if last < 0 {
			continue
		}
		names[i] = nameEnd(curve.Name) + " " + fourDigits(values[last])
		epochs = max(epochs, len(values))
		right = max(right, measure(names[i], textSize))
	}
	left := leftOf(f.ticks)
	p := panel{x: f.x + left, y: f.y, h: panelHeight, across: epochScale(epochs), up: f.up}
	p.w = f.width - left - leader - right
	widest := measure(strconv.Itoa(epochs), textSize) + 8
	p.axes(c, epochTicks(epochs, max(2, min(10, int(p.w/widest)-1))), f.ticks, left, epochsText.In(o.Language), f.name.In(o.Language))
	var ends []ending
	for i, curve := range curves {
		all := p.path(of(curve))
		if len(all) == 0 {
			continue
		}
		shade, dash := overlayColors[i%len(overlayColors)], overlayDashes[i/len(overlayColors)%len(overlayDashes)]
		if path := thin(all, 0.5); len(path) > 1 {
			c.line(path, stroke{color: shade, width: 1.5, dash: dash})
		}
		if epochs <= fewEpochs {
			for _, at := range all {
				c.dot(at, 2.6, shade)
			}
		}
		ends = append(ends, ending{from: all[len(all)-1], color: shade, dash: dash, text: names[i]})
	}
	p.endings(c, ends)
}

// nameEnd returns a name, or as much of its end as has room.
func nameEnd(name string) string {
	runes := []rune(clean(name))
	runes = runes[max(0, len(runes)-overlayNameWidth):] // no character is narrower than a point
	for cut := string(runes); ; cut = "…" + string(runes) {
		if measure(cut, textSize) <= overlayNameWidth || len(runes) == 0 {
			return cut
		}
		runes = runes[1:]
	}
}
