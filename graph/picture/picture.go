// Package picture draws a compiled program: a box for each instruction, with its
// formula, its shape and its equation in the textbook; an arrow for each value that an
// instruction takes from another.
//
// The forward pass goes from left to right, the backward pass below it from right to
// left, and the updates are at the bottom. What belongs to a layer stands in a column.
// The picture has the proportions of a slide, 16:9, unless the network is so deep that
// it must be wider.
//
// It draws every program that ir.Verify accepts. Equal programs give equal bytes.
package picture

import (
	"fmt"
	"slices"
	"strings"

	"trainer/graph/ir"
)

// Words are the words in a picture, in the language of the reader.
type Words struct {
	Title                     string
	Forward, Backward, Update string   // the passes
	Data, Target              string   // what a program reads
	Output, Cost              string   // its ends
	ByInput                   string   // of a matrix that is stored by input
	Notes                     []string // lines below the picture
}

// kind is what a box is. It determines the colour.
type kind int

const (
	forward kind = iota
	backward
	update
	parameter
	input
	cost
	kindEnd
)

var kinds = [kindEnd]struct{ name, fill, stroke string }{
	forward:   {"forward", "#eaf2fd", "#2f6fc4"},
	backward:  {"backward", "#fdecea", "#c2453c"},
	update:    {"update", "#fff6dd", "#a87800"},
	parameter: {"parameter", "#e6f5e8", "#2f8f46"},
	input:     {"input", "#f1f3f5", "#59636f"},
	cost:      {"cost", "#f3ecfb", "#7a4bb3"},
}

// box is an instruction, or a buffer that no instruction has written.
type box struct {
	kind   kind
	ref    ir.Ref
	number int      // of the instruction; -1 for a buffer
	lines  []string // formulas
	shape  string
	note   string // words after the shape
	tag    string // numbers of equations
	hint   string // the instruction in the program's text form

	col, row      int // the cell
	x, y          float64
	width, height float64
}

// edge is a value that the box to reads, and the box from has.
type edge struct{ from, to int }

// diagram is what a picture shows.
type diagram struct {
	words Words
	boxes []box
	edges []edge
	bands []band // from top to bottom
	cols  int
	rows  int
}

// band is a pass: some rows.
type band struct {
	kind        kind
	title       string
	first, last int // rows
}

// newDiagram says what a picture of p shows, and in which cell of a grid each box is.
func newDiagram(p *ir.Program, words Words) (*diagram, error) {
	if err := ir.Verify(p); err != nil {
		return nil, fmt.Errorf("picture: %w", err)
	}
	d := &diagram{words: words}
	holder := make([]int, len(p.Buffers)) // the box that has the value of a buffer
	read := make([]bool, len(p.Buffers))
	for _, in := range p.Code {
		for _, r := range in.Args {
			read[r] = true
		}
	}
	for r, b := range p.Buffers {
		holder[r] = -1
		if b.Kind == ir.Temporary || !read[r] {
			continue
		}
		holder[r] = len(d.boxes)
		d.boxes = append(d.boxes, d.buffer(ir.Ref(r), b))
	}
	w := newWriter(p)
	costs := costOnly(p)
	text := instructionTexts(p)
	late := make([]bool, len(d.boxes)+len(p.Code)) // a box whose value follows from the target
	for i, b := range d.boxes {
		late[i] = p.Buffers[b.ref].Kind == ir.Target
	}
	for i, in := range p.Code {
		to := len(d.boxes)
		b := box{
			kind: forward, ref: in.Dst, number: i, lines: w.instruction(in), shape: shape(p.Buffers[in.Dst]),
			tag: equations(in.Note), hint: text[i],
		}
		for _, r := range in.Args {
			if e := (edge{holder[r], to}); !slices.Contains(d.edges, e) {
				d.edges = append(d.edges, e)
			}
			late[to] = late[to] || late[holder[r]]
		}
		switch {
		case in.Op.IsUpdate():
			b.kind, late[to] = update, true
		case costs[i]:
			b.kind = cost
		case late[to]:
			b.kind = backward
		}
		switch in.Dst {
		case p.Output:
			b.note = words.Output
		case p.Cost:
			b.note = words.Cost
		}
		d.boxes = append(d.boxes, b)
		holder[in.Dst] = to
	}
	d.tagCosts(p)
	d.place(p)
	for i := range d.boxes {
		d.boxes[i].measure()
	}
	return d, nil
}

// buffer returns the box of a buffer that no instruction has written.
func (d *diagram) buffer(r ir.Ref, b ir.Buffer) box {
	v := box{kind: input, ref: r, number: -1, lines: []string{symbol(b)}, shape: shape(b)}
	v.hint = strings.Join(strings.Fields(fmt.Sprint(b.Name, " ", b.Kind, " ", v.shape)), " ")
	switch b.Kind {
	case ir.Data:
		v.lines, v.note = []string{"a^1 = x"}, d.words.Data
	case ir.Target:
		v.note = d.words.Target
	case ir.Parameter:
		v.kind = parameter
		if b.ByInput {
			v.note = d.words.ByInput
		}
	}
	return v
}

