package figure

import (
	"errors"
	"image/color"
	"math"
	"slices"
	"strings"

	"trainer/data/lang"
)

// Sweep is what the figure of a sweep shows: the accuracy of all runs over the epochs,
// and how the accuracy depends on the keys that were swept. Of one key it shows the mean
// and the spread over the seeds, of two keys a heat map, and of more the results against
// each of them.
type Sweep struct {
	Title    string // above the figure, cut to its width
	Note     string // below the title
	Language lang.Language
	Set      lang.Text // on which the accuracies are: "validation"
	Keys     []SweptKey
	Curves   []SweptRun
	Points   []SweptPoint
	Best     int // index of the best point; -1: there is none
}

// SweptKey is a key with its values, in the order of the figure.
type SweptKey struct {
	Name    string
	Labels  []string
	Numbers []float64 // of the values; nil if they are no numbers
}

// SweptRun is a run: its accuracies after each epoch, and its point.
type SweptRun struct {
	Accuracy []float64
	Point    int
}

// SweptPoint is a combination of values: the index of each, and the accuracies of the
// best epochs of its runs.
type SweptPoint struct {
	Values     []int
	Accuracies []float64
}

var (
	sweptAccuracyText = lang.Text{En: "%s accuracy", Zh: "%s准确率"}
	sweptBestText     = lang.Text{En: "best epoch: %s accuracy", Zh: "最佳一轮的%s准确率"}
	sweptLogText      = lang.Text{En: "%s (logarithmic)", Zh: "%s（对数坐标）"}
	sweptSpreadText   = lang.Text{En: "● mean over the seeds, bars: ± standard deviation, · runs", Zh: "● 各种子的平均，竖线：±标准差，· 单次训练"}
	sweptDotsText     = lang.Text{En: "○ the best combination", Zh: "○ 最好的组合"}
	sweptCellText     = lang.Text{En: "mean over the seeds; framed: the best", Zh: "各种子的平均；加框：最好的"}
)

// ValidationSet and TestOnlySet are the words of Sweep.Set.
var (
	ValidationSet = lang.Text{En: "validation", Zh: "验证"}
	TestOnlySet   = lang.Text{En: "test", Zh: "测试"}
)

// mostKeys is the largest number of keys that have a panel each.
const mostKeys = 7

// sweptRow is the height of a row of panels, in points.
const sweptRow = panelHeight + below + 26

// Mean returns the mean of the accuracies and their standard deviation, 0 of one. Of none
// both are NaN.
func (p SweptPoint) Mean() (mean, sd float64) {
	n := float64(len(p.Accuracies))
	if n == 0 {
		return math.NaN(), math.NaN()
	}
	for _, v := range p.Accuracies {
		mean += v / n
	}
	if n == 1 {
		return mean, 0
	}
	for _, v := range p.Accuracies {
		sd += (v - mean) * (v - mean) / (n - 1)
	}
	return mean, math.Sqrt(sd)
}

