package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data/lang"
	"trainer/train/terminal"
)

const configsDir = "../../configs"

func TestSchemaIsFresh(t *testing.T) {
	golden(t, filepath.Join(configsDir, "schema.json"), Schema())
}

// TestSchemaHasEveryKey walks the schema to each key of the table.
func TestSchemaHasEveryKey(t *testing.T) {
	type node struct {
		Type                 any
		Description          string
		Default              any
		Properties           map[string]*node
		AdditionalProperties *bool
	}
	var root node
	if err := json.Unmarshal(Schema(), &root); err != nil {
		t.Fatal(err)
	}
	for i := range keys {
		k := &keys[i]
		at := &root
		for part := range strings.SplitSeq(k.path, ".") {
			if !strings.Contains(fmt.Sprint(at.Type), "object") || at.AdditionalProperties == nil || *at.AdditionalProperties {
				t.Errorf("a group of %s takes unknown keys", k.path)
			}
			if at = at.Properties[part]; at == nil {
				t.Fatalf("the schema has no %s", k.path)
			}
		}
		if at.Description != k.doc.En || at.Type == nil || (at.Default == nil) != (k.def == "") {
			t.Errorf("%s: schema %+v", k.path, at)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, l := range []lang.Language{lang.English, lang.Chinese} {
		lines := strings.Split(Help(l), "\n")
		before, _, _ := strings.Cut(lines[0], meaningText.In(l))
		at := terminal.Columns(before)
		for i := range keys {
			found := false
			for _, line := range lines {
				found = found || strings.HasPrefix(line, keys[i].path+" ") && strings.Contains(line, keys[i].def)
			}
			if !found {
				t.Errorf("no line for %s with its default", keys[i].path)
			}
		}
		for _, line := range lines {
			if terminal.Columns(line) > helpWidth || len(line) > at && line[at-1] != ' ' && line != lines[0] {
				t.Errorf("not aligned, or too wide: %q", line)
			}
		}
	}
}

// TestConfigs reads the configuration files of the project.
func TestConfigs(t *testing.T) {
	files, _ := filepath.Glob(configsDir + "/*.yaml")
	names := map[string]Config{}
	for _, file := range files {
		c, err := Read(file, nil)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(source), "# yaml-language-server: $schema=schema.json\n") {
			t.Errorf("%s: the first line does not name the schema", file)
		}
		if c.Name+".yaml" != filepath.Base(file) {
			t.Errorf("%s: the name is %s", file, c.Name)
		}
		if c.Data.Fallback != "digits" {
			t.Errorf("%s does not run without network and data", file)
		}
		names[c.Name] = c
	}

	sweeps, _ := filepath.Glob(configsDir + "/sweeps/*.yaml")
	for _, file := range sweeps {
		if s, err := ReadSweep(file, nil, SweepFlags{}, nil); err != nil || len(s.Combinations) < 4 || s.Combinations[0].Config.Data.Validation == 0 {
			t.Errorf("%s: %v; want a sweep that is judged on a validation set", file, err)
		}
	}
	if len(sweeps) == 0 {
		t.Error("no sweeps")
	}

	// These are the settings of the textbook's listing.
	c := names["textbook"]
	if got := c.Network().String(); got != "784-50-10 sigmoid, no bias, float64" {
		t.Errorf("textbook: %s", got)
	}
	if c.Train.Shuffle || c.Train.Batch != 1 || c.Train.Epochs != 50 || c.Train.Rate.At(50) != 0.1 || c.Model.Init.Rule != "hidden" {
		t.Errorf("textbook: %+v", c)
	}
	if c := names["mnist"]; c.Train.Batch != 1 || c.Train.Epochs != 50 {
		t.Errorf("mnist: %+v", c)
	}
	if c := names["minibatch"]; c.Train.Batch < 2 {
		t.Errorf("minibatch: %+v", c)
	}
}

// TestMNISTHasEveryKey checks that configs/mnist.yaml has every key, as it claims.
func TestMNISTHasEveryKey(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(configsDir, "mnist.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	r := newReader()
	r.source(source)
	for i := range keys {
		k := &keys[i]
		_, given := r.places[k.path]
		if k.exclusive { // one has a value, the others are in comments
			given = strings.Contains(string(source), " "+k.name()+": ")
		}
		if k.kind != group && !given {
			t.Errorf("mnist.yaml does not have %s", k.path)
		}
	}
}

func TestNearest(t *testing.T) {
	for _, test := range []struct{ group, name, want string }{
		{"", "sede", "seed"},
		{"", "precisio", "precision"},
		{"", "epochs", "train.epochs"},
		{"train", "epoch", "train.epochs"},
		{"train", "shufle", "train.shuffle"},
		{"train", "factor", "train.rate.factor"},
		{"train", "earlystopping", "train.early_stopping"},
		{"", "model.layer", "model.layers"},
		{"", "machin", "machine"},
		{"", "optimizer", ""},
		{"", "", ""},
	} {
		if got := nearest(test.group, test.name); got != test.want {
			t.Errorf("nearest to %q in %q is %q, want %q", test.name, test.group, got, test.want)
		}
	}
}
