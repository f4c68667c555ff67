package train

// Metrics is what is known after an epoch: a line of metrics.jsonl.
type Metrics struct {
	Epoch            int     `json:"epoch"`         // counted from 1
	LearningRate     float64 `json:"learning_rate"` // η of the epoch
	TrainCost        float64 `json:"train_cost"`    // A.46 over the training set, after the epoch
	TrainAccuracy    float64 `json:"train_accuracy"`
	TestCost         float64 `json:"test_cost"`
	TestAccuracy     float64 `json:"test_accuracy"`
	TrainSeconds     float64 `json:"train_seconds"` // the pass of gradient descent
	EvalSeconds      float64 `json:"eval_seconds"`  // both evaluations
	SamplesPerSecond float64 `json:"samples_per_second"`
}

// judged returns what decides which epoch, and so which run, is better.
func (m Metrics) judged() (accuracy, cost float64) { return m.TestAccuracy, m.TestCost }

// better reports whether m is a better result than n: it has the higher accuracy
// or, if both are equal, the lower cost.
func (m Metrics) better(n Metrics) bool {
	accuracy, cost := m.judged()
	otherAccuracy, otherCost := n.judged()
	if accuracy != otherAccuracy {
		return accuracy > otherAccuracy
	}
	return cost < otherCost
}
