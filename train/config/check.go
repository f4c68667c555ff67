package config

import (
	"math"
	"slices"

	"trainer/data"
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
		if rates := c.Train.Replicas.Rates; len(rates) > 0 && r.good("train.replicas.rates") {
			rate.Initial = slices.Min(rates)
		}
		if last := rate.At(c.Train.Epochs); last < math.SmallestNonzeroFloat32 {
			r.report(r.place("train.rate.factor", "train.rate.every", "train.epochs", "train.replicas.rates", "train.rate.initial"),
				"the learning rate falls to %s in epoch %d, and nothing is learned: use a larger train.rate.factor or train.rate.every", formatNumber(last), c.Train.Epochs)
		}
	}
	if r.good("train.replicas.count", "train.replicas.rates") {
		r.checkReplicas()
	}

	if r.good("data.dataset", "data.dir") && c.Data.Dir == "" && (c.Data.Dataset == string(data.IDX) || c.Data.Dataset == string(data.CSV)) {
		r.report(r.place("data.dataset"), "%s needs data.dir, the folder of the files", c.Data.Dataset)
	}

	if r.good("train.update_order", "machine") && c.Train.UpdateOrder == "listing" && c.Machine == "tape" {
		r.report(r.place("train.update_order", "machine"), "listing needs a compiled program, and the machine tape runs the graph as it is: use another machine, or simultaneous")
	}
}

// checkReplicas reports settings that replicas do not support, and settings that
// would have no effect.
func (r *reader) checkReplicas() {
	c := &r.config
	count, rates := c.Train.Replicas.Count, len(c.Train.Replicas.Rates)
	if count == 1 {
		if rates > 0 {
			r.report(r.place("train.replicas.rates"), "there is one replica: set train.replicas.count to use them, or set train.rate.initial")
		}
		return
	}
	at := r.place("train.replicas.count")
	if rates > count {
		r.report(r.place("train.replicas.rates"), "%d rates for %d replicas, so that some are not tried: set train.replicas.count to %d, or a multiple, or give fewer rates", rates, count, rates)
	}
	if r.good("seed") && c.Seed+uint64(count-1) > maxSeed {
		r.report(r.place("seed"), "the seed of the last of %d replicas is above %d: use a smaller seed", count, int64(maxSeed))
	}
	if r.good("train.early_stopping.patience") && c.Train.EarlyStopping.Patience > 0 {
		r.report(r.place("train.early_stopping.patience"), "replicas all run to the last epoch (the best epoch is kept anyway): remove it, or set train.replicas.count to 1")
	}
	if n := parameters(c) * int64(count); r.good("model.layers") && parameters(c) <= maxParameters && n > maxParameters {
		r.report(at, "%d replicas have %d weights and biases together, the limit is %d: use fewer replicas or smaller layers", count, n, maxParameters)
	}
	same := c.Model.Init.File != "" || c.Model.Init.Rule == "zeros"
	if r.good("train.shuffle", "model.init.file", "model.init.rule") && same && !c.Train.Shuffle && rates == 0 {
		r.report(at, "all replicas would be the same run, as the first weights and the order of the samples are given: give train.replicas.rates, or shuffle")
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
