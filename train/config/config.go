// Package config reads the configuration of a run.
//
// A configuration is a YAML file with strict rules, plus settings of the command line
// (-set key=value), which override the file:
//
//	c, err := config.Read("configs/mnist.yaml", []string{"train.epochs=5"})
//
// Every key is optional; Default returns the defaults. The table in keys.go defines
// all keys with their types, defaults, legal values and documentation. Decoding,
// -set, the JSON schema (Schema) and the text of `trainer help config` (Help) all
// use this table.
//
// Read reports all problems of a configuration at once, each with its place, as an
// *Error. A Config that Read returns is valid. (Config).YAML writes all keys of it;
// reading that file gives the same Config.
//
// The rules are:
//
//   - no unknown and no duplicate keys;
//   - a text is not a number; a number is written as in JSON (10, 0.5, 1e-3), never
//     as 010, 0x10, .5, 1_000 or .inf; an integer has only digits;
//   - no anchors, aliases, merge keys or tags;
//   - UTF-8, one document, at most 1 MiB.
//
// Paths in a configuration are relative to the current directory, not to the folder
// of the file. ~/ is the home folder. (Config).Absolute makes them absolute.
package config

import (
	"math"
	"slices"

	"trainer/data"
	"trainer/data/augment"
	"trainer/graph/model"
	"trainer/train/lang"
)

// Config is the resolved configuration of a run: every key has a value.
type Config struct {
	Name      string          // a part of the name of the run folder, and in the figures
	Seed      uint64          // seed of all random numbers of the run
	Device    string          // one of Devices
	Machine   string          // one of Machines
	Precision model.Precision // of all values of the network
	Lang      string          // one of Languages: see Language
	Model     Model
	Data      Data
	Train     Train
	Log       Log
}

// Model describes the network and its initial parameters.
type Model struct {
	Layers     []int // n^1 … n^L
	Activation model.Activation
	Bias       bool
	Init       Init
}

// Init says where the initial parameters come from. At most one of File and Rule is
// set. If both are empty, Std applies.
type Init struct {
	Std     PerLayer // weights are normal with mean 0 and this standard deviation
	Rule    string   // one of Rules
	File    string   // path of a model, a safetensors file or a run folder, with weights and biases
	BiasStd float64  // biases are normal with mean 0 and this standard deviation; not with File
}

// PerLayer is a number for all layers with parameters, or a number for each of
// them, from layer 2 to layer L.
type PerLayer []float64

