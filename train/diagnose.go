package train

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"

	"trainer/data"
	"trainer/graph/model"
	"trainer/train/config"
	"trainer/train/lang"
)

// diagnose says in a line what is wrong with run r: that it learned nothing or
// got worse, the likely cause, and the key to change. It returns "" for a run that
// has learned.
//
// The outcome comes from the evaluations of the training set. The cause comes from
// what the nodes do on some training images, with the first parameters and with
// those that the run ended with.
func (s *session) diagnose(r int) string {
	run := &s.Runs[r]
	if run.Last == nil || run.Failed != "" {
		return ""
	}
	end, err := s.Fleet.Parameters(r)
	if err != nil || end.NonFinite() != "" {
		return "" // there is nothing to look at, and the session reports the error
	}
	d := &diagnosis{
		lang: s.Language, config: s.Config.Run(r), network: s.Config.Network(),
		set: s.Dataset.Train, run: run, last: end,
	}
	d.count()
	outcome := d.outcome()
	if layer := equalNodes(end); layer > 0 {
		cause := lang.Text{
			En: "all nodes of layer %d have equal weights, because they started equal, and do the work of one: %s",
			Zh: "第 %d 层的所有节点权重相同（初始值就相同），作用等于一个节点：%s",
		}
		return because.Format(d.lang, cmp.Or(outcome, lessText.In(d.lang)), cause.Format(d.lang, layer, d.unequalInit()))
	}
	lost := d.lostUpdates()
	switch {
	case outcome == "" && lost == "":
		return ""
	case outcome == "":
		return because.Format(d.lang, lessText, lost)
	case lost != "":
		return because.Format(d.lang, outcome, andText.Format(d.lang, d.cause(), lost))
	}
	return because.Format(d.lang, outcome, d.cause())
}

var (
	because  = lang.Text{En: "%s: %s", Zh: "%s：%s"}
	andText  = lang.Text{En: "%s; and %s", Zh: "%s；而且%s"}
	lessText = lang.Text{En: "learned less than it can", Zh: "没有学到应有的程度"}
)

// rateKey is the key that sets the first learning rate.
const rateKey = "train.rate.initial"

// diagnosis is what is known about a run at its end.
type diagnosis struct {
	lang    lang.Language
	config  config.Config // of the run alone
	network model.Network
	set     *data.Set // the training set
	run     *Run
	last    model.Parameters

	shares   []float64 // of the training set, by class
	frequent float64   // the largest of them
	constant float64   // the lowest cost that a constant answer can have
	answer   int       // the class that the network answers most often
	answered float64   // the share of images for which it does
}

// count takes the shares from the counts of the last evaluation.
func (d *diagnosis) count() {
	shares := func(counts []int) []float64 {
		of := make([]float64, len(counts))
		for k, n := range counts {
			of[k] = float64(n) / float64(d.set.Len())
		}
		return of
	}
	d.shares = shares(d.run.labels)
	answers := shares(d.run.answers)
	d.frequent = slices.Max(d.shares)
	targets := d.set.Scale.TargetRange()
	for _, p := range d.shares {
		// Of an output that is always the mean of its targets.
		d.constant += p * (1 - p) / 2 * (targets.High - targets.Low) * (targets.High - targets.Low)
	}
	d.answered = slices.Max(answers)
	d.answer = slices.Index(answers, d.answered)
}

// chance reports whether an accuracy is hardly better than that of always giving
// the most frequent answer: whether less than 15 % of its errors are avoided.
func (d *diagnosis) chance(accuracy float64) bool {
	return accuracy < d.frequent+0.15*(1-d.frequent)
}

// className says which class it is.
func (d *diagnosis) className(class int) string {
	if names := d.set.ClassNames; class < len(names) {
		return strconv.Quote(names[class])
	}
	return lang.Text{En: "class %d", Zh: "类别 %d"}.Format(d.lang, class)
}

