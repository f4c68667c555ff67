package kernel

import (
	"fmt"
	"math"
	"slices"

	"trainer/graph/ir"
)

// layout places the parameters. A weight matrix that multiplies the data is
// stored by input, one column after the other, so that the weights of a pixel
// are adjacent. Each column has an even number of elements.
func (e *encoder) layout() error {
	byInput := map[ir.Ref]bool{}
	for _, in := range e.p.Code {
		if in.Op == ir.MatMul && e.kind(in.Args[0]) == ir.Data && !in.TransA && in.TransB && e.kind(in.Args[1]) == ir.Parameter {
			byInput[in.Args[1]] = true
		}
	}
	e.place = map[ir.Ref]Placement{}
	at := 0
	for r, b := range e.p.Buffers {
		if b.Kind != ir.Parameter {
			continue
		}
		pl := Placement{Ref: ir.Ref(r), Offset: at, RowStride: b.Cols, ColStride: 1, N: b.Len()}
		if byInput[ir.Ref(r)] {
			pl.RowStride, pl.ColStride = 1, (b.Rows+1)&^1
			pl.N = b.Cols * pl.ColStride
		}
		e.place[pl.Ref] = pl
		e.image.Placements = append(e.image.Placements, pl)
		at += (pl.N + 3) &^ 3
		if at > ir.MaxLen {
			return fmt.Errorf("more than %d elements of parameters", ir.MaxLen)
		}
	}
	e.image.ParamCount = at
	return nil
}

func (e *encoder) kind(r ir.Ref) ir.Kind { return e.p.Buffers[r].Kind }

// view returns buffer r as a matrix.
func (e *encoder) view(r ir.Ref) matrix {
	b := e.p.Buffers[r]
	m := matrix{buf: int(r), operand: operand{Rs: int32(b.Cols), Cs: 1}}
	switch b.Kind {
	case ir.Data:
		m.operand.Space = spaceData
	case ir.Target:
		m.operand.Space = spaceTarget
	case ir.Parameter:
		pl := e.place[r]
		m.operand = operand{Space: spaceParam, Offset: uint32(pl.Offset), Rs: int32(pl.RowStride), Cs: int32(pl.ColStride)}
	case ir.Temporary:
		m.operand.Space = spaceArena
	}
	return m
}

// linear returns buffer r as a matrix with cols columns, reshaped in row-major
// order.
func (e *encoder) linear(r ir.Ref, cols int) matrix {
	m := e.view(r)
	if b := e.p.Buffers[r]; m.operand.Rs != int32(b.Cols) || m.operand.Cs != 1 {
		m.operand.Cols, m.operand.Prs, m.operand.Pcs = uint32(b.Cols), m.operand.Rs, m.operand.Cs
	}
	m.operand.Rs, m.operand.Cs = int32(cols), 1
	return m
}

// spread returns buffer r as a matrix, repeated along dimensions of size 1.
func (e *encoder) spread(r ir.Ref) matrix {
	m, b := e.view(r), e.p.Buffers[r]
	if b.Rows == 1 {
		m.operand.Rs = 0
	}
	if b.Cols == 1 {
		m.operand.Cs = 0
	}
	return m
}

func (m matrix) transposed() matrix {
	m.operand.Rs, m.operand.Cs = m.operand.Cs, m.operand.Rs
	return m
}

func (m matrix) direct() bool { return m.operand.Space <= spaceArena && m.operand.Cols == 0 }

// lower makes a step for each instruction. It omits instructions whose value
// nothing reads.
func (e *encoder) lower() error {
	needed := make([]bool, len(e.p.Buffers))
	for r := range e.p.Buffers {
		needed[r] = ir.Ref(r) == e.cost || ir.Ref(r) == e.score
	}
	drop := make([]bool, len(e.p.Code))
	for i, in := range slices.Backward(e.p.Code) {
		drop[i] = !in.Op.IsUpdate() && !needed[in.Dst]
		if !drop[i] {
			for _, r := range in.Args {
				needed[r] = true
			}
		}
	}
	one := matrix{buf: -1, operand: operand{Space: spaceOne}}
	for i, in := range e.p.Code {
		if drop[i] {
			continue
		}
		d := e.p.Buffers[in.Dst]
		dst := e.view(in.Dst)
		s := &step{op: opCopy, dst: &dst, rows: d.Rows, cols: d.Cols, splits: 1, lanes: 1}
		operands := func(a, b matrix) { s.a, s.b = &a, &b }
		if in.Op.IsUpdate() {
			s.sink = sinkUpdate
		}
		switch in.Op {
		case ir.Fill:
			s.op, s.value = opFill, in.Value
		case ir.MatMul, ir.RankUpdate:
			s.op = opDot
			transA := in.TransA || in.Op == ir.RankUpdate
			a, b := e.view(in.Args[0]), e.view(in.Args[1])
			s.inner = e.p.Buffers[in.Args[0]].Cols
			if transA {
				a, s.inner = a.transposed(), e.p.Buffers[in.Args[0]].Rows
			}
			if in.TransB {
				b = b.transposed()
			}
			operands(a, b)
			e.sparse(s, in, transA)
		case ir.Transpose:
			a := e.view(in.Args[0]).transposed()
			s.a = &a
		case ir.Reshape:
			a := e.linear(in.Args[0], d.Cols)
			s.a = &a
		case ir.Repeat:
			a := e.spread(in.Args[0])
			s.a = &a
		case ir.SumRows, ir.RowUpdate:
			s.op, s.inner = opDot, e.p.Buffers[in.Args[0]].Rows
			operands(one, e.view(in.Args[0]))
		case ir.SumAll:
			s.op, s.inner = opDot, e.p.Buffers[in.Args[0]].Len()
			operands(one, e.linear(in.Args[0], 1))
		case ir.Map:
			s.sink, s.expr = sinkMap, in.Expr
			for _, r := range in.Args {
				s.args = append(s.args, e.spread(r))
			}
		case ir.Update:
			a := e.view(in.Args[0])
			s.a = &a
		default:
			return fmt.Errorf("unknown op %v", in.Op)
		}
		e.steps = append(e.steps, s)
	}
	if e.cost >= 0 {
		a := e.view(e.cost)
		e.steps = append(e.steps, &step{op: opCopy, sink: sinkCost, dst: &a, a: &a, rows: 1, cols: 1, splits: 1, lanes: 1})
	}
	if e.score >= 0 {
		a, b := e.view(e.score), e.p.Buffers[e.score]
		e.steps = append(e.steps, &step{op: opScore, a: &a, rows: b.Rows, cols: b.Cols, splits: 1, lanes: 1})
	}
	return nil
}

