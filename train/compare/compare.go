// Package compare says how trained models differ: the keys of their configurations, the
// results of their runs, and their answers for the images of one test set.
//
// The answers are paired: both models saw the same images, so an image that both take
// for the same class says nothing about which model is better. See Pair.
package compare

import (
	"bytes"
	"context"
	"fmt"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/vm"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/figure"
)

// Run is a run that is compared.
type Run struct {
	Name    string // the path that the user gave
	Model   string // the file of the parameters
	Network lang.Text
	Config  config.Config
	Epochs  []train.Metrics // whole epochs, in order
	Answers []int           // for each image of the test set
}

// Report is the outcome. All lists are in the order of the runs.
type Report struct {
	Runs        []Result            `json:"runs"`
	Differences []config.Difference `json:"differences"` // keys of the configurations
	TestSet     string              `json:"test_set"`
	Pairs       []Pair              `json:"pairs"` // the first run with each of the others
}

// Result is what a run came to.
type Result struct {
	Name     string         `json:"name"`
	Model    string         `json:"model"`
	Network  lang.Text      `json:"network"`
	Epochs   int            `json:"epochs"`
	Last     *train.Metrics `json:"last"` // null where no epoch was completed
	Best     *train.Metrics `json:"best"`
	Seconds  float64        `json:"train_seconds"` // of all epochs
	Correct  int            `json:"correct"`       // of the model on the test set
	Accuracy float64        `json:"accuracy"`
}

// New compares two runs or more, whose answers are those for a test set.
func New(runs []Run, test *data.Set) (Report, error) {
	if len(runs) < 2 {
		return Report{}, fmt.Errorf("compare: %d runs: want two or more", len(runs))
	}
	r := Report{TestSet: test.Name}
	var configs []config.Config
	for _, run := range runs {
		if len(run.Answers) != test.Len() {
			return Report{}, fmt.Errorf("compare: %s: %d answers for %d images", run.Name, len(run.Answers), test.Len())
		}
		result := Result{Name: run.Name, Model: run.Model, Network: run.Network, Epochs: len(run.Epochs)}
		if best := train.BestEpoch(run.Epochs); best >= 0 {
			result.Best, result.Last = &run.Epochs[best], &run.Epochs[len(run.Epochs)-1]
		}
		for _, m := range run.Epochs {
			result.Seconds += m.TrainSeconds
		}
		for i, label := range test.Labels {
			if run.Answers[i] == int(label) {
				result.Correct++
			}
		}
		result.Accuracy = float64(result.Correct) / float64(test.Len())
		r.Runs = append(r.Runs, result)
		configs = append(configs, run.Config)
	}
	r.Differences = config.Differences(configs)
	for _, run := range runs[1:] {
		r.Pairs = append(r.Pairs, newPair(test.Labels, runs[0].Answers, run.Answers))
	}
	return r, nil
}

// chunk is the number of images that a machine predicts at once.
const chunk = 256

// Answers returns the class that the machine's network takes each image of a set for:
// that of the largest output, the first of equals. It returns ctx's error when ctx ends.
func Answers(ctx context.Context, m vm.VM, set *data.Set) ([]int, error) {
	n, inputs := m.Network().Outputs(), set.Inputs()
	answers := make([]int, 0, set.Len())
	for first := 0; first < set.Len(); first += chunk {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		x := make([]float64, (min(first+chunk, set.Len())-first)*inputs)
		for i := 0; i*inputs < len(x); i++ {
			data.Input(x[i*inputs:(i+1)*inputs], set, first+i)
		}
		outputs, err := m.Predict(x)
		if err != nil {
			return nil, err
		}
		for ; len(outputs) > 0; outputs = outputs[n:] {
			answer := 0
			for k, v := range outputs[:n] {
				if v > outputs[answer] {
					answer = k
				}
			}
			answers = append(answers, answer)
		}
	}
	return answers, nil
}

// Same returns how two test sets differ, as an error, or nil if they have the same images
// and labels in the same order. Answers for different images cannot be compared.
func Same(a, b *data.Set) error {
	switch {
	case a == b:
		return nil
	case a.Rows != b.Rows || a.Cols != b.Cols:
		return fmt.Errorf("images of %d×%d pixels, and of %d×%d", a.Rows, a.Cols, b.Rows, b.Cols)
	case a.Len() != b.Len():
		return fmt.Errorf("%d images, and %d", a.Len(), b.Len())
	case a.Scale.Pixels != b.Scale.Pixels:
		return fmt.Errorf("pixels of %v, and of %v", a.Scale.Pixels, b.Scale.Pixels)
	}
	for i, label := range a.Labels {
		if label != b.Labels[i] {
			return fmt.Errorf("image %d has the label %s, and %s", i, a.ClassName(int(label)), b.ClassName(int(b.Labels[i])))
		}
		if !bytes.Equal(a.Image(i), b.Image(i)) {
			return fmt.Errorf("image %d is another one", i)
		}
	}
	return nil
}

// Curves returns the figure of the test accuracies and costs of runs over their epochs,
// laid over each other.
func Curves(runs []Run, title string, l lang.Language) (*figure.Figure, error) {
	o := figure.Overlay{Title: title, Language: l}
	for _, run := range runs {
		c := figure.Overlaid{Name: run.Name}
		for _, m := range run.Epochs {
			c.Accuracy = append(c.Accuracy, m.TestAccuracy)
			c.Cost = append(c.Cost, m.TestCost)
		}
		o.Curves = append(o.Curves, c)
	}
	return o.Figure()
}
