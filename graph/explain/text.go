package explain

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"trainer/data/lang"
	"trainer/train/terminal"
)

// width is that of the text, in columns.
const width = 100

// Text writes the explanation in a language, at most 100 columns wide. Each equation has its
// formula and its function; then the instructions, with their numbers in the program;
// then this sample's numbers. With step it ends with the outputs before and after a step.
func (e Explanation) Text(w io.Writer, step bool, l lang.Language) error {
	p := printer{bufio.NewWriter(w), l}
	p.say(sampleText, e.Sample, e.Label, e.Answer)
	p.say(networkText, e.Network)
	p.wrapped(numbersText.In(p.lang), strings.Split(howText.Format(p.lang, e.Machine, tiny(e.Difference)), " "), " ")
	for _, g := range e.Groups {
		p.line("")
		p.line("== %s ==", g.Title.In(p.lang))
		if !g.Note.IsZero() {
			p.wrapped("", strings.Split(g.Note.In(p.lang), " "), " ")
		}
		for _, q := range g.Equations {
			p.equation(q)
		}
	}
	p.line("")
	p.gradient(e.Gradient)
	if step {
		p.line("")
		p.step(e)
	}
	return p.Flush()
}

// What the text says beside the equations.
var (
	sampleText  = lang.Text{En: "%s: label %d, answer %d", Zh: "%s：标签 %d，答案 %d"}
	networkText = lang.Text{En: "network  %s", Zh: "网络  %s"}
	numbersText = lang.Text{En: "numbers  ", Zh: "数值  "}
	howText     = lang.Text{
		En: "by package delta in float64, compared with the machine %s and with the compiled program; the largest difference is %s",
		Zh: "由 delta 包以 float64 算出，并与计算设备 %s 及编译后的程序比较；最大差别为 %s",
	}
	machineWord = lang.Text{En: "the machine's", Zh: "计算设备"}
	programWord = lang.Text{En: "the program's", Zh: "程序"}
	differsText = lang.Text{En: "differs from %s by %s", Zh: "与%s的差别 %s"}
	valuesText  = lang.Text{En: "%s values from %s to %s", Zh: "%s 个值，从 %s 到 %s"}
	normText    = lang.Text{En: "norm %s", Zh: "范数 %s"}
	zerosText   = lang.Text{En: "%d are 0", Zh: "%d 个为 0"}
	largestText = lang.Text{En: "largest %s", Zh: "最大 %s"}
	waysText    = lang.Text{En: "== One gradient in three ways ==", Zh: "== 一个梯度的三种算法 =="}
	whereText   = lang.Text{En: "∂E/∂%v, where %v = %s", Zh: "∂E/∂%v，其中 %v = %s"}
	machineText = lang.Text{En: "machine", Zh: "计算设备"}
	centralText = lang.Text{En: "central differences", Zh: "中心差分"}
	errorText   = lang.Text{En: "their rounding error", Zh: "其舍入误差"}
	atMostText  = lang.Text{En: "at most %s", Zh: "不超过 %s"}
	stepText    = lang.Text{En: "== A step ==", Zh: "== 一步更新 =="}
	orderText   = lang.Text{En: "with η = %s, order %s", Zh: "η = %s，更新次序 %s"}
	beforeText  = lang.Text{En: "before", Zh: "更新前"}
	afterText   = lang.Text{En: "after", Zh: "更新后"}
	changeText  = lang.Text{En: "change", Zh: "变化"}
	answersText = lang.Text{En: "answer %d before, %d after; label %d", Zh: "更新前答案 %d，更新后 %d；标签 %d"}
	deltaWord   = lang.Text{En: "delta's", Zh: " delta "}
)

// orderTexts are the words for Step.Order.
var orderTexts = map[string]lang.Text{
	simultaneous: {En: "simultaneous", Zh: "同时"},
	listing:      {En: "listing", Zh: "书中程序"},
}

// printer writes lines. Its errors are those of Flush.
type printer struct {
	*bufio.Writer
	lang lang.Language
}

func (p printer) say(text lang.Text, args ...any) { p.line("%s", text.Format(p.lang, args...)) }

// right pads a text on its left to the given number of columns; left pads it on its right.
func right(s string, columns int) string {
	return strings.Repeat(" ", max(columns-terminal.Columns(s), 0)) + s
}

// heads is the number of columns of the names of the three ways.
const heads = 22

func head(s string) string { return s + strings.Repeat(" ", max(heads-terminal.Columns(s), 0)) }

func (p printer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format+"\n", args...)
}

