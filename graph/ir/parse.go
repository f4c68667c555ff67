package ir

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// reserved are the words of the text form. No buffer has such a name.
var reserved = slices.Concat(ops.Names(), fns.Names(), kinds.Names(), elems.Names(),
	[]string{"program", "batch", "output", "cost", "by", "input", "rate"})

// maxNesting bounds the recursion of the parser. Each term of an expression adds
// at most one function and one parenthesis.
const maxNesting = 2*MaxTerms + 2

// Parse reads the text form of a program:
//
//	program "NAME" float32|float64 batch B
//	  NAME data|target|parameter|temporary ROWSxCOLS [by input]
//	  output NAME
//	  cost NAME
//	  [NUMBER] NAME = OPERATION  ; NOTE
//	  [NUMBER] NAME -= rate * GRADIENT  ; NOTE
//	  [NUMBER] NAME += GRADIENT  ; NOTE
//
// Each of these is one line. A buffer comes before the lines that name it. Spacing
// is free; Parse skips empty lines and comments. An error gives line:column and
// what was wanted there. Parse also reads programs that Verify rejects.
func Parse(text string) (*Program, error) {
	ps := &parser{p: &Program{Output: None, Cost: None}, refs: map[string]Ref{}}
	header := false
	for i, line := range strings.Split(text, "\n") {
		ps.begin(i+1, line)
		switch {
		case ps.next == "":
			continue
		case !header:
			header = true
			ps.header()
		default:
			ps.statement()
		}
		if ps.next != "" {
			ps.wanted("the end of the line")
		}
		if ps.err != nil {
			return nil, ps.err
		}
	}
	if !header {
		return nil, fmt.Errorf(`ir: %d:1: no program: begin with a line such as: program "step" float32 batch 1`, ps.line)
	}
	return ps.p, nil
}

// MustParse is Parse for programs in tests and examples; it panics on an
// error.
func MustParse(text string) *Program {
	p, err := Parse(text)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return p
}

// parser reads the tokens of a line. It keeps its first error. After that, next is
// "" and the results of the methods mean nothing.
type parser struct {
	p    *Program
	refs map[string]Ref
	line int    // of the text, from 1
	text string // of the line, from its start to its note
	note string
	next string // the token at text[at:]; "" at the end of the line
	at   int
	err  error
}

// begin splits a line into its tokens and its note.
func (ps *parser) begin(number int, line string) {
	ps.line, ps.text, ps.note, ps.at = number, line, "", 0
	name := quotedToken.FindStringIndex(line) // it may contain a semicolon
	from := 0
	if name != nil {
		from = name[1]
	}
	if k := strings.IndexByte(line[from:], ';'); k >= 0 {
		ps.text, ps.note = line[:from+k], strings.Trim(line[from+k+1:], " \t\r")
	}
	ps.find()
}

var (
	quotedToken = regexp.MustCompile(`^\s*program\s+"(?:[^"\\]|\\.)*"`)
	token       = regexp.MustCompile(`^(?:"(?:[^"\\]|\\.)*"|\d+x\d+|\d[\d.]*(?:e[+-]?\d+)?|\w+|[-+]=|\^T|.)`)
	nameToken   = regexp.MustCompile(`^[a-zA-Z_]\w*$`)
)

// find finds the next token at or after at.
func (ps *parser) find() {
	rest := strings.TrimLeft(ps.text[ps.at:], " \t\r")
	ps.at = len(ps.text) - len(rest)
	ps.next = token.FindString(rest)
}

// take returns the next token and moves past it.
func (ps *parser) take() string {
	t := ps.next
	ps.at += len(t)
	if ps.err == nil {
		ps.find()
	}
	return t
}

// accept takes the next token if it is t, and reports whether it was.
func (ps *parser) accept(t string) bool {
	if ps.next != t {
		return false
	}
	ps.take()
	return true
}

func (ps *parser) expect(t string) {
	if !ps.accept(t) {
		ps.wanted(t)
	}
}

// errorf sets the error, at the position of the next token, if there is none yet.
func (ps *parser) errorf(format string, args ...any) {
	if ps.err == nil {
		ps.err = fmt.Errorf("ir: %d:%d: %s", ps.line, ps.at+1, fmt.Sprintf(format, args...))
		ps.next = ""
	}
}