// Each returns a number for each of n layers. p has one number, or n.
func (p PerLayer) Each(n int) []float64 {
	if len(p) == 1 {
		return slices.Repeat(p, n)
	}
	return slices.Clone(p)
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

// Data describes the data set: see data.Spec.
type Data struct {
	Dataset    string   // one of Datasets
	Dir        string   // a folder, relative to the current directory; "": the usual places
	Train      []string // paths or patterns of files, in place of Dir
	Test       []string
	Split      Split
	Validation float64 // images of the training set, or a fraction below 1; 0: none
	CSV        CSV
	Values     Values
	Inputs     Ends
	Targets    Ends
	Transpose  bool
	Classes    []string // names
	Fallback   string   // one of Fallbacks
}

// Split says how a part of the training set becomes the test set, where there is
// no other, or the validation set.
type Split struct {
	Test float64 // images, or a fraction below 1
	Seed uint64
}

// CSV says what the columns of a CSV file are.
type CSV struct {
	Label string // auto, first, last, a name, or a number counted from 1
}

// Values are the values of the files that become the lowest and the highest input.
type Values struct{ Min, Max Bound }

// Ends are the two ends of a range.
type Ends struct{ Low, High float64 }

// Bound is a number, or, as the zero value, auto: it is found out.
type Bound struct {
	Number float64
	Given  bool
}

func (b Bound) String() string {
	if !b.Given {
		return "auto"
	}
	return formatNumber(b.Number)
}

// Range returns the values, or the zero Range where they are to be found out.
func (v Values) Range() data.Range {
	if !v.Max.Given {
		return data.Range{}
	}
	return data.Range{Low: v.Min.Number, High: v.Max.Number}
}

// Range returns the ends, or the zero Range for those that it stands for: 0 and 1.
func (e Ends) Range() data.Range {
	if e == (Ends{0, 1}) {
		return data.Range{}
	}
	return data.Range{Low: e.Low, High: e.High}
}

// Train describes the training.
type Train struct {
	Epochs        int
	Batch         int // samples per step
	Shuffle       bool
	Rate          Rate
	UpdateOrder   string // one of UpdateOrders
	EarlyStopping EarlyStopping
	Augment       Augment
	Runs          Runs
}

// Rate is the schedule of the learning rate η.
type Rate struct {
	Initial float64 // η in the first epoch
	Factor  float64 // η is multiplied by Factor after every Every epochs
	Every   int
}

// At returns η in an epoch. Epochs are counted from 1.
//
//	η = initial · factor^⌊(epoch−1)/every⌋
func (r Rate) At(epoch int) float64 {
	return r.Initial * math.Pow(r.Factor, float64((epoch-1)/r.Every))
}

// Log says what is written beside the usual files of a run folder.
type Log struct {
	TensorBoard bool // an event file for TensorBoard
}

// Augment distorts the images of the training set: see augment.Options.
type Augment struct {
	Rotate, Scale, Shear, Shift, Elastic, Smooth float64

	Every int    // epochs that train on the same distorted images
	Seed  uint64 // of the distortions, the same for all of Runs
}

// Options returns how much images are distorted.
func (a Augment) Options() augment.Options {
	return augment.Options{Rotate: a.Rotate, Scale: a.Scale, Shear: a.Shear, Shift: a.Shift, Elastic: a.Elastic, Smooth: a.Smooth}
}

// Runs are independent runs of the same training; the best is kept. (Config).Run
// returns the configuration of each.
type Runs struct{ Count int }

// Run returns the configuration of run r, counted from 0, on its own: its seed is
// seed + r.
// All runs use the data set of c, even one that is generated from the seed.
func (c Config) Run(r int) Config {
	c.Seed += uint64(r)
	c.Train.Runs = Runs{Count: 1}
	return c
}

// EarlyStopping stops a run whose accuracy no longer rises: that on the validation
// set, or on the test set if there is no validation set. Each run is judged on its
// own.
type EarlyStopping struct {
	Patience int     // number of epochs without improvement after which to stop; 0: never
	MinDelta float64 // an improvement raises the best accuracy by more than MinDelta
}

// The legal values of keys that accept a fixed set of words.
var (
	// Languages lists those of the messages and figures; auto takes that of the locale.
	Languages = []string{"auto", lang.English.String(), lang.Chinese.String()}

	Devices = []string{"auto", "cpu", "cuda"}

	// Machines lists the kinds of machines that package machines knows.
	Machines = []string{"compiled", "interpret", "tape"}

	// Rules lists the rules for the initial weights: hidden is that of the listing
	// (model.HiddenRule), fan_in is model.FanInRule, xavier is model.XavierRule, zeros
	// sets all weights to 0.
	Rules = []string{"hidden", "fan_in", "xavier", "zeros"}

	Datasets     = datasets()
	Fallbacks    = []string{"none", "digits"}
	UpdateOrders = []string{"simultaneous", "listing"}
)

// datasets returns the names of the kinds of data sets.
func datasets() (names []string) {
	for _, kind := range data.Kinds() {
		names = append(names, string(kind))
	}
	return names
}

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

// Language returns the language of what a user sees: that of the key lang, or the
// locale's. getenv is os.Getenv.
func (c Config) Language(getenv func(string) string) lang.Language {
	for _, l := range []lang.Language{lang.English, lang.Chinese} {
		if c.Lang == l.String() {
			return l
		}
	}
	return lang.FromLocale(getenv)
}

// WithNetwork returns c for another network: that of a model file.
func (c Config) WithNetwork(n model.Network) Config {
	c.Model.Layers, c.Model.Activation, c.Model.Bias = slices.Clone(n.Layers), n.Activation, n.Bias
	c.Precision = n.Precision
	return c
}
