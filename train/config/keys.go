package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"trainer/data/augment"
	"trainer/graph/model"
)

// kind is the type of a key's value.
type kind int

const (
	group    kind = iota // holds other keys
	text                 // a text
	choice               // one of a few words
	boolean              // true or false
	integer              // a whole number
	number               // a number
	list                 // a list of whole numbers
	numbers              // a list of numbers
	perLayer             // a number, or a list of numbers
	texts                // a list of texts; one text is a list of one
	kindEnd
)

// key is one row of the table: all that is known of a key.
type key struct {
	path string // "train.rate.initial"
	kind kind
	def  string // the default, as it is written in YAML; "" for none
	doc  string // what it means

	// field returns the address of the key's value in c.
	field func(c *Config) any

	choices    []string       // of a choice
	min, max   float64        // of a number, an integer, or each integer of a list
	aboveMin   bool           // whether min itself is not legal
	least      int            // entries of a list, at least
	most       int            // entries of a list, or characters of a text, at most
	pattern    *regexp.Regexp // of a text that is not free
	patternDoc string         // what pattern says, after "a text "

	schemaPattern *regexp.Regexp // that of the JSON schema, if it is another
	isPath        bool           // whether a text is a path: see pathOf

	auto   bool // of a number: the word auto is legal too, and of a group: it stands for all of its keys
	scalar bool // of a text, or each text of a list: a number without quotes is a text too

	// exclusive says that the key and its siblings exclude each other.
	exclusive bool
}

// The limits that the table and the checks use.
const (
	maxLayers     = 100
	maxNodes      = 1_000_000   // of a layer
	maxParameters = 100_000_000 // weights and biases of the network: 0.8 GB in float64
	maxValues     = 500_000_000 // a^l of a mini-batch: 4 GB in float64
	maxEpochs     = 100_000
	maxRuns       = 1024

	// maxSeed is the largest integer up to which a float64 holds every one:
	// readers of JSON and YAML keep it exact.
	maxSeed = 1<<53 - 1
)

// fileName is the pattern of a text that becomes a part of a folder's name, on any
// system: letters of all languages, with their marks. Few JSON schema readers know its
// syntax: schemaFileName has theirs, and takes more characters that are not ASCII.
var (
	fileName       = regexp.MustCompile(`^[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._-]*$`)
	schemaFileName = regexp.MustCompile("^[^\\x00-/:-@\\[-`{-\\x7f][^\\x00-,/:-@\\[-^`{-\\x7f]*$")
)

