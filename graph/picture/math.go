package picture

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"trainer/graph/ir"
)

// The formulas are in the textbook's notation, in which a sample is a column. In a
// program it is a row, so a formula is the transpose of what the instruction computes.
// Only weights, and the gradients of weights, are matrices in both.

// factor says that a buffer has a multiple of what its symbol means: c times the
// symbol, and with rate −η c times. The pass "fold rate" makes such buffers.
type factor struct {
	c    float64
	rate bool
}

var one = factor{c: 1}

func (f factor) isOne() bool { return f == one }

func (f factor) times(g factor) (product factor, ok bool) {
	return factor{f.c * g.c, f.rate || g.rate}, !f.rate || !g.rate
}

// minusRate multiplies f by −η.
func (f factor) minusRate() (product factor, ok bool) { return f.times(factor{1, true}) }

// parts returns the sign of f and its magnitude: "−", "(η/128)".
func (f factor) parts() (sign, magnitude string) {
	if (f.c < 0) != f.rate {
		sign = "−"
	}
	c := math.Abs(f.c)
	n, ok := reciprocal(c)
	switch {
	case !f.rate && c == 1:
		return sign, ""
	case !f.rate:
		return sign, number(c)
	case c == 1:
		return sign, "η"
	case ok:
		return sign, fmt.Sprintf("(η/%.0f)", n)
	default:
		return sign, number(c) + " η"
	}
}

// of returns f times a term, with its sign in front of it.
func (f factor) of(term string) string {
	sign, magnitude := f.parts()
	return strings.TrimSpace(sign + join(magnitude, term))
}

func join(words ...string) string {
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return strings.Join(words, " ")
}

// reciprocal returns n if v is 1/n, in float32 or in float64, for a whole n > 1.
func reciprocal(v float64) (n float64, ok bool) {
	n = math.Round(1 / v)
	return n, n > 1 && n < 1e9 && (1/n == v || float64(float32(1/n)) == v)
}

// number returns a number for reading: ½, 1/256, or digits.
func number(v float64) string {
	n, ok := reciprocal(v)
	switch {
	case v == 0.5:
		return "½"
	case ok:
		return fmt.Sprintf("1/%.0f", n)
	case v < 0:
		return "−" + number(-v)
	}
	bits := 64
	if float64(float32(v)) == v {
		bits = 32
	}
	return strconv.FormatFloat(v, 'g', -1, bits)
}

var (
	named    = regexp.MustCompile(`^([A-Za-z]+?)(\d*)$`)
	equation = regexp.MustCompile(`A\.\d+`)
)

// symbol returns the textbook's symbol for a buffer, as a formula.
func symbol(b ir.Buffer) string {
	if b.Kind == ir.Data {
		return "a^1"
	}
	m := named.FindStringSubmatch(b.Name)
	if m == nil || m[2] == "" {
		return b.Name
	}
	switch m[1] {
	case "W", "b", "z", "a", "e", "p":
		return m[1] + "^" + m[2]
	case "d":
		return "δ^" + m[2]
	case "gW", "gb":
		return fmt.Sprintf("∇_{%s^%s} E", m[1][1:], m[2])
	case "t":
		return "t_" + m[2]
	}
	return b.Name
}

// isMatrix reports whether b is a matrix of weights, or a gradient of one.
func isMatrix(b ir.Buffer) bool {
	return b.Kind == ir.Parameter && strings.HasPrefix(b.Name, "W") || strings.HasPrefix(b.Name, "gW")
}

// writer writes the formulas of a program.
type writer struct {
	p       *ir.Program
	factor  []factor // of each buffer
	z       []string // of a buffer g(z), the symbol of z
	literal bool     // a sample is a row, as in the program
	plain   []string // of a buffer that needs no name, what it is: a number, or a transpose
}

// Formulas returns a formula for each buffer of an imported program, which is the
// expression graph of a network. It is what the node computes, where a sample is a row:
// "t_5 = x (W^2)ᵀ". Constants and transposes have no names.
func Formulas(p *ir.Program) []string {
	w := newWriter(p)
	w.literal = true
	formulas := make([]string, len(p.Buffers))
	for r, b := range p.Buffers {
		formulas[r] = w.symbol(ir.Ref(r))
		if b.Kind == ir.Data {
			formulas[r] += " = a^1"
		}
	}
	for _, in := range p.Code {
		if in.Op.IsUpdate() {
			continue
		}
		formula := w.instruction(in)[0]
		isNamed := !strings.HasPrefix(p.Buffers[in.Dst].Name, "t")
		if !isNamed && (in.Op == ir.Fill || in.Op == ir.Transpose) {
			_, w.plain[in.Dst], _ = strings.Cut(formula, " = ")
			formula = w.plain[in.Dst]
		}
		formulas[in.Dst] = formula
	}
	return formulas
}

