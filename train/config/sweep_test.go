package config

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// TestSweep: the combinations come in order, each with every seed, and are what Read
// gives with the same settings.
func TestSweep(t *testing.T) {
	file := write(t, "seed: 7\nsweep:\n  over:\n    train.rate.initial: log:0.01..1:3\n    model.layers: [[784, 10, 10], [784, 50, 10]]\n  seeds: 2\n")
	for name, test := range map[string]struct {
		file  string
		flags SweepFlags
		want  []string
	}{
		"file": {file, SweepFlags{}, []string{
			"train.rate.initial=0.01 model.layers=[784, 10, 10] seed=7", "train.rate.initial=0.01 model.layers=[784, 10, 10] seed=8",
			"train.rate.initial=0.01 model.layers=[784, 50, 10] seed=7", "train.rate.initial=0.01 model.layers=[784, 50, 10] seed=8",
			"train.rate.initial=0.1 model.layers=[784, 10, 10] seed=7", "train.rate.initial=0.1 model.layers=[784, 10, 10] seed=8",
			"train.rate.initial=0.1 model.layers=[784, 50, 10] seed=7", "train.rate.initial=0.1 model.layers=[784, 50, 10] seed=8",
			"train.rate.initial=1 model.layers=[784, 10, 10] seed=7", "train.rate.initial=1 model.layers=[784, 10, 10] seed=8",
			"train.rate.initial=1 model.layers=[784, 50, 10] seed=7", "train.rate.initial=1 model.layers=[784, 50, 10] seed=8",
		}},
		"flags go first": {file, SweepFlags{Over: []string{"train.rate.initial=0.5", "model.layers=[784,20,10]"}, Seeds: 1}, []string{
			"train.rate.initial=0.5 model.layers=[784, 20, 10]",
		}},
		"ranges": {"", SweepFlags{Over: []string{"train.rate.initial=5e-3,lin:0.1..0.3:3", "train.batch=log:1..1000:4"}}, []string{
			"train.rate.initial=0.005 train.batch=1", "train.rate.initial=0.005 train.batch=10", "train.rate.initial=0.005 train.batch=100", "train.rate.initial=0.005 train.batch=1000",
			"train.rate.initial=0.1 train.batch=1", "train.rate.initial=0.1 train.batch=10", "train.rate.initial=0.1 train.batch=100", "train.rate.initial=0.1 train.batch=1000",
			"train.rate.initial=0.2 train.batch=1", "train.rate.initial=0.2 train.batch=10", "train.rate.initial=0.2 train.batch=100", "train.rate.initial=0.2 train.batch=1000",
			"train.rate.initial=0.3 train.batch=1", "train.rate.initial=0.3 train.batch=10", "train.rate.initial=0.3 train.batch=100", "train.rate.initial=0.3 train.batch=1000",
		}},
		"words and texts": {"", SweepFlags{Over: []string{"model.init.rule=hidden,xavier", "name=2026,b"}}, []string{
			`model.init.rule=hidden name="2026"`, "model.init.rule=hidden name=b", `model.init.rule=xavier name="2026"`, "model.init.rule=xavier name=b",
		}},
		"seeds only": {"", SweepFlags{Seeds: 2}, []string{"seed=1", "seed=2"}},
		"the seed":   {"", SweepFlags{Over: []string{"seed=3,9"}}, []string{"seed=3", "seed=9"}},
	} {
		s, err := ReadSweep(test.file, nil, test.flags, nil)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var have []string
		for i, c := range s.Combinations {
			have = append(have, s.Title(c))
			sets := []string{fmt.Sprintf("seed=%d", c.Config.Seed)}
			for k, v := range c.Values {
				sets = append(sets, s.Over[k].Key+"="+v)
			}
			if want, err := Read("", sets); err != nil || !reflect.DeepEqual(want, c.Config) || c.Index != i {
				t.Errorf("%s: combination %d is %+v, want %+v, %v", name, i, c.Config, want, err)
			}
		}
		if !reflect.DeepEqual(have, test.want) {
			t.Errorf("%s:\n%s\nwant\n%s", name, strings.Join(have, "\n"), strings.Join(test.want, "\n"))
		}
		roundTrip(t, name, s)
	}
}

// roundTrip checks that the file of a sweep is the same sweep.
func roundTrip(t *testing.T, name string, s *Sweep) {
	t.Helper()
	text, err := s.YAML()
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseSweep(text, "sweep.yaml", nil)
	if err != nil {
		t.Errorf("%s: %v in\n%s", name, err, text)
		return
	}
	if d := s.Differences(again); d != nil || !reflect.DeepEqual(again.Combinations, s.Combinations) {
		t.Errorf("%s: the file is another sweep: %v\n%s", name, d, text)
	}
}

