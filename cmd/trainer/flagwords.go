package main

import (
	"slices"

	"trainer/data/lang"
)

// flagTexts are the usages of all flags. A flag is registered with the English one.
var flagTexts = []lang.Text{
	{En: "read the configuration file (YAML), or a built-in one (see trainer help init); without it, all defaults", Zh: "读取配置文件（YAML）或内置配置（见 trainer help init）；不给时全部取默认值"},
	{En: "short for -set device=…", Zh: "-set device=… 的简写"},
	{En: "with -resume: begin a new run in folder from the checkpoint, with any change", Zh: "与 -resume 同用：从检查点在 folder 中开始一次新的训练，可作任何改动"},
	{En: "the language, short for -set lang=…", Zh: "语言，-set lang=… 的简写"},
	{En: "the run folder; else runs/<time>-<name>", Zh: "运行文件夹；不给时为 runs/<时间>-<名称>"},
	{En: "go on with the run in folder, from its last checkpoint, as if it had not been stopped; keys that change the mathematics cannot be set", Zh: "从最后的检查点继续 folder 中的训练，如同从未停止；不能设置会改变数学的键"},
	{En: "show the training on a page for the browser, until Ctrl-C; -serve=ADDRESS is another address than 127.0.0.1:7840", Zh: "在浏览器页面中显示训练，直到按 Ctrl-C；-serve=地址 代替 127.0.0.1:7840"},
	{En: "set a key of the configuration, key=value; may be repeated", Zh: "设置配置的一个键，key=value；可重复"},
	{En: "print JSON", Zh: "打印 JSON"},
	{En: "train with each of these values: key=values, with commas between them, or a range, log:0.01..1:9 or lin:10..50:5; may be repeated, for every combination", Zh: "用这些值逐一训练：key=values，值之间用逗号分隔，或为范围 log:0.01..1:9、lin:10..50:5；可重复，此时训练所有组合"},
	{En: "train each combination with n seeds: seed, seed + 1, …", Zh: "每种组合用 n 个随机种子训练：seed、seed + 1……"},
	{En: "train n combinations, drawn at random; a range may then be without a number of values", Zh: "随机抽取 n 种组合来训练；此时范围可不写取值个数"},
	{En: "the folder of the sweep; else sweeps/<name>. Runs that ended in it are kept, others go on", Zh: "扫描的文件夹；不给时为 sweeps/<名称>。其中已结束的训练予以保留，其余的继续"},
	{En: "go on with the sweep in this folder", Zh: "继续此文件夹中的扫描"},
	{En: "train one part of the runs, i/n: 2/6 is the second of six; else a Slurm array or a Kubernetes Indexed Job says which", Zh: "只训练其中一部分，i/n：2/6 为六份中的第二份；不给时由 Slurm 作业数组或 Kubernetes Indexed Job 决定"},
	{En: "there are n shards: a Kubernetes Indexed Job does not say how many; else $TRAINER_SHARDS", Zh: "共有 n 个分片：Kubernetes Indexed Job 不会给出个数；不给时取 $TRAINER_SHARDS"},
	{En: "make the table, the figure and the page of the runs in the folders that are named", Zh: "由所列文件夹中的训练生成结果表、图和页面"},
	{En: "let the learning rate grow over an epoch, and draw the cost: where it falls fastest is a good rate", Zh: "让学习率在一轮中逐渐增大，并画出代价：下降最快处是合适的学习率"},
	{En: "draw the curves of the runs over each other, into this SVG file", Zh: "把各次训练的曲线画在一起，写入这个 SVG 文件"},
	{En: "the model: a safetensors file, or a run folder, of which best.safetensors is taken", Zh: "模型：safetensors 文件，或运行文件夹（取其中的 best.safetensors）"},
	{En: "evaluate on the training set too", Zh: "也在训练集上评估"},
	{En: "show the K worst mistakes on the test set; explain -image shows one from inside", Zh: "显示测试集上最严重的 K 个错误；explain -image 可从内部查看其中一个"},
	{En: "the images, a file without labels: CSV with a row for each image, or IDX images", Zh: "图像，没有标签的文件：每行一幅图像的 CSV，或 IDX 图像"},
	{En: "with -data: name of the column of identifiers; a column of the data with this name has them, else they count from 1", Zh: "与 -data 同用：编号列的名称；数据中有此列时取其值，否则从 1 开始编号"},
	{En: "print a line of JSON for each image, with the outputs of the network", Zh: "每幅图像打印一行 JSON，含网络的输出"},
	{En: "with -data: name of the column of predictions", Zh: "与 -data 同用：预测列的名称"},
	{En: "with -data: write to this file, not to standard output", Zh: "与 -data 同用：写入此文件，而非标准输出"},
	{En: "take pictures that have the size of the network's input as they are: white is ink", Zh: "尺寸与网络输入相同的图片原样使用：白色为笔迹"},
	{En: "ROWSxCOLS of the network's input; without it, a square", Zh: "网络输入的 行x列；不给时为正方形"},
	{En: "show the k largest outputs only, the largest first", Zh: "只显示最大的 k 个输出，由大到小"},
	{En: "the INDEX of an image of the test set, from 0, or the FILE of a picture", Zh: "测试集图像的序号（从 0 开始），或图片文件"},
	{En: "with -image FILE: the class that the picture shows", Zh: "与 -image 文件 同用：图片所示的类别"},
	{En: "with the cost and the outputs before and after a step, with the rate of the run's first epoch", Zh: "给出一步更新前后的代价和输出，学习率取训练的第一次迭代"},
	{En: "the weight l,i,j whose gradient is computed in three ways: w_ij of W^l, i and j from 0; l,i,b is b_i of b^l", Zh: "用三种方法计算梯度的权重 l,i,j：W^l 的 w_ij，i 和 j 从 0 开始；l,i,b 为 b^l 的 b_i"},
	{En: "write to this file; else to report.html in the run folder, or, of several runs, to comparison.html here", Zh: "写入此文件；不给时写到运行文件夹的 report.html，多次训练则写到当前目录的 comparison.html"},
	{En: "set a key of the configuration of each run, key=value; may be repeated", Zh: "设置每次训练配置的一个键，key=value；可重复"},
	{En: "set a key for all runs, such as data.dir where the data have moved, key=value; may be repeated", Zh: "为所有训练设置一个键，key=value，例如数据移动后的 data.dir；可重复"},
	{En: "without it, the extension of -o says it", Zh: "不给时由 -o 的扩展名决定"},
	{En: "write to this file", Zh: "写入此文件"},
	{En: "the address of the page: HOST:PORT, or a port of this computer; port 0 is a free one", Zh: "页面的地址：主机:端口，或本机端口；端口 0 表示任一空闲端口"},
	{En: "ROWSxCOLS of the network's input; without it, that of the data set, or a square", Zh: "网络输入的 行x列；不给时取数据集的尺寸，或正方形"},
	{En: "write samples of each class to this file, a PNG image", Zh: "把各类别的样本写入此文件，为 PNG 图像"},
	{En: "the model: a safetensors file, or a run folder, of which best.safetensors is taken; without it, parameters are random", Zh: "模型：safetensors 文件，或运行文件夹（取其中的 best.safetensors）；不给时参数为随机值"},
	{En: "a step that computes its cost too; training does not need it", Zh: "同时计算代价的一步；训练不需要它"},
	{En: "Gorgonia's expression graph, from which the program is compiled, instead of the program", Zh: "不显示程序，而显示编译它的 Gorgonia 表达式图"},
	{En: "svg is a picture, dot is for Graphviz", Zh: "svg 为图片，dot 供 Graphviz 使用"},
	{En: "the outputs only, without cost and gradients", Zh: "只有输出，没有代价和梯度"},
	{En: "write to this file, not to standard output", Zh: "写入此文件，而非标准输出"},
	{En: "the program after each pass of the compiler, and the reason for the pass; as text", Zh: "编译器每一遍之后的程序，以及该遍的理由；为文本"},
	{En: "write this file; without it, NAME.yaml in the current directory", Zh: "写出此文件；不给时为当前目录的 NAME.yaml"},
	{En: "also run the textbook's listing in Python with NumPy, on one thread; and mini-batches in NumPy, and in PyTorch, JAX and C where they are installed", Zh: "同时用 Python 和 NumPy 在单线程上运行教科书的程序；并用 NumPy 以及已安装的 PyTorch、JAX 和 C 训练小批量"},
	{En: "the Python of -peer, a program; without it, python3", Zh: "-peer 所用的 Python 程序；不给时为 python3"},
	{En: "instead, measure how the time of a pass grows with the batch, the hidden units, the layers, the samples and the cores, and draw it into this SVG file", Zh: "改为测量一遍训练的时间如何随批量、隐藏单元数、层数、样本数和核数增长，并画入此 SVG 文件"},
	{En: "measure only these rows, with commas between them: load, evaluate, and batch sizes of training; as in 1,128,evaluate", Zh: "只测量这些行，以逗号分隔：load、evaluate 和训练的批量；如 1,128,evaluate"},
	{En: "how long to measure each at the least, a duration", Zh: "每项至少测量多久，如 2s"},
	{En: "the licences of all that is linked into the program", Zh: "链接进程序的所有组件的许可证"},
}

// flagText returns the usage of a flag in a language.
func flagText(usage string, l lang.Language) string {
	if i := slices.IndexFunc(flagTexts, func(t lang.Text) bool { return t.En == usage }); i >= 0 {
		return flagTexts[i].In(l)
	}
	return usage
}
