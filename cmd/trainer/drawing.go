package main

import (
	"fmt"
	"strings"

	"trainer/data/lang"
	"trainer/graph"
	"trainer/graph/draw"
	"trainer/graph/picture"
)

// The words in pictures of a network.
var (
	stepOfOne   = lang.Text{En: "%s %s: a training step for one sample", Zh: "%s %s：单个样本的一步训练"}
	stepOfBatch = lang.Text{En: "%s %s: a training step for a mini-batch of %d", Zh: "%s %s：小批量（%d 个样本）的一步训练"}
	forwardPass = lang.Text{En: "%s %s: the forward pass for a mini-batch of %d", Zh: "%s %s：小批量（%d 个样本）的前向传播"}
	forwardOne  = lang.Text{En: "%s %s: the forward pass for one sample", Zh: "%s %s：单个样本的前向传播"}

	orderNote = lang.Text{
		En: "The numbers give the order in which the program runs. A.45 to A.66 are the textbook's equations.",
		Zh: "编号是程序的执行顺序；A.45 至 A.66 是教材中的公式编号。",
	}
	shapeNote = lang.Text{
		En: "In a formula a sample is a column, as in the textbook; a shape is that in memory, where a sample is a row.",
		Zh: "公式与教材一致，一个样本为一列；尺寸是内存中的尺寸，一个样本为一行。",
	}
	rateNote = lang.Text{
		En: "−η is multiplied into δ once, so an update only adds.",
		Zh: "−η 只在 δ 中乘一次，更新时只需相加。",
	}
)

// title says what a picture of g shows.
func title(g *graph.Graph, l lang.Language) string {
	layers := strings.Trim(strings.Join(strings.Fields(fmt.Sprint(g.Network.Layers)), "-"), "[]")
	text, args := stepOfOne, []any{layers, g.Network.Activation}
	switch {
	case g.Cost == nil && g.Batch == 1:
		text = forwardOne
	case g.Cost == nil:
		text, args = forwardPass, append(args, g.Batch)
	case g.Batch > 1:
		text, args = stepOfBatch, append(args, g.Batch)
	}
	return text.Format(l, args...)
}

// pictureWords returns the words in a picture of the program of g.
func pictureWords(g *graph.Graph, l lang.Language) picture.Words {
	w := picture.Words{
		Title:    title(g, l),
		Forward:  lang.Text{En: "forward", Zh: "前向传播"}.In(l),
		Backward: lang.Text{En: "backward", Zh: "反向传播"}.In(l),
		Update:   lang.Text{En: "update", Zh: "更新参数"}.In(l),
		Data:     lang.Text{En: "input", Zh: "输入"}.In(l),
		Target:   lang.Text{En: "target", Zh: "目标"}.In(l),
		Output:   lang.Text{En: "output", Zh: "输出"}.In(l),
		Cost:     lang.Text{En: "cost", Zh: "代价"}.In(l),
		ByInput:  lang.Text{En: "by input", Zh: "按输入存放"}.In(l),
		Notes:    []string{orderNote.In(l), shapeNote.In(l)},
	}
	if g.Cost != nil {
		w.Notes[0] += " " + rateNote.In(l)
	}
	return w
}

// kindNames returns the words in the legend of an expression graph.
func kindNames(l lang.Language) map[draw.Kind]string {
	return map[draw.Kind]string{
		draw.Operation: lang.Text{En: "operation", Zh: "运算"}.In(l),
		draw.Input:     lang.Text{En: "input", Zh: "输入"}.In(l),
		draw.Parameter: lang.Text{En: "parameter", Zh: "参数"}.In(l),
		draw.Output:    lang.Text{En: "output", Zh: "输出"}.In(l),
		draw.Gradient:  lang.Text{En: "gradient", Zh: "梯度"}.In(l),
	}
}