// wanted sets the error that the next token is not the one that was wanted.
func (ps *parser) wanted(what string) {
	if ps.next == "" {
		ps.errorf("the line ends, want %s", what)
	} else {
		ps.errorf("have %q, want %s", ps.next, what)
	}
}

// oneOf takes one of words and returns its index.
func (ps *parser) oneOf(words []string) int {
	i := slices.Index(words, ps.next)
	if i < 0 {
		ps.wanted(strings.Join(words, ", "))
		return 0
	}
	ps.take()
	return i
}

// integer takes an integer from 0 to MaxLen.
func (ps *parser) integer(what string) int {
	n, err := strconv.ParseUint(ps.next, 10, 31)
	if err != nil {
		ps.wanted(what)
	}
	ps.take()
	return int(n)
}

// number takes a number without a sign.
func (ps *parser) number() float64 {
	v, err := strconv.ParseFloat(ps.next, 64)
	if err != nil || !isDigit(ps.next[0]) {
		ps.wanted("a finite number")
	}
	ps.take()
	return v
}

// ref takes the name of a buffer.
func (ps *parser) ref() Ref {
	r, ok := ps.refs[ps.next]
	switch {
	case ok:
		ps.take()
	case nameToken.MatchString(ps.next) && !slices.Contains(reserved, ps.next):
		ps.errorf("no buffer %q: declare it above, as in: %s temporary 1x1", ps.next, ps.next)
	default:
		ps.wanted("the name of a buffer")
	}
	return r
}

func (ps *parser) header() {
	ps.expect("program")
	name, err := strconv.Unquote(ps.next)
	if err != nil || ps.next[0] != '"' {
		ps.wanted("the program's name in quotes")
	}
	ps.p.Name = name
	ps.take()
	ps.p.Elem = Elem(ps.oneOf(elems.Names()))
	ps.expect("batch")
	ps.p.Batch = ps.integer("the batch size")
}

// statement reads an end, a buffer or an instruction.
func (ps *parser) statement() {
	switch ps.next {
	case "output":
		ps.end(&ps.p.Output)
		return
	case "cost":
		ps.end(&ps.p.Cost)
		return
	}
	if isDigit(ps.next[0]) {
		if want := strconv.Itoa(len(ps.p.Code)); ps.next != want {
			ps.wanted("number " + want + ", or none")
		}
		ps.take()
		ps.instruction()
		return
	}
	line := *ps
	switch name := ps.take(); {
	case ps.next == "=" || ps.next == "-=" || ps.next == "+=":
		*ps = line
		ps.instruction()
	case !nameToken.MatchString(name) || slices.Contains(reserved, name):
		*ps = line
		ps.wanted("a buffer, output, cost, or an instruction; a name must not be a word of the text form")
	default:
		if _, ok := ps.refs[name]; ok {
			*ps = line
			ps.errorf("a second buffer %q: names are unique", name)
		}
		ps.buffer(name)
	}
}

// end reads output or cost, and the name of its buffer.
func (ps *parser) end(r *Ref) {
	if *r != None {
		ps.errorf("a second %s, want one at most", ps.next)
	}
	ps.take()
	*r = ps.ref()
}

func (ps *parser) buffer(name string) {
	b := Buffer{Name: name, Kind: Kind(ps.oneOf(kinds.Names()))}
	rows, cols, _ := strings.Cut(ps.next, "x")
	r, err1 := strconv.ParseUint(rows, 10, 31)
	c, err2 := strconv.ParseUint(cols, 10, 31)
	if err1 != nil || err2 != nil {
		ps.wanted("a shape, such as 50x784")
	}
	b.Rows, b.Cols = int(r), int(c)
	ps.take()
	if ps.accept("by") {
		ps.expect("input")
		b.ByInput = true
	}
	ps.refs[name] = Ref(len(ps.p.Buffers))
	ps.p.Buffers = append(ps.p.Buffers, b)
}

func (ps *parser) instruction() {
	var in Instr
	dst := ps.ref()
	switch {
	case ps.accept("-="):
		ps.expect("rate")
		ps.expect("*")
		in = ps.update()
	case ps.accept("+="):
		in = ps.update()
		in.Rate = true
	default:
		ps.expect("=")
		in = ps.operation()
	}
	in.Dst, in.Note = dst, ps.note
	ps.p.Code = append(ps.p.Code, in)
}

