package train_test

import (
	"context"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"trainer/data"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
)

// someDigits are enough built-in digits to learn from in a few epochs.
var someDigits = sync.OnceValue(func() *data.Dataset { return data.GenerateDigits(1, 3000, 300) })

// trainDigits trains on digits, four epochs unless sets say otherwise.
func trainDigits(t *testing.T, d *data.Dataset, sets ...string) ([]train.Run, string) {
	t.Helper()
	if testing.Short() {
		t.Skip("trains on 3,000 images")
	}
	c, err := config.Read("", append([]string{"train.epochs=4", "train.rate.initial=0.3"}, sets...))
	if err != nil {
		t.Fatal(err)
	}
	s, dir := sessionOn(t, newMachine("cpu", c), c, &watcher{})
	s.Dataset = d
	result, err := s.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return result.Runs, dir
}

// TestAdvice: a run that learns nothing, or gets worse, says why and names the
// key, and the run that follows the advice has none.
func TestAdvice(t *testing.T) {
	const (
		rateLarge = "learning rate is likely too large: lower train.rate.initial, now "
		rateSmall = "learning rate is likely too small for "
		initLarge = "first weights are likely too large"
		initSmall = "first weights are likely too small"
		equal     = "all nodes of layer 2 have equal weights"
	)
	for _, test := range []struct{ sets, want, key, follow string }{
		{"model.init.std=0.05 train.rate.initial=1e-6", rateSmall + "12000 steps", "raise train.rate.initial, now 1e-06", "train.rate.initial=0.1"},
		{"model.init.std=0.05 train.rate.initial=1e-3", rateSmall, "raise train.rate.initial, now 0.001", "train.rate.initial=0.01"},
		{"model.init.std=0.05 train.rate.initial=0.01 train.batch=128", rateSmall + "96 steps", "raise train.rate.initial", "train.rate.initial=1"},
		{"model.init.std=0.05 train.rate.initial=0.01 train.rate.factor=0.001 train.epochs=2", rateSmall, "or train.rate.factor, by which it fell to 1e-05", "train.rate.initial=0.3"},
		{"model.init.std=0.05 train.rate.initial=3", "got worse (training cost 0.1", rateLarge + "3", "train.rate.initial=0.3"},
		{"model.init.std=0.05 train.rate.initial=10", rateLarge + "10,", "a tenth or less", "train.rate.initial=1"},
		{"model.init.std=0.05 train.rate.initial=1000", rateLarge + "1000,", "a tenth or less", "train.rate.initial=1"},
		{"model.init.std=1 train.rate.initial=100", rateLarge + "100,", "a tenth or less", "train.rate.initial=1"},
		{"model.bias=false train.rate.initial=100", "answers class", rateLarge + "100,", "train.rate.initial=1"},
		{"model.layers=[784,30,30,30,10] train.rate.initial=30", rateLarge + "30,", "a tenth or less", "train.rate.initial=0.3"},
		{"train.batch=16 train.rate.initial=30", rateLarge + "30,", "a tenth or less", "train.rate.initial=3"},
		{"model.init.rule=zeros", equal, "set model.init.rule to hidden", "model.init.rule=hidden"},
		{"model.init.std=0", equal, "set model.init.rule to hidden, instead of model.init.std", "model.init.std=0.1"},
		{"model.init.std=3", initLarge, "set model.init.std to 0.", ""},
		{"model.init.std=100", initLarge + ", with 100 % of a layer's nodes saturated", "set model.init.std to 0.", ""},
		{"model.layers=[784,30,30,30,10] model.init.std=0.05", initSmall, "set model.init.std to 0.", ""},
		{"model.layers=[784,30,30,30,30,30,10] model.init.rule=hidden", initSmall, "set model.init.std to 0.7, instead of model.init.rule", "model.init.std=0.7"},
		{"model.activation=tanh model.init.std=0.05 train.rate.initial=1e-6", rateSmall, "raise train.rate.initial", "train.rate.initial=0.001"},
		{"model.activation=tanh model.init.std=0.05 train.rate.initial=0.1", "training cost", rateLarge + "0.1", "train.rate.initial=0.01"},
		{"model.activation=tanh model.init.std=0.05 train.rate.initial=0.3", rateLarge + "0.3", "", "train.rate.initial=0.01"},
		{"model.activation=tanh model.init.std=0.05 train.rate.initial=100", rateLarge + "100,", "", "train.rate.initial=0.01"},
		{"model.activation=tanh model.init.rule=zeros train.rate.initial=0.01", equal, "set model.init.rule to hidden", "model.init.rule=hidden"},
		{"model.activation=tanh model.init.std=10 train.rate.initial=0.01", initLarge, "set model.init.std to 0.", ""},
		{"model.layers=[784,1,10] model.init.std=0.05 train.rate.initial=0.1", "one node cannot tell the classes apart", "model.layers", "model.layers=[784,30,10]"},
	} {
		sets := strings.Fields(test.sets)
		runs, _ := trainDigits(t, someDigits(), sets...)
		advice := runs[0].Advice
		if !strings.Contains(advice, test.want) || !strings.Contains(advice, test.key) || strings.Contains(advice, "\n") {
			t.Errorf("%s: accuracy %.3f, advice %q; want %q and %q", test.sets, runs[0].Last.TrainAccuracy, advice, test.want, test.key)
			continue
		}
		follow := test.follow
		if found := regexp.MustCompile(`set (model.init.std) to ([0-9.e-]+)`).FindStringSubmatch(advice); follow == "" {
			follow = found[1] + "=" + found[2]
		}
		for i, set := range sets { // of two keys that exclude each other, one
			if strings.HasPrefix(set, "model.init") && strings.HasPrefix(follow, "model.init") {
				sets[i] = follow
			}
		}
		runs, _ = trainDigits(t, someDigits(), append(sets, follow)...)
		if advice := runs[0].Advice; advice != "" {
			t.Errorf("%s and then %s: accuracy %.3f, advice %q, want none", test.sets, follow, runs[0].Last.TrainAccuracy, advice)
		}
	}
}

