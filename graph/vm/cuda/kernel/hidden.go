package kernel

import (
	"fmt"
	"slices"

	"trainer/graph/ir"
)

// hiddenLayer is what fused.cu and exchange.cu compute, but for the shapes. In a
// mini-batch the biases are updated with sums, and two factors have its size: that of
// the cost stands for %v, half the share of a sample. The activation may also be tanh;
// the bias (then a product is a matmul) and the cost may be missing. W3 may be updated
// before e2 is computed.
const hiddenLayer = `program "hidden layer" float32 batch 1
  x  data      1x1
  y  target    1x1
  W2 parameter 1x1 by input
  b2 parameter 1x1
  W3 parameter 1x1
  b3 parameter 1x1
  z2 temporary 1x1
  a2 temporary 1x1
  z3 temporary 1x1
  a3 temporary 1x1
  s  temporary 1x1
  t  temporary 1x1
  E  temporary 1x1
  d3 temporary 1x1
  e2 temporary 1x1
  d2 temporary 1x1
  cost E
  0  z2  = affine x W2 b2
  1  a2  = activate sigmoid z2
  2  z3  = affine a2 W3 b3
  3  a3  = activate sigmoid z3
  4  s   = map square(y - a3)
  5  t   = sumall s
  6  E   = map t * %v
  7  d3  = outputdelta sigmoid a3 y * -rate
  8  e2  = matmul d3 W3
  9  W3 += d3^T a2
  10 b3 += d3
  11 d2  = hiddendelta sigmoid e2 a2
  12 W2 += d2^T x
  13 b2 += d2
`

// hiddenLayerStep finds the instructions of hiddenLayer in the program, of a network
// of at most the given hidden units and outputs, and returns the instruction of fused.cu
// and exchange.cu. Their order may differ: but for that of W3, no update
// changes what a later instruction reads. Then all parameters and the cost are
// known; what else the program computes, nothing reads.
func (e *encoder) hiddenLayerStep(hidden, outputs int) (in instr, operands []operand, err error) {
	p := e.p
	share := float64(1 / float32(p.Batch)) // of a sample in the mean
	want := ir.MustParse(fmt.Sprintf(hiddenLayer, 0.5*share))
	parameters, names := p.Parameters(), []string{"W2", "b2", "W3", "b3"}
	biased := len(parameters) == 4
	if !biased {
		names = []string{"W2", "W3"}
	}
	if p.Elem != want.Elem || len(parameters) != len(names) {
		return in, nil, fmt.Errorf("%v, %d parameters", p.Elem, len(parameters))
	}
	is := make([]ir.Ref, len(want.Buffers)) // the buffer of p that a buffer of hiddenLayer is
	for r, b := range want.Buffers {
		is[r] = ir.None
		switch k := slices.Index(names, b.Name); {
		case b.Kind == ir.Data || b.Kind == ir.Target:
			is[r] = ir.Ref(slices.IndexFunc(p.Buffers, func(own ir.Buffer) bool { return own.Kind == b.Kind }))
		case k >= 0 && p.Buffers[parameters[k]].ByInput != b.ByInput:
			return in, nil, fmt.Errorf("the layout of %s", b.Name)
		case k >= 0:
			is[r] = parameters[k]
		}
	}
	activation := slices.IndexFunc(p.Code, func(own ir.Instr) bool { return own.Op == ir.Activate })
	at := map[string]int{} // the index in p of the instruction that writes a buffer of hiddenLayer
	for i, w := range want.Code {
		name, args := want.Buffers[w.Dst].Name, w.Args
		w.Args = nil
		if p.Batch > 1 {
			switch w.Op {
			case ir.Update:
				w.Op = ir.RowUpdate
			case ir.OutputDelta:
				w.Value = share
			}
		}
		switch {
		case !biased && (w.Op == ir.Update || w.Op == ir.RowUpdate), p.Cost == ir.None && (w.Op == ir.Map || w.Op == ir.SumAll):
			continue
		case !biased && w.Op == ir.Affine:
			w.Op, w.TransB, args = ir.MatMul, true, args[:2]
		case w.G != 0 && activation >= 0:
			w.G = p.Code[activation].G
		}
		for _, a := range args {
			w.Args = append(w.Args, is[a])
		}
		k := slices.IndexFunc(p.Code, func(own ir.Instr) bool {
			return own.Computes(w) && (own.Dst == is[w.Dst] || !w.Op.IsUpdate())
		})
		if k < 0 {
			return in, nil, fmt.Errorf("it has no %q", want.Text(i))
		}
		is[w.Dst], at[name] = p.Code[k].Dst, k
	}
	if is[want.Cost] != p.Cost {
		return in, nil, fmt.Errorf("the cost %s", p.Buffers[p.Cost].Name)
	}
	in = instr{Dst: 0, Raw: none, A: 1, B: none}
	if biased {
		in.Raw, in.A, in.B = 1, 2, 3
	}
	for _, r := range parameters {
		operands = append(operands, e.view(r, false).operand)
	}
	w2, w3 := p.Buffers[parameters[0]], p.Buffers[parameters[in.A]]
	in.Inner, in.Rows, in.Cols = uint32(w2.Cols), uint32(w2.Rows), uint32(w3.Rows)
	if w2.Rows > hidden || w3.Rows > outputs {
		return in, nil, fmt.Errorf("%d hidden units and %d outputs, want at most %d and %d", w2.Rows, w3.Rows, hidden, outputs)
	}
	if p.Code[activation].G == ir.FnTanh {
		in.Form = 1
	}
	if at["W3"] < at["e2"] {
		in.Sink = 1
	}
	return in, operands, nil
}