// TestSweepRandom: as many different combinations as asked for, within the ranges, the
// same each time, others for another seed.
func TestSweepRandom(t *testing.T) {
	flags := SweepFlags{Over: []string{"train.rate.initial=log:0.01..1", "train.batch=lin:1..64", "train.shuffle=true,false"}, Random: 40, Seeds: 2}
	s, err := ReadSweep("", nil, flags, nil)
	if err != nil {
		t.Fatal(err)
	}
	below := 0
	seen := map[string]bool{}
	for i := 0; i < len(s.Combinations); i += 2 {
		c := s.Combinations[i]
		seen[strings.Join(c.Values, " ")] = true
		if r := c.Config.Train.Rate.Initial; r < 0.01 || r > 1 {
			t.Errorf("rate %v", r)
		} else if r < 0.1 {
			below++
		}
		if b := c.Config.Train.Batch; b < 1 || b > 64 {
			t.Errorf("batch %v", b)
		}
		if other := s.Combinations[i+1]; !reflect.DeepEqual(other.Values, c.Values) || other.Config.Seed != c.Config.Seed+1 {
			t.Errorf("the seeds of %v: %v", c.Values, other.Values)
		}
	}
	if len(s.Combinations) != 80 || len(seen) != 40 || below < 10 || below > 30 {
		t.Errorf("%d runs, %d combinations, %d of them below the middle", len(s.Combinations), len(seen), below)
	}
	roundTrip(t, "random", s)
	if other, err := ReadSweep("", []string{"seed=2"}, flags, nil); err != nil || reflect.DeepEqual(other.Combinations[0].Values, s.Combinations[0].Values) {
		t.Errorf("another seed draws the same, %v", err)
	}
	all, err := ReadSweep("", nil, SweepFlags{Over: []string{"train.batch=1,2,3", "train.epochs=1,2"}, Random: 6}, nil)
	if err != nil || len(all.Combinations) != 6 {
		t.Errorf("6 of 6: %v", err)
	}
}

// TestSweepRefused: what cannot be swept is an error that says where and what to do.
func TestSweepRefused(t *testing.T) {
	over := func(o ...string) SweepFlags { return SweepFlags{Over: o} }
	for _, test := range []struct {
		file  string
		sets  string
		flags SweepFlags
		want  string
	}{
		{"", "", SweepFlags{}, "nothing to sweep"},
		{"", "", over("train.rate.initial"), "want key=value,value"},
		{"", "", over("train.rate.inital=1"), "did you mean train.rate.initial?"},
		{"", "", over("learning_rate=1"), "did you mean train.rate.initial?"},
		{"", "", over("train.rate=1"), "is a group: sweep one of its keys, initial, factor, every"},
		{"", "", over("train.batch="), "no values"},
		{"", "", over("train.batch= "), "no values"},
		{"", "", over("train.batch=1,2,1"), "has 1 twice"},
		{"", "", over("train.rate.initial=0.1,1e-1"), "has 0.1 twice"},
		{"", "", over("train.batch=1", "train.batch=2"), "train.batch is swept twice"},
		{"", "", over("train.batch=1.5"), "have 1.5, want a whole number"},
		{"", "", over("train.batch=1,x"), "have x, want a whole number"},
		{"", "", over("train.batch=[1"), "is not YAML"},
		{"", "", over("model.layers=784,10"), "write it as [784, 50, 10]"},
		{"", "", over("data.train=*.csv"), "stands in quotes"},
		{"", "", over("train.rate.initial=log:0..1:3"), "and 0 is not one"},
		{"", "", over("data.inputs.low=log:-1..1:3"), "equal ratios cannot begin at -1"},
		{"", "", over("train.rate.initial=log:a..1:3"), "and a is not one"},
		{"", "", over("train.rate.initial=log:1..0.1:3"), "want the smaller end first"},
		{"", "", over("train.rate.initial=log:0.1..1:1"), `the number of values is "1"`},
		{"", "", over("train.rate.initial=log:0.1..1:x"), `the number of values is "x"`},
		{"", "", over("train.rate.initial=log:0.1..1:"), `the number of values is ""`},
		{"", "", over("train.rate.initial=log:0.1-1"), "write a range as log:0.01..1:9"},
		{"", "", over("train.rate.initial=log:0.1..1"), "write log:0.1..1:5 for five of them"},
		{"", "", over("train.rate.initial=0.5,log:0.1..1"), "stands beside others"},
		{"", "", over("train.batch=lin:1..3:9"), "only 3 of these 9 values differ"},
		{"", "", over("model.layers=log:1..2:3"), "a range is for keys that have numbers"},
		{"", "", over("train.runs.count=1,2"), "that of its seeds"},
		{"", "train.runs.count=3", over("train.batch=1"), "-seeds 3"},
		{"", "", SweepFlags{Over: []string{"seed=1,2"}, Seeds: 2}, "there are 2 seeds for every combination"},
		{"", "", over("model.init.rule=hidden", "model.init.std=0.1"), "excludes model.init.rule, which is swept too"},
		{"", "", SweepFlags{Over: []string{"train.batch=1,2"}, Random: 3}, "-random 3 of 2 combinations"},
		{"", "", SweepFlags{Seeds: 2, Random: 3}, "no key has some"},
		{"", "", over("train.rate.initial=lin:0.1..1:200", "train.batch=lin:1..200:200"), "40000 combinations with 1 seeds are 40000 runs, the limit is 10000"},
		{"", "", SweepFlags{Over: []string{"train.rate.initial=lin:0.1..1"}, Random: 6000, Seeds: 2}, "the limit is 10000"},
		{"", "seed=9007199254740990", SweepFlags{Seeds: 5}, "the seed of the last of 5 runs is above"},
		// Impossible combinations are named; what all have is not.
		{"", "", over("model.layers=[9,3],[9,4,3]", "model.init.std=0.1,[0.1,0.2]"), "(the combination model.layers=[9, 3] model.init.std=[0.1, 0.2])"},
		{"", "", over("machine=compiled,tape", "train.update_order=simultaneous,listing", "train.batch=1,2"), "(the combination machine=tape train.update_order=listing train.batch=1, and 1 more)"},
		{"sweep: {over: {train.batch: [1, 0]}}\n", "", SweepFlags{}, "c.yaml:1:33: sweep.over.train.batch: have 0"},
		{"sweep: {over: {train: {batch: [1]}}}\n", "", SweepFlags{}, "is a group: write the path"},
		{"sweep: {over: [1]}\n", "", SweepFlags{}, "want keys with their values"},
		{"sweep: {seed: 2}\n", "", SweepFlags{}, "did you mean seeds?"},
		{"sweep: {seeds: 0}\n", "", SweepFlags{}, "want a whole number from 1"},
		{"sweep: 3\n", "", SweepFlags{}, "want keys: over, seeds, random"},
		{"sweep: {over: {train.batch: [1, 2]}}\nsweep: {seeds: 2}\n", "", SweepFlags{}, "second time"},
		{"sweep: {over: {train.batch: [1, 2], train.batch: [3]}}\n", "", SweepFlags{}, "second time"},
	} {
		file := ""
		if test.file != "" {
			file = write(t, test.file)
		}
		var sets []string
		if test.sets != "" {
			sets = []string{test.sets}
		}
		_, err := ReadSweep(file, sets, test.flags, nil)
		var bad *Error
		if !errors.As(err, &bad) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q %v: %v, want %q", test.file, test.flags, err, test.want)
		}
	}
	every, err := ReadSweep("", []string{"train.epochs=0"}, over("train.batch=1,2"), nil)
	if err == nil || strings.Contains(err.Error(), "combination") {
		t.Errorf("a fault of all: %v, %v", every, err)
	}
}

