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
	about   lang.Text // what it does, in a line
	operand string    // an argument that is no flag is the value of this flag
	args    string    // the arguments of a command without an operand, such as "[NAME]"
	text    lang.Text // a paragraph for the help
	list    string    // after it
	example string    // lines to type
	also    string    // what users may call it, separated by spaces

	// run returns a usageError or a *config.Error for what the user got wrong.
	run func(args []string, stdout, stderr io.Writer) error
}

// commands is the table, in the order of the help.
func commands() []command {
	return []command{
		{name: "train", operand: "config", run: trainCommand, also: "fit learn run start",
			about: lang.Text{En: "train a network, and leave a run folder", Zh: "训练一个网络，并留下运行文件夹"},
			text: lang.Text{
				En: "The command may be left out: `trainer -config F` trains too. " +
					"The run folder has the resolved configuration, the metrics, the parameters, the figures, a report and a checkpoint. " +
					"A run that was stopped, by a signal or a crash, goes on from the checkpoint with -resume, to the same bits as if it had not been stopped.",
				Zh: "命令名可以省略：`trainer -config F` 也是训练。运行文件夹中有完整的配置、指标、参数、图、报告和检查点。因信号或崩溃而停止的训练可用 -resume 从检查点继续，结果与从未停止过的逐位相同。",
			},
			example: "trainer -config mnist\ntrainer my.yaml -set train.epochs=5 -out runs/first\n" +
				"trainer -resume runs/first\n" +
				"trainer -resume runs/first -set train.epochs=20\n" +
				"trainer -resume runs/first -fork runs/second -set train.rate.initial=0.01"},
		{name: "sweep", operand: "config", run: sweepCommand, also: "search grid tune hyperparameters experiment experiments lr-finder array",
			about: lang.Text{En: "train every combination of some values of keys, and compare them", Zh: "对若干键的各种取值组合逐一训练并比较"},
			text: lang.Text{
				En: "The values are those of -over, or of the group sweep in the configuration. Every combination has the same seeds, and each run is a training as any other, with the same bits. " +
					"The folder has a table (CSV and JSON), a figure, a page (index.html), and a run folder for each run. The same command again keeps the runs that have ended and goes on with the others. " +
					"In a Slurm array or a Kubernetes Indexed Job, each task trains its shard of the runs; then trainer sweep -merge DIR... makes the table, the figure and the page of what there is. " +
					"trainer sweep -find-rate looks for a learning rate.",
				Zh: "取值由 -over 或配置中的 sweep 组给出。每种组合使用相同的随机种子；每次训练与单独训练逐位相同。文件夹中有结果表（CSV 与 JSON）、图、页面（index.html）以及每次训练的运行文件夹。重复同一命令时，已结束的训练予以保留，其余的继续进行。在 Slurm 作业数组或 Kubernetes Indexed Job 中，每个任务训练自己的分片；之后用 trainer sweep -merge DIR... 合并已有结果。trainer sweep -find-rate 用来寻找合适的学习率。",
			},
			example: "trainer sweep -over train.rate.initial=log:0.01..1:5 -seeds 3 -out rates\n" +
				"trainer sweep -over model.layers='[784,10,10],[784,50,10]' -seeds 3\n" +
				"trainer sweep -resume rates\n" +
				"trainer sweep -config search.yaml -out search -shard 2/6\n" +
				"trainer sweep -merge search\n" +
				"trainer sweep -config mnist -find-rate"},
		{name: "eval", operand: "model", run: evalCommand, also: "evaluate test validate score accuracy",
			about: lang.Text{En: "cost, accuracy, confusion and classes of a trained model", Zh: "已训练模型的代价、准确率、混淆矩阵和各类别结果"},
			text: lang.Text{
				En: "Without -config, the configuration beside the model is used: a run folder evaluates from anywhere. " +
					"Where its data have moved: -set data.dir=FOLDER.",
				Zh: "不给 -config 时使用模型旁边的配置：运行文件夹在任何地方都可以评估。数据移动过的：-set data.dir=文件夹。",
			},
			example: "trainer eval runs/first -wrong 10"},
		{name: "predict", args: "MODEL [FILE...]", run: predictCommand, also: "classify infer recognise recognize guess submit",
			about: lang.Text{En: "the classes of pictures, or of the rows of a file", Zh: "判断图片或文件各行的类别"},
			text: lang.Text{
				En: "A FILE is a picture of one digit (PNG, JPEG or GIF), a folder of them, or - for standard input. " +
					"It becomes an image as MNIST's were made. With -data, the images are rows of a CSV file without labels, such as Kaggle's test.csv, or IDX images.",
				Zh: "FILE 是一幅数字图片（PNG、JPEG 或 GIF）、图片的文件夹，或表示标准输入的 -。图片按 MNIST 的做法归一化。用 -data 时，图像是没有标签的 CSV 文件的各行，例如 Kaggle 的 test.csv，或 IDX 图像。",
			},
			example: "trainer predict runs/first seven.jpg\ntrainer predict runs/first -data test.csv -o answers.csv"},
		{name: "explain", operand: "model", run: explainCommand, also: "derivation equations microscope trace",
			about:   lang.Text{En: "print the derivation, equation by equation, with the numbers of one sample", Zh: "逐个公式地打印推导过程，并代入一个样本的数值"},
			example: "trainer explain runs/first -image 0 -step"},
		{name: "report", args: "RUN...", run: reportCommand, also: "html page summary",
			about: lang.Text{En: "write the report of a run as a web page, or a comparison of several runs", Zh: "把一次训练的报告写成网页，或比较几次训练"},
			text: lang.Text{
				En: "A RUN is a run folder. Training writes its report.html; this command writes it again, in another language, or for a run that was cut off. " +
					"The page has everything in it and opens without a network. Where the data have moved: -set data.dir=FOLDER.",
				Zh: "RUN 是运行文件夹。训练时会写出 report.html；本命令可以重写它、换一种语言，或为中断的训练补写。页面自成一体，无需网络即可打开。数据移动过的：-set data.dir=文件夹。",
			},
			example: "trainer report runs/first -lang zh\ntrainer report runs/first runs/second -o comparison.html"},
		{name: "compare", args: "RUN RUN...", run: compareCommand, also: "diff versus against mcnemar significance",
			about: lang.Text{En: "compare runs: what was changed, and which model is better", Zh: "比较几次训练：改了什么，哪个模型更好"},
			text: lang.Text{
				En: "It prints the keys that differ, the results, and how the answers for the test set differ, with McNemar's exact test. " +
					"All runs are compared with the first. They must have the same test set.",
				Zh: "它列出不同的键、结果，以及对测试集的答案有何不同，并做 McNemar 精确检验。各次训练都与第一次比较，测试集必须相同。",
			},
			example: "trainer compare runs/first runs/second -o curves.svg"},
		{name: "export", operand: "model", run: exportCommand, also: "convert onnx safetensors save publish",
			about: lang.Text{En: "write a trained model as ONNX, safetensors or CSV", Zh: "把训练好的模型写成 ONNX、safetensors 或 CSV"},
			text: lang.Text{
				En: "ONNX is the network as a graph, which onnxruntime and many other programs run; the number of images at once is free. " +
					"Its metadata say the classes and the scale of the inputs. CSV is one table of all parameters: tensor,i,j,value.",
				Zh: "ONNX 是以图表示的网络，可由 onnxruntime 等许多程序运行，一次的图像数不限；其元数据说明类别和输入的取值范围。CSV 是全部参数的一张表：tensor,i,j,value。",
			},
			example: "trainer export runs/first -o first.onnx"},
		{name: "serve", operand: "model", run: serveCommand, also: "page web browser draw demo classroom",
			about: lang.Text{En: "a page for the browser: draw a digit, and see what a trained model makes of it", Zh: "浏览器中的页面：画一个数字，看模型怎么认"},
			text: lang.Text{
				En: "It shows the image that the network sees, the outputs and the hidden units while you draw, and trains a copy on what you drew. " +
					"A signal ends it, with exit code 0. `trainer train -serve` has the page while it trains.",
				Zh: "绘画时显示网络看到的图像、输出和隐藏节点，并可用所画的内容训练一个副本。收到信号即结束，退出码为 0。`trainer train -serve` 在训练时显示该页面。",
			},
			example: "trainer serve runs/first\ntrainer serve runs/first -listen 192.168.1.20:8080 -lang zh"},
		{name: "data", operand: "config", run: dataCommand, also: "dataset describe inspect images look",
			about: lang.Text{En: "describe a data set: classes, values, samples, warnings", Zh: "描述数据集：类别、取值、样本、警告"},
			text: lang.Text{
				En: "The first thing to try with files of your own.",
				Zh: "使用自己的文件时，先试这个命令。",
			},
			example: "trainer data -set data.train=my.csv -o sheet.png"},
		{name: "gradcheck", operand: "model", run: gradcheckCommand, also: "gradient gradients check verify",
			about: lang.Text{En: "compare the symbolic gradients with the equations derived by hand and with central differences", Zh: "把符号梯度与手工推导的公式及中心差分比较"},
			text: lang.Text{
				En: "The exit code is 1 if they differ.",
				Zh: "如有不同，退出码为 1。",
			}, example: "trainer gradcheck -set precision=float64"},
		{name: "graph", operand: "config", run: graphCommand, also: "draw plot show print program network",
			about:   lang.Text{En: "print or draw the program that a machine runs, or the expression graph that it is compiled from", Zh: "打印或画出计算设备运行的程序，或编译它的表达式图"},
			example: "trainer graph -set train.batch=128\ntrainer graph -format svg -o program.svg\ntrainer graph -expr"},
		{name: "bench", operand: "config", run: benchCommand, also: "benchmark measure speed time profile",
			about: lang.Text{En: "measure the machine beside Gorgonia's, and NumPy", Zh: "测量速度，并与 Gorgonia 的虚拟机和 NumPy 比较"}, example: "trainer bench -peer"},
		{name: "devices", operand: "config", run: devicesCommand, also: "list gpu gpus cuda cpu",
			about: lang.Text{En: "list the devices, and how each would train", Zh: "列出计算设备，以及各自如何训练"}, example: "trainer devices -set train.batch=128"},
		{name: "init", args: "[NAME]", run: initCommand, also: "new create setup presets configs",
			about: lang.Text{En: "write a commented configuration to start from", Zh: "写出一个带注释的配置，供修改使用"},
			text: lang.Text{
				En: "It is one of those that are built in, mnist without a NAME. A file that is there is not overwritten. The built-in ones:",
				Zh: "它是内置配置之一，不给 NAME 时为 mnist。已有的文件不会被覆盖。内置的有：",
			}, list: presetList(), example: "trainer init mnist"},
		{name: "completion", args: "SHELL", run: completionCommand, also: "complete",
			about:   lang.Text{En: "print the completion of the command line for bash, zsh or fish", Zh: "打印 bash、zsh 或 fish 的命令行补全"},
			example: "source <(trainer completion bash)\nsource <(trainer completion zsh)\ntrainer completion fish | source"},
		{name: "version", run: versionCommand,
			about: lang.Text{En: "print the version", Zh: "打印版本"}, example: "trainer version"},
		{name: "help", args: "[COMMAND]", run: helpCommand, also: "usage man info",
			about: lang.Text{En: "print the help on a command, or with `help config` all keys of a configuration", Zh: "打印某个命令的帮助，或用 `help config` 打印配置的所有键"}, example: "trainer help eval\ntrainer help config"},
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
	f.StringVar(&c.file, "config", "", "read the configuration `file` (YAML), or a built-in one (see trainer help init); without it, all defaults")
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
