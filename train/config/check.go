package config

import (
	"math"
	"slices"
	"sort"

	"trainer/data"
	"trainer/graph/model"
)

// check reports combinations of values that are not allowed. Each value on its own
// is legal.
func (r *reader) check() {
	c := &r.config
	if r.good("model.layers") {
		if n := parameters(c); n > maxParameters {
			r.report(r.place("model.layers"), "this network has %d weights and biases, the limit is %d: use fewer or smaller layers", n, maxParameters)
		} else if n := values(c); n > maxValues && r.good("train.batch") {
			r.report(r.place("train.batch", "model.layers"),
				"a mini-batch of %d samples has %d values in the layers, the limit is %d: use a smaller train.batch", c.Train.Batch, n, maxValues)
		}
	}
	if r.good("train.epochs", "train.rate.initial", "train.rate.factor", "train.rate.every") {
		rate := c.Train.Rate
		switch epoch := firstTooSmall(rate, c.Train.Epochs); {
		case epoch == 1:
			r.report(r.place("train.rate.initial"), "the learning rate %s is too small, and nothing is learned: use a larger one", formatNumber(rate.Initial))
		case epoch > 1:
			r.report(r.place("train.rate.factor", "train.rate.every", "train.epochs", "train.rate.initial"),
				"the learning rate falls to %s in epoch %d, and nothing is learned any more: use a larger train.rate.factor or train.rate.every", formatNumber(rate.At(epoch)), epoch)
		}
	}
	if r.good("train.runs.count") {
		r.checkRuns()
	}
	r.checkInit()

	r.checkData()

	if r.good("train.update_order", "machine") && c.Train.UpdateOrder == "listing" && c.Machine == "tape" {
		r.report(r.place("train.update_order", "machine"), "listing needs a compiled program, and the machine tape runs the graph as it is: use another machine, or simultaneous")
	}
}

// firstTooSmall returns the first of the epochs in which the learning rate is smaller
// than a float32 can be, or 0.
func firstTooSmall(rate Rate, epochs int) int {
	small := func(epoch int) bool { return rate.At(epoch) < math.SmallestNonzeroFloat32 }
	if !small(epochs) {
		return 0
	}
	return 1 + sort.Search(epochs-1, func(i int) bool { return small(i + 1) })
}

// checkInit reports first weights and biases that the network cannot have.
func (r *reader) checkInit() {
	c := &r.config
	init := c.Model.Init
	if n := len(c.Model.Layers) - 1; len(init.Std) > 1 && len(init.Std) != n && r.good("model.layers", "model.init.std") {
		r.report(r.place("model.init.std", "model.layers"), "%d standard deviations, and a network of %d layers has weights in %d: give one number for all, or a list of %d", len(init.Std), n+1, n, n)
	}
	if init.BiasStd > 0 && r.good("model.init.bias_std") {
		at := r.place("model.init.bias_std")
		if init.File != "" {
			r.report(at, "excludes model.init.file, which has biases of its own: leave it out, or set it to 0")
		} else if !c.Model.Bias && r.good("model.bias") {
			r.report(at, "this network has no biases: set model.bias to true, or leave it out")
		}
	}
}

// checkRuns reports what several runs cannot have, and what would make some of
// them useless.
func (r *reader) checkRuns() {
	c := &r.config
	count := c.Train.Runs.Count
	if count == 1 {
		return
	}
	at := r.place("train.runs.count")
	if r.good("seed") && c.Seed+uint64(count-1) > maxSeed {
		r.report(r.place("seed"), "the seed of the last of %d runs is above %d: use a smaller seed", count, int64(maxSeed))
	}
	if n := parameters(c) * int64(count); r.good("model.layers") && parameters(c) <= maxParameters && n > maxParameters {
		r.report(at, "%d runs have %d weights and biases together, the limit is %d: use fewer runs or smaller layers", count, n, maxParameters)
	}
	same := c.Model.Init.File != "" || c.Model.Init.Rule == "zeros" && c.Model.Init.BiasStd == 0
	if r.good("train.shuffle", "model.init.file", "model.init.rule", "model.init.bias_std") && same && !c.Train.Shuffle {
		r.report(at, "all runs would be identical, because the first weights and the order of the samples are fixed: set train.shuffle to true")
	}
}