// keys is the table, in the order of the file. A group stands before its keys.
var keys = []key{
	{path: "name", kind: text, def: "run", most: 64,
		pattern: fileName, schemaPattern: schemaFileName, patternDoc: "of letters of any language, digits, dots, dashes and underscores that begins with a letter or a digit",
		doc:   "Name of the run; a part of the name of its folder, and of the titles of its figures.",
		field: func(c *Config) any { return &c.Name }},
	{path: "seed", kind: integer, def: "1", max: maxSeed,
		doc:   "Seed of all random numbers: first weights, shuffling, built-in digits. Same seed, same run.",
		field: func(c *Config) any { return &c.Seed }},
	{path: "device", kind: choice, def: "auto", choices: Devices,
		doc: "Where the compiled machine runs: auto takes a CUDA device when there is one that works and is estimated to be faster for this work, else the CPU; " +
			"cuda is a CUDA device or an error.",
		field: func(c *Config) any { return &c.Device }},
	{path: "machine", kind: choice, def: "compiled", choices: Machines,
		doc: "How to compute. compiled is the compiled program with the fast kernels of the device. Two slow machines are there to compare with, " +
			"and run on the CPU whatever the device: interpret runs the compiled program with plain loops; tape is Gorgonia's own machine on the graph as it is.",
		field: func(c *Config) any { return &c.Machine }},
	{path: "precision", kind: choice, def: "float32", choices: model.PrecisionNames(),
		doc:   "Type of all weights and values of the network.",
		field: func(c *Config) any { return &c.Precision }},
	{path: "lang", kind: choice, def: "auto", choices: Languages,
		doc:   "Language of results and figures: en is English, zh is Chinese; auto takes the language of the locale (LC_ALL, LC_MESSAGES or LANG).",
		field: func(c *Config) any { return &c.Lang }},

	{path: "model", kind: group, doc: "The network and its first weights."},
	{path: "model.layers", kind: list, def: "[784, 50, 10]", least: 2, most: maxLayers, min: 1, max: maxNodes,
		doc:   "Nodes of each layer, from the input (pixels) to the output (classes).",
		field: func(c *Config) any { return &c.Model.Layers }},
	{path: "model.activation", kind: choice, def: "sigmoid", choices: model.ActivationNames(),
		doc:   "Function g of every layer: a = g(z).",
		field: func(c *Config) any { return &c.Model.Activation }},
	{path: "model.bias", kind: boolean, def: "true",
		doc:   "Whether the layers have a bias b: z = Wa + b. The textbook's listing has none.",
		field: func(c *Config) any { return &c.Model.Bias }},
	{path: "model.init", kind: group, doc: "First weights and biases: give one of std, rule and file."},
	{path: "model.init.std", kind: perLayer, exclusive: true, least: 1, most: maxLayers - 1, max: 1000,
		doc: "Draw the weights from the normal distribution with mean 0 and this standard deviation. " +
			"A list gives one for the weights of each layer, from the first hidden layer to the output.",
		field: func(c *Config) any { return &c.Model.Init.Std }},
	{path: "model.init.rule", kind: choice, def: "hidden", exclusive: true, choices: Rules,
		doc: "hidden is the textbook's listing: normal, with standard deviation 1/√n for every weight, n the nodes of the first hidden layer; " +
			"fan_in is normal, with 1/√n in each layer, n the nodes of the layer before; " +
			"xavier is normal, with √(2/(n + m)) in each layer, n the nodes of the layer before and m its own (Glorot and Bengio 2010, equation 12); " +
			"zeros sets all weights to 0.",
		field: func(c *Config) any { return &c.Model.Init.Rule }},
	{path: "model.init.file", kind: text, isPath: true, exclusive: true, most: 4096, pattern: regexp.MustCompile(`.`), patternDoc: "that is not empty",
		doc: "Read weights and biases from this model, a run folder or a safetensors file, relative to the current directory. " +
			"Layers, bias, activation and precision are then those of the model, where they are not given.",
		field: func(c *Config) any { return &c.Model.Init.File }},
	{path: "model.init.bias_std", kind: number, def: "0", max: 1000,
		doc:   "Draw the biases from the normal distribution with mean 0 and this standard deviation; 0: all are 0. Not with model.init.file.",
		field: func(c *Config) any { return &c.Model.Init.BiasStd }},

	{path: "data", kind: group, doc: "The images."},
	{path: "data.dataset", kind: choice, def: "mnist", choices: Datasets,
		doc: "mnist is MNIST, searched, downloaded if need be, and verified; files, csv and idx are a set of your own in data.dir, or in data.train and data.test; " +
			"digits are drawn by the program; the others are published sets with the format of MNIST, in data.dir.",
		field: func(c *Config) any { return &c.Data.Dataset }},
	{path: "data.dir", kind: text, isPath: true, def: `""`, most: 4096,
		doc:   "Folder of the files, relative to the current directory; empty: the usual places of MNIST.",
		field: func(c *Config) any { return &c.Data.Dir }},
	{path: "data.train", kind: texts, isPath: true, def: "[]", most: 1000,
		doc: "Files of the training set, as paths or patterns (*), in place of data.dir: CSV, IDX images with their labels beside them, gzipped or not, " +
			"or a folder that has a folder of PNG or JPEG images for each class.",
		field: func(c *Config) any { return &c.Data.Train }},
	{path: "data.test", kind: texts, isPath: true, def: "[]", most: 1000,
		doc:   "Files of the test set, likewise; empty: a part of the training set (data.split).",
		field: func(c *Config) any { return &c.Data.Test }},
	{path: "data.split", kind: group, doc: "The test set of a data set that has none, from its training set; each class keeps its share."},
	{path: "data.split.test", kind: number, def: "0.2", aboveMin: true, max: 1e9,
		doc:   "Images of it; below 1: this fraction of the training set.",
		field: func(c *Config) any { return &c.Data.Split.Test }},
	{path: "data.split.seed", kind: integer, def: "1", max: maxSeed,
		doc:   "Seed that draws them, and those of data.validation.",
		field: func(c *Config) any { return &c.Data.Split.Seed }},
	{path: "data.validation", kind: number, def: "0", max: 1e9,
		doc:   "Images that are taken out of the training set, to choose by; below 1: this fraction of it; 0: none. Each class keeps its share.",
		field: func(c *Config) any { return &c.Data.Validation }},
	{path: "data.csv", kind: group, doc: "How CSV files are read."},
	{path: "data.csv.label", kind: text, def: "auto", most: 200, scalar: true, pattern: regexp.MustCompile(`.`), patternDoc: "that is not empty",
		doc: "Column of the label: first, last, a name in the header, or a number, counted from 1; " +
			"auto is the column named label, class, target, y or digit, else the first.",
		field: func(c *Config) any { return &c.Data.CSV.Label }},
	{path: "data.values", kind: group, auto: true, doc: "The values of the pixels in the files; auto: found out."},
	{path: "data.values.min", kind: number, auto: true, def: "auto", min: -1e9, max: 1e9,
		doc:   "Value that becomes data.inputs.low; auto: 0.",
		field: func(c *Config) any { return &c.Data.Values.Min }},
	{path: "data.values.max", kind: number, auto: true, def: "auto", min: -1e9, max: 1e9,
		doc:   "Value that becomes data.inputs.high; auto: of 1, 16 and 255 the first that no value exceeds.",
		field: func(c *Config) any { return &c.Data.Values.Max }},
	{path: "data.inputs", kind: group, doc: "The inputs of the network. With low above high, images are inverted."},
	{path: "data.inputs.low", kind: number, def: "0", min: -1000, max: 1000,
		doc:   "Input for the lowest value of a pixel.",
		field: func(c *Config) any { return &c.Data.Inputs.Low }},
	{path: "data.inputs.high", kind: number, def: "1", min: -1000, max: 1000,
		doc:   "Input for the highest value of a pixel.",
		field: func(c *Config) any { return &c.Data.Inputs.High }},
	{path: "data.targets", kind: group, doc: "The outputs that the network learns to give."},
	{path: "data.targets.low", kind: number, def: "0", min: -1, max: 1,
		doc:   "Target of all classes but that of the label.",
		field: func(c *Config) any { return &c.Data.Targets.Low }},
	{path: "data.targets.high", kind: number, def: "1", min: -1, max: 1,
		doc:   "Target of the class of the label.",
		field: func(c *Config) any { return &c.Data.Targets.High }},
	{path: "data.transpose", kind: boolean, def: "false",
		doc:   "Whether rows and columns of the images are swapped: in EMNIST's files they are.",
		field: func(c *Config) any { return &c.Data.Transpose }},
	{path: "data.classes", kind: texts, def: "[]", most: 256, scalar: true,
		doc:   "Names of the classes, in order; the labels are these names or their numbers from 0. Empty: numbers, or the labels themselves where they are texts.",
		field: func(c *Config) any { return &c.Data.Classes }},
	{path: "data.fallback", kind: choice, def: "none", choices: Fallbacks,
		doc:   "What to take when the images cannot be had: none stops with an error, digits takes the built-in digits with a warning.",
		field: func(c *Config) any { return &c.Data.Fallback }},

	{path: "train", kind: group, doc: "The training."},
	{path: "train.epochs", kind: integer, def: "10", min: 1, max: maxEpochs,
		doc:   "Passes over the training set.",
		field: func(c *Config) any { return &c.Train.Epochs }},
	{path: "train.batch", kind: integer, def: "1", min: 1, max: 100_000,
		doc:   "Samples of a step; the gradient is the mean over them. The last step of an epoch takes what is left.",
		field: func(c *Config) any { return &c.Train.Batch }},
	{path: "train.shuffle", kind: boolean, def: "true",
		doc:   "Whether every epoch visits the samples in a new random order; false: the order of the files.",
		field: func(c *Config) any { return &c.Train.Shuffle }},
	{path: "train.rate", kind: group, doc: "The learning rate: in epoch e it is initial · factor^⌊(e−1)/every⌋."},
	{path: "train.rate.initial", kind: number, def: "0.1", aboveMin: true, max: 1000,
		doc:   "Learning rate of the first epoch.",
		field: func(c *Config) any { return &c.Train.Rate.Initial }},
	{path: "train.rate.factor", kind: number, def: "1", aboveMin: true, max: 1,
		doc:   "Multiplies the rate after every so many epochs; 1 keeps it constant.",
		field: func(c *Config) any { return &c.Train.Rate.Factor }},
	{path: "train.rate.every", kind: integer, def: "1", min: 1, max: maxEpochs,
		doc:   "Epochs between two changes of the rate.",
		field: func(c *Config) any { return &c.Train.Rate.Every }},
	{path: "train.update_order", kind: choice, def: "simultaneous", choices: UpdateOrders,
		doc: "simultaneous takes all gradients from the weights before the step, as in the equations; " +
			"listing updates the output weights first, as the textbook's program does.",
		field: func(c *Config) any { return &c.Train.UpdateOrder }},
	{path: "train.early_stopping", kind: group, doc: "Whether a run stops before the last epoch; each run is judged on its own."},
	{path: "train.early_stopping.patience", kind: integer, def: "0", max: maxEpochs,
		doc: "Stop after this many epochs in a row without a better accuracy on the validation set, " +
			"or on the test set if there is no validation set; 0: never.",
		field: func(c *Config) any { return &c.Train.EarlyStopping.Patience }},
	{path: "train.early_stopping.min_delta", kind: number, def: "0", max: 1,
		doc:   "An accuracy is better when it is above the best by more than this.",
		field: func(c *Config) any { return &c.Train.EarlyStopping.MinDelta }},
	{path: "train.augment", kind: group, doc: "Distorts the images of the training set, each at random, up to these amounts; all 0: not at all. " +
		"The next images are made while the network trains, and accuracies are those of the images as they are."},
	{path: "train.augment.rotate", kind: number, def: "0", max: augment.MaxRotate,
		doc:   "Degrees of rotation, to either side.",
		field: func(c *Config) any { return &c.Train.Augment.Rotate }},
	{path: "train.augment.scale", kind: number, def: "0", max: augment.MaxScale,
		doc:   "Fraction by which the size grows or shrinks.",
		field: func(c *Config) any { return &c.Train.Augment.Scale }},
	{path: "train.augment.shear", kind: number, def: "0", max: augment.MaxShear,
		doc:   "How far upright lines lean, as a fraction of their length.",
		field: func(c *Config) any { return &c.Train.Augment.Shear }},
	{path: "train.augment.shift", kind: number, def: "0", max: augment.MaxShift,
		doc:   "Pixels of a shift, in each direction.",
		field: func(c *Config) any { return &c.Train.Augment.Shift }},
	{path: "train.augment.elastic", kind: number, def: "0", max: augment.MaxElastic,
		doc:   "Elastic distortion: the standard deviation of the shifts of single pixels, in pixels (Simard and others 2003; their α of 10 for σ = 4 is about 0.4).",
		field: func(c *Config) any { return &c.Train.Augment.Elastic }},
	{path: "train.augment.smooth", kind: number, def: "4", min: augment.MinSmooth, max: augment.MaxSmooth,
		doc:   "How far elastic shifts go together: σ of the Gaussian that smooths them, in pixels.",
		field: func(c *Config) any { return &c.Train.Augment.Smooth }},
	{path: "train.augment.every", kind: integer, def: "1", min: 1, max: maxEpochs,
		doc:   "Epochs that train on the same distorted images. To distort an image takes longer than to train on it.",
		field: func(c *Config) any { return &c.Train.Augment.Every }},
	{path: "train.augment.seed", kind: integer, def: "1", max: maxSeed,
		doc:   "Seed of the distortions, the same for all of train.runs.",
		field: func(c *Config) any { return &c.Train.Augment.Seed }},
	{path: "train.runs", kind: group, doc: "Independent runs of the same training, side by side; the best is kept, and all results are listed. The best is chosen like the best epoch: on the validation set, or on the test set if there is none."},
	{path: "train.runs.count", kind: integer, def: "1", min: 1, max: maxRuns,
		doc:   "Number of runs. Run r, counted from 0, has the seed seed + r, so its own first weights and shuffling, on the same images.",
		field: func(c *Config) any { return &c.Train.Runs.Count }},
	{path: "train.runs.rates", kind: numbers, def: "[]", most: maxRuns, aboveMin: true, max: 1000,
		doc:   "Learning rates of the first epoch; the runs take them in turn. Empty: train.rate.initial for all.",
		field: func(c *Config) any { return &c.Train.Runs.Rates }},

	{path: "log", kind: group, doc: "What is written beside the usual files of a run folder."},
	{path: "log.tensorboard", kind: boolean, def: "false",
		doc:   "Whether the metrics are also written as an event file, which TensorBoard shows: tensorboard --logdir runs.",
		field: func(c *Config) any { return &c.Log.TensorBoard }},
}

