package figure

import (
	"fmt"
	"image"
	"image/color"
	"math"
	"strconv"

	"trainer/data/lang"
)

// Matrix is what the figure of a confusion matrix shows: how many samples of each class
// the network takes for which class.
type Matrix struct {
	Title    string
	Language lang.Language
	Set      lang.Text              // the set: "the test set"
	Epoch    int                    // after which the network was evaluated; 0: not said
	Counts   [][]int                // [label][answer]; a square
	Samples  int                    // of the set; 0: the sum of Counts
	Name     func(label int) string // of a class; nil: its number
}

// TestSet is the usual set of a Matrix.
var TestSet = lang.Text{En: "the test set", Zh: "测试集"}

var (
	matrixText  = lang.Text{En: "%s: %d of %d right (%.4f)", Zh: "%s：%[3]d个样本中%[2]d个正确（%.4[4]f）"}
	labelText   = lang.Text{En: "label", Zh: "真实标签"}
	answerText  = lang.Text{En: "answer of the network", Zh: "网络的判断"}
	coloursText = lang.Text{En: "blue: right; red: wrong, the darker the more frequent", Zh: "蓝：正确；红：错误，颜色越深越常见"}
)

// The sizes of the matrix, in points.
const (
	matrixSide  = 400 // of all cells together, about
	mostCell    = 36
	leastCell   = 6.0 / dots
	mostName    = 90  // width of the name of a class
	mostClasses = 256 // a label is a byte
	numbered    = 30  // classes with a number in each cell, at most
)

var (
	rightColor = color.NRGBA{R: 0x1f, G: 0x5f, B: 0xb4, A: 0xff}
	wrongColor = color.NRGBA{R: 0xc8, G: 0x1e, B: 0x1e, A: 0xff}
)

// Figure returns the figure, of the first 256 classes. It is an error if Counts is no
// square or is empty.
func (m Matrix) Figure() (*Figure, error) {
	n := len(m.Counts)
	if n > mostClasses {
		counts := make([][]int, mostClasses)
		for label := range counts {
			counts[label] = m.Counts[label][:min(mostClasses, len(m.Counts[label]))]
		}
		m.Counts, n = counts, mostClasses
	}
	sum, right := 0, 0
	for label, row := range m.Counts {
		if len(row) != n {
			return nil, fmt.Errorf("figure: row %d of a confusion matrix of %d classes has %d columns", label, n, len(row))
		}
		for answer, count := range row {
			sum += count
			if label == answer {
				right += count
			}
		}
	}
	if n == 0 {
		return nil, fmt.Errorf("figure: a confusion matrix of no classes")
	}
	samples := max(m.Samples, sum)
	set := m.Set.In(m.Language)
	if m.Epoch > 0 {
		set = epochText.Format(m.Language, set, m.Epoch)
	}
	notes := []string{
		matrixText.Format(m.Language, set, right, samples, float64(right)/float64(max(samples, 1))),
		coloursText.In(m.Language),
	}

	cell := min(mostCell, matrixSide/float64(n))
	cell = max(leastCell, math.Floor(cell*dots)/dots)
	side := cell * float64(n)
	names, widest := m.names()
	every := 1 // class that has its name
	for _, every = range []int{1, 2, 5, 10, 20} {
		if float64(every)*cell >= textSize {
			break
		}
	}
	turned := widest > float64(every)*cell-2 // names of columns stand upright
	bottom := textSize + 4.0
	if turned {
		bottom = widest + 4
	}
	left := widest + 6 + textSize + 8
	width := math.Ceil(max(left+side, headWidth(m.Title, notes...)) + 2*margin)
	top := heading(m.Title, notes...)
	return &Figure{
		width: width, height: math.Ceil(top + side + bottom + textSize + 10 + margin),
		label: described(append([]string{m.Title}, notes...)...),
		draw: func(c canvas) {
			head(c, width, m.Title, notes...)
			x := math.Round(((width-left-side)/2+left)*dots) / dots
			y := math.Round(top*dots) / dots
			m.cells(c, x, y, cell)
			for k := 0; k < n; k += every {
				at := (float64(k) + 0.5) * cell
				c.text(label{x: x - 6, y: y + at + 0.36*textSize, at: end, size: textSize, color: textColor, text: names[k]})
				if turned {
					c.text(label{x: x + at + 0.36*textSize, y: y + side + 6, at: end, up: true, size: textSize, color: textColor, text: names[k]})
				} else {
					c.text(label{x: x + at, y: y + side + textSize + 2, at: middle, size: textSize, color: textColor, text: names[k]})
				}
			}
			c.text(label{x: x - left + textSize, y: y + side/2, at: middle, up: true, size: textSize + 1, color: textColor, text: labelText.In(m.Language)})
			c.text(label{x: x + side/2, y: y + side + bottom + textSize + 6, at: middle, size: textSize + 1, color: textColor, text: answerText.In(m.Language)})
		},
	}, nil
}

