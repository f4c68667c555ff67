package report

import (
	"math"

	"trainer/data"
	"trainer/graph/explain"
	"trainer/graph/gradcheck"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/evaluation"
)

// Data is what the report of a run shows. The zero value of a part means that there
// is nothing to show; Missing may say why.
type Data struct {
	Folder string // the run folder, as its user names it
	Config config.Config
	YAML   string // the configuration, as it is kept
	Log    string // what the run has said, as it is kept
	Device string // the machine that trained, in a line; "" if that is not known
	Advice string // what is wrong with the run, as train.Run has it; "": what the log has

	// Model is what the parts below are of: the parameters of the best epoch, or the
	// last ones where no epoch was completed.
	Model      Model
	Parameters model.Parameters

	Epochs []Epoch     // of the run, or of the best of several runs
	Runs   []train.Run // of several runs; none: there is one
	Curves []Curve     // the epochs of several runs

	Dataset     string // its name
	Source      string // where it came from
	Sets        []Set
	Classes     []string // names
	Test        *evaluation.Result
	Wrong       []Mistake            // the worst
	AllWrong    []int                // the index of each test image that is taken for another class, in order
	Explained   *explain.Explanation // a test image
	Sample      Picture              // the image
	SampleIndex int                  // of it in the test set
	Gradients   *gradcheck.Report
	Program     *ir.Program // of a training step

	Missing map[Section]error // why a section lacks what it should have
}

// Model says which parameters a report is about.
type Model struct {
	File    string // its name in the run folder
	Epoch   int    // after which they were saved; 0: before the end of the first
	Samples int    // visited in the first epoch, where it was not completed
}

// Set is the training, validation or test set.
type Set struct {
	Part       Part
	Name       string
	Images     int
	Rows, Cols int   // of an image, in pixels
	Counts     []int // of each class
	ImagesSum  string
	LabelsSum  string
}

// Part says what a set is for.
type Part int

// The parts of a data set.
const (
	Training Part = iota
	Validation
	Test
)

// Picture is an image of a set.
type Picture struct {
	Rows, Cols int
	Pixels     []uint8
	Range      data.Range // the pixels that are black and white; zero: 0 and 255
}

// Mistake is an image of the test set that is taken for another class.
type Mistake struct {
	evaluation.Mistake
	Picture
}

// Epoch is what is known after an epoch. What is not known is NaN.
type Epoch struct {
	Number             int // from 1
	Rate               float64
	TrainCost          float64
	TrainAccuracy      float64
	ValidationCost     float64
	ValidationAccuracy float64
	TestCost           float64
	TestAccuracy       float64
	TrainSeconds       float64
	EvalSeconds        float64
}

// EpochOf returns the epoch of a line of metrics.
func EpochOf(m train.Metrics) Epoch {
	e := Epoch{
		Number: m.Epoch, Rate: m.LearningRate,
		TrainCost: m.TrainCost, TrainAccuracy: m.TrainAccuracy,
		ValidationCost: math.NaN(), ValidationAccuracy: math.NaN(),
		TestCost: m.TestCost, TestAccuracy: m.TestAccuracy,
		TrainSeconds: m.TrainSeconds, EvalSeconds: m.EvalSeconds,
	}
	if v := m.Validation; v != nil {
		e.ValidationCost, e.ValidationAccuracy = v.ValidationCost, v.ValidationAccuracy
	}
	return e
}

// Curve is the test accuracy of one of several runs after each epoch.
type Curve struct {
	Run    int
	Values []float64
}

// Validated reports whether the best epoch was chosen on a validation set.
func (d *Data) Validated() bool {
	for _, e := range d.Epochs {
		if !math.IsNaN(e.ValidationAccuracy) {
			return true
		}
	}
	return false
}

// judged returns what decides which epoch is better, as train.Metrics.Judged does.
func (e Epoch) judged() (accuracy, cost float64) {
	if !math.IsNaN(e.ValidationAccuracy) {
		return e.ValidationAccuracy, e.ValidationCost
	}
	return e.TestAccuracy, e.TestCost
}

// Best returns the index in Epochs of the best one: that with the highest accuracy
// and, among equals, the lowest cost. It is −1 if no epoch has an accuracy.
func (d *Data) Best() int {
	best := -1
	for i, e := range d.Epochs {
		accuracy, cost := e.judged()
		if math.IsNaN(accuracy) {
			continue
		}
		if best >= 0 {
			a, c := d.Epochs[best].judged()
			if accuracy < a || accuracy == a && !(cost < c) {
				continue
			}
		}
		best = i
	}
	return best
}

// ClassName returns the name of class k, which is its number where it has no other.
func (d *Data) ClassName(k int) string {
	s := data.Set{ClassNames: d.Classes}
	return s.ClassName(k)
}

// named reports whether the classes have names other than their numbers.
func (d *Data) named() bool {
	plain := data.Set{}
	for k := range d.Classes {
		if d.ClassName(k) != plain.ClassName(k) {
			return true
		}
	}
	return false
}
