package sweep

import (
	"cmp"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"trainer/train"
	"trainer/train/config"
)

// Table is what a sweep came to. The same runs give the same table, whoever trained them;
// only the seconds in it are those of the day.
type Table struct {
	Over    []Values `json:"over"`
	Seeds   int      `json:"seeds"`
	Random  int      `json:"random,omitempty"`
	Dataset string   `json:"dataset"`
	Chosen  string   `json:"chosen_on"` // the set on which the best is chosen

	// Best is the best run of the best combination; null if no run has a whole epoch. The
	// best combination has the highest mean accuracy on the set that Chosen names.
	Best *Best `json:"best"`

	Combinations []Combination `json:"combinations"`
	Runs         []Outcome     `json:"runs"`
	Missing      []string      `json:"missing"` // the folders of the runs that have not ended

	Plan    *config.Sweep     `json:"-"`
	Folders map[int]string    `json:"-"` // of the runs that have ended, by number
	Curves  [][]train.Metrics `json:"-"` // of Runs
}

// Values is a swept key and its values.
type Values struct {
	Key    string   `json:"key"`
	Values []string `json:"values"`
}

// Best names the best run.
type Best struct {
	Combination int    `json:"combination"` // an index
	Run         int    `json:"run"`         // its number
	Folder      string `json:"folder"`
}

// Combination is the runs of one choice of the values, over the seeds.
type Combination struct {
	Over     []Setting `json:"over"`
	Runs     int       `json:"runs"`     // that have ended
	Failed   int       `json:"failed"`   // of them
	Accuracy Spread    `json:"accuracy"` // of their best epochs, on the set that Chosen names
	Cost     Spread    `json:"cost"`     // likewise
	Test     Spread    `json:"test_accuracy"`
}

// Spread is the mean and the spread of some values. All are null in JSON if there is no
// value, and SD also if there is one only.
type Spread struct {
	Mean *float64 `json:"mean"`
	SD   *float64 `json:"sd"` // the standard deviation, with n − 1
	Min  *float64 `json:"min"`
	Max  *float64 `json:"max"`
}

// spread returns the spread of some values.
func spread(values []float64) (s Spread) {
	if len(values) == 0 {
		return s
	}
	sum, least, most := 0.0, values[0], values[0]
	for _, v := range values {
		sum += v
		least, most = min(least, v), max(most, v)
	}
	mean := sum / float64(len(values))
	s.Mean, s.Min, s.Max = &mean, &least, &most
	if len(values) > 1 {
		squares := 0.0
		for _, v := range values {
			squares += (v - mean) * (v - mean)
		}
		sd := math.Sqrt(squares / float64(len(values)-1))
		s.SD = &sd
	}
	return s
}

// Collect reads the results of the runs of a plan from the folders of a sweep. Of a run
// that has ended in several of them, the first counts. It is an error if the runs were
// trained on different data.
func Collect(plan *config.Sweep, dirs ...string) (*Table, error) {
	t := &Table{Seeds: plan.Seeds, Random: plan.Random, Missing: []string{}, Runs: []Outcome{}, Combinations: []Combination{}, Over: []Values{}, Plan: plan, Folders: map[int]string{}}
	for _, o := range plan.Over {
		t.Over = append(t.Over, Values{o.Key, o.Values})
	}
	first := map[string]Outcome{} // a run on each kind of data
	for _, c := range plan.Combinations {
		name := Name(plan, c)
		found := false
		for _, dir := range dirs {
			folder := filepath.Join(dir, RunsDir, name)
			o, err := readOutcome(folder, plan, c)
			if err != nil {
				return nil, err
			}
			if o == nil {
				continue
			}
			key := dataKey(c.Config, o.Dataset)
			if other, ok := first[key]; ok && other.Data != o.Data {
				return nil, fmt.Errorf("%s was trained on other data than %s: their checksums are %.16s… and %.16s…; remove the folder of one of them, and train it again", folder, other.Folder, o.Data, other.Data)
			} else if !ok {
				first[key] = *o
			}
			curve, err := train.ReadMetrics(folder)
			if err != nil {
				return nil, err
			}
			t.Runs, t.Curves, t.Folders[o.Run] = append(t.Runs, *o), append(t.Curves, curve), folder
			found = true
			break
		}
		if !found {
			t.Missing = append(t.Missing, name)
		}
	}
	t.summarise()
	return t, nil
}

// dataKey says which runs must have the same data.
func dataKey(c config.Config, dataset string) string {
	c.Data.Dir = "" // the folder may be another one
	key := fmt.Sprint(c.Data, c.Train.Shuffle, c.Model.Layers[0], c.Model.Layers[len(c.Model.Layers)-1], dataset)
	if strings.Contains(dataset, "digits") { // generated from the seed
		key += fmt.Sprint(c.Seed)
	}
	return key
}

