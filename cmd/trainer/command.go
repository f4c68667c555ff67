package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"slices"
	"strings"

	"trainer/configs"
	"trainer/train/config"
	"trainer/train/lang"
)

// command is a row of the table of commands: what the program does with it, and what
// help, suggestions and completion say about it.
type command struct {
	name    string
	about   string // what it does, in a line
	operand string // an argument that is no flag is the value of this flag
	args    string // the arguments of a command without an operand, such as "[NAME]"
	text    string // paragraphs for the help
	example string // lines to type
	also    string // what users may call it, separated by spaces

	// run returns a usageError or a *config.Error for what the user got wrong.
	run func(args []string, stdout, stderr io.Writer) error
}

// commands is the table, in the order of the help.
func commands() []command {
	return []command{
		{name: "train", operand: "config", run: trainCommand, also: "fit learn run start",
			about: "train a network, and leave a run folder",
			text: "The command may be left out: `trainer -config F` trains too. " +
				"The run folder has the resolved configuration, the metrics, the parameters, the figures, a report and a checkpoint. " +
				"A run that was stopped, by a signal or a crash, goes on from the checkpoint with -resume, to the same bits as if it had not been stopped.",
			example: "trainer -config mnist\ntrainer my.yaml -set train.epochs=5 -out runs/first\n" +
				"trainer -resume runs/first\n" +
				"trainer -resume runs/first -set train.epochs=20\n" +
				"trainer -resume runs/first -fork runs/second -set train.rate.initial=0.01"},
		{name: "eval", operand: "model", run: evalCommand, also: "evaluate test validate score accuracy",
			about: "cost, accuracy, confusion and classes of a trained model",
			text: "Without -config, the configuration beside the model is used: a run folder evaluates from anywhere. " +
				"Where its data have moved: -set data.dir=FOLDER.",
			example: "trainer eval runs/first -wrong 10"},
		{name: "predict", args: "MODEL [FILE...]", run: predictCommand, also: "classify infer recognise recognize guess submit",
			about: "the classes of pictures, or of the rows of a file",
			text: "A FILE is a picture of one digit (PNG, JPEG or GIF), a folder of them, or - for standard input. " +
				"It becomes an image as MNIST's were made. With -data, the images are rows of a CSV file without labels, such as Kaggle's test.csv, or IDX images.",
			example: "trainer predict runs/first seven.jpg\ntrainer predict runs/first -data test.csv -o answers.csv"},
		{name: "explain", operand: "model", run: explainCommand, also: "derivation equations microscope trace",
			about:   "print the derivation, equation by equation, with the numbers of one sample",
			example: "trainer explain runs/first -image 0 -step"},
		{name: "report", args: "RUN...", run: reportCommand, also: "html page summary",
			about: "write the report of a run as a web page, or a comparison of several runs",
			text: "A RUN is a run folder. Training writes its report.html; this command writes it again, in another language, or for a run that was cut off. " +
				"The page has everything in it and opens without a network. Where the data have moved: -set data.dir=FOLDER.",
			example: "trainer report runs/first -lang zh\ntrainer report runs/first runs/second -o comparison.html"},
		{name: "compare", args: "RUN RUN...", run: compareCommand, also: "diff versus against mcnemar significance",
			about: "compare runs: what was changed, and which model is better",
			text: "It prints the keys that differ, the results, and how the answers for the test set differ, with McNemar's exact test. " +
				"All runs are compared with the first. They must have the same test set.",
			example: "trainer compare runs/first runs/second"},
		{name: "export", operand: "model", run: exportCommand, also: "convert onnx safetensors save publish",
			about: "write a trained model as ONNX, safetensors or CSV",
			text: "ONNX is the network as a graph, which onnxruntime and many other programs run; the number of images at once is free. " +
				"Its metadata say the classes and the scale of the inputs. CSV is one table of all parameters: tensor,i,j,value.",
			example: "trainer export runs/first -o first.onnx"},
		{name: "serve", operand: "model", run: serveCommand, also: "page web browser draw demo classroom",
			about: "a page for the browser: draw a digit, and see what a trained model makes of it",
			text: "It shows the image that the network sees, the outputs and the hidden units while you draw, and trains a copy on what you drew. " +
				"A signal ends it, with exit code 0. `trainer train -serve` has the page while it trains.",
			example: "trainer serve runs/first\ntrainer serve runs/first -listen 192.168.1.20:8080 -lang zh"},
		{name: "data", operand: "config", run: dataCommand, also: "dataset describe inspect images look",
			about:   "describe a data set: classes, values, samples, warnings",
			text:    "The first thing to try with files of your own.",
			example: "trainer data -set data.train=my.csv -o sheet.png"},
		{name: "gradcheck", operand: "model", run: gradcheckCommand, also: "gradient gradients check verify",
			about: "compare the symbolic gradients with the equations derived by hand and with central differences",
			text:  "The exit code is 1 if they differ.", example: "trainer gradcheck -set precision=float64"},
		{name: "graph", operand: "config", run: graphCommand, also: "draw plot show print program network",
			about:   "print or draw the program that a machine runs, or the expression graph that it is compiled from",
			example: "trainer graph -set train.batch=128\ntrainer graph -format svg -o program.svg\ntrainer graph -expr"},
		{name: "bench", operand: "config", run: benchCommand, also: "benchmark measure speed time profile",
			about: "measure the machine beside Gorgonia's, and NumPy", example: "trainer bench -peer"},
		{name: "devices", operand: "config", run: devicesCommand, also: "list gpu gpus cuda cpu",
			about: "list the devices, and how each would train", example: "trainer devices -set train.batch=128"},
		{name: "init", args: "[NAME]", run: initCommand, also: "new create setup presets configs",
			about: "write a commented configuration to start from",
			text: "It is one of those that are built in, mnist without a NAME. A file that is there is not overwritten. The built-in ones:\n\n" +
				presetList(), example: "trainer init mnist"},
		{name: "completion", args: "SHELL", run: completionCommand, also: "complete",
			about:   "print the completion of the command line for bash, zsh or fish",
			example: "source <(trainer completion bash)\nsource <(trainer completion zsh)\ntrainer completion fish | source"},
		{name: "version", run: versionCommand,
			about: "print the version", example: "trainer version"},
		{name: "help", args: "[COMMAND]", run: helpCommand, also: "usage man info",
			about: "print the help on a command, or with `help config` all keys of a configuration", example: "trainer help eval\ntrainer help config"},
	}
}

