package suggest

import (
	"strings"
	"testing"
)

func TestNearest(t *testing.T) {
	candidates := []Candidate{
		{Means: "config", Names: []string{"config"}},
		{Means: "out", Names: []string{"out"}, Also: []string{"output", "o"}},
		{Means: "rate", Names: []string{"train.rate.initial", "initial"}, Also: []string{"learning_rate", "lr"}},
		{Means: "data", Names: []string{"data"}},
		{Means: "dataset", Names: []string{"dataset"}},
		{Means: "o", Names: []string{"o"}},
	}
	for word, want := range map[string]string{
		"config": "config", "Config": "config", "confg": "config", "cofnig": "config", "conf": "config", "co": "",
		"o": "o", "output": "out", "x": "", "": "", "ut": "",
		"learning-rate": "rate", "LearningRate": "rate", "learing_rte": "rate", "LR": "rate", "initia": "rate",
		"train_rate_initial": "rate", "dat": "data", "data": "data", "datas": "dataset",
		"momentum": "", "手": "", strings.Repeat("config", 20): "",
	} {
		if got := Nearest(word, candidates); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"eval", "evla", 1}, {"eval", "val", 1}, {"eval", "evaal", 1}, {"eval", "evil", 1}, {"eval", "lave", 3}} {
		if got := edits(c.a, c.b, 9); got != c.want {
			t.Errorf("edits(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if got := edits("abc", strings.Repeat("x", 100), 2); got != 3 {
		t.Errorf("edits above the limit: %d, want 3", got)
	}
}
