package kernel

import (
	"errors"
	"fmt"
	"math"

	"trainer/graph/ir"
)

// The limits of fused.cu.
const (
	fusedHidden  = 64
	fusedOutputs = 16
)

// fuseStep recognises the training step of a network with one hidden layer,
// and encodes it as one instruction. Each of e.steps must be part of it.
func (e *encoder) fuseStep() error {
	d, err := e.match()
	if err != nil {
		return fmt.Errorf("not a single-sample float32 step of a network with one hidden layer (%w): use block mode", err)
	}
	var operands []operand
	put := func(m *matrix) uint32 {
		if m == nil {
			return none
		}
		operands = append(operands, m.operand)
		return uint32(len(operands) - 1)
	}
	in := instr{
		Sink: uint32(d.listing), Form: uint32(d.tanh), Rows: uint32(d.hidden), Cols: uint32(d.outputs), Inner: uint32(d.inputs),
		Dst: put(&d.w2), Raw: put(d.b2), A: put(&d.w3), B: put(d.b3),
		Value: d.factor, Chunk: math.Float32bits(float32(d.cost)),
	}
	im := e.image
	im.NeedsRows, im.Barriers = true, 3
	if err := e.finish([]instr{in}, operands, nil, nil); err != nil {
		return err
	}
	// The weights W^2, the entries of two samples, each warp's part of z^2, δ^2.
	warps := e.o.Threads / 32
	im.SharedBytes += (d.inputs*int(d.w2.operand.Cs)*4+15)&^15 + 2*((d.inputs+1)&^1)*8 + warps*fusedHidden*4 + fusedHidden*4
	if im.SharedBytes > e.o.Shared {
		return fmt.Errorf("the step needs %d bytes of shared memory and a block may have %d: use block mode", im.SharedBytes, e.o.Shared)
	}
	im.Entry = "vm_fused_f32"
	return nil
}

// fusedStep has the fields of the instruction of fused.cu.
type fusedStep struct {
	inputs, hidden, outputs int
	w2, w3                  matrix
	b2, b3                  *matrix
	tanh, listing           int     // 1: yes
	factor, cost            float64 // factors of A.64 and of the cost
}

// match matches e.steps in order. A step that is missing, or that is not part
// of a network with one hidden layer, is an error.
func (e *encoder) match() (*fusedStep, error) {
	if e.p.Elem != ir.Float32 || e.p.Batch != 1 {
		return nil, errors.New("element type or batch")
	}
	d := &fusedStep{}
	at := 0
	next := func(what string, ok func(*step) bool) (*step, error) {
		if at < len(e.steps) && ok(e.steps[at]) {
			at++
			return e.steps[at-1], nil
		}
		return nil, fmt.Errorf("step %d is not %s", at, what)
	}
	// activation matches a = g(product + bias) and a = g(product).
	activation := func(s *step) (bias *matrix, tanh int, ok bool) {
		form, _ := recognise(s.expr)
		if s.sink != sinkMap || s.raw != nil || form < 1 || form > 4 || s.args[0].operand.Space != spaceSelf {
			return nil, 0, false
		}
		if form%2 == 0 { // the forms with a second operand
			if len(s.args) != 2 || s.args[1].operand.Space != spaceParam {
				return nil, 0, false
			}
			bias = &s.args[1]
		}
		return bias, (form - 1) / 2, true
	}
	var tanh [2]int
	var ok bool
	layer2, err := next("the hidden layer", func(s *step) bool {
		d.b2, tanh[0], ok = activation(s)
		return ok && s.op == opRows && s.b.operand.Space == spaceParam && s.b.operand.Cs == 1 && len(s.chain) == 0
	})
	if err != nil {
		return nil, err
	}
	a2 := layer2.dst.buf
	layer3, err := next("the output layer", func(s *step) bool {
		d.b3, tanh[1], ok = activation(s)
		return ok && s.op == opDot && s.a.buf == a2 && s.b.operand.Space == spaceParam && s.b.operand.Rs == 1
	})
	if err != nil {
		return nil, err
	}
	d.inputs, d.hidden, d.outputs, d.tanh = layer2.inner, layer2.cols, layer3.cols, tanh[0]
	if layer3.inner != d.hidden || tanh[0] != tanh[1] || (d.b2 == nil) != (d.b3 == nil) ||
		d.hidden > fusedHidden || d.outputs > fusedOutputs {
		return nil, errors.New("sizes, activations or biases")
	}
	delta, square := -1, -1
	for _, c := range layer3.chain {
		form, factor := recognise(c.expr)
		switch {
		case form == formSigmoidOut+d.tanh && c.args[0].operand.Space == spaceSelf && c.args[1].operand.Space == spaceTarget:
			delta, d.factor = c.dst.buf, factor
		case c.expr == ir.Square(ir.Sub(ir.Arg(0), ir.Arg(1))) && c.args[0].operand.Space == spaceTarget && c.args[1].operand.Space == spaceSelf:
			square = c.dst.buf
		default:
			return nil, errors.New("an unknown map of the outputs")
		}
	}
	if delta < 0 {
		return nil, errors.New("no output delta")
	}
	if (e.cost >= 0) != (square >= 0) {
		return nil, errors.New("an unknown cost")
	}
	// The other steps may come in any order.
	d.listing = -1
	hidden, updated := -1, map[int]bool{}
	for ; at < len(e.steps); at++ {
		s := e.steps[at]
		form, _ := recognise(s.expr)
		switch {
		case s.op == opDot && s.sink == sinkMap && s.a.operand.Space == spaceOne && s.b.buf == square && len(s.chain) == 0 && s.raw == nil && s.dst.buf == int(e.cost):
			terms := s.expr.Terms()
			if len(terms) != 3 || s.expr != ir.Mul(ir.Arg(0), ir.Const(terms[1].Value)) {
				return nil, errors.New("an unknown cost")
			}
			d.cost = terms[1].Value
		case s.op == opCopy && s.sink == sinkCost && d.cost != 0:
		case s.op == opDot && s.sink == sinkMap && form == formSigmoidBack+d.tanh && s.raw == nil && len(s.chain) == 0 &&
			s.a.buf == delta && s.b.buf == layer3.b.buf && s.b.operand.Cs == 1 &&
			s.args[0].operand.Space == spaceSelf && s.args[1].buf == a2:
			hidden = s.dst.buf
			if d.listing < 0 {
				d.listing = 0
			}
		case s.op == opDot && s.sink == sinkUpdate && s.dst.buf == layer3.b.buf && s.a.buf == delta && s.b.buf == a2:
			d.w3 = *s.dst
			updated[s.dst.buf] = true
			if d.listing < 0 {
				d.listing = 1
			}
		case s.op == opRowsAdd && s.dst.buf == layer2.b.buf && s.a.buf == hidden:
			d.w2 = *s.dst
			updated[s.dst.buf] = true
		case s.op == opCopy && s.sink == sinkUpdate && d.b3 != nil && s.dst.buf == d.b3.buf && s.a.buf == delta,
			s.op == opCopy && s.sink == sinkUpdate && d.b2 != nil && s.dst.buf == d.b2.buf && s.a.buf == hidden:
			updated[s.dst.buf] = true
		default:
			return nil, fmt.Errorf("step %d is unknown", at)
		}
	}
	want := 2
	if d.b2 != nil {
		want = 4
	}
	if hidden < 0 || len(updated) != want || (e.cost >= 0) != (d.cost != 0) {
		return nil, errors.New("a step is missing")
	}
	return d, nil
}
