// Package describe shows what is in a data set: how many images of which class,
// the range of the values, and samples, as text and as an image.
package describe

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"trainer/data"
	"trainer/data/lang"
	"trainer/train/terminal"
)

// Report is what there is to say about a data set.
type Report struct {
	Name    string     `json:"name"`
	Source  string     `json:"source"`
	Rows    int        `json:"rows"` // of an image, in pixels
	Cols    int        `json:"cols"`
	Values  [2]float64 `json:"values"`  // of the files, the lowest and the highest
	Inputs  [2]float64 `json:"inputs"`  // that they become
	Targets [2]float64 `json:"targets"` // of other classes, and of the label's
	Sets    []Set      `json:"sets"`
	Classes []string   `json:"classes"`
	Notes   []Note     `json:"notes"`

	shown *data.Set
}

// Set is the training, validation or test set.
type Set struct {
	Name   string `json:"name"` // "training", "validation" or "test"
	Images int    `json:"images"`
	Counts []int  `json:"counts"` // of each class
}

// Note is a data.Note.
type Note struct {
	Warning bool      `json:"warning"`
	Text    lang.Text `json:"text"`
	Framed  bool      `json:"-"`
}

// New describes a data set.
func New(d *data.Dataset, notes []data.Note) Report {
	s := d.Test
	if d.Train != nil {
		s = d.Train
	}
	inputs, targets := s.Scale.InputRange(), s.Scale.TargetRange()
	r := Report{
		Name: d.Name, Source: d.Source, Rows: s.Rows, Cols: s.Cols,
		Values: [2]float64{d.Values.Low, d.Values.High}, Inputs: [2]float64{inputs.Low, inputs.High}, Targets: [2]float64{targets.Low, targets.High},
		shown: s,
	}
	for _, part := range []struct {
		name string
		set  *data.Set
	}{{training, d.Train}, {validation, d.Validation}, {test, d.Test}} {
		if part.set != nil {
			r.Sets = append(r.Sets, Set{part.name, part.set.Len(), part.set.Counts()})
		}
	}
	for k := range s.Classes {
		r.Classes = append(r.Classes, s.ClassName(k))
	}
	for _, n := range notes {
		r.Notes = append(r.Notes, Note(n))
	}
	return r
}

// What Text says beside the numbers.
var (
	dataText    = lang.Text{En: "data", Zh: "数据"}
	fromText    = lang.Text{En: "%s, from %s", Zh: "%s，来自 %s"}
	imagesText  = lang.Text{En: "images", Zh: "图像"}
	pixelsText  = lang.Text{En: "%s, %d×%d pixels: %d inputs", Zh: "%s，%d×%d 像素：%d 个输入"}
	valuesText  = lang.Text{En: "values", Zh: "取值"}
	rangesText  = lang.Text{En: "%g to %g, as inputs %g to %g", Zh: "%g 至 %g，作为输入为 %g 至 %g"}
	classesText = lang.Text{En: "classes", Zh: "类别"}
	targetsText = lang.Text{En: "%d, with targets %g and %g", Zh: "%d 个，目标值为 %g 和 %g"}
	classText   = lang.Text{En: "class", Zh: "类别"}
	noteText    = lang.Text{En: "note", Zh: "提示"}
	warningText = lang.Text{En: "warning", Zh: "警告"}
	kindText    = lang.Text{En: "%s: %s", Zh: "%s：%s"}
)

// The names of the sets in JSON.
const (
	training   = "training"
	validation = "validation"
	test       = "test"
)

// setTexts are the names of the sets.
var setTexts = map[string]lang.Text{
	training:   {En: "training", Zh: "训练集"},
	validation: {En: "validation", Zh: "验证集"},
	test:       {En: "test", Zh: "测试集"},
}

// Text writes the report in a language, and samples as blocks of half a line.
func (r Report) Text(w io.Writer, l lang.Language) error {
	name := terminal.Line(r.Name)
	if r.Source != r.Name {
		name = fromText.Format(l, name, terminal.Line(r.Source))
	}
	lines := append(terminal.Pairs([][2]string{
		{dataText.In(l), name},
		{imagesText.In(l), pixelsText.Format(l, r.sizes(l), r.Rows, r.Cols, r.Rows*r.Cols)},
		{valuesText.In(l), rangesText.Format(l, r.Values[0], r.Values[1], r.Inputs[0], r.Inputs[1])},
		{classesText.In(l), targetsText.Format(l, len(r.Classes), r.Targets[0], r.Targets[1])},
	}), "")
	lines = append(append(lines, r.table(l)...), "")
	for _, n := range r.Notes {
		lines = append(lines, n.Line(l))
	}
	if _, err := io.WriteString(w, strings.Join(lines, "\n")+"\n"); err != nil {
		return err
	}
	return Blocks(w, r.shown)
}

// Line returns the note as a line for a terminal, or several for one with a frame.
func (n Note) Line(l lang.Language) string {
	kind := noteText
	if n.Warning {
		kind = warningText
	}
	line := kindText.Format(l, kind, n.Text)
	if n.Framed {
		return terminal.Printable(line)
	}
	return terminal.Line(line)
}

