package lower

import (
	"fmt"

	"gorgonia.org/gorgonia"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/model"
)

// Import returns g as a program. It has one instruction per node and, if g has
// gradients, one update per parameter at the end. Import optimises nothing.
func Import(g *graph.Graph, o Options) (*ir.Program, error) {
	im := importer{graph: g, roles: g.Roles(), ref: map[*gorgonia.Node]ir.Ref{}}
	what := "step"
	if g.Cost == nil {
		what = "forward"
	}
	im.program = &ir.Program{Name: what + " " + g.Network.String(), Batch: g.Batch, Cost: ir.None}
	if g.Network.Precision == model.Float64 {
		im.program.Elem = ir.Float64
	}
	// Gorgonia numbers a node after its operands.
	for _, n := range g.Expr.AllNodes() {
		if err := im.node(n); err != nil {
			return nil, fmt.Errorf("lower: node %%%d %q: %w", n.ID(), n.Name(), err)
		}
	}
	im.program.Output = im.ref[g.Output()]
	if g.Cost != nil {
		if o.Cost {
			im.program.Cost = im.ref[g.Cost]
		}
		im.updates()
	}
	return im.program, nil
}

type importer struct {
	graph   *graph.Graph
	program *ir.Program
	roles   map[*gorgonia.Node]graph.Role
	ref     map[*gorgonia.Node]ir.Ref
}

// node adds n's buffer, and the instruction that fills it.
func (im *importer) node(n *gorgonia.Node) error {
	rows, cols, err := shape(n)
	if err != nil {
		return err
	}
	role := im.roles[n]
	b := ir.Buffer{Name: role.Symbol, Kind: ir.Temporary, Rows: rows, Cols: cols}
	if _, taken := im.program.Lookup(b.Name); b.Name == "" || taken {
		b.Name = fmt.Sprintf("t%d", n.ID())
	}
	op := n.Op()
	if op == nil {
		switch n {
		case im.graph.X:
			b.Kind = ir.Data
		case im.graph.Y:
			b.Kind = ir.Target
		default:
			b.Kind = ir.Parameter
		}
	}
	dst := ir.Ref(len(im.program.Buffers))
	im.program.Buffers = append(im.program.Buffers, b)
	im.ref[n] = dst
	if op == nil {
		return nil
	}
	in, err := im.instruction(n, op.String())
	if err != nil {
		return err
	}
	in.Dst, in.Note = dst, role.Note
	im.program.Code = append(im.program.Code, in)
	return nil
}

// instruction returns the instruction of the operation of n, without its Dst.
func (im *importer) instruction(n *gorgonia.Node, text string) (ir.Instr, error) {
	op, err := parseOp(text)
	if err != nil {
		return ir.Instr{}, fmt.Errorf("%w: this compiler knows the operations that networks of package graph have", err)
	}
	var args []ir.Ref
	for _, o := range graph.Operands(im.graph.Expr, n) {
		args = append(args, im.ref[o])
	}
	switch op.kind {
	case opConst:
		v, err := number(n)
		return ir.Instr{Op: ir.Fill, Value: v}, err
	case opSizeOf:
		v := 0.0
		_, err := fmt.Sscanf(text, "SizeOf=%g", &v)
		return ir.Instr{Op: ir.Fill, Value: v}, err
	case opMatMul:
		return ir.Instr{Op: ir.MatMul, Args: args, TransA: op.transA, TransB: op.transB}, nil
	case opTranspose:
		return ir.Instr{Op: ir.Transpose, Args: args}, nil
	case opReshape:
		return ir.Instr{Op: ir.Reshape, Args: args[:1]}, nil
	case opRepeat:
		return ir.Instr{Op: ir.Repeat, Args: args[:1]}, nil
	case opSum:
		switch {
		case len(op.axes) == 1 && op.axes[0] == 0:
			return ir.Instr{Op: ir.SumRows, Args: args}, nil
		case len(op.axes) == 2:
			return ir.Instr{Op: ir.SumAll, Args: args}, nil
		}
		return ir.Instr{}, fmt.Errorf("sum over axes %v: want the rows (0) or all", op.axes)
	case opMap:
		operands := make([]ir.Expr, len(args))
		for i := range args {
			operands[i] = ir.Arg(i)
		}
		if len(args) != op.fn.Arity() {
			return ir.Instr{}, fmt.Errorf("%v of %d operands, want %d", op.fn, len(args), op.fn.Arity())
		}
		return ir.NewMap(0, args, ir.Apply(op.fn, operands...)), nil
	}
	return ir.Instr{}, fmt.Errorf("BUG: operation kind %d", op.kind)
}

// updates adds W ← W − η∇W (A.62) and b ← b − η∇b (A.63) for each layer. In the
// notes for a mini-batch S, Σ is the sum over its samples and δ^l is that of one
// sample. The δ^l of the program already have the factor 1/|S|.
func (im *importer) updates() {
	update := func(parameter, gradient *gorgonia.Node, note string) {
		im.program.Code = append(im.program.Code, ir.Instr{
			Op: ir.Update, Dst: im.ref[parameter], Args: []ir.Ref{im.ref[gradient]}, Note: note,
		})
	}
	rate, mean := "η", ""
	if im.graph.Batch > 1 {
		rate, mean = "η/|S| Σ", ", A.66"
	}
	for i := len(im.graph.Weight) - 1; i >= 0; i-- {
		l := i + 2
		update(im.graph.Weight[i], im.graph.WeightGrad[i], fmt.Sprintf("W^%d ← W^%d − %s δ^%d (a^%d)ᵀ (A.62%s)", l, l, rate, l, l-1, mean))
		if im.graph.Bias != nil {
			update(im.graph.Bias[i], im.graph.BiasGrad[i], fmt.Sprintf("b^%d ← b^%d − %s δ^%d (A.63%s)", l, l, rate, l, mean))
		}
	}
}

// shape returns the shape of a node as that of a matrix. A scalar is 1×1, a vector
// is a row.
func shape(n *gorgonia.Node) (rows, cols int, err error) {
	switch s := n.Shape(); {
	case n.IsScalar():
		return 1, 1, nil
	case len(s) == 1:
		return 1, s[0], nil
	case len(s) == 2:
		return s[0], s[1], nil
	default:
		return 0, 0, fmt.Errorf("shape %v: want a matrix, a vector or a scalar", s)
	}
}

// number returns the value of a constant.
func number(n *gorgonia.Node) (float64, error) {
	if v := n.Value(); v != nil {
		switch x := v.Data().(type) {
		case float32:
			return float64(x), nil
		case float64:
			return x, nil
		}
	}
	return 0, fmt.Errorf("%v: want a float32 or float64 constant", n.Op())
}