// TextbookNote returns a note of an instruction without its words: the formula, and
// the numbers of the equations. It leaves out a formula that is only the name of what
// the label computes.
func TextbookNote(note, label string) string {
	formula := note
	for _, end := range []string{" (A.", " of A.", ", one row"} {
		formula, _, _ = strings.Cut(formula, end)
	}
	tags := equations(note)
	if !strings.Contains(formula, " = ") && (strings.HasPrefix(label, formula) || strings.HasPrefix(formula, "∇")) || formula == label {
		return tags
	}
	if tags != "" {
		formula += ", " + tags
	}
	return formula
}

func newWriter(p *ir.Program) *writer {
	w := &writer{p: p, factor: make([]factor, len(p.Buffers)), z: make([]string, len(p.Buffers)), plain: make([]string, len(p.Buffers))}
	for r := range w.factor {
		w.factor[r] = one
	}
	return w
}

func (w *writer) symbol(r ir.Ref) string {
	switch {
	case w.plain[r] != "":
		return w.plain[r]
	case w.literal && w.p.Buffers[r].Kind == ir.Data:
		return "x"
	}
	return symbol(w.p.Buffers[r])
}

// value returns what buffer r has, as an operand.
func (w *writer) value(r ir.Ref) string {
	f := w.factor[r]
	if f.isOne() {
		return w.symbol(r)
	}
	return "(" + f.of(w.symbol(r)) + ")"
}

func transposed(symbol string) string {
	if inner, ok := strings.CutSuffix(symbol, "ᵀ"); ok {
		return strings.TrimSuffix(strings.TrimPrefix(inner, "("), ")")
	}
	return group(symbol) + "ᵀ"
}

// group puts a symbol of more than one character into parentheses.
func group(symbol string) string {
	if len([]rune(symbol)) == 1 {
		return symbol
	}
	return "(" + symbol + ")"
}

// operand returns the factor of a product, which the program reads as a matrix whose
// rows are samples if it is no matrix of weights. turned says whether the product in
// the textbook's notation has its transpose.
func (w *writer) operand(r ir.Ref, turned bool) string {
	if turned {
		return transposed(w.symbol(r))
	}
	return w.symbol(r)
}

// instruction returns the formula of an instruction, in one line or more. The
// instructions of a program are to be given in their order.
func (w *writer) instruction(in ir.Instr) []string {
	f, right, more := w.right(in)
	dst := w.symbol(in.Dst)
	if in.Op.IsUpdate() {
		sign, magnitude := f.parts()
		if sign == "" {
			sign = "+"
		}
		return []string{dst + " ← " + dst + " " + sign + " " + join(magnitude, right)}
	}
	w.factor[in.Dst] = f
	line := f.of(dst) + " = "
	if in.Op == ir.OutputDelta {
		f.c = -f.c // y − a, as in A.64
	}
	return append([]string{line + f.of(right)}, more...)
}

// right returns the right side of an instruction as a factor and a term, and further
// lines that explain it.
func (w *writer) right(in ir.Instr) (f factor, term string, more []string) {
	arg := func(k int) ir.Ref { return in.Args[k] }
	switch in.Op {
	case ir.Fill:
		return one, number(in.Value), nil
	case ir.MatMul:
		return w.product(in.Dst, arg(0), arg(1), in.TransA, in.TransB)
	case ir.Affine:
		x := w.value(arg(0))
		return one, w.symbol(arg(1)) + " " + x + " + " + w.value(arg(2)), nil
	case ir.SumRows:
		return one, sum(w.p.Buffers[arg(0)], "s") + w.value(arg(0)), nil
	case ir.SumAll:
		b, index := w.p.Buffers[arg(0)], "s,k"
		if b.Rows == 1 {
			index = "k"
		}
		return one, "Σ_{" + index + "} " + w.value(arg(0)), nil
	case ir.Map:
		return one, w.expression(in), nil
	case ir.Activate:
		w.z[in.Dst] = w.symbol(arg(0))
		if in.G == ir.FnTanh {
			return one, "tanh " + w.value(arg(0)), nil
		}
		return one, "σ(" + w.value(arg(0)) + ")", nil
	case ir.OutputDelta:
		slope, more := w.slope(in.G, arg(0))
		f := factor{in.Value, in.Rate}
		return f, "(" + w.value(arg(1)) + " − " + w.value(arg(0)) + ") ⊙ " + slope, more
	case ir.HiddenDelta:
		slope, more := w.slope(in.G, arg(1))
		return w.factor[arg(0)], w.symbol(arg(0)) + " ⊙ " + slope, more
	case ir.Transpose:
		return one, transposed(w.value(arg(0))), nil
	case ir.Reshape:
		return one, w.value(arg(0)), nil
	case ir.Repeat:
		separator := "; "
		if w.p.Buffers[arg(0)].Rows == w.p.Buffers[in.Dst].Rows {
			separator = ", "
		}
		return one, "(" + w.value(arg(0)) + separator + "…" + separator + w.value(arg(0)) + ")", nil
	case ir.Update:
		return w.step(in, w.factor[arg(0)], w.symbol(arg(0)))
	case ir.RowUpdate:
		return w.step(in, w.factor[arg(0)], sum(w.p.Buffers[arg(0)], "s")+w.symbol(arg(0)))
	case ir.RankUpdate:
		f, term, _ := w.product(in.Dst, arg(0), arg(1), true, false)
		return w.step(in, f, term)
	default:
		return one, in.Op.String() + " " + w.value(arg(0)), nil
	}
}

