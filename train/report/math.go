package report

import (
	"html"
	"html/template"
	"regexp"
	"strings"
	"unicode"

	"trainer/data/lang"
)

// phrases are the words in formulas and in the notes of instructions. The longest
// that fits is taken.
var phrases = []lang.Text{
	{En: "E (A.45), its mean over the mini-batch (A.46)", Zh: "E (A.45），对小批量取平均 (A.46)"},
	{En: "one row per sample", Zh: "每个样本一行"},
	{En: " for all i, j", Zh: "（对所有 i, j）"},
	{En: ", here ", Zh: "，此处 "},
	{En: " of A.", Zh: "，见 A."},
}

// formula returns a formula in the notation of packages delta, ir and explain
// ("δ_i^3 = −(y_i − a_i^3) g'(z_i^3)") as MathML.
func formula(l lang.Language, s string) template.HTML {
	for _, p := range phrases {
		s = strings.ReplaceAll(s, p.En, p.In(l))
	}
	p := mathParser{rest: []rune(s)}
	p.row(0)
	return template.HTML("<math>" + p.out.String() + "</math>") // all text in it is escaped
}

// mathParser turns a formula into MathML.
type mathParser struct {
	rest []rune
	out  strings.Builder
}

// peek returns the next character; 0 at the end.
func (p *mathParser) peek() rune {
	if len(p.rest) == 0 {
		return 0
	}
	return p.rest[0]
}

// deepest is how deep groups in braces may be nested.
const deepest = 8

// row parses up to the end, or to the brace that closes a group.
func (p *mathParser) row(depth int) {
	p.out.WriteString("<mrow>")
	for len(p.rest) > 0 && (depth == 0 || p.peek() != '}') {
		p.scripted(depth)
	}
	p.out.WriteString("</mrow>")
}

// scripted parses an atom with its subscript and superscript.
func (p *mathParser) scripted(depth int) {
	if unicode.IsSpace(p.peek()) {
		p.space()
		return
	}
	before := p.out.String()
	p.out.Reset()
	p.atom()
	base := p.out.String()
	var sub, sup string
	for {
		to := &sup
		switch p.peek() {
		case '_':
			to = &sub
			p.rest = p.rest[1:]
		case '^':
			p.rest = p.rest[1:]
		case '\'':
			p.rest = p.rest[1:]
			sup += "<mo>′</mo>"
			continue
		case 'ᵀ':
			p.rest = p.rest[1:]
			sup += "<mi>T</mi>"
			continue
		case '²':
			p.rest = p.rest[1:]
			sup += "<mn>2</mn>"
			continue
		default:
			p.out.Reset()
			p.out.WriteString(before)
			switch {
			case sub != "" && sup != "":
				p.out.WriteString("<msubsup>" + base + sub + "<mrow>" + sup + "</mrow></msubsup>")
			case sub != "":
				p.out.WriteString("<msub>" + base + sub + "</msub>")
			case sup != "":
				p.out.WriteString("<msup>" + base + "<mrow>" + sup + "</mrow></msup>")
			default:
				p.out.WriteString(base)
			}
			return
		}
		p.out.Reset()
		p.group(depth)
		*to += p.out.String()
	}
}

// space parses white space. Between factors it is thin, around words it is not.
func (p *mathParser) space() {
	for len(p.rest) > 0 && unicode.IsSpace(p.peek()) {
		p.rest = p.rest[1:]
	}
	p.out.WriteString(`<mspace width="0.2em"/>`)
}

// group parses the argument of _ or ^: a group in braces, or letters and digits.
func (p *mathParser) group(depth int) {
	if p.peek() == '{' && depth < deepest {
		p.rest = p.rest[1:]
		p.row(depth + 1)
		if p.peek() == '}' {
			p.rest = p.rest[1:]
		}
		return
	}
	p.out.WriteString("<mrow>")
	n := 0
	for n < len(p.rest) && (unicode.IsDigit(p.rest[n]) || unicode.IsLetter(p.rest[n]) && p.rest[n] != 'ᵀ') {
		if unicode.IsDigit(p.rest[n]) {
			p.element("mn", string(p.rest[n]))
		} else {
			p.element("mi", string(p.rest[n]))
		}
		n++
	}
	p.rest = p.rest[n:]
	p.out.WriteString("</mrow>")
}

var (
	numberAtom   = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?(e[-+][0-9]+)?`)
	equationAtom = regexp.MustCompile(`^A\.[0-9]+`)
	wordAtom     = regexp.MustCompile(`^[\p{Han}\x{FF08}\x{FF09}\x{FF0C}\x{3001}]+|^[A-Za-z][a-z-]+`)
)

// atom parses one symbol, number or word.
func (p *mathParser) atom() {
	text := string(p.rest[:min(len(p.rest), 80)])
	take := func(element, s string) {
		p.element(element, s)
		p.rest = p.rest[len([]rune(s)):]
	}
	if s := equationAtom.FindString(text); s != "" {
		take("mtext", s)
		return
	}
	if s := wordAtom.FindString(text); s != "" {
		take("mtext", s)
		return
	}
	if s := numberAtom.FindString(text); s != "" {
		take("mn", s)
		return
	}
	c := p.peek()
	switch {
	case c == '½':
		take("mn", "½")
	case c == 'ᵀ': // without a base
		take("mi", "ᵀ")
	case strings.ContainsRune("∂∇Δ", c):
		take("mi", string(c))
	case unicode.IsLetter(c):
		take("mi", string(c))
	default:
		if strings.ContainsRune("()[]|‖", c) {
			p.out.WriteString(`<mo stretchy="false">` + html.EscapeString(string(c)) + "</mo>")
			p.rest = p.rest[1:]
			return
		}
		take("mo", string(c))
	}
}

func (p *mathParser) element(name, text string) {
	p.out.WriteString("<" + name + ">" + html.EscapeString(text) + "</" + name + ">")
}
