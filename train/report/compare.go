package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"go.yaml.in/yaml/v4"

	"trainer/data/lang"
)

// Compare writes the page that compares some runs: their figures, their curves, the
// keys in which they differ, and which test images each takes for another class.
func Compare(w io.Writer, runs []*Data, l lang.Language) error {
	c := &comparison{view: view{Data: &Data{}, L: l}}
	for i, d := range runs {
		c.All = append(c.All, &view{Data: d, L: l})
		c.Names = append(c.Names, c.name(i, d))
	}
	return execute(w, l, "comparison", c)
}

// comparison is some runs in a language.
type comparison struct {
	view
	All   []*view
	Names []string // short, and different
}

// name returns the name of run i: a letter, or a number where there are many, and the
// name of its configuration.
func (c *comparison) name(i int, d *Data) string {
	letter := strconv.Itoa(i + 1)
	if i < 26 {
		letter = string(rune('A' + i))
	}
	return letter + " " + cut(40, d.Config.Name)
}

// Title is that of the page.
func (c *comparison) Title() string {
	return c.say(lang.Text{En: "Comparison of %d runs", Zh: "%d 次训练的比较"}, len(c.All))
}

// comparedRow is a run in the table of figures.
type comparedRow struct {
	Name, Folder, Class                                        string
	Test, Epoch, Last, TestCost, Train, Parameters, Time, Step string
	Top                                                        bool
}

// mostColours is the number of colours of curves.
const mostColours = 8

func colour(i int) string { return fmt.Sprintf("s%d", i%mostColours) }

// Rows returns the figures of the runs, in their order.
func (c *comparison) Rows() []comparedRow {
	var rows []comparedRow
	top, most := -1, math.Inf(-1)
	for i, v := range c.All {
		r := comparedRow{
			Name: c.Names[i], Folder: v.Folder, Class: colour(i), Test: figureOf(v.Headline()),
			Epoch: "–", Last: "–", TestCost: "–", Train: "–", Parameters: count(v.Net().Size()), Time: "–", Step: "–",
		}
		if best := v.Best(); best >= 0 {
			e, last := v.Epochs[best], v.Epochs[len(v.Epochs)-1]
			r.Epoch, r.Last = fmt.Sprintf("%d / %d", e.Number, last.Number), figureOf(last.TestAccuracy)
			r.TestCost, r.Train = figureOf(e.TestCost), figureOf(e.TrainAccuracy)
		}
		if s := v.Speed(); s.TrainSeconds > 0 {
			r.Time = duration(s.TrainSeconds)
			if s.Step > 0 {
				r.Step = s.StepText()
			}
		}
		if h := v.Headline(); h > most {
			top, most = i, h
		}
		rows = append(rows, r)
	}
	if top >= 0 {
		rows[top].Top = true
	}
	return rows
}

// Charts returns the curves of all runs.
func (c *comparison) Charts() []*chart {
	epochs, shown := c.epochs()
	lines := func(get func(Epoch) float64) []line {
		var list []line
		for i, v := range c.All {
			byNumber := map[int]float64{}
			for _, e := range v.Epochs {
				byNumber[e.Number] = get(e)
			}
			l := line{name: c.Names[i], class: colour(i)}
			for _, n := range shown {
				value, ok := byNumber[n]
				if !ok {
					value = math.NaN()
				}
				l.values = append(l.values, value)
			}
			list = append(list, l)
		}
		return list
	}
	var list []*chart
	for _, ch := range []*chart{
		newChart("accuracy", c.say(lang.Text{En: "Test accuracy", Zh: "测试准确率"}), 280, epochs, lines(func(e Epoch) float64 { return e.TestAccuracy }), false, 0),
		newChart("cost", c.say(lang.Text{En: "Test cost", Zh: "测试代价"}), 200, epochs, lines(func(e Epoch) float64 { return e.TestCost }), true, 0),
		newChart("rate", c.say(lang.Text{En: "Learning rate η", Zh: "学习率 η"}), 90, epochs, lines(func(e Epoch) float64 { return e.Rate }), true, 0),
	} {
		if ch != nil {
			list = append(list, ch)
		}
	}
	return list
}