// outcome says how bad the run ended, or "".
func (d *diagnosis) outcome() string {
	last := d.run.Last
	lowest, rose := d.rose()
	switch {
	case d.answered >= 0.99 && d.frequent < 0.99:
		return lang.Text{
			En: "learned nothing (it answers %s for %.4g %% of the training images)",
			Zh: "什么也没学到（把 %.4[2]g%% 的训练图像都判为%[1]s）",
		}.Format(d.lang, d.className(d.answer), 100*d.answered)
	case d.chance(last.TrainAccuracy):
		return lang.Text{
			En: "learned nothing (training accuracy %.4f; the most frequent class alone has %.4f)",
			Zh: "什么也没学到（训练准确率 %.4f，而只答最常见的类别就有 %.4f）",
		}.Format(d.lang, last.TrainAccuracy, d.frequent)
	case last.TrainCost > 1.05*d.constant:
		return lang.Text{
			En: "ended badly (training cost %.4f; a constant answer has %.4f)",
			Zh: "结果很差（训练代价 %.4f，而恒定输出的代价为 %.4f）",
		}.Format(d.lang, last.TrainCost, d.constant)
	case rose:
		return lang.Text{
			En: "got worse (training cost %.4f after epoch %d, %.4f at the end)",
			Zh: "越训练越差（第 %[2]d 次迭代后训练代价 %.4[1]f，最后为 %.4[3]f）",
		}.Format(d.lang, lowest.TrainCost, lowest.Epoch, last.TrainCost)
	case d.config.Model.Init.Kind() == "file":
		if before, after := d.costs(); d.higher(after, before) {
			return lang.Text{
				En: "got worse than model.init.file (cost of some training images %.4f at first, %.4f at the end)",
				Zh: "比 model.init.file 更差（部分训练图像的代价起初为 %.4f，最后为 %.4f）",
			}.Format(d.lang, before, after)
		}
	}
	return ""
}

// higher reports whether a cost is so much higher than another that a tenth of what
// there is to learn was lost. The costs of a run that learns go up and down by less.
func (d *diagnosis) higher(cost, than float64) bool {
	return cost > 1.25*than && cost > than+0.1*d.constant
}

// rose reports whether the run ended with a higher cost and a clearly lower
// accuracy than it had after the epoch with the lowest cost, which it returns.
func (d *diagnosis) rose() (lowest Metrics, rose bool) {
	lowest = slices.MinFunc(d.run.Epochs, func(a, b Metrics) int { return cmp.Compare(a.TrainCost, b.TrainCost) })
	last := d.run.Last
	return lowest, d.higher(last.TrainCost, lowest.TrainCost) && last.TrainAccuracy < lowest.TrainAccuracy-0.03
}

// costs returns the cost of some training images with the first parameters and
// with the last; zeros if the first are gone.
func (d *diagnosis) costs() (first, last float64) {
	p, err := InitialParameters(d.config)
	if err != nil {
		return 0, 0
	}
	_, first = probe(d.network, p, 1, d.set, d.images())
	_, last = probe(d.network, d.last, 1, d.set, d.images())
	return first, last
}

// The limits of the causes, on the scales of nodes. Runs that learn keep a good
// distance from them.
const (
	flat   = 0.25 // a mean slope below it: most nodes are saturated
	silent = 0.01 // a spread below it: the layer does not see the images
)

// cause says why the run ended badly, and what to change.
func (d *diagnosis) cause() string {
	if hidden := d.network.Layers[1 : len(d.network.Layers)-1]; slices.Contains(hidden, 1) && d.network.Outputs() > 2 {
		return lang.Text{
			En: "a hidden layer of one node cannot tell the classes apart: give it more in model.layers",
			Zh: "只有一个节点的隐藏层无法区分各类别：请在 model.layers 中增加节点",
		}.In(d.lang)
	}
	first, err := InitialParameters(d.config)
	if err != nil {
		return d.rateTooLarge() // the file of the first weights is gone
	}
	images := d.images()
	start, startCost := probe(d.network, first, 1, d.set, images)
	end, _ := probe(d.network, d.last, 1, d.set, images)
	outputs := len(end) - 1
	usual := d.usualSlope()
	cost := d.run.Last.TrainCost

	trained := startCost < d.constant // the first weights are those of a trained network
	dead := end[outputs].slope < 0.05*usual && start[outputs].slope >= flat
	_, rose := d.rose()
	hidden := 1.0 // the least slope of a hidden layer
	for _, l := range end[:outputs] {
		hidden = min(hidden, l.slope)
	}
	switch {
	case trained, dead, rose:
		return d.rateTooLarge()
	case slopeOf(start) < flat:
		saturated := 0.0
		for _, l := range start {
			saturated = max(saturated, l.saturated)
		}
		return lang.Text{
			En: "the first weights are likely too large, with %.0f %% of a layer's nodes saturated before the first step: %s",
			Zh: "初始权重可能过大，训练前就有一层的 %.0f%% 节点饱和：%s",
		}.Format(d.lang, 100*saturated, d.otherInit(cmp.Or(d.rescaled(first, images, false), lang.Text{En: "less", Zh: "更小的值"}.In(d.lang))))
	case cost > 1.02*startCost, end[outputs].slope < 0.3*usual, hidden < 0.05:
		return d.rateTooLarge()
	case cost > 1.1*d.constant:
		return d.rateTooSmall()
	case outputs > 0 && end[outputs-1].spread < silent:
		return lang.Text{
			En: "the first weights are likely too small, since the last hidden layer hardly differs from image to image: %s",
			Zh: "初始权重可能过小，最后一个隐藏层对不同图像几乎没有差别：%s",
		}.Format(d.lang, d.otherInit(cmp.Or(d.rescaled(first, images, true), lang.Text{En: "more, or use fewer layers", Zh: "更大的值，或减少层数"}.In(d.lang))))
	case !d.separable():
		return lang.Text{
			En: "the mean images of the classes do not tell them apart: check that the labels belong to the images; if they do, raise %s",
			Zh: "各类别的平均图像无法区分：请检查标签与图像是否对应；若对应，请增大 %s",
		}.Format(d.lang, rateKey)
	}
	return d.rateTooSmall()
}