func shape(b ir.Buffer) string { return fmt.Sprintf("%d×%d", b.Rows, b.Cols) }

// instructionTexts returns each instruction in the text form.
func instructionTexts(p *ir.Program) []string {
	lines := strings.Split(strings.TrimSpace(p.String()), "\n")
	lines = lines[len(lines)-len(p.Code):]
	for i, line := range lines {
		lines[i] = strings.Join(strings.Fields(line), " ")
	}
	return lines
}

// costOnly reports for each instruction whether it serves the cost and nothing else.
func costOnly(p *ir.Program) []bool {
	only := make([]bool, len(p.Code))
	if p.Cost == ir.None {
		return only
	}
	const forCost, forMore = 1, 2
	use := make([]int, len(p.Buffers))
	use[p.Cost] |= forCost
	if p.Output != ir.None {
		use[p.Output] |= forMore
	}
	for i, in := range slices.Backward(p.Code) {
		serves := use[in.Dst]
		if in.Op.IsUpdate() || serves == 0 {
			serves = forMore
		}
		only[i] = serves == forCost
		for _, r := range in.Args {
			use[r] |= serves
		}
	}
	return only
}

// tagCosts gives the steps of the cost the number of its first equation.
func (d *diagram) tagCosts(p *ir.Program) {
	tag := ""
	for _, b := range d.boxes {
		if b.number >= 0 && b.ref == p.Cost {
			tag, _, _ = strings.Cut(b.tag, ",")
		}
	}
	for i := range d.boxes {
		if b := &d.boxes[i]; b.kind == cost && b.tag == "" {
			b.tag = tag
		}
	}
}

// place chooses a cell for each box.
func (d *diagram) place(p *ir.Program) {
	const parameters, values = 0, 1 // the rows of the forward pass
	taken := map[[2]int]bool{}
	put := func(b *box, row, col, down, right int) {
		for taken[[2]int{row, col}] {
			row, col = row+down, col+right
		}
		b.row, b.col = row, col
		taken[[2]int{row, col}] = true
		d.cols, d.rows = max(d.cols, col+1), max(d.rows, row+1)
	}
	each := func(k kind, do func(i int, b *box)) {
		for i := range d.boxes {
			if d.boxes[i].kind == k {
				do(i, &d.boxes[i])
			}
		}
	}
	at := make([]int, len(p.Buffers)) // the column of what belongs to a buffer
	col := 1
	for _, k := range []kind{forward, cost} {
		each(k, func(_ int, b *box) {
			put(b, values, col, 0, 1)
			at[b.ref] = b.col
			col++
		})
	}
	// A parameter is above the first instruction that reads it.
	each(parameter, func(i int, b *box) {
		above := 1
		for _, e := range d.edges {
			if reader := d.boxes[e.to]; e.from == i && reader.col > 0 {
				above = reader.col
				break
			}
		}
		put(b, parameters, above, 0, 1)
		at[b.ref] = b.col
	})
	d.bands = append(d.bands, band{forward, d.words.Forward, parameters, values})
	// What the backward pass computes from a^l, or with W^l, is below these.
	each(backward, func(i int, b *box) {
		put(b, values+1, d.below(i, at), 1, 0)
		at[b.ref] = b.col
	})
	d.addBand(backward, d.words.Backward)
	// The update of a parameter is below it.
	row := d.rows
	each(update, func(_ int, b *box) { put(b, row, max(1, at[b.ref]), 1, 0) })
	d.addBand(update, d.words.Update)
	each(input, func(_ int, b *box) {
		switch {
		case p.Buffers[b.ref].Kind == ir.Data:
			put(b, values, 0, 0, 1)
		case len(d.bands) > 1 && d.bands[1].kind == backward:
			put(b, d.bands[1].first, d.pastForward(), 0, 1)
		default:
			put(b, parameters, d.pastForward(), 0, 1)
		}
	})
}

// addBand adds the band of the boxes of a kind, if there are any.
func (d *diagram) addBand(k kind, title string) {
	if first := d.bands[len(d.bands)-1].last + 1; d.rows > first {
		d.bands = append(d.bands, band{k, title, first, d.rows - 1})
	}
}

// pastForward returns the column after the forward pass, where the cost begins.
func (d *diagram) pastForward() int {
	col := 1
	for _, b := range d.boxes {
		if b.kind == forward {
			col = max(col, b.col+1)
		}
	}
	return col
}

// below returns the column for box i of the backward pass.
func (d *diagram) below(i int, at []int) int {
	weight, value, next := 0, 0, 0
	for _, e := range d.edges {
		if e.to != i {
			continue
		}
		switch b := d.boxes[e.from]; b.kind {
		case parameter, update:
			weight = at[b.ref]
		case forward, cost:
			value = max(value, b.col)
		case backward:
			next = b.col
		}
	}
	switch {
	case weight > 0:
		return weight
	case value > 0:
		return value
	default:
		return max(1, next-1)
	}
}