// TestSweepElsewhere: other commands do not train a file with a sweep in silence.
func TestSweepElsewhere(t *testing.T) {
	_, err := Read(write(t, "sweep: {over: {train.batch: [1, 2]}}\n"), nil)
	if err == nil || !strings.Contains(err.Error(), "only trainer sweep reads this") {
		t.Error(err)
	}
}

// TestSweepDifferences: two sweeps differ in what changes a result.
func TestSweepDifferences(t *testing.T) {
	read := func(sets []string, flags SweepFlags) *Sweep {
		s, err := ReadSweep("", sets, flags, nil)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	over := SweepFlags{Over: []string{"train.rate.initial=0.1,0.3"}, Seeds: 2}
	a := read(nil, over)
	for want, b := range map[string]*Sweep{
		"":                                     read([]string{"name=x", "lang=zh", "data.dir=y", "device=cpu"}, over),
		"train.epochs 10 11":                   read([]string{"train.epochs=11"}, over),
		"seed 1 2":                             read([]string{"seed=2"}, over),
		"sweep.seeds 2 3":                      read(nil, SweepFlags{Over: over.Over, Seeds: 3}),
		"train.rate.initial 0.1, 0.3 0.1, 0.5": read(nil, SweepFlags{Over: []string{"train.rate.initial=0.1,0.5"}, Seeds: 2}),
		"train.batch  1, 2":                    read(nil, SweepFlags{Over: []string{"train.rate.initial=0.1,0.3", "train.batch=1,2"}, Seeds: 2}),
	} {
		have := ""
		for _, d := range a.Differences(b) {
			have += d.Path + " " + d.Values[0] + " " + d.Values[1]
		}
		if have != want {
			t.Errorf("differences %q, want %q", have, want)
		}
	}
}

// TestSweepInit: first weights from a model decide the network, also where the files are
// swept.
func TestSweepInit(t *testing.T) {
	known := func(file string) (Known, error) {
		if strings.HasSuffix(file, "bad") {
			return Known{}, errors.New("no such model")
		}
		n := Default().Network()
		n.Layers = []int{784, 7, 10}
		return Known{File: file, Network: n, Activation: true, Precision: true}, nil
	}
	s, err := ReadSweep("", nil, SweepFlags{Over: []string{"model.init.file=a,b"}}, known)
	if err != nil || !reflect.DeepEqual(s.Combinations[1].Config.Model.Layers, []int{784, 7, 10}) {
		t.Fatal(err)
	}
	if _, err := ReadSweep("", nil, SweepFlags{Over: []string{"model.init.file=a,bad"}}, known); err == nil || !strings.Contains(err.Error(), "no such model") {
		t.Error(err)
	}
}