// step returns the term that an update adds, which has the factor f already.
func (w *writer) step(in ir.Instr, f factor, term string) (factor, string, []string) {
	if in.Rate {
		return f, term, nil
	}
	g, ok := f.minusRate()
	if !ok { // the term has an η of its own
		return factor{1, true}, "(" + f.of(term) + ")", nil
	}
	return g, term, nil
}

// sum returns the sign of a sum over the rows of b, which are samples; "" for one row.
func sum(b ir.Buffer, index string) string {
	if b.Rows == 1 {
		return ""
	}
	return "Σ_" + index + " "
}

// product returns the product of two buffers, each transposed or not.
func (w *writer) product(dst, a, b ir.Ref, transA, transB bool) (factor, string, []string) {
	f, ok := w.factor[a].times(w.factor[b])
	if !ok {
		return one, w.value(a) + " " + w.value(b), nil
	}
	if w.literal {
		return f, w.operand(a, transA) + " " + w.operand(b, transB), nil
	}
	// The symbol of a vector is the transpose of its buffer.
	turnedA, turnedB := transA != !isMatrix(w.p.Buffers[a]), transB != !isMatrix(w.p.Buffers[b])
	over := ""
	if transA && !transB {
		over = sum(w.p.Buffers[a], "s")
	}
	if isMatrix(w.p.Buffers[dst]) {
		return f, over + w.operand(a, turnedA) + " " + w.operand(b, turnedB), nil
	}
	return f, over + w.operand(b, !turnedB) + " " + w.operand(a, !turnedA), nil
}

// slope returns g'(z) for a buffer g(z), with a line that says how it is computed.
func (w *writer) slope(g ir.Fn, a ir.Ref) (term string, more []string) {
	v := w.value(a)
	computed := v + " ⊙ (1 − " + v + ")"
	if g == ir.FnTanh {
		computed = "1 − " + v + " ⊙ " + v
	}
	if w.z[a] != "" {
		term = "g′(" + w.z[a] + ")"
		return term, []string{term + " = " + computed}
	}
	if g == ir.FnTanh {
		computed = "(" + computed + ")"
	}
	return computed, nil
}

// The precedence of the operators in an expression.
const (
	precSum = iota
	precProduct
	precAtom
)

// expression returns the formula of the expression of a Map.
func (w *writer) expression(in ir.Instr) string {
	type part struct {
		text  string
		prec  int
		value float64 // of a constant
		isNum bool
	}
	var stack []part
	// in returns a part, in parentheses if its operator binds less than prec.
	inside := func(p part, prec int) string {
		if p.prec < prec {
			return "(" + p.text + ")"
		}
		return p.text
	}
	pop := func() part {
		p := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		return p
	}
	for _, t := range in.Expr.Terms() {
		switch t.Fn {
		case ir.FnArg:
			stack = append(stack, part{text: w.value(in.Args[t.Arg]), prec: precAtom})
		case ir.FnConst:
			p := part{text: number(t.Value), prec: precAtom, value: t.Value, isNum: true}
			if t.Value < 0 || strings.Contains(p.text, "/") {
				p.prec = precSum
			}
			stack = append(stack, p)
		case ir.FnAdd:
			v, u := pop(), pop()
			stack = append(stack, part{text: inside(u, precSum) + " + " + inside(v, precProduct), prec: precSum})
		case ir.FnSub:
			v, u := pop(), pop()
			stack = append(stack, part{text: inside(u, precSum) + " − " + inside(v, precProduct), prec: precSum})
		case ir.FnMul:
			v, u := pop(), pop()
			if v.isNum && !u.isNum {
				u, v = v, u
			}
			n, ok := reciprocal(u.value)
			switch {
			case u.isNum && ok && n > 2:
				stack = append(stack, part{text: inside(v, precAtom) + fmt.Sprintf("/%.0f", n), prec: precProduct})
			case u.isNum:
				stack = append(stack, part{text: inside(u, precProduct) + " " + inside(v, precProduct), prec: precProduct})
			default:
				stack = append(stack, part{text: inside(u, precProduct) + " ⊙ " + inside(v, precAtom), prec: precProduct})
			}
		case ir.FnNeg:
			stack = append(stack, part{text: "−" + inside(pop(), precProduct), prec: precSum})
		case ir.FnSquare:
			u := pop()
			if u.prec < precAtom {
				u.text = "(" + u.text + ")"
			} else {
				u.text = group(u.text)
			}
			stack = append(stack, part{text: u.text + "^2", prec: precAtom})
		case ir.FnSigmoid:
			stack = append(stack, part{text: "σ(" + pop().text + ")", prec: precAtom})
		case ir.FnTanh:
			stack = append(stack, part{text: "tanh(" + pop().text + ")", prec: precAtom})
		}
	}
	return stack[len(stack)-1].text
}

// equations returns the numbers of the equations that a note names: "A.62, A.66".
func equations(note string) string { return strings.Join(equation.FindAllString(note, -1), ", ") }