// sizes returns "60000 training, 10000 test".
func (r Report) sizes(l lang.Language) string {
	var list []string
	for _, s := range r.Sets {
		list = append(list, fmt.Sprintf("%d %s", s.Images, setTexts[s.Name].In(l)))
	}
	return strings.Join(list, ", ")
}

// table returns how many images of each class there are.
func (r Report) table(l lang.Language) []string {
	rows := [][]string{{classText.In(l)}}
	for _, s := range r.Sets {
		rows[0] = append(rows[0], setTexts[s.Name].In(l))
	}
	for k, name := range r.Classes {
		row := []string{terminal.Line(name)}
		for _, s := range r.Sets {
			row = append(row, strconv.Itoa(s.Counts[k]))
		}
		rows = append(rows, row)
	}
	return terminal.Table(rows)
}

// The samples of Blocks.
const (
	screenWidth = 80 // characters
	sampleWidth = 16 // characters of a sample, at most
	mostClasses = 62 // of which there is a sample
)

// Blocks writes the first image of each class, reduced to a few lines of blocks.
// A pixel above a third of the range is ink.
func Blocks(w io.Writer, s *data.Set) error {
	factor := (s.Cols + sampleWidth - 1) / sampleWidth
	width, height := (s.Cols+factor-1)/factor, (s.Rows+factor-1)/factor
	firsts := firstOfEach(s, 1)
	var images []int
	for _, of := range firsts[:min(len(firsts), mostClasses)] {
		images = append(images, of...)
	}
	for across := range slices.Chunk(images, max(1, screenWidth/(width+2))) {
		lines := make([]strings.Builder, 1+(height+1)/2)
		for _, i := range across {
			name := []rune(s.ClassName(int(s.Labels[i])))
			lines[0].WriteString(pad(string(name[:min(len(name), width)]), width+2))
			ink := reduce(s, i, factor)
			for y := 0; y < height; y += 2 {
				var row strings.Builder
				for x := range width {
					top, bottom := ink(x, y), y+1 < height && ink(x, y+1)
					row.WriteString(block[top][bottom])
				}
				lines[1+y/2].WriteString(pad(row.String(), width+2))
			}
		}
		for i := range lines {
			if _, err := fmt.Fprintln(w, strings.TrimRight(lines[i].String(), " ")); err != nil {
				return err
			}
		}
	}
	return nil
}

// block has a character for two pixels: [top][bottom].
var block = map[bool]map[bool]string{
	false: {false: " ", true: "▄"},
	true:  {false: "▀", true: "█"},
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// reduce returns whether there is ink in a square of factor×factor pixels of an
// image.
func reduce(s *data.Set, i, factor int) func(x, y int) bool {
	return func(x, y int) bool {
		sum, n := 0.0, 0
		for yy := y * factor; yy < min((y+1)*factor, s.Rows); yy++ {
			for xx := x * factor; xx < min((x+1)*factor, s.Cols); xx++ {
				sum += brightness(s, s.Image(i)[yy*s.Cols+xx])
				n++
			}
		}
		return sum > float64(n)/3
	}
}

// brightness returns where in the range of the set's pixels p is, from 0 to 1.
func brightness(s *data.Set, p uint8) float64 {
	low, high := 0.0, 255.0
	if r := s.Scale.Pixels; r != (data.Range{}) {
		low, high = r.Low, r.High
	}
	return min(max((float64(p)-low)/(high-low), 0), 1)
}

// firstOfEach returns the first few images of each class that has some.
func firstOfEach(s *data.Set, few int) (images [][]int) {
	of := make([][]int, s.Classes)
	for i, label := range s.Labels {
		if len(of[label]) < few {
			of[label] = append(of[label], i)
		}
	}
	return slices.DeleteFunc(of, func(images []int) bool { return len(images) == 0 })
}

// The sheet of Sheet.
const (
	sheetColumns = 16   // samples of a class
	sheetSample  = 56   // pixels that a sample is wide, about
	sheetMost    = 4096 // pixels of the sheet, on a side, about
	sheetGap     = 2    // pixels
)

// Sheet returns an image with a row of samples for each class, in the order of
// the classes that have some.
func Sheet(s *data.Set) image.Image {
	rows := firstOfEach(s, sheetColumns)
	columns := 0
	for _, r := range rows {
		columns = max(columns, len(r))
	}
	zoom := max(1, sheetSample/max(s.Rows, s.Cols))
	width, height := zoom*s.Cols+sheetGap, zoom*s.Rows+sheetGap
	columns = max(1, min(columns, sheetMost/width))
	rows = rows[:min(len(rows), max(1, sheetMost/height))]
	sheet := image.NewGray(image.Rect(0, 0, columns*width+sheetGap, len(rows)*height+sheetGap))
	draw.Draw(sheet, sheet.Rect, image.NewUniform(color.Gray{96}), image.Point{}, draw.Src)
	for r, images := range rows {
		for c, i := range images[:min(len(images), columns)] {
			for y := range zoom * s.Rows {
				for x := range zoom * s.Cols {
					p := s.Image(i)[y/zoom*s.Cols+x/zoom]
					sheet.SetGray(sheetGap+c*width+x, sheetGap+r*height+y, color.Gray{uint8(255*brightness(s, p) + 0.5)})
				}
			}
		}
	}
	return sheet
}