// summarise makes what follows from the runs.
func (t *Table) summarise() {
	seeds := max(1, t.Seeds)
	all := t.Plan.Combinations
	by := map[int][]Outcome{}
	for _, o := range t.Runs {
		by[(o.Run-1)/seeds] = append(by[(o.Run-1)/seeds], o)
		t.Dataset, t.Chosen = o.Dataset, o.Chosen
	}
	bestMean, bestCost, whole := 0.0, 0.0, false
	for i := range len(all) / seeds {
		c := Combination{Over: []Setting{}}
		for k, v := range all[i*seeds].Values {
			c.Over = append(c.Over, Setting{t.Plan.Over[k].Key, v})
		}
		var accuracies, costs, tests []float64
		var best *Outcome
		for _, o := range by[i] {
			c.Runs++
			if o.State == Failed {
				c.Failed++
			}
			if o.Best == nil {
				continue
			}
			a, cost := o.Best.Judged()
			accuracies, costs, tests = append(accuracies, a), append(costs, cost), append(tests, o.Best.TestAccuracy)
			if best == nil || better(a, cost, best.Best) {
				best = &o
			}
		}
		c.Accuracy, c.Cost, c.Test = spread(accuracies), spread(costs), spread(tests)
		t.Combinations = append(t.Combinations, c)
		if best == nil {
			continue
		}
		// A combination of which a run has failed or is missing is taken only if there is
		// no other: the mean of the rest flatters it.
		complete := c.Runs == seeds && c.Failed == 0
		mean, cost := *c.Accuracy.Mean, *c.Cost.Mean
		higher := mean > bestMean || mean == bestMean && cost < bestCost
		if t.Best == nil || complete && !whole || complete == whole && higher {
			t.Best = &Best{i, best.Run, filepath.ToSlash(filepath.Join(RunsDir, best.Folder))}
			bestMean, bestCost, whole = mean, cost, complete
		}
	}
}

// Order returns the combinations, the best first; those without a result are last.
func (t *Table) Order() []int {
	order := make([]int, len(t.Combinations))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int {
		a, b := t.Combinations[i], t.Combinations[j]
		switch {
		case t.Best != nil && i == t.Best.Combination:
			return -1
		case t.Best != nil && j == t.Best.Combination:
			return 1
		case a.Accuracy.Mean == nil || b.Accuracy.Mean == nil:
			return cmp.Compare(b2i(a.Accuracy.Mean == nil), b2i(b.Accuracy.Mean == nil))
		}
		return cmp.Or(cmp.Compare(*b.Accuracy.Mean, *a.Accuracy.Mean), cmp.Compare(*a.Cost.Mean, *b.Cost.Mean))
	})
	return order
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

func better(accuracy, cost float64, than *train.Metrics) bool {
	a, c := than.Judged()
	return accuracy > a || accuracy == a && cost < c
}

// JSON writes the table as JSON.
func (t *Table) JSON(w io.Writer) error { return writeJSON(w, t) }

// CSV writes a line for each run that has ended, in their order, below a line with the
// names of the columns. The swept keys are columns. What has a unit of time is last.
func (t *Table) CSV(w io.Writer) error {
	out := csv.NewWriter(w)
	header := []string{"run", "folder"}
	swept := map[string]bool{}
	for _, o := range t.Over {
		header = append(header, o.Key)
		swept[o.Key] = true
	}
	if !swept["seed"] {
		header = append(header, "seed")
	}
	validated := t.Chosen == "validation set"
	header = append(header, "state", "best_epoch")
	if validated {
		header = append(header, "best_validation_accuracy", "best_validation_cost")
	}
	header = append(header, "best_test_accuracy", "best_test_cost", "best_train_accuracy", "best_train_cost",
		"last_epoch", "last_test_accuracy", "last_test_cost", "last_train_accuracy", "last_train_cost", "machine", "seconds")
	if err := out.Write(header); err != nil {
		return err
	}
	for _, o := range t.Runs {
		row := []string{strconv.Itoa(o.Run), o.Folder}
		for _, s := range o.Over {
			row = append(row, s.Value)
		}
		if !swept["seed"] {
			row = append(row, strconv.FormatUint(o.Seed, 10))
		}
		row = append(row, string(o.State))
		best, last := make([]string, 5), make([]string, 5)
		validation := make([]string, 2)
		if m := o.Best; m != nil {
			best = []string{strconv.Itoa(m.Epoch), number(m.TestAccuracy), number(m.TestCost), number(m.TrainAccuracy), number(m.TrainCost)}
			if v := m.Validation; v != nil {
				validation = []string{number(v.ValidationAccuracy), number(v.ValidationCost)}
			}
		}
		if m := o.Last; m != nil {
			last = []string{strconv.Itoa(m.Epoch), number(m.TestAccuracy), number(m.TestCost), number(m.TrainAccuracy), number(m.TrainCost)}
		}
		row = append(row, best[0])
		if validated {
			row = append(row, validation...)
		}
		row = append(row, best[1:]...)
		row = append(row, last...)
		row = append(row, o.Machine, number(math.Round(o.Seconds*1000)/1000))
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