// names returns the names of the classes, cut to a width, and the width of the widest.
func (m Matrix) names() (names []string, widest float64) {
	for k := range m.Counts {
		name := strconv.Itoa(k)
		if m.Name != nil {
			name = shorten(m.Name(k), textSize, mostName)
		}
		names = append(names, name)
		widest = max(widest, measure(name, textSize))
	}
	return names, widest
}

// cells draws the cells, with their numbers if there are not too many, and a grid.
func (m Matrix) cells(c canvas, x, y, cell float64) {
	n := len(m.Counts)
	side := cell * float64(n)
	colours, picture := m.colours()
	c.pixels(x, y, side, side, picture)
	if n <= numbered {
		for i := range n + 1 {
			at := float64(i) * cell
			c.line([]point{{x, y + at}, {x + side, y + at}}, stroke{color: gridColor, width: 0.6})
			c.line([]point{{x + at, y}, {x + at, y + side}}, stroke{color: gridColor, width: 0.6})
		}
		widest := 0.0
		for _, row := range m.Counts {
			for _, count := range row {
				widest = max(widest, measure(strconv.Itoa(count), 1))
			}
		}
		size := min(textSize, 0.5*cell, (cell-3)/widest)
		for label, row := range m.Counts {
			for answer, count := range row {
				if count > 0 {
					m.number(c, x+(float64(answer)+0.5)*cell, y+(float64(label)+0.5)*cell, size, count, colours[label][answer])
				}
			}
		}
	}
	c.line([]point{{x, y}, {x + side, y}, {x + side, y + side}, {x, y + side}, {x, y}}, stroke{color: axisColor, width: axisWidth})
}

// number draws the number of a cell.
func (m Matrix) number(c canvas, x, y, size float64, count int, on color.NRGBA) {
	ink := textColor
	if luminance(on) < 0.55 {
		ink = white
	}
	c.text(label{x: x, y: y + 0.36*size, at: middle, size: size, color: ink, text: strconv.Itoa(count)})
}

// luminance returns how light a colour is, from 0 to 1 (Rec. 601).
func luminance(c color.NRGBA) float64 {
	return (0.299*float64(c.R) + 0.587*float64(c.G) + 0.114*float64(c.B)) / 255
}

// colours returns the colours of the cells, also as an image.
func (m Matrix) colours() ([][]color.NRGBA, *image.Paletted) {
	const steps = 100
	var palette color.Palette
	for i := range steps {
		palette = append(palette, blend(white, rightColor, float64(i)/(steps-1)))
	}
	for i := range steps {
		palette = append(palette, blend(white, wrongColor, float64(i)/(steps-1)))
	}
	n := len(m.Counts)
	to := image.NewPaletted(image.Rect(0, 0, n, n), palette)
	all := make([][]color.NRGBA, n)
	shares, worst := m.shares()
	for label, row := range shares {
		all[label] = make([]color.NRGBA, n)
		for answer, share := range row {
			i := int(math.Round(0.8 * share * (steps - 1)))
			if label != answer && share > 0 { // the root shows rare errors too; none is as dark as what is right
				i = steps + int(math.Round(0.55*math.Sqrt(share/worst)*(steps-1)))
			}
			to.Pix[label*to.Stride+answer] = uint8(i)
			all[label][answer] = palette[i].(color.NRGBA)
		}
	}
	return all, to
}

// shares returns the share of each count in its row, and the largest share of an error.
func (m Matrix) shares() (shares [][]float64, worst float64) {
	for label, row := range m.Counts {
		sum := 0
		for _, count := range row {
			sum += count
		}
		of := make([]float64, len(row))
		for answer, count := range row {
			of[answer] = float64(count) / float64(max(sum, 1))
			if label != answer {
				worst = max(worst, of[answer])
			}
		}
		shares = append(shares, of)
	}
	return shares, worst
}