// update reads the gradient of an update.
func (ps *parser) update() Instr {
	if ps.accept(SumRows.String()) {
		return Instr{Op: RowUpdate, Args: []Ref{ps.ref()}}
	}
	a := ps.ref()
	if ps.accept("^T") {
		return Instr{Op: RankUpdate, Args: []Ref{a, ps.ref()}}
	}
	return Instr{Op: Update, Args: []Ref{a}}
}

// operation reads what comes after =.
func (ps *parser) operation() Instr {
	in := Instr{Op: Op(ps.oneOf(ops.Names()[:Update]))}
	switch in.Op {
	case Fill:
		if ps.accept("-") {
			in.Value = -ps.number()
		} else {
			in.Value = ps.number()
		}
	case MatMul:
		a, transA := ps.ref(), ps.accept("^T")
		b, transB := ps.ref(), ps.accept("^T")
		in.Args, in.TransA, in.TransB = []Ref{a, b}, transA, transB
	case Affine:
		in.Args = []Ref{ps.ref(), ps.ref(), ps.ref()}
	case Activate:
		in.G, in.Args = ps.activation(), []Ref{ps.ref()}
	case OutputDelta:
		in.G, in.Args, in.Value = ps.activation(), []Ref{ps.ref(), ps.ref()}, 1
		ps.factors(&in)
	case HiddenDelta:
		in.G, in.Args = ps.activation(), []Ref{ps.ref(), ps.ref()}
	case Map:
		var args []Ref
		if e := ps.sum(&args, 0); ps.err == nil {
			in = NewMap(0, args, e)
		}
	default:
		in.Args = []Ref{ps.ref()}
	}
	return in
}

// activation takes the name of an activation function.
func (ps *parser) activation() Fn {
	return activations[ps.oneOf([]string{activations[0].String(), activations[1].String()})]
}

// factors reads the factors of an output delta: a number, −η, both or neither.
func (ps *parser) factors(in *Instr) {
	if !ps.accept("*") {
		return
	}
	minus := ps.accept("-")
	if ps.next != "rate" {
		if in.Value = ps.number(); minus {
			in.Value = -in.Value
		}
		if !ps.accept("*") {
			return
		}
		ps.expect("-")
	} else if !minus {
		ps.wanted("-rate, or a number")
	}
	ps.expect("rate")
	in.Rate = true
}

// sum reads products, added and subtracted from left to right. It appends the
// buffers that the expression names to args.
func (ps *parser) sum(args *[]Ref, depth int) Expr {
	u := ps.product(args, depth)
	for {
		switch {
		case ps.accept("+"):
			u = Add(u, ps.product(args, depth))
		case ps.accept("-"):
			u = Sub(u, ps.product(args, depth))
		default:
			return u
		}
	}
}

// product reads factors, multiplied from left to right.
func (ps *parser) product(args *[]Ref, depth int) Expr {
	u := ps.factor(args, depth)
	for ps.accept("*") {
		u = Mul(u, ps.factor(args, depth))
	}
	return u
}

// factor reads a number, a buffer, a function of an expression, an expression
// in parentheses, or the negation of a factor. A minus before a number belongs
// to the number.
func (ps *parser) factor(args *[]Ref, depth int) Expr {
	if depth > maxNesting {
		ps.errorf("expression nested more than %d deep: split it into several maps", maxNesting)
	}
	switch {
	case ps.next != "" && isDigit(ps.next[0]):
		return Const(ps.number())
	case ps.accept("-"):
		if ps.next != "" && isDigit(ps.next[0]) {
			return Const(-ps.number())
		}
		return Neg(ps.factor(args, depth+1))
	case ps.accept("("):
		u := ps.sum(args, depth+1)
		ps.expect(")")
		return u
	}
	if fn := Fn(max(slices.Index(fns.Names(), ps.next), 0)); fn > FnNeg {
		ps.take()
		ps.expect("(")
		u := ps.sum(args, depth+1)
		ps.expect(")")
		return Apply(fn, u)
	}
	*args = append(*args, ps.ref())
	return Arg(len(*args) - 1)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// legalName reports whether a buffer may have this name.
func legalName(name string) bool {
	return nameToken.MatchString(name) && !slices.Contains(reserved, name)
}
