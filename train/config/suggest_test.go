package config

import (
	"slices"
	"strings"
	"testing"
)

// TestSynonyms checks the tables: every key and word is there, and no name is
// ambiguous.
func TestSynonyms(t *testing.T) {
	means := map[string]string{}
	for _, k := range keys {
		if !strings.Contains(k.path, ".") {
			means[k.path] = k.path
		}
	}
	for path, names := range synonyms {
		if find(path) == nil {
			t.Errorf("there is no key %s", path)
		}
		for _, name := range strings.Fields(names) {
			if other := means[name]; other != "" {
				t.Errorf("%s is %s and %s", name, path, other)
			}
			means[name] = path
			if name == find(path).name() {
				t.Errorf("%s is the key's own name", name)
			}
		}
	}
	for _, e := range elsewhere {
		for _, name := range strings.Fields(e.names) {
			if other := means[name]; other != "" {
				t.Errorf("%s is %s, and elsewhere only", name, other)
			}
			means[name] = "elsewhere"
			for _, k := range keys {
				if k.name() == name {
					t.Errorf("%s is a key, %s, and elsewhere only", name, k.path)
				}
			}
		}
	}
	for setting := range words {
		path, word, _ := strings.Cut(setting, "=")
		if k := find(path); k == nil || !slices.Contains(k.choices, word) {
			t.Errorf("there is no %s", setting)
		}
	}
}

// TestMeant: what other programs call a key leads to it, wherever it is given.
func TestMeant(t *testing.T) {
	for name, want := range map[string]string{
		"learning_rate": "train.rate.initial", "learningRate": "train.rate.initial", "lr": "train.rate.initial", "eta": "train.rate.initial",
		"batch_size": "train.batch", "batchsize": "train.batch", "mini_batch_size": "train.batch", "batch-size": "train.batch",
		"hidden": "model.layers", "hidden_layers": "model.layers", "layers": "model.layers", "num_hidden": "model.layers",
		"epoch": "train.epochs", "num_epochs": "train.epochs", "max_iter": "train.epochs", "seeds": "train.runs.count", "random_state": "seed",
		"leraning_rate": "train.rate.initial", "dtype": "precision", "patience": "train.early_stopping.patience",
		"optimizer": "the optimizer is plain gradient descent", "loss": "half the squared error", "num_workers": "all cores are used",
	} {
		for where, err := range map[string]error{
			"at the top": second(readSource([]byte(name + ": 1\n"))),
			"in train":   second(readSource([]byte("train: {" + name + ": 1}\n"))),
			"-set":       second(Read("", []string{name + "=1"})),
			"in a group": second(Read("", []string{"training." + name + "=1"})),
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s, %s: %v; want %s", name, where, err, want)
			}
		}
	}
}

func second(_ Config, err error) error { return err }

func TestSetting(t *testing.T) {
	for _, c := range []struct{ path, value, want string }{
		{"train.epochs", "5", "train.epochs=5"},
		{"train.epochs", "", "train.epochs=10"},
		{"train.epochs", "-1", "train.epochs=10"},
		{"train.epochs", "[", "train.epochs=10"},
		{"model.layers", "[9, 3]", "model.layers=[9, 3]"},
		{"model.layers", "9,3", "model.layers=[9, 3]"},
		{"model.layers", "30", "model.layers=[784, 30, 10]"},
		{"model.layers", "x", "model.layers=[784, 50, 10]"},
		{"data.dir", "", "data.dir=DIR"},
		{"data.dir", "2026", "data.dir=2026"},
		{"device", "gpu", "device=auto"},
		{"train", "x", "train.epochs=10"},
		{"model.init", "", "model.init.std=STD"},
	} {
		if got := Setting(c.path, c.value); got != c.want {
			t.Errorf("Setting(%q, %q) = %q, want %q", c.path, c.value, got, c.want)
		}
	}
}
