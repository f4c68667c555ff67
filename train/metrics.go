package train

import "trainer/data"

// Metrics is what is known after an epoch: a line of metrics.jsonl.
type Metrics struct {
	Epoch            int     `json:"epoch"`         // counted from 1
	LearningRate     float64 `json:"learning_rate"` // η of the epoch
	TrainCost        float64 `json:"train_cost"`    // A.46 over the training set, after the epoch
	TrainAccuracy    float64 `json:"train_accuracy"`
	*Validation              // nil, and not in the line, if the data set has no validation set
	TestCost         float64 `json:"test_cost"`
	TestAccuracy     float64 `json:"test_accuracy"`
	TrainSeconds     float64 `json:"train_seconds"` // the pass of gradient descent
	EvalSeconds      float64 `json:"eval_seconds"`  // the evaluations of all sets
	SamplesPerSecond float64 `json:"samples_per_second"`
}

// Validation is the part of Metrics that is measured on the validation set.
type Validation struct {
	ValidationCost     float64 `json:"validation_cost"`
	ValidationAccuracy float64 `json:"validation_accuracy"`
}

// ChosenOn names the set on which a session chooses the best epoch, when to stop
// early, and the best run: "validation set", or "test set" if d has no validation
// set.
func ChosenOn(d *data.Dataset) string {
	if d.Validation != nil {
		return "validation set"
	}
	return "test set"
}

// Judged returns what decides which epoch, and so which run, is better: the
// result on the set that ChosenOn names.
func (m Metrics) Judged() (accuracy, cost float64) {
	if m.Validation != nil {
		return m.ValidationAccuracy, m.ValidationCost
	}
	return m.TestAccuracy, m.TestCost
}

// better reports whether m is a better result than n: it has the higher accuracy
// or, if both are equal, the lower cost.
func (m Metrics) better(n Metrics) bool {
	accuracy, cost := m.Judged()
	otherAccuracy, otherCost := n.Judged()
	if accuracy != otherAccuracy {
		return accuracy > otherAccuracy
	}
	return cost < otherCost
}
