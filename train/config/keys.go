package config

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"trainer/data/augment"
	"trainer/data/lang"
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
	perLayer             // a number, or a list of numbers
	texts                // a list of texts; one text is a list of one
	kindEnd
)

// key is one row of the table: all that is known of a key.
type key struct {
	path string // "train.rate.initial"
	kind kind
	def  string    // the default, as it is written in YAML; "" for none
	doc  lang.Text // what it means

	// field returns the address of the key's value in c.
	field func(c *Config) any

	choices    []string       // of a choice
	min, max   float64        // of a number, an integer, or each integer of a list
	aboveMin   bool           // whether min itself is not legal
	least      int            // entries of a list, at least
	most       int            // entries of a list, or characters of a text, at most
	pattern    *regexp.Regexp // of a text that is not free
	patternDoc lang.Text      // what pattern says, after "a text "

	schemaPattern *regexp.Regexp // that of the JSON schema, if it is another
	isPath        bool           // whether a text is a path: see pathOf

	auto   bool // of a number: the word auto is legal too, and of a group: it stands for all of its keys
	scalar bool // of a text, or each text of a list: a number without quotes is a text too

	// free says that the key changes nothing in the mathematics: a run that is resumed may
	// have another value. A change of the data is seen by their checksum.
	free bool

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

var notEmptyText = lang.Text{En: "that is not empty", Zh: "，不为空"}

// fileName is the pattern of a text that becomes a part of a folder's name, on any
// system: letters of all languages, with their marks. Few JSON schema readers know its
// syntax: schemaFileName has theirs, and takes more characters that are not ASCII.
var (
	fileName       = regexp.MustCompile(`^[\p{L}\p{Nd}][\p{L}\p{M}\p{Nd}._-]*$`)
	schemaFileName = regexp.MustCompile("^[^\\x00-/:-@\\[-`{-\\x7f][^\\x00-,/:-@\\[-^`{-\\x7f]*$")
)

// keys is the table, in the order of the file. A group stands before its keys.
var keys = []key{
	{path: "name", kind: text, free: true, def: "run", most: 64,
		pattern: fileName, schemaPattern: schemaFileName,
		patternDoc: lang.Text{En: "of letters of any language, digits, dots, dashes and underscores that begins with a letter or a digit", Zh: "，由各种语言的字母、数字、点、连字符和下划线组成，以字母或数字开头"},
		doc: lang.Text{
			En: "Name of the run; a part of the name of its folder, and of the titles of its figures.",
			Zh: "训练的名字；也是其文件夹名的一部分，并出现在图的标题中。"},
		field: func(c *Config) any { return &c.Name }},
	{path: "seed", kind: integer, def: "1", max: maxSeed,
		doc: lang.Text{
			En: "Seed of all random numbers: first weights, shuffling, built-in digits. Same seed, same run.",
			Zh: "所有随机数的种子：初始权重、打乱顺序、内置数字。种子相同，训练就相同。"},
		field: func(c *Config) any { return &c.Seed }},
	{path: "device", kind: choice, free: true, def: "auto", choices: Devices,
		doc: lang.Text{
			En: "Where the compiled machine runs: auto takes a CUDA device when there is one that works and is estimated to be faster for this work, else the CPU; cuda is a CUDA device or an error.",
			Zh: "编译后的计算设备在哪里运行：auto 在有可用的 CUDA 设备、且估计它做这项计算更快时用它，否则用 CPU；cuda 一定用 CUDA 设备，没有就报错。"},
		field: func(c *Config) any { return &c.Device }},
	{path: "machine", kind: choice, free: true, def: "compiled", choices: Machines,
		doc: lang.Text{
			En: "How to compute. compiled is the compiled program with the fast kernels of the device. Two slow machines are there to compare with, and run on the CPU whatever the device: interpret runs the compiled program with plain loops; tape is Gorgonia's own machine on the graph as it is.",
			Zh: "如何计算。compiled 是编译后的程序，用设备的快速内核。另有两种慢的，供比较之用，总在 CPU 上运行：interpret 用普通循环执行编译后的程序；tape 是 Gorgonia 自己的虚拟机，直接运行表达式图。"},
		field: func(c *Config) any { return &c.Machine }},
	{path: "precision", kind: choice, def: "float32", choices: model.PrecisionNames(),
		doc: lang.Text{
			En: "Type of all weights and values of the network.",
			Zh: "网络的权重和所有数值的类型。"},
		field: func(c *Config) any { return &c.Precision }},
	{path: "lang", kind: choice, free: true, def: "auto", choices: Languages,
		doc: lang.Text{
			En: "Language of results and figures: en is English, zh is Chinese; auto takes the language of the locale (LC_ALL, LC_MESSAGES or LANG).",
			Zh: "结果和图的语言：en 是英文，zh 是中文；auto 按系统区域设置（LC_ALL、LC_MESSAGES 或 LANG）。"},
		field: func(c *Config) any { return &c.Lang }},

	{path: "model", kind: group, doc: lang.Text{
		En: "The network and its first weights.",
		Zh: "网络及其初始权重。"}},
	{path: "model.layers", kind: list, def: "[784, 50, 10]", least: 2, most: maxLayers, min: 1, max: maxNodes,
		doc: lang.Text{
			En: "Nodes of each layer, from the input (pixels) to the output (classes).",
			Zh: "各层的节点数，从输入层（像素）到输出层（类别）。"},
		field: func(c *Config) any { return &c.Model.Layers }},
	{path: "model.activation", kind: choice, def: "sigmoid", choices: model.ActivationNames(),
		doc: lang.Text{
			En: "Function g of every layer: a = g(z).",
			Zh: "每一层的函数 g：a = g(z)。"},
		field: func(c *Config) any { return &c.Model.Activation }},
	{path: "model.bias", kind: boolean, def: "true",
		doc: lang.Text{
			En: "Whether the layers have a bias b: z = Wa + b. The textbook's listing has none.",
			Zh: "各层是否有偏置 b：z = Wa + b。教科书的程序没有。"},
		field: func(c *Config) any { return &c.Model.Bias }},
	{path: "model.init", kind: group, doc: lang.Text{
		En: "First weights and biases: give one of std, rule and file.",
		Zh: "初始权重和偏置：std、rule、file 三者给一个。"}},
	{path: "model.init.std", kind: perLayer, exclusive: true, least: 1, most: maxLayers - 1, max: 1000,
		doc: lang.Text{
			En: "Draw the weights from the normal distribution with mean 0 and this standard deviation. A list gives one for the weights of each layer, from the first hidden layer to the output.",
			Zh: "权重取自均值为 0、标准差为此数的正态分布。给列表时，每层一个，从第一个隐藏层到输出层。"},
		field: func(c *Config) any { return &c.Model.Init.Std }},
	{path: "model.init.rule", kind: choice, def: "hidden", exclusive: true, choices: Rules,
		doc: lang.Text{
			En: "hidden is the textbook's listing: normal, with standard deviation 1/√n for every weight, n the nodes of the first hidden layer; fan_in is normal, with 1/√n in each layer, n the nodes of the layer before; xavier is normal, with √(2/(n + m)) in each layer, n the nodes of the layer before and m its own (Glorot and Bengio 2010, equation 12); zeros sets all weights to 0.",
			Zh: "hidden 是教科书的程序：正态分布，所有权重的标准差为 1/√n，n 是第一个隐藏层的节点数；fan_in 是正态分布，每层标准差 1/√n，n 是前一层的节点数；xavier 是正态分布，每层标准差 √(2/(n + m))，n 是前一层、m 是本层的节点数（Glorot 与 Bengio 2010，公式 12）；zeros 把所有权重设为 0。"},
		field: func(c *Config) any { return &c.Model.Init.Rule }},
	{path: "model.init.file", kind: text, isPath: true, exclusive: true, most: 4096, pattern: regexp.MustCompile(`.`), patternDoc: notEmptyText,
		doc: lang.Text{
			En: "Read weights and biases from this model, a run folder or a safetensors file, relative to the current directory. Layers, bias, activation and precision are then those of the model, where they are not given.",
			Zh: "从这个模型读取权重和偏置：运行文件夹或 safetensors 文件，相对于当前目录。没有给出的层、偏置、激活函数和精度取自该模型。"},
		field: func(c *Config) any { return &c.Model.Init.File }},
	{path: "model.init.bias_std", kind: number, def: "0", max: 1000,
		doc: lang.Text{
			En: "Draw the biases from the normal distribution with mean 0 and this standard deviation; 0: all are 0. Not with model.init.file.",
			Zh: "偏置取自均值为 0、标准差为此数的正态分布；0：全部为 0。不能与 model.init.file 同用。"},
		field: func(c *Config) any { return &c.Model.Init.BiasStd }},

	{path: "data", kind: group, doc: lang.Text{
		En: "The images.",
		Zh: "图像。"}},
	{path: "data.dataset", kind: choice, def: "mnist", choices: Datasets,
		doc: lang.Text{
			En: "mnist is MNIST, searched, downloaded if need be, and verified; files, csv and idx are a set of your own in data.dir, or in data.train and data.test; digits are drawn by the program; the others are published sets with the format of MNIST, in data.dir.",
			Zh: "mnist 是 MNIST：查找，需要时下载，并校验；files、csv 和 idx 是自己的数据，在 data.dir 中，或由 data.train 和 data.test 给出；digits 由程序画出；其余是与 MNIST 格式相同的公开数据集，在 data.dir 中。"},
		field: func(c *Config) any { return &c.Data.Dataset }},
	{path: "data.dir", kind: text, free: true, isPath: true, def: `""`, most: 4096,
		doc: lang.Text{
			En: "Folder of the files, relative to the current directory; empty: the usual places of MNIST.",
			Zh: "文件所在的文件夹，相对于当前目录；空：MNIST 的常用位置。"},
		field: func(c *Config) any { return &c.Data.Dir }},
	{path: "data.train", kind: texts, free: true, isPath: true, def: "[]", most: 1000,
		doc: lang.Text{
			En: "Files of the training set, as paths or patterns (*), in place of data.dir: CSV, IDX images with their labels beside them, gzipped or not, or a folder that has a folder of PNG or JPEG images for each class.",
			Zh: "训练集的文件，路径或通配模式（*），代替 data.dir：CSV，IDX 图像（标签文件在旁边），可用 gzip 压缩；或一个文件夹，其中每个类别有一个放 PNG 或 JPEG 图像的文件夹。"},
		field: func(c *Config) any { return &c.Data.Train }},
	{path: "data.test", kind: texts, free: true, isPath: true, def: "[]", most: 1000,
		doc: lang.Text{
			En: "Files of the test set, likewise; empty: a part of the training set (data.split).",
			Zh: "测试集的文件，写法相同；空：取训练集的一部分（data.split）。"},
		field: func(c *Config) any { return &c.Data.Test }},
	{path: "data.split", kind: group, doc: lang.Text{
		En: "The test set of a data set that has none, from its training set; each class keeps its share.",
		Zh: "数据没有测试集时，从训练集中取出；各类别的比例不变。"}},
	{path: "data.split.test", kind: number, def: "0.2", aboveMin: true, max: 1e9,
		doc: lang.Text{
			En: "Images of it; below 1: this fraction of the training set.",
			Zh: "测试集的图像数；小于 1 时：占训练集的比例。"},
		field: func(c *Config) any { return &c.Data.Split.Test }},
	{path: "data.split.seed", kind: integer, def: "1", max: maxSeed,
		doc: lang.Text{
			En: "Seed that draws them, and those of data.validation.",
			Zh: "抽取测试集和 data.validation 的种子。"},
		field: func(c *Config) any { return &c.Data.Split.Seed }},
	{path: "data.validation", kind: number, def: "0", max: 1e9,
		doc: lang.Text{
			En: "Images that are taken out of the training set, to choose by; below 1: this fraction of it; 0: none. Each class keeps its share.",
			Zh: "从训练集中取出、用来作选择的图像数；小于 1 时：占训练集的比例；0：没有。各类别的比例不变。"},
		field: func(c *Config) any { return &c.Data.Validation }},
	{path: "data.csv", kind: group, doc: lang.Text{
		En: "How CSV files are read.",
		Zh: "如何读取 CSV 文件。"}},
	{path: "data.csv.label", kind: text, def: "auto", most: 200, scalar: true, pattern: regexp.MustCompile(`.`), patternDoc: notEmptyText,
		doc: lang.Text{
			En: "Column of the label: first, last, a name in the header, or a number, counted from 1; auto is the column named label, class, target, y or digit, else the first.",
			Zh: "标签所在的列：first、last、表头中的名字，或从 1 数起的序号；auto 是名为 label、class、target、y 或 digit 的列，否则是第一列。"},
		field: func(c *Config) any { return &c.Data.CSV.Label }},
	{path: "data.values", kind: group, auto: true, doc: lang.Text{
		En: "The values of the pixels in the files; auto: found out.",
		Zh: "文件中像素的取值；auto：自动判断。"}},
	{path: "data.values.min", kind: number, auto: true, def: "auto", min: -1e9, max: 1e9,
		doc: lang.Text{
			En: "Value that becomes data.inputs.low; auto: 0.",
			Zh: "对应 data.inputs.low 的值；auto：0。"},
		field: func(c *Config) any { return &c.Data.Values.Min }},
	{path: "data.values.max", kind: number, auto: true, def: "auto", min: -1e9, max: 1e9,
		doc: lang.Text{
			En: "Value that becomes data.inputs.high; auto: of 1, 16 and 255 the first that no value exceeds.",
			Zh: "对应 data.inputs.high 的值；auto：1、16、255 中第一个不小于所有值的。"},
		field: func(c *Config) any { return &c.Data.Values.Max }},
	{path: "data.inputs", kind: group, doc: lang.Text{
		En: "The inputs of the network. With low above high, images are inverted.",
		Zh: "网络的输入。low 大于 high 时，图像反色。"}},
	{path: "data.inputs.low", kind: number, def: "0", min: -1000, max: 1000,
		doc: lang.Text{
			En: "Input for the lowest value of a pixel.",
			Zh: "像素最小值对应的输入。"},
		field: func(c *Config) any { return &c.Data.Inputs.Low }},
	{path: "data.inputs.high", kind: number, def: "1", min: -1000, max: 1000,
		doc: lang.Text{
			En: "Input for the highest value of a pixel.",
			Zh: "像素最大值对应的输入。"},
		field: func(c *Config) any { return &c.Data.Inputs.High }},
	{path: "data.targets", kind: group, doc: lang.Text{
		En: "The outputs that the network learns to give.",
		Zh: "网络要学会给出的输出。"}},
	{path: "data.targets.low", kind: number, def: "0", min: -1, max: 1,
		doc: lang.Text{
			En: "Target of all classes but that of the label.",
			Zh: "标签以外各类别的目标值。"},
		field: func(c *Config) any { return &c.Data.Targets.Low }},
	{path: "data.targets.high", kind: number, def: "1", min: -1, max: 1,
		doc: lang.Text{
			En: "Target of the class of the label.",
			Zh: "标签所属类别的目标值。"},
		field: func(c *Config) any { return &c.Data.Targets.High }},
	{path: "data.transpose", kind: boolean, def: "false",
		doc: lang.Text{
			En: "Whether rows and columns of the images are swapped: in EMNIST's files they are.",
			Zh: "是否交换图像的行和列：EMNIST 的文件需要。"},
		field: func(c *Config) any { return &c.Data.Transpose }},
	{path: "data.classes", kind: texts, def: "[]", most: 256, scalar: true,
		doc: lang.Text{
			En: "Names of the classes, in order; the labels are these names or their numbers from 0. Empty: numbers, or the labels themselves where they are texts.",
			Zh: "各类别的名字，按顺序；标签是这些名字，或从 0 起的序号。空：用数字，标签是文字时用标签本身。"},
		field: func(c *Config) any { return &c.Data.Classes }},
	{path: "data.fallback", kind: choice, free: true, def: "none", choices: Fallbacks,
		doc: lang.Text{
			En: "What to take when the images cannot be had: none stops with an error, digits takes the built-in digits with a warning.",
			Zh: "得不到图像时怎么办：none 报错停止，digits 改用内置数字并给出警告。"},
		field: func(c *Config) any { return &c.Data.Fallback }},

	{path: "train", kind: group, doc: lang.Text{
		En: "The training.",
		Zh: "训练。"}},
	{path: "train.epochs", kind: integer, free: true, def: "10", min: 1, max: maxEpochs,
		doc: lang.Text{
			En: "Passes over the training set.",
			Zh: "遍历训练集的次数。"},
		field: func(c *Config) any { return &c.Train.Epochs }},
	{path: "train.batch", kind: integer, def: "1", min: 1, max: 100_000,
		doc: lang.Text{
			En: "Samples of a step; the gradient is the mean over them. The last step of an epoch takes what is left.",
			Zh: "每步的样本数；梯度取其平均。每次迭代的最后一步取剩下的样本。"},
		field: func(c *Config) any { return &c.Train.Batch }},
	{path: "train.shuffle", kind: boolean, def: "true",
		doc: lang.Text{
			En: "Whether every epoch visits the samples in a new random order; false: the order of the files.",
			Zh: "每次迭代是否按新的随机顺序遍历样本；false：按文件中的顺序。"},
		field: func(c *Config) any { return &c.Train.Shuffle }},
	{path: "train.rate", kind: group, doc: lang.Text{
		En: "The learning rate: in epoch e it is initial · factor^k, with k = (e−1)/every, rounded down.",
		Zh: "学习率：第 e 次迭代为 initial · factor^k，其中 k = (e−1)/every，向下取整。"}},
	{path: "train.rate.initial", kind: number, def: "0.1", aboveMin: true, max: 1000,
		doc: lang.Text{
			En: "Learning rate of the first epoch.",
			Zh: "第一次迭代的学习率。"},
		field: func(c *Config) any { return &c.Train.Rate.Initial }},
	{path: "train.rate.factor", kind: number, def: "1", aboveMin: true, max: 1,
		doc: lang.Text{
			En: "Multiplies the rate after every so many epochs; 1 keeps it constant.",
			Zh: "每隔若干次迭代，学习率乘以此数；1 表示不变。"},
		field: func(c *Config) any { return &c.Train.Rate.Factor }},
	{path: "train.rate.every", kind: integer, def: "1", min: 1, max: maxEpochs,
		doc: lang.Text{
			En: "Epochs between two changes of the rate.",
			Zh: "学习率两次改变之间的迭代次数。"},
		field: func(c *Config) any { return &c.Train.Rate.Every }},
	{path: "train.update_order", kind: choice, def: "simultaneous", choices: UpdateOrders,
		doc: lang.Text{
			En: "simultaneous takes all gradients from the weights before the step, as in the equations; listing updates the output weights first, as the textbook's program does.",
			Zh: "simultaneous 的所有梯度都用这一步之前的权重计算，如公式所示；listing 先更新输出层的权重，如教科书的程序。"},
		field: func(c *Config) any { return &c.Train.UpdateOrder }},
	{path: "train.early_stopping", kind: group, doc: lang.Text{
		En: "Whether a run stops before the last epoch; each run is judged on its own.",
		Zh: "是否在最后一次迭代之前停止；每次训练各自判断。"}},
	{path: "train.early_stopping.patience", kind: integer, def: "0", max: maxEpochs,
		doc: lang.Text{
			En: "Stop after this many epochs in a row without a better accuracy on the validation set, or on the test set if there is no validation set; 0: never.",
			Zh: "验证集（没有时为测试集）上的准确率连续这么多次迭代没有提高就停止；0：从不。"},
		field: func(c *Config) any { return &c.Train.EarlyStopping.Patience }},
	{path: "train.early_stopping.min_delta", kind: number, def: "0", max: 1,
		doc: lang.Text{
			En: "An accuracy is better when it is above the best by more than this.",
			Zh: "准确率比最好的高出超过此数才算提高。"},
		field: func(c *Config) any { return &c.Train.EarlyStopping.MinDelta }},
	{path: "train.augment", kind: group, doc: lang.Text{
		En: "Distorts the images of the training set, each at random, up to these amounts; all 0: not at all. The next images are made while the network trains, and accuracies are those of the images as they are.",
		Zh: "随机变形训练集的图像，幅度不超过以下各值；全部为 0：不变形。网络训练的同时准备下一批图像；准确率按原来的图像计算。"}},
	{path: "train.augment.rotate", kind: number, def: "0", max: augment.MaxRotate,
		doc: lang.Text{
			En: "Degrees of rotation, to either side.",
			Zh: "旋转的角度（度），向两侧。"},
		field: func(c *Config) any { return &c.Train.Augment.Rotate }},
	{path: "train.augment.scale", kind: number, def: "0", max: augment.MaxScale,
		doc: lang.Text{
			En: "Fraction by which the size grows or shrinks.",
			Zh: "放大或缩小的比例。"},
		field: func(c *Config) any { return &c.Train.Augment.Scale }},
	{path: "train.augment.shear", kind: number, def: "0", max: augment.MaxShear,
		doc: lang.Text{
			En: "How far upright lines lean, as a fraction of their length.",
			Zh: "竖线倾斜的程度，相对于其长度。"},
		field: func(c *Config) any { return &c.Train.Augment.Shear }},
	{path: "train.augment.shift", kind: number, def: "0", max: augment.MaxShift,
		doc: lang.Text{
			En: "Pixels of a shift, in each direction.",
			Zh: "各方向平移的像素数。"},
		field: func(c *Config) any { return &c.Train.Augment.Shift }},
	{path: "train.augment.elastic", kind: number, def: "0", max: augment.MaxElastic,
		doc: lang.Text{
			En: "Elastic distortion: the standard deviation of the shifts of single pixels, in pixels (Simard and others 2003; their α of 10 for σ = 4 is about 0.4).",
			Zh: "弹性变形：单个像素位移的标准差，单位像素（Simard 等 2003；其 σ = 4 时的 α = 10 约为 0.4）。"},
		field: func(c *Config) any { return &c.Train.Augment.Elastic }},
	{path: "train.augment.smooth", kind: number, def: "4", min: augment.MinSmooth, max: augment.MaxSmooth,
		doc: lang.Text{
			En: "How far elastic shifts go together: σ of the Gaussian that smooths them, in pixels.",
			Zh: "相邻像素位移的一致程度：平滑所用高斯函数的 σ，单位像素。"},
		field: func(c *Config) any { return &c.Train.Augment.Smooth }},
	{path: "train.augment.every", kind: integer, def: "1", min: 1, max: maxEpochs,
		doc: lang.Text{
			En: "Epochs that train on the same distorted images. To distort an image takes longer than to train on it.",
			Zh: "同一批变形图像用于多少次迭代。变形一幅图像比训练它更费时。"},
		field: func(c *Config) any { return &c.Train.Augment.Every }},
	{path: "train.augment.seed", kind: integer, def: "1", max: maxSeed,
		doc: lang.Text{
			En: "Seed of the distortions, the same for all of train.runs.",
			Zh: "变形的种子，对 train.runs 的各次训练相同。"},
		field: func(c *Config) any { return &c.Train.Augment.Seed }},
	{path: "train.runs", kind: group, doc: lang.Text{
		En: "Independent runs of the same training, side by side; the best is kept, and all results are listed. The best is chosen like the best epoch: on the validation set, or on the test set if there is none.",
		Zh: "同一训练的若干次独立运行，并行进行；保留最好的，列出全部结果。选择方法与选最好的迭代相同：按验证集，没有时按测试集。"}},
	{path: "train.runs.count", kind: integer, def: "1", min: 1, max: maxRuns,
		doc: lang.Text{
			En: "Number of runs. Run r, counted from 0, has the seed seed + r, so its own first weights and shuffling, on the same images. To compare values of other keys: trainer sweep.",
			Zh: "运行的次数。从 0 数起的第 r 次运行用种子 seed + r，因此初始权重和顺序各不相同，图像相同。要比较其他键的取值：trainer sweep。"},
		field: func(c *Config) any { return &c.Train.Runs.Count }},

	{path: "log", kind: group, doc: lang.Text{
		En: "What is written beside the usual files of a run folder.",
		Zh: "除运行文件夹的常规文件以外还写什么。"}},
	{path: "log.tensorboard", kind: boolean, free: true, def: "false",
		doc: lang.Text{
			En: "Whether the metrics are also written as an event file, which TensorBoard shows: tensorboard --logdir runs.",
			Zh: "是否也把指标写成事件文件，供 TensorBoard 显示：tensorboard --logdir runs。"},
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
func (k *key) legal() lang.Text {
	switch k.kind {
	case group:
		return lang.Text{En: "a group with %s", Zh: "一组键：%s"}.With(childNames(k.path))
	case text:
		what := lang.Text{En: "a text", Zh: "文字"}
		if k.isPath {
			what = lang.Text{En: "a path", Zh: "路径"}
		}
		if k.pattern == nil {
			return what
		}
		return lang.Text{En: "%s %s", Zh: "%s%s"}.With(what, k.patternDoc)
	case choice:
		last := len(k.choices) - 1
		return lang.Text{En: "%s or %s", Zh: "%s 或 %s"}.With(strings.Join(k.choices[:last], ", "), k.choices[last])
	case boolean:
		return lang.Text{En: "true or false", Zh: "true 或 false"}
	case integer:
		return lang.Text{En: "a whole number %s", Zh: "整数，%s"}.With(k.between())
	case number:
		if k.auto {
			return lang.Text{En: "auto, or a number %s", Zh: "auto，或数，%s"}.With(k.between())
		}
		return lang.Text{En: "a number %s", Zh: "数，%s"}.With(k.between())
	case list:
		return lang.Text{En: "a list of %d to %d whole numbers, each %s", Zh: "%d 至 %d 个整数的列表，每个%s"}.With(k.least, k.most, k.between())
	case perLayer:
		return lang.Text{En: "a number %s, or a list of them with one for each layer", Zh: "数，%s；或其列表，每层一个"}.With(k.between())
	case texts:
		return lang.Text{En: "a text, or a list of at most %d texts", Zh: "文字，或最多 %d 段文字的列表"}.With(k.most)
	}
	panic(fmt.Sprintf("BUG: %s has kind %d", k.path, k.kind))
}

// between says the range of the key's numbers.
func (k *key) between() lang.Text {
	if k.aboveMin {
		return lang.Text{En: "above %s, at most %s", Zh: "大于 %s，至多 %s"}.With(formatNumber(k.min), formatNumber(k.max))
	}
	return lang.Text{En: "from %s to %s", Zh: "从 %s 到 %s"}.With(formatNumber(k.min), formatNumber(k.max))
}

// inRange reports whether v is in the key's range.
func (k *key) inRange(v float64) bool {
	if math.IsNaN(v) || v > k.max || v < k.min {
		return false
	}
	return !k.aboveMin || v > k.min
}
