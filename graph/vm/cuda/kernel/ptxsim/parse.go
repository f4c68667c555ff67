package ptxsim

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Program is PTX, ready to run. It is for one goroutine.
type Program struct {
	code      []instruction
	functions map[string]*function
	constants []uint64 // the values of the slots behind the special ones
	slots     int
	executed  []bool  // by instruction
	local     int     // bytes of local memory of a thread: parameters and arrays
	files     []*file // of registers, free to use
}

// function is a function or a kernel. Its registers and its local memory have a
// fixed place, because nothing is recursive.
type function struct {
	name       string
	entry      bool
	start      int // index of its first instruction
	registers  map[string]int
	symbols    map[string]*symbol
	parameters []*symbol
	result     *symbol
	labels     map[string]int
	base       int // its first register
}

// symbol is a named part of local memory.
type symbol struct{ offset, size int }

// kind is the type of a value.
type kind struct {
	bytes         int
	signed, float bool
	pred          bool
}

var kinds = map[string]kind{
	"pred": {bytes: 1, pred: true},
	"b8":   {bytes: 1}, "u8": {bytes: 1}, "s8": {bytes: 1, signed: true},
	"b16": {bytes: 2}, "u16": {bytes: 2}, "s16": {bytes: 2, signed: true},
	"b32": {bytes: 4}, "u32": {bytes: 4}, "s32": {bytes: 4, signed: true}, "f32": {bytes: 4, float: true},
	"b64": {bytes: 8}, "u64": {bytes: 8}, "s64": {bytes: 8, signed: true}, "f64": {bytes: 8, float: true},
}

// space is a space of memory.
type space uint8

const (
	generic space = iota
	global
	shared
	local // and parameters
)

// The windows of the spaces in generic addresses. An address of shared memory is
// not 0, so that one that was not computed is not valid.
const (
	globalBase = 0x7f20_0000_0000
	sharedBase = 0x7e00_0000_0000
	localBase  = 0x7d00_0000_0000
	sharedAt   = 1024 // the address of dynamic_shared in its space
)

// The slots of the special registers.
const (
	slotThread = iota
	slotThreads
	slotBlock
	slotBlocks
	specials
)

// action is what an instruction does, besides those that compute a value.
type action uint8

const (
	compute action = iota
	branch
	call
	ret
	barrier
	warpSync
	shuffle
	fence
	load
	store
	atomic
	pack   // mov.b64 %rd, {%r, %r}
	unpack // mov.b64 {%r, %r}, %rd
	selectValue
)

// instruction is an instruction. Operands are slots: registers, and constants that
// look like registers.
type instruction struct {
	line    int
	text    string
	do      action
	guard   int // slot of the predicate; -1: none
	negated bool
	kind    kind

	dst, src []int
	f        func(a, b, c uint64) uint64 // compute
	op       string                      // the first part of its name
	cost     cost
	modifier string // the kind of a shuffle or of an atomic operation

	// Of an access: the address is the value of slot base, or 0, plus offset.
	space                    space
	base                     int
	offset                   int64
	strong, acquire, release bool

	target int // index of an instruction
	callee *function
	moves  [][3]int // call: from, to, size of each argument; the last is the result, the other way
}

// parser is the state of Parse.
type parser struct {
	*Program
	f        *function
	constant map[uint64]int
	pending  []func() error // run when all labels and functions are known
	line     int
}

// Parse reads the text of a PTX module.
func Parse(text string) (*Program, error) {
	p := &parser{Program: &Program{functions: map[string]*function{}}, constant: map[uint64]int{}}
	if err := p.module(text); err != nil {
		return nil, fmt.Errorf("ptxsim: line %d: %w", p.line, err)
	}
	for _, later := range p.pending {
		if err := later(); err != nil {
			return nil, fmt.Errorf("ptxsim: %w", err)
		}
	}
	p.place()
	p.narrow()
	p.executed = make([]bool, len(p.code))
	return p.Program, nil
}