// Figure returns the figure. It is an error if no run has a finite accuracy.
func (s Sweep) Figure() (*Figure, error) {
	var all []float64
	for _, r := range s.Curves {
		for _, v := range r.Accuracy {
			if finite(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) == 0 {
		return nil, errors.New("figure: no accuracy to draw: train for at least one epoch")
	}
	up := accuracyScale(all)
	type part func(c canvas, x, y, width float64)
	parts := []part{func(c canvas, x, y, width float64) { s.curves(c, x, y, width, up) }}
	notes := []string{s.Note}
	switch keys := s.Keys[:min(len(s.Keys), mostKeys)]; {
	case len(keys) == 2 && s.IsGrid():
		parts = append(parts, s.heat)
		notes = append(notes, sweptCellText.In(s.Language))
	case len(keys) == 1:
		parts = append(parts, func(c canvas, x, y, width float64) { s.against(c, 0, x, y, width) })
		notes = append(notes, sweptSpreadText.In(s.Language))
	default:
		for k := range keys {
			parts = append(parts, func(c canvas, x, y, width float64) { s.against(c, k, x, y, width) })
		}
		if len(keys) > 0 {
			notes = append(notes, sweptDotsText.In(s.Language))
		}
	}
	top := heading(s.Title, notes...)
	rows := (len(parts) + 1) / 2
	return &Figure{
		width: trainingWidth, height: math.Ceil(top + float64(rows)*sweptRow - 26 + margin),
		label: described(append([]string{s.Title}, notes...)...),
		draw: func(c canvas) {
			head(c, trainingWidth, s.Title, notes...)
			const gap = 24.0
			width := (trainingWidth - 2*margin - gap) / 2
			for i, draw := range parts {
				draw(c, margin+float64(i%2)*(width+gap), top+float64(i/2)*sweptRow, width)
			}
		},
	}, nil
}

// IsGrid reports whether the points are a grid of two keys, of which there are not too
// many values for a heat map.
func (s Sweep) IsGrid() bool {
	rows, columns := len(s.Keys[0].Labels), len(s.Keys[1].Labels)
	return rows*columns == len(s.Points) && max(rows, columns) <= 40
}

// Group returns the value of the first key of a run, by which curves are told apart.
func (s Sweep) Group(r SweptRun) int {
	if len(s.Keys) == 0 || r.Point < 0 {
		return 0
	}
	return s.Points[r.Point].Values[0]
}

// top returns the highest accuracy of a run, −∞ if it has none.
func (r SweptRun) top() float64 {
	best := math.Inf(-1)
	for _, v := range r.Accuracy {
		if finite(v) {
			best = max(best, v)
		}
	}
	return best
}

// Strongest returns the run with the highest accuracy of each group.
func (s Sweep) Strongest() map[int]int {
	strong := map[int]int{}
	for i, r := range s.Curves {
		g := s.Group(r)
		if old, ok := strong[g]; !math.IsInf(r.top(), -1) && (!ok || r.top() > s.Curves[old].top()) {
			strong[g] = i
		}
	}
	return strong
}

// curves draws the accuracies of all runs over the epochs. Of the runs with the same
// value of the first key, the best one is strong and has a label.
func (s Sweep) curves(c canvas, x, y, width float64, up scale) {
	epochs := 1
	for _, r := range s.Curves {
		epochs = max(epochs, len(r.Accuracy))
	}
	strong := s.Strongest()
	few := len(strong) <= mostOverlaid
	var groups []int
	for g := range strong {
		groups = append(groups, g)
	}
	slices.Sort(groups)
	right := 0.0
	label := func(g int) string {
		if len(s.Keys) == 0 {
			return fourDigits(s.Curves[strong[g]].top())
		}
		return shorten(s.Keys[0].Labels[g], textSize, overlayNameWidth)
	}
	if few {
		for _, g := range groups {
			right = max(right, measure(label(g), textSize))
		}
	}
	ticks := accuracyTicks(up)
	left := leftOf(ticks)
	p := panel{x: x + left, y: y, h: panelHeight, across: epochScale(epochs), up: up}
	p.w = width - left - leader - right
	if few && len(s.Keys) > 0 {
		c.text(keyLabel(p.x+p.w+leader, y+p.h+0.36*textSize, s.firstKey()))
	}
	p.axes(c, epochTicks(epochs, 8), ticks, left, epochsText.In(s.Language), sweptAccuracyText.Format(s.Language, s.Set))
	style := func(g int) (color.NRGBA, []float64) {
		return overlayColors[g%len(overlayColors)], overlayDashes[g/len(overlayColors)%len(overlayDashes)]
	}
	for i, r := range s.Curves {
		g := s.Group(r)
		if few && strong[g] == i {
			continue
		}
		shade, dash := style(g)
		if path := thin(p.path(r.Accuracy), 2); len(path) == 1 {
			c.dot(path[0], 1.5, pale(shade))
		} else if len(path) > 1 {
			c.line(path, stroke{color: pale(shade), width: 0.7, dash: dash})
		}
	}
	if !few {
		return
	}
	var ends []ending
	for _, g := range groups {
		shade, dash := style(g)
		all := p.path(s.Curves[strong[g]].Accuracy)
		if path := thin(all, 0.5); len(path) > 1 {
			c.line(path, stroke{color: shade, width: 1.6, dash: dash})
		}
		if epochs <= fewEpochs {
			for _, at := range all {
				c.dot(at, 2.4, shade)
			}
		}
		ends = append(ends, ending{from: all[len(all)-1], color: shade, dash: dash, text: label(g)})
	}
	p.endings(c, ends)
}

func (s Sweep) firstKey() string {
	if len(s.Keys) == 0 {
		return ""
	}
	return ShortKey(s.Keys[0].Name)
}

// keyLabel is the small label below the names of the curves.
func keyLabel(x, y float64, text string) label {
	return label{x: x, y: y, size: noteSize, color: noteColor, text: shorten(text, noteSize, overlayNameWidth)}
}

// ShortKey returns a key without its outermost group: rate.initial for
// train.rate.initial.
func ShortKey(key string) string {
	_, rest, ok := strings.Cut(key, ".")
	if !ok {
		return key
	}
	return rest
}

// IsLog reports whether numbers are better shown on a logarithmic axis: they are above
// 0, span a factor of ten or more, and are not equally spaced.
func IsLog(numbers []float64) bool {
	if len(numbers) < 2 || slices.Min(numbers) <= 0 {
		return false
	}
	sorted := slices.Sorted(slices.Values(numbers))
	if sorted[len(sorted)-1] < 10*sorted[0] {
		return false
	}
	first := sorted[1] - sorted[0]
	for i := 2; i < len(sorted); i++ {
		if d := sorted[i] - sorted[i-1]; math.Abs(d-first) > 0.01*first {
			return true
		}
	}
	return len(sorted) == 2
}

// axis returns the axis of a key: where each of its values is, and the ticks.
func (k SweptKey) axis(width float64) (across scale, places []float64, ticks []tick) {
	places = k.Numbers
	if places == nil {
		for i := range k.Labels {
			places = append(places, float64(i))
		}
	}
	lo, hi := slices.Min(places), slices.Max(places)
	if across.log = k.Numbers != nil && IsLog(places); across.log {
		around := math.Pow(hi/lo, 0.06)
		across.lo, across.hi = lo/around, hi*around
	} else {
		around := 0.06 * (hi - lo)
		if hi == lo {
			around = max(0.5*math.Abs(hi), 0.5)
		}
		across.lo, across.hi = lo-around, hi+around
	}
	// The values themselves, if their labels have room.
	room := true
	var sorted []int
	for i := range places {
		sorted = append(sorted, i)
	}
	slices.SortFunc(sorted, func(a, b int) int {
		if places[a] < places[b] {
			return -1
		}
		return 1
	})
	end := math.Inf(-1)
	for _, i := range sorted {
		half := measure(k.short(i), textSize)/2 + 2
		at := width * across.at(places[i])
		room = room && at-half >= end
		end = at + half
		ticks = append(ticks, tick{places[i], k.short(i)})
	}
	switch {
	case room:
	case k.Numbers == nil: // every so many
		for step := 2; !room && step <= len(sorted); step++ {
			ticks, room, end = nil, true, math.Inf(-1)
			for i := 0; i < len(sorted); i += step {
				half := measure(k.short(i), textSize)/2 + 2
				at := width * across.at(places[i])
				room = room && at-half >= end
				end = at + half
				ticks = append(ticks, tick{places[i], k.short(i)})
			}
		}
	case across.log:
		ticks = costTicks(across)
	default:
		ticks = linearTicks(across, 6)
	}
	return across, places, ticks
}

// KeyTick is a tick of the axis of a key, at a place from 0 to 1.
type KeyTick struct {
	At    float64
	Label string
}

// Places returns where each value of the key is on an axis of the given width in points, from 0 to
// 1, the ticks of the axis, and whether it is logarithmic.
func (k SweptKey) Places(width float64) (places []float64, ticks []KeyTick, log bool) {
	across, values, at := k.axis(width)
	for _, v := range values {
		places = append(places, across.at(v))
	}
	for _, t := range at {
		ticks = append(ticks, KeyTick{across.at(t.value), t.label})
	}
	return places, ticks, across.log
}

// short returns the label of a value, cut.
func (k SweptKey) short(i int) string {
	text := k.Labels[i]
	if k.Numbers != nil {
		text = minus(text)
	}
	return shorten(text, textSize, overlayNameWidth)
}

// against draws the results against a key: of a single key with the mean and the spread.
func (s Sweep) against(c canvas, key int, x, y, width float64) {
	k := s.Keys[key]
	var all []float64
	for _, p := range s.Points {
		for _, v := range p.Accuracies {
			if finite(v) {
				all = append(all, v)
			}
		}
	}
	if len(all) == 0 {
		return
	}
	up := accuracyScale(all)
	upTicks := accuracyTicks(up)
	left := leftOf(upTicks)
	right := 8.0 // for half of the last label
	for i := range k.Labels {
		right = max(right, measure(k.short(i), textSize)/2-8)
	}
	p := panel{x: x + left, y: y, w: width - left - right, h: panelHeight, up: up}
	across, places, ticks := k.axis(p.w)
	p.across = across
	name := k.Name
	if across.log {
		name = sweptLogText.Format(s.Language, name)
	}
	p.axes(c, ticks, upTicks, left, name, sweptBestText.Format(s.Language, s.Set))
	at := func(value int, v float64) point {
		return point{p.x + p.w*across.at(places[value]), p.y + p.h*(1-up.at(v))}
	}
	single := len(s.Keys) == 1
	var means []point
	order := slices.Clone(s.Points)
	slices.SortStableFunc(order, func(a, b SweptPoint) int {
		if places[a.Values[key]] < places[b.Values[key]] {
			return -1
		}
		if places[a.Values[key]] > places[b.Values[key]] {
			return 1
		}
		return 0
	})
	for _, o := range order {
		if len(o.Accuracies) == 0 {
			continue
		}
		v := o.Values[key]
		mean, sd := o.Mean()
		centre := at(v, mean)
		if !single {
			c.dot(centre, 2.4, blue)
			continue
		}
		means = append(means, centre)
		for _, a := range o.Accuracies {
			if len(o.Accuracies) > 1 {
				c.dot(at(v, a), 1.6, pale(blue))
			}
		}
		if sd > 0 {
			low, high := at(v, max(mean-sd, up.lo)), at(v, min(mean+sd, up.hi))
			bar := stroke{color: blue, width: 1}
			c.line([]point{low, high}, bar)
			for _, end := range []point{low, high} {
				c.line([]point{{end.x - 3, end.y}, {end.x + 3, end.y}}, bar)
			}
		}
	}
	if single && k.Numbers != nil && len(means) > 1 {
		c.line(means, stroke{color: blue, width: 1.4})
	}
	for _, m := range means {
		c.dot(m, 3, blue)
	}
	if s.Best >= 0 && len(s.Points[s.Best].Accuracies) > 0 {
		mean, _ := s.Points[s.Best].Mean()
		c.ring(at(s.Points[s.Best].Values[key], mean), 5.5, stroke{color: textColor, width: 1})
	}
}

// heat draws the heat map of two keys.
func (s Sweep) heat(c canvas, x, y, width float64) {
	rowKey, columnKey := 0, 1
	widest := func(k SweptKey) (w float64) {
		for i := range k.Labels {
			w = max(w, measure(k.short(i), textSize))
		}
		return w
	}
	if widest(s.Keys[columnKey]) > widest(s.Keys[rowKey]) {
		rowKey, columnKey = 1, 0
	}
	rows, columns := s.Keys[rowKey], s.Keys[columnKey]
	left := widest(rows) + 6 + textSize + 8
	side := width - left - 8
	w, h := side/float64(len(columns.Labels)), panelHeight/float64(len(rows.Labels))
	lo, hi := math.Inf(1), math.Inf(-1)
	means := make([]float64, len(s.Points))
	for i, p := range s.Points {
		if means[i], _ = p.Mean(); finite(means[i]) {
			lo, hi = min(lo, means[i]), max(hi, means[i])
		}
	}
	size := min(textSize, 0.5*h, textSize*(w-4)/measure("0.0000", textSize))
	var frame *point
	for i, p := range s.Points {
		at := point{x + left + float64(p.Values[columnKey])*w, y + float64(p.Values[rowKey])*h}
		shade := white
		text := "–"
		if finite(means[i]) {
			t := 1.0
			if hi > lo {
				t = (means[i] - lo) / (hi - lo)
			}
			shade = blend(white, rightColor, 0.06+0.86*t)
			text = fourDigits(means[i])
		}
		c.rect(at.x, at.y, w, h, shade)
		if size >= 5 {
			ink := textColor
			if luminance(shade) < 0.55 {
				ink = white
			}
			c.text(label{x: at.x + w/2, y: at.y + h/2 + 0.36*size, at: middle, size: size, color: ink, text: text})
		}
		if i == s.Best {
			frame = &at
		}
	}
	if frame != nil {
		f := *frame
		c.line([]point{{f.x + 1, f.y + 1}, {f.x + w - 1, f.y + 1}, {f.x + w - 1, f.y + h - 1}, {f.x + 1, f.y + h - 1}, {f.x + 1, f.y + 1}}, stroke{color: red, width: 2})
	}
	every := func(n int, room float64) int {
		step := 1
		for float64(step)*room < textSize {
			step++
		}
		return min(step, n)
	}
	for i := 0; i < len(rows.Labels); i += every(len(rows.Labels), h) {
		c.text(label{x: x + left - 6, y: y + (float64(i)+0.5)*h + 0.36*textSize, at: end, size: textSize, color: textColor, text: rows.short(i)})
	}
	step := 1
	for widest(columns)+4 > float64(step)*w && step < len(columns.Labels) {
		step++
	}
	for i := 0; i < len(columns.Labels); i += step {
		if (float64(i)+0.5)*w+measure(columns.short(i), textSize)/2 > side+8 {
			continue
		}
		c.text(label{x: x + left + (float64(i)+0.5)*w, y: y + panelHeight + textSize + 2, at: middle, size: textSize, color: textColor, text: columns.short(i)})
	}
	c.text(label{x: x + textSize, y: y + panelHeight/2, at: middle, up: true, size: textSize + 1, color: textColor, text: rows.Name})
	c.text(label{x: x + left + side/2, y: y + panelHeight + below - 3, at: middle, size: textSize + 1, color: textColor, text: columns.Name})
	c.line([]point{{x + left, y}, {x + left + side, y}, {x + left + side, y + panelHeight}, {x + left, y + panelHeight}, {x + left, y}}, stroke{color: axisColor, width: axisWidth})
}