// sparse chooses the instructions that skip zero pixels.
func (e *encoder) sparse(s *step, in ir.Instr, transA bool) {
	inputs := 0
	for _, b := range e.p.Buffers {
		if b.Kind == ir.Data {
			inputs = b.Cols
		}
	}
	if inputs > math.MaxUint16+1 {
		return // pixel indices have 16 bits
	}
	a, b := e.kind(in.Args[0]), e.kind(in.Args[1])
	switch {
	case in.Op == ir.MatMul && a == ir.Data && !transA && s.b.direct():
		s.op = opRows
	case in.Op == ir.RankUpdate && b == ir.Data && s.a.direct():
		*s.a = s.a.transposed() // these instructions read a(k,i)
		s.op = opPixels
		if e.o.Mode != Grid {
			s.op = opRowsAdd
		}
	}
}

// joinMaps joins each map to the sum that computes its argument: the product
// and its activation become one step.
func (e *encoder) joinMaps() error {
	for i := 0; i < len(e.steps); i++ {
		s := e.steps[i]
		if s.sink != sinkStore || s.op != opDot && s.op != opRows {
			continue
		}
		for k := i + 1; k < len(e.steps); k++ {
			m := e.steps[k]
			if m.op == opCopy && m.sink == sinkMap && m.rows == s.rows && m.cols == s.cols && e.joins(s, m, e.steps[:i], e.steps[i+1:k]) {
				product := s.dst.buf
				s.sink, s.expr, s.dst = sinkMap, m.expr, m.dst
				for _, a := range m.args {
					if a.buf == product {
						a = matrix{buf: -1, operand: operand{Space: spaceSelf}}
					}
					s.args = append(s.args, a)
				}
				e.steps = slices.Delete(e.steps, k, k+1)
				e.chain(i)
				if slices.ContainsFunc(e.steps, func(o *step) bool { return o.reads(product) }) {
					raw := e.view(ir.Ref(product))
					s.raw = &raw
				}
				break
			}
		}
	}
	return nil
}

// chain joins to the map of e.steps[i] the maps of its value: the output delta
// is computed with the output.
func (e *encoder) chain(i int) {
	s := e.steps[i]
	for k := i + 1; k < len(e.steps); k++ {
		m := e.steps[k]
		if m.op != opCopy || m.sink != sinkMap || m.rows != s.rows || m.cols != s.cols || !e.joins(s, m, e.steps[:i], e.steps[i+1:k]) {
			continue
		}
		for j, a := range m.args {
			if a.buf == s.dst.buf {
				m.args[j] = matrix{buf: -1, operand: operand{Space: spaceSelf}}
			}
		}
		s.chain = append(s.chain, m)
		e.steps = slices.Delete(e.steps, k, k+1)
		k--
	}
}

// joins reports whether map m can be computed with s: it reads the value of s
// element by element, and its other arguments already have their values when s
// runs. before are the steps before s; between are the steps between s and m.
func (e *encoder) joins(s, m *step, before, between []*step) bool {
	if !m.reads(s.dst.buf) {
		return false
	}
	for _, a := range m.args {
		if a.buf == s.dst.buf {
			if a.operand.Rs != 0 && a.operand.Rs != s.dst.operand.Rs || a.operand.Cs != 0 && a.operand.Cs != s.dst.operand.Cs {
				return false
			}
			if a.operand.Rs == 0 && s.rows != 1 || a.operand.Cs == 0 && s.cols != 1 {
				return false
			}
			continue
		}
		writes := func(o *step) bool { return o.writes(a.buf) }
		if slices.ContainsFunc(between, writes) {
			return false
		}
		if a.operand.Space == spaceArena && !slices.ContainsFunc(before, writes) {
			return false
		}
	}
	return true
}

// operands returns the matrices that s reads, without its own value.
func (s *step) operands() []*matrix {
	var all []*matrix
	for _, m := range []*matrix{s.a, s.b} {
		if m != nil {
			all = append(all, m)
		}
	}
	for k := range s.args {
		all = append(all, &s.args[k])
	}
	for _, c := range s.chain {
		all = append(all, c.operands()...)
	}
	return all
}

// results returns the matrices that s writes.
func (s *step) results() []*matrix {
	var all []*matrix
	if s.dst != nil && s.sink != sinkCost {
		all = append(all, s.dst)
	}
	if s.raw != nil {
		all = append(all, s.raw)
	}
	for _, c := range s.chain {
		all = append(all, c.dst)
	}
	return all
}

func (s *step) reads(buf int) bool {
	return slices.ContainsFunc(s.operands(), func(m *matrix) bool { return m.buf == buf })
}

func (s *step) writes(buf int) bool {
	return slices.ContainsFunc(s.results(), func(m *matrix) bool { return m.buf == buf })
}
