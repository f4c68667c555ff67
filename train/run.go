package train

import "trainer/train/config"

// RunID says which run it is.
type RunID struct {
	Run  int    `json:"run"` // counted from 0
	Seed uint64 `json:"seed"`
}

// RunMetrics is a line of runs.jsonl. The runs train together, so train_seconds,
// eval_seconds and samples_per_second are those of all runs.
type RunMetrics struct {
	RunID
	Metrics
}

// Run is the state of a run, and an entry of runs.json. Best, Last and
// StoppedEarly follow from Epochs, which runs.jsonl and metrics.jsonl have.
type Run struct {
	RunID
	Best         *Metrics `json:"best"`                          // of its best epoch; null if there is no whole epoch
	Last         *Metrics `json:"last"`                          // of its last whole epoch, likewise
	StoppedEarly bool     `json:"stopped_early,omitempty"`       // by train.early_stopping
	Failed       string   `json:"failed,omitempty"`              // where a value was no longer finite
	Samples      int      `json:"samples_after_epoch,omitempty"` // visited after the last whole epoch when the session was interrupted

	// Advice says at the end of the session what is wrong with the run, the likely
	// cause, and the key to change: "learned nothing (…): the learning rate …". It
	// is "" for a run that has learned.
	Advice string `json:"advice,omitempty"`

	Epochs []Metrics `json:"-"` // all whole epochs, in order

	mark   float64 // the accuracy that the next epochs have to exceed
	waited int     // epochs in a row that did not

	// unchanged is the share of the weights that the last whole epoch did not change,
	// although their inputs were not all zero. It is known of the best run only.
	unchanged float64

	// Of the training set after the last whole epoch: how many samples have each label,
	// and how many were taken for each class.
	labels, answers []int

	testConfusion [][]int // of the test set after the last whole epoch: [label][predicted]
}

// add adds a whole epoch.
func (r *Run) add(m Metrics, stopping config.EarlyStopping) {
	first := len(r.Epochs) == 0
	r.Epochs = append(r.Epochs, m)
	r.Last = &m
	if first || m.better(*r.Best) {
		r.Best = &m
	}
	if accuracy, _ := m.Judged(); first || accuracy > r.mark+stopping.MinDelta {
		r.mark, r.waited = accuracy, 0
	} else {
		r.waited++
	}
	r.StoppedEarly = stopping.Patience > 0 && r.waited >= stopping.Patience
}