// find returns the key at path, or nil.
func find(path string) *key {
	if i := slices.IndexFunc(keys, func(k key) bool { return k.path == path }); i >= 0 {
		return &keys[i]
	}
	return nil
}

// name returns the last part of the key's path.
func (k *key) name() string { return lastPart(k.path) }

// parent returns the path of the key's group; "" is the whole file.
func (k *key) parent() string { return k.path[:max(strings.LastIndexByte(k.path, '.'), 0)] }

// children returns the keys of the group at path, in order; "" is the whole
// file.
func children(path string) []*key {
	var in []*key
	for i := range keys {
		if keys[i].parent() == path {
			in = append(in, &keys[i])
		}
	}
	return in
}

// exclusives returns the names of the group's keys that exclude each other.
func exclusives(path string) (names []string) {
	for _, k := range children(path) {
		if k.exclusive {
			names = append(names, k.name())
		}
	}
	return names
}

// childNames lists the names of the group's keys: "initial, factor, every".
func childNames(path string) string {
	var names []string
	for _, k := range children(path) {
		names = append(names, k.name())
	}
	return strings.Join(names, ", ")
}

// join returns the path of the key name in a group.
func join(group, name string) string {
	if group == "" {
		return name
	}
	return group + "." + name
}

// legal says in words what the key's value must be.
func (k *key) legal() string {
	switch k.kind {
	case group:
		return "a group with " + childNames(k.path)
	case text:
		what := "a text"
		if k.isPath {
			what = "a path"
		}
		if k.pattern == nil {
			return what
		}
		return what + " " + k.patternDoc
	case choice:
		last := len(k.choices) - 1
		return strings.Join(k.choices[:last], ", ") + " or " + k.choices[last]
	case boolean:
		return "true or false"
	case integer:
		return "a whole number " + k.between()
	case number:
		if k.auto {
			return "auto, or a number " + k.between()
		}
		return "a number " + k.between()
	case list:
		return fmt.Sprintf("a list of %d to %d whole numbers, each %s", k.least, k.most, k.between())
	case numbers:
		return fmt.Sprintf("a list of %d to %d numbers, each %s", k.least, k.most, k.between())
	case perLayer:
		return fmt.Sprintf("a number %s, or a list of them with one for each layer", k.between())
	case texts:
		return fmt.Sprintf("a text, or a list of at most %d texts", k.most)
	}
	panic(fmt.Sprintf("BUG: %s has kind %d", k.path, k.kind))
}

// between says the range of the key's numbers.
func (k *key) between() string {
	if k.aboveMin {
		return fmt.Sprintf("above %s, at most %s", formatNumber(k.min), formatNumber(k.max))
	}
	return fmt.Sprintf("from %s to %s", formatNumber(k.min), formatNumber(k.max))
}

// inRange reports whether v is in the key's range.
func (k *key) inRange(v float64) bool {
	if math.IsNaN(v) || v > k.max || v < k.min {
		return false
	}
	return !k.aboveMin || v > k.min
}
