package explain

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// width is that of the text, in columns.
const width = 100

// Text writes the explanation, at most 100 columns wide. Each equation has its
// formula and its function; then the instructions, with their numbers in the program;
// then this sample's numbers. With step it ends with the outputs before and after a step.
func (e Explanation) Text(w io.Writer, step bool) error {
	p := printer{bufio.NewWriter(w)}
	p.line("%s: label %d, answer %d", e.Sample, e.Label, e.Answer)
	p.line("network  %s", e.Network)
	p.line("numbers  by package delta in float64, compared with the machine %s and with the", e.Machine)
	p.line("         compiled program; the largest difference is %s", tiny(e.Difference))
	for _, g := range e.Groups {
		p.line("")
		p.line("== %s ==", g.Title)
		if g.Note != "" {
			p.wrapped("", strings.Split(g.Note, " "), " ")
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

// printer writes lines. Its errors are those of Flush.
type printer struct{ *bufio.Writer }

func (p printer) line(format string, args ...any) {
	_, _ = fmt.Fprintf(p, format+"\n", args...)
}

// ends writes a line with text at both ends, or two lines if they do not fit.
func (p printer) ends(left, right string) {
	room := width - utf8.RuneCountInString(left) - utf8.RuneCountInString(right)
	if room < 2 {
		p.line("%s", left)
		left, room = "", width-utf8.RuneCountInString(right)
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
		if used && utf8.RuneCountInString(next) > width {
			p.line("%s", line+strings.TrimRight(separator, " "))
			line, used = strings.Repeat(" ", utf8.RuneCountInString(indent)), false
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
		p.ends(line, fmt.Sprintf("differs from the %s's by %s", q.Against, tiny(q.Difference)))
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
	words := []string{fmt.Sprintf("%s values from %s to %s", size, short(v.Min), short(v.Max)), "norm " + short(v.Norm)}
	if v.Zeros > 0 {
		words = append(words, fmt.Sprintf("%d are 0", v.Zeros))
	}
	for k, entry := range v.Largest {
		at := fmt.Sprintf("[%d,%d]", entry.I, entry.J)
		if v.Cols == 1 {
			at = fmt.Sprintf("[%d]", entry.I)
		}
		word := at + " " + short(entry.Value)
		if k == 0 {
			word = "largest " + word
		}
		words = append(words, word)
	}
	p.wrapped(left+": ", words, ", ")
}

func (p printer) gradient(g Gradient) {
	p.line("== One gradient in three ways ==")
	p.line("∂E/∂%v, where %v = %s", g.Weight, g.Weight, short(g.Parameter))
	p.line("      %-22s%s", "machine", long(g.Machine))
	p.line("      %-22s%s   differs from the machine's by %s", "delta", long(g.Delta), tiny(abs(g.Delta-g.Machine)))
	p.line("      %-22s%s   differs from the machine's by %s", "central differences", long(g.Differences), tiny(abs(g.Differences-g.Machine)))
	p.line("      %-22s at most %s", "their rounding error", tiny(g.Error))
}

func (p printer) step(e Explanation) {
	s := e.Step
	p.line("== A step ==")
	p.line("with η = %s, order %s", short(e.Rate), s.Order)
	p.line("      %-8s%14s%14s%14s", "", "before", "after", "change")
	row := func(name string, before, after float64) {
		p.line("      %-8s%14s%14s%14s", name, short(before), short(after), short(after-before))
	}
	row("E", s.CostBefore, s.CostAfter)
	for k := range s.Before {
		row(fmt.Sprintf("a^%d[%d]", len(e.Layers), k), s.Before[k], s.After[k])
	}
	p.line("answer %d before, %d after; label %d", e.Answer, s.AnswerAfter, e.Label)
	p.ends("", fmt.Sprintf("differs from delta's by %s", tiny(s.Difference)))
}

func abs(v float64) float64 { return max(v, -v) }