// TestNoAdvice: runs that learn have none, whatever their settings.
func TestNoAdvice(t *testing.T) {
	for _, sets := range []string{
		"train.epochs=1",
		"model.init.std=0.05 train.rate.factor=0.9 train.epochs=12",
		"model.init.std=0.05 train.rate.initial=3 train.batch=128 train.epochs=10",
		"model.init.std=1 train.rate.initial=3 train.batch=10",
		"model.bias=false train.rate.initial=0.1 train.shuffle=false",
		"model.activation=tanh model.init.std=0.05 train.rate.initial=0.01",
		"model.layers=[784,10] model.init.rule=zeros", // no hidden nodes that could be equal
		"model.layers=[784,50,47]",
		"model.layers=[784,30,20,10] train.rate.initial=0.5",
		"precision=float64 train.epochs=2",
	} {
		if runs, _ := trainDigits(t, someDigits(), strings.Fields(sets)...); runs[0].Advice != "" {
			t.Errorf("%s: accuracy %.3f, advice %q, want none", sets, runs[0].Last.TrainAccuracy, runs[0].Advice)
		}
	}
}

// TestAdviceLostUpdates: a run of float32 whose updates are too small for its weights
// says so, and names the precision.
func TestAdviceLostUpdates(t *testing.T) {
	d := someDigits()
	_, dir := trainDigits(t, d)
	file := "model.init.file=" + filepath.Join(dir, rundir.BestFile)
	for precision, want := range map[string]string{"float32": "of the weights, because its updates are smaller than the rounding of float32: use precision: float64", "float64": ""} {
		runs, _ := trainDigits(t, d, file, "precision="+precision, "train.batch=3000", "train.rate.initial=1e-7")
		if advice := runs[0].Advice; want == "" && advice != "" || !strings.Contains(advice, want) {
			t.Errorf("%s: advice %q, want %q", precision, advice, want)
		}
	}
}

// TestAdviceLabels: labels that have nothing to do with the images are not taken
// for a wrong rate; a set with one frequent class is not taken for a failure.
func TestAdviceLabels(t *testing.T) {
	d := someDigits()
	mixed := *d.Train
	mixed.Labels = make([]uint8, mixed.Len())
	for i, to := range data.Shuffled(mixed.Len(), 1, 1) {
		mixed.Labels[i] = d.Train.Labels[to]
	}
	runs, _ := trainDigits(t, &data.Dataset{Name: "mixed", Train: &mixed, Test: d.Test}, "train.epochs=2")
	if advice := runs[0].Advice; !strings.Contains(advice, "check that the labels belong to the images") {
		t.Errorf("labels in random order: accuracy %.3f, advice %q", runs[0].Last.TrainAccuracy, advice)
	}

	rare := *d.Train
	rare.Labels = make([]uint8, rare.Len())
	for i, l := range d.Train.Labels {
		if l == 1 {
			rare.Labels[i] = 1
		}
	}
	runs, _ = trainDigits(t, &data.Dataset{Name: "rare", Train: &rare, Test: d.Test}, "train.epochs=2")
	if advice := runs[0].Advice; advice != "" {
		t.Errorf("a rare class that is found: accuracy %.3f, advice %q", runs[0].Last.TrainAccuracy, advice)
	}
	runs, _ = trainDigits(t, &data.Dataset{Name: "rare", Train: &rare, Test: d.Test}, "train.epochs=2", "train.rate.initial=1e-4")
	if advice := runs[0].Advice; !strings.Contains(advice, "answers class 0 for 100 %") || !strings.Contains(advice, "too small") {
		t.Errorf("a rare class that is not found: accuracy %.3f, advice %q", runs[0].Last.TrainAccuracy, advice)
	}
}

// TestAdviceInitFile: a model that gets worse than it was has the rate to blame,
// also within one epoch, and though its nodes are saturated as those of any trained
// network are.
func TestAdviceInitFile(t *testing.T) {
	_, dir := trainDigits(t, someDigits(), "model.init.std=0.05")
	file := "model.init.file=" + filepath.Join(dir, rundir.ModelFile)
	for sets, want := range map[string]string{
		"train.epochs=1 train.rate.initial=0.1": "",
		"train.epochs=1 train.rate.initial=5":   "got worse than model.init.file",
		"train.epochs=3 train.rate.initial=100": "learned nothing",
	} {
		runs, _ := trainDigits(t, someDigits(), append(strings.Fields(sets), file)...)
		if advice := runs[0].Advice; !strings.HasPrefix(advice, want) || (advice == "") != (want == "") || want != "" && !strings.Contains(advice, "lower train.rate.initial") {
			t.Errorf("%s: accuracy %.3f, advice %q; want %q", sets, runs[0].Last.TrainAccuracy, advice, want)
		}
	}
}

// TestAdviceRuns: of several runs, each has its own advice, in runs.json too.
func TestAdviceRuns(t *testing.T) {
	_, dir := trainDigits(t, someDigits(), "train.epochs=2", "train.runs.count=2", "train.rate.initial=1e-6")
	all := runsOf(t, dir)
	for r, want := range []string{"raise train.rate.initial, now 1e-06", "raise train.rate.initial, now 1e-06"} {
		if advice := all[r].Advice; !strings.Contains(advice, want) || (advice == "") != (want == "") {
			t.Errorf("run %d: advice %q, want %q", r, advice, want)
		}
	}
}