func (d *diagnosis) rateTooLarge() string {
	return lang.Text{
		En: "the learning rate is likely too large: lower %s, now %.4g, to a tenth or less",
		Zh: "学习率可能过大：请将 %s（现为 %.4g）降到十分之一或更小",
	}.Format(d.lang, rateKey, d.config.Train.Rate.Initial)
}

func (d *diagnosis) rateTooSmall() string {
	steps := d.run.Last.Epoch * ((d.set.Len() + d.config.Train.Batch - 1) / d.config.Train.Batch)
	text := lang.Text{
		En: "the learning rate is likely too small for %d steps: raise %s, now %.4g, tenfold or more",
		Zh: "对 %d 步而言学习率可能过小：请将 %s（现为 %.4g）增大到十倍或更多",
	}.Format(d.lang, steps, rateKey, d.config.Train.Rate.Initial)
	if now := d.run.Last.LearningRate; now < 0.1*d.config.Train.Rate.Initial {
		text += lang.Text{
			En: ", or train.rate.factor, by which it fell to %.4g",
			Zh: "，或增大使其降到 %.4g 的 train.rate.factor",
		}.Format(d.lang, now)
	}
	return text
}

// otherInit says which key gives the first weights another standard deviation.
func (d *diagnosis) otherInit(std string) string {
	switch d.config.Model.Init.Kind() {
	case "file":
		return otherFile.In(d.lang)
	case "rule":
		return lang.Text{En: "set model.init.std to %s, instead of model.init.rule", Zh: "请设 model.init.std 为 %s，代替 model.init.rule"}.Format(d.lang, std)
	}
	return lang.Text{En: "set model.init.std to %s", Zh: "请设 model.init.std 为 %s"}.Format(d.lang, std)
}

// unequalInit says which key gives the first weights different values.
func (d *diagnosis) unequalInit() string {
	switch d.config.Model.Init.Kind() {
	case "file":
		return otherFile.In(d.lang)
	case "rule":
		return lang.Text{En: "set model.init.rule to hidden", Zh: "请设 model.init.rule 为 hidden"}.In(d.lang)
	}
	return lang.Text{En: "set model.init.rule to hidden, instead of model.init.std", Zh: "请设 model.init.rule 为 hidden，代替 model.init.std"}.In(d.lang)
}

var otherFile = lang.Text{
	En: "start from other weights than those of model.init.file",
	Zh: "请用 model.init.file 以外的初始权重",
}

// rescaled returns a standard deviation for the first weights with which no layer
// would be saturated, or, if it is to be larger, the last hidden layer would not be
// silent; "" if it finds none.
func (d *diagnosis) rescaled(first model.Parameters, images []int, larger bool) string {
	sum := 0.0
	for _, w := range first[0].Weight {
		sum += w * w
	}
	std := math.Sqrt(sum / float64(len(first[0].Weight)))
	for f := 1.0; f > 1e-6 && f < 1e6; {
		if larger {
			f *= 2
		} else {
			f /= 2
		}
		layers, _ := probe(d.network, first, f, d.set, images)
		if larger && layers[len(layers)-2].spread >= 2*silent || !larger && slopeOf(layers) >= 1.5*flat {
			return fmt.Sprintf("%.1g", std*f)
		}
	}
	return ""
}

// usualSlope returns the slope of outputs that are the means of their targets: of a
// network that has learned nothing yet but the shares of the classes.
func (d *diagnosis) usualSlope() float64 {
	sum, targets := 0.0, d.set.Scale.TargetRange()
	for _, p := range d.shares {
		sum += relativeSlope(d.network.Activation, targets.Low+p*(targets.High-targets.Low))
	}
	return sum / float64(len(d.shares))
}

// images returns the indices of training images to look at: at most 200, spread
// over the set, and fewer for a large network.
func (d *diagnosis) images() []int {
	const products = 100_000_000
	return spreadOver(d.set.Len(), min(200, max(5, products/d.network.Size())))
}

// spreadOver returns at most n indices from 0 to size-1 at equal distances.
func spreadOver(size, n int) []int {
	n = min(n, size)
	indices := make([]int, n)
	for i := range indices {
		indices[i] = i * size / n
	}
	return indices
}

