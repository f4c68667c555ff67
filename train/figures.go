package train

import (
	"errors"
	"io"
	"slices"
	"strings"

	"trainer/data/lang"
	"trainer/train/config"
	"trainer/train/figure"
	"trainer/train/rundir"
	"trainer/train/terminal"
)

// titleText is the title of a figure: a data set and its network.
var titleText = lang.Text{En: "%s: %s", Zh: "%s：%s"}

// drawing is a figure in its files.
type drawing struct {
	figure   *figure.Figure
	svg, png string // the names of the files
}

// writeFigures draws what the session came to: the training and, of the best epoch, the
// hidden units and the confusion matrix.
func (s *session) writeFigures() error {
	drawings, err := s.drawings()
	if err != nil {
		return err
	}
	var figures []*figure.Figure
	missing := ""
	for _, d := range drawings {
		figures = append(figures, d.figure)
		missing += d.figure.Missing()
	}
	runes := []rune(missing)
	slices.Sort(runes)
	s.Undrawn = string(slices.Compact(runes))

	svg, png, err := figure.Encode(figures...)
	if err != nil {
		return err
	}
	write := func(name string, content []byte) error {
		return s.Dir.WriteFile(name, func(w io.Writer) error {
			_, err := w.Write(content)
			return err
		})
	}
	for i, d := range drawings {
		err = errors.Join(err, write(d.svg, svg[i]), write(d.png, png[i]))
	}
	return err
}

// drawings returns the figures.
func (s *session) drawings() ([]drawing, error) {
	title := s.title()
	training := figure.Training{Title: title, Language: s.Language, Best: s.Best, Classes: s.Dataset.Test.Classes}
	for _, r := range s.Runs {
		training.Runs = append(training.Runs, curves(r))
	}
	f, err := training.Figure()
	if err != nil {
		return nil, err
	}
	all := []drawing{{f, rundir.FigureSVG, rundir.FigurePNG}}

	epoch := s.best.metrics.Epoch
	if set := s.Dataset.Train; set.Rows >= leastSide && set.Cols >= leastSide {
		first := s.best.parameters[0]
		f, err := figure.Units{
			Title: title, Language: s.Language, Epoch: epoch,
			Weights: first.Weight, Rows: set.Rows, Cols: set.Cols, Outputs: len(s.best.parameters) == 1,
		}.Figure()
		if err != nil {
			return nil, err
		}
		all = append(all, drawing{f, rundir.HiddenSVG, rundir.HiddenPNG})
	}
	test := s.Dataset.Test
	f, err = figure.Matrix{
		Title: title, Language: s.Language, Epoch: epoch, Set: figure.TestSet,
		Counts: s.best.confusion, Samples: test.Len(), Name: test.ClassName,
	}.Figure()
	if err != nil {
		return nil, err
	}
	return append(all, drawing{f, rundir.ConfusionSVG, rundir.ConfusionPNG}), nil
}

// leastSide is the least side of an image, in pixels, for which the weights of a unit
// are worth a look. A table with four columns is an image of 2×2 pixels, too.
const leastSide = 4

// title names the run, if it has a name of its own, the data set and the network.
func (s *session) title() string {
	set := terminal.Line(s.Dataset.Name)
	if name := s.Config.Name; name != config.Default().Name && !strings.Contains(strings.ToLower(set), strings.ToLower(name)) {
		set = name + " · " + set
	}
	return titleText.Format(s.Language, set, s.Config.Network().Text())
}

// curves returns what the figure shows of a run.
func curves(r Run) figure.Run {
	var f figure.Run
	if r.Best != nil {
		f.Best = r.Best.Epoch
	}
	for _, m := range r.Epochs {
		f.Accuracy.Train = append(f.Accuracy.Train, m.TrainAccuracy)
		f.Cost.Train = append(f.Cost.Train, m.TrainCost)
		if v := m.Validation; v != nil {
			f.Accuracy.Validation = append(f.Accuracy.Validation, v.ValidationAccuracy)
			f.Cost.Validation = append(f.Cost.Validation, v.ValidationCost)
		}
		f.Accuracy.Test = append(f.Accuracy.Test, m.TestAccuracy)
		f.Cost.Test = append(f.Cost.Test, m.TestCost)
	}
	return f
}
