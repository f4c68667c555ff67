package ir

import (
	"fmt"
	"strings"
)

// noteColumn is the width up to which an instruction moves the column of the
// notes to the right.
const noteColumn = 56

// byInput is the text of Buffer.ByInput.
const byInput = "by input"

// String returns the text form of p, which Parse reads back. It prints invalid
// programs too: the name of a buffer or an argument that does not exist begins
// with a question mark.
func (p *Program) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "program %q %v batch %d", p.Name, p.Elem, p.Batch)
	b.WriteByte('\n')
	b.WriteString(p.bufferLines())
	for _, end := range p.ends() {
		if end.ref != None {
			fmt.Fprintf(&b, "  %s %s\n", end.word, p.name(end.ref))
		}
	}
	for _, line := range p.codeLines() {
		b.WriteString("  " + line + "\n")
	}
	return b.String()
}

// Text returns instruction i in the text form, without its number and note.
func (p *Program) Text(i int) string {
	op, rest := p.operation(p.Code[i])
	return p.name(p.Code[i].Dst) + " " + op + " " + rest
}

func (p *Program) bufferLines() string {
	var rows [][3]string
	var width [3]int
	for _, buf := range p.Buffers {
		row := [3]string{buf.Name, buf.Kind.String(), shape(buf)}
		for k, s := range row {
			width[k] = max(width[k], len(s))
		}
		rows = append(rows, row)
	}
	var b strings.Builder
	for i, row := range rows {
		line := fmt.Sprintf("  %-*s %-*s %-*s", width[0], row[0], width[1], row[1], width[2], row[2])
		if p.Buffers[i].ByInput {
			line += " " + byInput
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}

// codeLines returns the lines of the instructions: number, text and note, each in
// its own column.
func (p *Program) codeLines() []string {
	dst, digits, column := 0, len(fmt.Sprint(max(len(p.Code)-1, 0))), 0
	for _, in := range p.Code {
		dst = max(dst, len(p.name(in.Dst)))
	}
	lines := make([]string, len(p.Code))
	for i, in := range p.Code {
		op, rest := p.operation(in)
		lines[i] = fmt.Sprintf("%-*d %-*s %2s %s", digits, i, dst, p.name(in.Dst), op, rest)
		if n := len(lines[i]); in.Note != "" && n <= noteColumn {
			column = max(column, n)
		}
	}
	for i, in := range p.Code {
		if in.Note != "" {
			lines[i] = fmt.Sprintf("%-*s ; %s", column, lines[i], in.Note)
		}
	}
	return lines
}

// operation returns what comes after the result of in: "=", "-=" or "+=", and the
// operation.
func (p *Program) operation(in Instr) (assign, rest string) {
	arg := func(k int) string {
		if k >= len(in.Args) {
			return "?"
		}
		return p.name(in.Args[k])
	}
	turned := func(k int, transposed bool) string {
		if transposed {
			return arg(k) + "^T"
		}
		return arg(k)
	}
	update := func(gradient string) (assign, rest string) {
		if in.Rate {
			return "+=", gradient
		}
		return "-=", "rate * " + gradient
	}
	switch in.Op {
	case Fill:
		return "=", "fill " + formatFloat(in.Value)
	case MatMul:
		return "=", "matmul " + turned(0, in.TransA) + " " + turned(1, in.TransB)
	case Affine:
		return "=", "affine " + arg(0) + " " + arg(1) + " " + arg(2)
	case Map:
		return "=", "map " + in.Expr.Format(arg)
	case Activate:
		return "=", "activate " + in.G.String() + " " + arg(0)
	case OutputDelta:
		rest = "outputdelta " + in.G.String() + " " + arg(0) + " " + arg(1)
		if in.Value != 1 {
			rest += " * " + formatFloat(in.Value)
		}
		if in.Rate {
			rest += " * -rate"
		}
		return "=", rest
	case HiddenDelta:
		return "=", "hiddendelta " + in.G.String() + " " + arg(0) + " " + arg(1)
	case Update:
		return update(arg(0))
	case RankUpdate:
		return update(turned(0, true) + " " + arg(1))
	case RowUpdate:
		return update(SumRows.String() + " " + arg(0))
	default:
		return "=", in.Op.String() + " " + arg(0)
	}
}

// end is an end of a program with its word in the text form.
type end struct {
	word string
	ref  Ref
}

func (p *Program) ends() []end { return []end{{"output", p.Output}, {"cost", p.Cost}} }

// name returns the name of buffer r, or "?7" for a buffer 7 that does not exist.
func (p *Program) name(r Ref) string {
	if r < 0 || int(r) >= len(p.Buffers) {
		return fmt.Sprintf("?%d", int(r))
	}
	return p.Buffers[r].Name
}

// shape returns the shape of b, as "50x784".
func shape(b Buffer) string { return fmt.Sprintf("%dx%d", b.Rows, b.Cols) }