// ends writes a line with text at both ends, or two lines if they do not fit.
func (p printer) ends(left, right string) {
	room := width - terminal.Columns(left) - terminal.Columns(right)
	if room < 2 {
		p.line("%s", left)
		left, room = "", width-terminal.Columns(right)
	}
	p.line("%s%s%s", left, strings.Repeat(" ", room), right)
}

// wrapped writes words, separated, after an indent; long text goes on in the next
// line, as far to the right.
func (p printer) wrapped(indent string, words []string, separator string) {
	line, used := indent, false
	for k, w := range words {
		next := line + separator + w
		if k < len(words)-1 {
			next += strings.TrimRight(separator, " ")
		}
		if used && terminal.Columns(next) > width {
			p.line("%s", line+strings.TrimRight(separator, " "))
			line, used = strings.Repeat(" ", terminal.Columns(indent)), false
		}
		if used {
			line += separator
		}
		line, used = line+w, true
	}
	p.line("%s", line)
}

// short formats a number for reading. A zero has no sign.
func short(v float64) string { return strconv.FormatFloat(v+0, 'g', 5, 64) }

// tiny formats a difference.
func tiny(v float64) string { return strconv.FormatFloat(v, 'g', 2, 64) }

// long formats a number for comparing digits.
func long(v float64) string { return fmt.Sprintf("% .15e", v+0) }

func (p printer) equation(q Equation) {
	const indent = "      "
	p.line("")
	p.ends(fmt.Sprintf("%-6s%s", q.Number, q.Formula), q.Function)
	for k, in := range q.Instructions {
		number := "-"
		if in.Number >= 0 {
			number = strconv.Itoa(in.Number)
		}
		line := fmt.Sprintf("%s%2s  %s", indent, number, in.Text)
		if k < len(q.Instructions)-1 {
			p.line("%s", line)
			continue
		}
		against := machineWord
		if q.Against == programmed {
			against = programWord
		}
		p.ends(line, differsText.Format(p.lang, against, tiny(q.Difference)))
	}
	p.value(indent+q.Symbol, q.Value)
}

// few is how many values are printed one by one.
const few = 10

func (p printer) value(left string, v Value) {
	if n := len(v.Values); n > 0 && n <= few {
		words := make([]string, n)
		for k, x := range v.Values {
			words[k] = short(x)
		}
		p.wrapped(left+" = ", words, ", ")
		return
	}
	size := fmt.Sprintf("%d×%d", v.Rows, v.Cols)
	if v.Cols == 1 {
		size = strconv.Itoa(v.Rows)
	}
	words := []string{valuesText.Format(p.lang, size, short(v.Min), short(v.Max)), normText.Format(p.lang, short(v.Norm))}
	if v.Zeros > 0 {
		words = append(words, zerosText.Format(p.lang, v.Zeros))
	}
	for k, entry := range v.Largest {
		at := fmt.Sprintf("[%d,%d]", entry.I, entry.J)
		if v.Cols == 1 {
			at = fmt.Sprintf("[%d]", entry.I)
		}
		word := at + " " + short(entry.Value)
		if k == 0 {
			word = largestText.Format(p.lang, word)
		}
		words = append(words, word)
	}
	p.wrapped(left+": ", words, ", ")
}

func (p printer) gradient(g Gradient) {
	differs := func(v float64) string {
		return differsText.Format(p.lang, machineWord, tiny(abs(v-g.Machine)))
	}
	p.say(waysText)
	p.say(whereText, g.Weight, g.Weight, short(g.Parameter))
	p.line("      %s%s", head(machineText.In(p.lang)), long(g.Machine))
	p.line("      %s%s   %s", head("delta"), long(g.Delta), differs(g.Delta))
	p.line("      %s%s   %s", head(centralText.In(p.lang)), long(g.Differences), differs(g.Differences))
	p.line("      %s %s", head(errorText.In(p.lang)), atMostText.Format(p.lang, tiny(g.Error)))
}

func (p printer) step(e Explanation) {
	s := e.Step
	p.say(stepText)
	p.say(orderText, short(e.Rate), orderTexts[s.Order])
	const wide = 14
	p.line("      %-8s%s%s%s", "", right(beforeText.In(p.lang), wide), right(afterText.In(p.lang), wide), right(changeText.In(p.lang), wide))
	row := func(name string, before, after float64) {
		p.line("      %-8s%14s%14s%14s", name, short(before), short(after), short(after-before))
	}
	row("E", s.CostBefore, s.CostAfter)
	for k := range s.Before {
		row(fmt.Sprintf("a^%d[%d]", len(e.Layers), k), s.Before[k], s.After[k])
	}
	p.say(answersText, e.Answer, s.AnswerAfter, e.Label)
	p.ends("", differsText.Format(p.lang, deltaWord, tiny(s.Difference)))
}

func abs(v float64) float64 { return max(v, -v) }
