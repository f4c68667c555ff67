package report

import (
	"cmp"
	"html/template"
	"slices"
	"strconv"

	"trainer/data/lang"
)

// matrix is the picture of a confusion matrix. Its unit is a pixel of the picture.
type matrix struct {
	Width, Height int
	Left, Top     int // of the first cell
	Size          int // of a cell
	Cells         []cell
	Names         []string // of the classes, shortened
	Turned        bool     // the names above are
	Image         template.URL
	Side          int // of the image
}

// cell is a cell with at least one sample.
type cell struct {
	X, Y, TX, TY int
	Text         string
	Class        string // right or wrong
	Opacity      string
	On           bool // dark: its text is light
	Title        string
}

// mostCells is the largest number of classes whose matrix has a number in each cell.
const mostCells = 20

// Matrix returns the picture of the confusion matrix.
func (v *view) Matrix() *matrix {
	n := len(v.Test.Confusion)
	if n > mostCells {
		return &matrix{Width: 520, Height: 520, Image: uri(countsImage(v.Test.Confusion)), Side: 520}
	}
	m := &matrix{Size: 40, Left: 30, Top: 28, Turned: v.named()}
	for k := range n {
		m.Names = append(m.Names, cut(12, v.ClassName(k)))
	}
	if m.Turned {
		longest := 0
		for _, name := range m.Names {
			longest = max(longest, width(name))
		}
		m.Left, m.Top = 14+7*longest, 14+7*longest
	}
	m.Width, m.Height = m.Left+n*m.Size+2, m.Top+n*m.Size+2
	worst := worstShare(v.Test.Confusion)
	for label, row := range v.Test.Confusion {
		total := sum(row)
		for predicted, samples := range row {
			if samples == 0 {
				continue
			}
			shade := shadeOf(samples, total, label == predicted, worst, 20)
			c := cell{
				X: m.Left + predicted*m.Size, Y: m.Top + label*m.Size, Text: strconv.Itoa(samples), Class: "wrong",
				Opacity: strconv.FormatFloat(max(0.08, float64(shade)/20), 'f', 2, 64), On: shade > 10,
				Title: v.confused(label, predicted, samples, total),
			}
			if label == predicted {
				c.Class = "right"
			}
			c.TX, c.TY = c.X+m.Size/2, c.Y+m.Size/2
			m.Cells = append(m.Cells, c)
		}
	}
	return m
}

// width returns how wide a text is, in Latin characters, about.
func width(s string) int {
	n := 0
	for _, r := range s {
		n++
		if r >= 0x2e80 {
			n++
		}
	}
	return n
}

// At returns where the k-th name stands.
func (m *matrix) At(k int) int { return k*m.Size + m.Size/2 }

// confused says in words what a cell means.
func (v *view) confused(label, predicted, samples, total int) string {
	if label == predicted {
		return v.say(lang.Text{En: "%s: %s of %s right", Zh: "%s：%[3]s 个中有 %[2]s 个正确"}, cut(60, v.ClassName(label)), count(samples), count(total))
	}
	return v.say(lang.Text{En: "%s taken for %s: %s of %s", Zh: "%s 被认作 %s：%[4]s 个中有 %[3]s 个"},
		cut(60, v.ClassName(label)), cut(60, v.ClassName(predicted)), count(samples), count(total))
}

// pairRow is a kind of mistake.
type pairRow struct{ Label, Answer, Count, Share string }

// mostPairs is how many kinds of mistakes are listed.
const mostPairs = 10

// Pairs returns the most frequent kinds of mistakes.
func (v *view) Pairs() []pairRow {
	type pair struct{ label, answer, count, total int }
	var pairs []pair
	for label, row := range v.Test.Confusion {
		total := sum(row)
		for answer, n := range row {
			if n > 0 && answer != label {
				pairs = append(pairs, pair{label, answer, n, total})
			}
		}
	}
	slices.SortStableFunc(pairs, func(a, b pair) int { return cmp.Compare(b.count, a.count) })
	var rows []pairRow
	for _, p := range pairs[:min(len(pairs), mostPairs)] {
		rows = append(rows, pairRow{cut(60, v.ClassName(p.label)), cut(60, v.ClassName(p.answer)), count(p.count), v.Percent(float64(p.count) / float64(p.total))})
	}
	return rows
}

// classRow is a row of the table of classes.
type classRow struct {
	Label, Name, Samples, Correct, Precision, Recall, Missed string

	Bar string // how many are missed, in percent of the largest number
}

// ClassRows returns the outcome for each class.
func (v *view) ClassRows() []classRow {
	rows := make([]classRow, len(v.Test.Classes))
	most := 1
	for _, c := range v.Test.Classes {
		most = max(most, c.Samples-c.Correct)
	}
	for k, c := range v.Test.Classes {
		missed := c.Samples - c.Correct
		rows[k] = classRow{
			Label: strconv.Itoa(c.Label), Name: cut(60, c.Name), Samples: count(c.Samples), Correct: count(c.Correct),
			Precision: figureOf(float64(c.Precision)), Recall: figureOf(float64(c.Recall)),
			Missed: count(missed), Bar: percent(float64(missed) / float64(most)),
		}
	}
	return rows
}

// Named reports whether the classes have names.
func (v *view) Named() bool { return v.named() }

// mistakeCard is a mistake with its picture.
type mistakeCard struct {
	Image         template.URL
	Strip         bool
	Index         string
	Label, Answer string
	Outputs       []bar
}

// bar is an output of the network.
type bar struct {
	Name, Value string
	Percent     string
	Class       string // label, answer or other
}

// MistakeCards returns the worst mistakes.
func (v *view) MistakeCards() []mistakeCard {
	var cards []mistakeCard
	for _, m := range v.Wrong {
		c := mistakeCard{
			Image: uri(m.image()), Strip: m.strip(), Index: strconv.Itoa(m.Index),
			Label: cut(30, v.ClassName(m.Label)), Answer: cut(30, v.ClassName(m.Answer)),
		}
		for _, k := range []int{m.Answer, m.Label} {
			c.Outputs = append(c.Outputs, v.output(k, float64(m.Outputs[k]), m.Label, m.Answer))
		}
		cards = append(cards, c)
	}
	return cards
}

// output returns the bar of output k.
func (v *view) output(k int, a float64, label, answer int) bar {
	b := bar{Name: cut(16, v.ClassName(k)), Value: figureOf(a), Percent: "0%", Class: "other"}
	switch k {
	case label:
		b.Class = "label"
	case answer:
		b.Class = "answer"
	}
	if finite(a) {
		b.Percent = percent(min(max(a, 0), 1))
	}
	return b
}

// strip reports whether the picture has one row or one column: it is no image.
func (p Picture) strip() bool { return p.Rows == 1 || p.Cols == 1 }
