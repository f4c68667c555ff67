package kernel

import (
	"math"

	"trainer/graph/ir"
)

// matrix is an operand before the arena is planned: a buffer seen through
// strides. The scratch of split sums is numbered after the program's buffers.
type matrix struct {
	buf        int // the ir.Ref or the number of the scratch; -1: neither
	rows, cols int
	operand    operand
}

// direct reports whether m is read by address and strides alone.
func (m *matrix) direct() bool { return m.operand.Space <= spaceArena && m.operand.Cols == 0 }

// view returns buffer r, or its transpose.
func (e *encoder) view(r ir.Ref, transpose bool) *matrix {
	b := e.p.Buffers[r]
	m := &matrix{int(r), b.Rows, b.Cols, operand{Space: spaceOf[b.Kind], Rs: int32(b.Cols), Cs: 1}}
	if b.Kind == ir.Parameter {
		pl := e.place[r]
		m.operand.Offset, m.operand.Rs, m.operand.Cs = uint32(pl.Offset), int32(pl.RowStride), int32(pl.ColStride)
	}
	if transpose {
		m.rows, m.cols = m.cols, m.rows
		m.operand.Rs, m.operand.Cs = m.operand.Cs, m.operand.Rs
	}
	return m
}

var spaceOf = [...]uint32{ir.Data: spaceData, ir.Target: spaceTarget, ir.Parameter: spaceParam, ir.Temporary: spaceArena}

// linear returns buffer r with cols columns, its elements in row-major order.
func (e *encoder) linear(r ir.Ref, cols int) *matrix {
	m, b := e.view(r, false), e.p.Buffers[r]
	if m.operand.Rs != int32(b.Cols) || m.operand.Cs != 1 {
		m.operand.Cols, m.operand.Prs, m.operand.Pcs = uint32(b.Cols), m.operand.Rs, m.operand.Cs
	}
	m.rows, m.cols, m.operand.Rs, m.operand.Cs = b.Len()/cols, cols, int32(cols), 1
	return m
}

// spread returns buffer r, repeated along dimensions of size 1.
func (e *encoder) spread(r ir.Ref) *matrix {
	m := e.view(r, false)
	if m.rows == 1 {
		m.operand.Rs = 0
	}
	if m.cols == 1 {
		m.operand.Cs = 0
	}
	return m
}

// entry is the table of the device: instruction → device instruction. Operands
// may be laid out in any way. Those that multiply the data are fast if they are
// laid out by input, as a compiled program marks them; an activation or a delta
// is fast, and a Map interprets bytecode.
func (e *encoder) entry(in ir.Instr) *step {
	s := &step{op: opCopy, dst: e.view(in.Dst, false)}
	if in.Op.IsUpdate() {
		s.sink = sinkUpdate
		if in.Rate {
			s.sink = sinkAdd
		}
	}
	one := &matrix{-1, 1, 0, operand{Space: spaceOne}}
	switch in.Op {
	case ir.Fill:
		s.op, s.value = opFill, in.Value
	case ir.MatMul:
		e.product(s, in, in.TransA, in.TransB)
	case ir.Affine:
		e.product(s, in, false, true)
		s.bias = e.spread(in.Args[2])
	case ir.Transpose:
		s.a = e.view(in.Args[0], true)
	case ir.Reshape:
		s.a = e.linear(in.Args[0], s.dst.cols)
	case ir.Repeat:
		s.a = e.spread(in.Args[0])
	case ir.SumRows, ir.RowUpdate:
		s.sum(one, e.view(in.Args[0], false))
	case ir.SumAll:
		s.sum(one, e.linear(in.Args[0], 1))
	case ir.Map:
		e.elementwise(s, in, formCode)
		s.expr = in.Expr
	case ir.Activate:
		e.elementwise(s, in, formSigmoid)
	case ir.OutputDelta:
		e.elementwise(s, in, formSigmoidOut)
		s.value, s.rated = in.Value, in.Rate
	case ir.HiddenDelta:
		e.elementwise(s, in, formSigmoidBack)
	case ir.Update:
		s.a = e.view(in.Args[0], false)
	case ir.RankUpdate:
		e.product(s, in, true, false)
	default:
		panic("BUG: kernel: no device instruction for " + in.Op.String())
	}
	return s
}

// elementwise makes s a form of the arguments; form is that of the sigmoid.
func (e *encoder) elementwise(s *step, in ir.Instr, form int) {
	s.sink, s.form = sinkMap, form
	if in.G == ir.FnTanh {
		s.form++
	}
	for _, r := range in.Args {
		s.args = append(s.args, e.spread(r))
	}
}

// sum makes s the product of a and b.
func (s *step) sum(a, b *matrix) { s.op, s.inner, s.a, s.b = opDot, b.rows, a, b }

// product makes s the product of the first two arguments. It skips pixels that
// are zero if the weights of each pixel are contiguous.
func (e *encoder) product(s *step, in ir.Instr, transA, transB bool) {
	s.sum(e.view(in.Args[0], transA), e.view(in.Args[1], transB))
	isData := func(k int) bool {
		b := e.p.Buffers[in.Args[k]]
		return b.Kind == ir.Data && b.Cols <= math.MaxUint16+1 // pixel indices have 16 bits
	}
	switch {
	case !transA && isData(0) && s.b.direct() && s.b.operand.Cs == 1:
		s.op, s.a = opRows, nil
	case in.Op == ir.RankUpdate && isData(1) && s.a.direct() && s.dst.operand.Rs == 1:
		s.op, s.a, s.b = opPixels, e.view(in.Args[0], false), nil // reads a(k,i)
		if e.p.Batch == 1 && e.o.Mode != Grid {
			s.op = opRowsAdd
		}
	}
}