// findCommand returns the command of that name.
func findCommand(name string) (command, bool) {
	all := commands()
	if i := slices.IndexFunc(all, func(c command) bool { return c.name == name }); i >= 0 {
		return all[i], true
	}
	return command{}, false
}

// flags returns the flags of the command. A command registers them before it looks at
// -h, and does nothing else.
func (c command) flags() []*flag.Flag {
	var asked helpError
	if !errors.As(c.run([]string{"-h"}, io.Discard, io.Discard), &asked) {
		panic("BUG: " + c.name + " -h is no help")
	}
	var flags []*flag.Flag
	asked.flags.VisitAll(func(f *flag.Flag) { flags = append(flags, f) })
	return flags
}

// presetList lists the built-in configurations, one a line.
func presetList() string {
	names := configs.Names()
	width := 0
	for _, name := range names {
		width = max(width, len(name))
	}
	var b strings.Builder
	for _, name := range names {
		b.WriteString(hang("  "+name+strings.Repeat(" ", width-len(name)+2), configs.About(name)))
	}
	return b.String()
}

// configFlags are the flags that make a configuration.
type configFlags struct {
	file   string
	device string
	lang   string
	sets   settings
}

func (c *configFlags) register(f *flag.FlagSet) {
	f.StringVar(&c.file, "config", "", "read the configuration `file` (YAML), or a built-in one: "+strings.Join(configs.Names(), ", ")+"; without it, all defaults")
	f.StringVar(&c.device, "device", "", "`"+strings.Join(config.Devices, "|")+"`, short for -set device=…")
	f.StringVar(&c.lang, "lang", "", languageUsage)
	f.Var(&c.sets, "set", "set a key of the configuration, `key=value`; may be repeated")
}

// parse parses a command's flags and reads the configuration.
func (c *configFlags) parse(f *flag.FlagSet, args []string, stdout io.Writer) (config.Config, error) {
	if err := parseFlags(f, args, stdout); err != nil {
		return config.Config{}, err
	}
	return c.read()
}

func (c *configFlags) read() (config.Config, error) {
	sets, err := c.settings()
	if err != nil {
		return config.Config{}, err
	}
	return config.Read(c.file, sets)
}

// settings returns the settings of -set and those that have a flag of their own.
func (c *configFlags) settings() ([]string, error) {
	if c.device == "gpu" {
		c.device = "cuda"
	}
	sets := slices.Clip(c.sets)
	for _, short := range []struct{ flag, value string }{{"device", c.device}, {"lang", c.lang}} {
		if short.value == "" {
			continue
		}
		setting := short.flag + "=" + short.value
		for _, s := range c.sets {
			if strings.HasPrefix(s, short.flag+"=") && s != setting {
				return nil, usageError("-" + short.flag + " " + short.value + " and -set " + s + ": give one of them")
			}
		}
		sets = append(sets, setting)
	}
	return sets, nil
}

// source says in a line which configuration a name stands for; "" where that is plain.
func (c *configFlags) source() string {
	switch path, preset := config.Find(c.file); {
	case preset:
		return "configuration " + path + " (built in)"
	case path != c.file:
		return "configuration " + path + " (the file here, not the built-in " + c.file + ")"
	}
	return ""
}

// settings collects the values of a flag that may be repeated.
type settings []string

func (s *settings) String() string     { return strings.Join(*s, " ") }
func (s *settings) Set(v string) error { *s = append(*s, v); return nil }

// languageUsage is the text of the flag -lang.
var languageUsage = "`" + strings.Join(config.Languages, "|") + "`, the language, short for -set lang=…"

// language returns the language of the flags, or that of the locale.
func (c *configFlags) language() lang.Language {
	return config.Config{Lang: c.lang}.Language(os.Getenv)
}