// module reads statements: up to a semicolon, or a brace or a label.
func (p *parser) module(text string) error {
	var statement strings.Builder
	depth, line, begin := 0, 1, 1
	for rest := text; rest != ""; rest = rest[1:] {
		if strings.HasPrefix(rest, "//") {
			end := strings.IndexByte(rest, '\n')
			if end < 0 {
				break
			}
			rest = rest[end:]
		}
		c := rest[0]
		now := strings.TrimSpace(statement.String())
		if now == "" {
			begin = line
		}
		p.line = begin
		header := depth == 0 && (strings.Contains(now, ".func") || strings.Contains(now, ".entry"))
		var err error
		switch {
		case c == '\n':
			line++
			statement.WriteByte(' ')
			continue
		case c == '{' && header:
			depth = 1
			err = p.begin(now)
		case c == '{' && now == "" && depth > 0:
			depth++
		case c == '}' && now == "" && depth > 0:
			depth--
		case c == ':' && depth > 0:
			p.f.labels[now] = len(p.code)
		case c == ';' && depth == 0: // a declaration
		case c == ';':
			err = p.statement(now)
		default:
			statement.WriteByte(c)
			continue
		}
		if err != nil {
			return fmt.Errorf("%q: %w", now, err)
		}
		statement.Reset()
	}
	return nil
}

// begin reads the header of a function or a kernel.
func (p *parser) begin(header string) error {
	f := &function{start: len(p.code), registers: map[string]int{}, symbols: map[string]*symbol{}, labels: map[string]int{}}
	p.f = f
	f.entry = strings.Contains(header, ".entry")
	_, rest, _ := strings.Cut(header, ".entry")
	if !f.entry {
		_, rest, _ = strings.Cut(header, ".func")
		rest = strings.TrimSpace(rest)
		if strings.HasPrefix(rest, "(") {
			result, after, _ := strings.Cut(rest[1:], ")")
			var err error
			if f.result, err = p.declare(result); err != nil {
				return err
			}
			rest = after
		}
	}
	name, list, _ := strings.Cut(rest, "(")
	f.name = strings.TrimSpace(name)
	list, _, _ = strings.Cut(list, ")")
	for _, d := range strings.Split(list, ",") {
		if strings.TrimSpace(d) == "" {
			continue
		}
		s, err := p.declare(d)
		if err != nil {
			return err
		}
		f.parameters = append(f.parameters, s)
	}
	p.functions[f.name] = f
	return nil
}

// declare reads a declaration of local memory: .param .align 8 .b8 name[120].
func (p *parser) declare(text string) (*symbol, error) {
	s, align := &symbol{}, 8
	words := strings.Fields(text)
	for i, w := range words {
		if w == ".align" {
			n, err := strconv.Atoi(words[i+1])
			if err != nil {
				return nil, err
			}
			align = max(align, n)
		}
		if k, ok := kinds[strings.TrimPrefix(w, ".")]; ok {
			s.size = k.bytes
		}
	}
	name := words[len(words)-1]
	if open := strings.IndexByte(name, '['); open >= 0 {
		n, err := strconv.Atoi(strings.TrimSuffix(name[open+1:], "]"))
		if err != nil {
			return nil, err
		}
		s.size *= n
		name = name[:open]
	}
	if old := p.f.symbols[name]; old != nil && old.size >= s.size {
		return old, nil // of another call
	}
	p.local = (p.local + align - 1) / align * align
	s.offset = p.local
	p.local += s.size
	p.f.symbols[name] = s
	return s, nil
}

// statement reads a statement of a body.
func (p *parser) statement(text string) error {
	if strings.HasPrefix(text, ".param") || strings.HasPrefix(text, ".local") {
		_, err := p.declare(text)
		return err
	}
	if strings.HasPrefix(text, ".") {
		return nil // .reg: a register is known by its name; .pragma
	}
	in := instruction{line: p.line, text: text, guard: -1, base: -1}
	if strings.HasPrefix(text, "@") {
		guard, rest, _ := strings.Cut(text[1:], " ")
		in.negated = strings.HasPrefix(guard, "!")
		in.guard = p.register(strings.TrimPrefix(guard, "!"))
		text = strings.TrimSpace(rest)
	}
	name, rest, _ := strings.Cut(text, " ")
	if tab := strings.IndexByte(name, '\t'); tab >= 0 {
		rest = name[tab+1:] + " " + rest
		name = name[:tab]
	}
	operands := splitOperands(rest)
	if err := p.decode(&in, strings.Split(name, "."), operands); err != nil {
		return err
	}
	p.code = append(p.code, in)
	return nil
}

// splitOperands splits at commas outside of brackets.
func splitOperands(text string) []string {
	var all []string
	depth, from := 0, 0
	for i, c := range text + "," {
		switch {
		case strings.ContainsRune("{[(", c):
			depth++
		case strings.ContainsRune("}])", c):
			depth--
		case c == ',' && depth == 0:
			if s := strings.TrimSpace(text[from:i]); s != "" {
				all = append(all, s)
			}
			from = i + 1
		}
	}
	return all
}