// checkData reports what the keys of data cannot have together. Where files are
// named and no data set, the data set is files.
func (r *reader) checkData() {
	c := &r.config.Data
	if !r.good("data.dataset", "data.dir", "data.train", "data.test") {
		return
	}
	named := len(c.Train)+len(c.Test) > 0
	if _, given := r.places["data.dataset"]; named && !given {
		c.Dataset = string(data.Files)
	}
	own := slices.Contains([]data.Kind{data.Files, data.IDX, data.CSV}, data.Kind(c.Dataset))
	switch at := r.place("data.dataset", "data.dir"); {
	case named && !own:
		r.report(at, "is %s, and data.train and data.test name files of your own: set it to files, or leave it out", c.Dataset)
	case named && c.Dir != "":
		r.report(r.place("data.train", "data.test"), "excludes data.dir, which is given too: remove one of them")
	case own && !named && c.Dir == "":
		r.report(at, "%s needs data.dir, the folder of the files, or data.train, the files themselves", c.Dataset)
	case !own && !named && c.Dir == "" && !slices.Contains([]data.Kind{data.MNIST, data.Digits}, data.Kind(c.Dataset)):
		r.report(at, "%s needs data.dir, the folder of the files", c.Dataset)
	}

	for path, v := range map[string]float64{"data.split.test": c.Split.Test, "data.validation": c.Validation} {
		if r.good(path) && v >= 1 && v != math.Trunc(v) {
			r.report(r.place(path), "have %s, want a whole number of images, or a fraction below 1", formatNumber(v))
		}
	}
	if r.good("data.values.min", "data.values.max") {
		switch v := c.Values; {
		case v.Min.Given && !v.Max.Given:
			r.report(r.place("data.values.min"), "needs data.values.max")
		case v.Max.Given && v.Min.Number >= v.Max.Number:
			r.report(r.place("data.values.max", "data.values.min"), "values from %s to %s: want the smaller one first; data.inputs with low above high inverts images",
				formatNumber(v.Min.Number), formatNumber(v.Max.Number))
		}
	}
	if r.good("data.inputs.low", "data.inputs.high") && c.Inputs.Low == c.Inputs.High {
		r.report(r.place("data.inputs.low", "data.inputs.high"), "all inputs would be %s: want two different numbers", formatNumber(c.Inputs.Low))
	}
	if r.good("data.targets.low", "data.targets.high", "model.activation") {
		switch t := c.Targets; {
		case t.Low >= t.High:
			r.report(r.place("data.targets.low", "data.targets.high"), "targets of %s and %s: want low below high", formatNumber(t.Low), formatNumber(t.High))
		case t.Low < 0 && r.config.Model.Activation == model.Sigmoid:
			r.report(r.place("data.targets.low"), "the outputs of the sigmoid are between 0 and 1: want 0 or more, or model.activation tanh")
		}
	}
	for i, name := range c.Classes {
		if slices.Contains(c.Classes[:i], name) {
			r.report(r.place("data.classes"), "has %q twice", name)
			break
		}
	}
}

// parameters returns the number of weights and biases of the network. It cannot
// overflow, because model.layers is limited.
func parameters(c *Config) int64 {
	var total int64
	for i, out := range c.Model.Layers[1:] {
		in := int64(c.Model.Layers[i])
		if c.Model.Bias {
			in++
		}
		total += int64(out) * in
	}
	return total
}

// values returns the number of values a^l of a mini-batch, in all layers.
func values(c *Config) int64 {
	var nodes int64
	for _, n := range c.Model.Layers {
		nodes += int64(n)
	}
	return nodes * int64(c.Train.Batch)
}

// good reports whether the values of all these keys are legal.
func (r *reader) good(paths ...string) bool {
	for _, path := range paths {
		if r.bad[path] {
			return false
		}
	}
	return true
}

// place returns the place of the first of these keys that the user gave.
func (r *reader) place(paths ...string) Problem {
	for _, path := range paths {
		if at, ok := r.places[path]; ok {
			return at
		}
	}
	return Problem{File: r.file, Path: paths[0]}
}