// epochs returns which epochs the curves show, those of any run.
func (c *comparison) epochs() (places []float64, numbers []int) {
	for _, v := range c.All {
		for _, i := range v.shownEpochs(mostPoints / 2) {
			numbers = append(numbers, v.Epochs[i].Number)
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	for _, i := range thinned(len(numbers), mostPoints) {
		places = append(places, float64(numbers[i]))
	}
	numbers = numbers[:0]
	for _, p := range places {
		numbers = append(numbers, int(p))
	}
	return places, numbers
}

// Readings returns the test accuracy of each run at each epoch, for the cursor.
func (c *comparison) Readings() readings {
	_, shown := c.epochs()
	r := readings{Names: append([]string{c.say(lang.Text{En: "epoch", Zh: "迭代轮数"})}, c.Names...)}
	if len(shown) == 0 {
		return r
	}
	from, to := float64(shown[0]), float64(shown[len(shown)-1])
	if from == to {
		from, to = from-1, to+1
	}
	accuracies := make([]map[int]float64, len(c.All))
	for i, v := range c.All {
		accuracies[i] = map[int]float64{}
		for _, e := range v.Epochs {
			accuracies[i][e.Number] = e.TestAccuracy
		}
	}
	for _, n := range shown {
		row := []string{strconv.Itoa(n)}
		for _, of := range accuracies {
			cell := "–"
			if a, ok := of[n]; ok {
				cell = figureOf(a)
			}
			row = append(row, cell)
		}
		r.X = append(r.X, math.Round((float64(n)-from)/(to-from)*1e4)/1e4)
		r.Rows = append(r.Rows, row)
	}
	r.Last = len(r.Rows) - 1
	r.Start = r.Last
	return r
}

// keyRow is a key of the configuration in which the runs differ.
type keyRow struct {
	Key    string
	Values []string
}

// Differences returns the keys in which the runs differ.
func (c *comparison) Differences() ([]keyRow, error) {
	var order []string
	all := make([]map[string]string, len(c.All))
	for i, v := range c.All {
		var node yaml.Node
		if err := yaml.Unmarshal(v.Config.YAML(), &node); err != nil {
			return nil, err
		}
		all[i] = map[string]string{}
		flatten("", &node, func(key, value string) {
			all[i][key] = value
			if !slices.Contains(order, key) {
				order = append(order, key)
			}
		})
	}
	var rows []keyRow
	for _, key := range order {
		row := keyRow{Key: key}
		for _, values := range all {
			value, ok := values[key]
			if !ok {
				value = "–"
			}
			row.Values = append(row.Values, cut(120, value))
		}
		if len(slices.Compact(slices.Clone(row.Values))) > 1 {
			rows = append(rows, row)
		}
	}
	return rows, nil
}

// flatten calls each for every key of a mapping, with its path and its value in a line.
func flatten(path string, n *yaml.Node, each func(key, value string)) {
	switch n.Kind {
	case yaml.DocumentNode:
		for _, child := range n.Content {
			flatten(path, child, each)
		}
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i].Value
			if path != "" {
				key = path + "." + key
			}
			flatten(key, n.Content[i+1], each)
		}
	case yaml.SequenceNode:
		value := "["
		for i, item := range n.Content {
			if i > 0 {
				value += ", "
			}
			value += item.Value
		}
		each(path, value+"]")
	default:
		each(path, n.Value)
	}
}

// pairedRow compares two runs image by image.
type pairedRow struct {
	A, B                                  string
	Both, OnlyA, OnlyB, Neither, Compared string
}

// mostPaired is the largest number of runs of which all pairs are compared.
const mostPaired = 6

// Paired compares the runs image by image: those that have the same test set. Of many
// runs, each is compared with the first only.
func (c *comparison) Paired() []pairedRow {
	var rows []pairedRow
	for i := range c.All {
		for k := i + 1; k < len(c.All); k++ {
			if len(c.All) > mostPaired && i > 0 {
				continue
			}
			a, b := c.All[i], c.All[k]
			if a.Test == nil || b.Test == nil || a.testSum() != b.testSum() || a.testSum() == "" {
				continue
			}
			both := 0
			for _, image := range a.AllWrong {
				if _, wrong := slices.BinarySearch(b.AllWrong, image); wrong {
					both++
				}
			}
			onlyB, onlyA := len(a.AllWrong)-both, len(b.AllWrong)-both // right
			rows = append(rows, pairedRow{
				A: c.Names[i], B: c.Names[k], Both: count(a.Test.Samples - both - onlyA - onlyB), OnlyA: count(onlyA), OnlyB: count(onlyB),
				Neither: count(both), Compared: count(a.Test.Samples),
			})
		}
	}
	return rows
}

// testSum identifies the test set: its checksums.
func (d *Data) testSum() string {
	for _, s := range d.Sets {
		if s.Part == Test {
			return s.ImagesSum + s.LabelsSum
		}
	}
	return ""
}
