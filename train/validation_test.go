package train_test

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/train"
	"trainer/train/rundir"
)

// validated returns the small task with the last 53 training images held out, and
// two test sets: a second one on which the best epoch is one that learned least,
// because it has each label wrong.
func validated() (d, misleading *data.Dataset) {
	all := small(1)
	d = &data.Dataset{Name: "rows", Source: "the test", Train: all.Train.Slice(0, 150), Test: all.Test, Validation: all.Train.Slice(150, 203)}
	wrong := *all.Test
	wrong.Labels = make([]uint8, wrong.Len())
	for i, l := range all.Test.Labels {
		wrong.Labels[i] = (l + 1) % 3
	}
	copied := *d
	copied.Test = &wrong
	return d, &copied
}

// validationCases returns machines and settings: evaluated after each epoch, while
// the next one trains, stopped early, and several runs.
func validationCases() []validationCase {
	cases := []validationCase{
		{"cpu", "train.batch=1"},
		{"cpu", "train.batch=1 train.runs.count=3 train.epochs=30 train.early_stopping.patience=2"},
		{"tape", ""},
		{"cpu", "train.batch=1 train.epochs=60 train.early_stopping.patience=2"},
		{"interpret", "train.runs.count=3"},
	}
	if testing.Short() {
		return cases[:2] // in which something runs in parallel
	}
	return cases
}

type validationCase struct{ kind, sets string }

// TestValidation: with a validation set, its results are in all files, and decide.
func TestValidation(t *testing.T) {
	for _, test := range validationCases() {
		c := smallConfig(t, strings.Fields(test.sets)...)
		w := &watcher{}
		s, dir := sessionOn(t, newMachine(test.kind, c), c, w)
		s.Dataset, _ = validated()
		result, err := s.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		better := func(a, b train.Metrics) bool {
			return a.ValidationAccuracy > b.ValidationAccuracy || a.ValidationAccuracy == b.ValidationAccuracy && a.ValidationCost < b.ValidationCost
		}
		top := result.Runs[0]
		for _, run := range result.Runs {
			best, waited := run.Epochs[0], 0
			highest := best.ValidationAccuracy
			for _, m := range run.Epochs[1:] {
				if better(m, best) {
					best = m
				}
				if waited++; m.ValidationAccuracy > highest {
					highest, waited = m.ValidationAccuracy, 0
				}
			}
			if *run.Best != best {
				t.Errorf("%v: the best of run %d is %+v, want %+v", test, run.Run, *run.Best, best)
			}
			if patience := c.Train.EarlyStopping.Patience; patience > 0 && waited != patience {
				t.Errorf("%v: run %d ended %d epochs after a better validation accuracy, want %d", test, run.Run, waited, patience)
			}
			if better(*run.Best, *top.Best) {
				top = run
			}
		}
		if result.Best != top.Run {
			t.Errorf("%v: the best run is %d, want %d", test, result.Best, top.Run)
		}

		if got := metricsOf(t, dir); !reflect.DeepEqual(got, top.Epochs) {
			t.Errorf("%v: metrics.jsonl has %+v, want %+v", test, got, top.Epochs)
		}
		if line, _, _ := bytes.Cut(read(t, dir, rundir.MetricsFile), []byte("\n")); !bytes.Contains(line, []byte(fmt.Sprintf(`"validation_cost":%v,"validation_accuracy":%v,`, top.Epochs[0].ValidationCost, top.Epochs[0].ValidationAccuracy))) {
			t.Errorf("%v: %s", test, line)
		}
		if len(result.Runs) > 1 {
			if got := runsOf(t, dir)[top.Run]; !reflect.DeepEqual(got.Best, top.Best) || got.Best.Validation == nil {
				t.Errorf("%v: runs.json has %+v", test, got)
			}
		}
		if m := w.epochs[0]; m.Validation == nil {
			t.Errorf("%v: the watcher was not told the validation result", test)
		}
		if figure := read(t, dir, rundir.FigureSVG); !bytes.Contains(figure, []byte(`"validation 0.`)) || !bytes.Contains(figure, []byte("chosen on the validation set")) {
			t.Errorf("%v: the figure has no validation set", test)
		}

		// The parameters of best.safetensors have the scores that it says.
		best := readModel(t, dir, rundir.BestFile)
		if err := s.Fleet.SetParameters(0, best.Parameters); err != nil {
			t.Fatal(err)
		}
		for name, set := range map[string]*data.Set{"train": s.Dataset.Train, "validation": s.Dataset.Validation, "test": s.Dataset.Test} {
			scores, err := s.Fleet.Evaluate(context.Background(), set, []int{0})
			if err != nil || best.Metadata[name+"_accuracy"] != fmt.Sprint(scores[0].Accuracy()) || best.Metadata[name+"_cost"] != fmt.Sprint(scores[0].Cost) {
				t.Errorf("%v: best.safetensors says %v; on the %s set it has %+v, %v", test, best.Metadata, name, scores, err)
			}
		}
	}
}