// register returns the number of a register of the function, until place makes it a
// slot: below 0 it is not a register but -2 - the number of a constant or a special.
func (p *parser) register(name string) int {
	r, ok := p.f.registers[name]
	if !ok {
		r = len(p.f.registers)
		p.f.registers[name] = r
	}
	return r
}

// fixed encodes a slot that place does not move.
func fixed(slot int) int { return -2 - slot }

func (p *parser) constantSlot(v uint64) int {
	k, ok := p.constant[v]
	if !ok {
		k = len(p.constants)
		p.constant[v] = k
		p.constants = append(p.constants, v)
	}
	return fixed(specials + k)
}

// operand reads an operand that has one value: a register, a special register, a
// number or the address of a symbol.
func (p *parser) operand(text string, k kind) (int, error) {
	special := map[string]int{"%tid.x": slotThread, "%ntid.x": slotThreads, "%ctaid.x": slotBlock, "%nctaid.x": slotBlocks}
	if slot, ok := special[text]; ok {
		return fixed(slot), nil
	}
	if strings.HasPrefix(text, "%") {
		name, _, _ := strings.Cut(text, "|")
		return p.register(name), nil
	}
	if strings.HasPrefix(text, "0f") || strings.HasPrefix(text, "0d") {
		v, err := strconv.ParseUint(text[2:], 16, 64)
		return p.constantSlot(v), err
	}
	if text == "dynamic_shared" {
		return p.constantSlot(sharedAt), nil
	}
	if s := p.f.symbols[text]; s != nil {
		return p.constantSlot(uint64(s.offset)), nil
	}
	v, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		u, uerr := strconv.ParseUint(strings.TrimSuffix(text, "U"), 0, 64)
		if uerr != nil {
			return 0, fmt.Errorf("operand %q", text)
		}
		v = int64(u)
	}
	return p.constantSlot(truncate(uint64(v), k)), nil
}

// vector reads one operand, or those in braces.
func (p *parser) vector(text string, k kind) ([]int, error) {
	list := []string{text}
	if strings.HasPrefix(text, "{") {
		list = splitOperands(strings.Trim(text, "{}"))
	}
	var all []int
	for _, t := range list {
		o, err := p.operand(t, k)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	return all, nil
}

// address reads [base+offset].
func (p *parser) address(in *instruction, text string) error {
	base, offset, found := strings.Cut(strings.Trim(text, "[]"), "+")
	if found {
		v, err := strconv.ParseInt(offset, 0, 64)
		if err != nil {
			return err
		}
		in.offset = v
	}
	var err error
	in.base, err = p.operand(base, kinds["u64"])
	return err
}

// place gives the registers of functions their slots. Kernels share theirs.
func (p *parser) place() {
	p.local = (p.local + 15) &^ 15
	first, most := specials+len(p.constants), 0
	for _, f := range p.functions {
		if !f.entry {
			f.base = first
			first += len(f.registers)
		}
	}
	for _, f := range p.functions {
		if f.entry {
			f.base = first
			most = max(most, len(f.registers))
		}
	}
	p.slots = first + most
	ends := map[int]*function{}
	for _, f := range p.functions {
		ends[f.start] = f
	}
	var f *function
	for i := range p.code {
		if g := ends[i]; g != nil {
			f = g
		}
		in := &p.code[i]
		move := func(o *int) {
			switch {
			case *o >= 0:
				*o += f.base
			case *o < -1:
				*o = -2 - *o
			}
		}
		move(&in.guard)
		move(&in.base)
		for k := range in.dst {
			move(&in.dst[k])
		}
		for k := range in.src {
			move(&in.src[k])
		}
	}
}

// truncate returns the low bits of v.
func truncate(v uint64, k kind) uint64 {
	if k.pred {
		return v & 1
	}
	if k.bytes == 0 || k.bytes == 8 {
		return v
	}
	return v & (1<<(8*k.bytes) - 1)
}

// extend returns v as a signed number.
func extend(v uint64, k kind) int64 {
	shift := 64 - 8*k.bytes
	return int64(v<<shift) >> shift
}

func f32(v uint64) float32    { return math.Float32frombits(uint32(v)) }
func f64(v uint64) float64    { return math.Float64frombits(v) }
func bits32(v float32) uint64 { return uint64(math.Float32bits(v)) }
func bits64(v float64) uint64 { return math.Float64bits(v) }
func boolean(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}