// separable reports whether images are nearer to the mean image of their class
// than chance has it. Half of the images make the means, the others are compared.
func (d *diagnosis) separable() bool {
	const most, fewest = 2000, 200
	images := spreadOver(d.set.Len(), most)
	if len(images) < fewest {
		return true // too few to say
	}
	classes, inputs := len(d.shares), d.set.Inputs()
	means, counts := make([]float64, classes*inputs), make([]float64, classes)
	x := make([]float64, inputs)
	half := len(images) / 2
	// The two halves take turns, in pairs: sets may list the classes in turn.
	for i, image := range images {
		if i%2 == 0 {
			data.Input(x, d.set, image)
			label := int(d.set.Labels[image])
			counts[label]++
			mean := means[label*inputs:][:inputs]
			for j, v := range x {
				mean[j] += v
			}
		}
	}
	correct := 0
	for i, image := range images {
		if i%2 == 0 {
			continue
		}
		data.Input(x, d.set, image)
		nearest, least := -1, math.Inf(1)
		for k := range classes {
			if counts[k] == 0 {
				continue
			}
			distance := 0.0
			for j, v := range means[k*inputs:][:inputs] {
				distance += (x[j] - v/counts[k]) * (x[j] - v/counts[k])
			}
			if distance < least {
				nearest, least = k, distance
			}
		}
		if nearest == int(d.set.Labels[image]) {
			correct++
		}
	}
	return !d.chance(float64(correct) / float64(half))
}

// nodes is what the nodes of a layer do on some images.
type nodes struct {
	slope     float64 // mean of g'(z)/g'(0)
	saturated float64 // share of values whose g'(z)/g'(0) is below 0.04
	spread    float64 // mean over the nodes of the standard deviation from image to image
}

// slopeOf returns the least mean slope of the layers.
func slopeOf(layers []nodes) float64 {
	least := 1.0
	for _, l := range layers {
		least = min(least, l.slope)
	}
	return least
}

// relativeSlope returns g'(z)/g'(0) for an a = g(z).
func relativeSlope(g model.Activation, a float64) float64 {
	if g == model.Tanh {
		return 1 - a*a
	}
	return 4 * a * (1 - a)
}

// probe runs the network forward over some images of a set, with all weights times
// scale. It returns what the nodes of each layer do, from layer 2, and the cost.
func probe(n model.Network, p model.Parameters, scale float64, set *data.Set, images []int) (layers []nodes, cost float64) {
	layers = make([]nodes, len(p))
	sums, squares := make([][]float64, len(p)), make([][]float64, len(p))
	for l, layer := range p {
		sums[l], squares[l] = make([]float64, layer.Out), make([]float64, layer.Out)
	}
	x, y := make([]float64, n.Inputs()), make([]float64, n.Outputs())
	targets := set.Scale.TargetRange()
	for _, image := range images {
		data.Input(x, set, image)
		data.OneHot(y, set.Labels[image])
		for k := range y {
			y[k] = targets.Low + y[k]*(targets.High-targets.Low)
		}
		a := x
		for l, layer := range p {
			in := a
			a = make([]float64, layer.Out)
			for i := range a {
				z := 0.0
				for j, w := range layer.Weight[i*layer.In:][:layer.In] {
					z += w * in[j]
				}
				z *= scale
				if layer.Bias != nil {
					z += layer.Bias[i]
				}
				if a[i] = 1 / (1 + math.Exp(-z)); n.Activation == model.Tanh {
					a[i] = math.Tanh(z)
				}
				slope := relativeSlope(n.Activation, a[i])
				layers[l].slope += slope
				if slope < 0.04 {
					layers[l].saturated++
				}
				sums[l][i] += a[i]
				squares[l][i] += a[i] * a[i]
			}
		}
		for k := range y {
			cost += (y[k] - a[k]) * (y[k] - a[k]) / 2
		}
	}
	count := float64(len(images))
	for l := range layers {
		nodes := float64(p[l].Out)
		layers[l].slope /= count * nodes
		layers[l].saturated /= count * nodes
		for i := range sums[l] {
			mean := sums[l][i] / count
			layers[l].spread += math.Sqrt(max(squares[l][i]/count-mean*mean, 0)) / nodes
		}
	}
	return layers, cost / count
}

// equalNodes returns the number of a hidden layer of two or more nodes that all
// have the same weights and bias; 0 if there is none. As long as that is so, their
// gradients are equal too.
func equalNodes(p model.Parameters) int {
	for l, layer := range p[:len(p)-1] {
		if layer.Out < 2 {
			continue
		}
		equal := true
		for i := 1; i < layer.Out && equal; i++ {
			equal = slices.Equal(layer.Weight[i*layer.In:][:layer.In], layer.Weight[:layer.In]) &&
				(layer.Bias == nil || layer.Bias[i] == layer.Bias[0])
		}
		if equal {
			return l + 2
		}
	}
	return 0
}
