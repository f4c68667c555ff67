// Package config reads the configuration of a run.
//
// A configuration is one YAML file with strict rules, and -set key=value
// settings of the command line on top of it:
//
//	c, err := config.Read("configs/mnist.yaml", []string{"train.epochs=5"})
//
// Every key is optional; Default says what it is then. The table in keys.go is
// the one place that says which keys there are, with their types, defaults,
// legal values and documentation. Decoding, -set, the JSON schema (Schema) and
// the text of `trainer help config` (Help) follow from it.
//
// Read reports all problems of a configuration at once, each with its place,
// as an *Error. A Config that Read returns is valid; (Config).YAML writes it
// in full, and reading that gives the same Config.
//
// Strict means: no unknown or duplicate key; a text is not a number, and a
// number is written as in JSON (10, 0.5, 1e-3), never as 010, 0x10, .5, 1_000
// or .inf; an integer has digits only; no anchors, aliases, merge keys or
// tags; UTF-8, one document, at most 1 MiB. Paths in a configuration are
// relative to the current directory, not to the file's.
package config

import (
	"math"
	"slices"

	"trainer/graph/model"
)

// Config is the configuration of a run, resolved: every key has its value.
type Config struct {
	Name      string          // of the run folder
	Seed      uint64          // of all random numbers of the run
	Device    string          // one of Devices
	VM        string          // one of VMs
	Precision model.Precision // of all values of the network
	Model     Model
	Data      Data
	Train     Train
}

// Model is the network and its first parameters.
type Model struct {
	Layers     []int // n^1 … n^L
	Activation model.Activation
	Bias       bool
	Init       Init
}

// Init says where the first parameters come from. File and Rule exclude each
// other; where both are empty, it is Std.
type Init struct {
	Std  float64 // weights are normal with mean 0 and this standard deviation, biases 0
	Rule string  // one of Rules
	File string  // a safetensors file with weights and biases
}

// Kind returns which of the three is given: "std", "rule" or "file".
func (i Init) Kind() string {
	switch {
	case i.File != "":
		return "file"
	case i.Rule != "":
		return "rule"
	}
	return "std"
}

// Data says which images to train on.
type Data struct {
	Dataset  string // one of Datasets
	Dir      string // a folder, relative to the current directory; "" looks in the usual places
	Fallback string // one of Fallbacks
}

// Train says how to train.
type Train struct {
	Epochs        int
	Batch         int // samples a step
	Shuffle       bool
	Rate          Rate
	UpdateOrder   string // one of UpdateOrders
	EarlyStopping EarlyStopping
	Replicas      Replicas
}

// Rate is the schedule of the learning rate η.
type Rate struct {
	Initial float64 // η of the first epoch
	Factor  float64 // η is multiplied by it …
	Every   int     // … after this many epochs
}

// At returns η of an epoch, counted from 1:
//
//	η = initial · factor^⌊(epoch−1)/every⌋
func (r Rate) At(epoch int) float64 {
	return r.Initial * math.Pow(r.Factor, float64((epoch-1)/r.Every))
}

// Replicas are independent runs of the same training, of which the best is
// kept. (Config).Replica says what each is.
type Replicas struct {
	Count int       // 1: the run itself
	Rates []float64 // learning rates of the first epoch, in turn; none: Rate.Initial for all
}

// Replica returns the configuration of replica r, counted from 0, as a run of
// its own: seed + r, and the r-th of the rates, over and over. The data set is
// that of c for all replicas, also where it is drawn from the seed.
func (c Config) Replica(r int) Config {
	c.Seed += uint64(r)
	if rates := c.Train.Replicas.Rates; len(rates) > 0 {
		c.Train.Rate.Initial = rates[r%len(rates)]
	}
	c.Train.Replicas = Replicas{Count: 1}
	return c
}

// EarlyStopping ends a run whose test accuracy no longer rises.
type EarlyStopping struct {
	Patience int     // epochs without improvement; 0 is off
	MinDelta float64 // an improvement is a rise of the best test accuracy by more than this
}

// The legal values of the keys that take one of a few words.
var (
	Devices = []string{"auto", "cpu", "cuda"}

	// VMs lists the machines. A new machine is added here, and where main
	// makes them.
	VMs = []string{"auto", "cpu", "interpret", "tape"}

	// Rules lists the rules for the first weights: hidden is the listing's,
	// model.HiddenRule; zeros sets all to 0.
	Rules = []string{"hidden", "zeros"}

	Datasets     = []string{"mnist", "csv", "idx", "digits"}
	Fallbacks    = []string{"none", "digits"}
	UpdateOrders = []string{"simultaneous", "listing"}
)

// Default returns the configuration of an empty file: every key's default.
func Default() Config {
	var c Config
	for i := range keys {
		if k := &keys[i]; k.def != "" {
			n, _ := parse([]byte(k.def))
			if bad := k.decode(&c, n); bad != nil {
				panic("BUG: default of " + k.path + ": " + bad[0].text)
			}
		}
	}
	return c
}

// Network returns the network that c describes.
func (c Config) Network() model.Network {
	return model.Network{
		Layers:     slices.Clone(c.Model.Layers),
		Activation: c.Model.Activation,
		Bias:       c.Model.Bias,
		Precision:  c.Precision,
	}
}