// TestTestSetDecidesNothing: with a validation set, another test set changes
// nothing but its own results. Without one it does, which shows that it could.
func TestTestSetDecidesNothing(t *testing.T) {
	for i, test := range validationCases() {
		type epoch struct {
			trainCost, accuracy, cost float64
			advice                    string
		}
		outcome := func(d *data.Dataset) (best, last model.Parameters, epochs []epoch, chosen int) {
			c := smallConfig(t, strings.Fields(test.sets)...)
			s, dir := sessionOn(t, newMachine(test.kind, c), c, &watcher{})
			s.Dataset = d
			result, err := s.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			for _, run := range result.Runs {
				for _, m := range run.Epochs {
					accuracy, cost := m.Judged()
					epochs = append(epochs, epoch{m.TrainCost, accuracy, cost, run.Advice})
				}
			}
			return readModel(t, dir, rundir.BestFile).Parameters, readModel(t, dir, rundir.ModelFile).Parameters, epochs, result.Best
		}
		d, misleading := validated()
		best, last, epochs, chosen := outcome(d)
		best2, last2, epochs2, chosen2 := outcome(misleading)
		if !reflect.DeepEqual(best, best2) || !reflect.DeepEqual(last, last2) || !reflect.DeepEqual(epochs, epochs2) || chosen != chosen2 {
			t.Errorf("%v: another test set changes the run: the best are %d and %d, epochs\n%v\n%v", test, chosen, chosen2, epochs, epochs2)
		}
		if i > 0 {
			continue
		}
		d.Validation, misleading.Validation = nil, nil
		best, _, _, _ = outcome(d)
		best2, _, _, _ = outcome(misleading)
		if reflect.DeepEqual(best, best2) {
			t.Errorf("%v: without a validation set, the test set does not decide", test)
		}
	}
}

// TestChosenOn: a model file says on which set its epoch or its run was chosen. A
// single run's last parameters were not chosen.
func TestChosenOn(t *testing.T) {
	const early = "train.rate.initial=1e-12 train.early_stopping.patience=1"
	for _, test := range []struct {
		sets       string
		validation bool
		best, last string
	}{
		{"", false, "test set", ""},
		{"", true, "validation set", ""},
		{early, false, "test set", "test set"},
		{early, true, "validation set", "validation set"},
		{"train.runs.count=2", false, "test set", "test set"},
		{"train.runs.count=2", true, "validation set", "validation set"},
	} {
		s, dir := session(t, smallConfig(t, append([]string{"train.epochs=3"}, strings.Fields(test.sets)...)...), &watcher{})
		if test.validation {
			s.Dataset, _ = validated()
		}
		if _, err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		best, last := readModel(t, dir, rundir.BestFile).Metadata["chosen_on"], readModel(t, dir, rundir.ModelFile).Metadata["chosen_on"]
		if best != test.best || last != test.last {
			t.Errorf("%+v: chosen on %q, and the last on %q", test, best, last)
		}
		figure := string(read(t, dir, rundir.FigureSVG))
		if !strings.Contains(figure, "chosen on the "+test.best+`"`) || strings.Contains(figure, "validation") != test.validation {
			t.Errorf("%+v: the figure does not say so", test)
		}
		if text := string(read(t, dir, rundir.MetricsFile)); strings.Contains(text, "validation") != test.validation {
			t.Errorf("%+v: metrics.jsonl is %s", test, text)
		}
	}
}
