// Package irtest makes random programs and random values for them, for the
// tests of package ir and of the machines.
//
// Every program is valid (ir.Verify) and has each op at least once. Most of its
// dimensions are odd, many rows and columns have one element, and some updated
// parameters are read later. With the values of Fill and a learning rate between
// -1 and 1, no value exceeds Limit, so two machines differ only by rounding.
package irtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"trainer/graph/ir"
)

// Limit bounds the magnitude of all values of a random program.
const Limit = 1e4

// Options says which programs Random makes. The zero value is ready to use.
type Options struct {
	Elem   ir.Elem
	Extra  int // instructions beyond one of each op; 0: up to 12
	MaxDim int // largest number of rows or columns; 0: 37
}

// Random returns a random program. The same rng state and options give the
// same program.
func Random(rng *rand.Rand, opts Options) *ir.Program {
	if opts.Extra == 0 {
		opts.Extra = rng.IntN(13)
	}
	if opts.MaxDim == 0 {
		opts.MaxDim = 37
	}
	g := &generator{rng: rng, maxDim: opts.MaxDim}
	g.p = &ir.Program{
		Name: fmt.Sprintf("random %d", rng.IntN(1000)), Elem: opts.Elem, Batch: g.dim(), Output: ir.None, Cost: ir.None,
	}
	g.buffer("x", ir.Data, g.p.Batch, g.dim())
	g.buffer("y", ir.Target, g.p.Batch, g.dim())
	ops := ir.Ops()
	for range opts.Extra {
		ops = append(ops, ir.Op(rng.IntN(len(ir.Ops()))))
	}
	rng.Shuffle(len(ops), func(i, j int) { ops[i], ops[j] = ops[j], ops[i] })
	for _, op := range ops {
		for tries := 0; !g.emit(op, tries > 3); {
			tries++
		}
	}
	g.ends()
	if err := ir.Verify(g.p); err != nil {
		panic("BUG: irtest: " + err.Error() + "\n" + g.p.String())
	}
	return g.p
}

// Fill gives the data, the target and the parameters of p random values, about
// half of the data 0. All are multiples of 1/256 from -1 to 1, exact in both
// element types.
func Fill[T float32 | float64](rng *rand.Rand, p *ir.Program, m *ir.Memory[T]) {
	for r, b := range p.Buffers {
		for i := range m.Buf[r] {
			switch b.Kind {
			case ir.Data:
				m.Buf[r][i] = T(max(0, rng.IntN(513)-256)) / 256
			case ir.Target:
				m.Buf[r][i] = T(rng.IntN(2))
			case ir.Parameter:
				m.Buf[r][i] = T(rng.IntN(513)-256) / 256
			}
		}
	}
}

type generator struct {
	rng    *rand.Rand
	maxDim int
	p      *ir.Program
	bound  []float64 // of the magnitude of each buffer's values
	fresh  bool      // operands are new parameters, whose bound is 1
}

func (g *generator) coin() bool { return g.rng.IntN(2) == 0 }

// dim returns a number of rows or columns: often 1, mostly odd.
func (g *generator) dim() int {
	switch g.rng.IntN(4) {
	case 0:
		return 1
	case 1:
		return 1 + g.rng.IntN(g.maxDim)
	default:
		return 1 + 2*g.rng.IntN((g.maxDim+1)/2)
	}
}

func (g *generator) buffer(name string, kind ir.Kind, rows, cols int) ir.Ref {
	r := ir.Ref(len(g.p.Buffers))
	if name == "" {
		name = fmt.Sprintf("%c%d", "dtWt"[kind], r)
	}
	g.p.Buffers = append(g.p.Buffers, ir.Buffer{Name: name, Kind: kind, Rows: rows, Cols: cols, ByInput: kind == ir.Parameter && g.coin()})
	g.bound = append(g.bound, 1)
	return r
}

func (g *generator) at(r ir.Ref) ir.Buffer { return g.p.Buffers[r] }

// choose returns a random buffer that ok accepts. If there is none, and sometimes
// otherwise, it returns a new parameter of the given shape.
func (g *generator) choose(rows, cols int, ok func(ir.Ref) bool) ir.Ref {
	var refs []ir.Ref
	for r := range g.p.Buffers {
		if ok(ir.Ref(r)) {
			refs = append(refs, ir.Ref(r))
		}
	}
	if len(refs) == 0 || g.fresh || g.rng.IntN(8) == 0 {
		return g.buffer("", ir.Parameter, rows, cols)
	}
	return refs[g.rng.IntN(len(refs))]
}

func (g *generator) pick() ir.Ref {
	return g.choose(g.dim(), g.dim(), func(ir.Ref) bool { return true })
}

func (g *generator) shaped(rows, cols int) ir.Ref {
	return g.choose(rows, cols, func(r ir.Ref) bool { return g.at(r).Rows == rows && g.at(r).Cols == cols })
}

// emit appends an instruction. It returns false instead if the values could be too
// large; the parameters that it has added by then stay.
func (g *generator) emit(op ir.Op, fresh bool) bool {
	g.fresh = fresh
	in := ir.Instr{Op: op}
	var rows, cols int
	var bound float64
	a := g.pick()
	ab := g.at(a)
	in.Args = []ir.Ref{a}
	rows, cols, bound = ab.Rows, ab.Cols, g.bound[a]
	switch op {
	case ir.Fill:
		in.Args = nil
		in.Value = float64(g.rng.IntN(513)-256) / 100
		bound = 3
	case ir.MatMul, ir.RankUpdate:
		in.TransA = op == ir.MatMul && g.coin()
		in.TransB = op == ir.MatMul && g.coin()
		inner := ab.Cols
		if in.TransA || op == ir.RankUpdate {
			rows, inner = ab.Cols, ab.Rows
		}
		cols = g.dim()
		br, bc := inner, cols
		if in.TransB {
			br, bc = cols, inner
		}
		b := g.shaped(br, bc)
		in.Args = append(in.Args, b)
		bound *= float64(inner) * g.bound[b]
	case ir.Affine:
		cols = g.dim()
		w, b := g.shaped(cols, ab.Cols), g.shaped(1, cols)
		in.Args = append(in.Args, w, b)
		bound = bound*float64(ab.Cols)*g.bound[w] + g.bound[b]
	case ir.Transpose:
		rows, cols = cols, rows
	case ir.Reshape:
		n := ab.Len()
		rows = g.dim()
		for n%rows != 0 {
			rows--
		}
		cols = n / rows
	case ir.Repeat:
		a = g.choose(1, g.dim(), func(r ir.Ref) bool { return g.at(r).Rows == 1 || g.at(r).Cols == 1 })
		in.Args[0], bound = a, g.bound[a]
		rows, cols = g.at(a).Rows, g.at(a).Cols
		if rows == 1 {
			rows = g.dim()
		}
		if cols == 1 {
			cols = g.dim()
		}
	case ir.SumRows, ir.RowUpdate:
		rows, bound = 1, bound*float64(ab.Rows)
	case ir.SumAll:
		rows, cols, bound = 1, 1, bound*float64(ab.Len())
	case ir.Map:
		in, bound = g.expression(a)
	case ir.Activate:
		in.G, bound = g.activation(), 1
	case ir.OutputDelta:
		y, _ := g.p.Lookup("y")
		rows, cols = g.at(y).Rows, g.at(y).Cols
		a = g.shaped(rows, cols)
		in.G, in.Args, in.Value, in.Rate = g.activation(), []ir.Ref{a, y}, 1, g.coin()
		if g.coin() {
			in.Value = float64(g.rng.IntN(513)-256) / 128
		}
		bound = (g.bound[a] + 1) * slopeBound(g.bound[a]) * max(1, math.Abs(in.Value))
	case ir.HiddenDelta:
		e := g.shaped(rows, cols)
		in.G, in.Args = g.activation(), []ir.Ref{e, a}
		bound = g.bound[e] * slopeBound(g.bound[a])
	}
	if bound > Limit/2 {
		return false
	}
	if op.IsUpdate() {
		in.Rate = g.coin()
		in.Dst = g.updatable(rows, cols, in.Args)
		bound += g.bound[in.Dst]
	} else {
		in.Dst = g.buffer("", ir.Temporary, rows, cols)
	}
	g.bound[in.Dst] = bound
	if g.rng.IntN(3) == 0 {
		in.Note = fmt.Sprintf("A.%d; σ(z), \"%v\"", 45+g.rng.IntN(22), op)
	}
	g.p.Code = append(g.p.Code, in)
	if op == ir.MatMul && !in.TransA && in.TransB && g.coin() {
		g.bias(in.Dst)
	}
	return true
}

// bias adds a row to a product, as a layer does.
func (g *generator) bias(product ir.Ref) {
	b := g.at(product)
	row := g.shaped(1, b.Cols)
	if bound := g.bound[product] + g.bound[row]; row != product && bound <= Limit/2 {
		z := g.buffer("", ir.Temporary, b.Rows, b.Cols)
		g.bound[z] = bound
		g.p.Code = append(g.p.Code, ir.NewMap(z, []ir.Ref{product, row}, ir.Add(ir.Arg(0), ir.Arg(1))))
	}
}

// updatable returns a parameter of the shape that has no update yet and is not
// among args.
func (g *generator) updatable(rows, cols int, args []ir.Ref) ir.Ref {
	return g.choose(rows, cols, func(r ir.Ref) bool {
		b := g.at(r)
		return b.Kind == ir.Parameter && b.Rows == rows && b.Cols == cols && !slices.Contains(args, r) &&
			!slices.ContainsFunc(g.p.Code, func(in ir.Instr) bool { return in.Dst == r })
	})
}

// expression returns a map of the shape of a, with broadcast arguments. About one
// in three is one that the compiler knows.
func (g *generator) expression(a ir.Ref) (in ir.Instr, bound float64) {
	if g.rng.IntN(3) == 0 {
		return g.layer(a)
	}
	args := []ir.Ref{a}
	for range g.rng.IntN(4) {
		rows, cols := g.at(a).Rows, g.at(a).Cols
		if g.rng.IntN(3) == 0 {
			rows = 1
		}
		if g.rng.IntN(3) == 0 {
			cols = 1
		}
		args = append(args, g.shaped(rows, cols))
	}
	e, bound := g.tree(args, 3)
	rest, restBound := ir.Arg(0), g.bound[a] // a gives the result its shape
	if bound+restBound > Limit/2 {
		e, bound = ir.Tanh(e), 1
		rest, restBound = ir.Sigmoid(rest), 1
	}
	if g.coin() {
		e, rest = rest, e
	}
	return ir.NewMap(0, args, ir.Sub(e, rest)), bound + restBound
}

// layer returns a map of a as it occurs in a layer: an activation or a delta.
func (g *generator) layer(a ir.Ref) (in ir.Instr, bound float64) {
	u, w, one := ir.Arg(0), ir.Arg(1), ir.Const(1)
	rows, cols := g.at(a).Rows, g.at(a).Cols
	other := g.shaped(rows, cols)
	if y, _ := g.p.Lookup("y"); g.coin() && rows == g.at(y).Rows && cols == g.at(y).Cols {
		other = y
	}
	if other == a {
		return ir.NewMap(0, []ir.Ref{a}, ir.Sigmoid(u)), 1
	}
	bu, bw := g.bound[a], g.bound[other]
	switch g.rng.IntN(5) {
	case 0:
		return ir.NewMap(0, []ir.Ref{a}, ir.Tanh(u)), 1
	case 1: // (a − y)·a·(1 − a)
		return ir.NewMap(0, []ir.Ref{a, other}, ir.Mul(ir.Mul(ir.Sub(u, w), u), ir.Sub(one, u))), (bu + bw) * slopeBound(bu)
	case 2: // (a − y)·(1 − a·a)·c
		return ir.NewMap(0, []ir.Ref{a, other}, ir.Mul(ir.Mul(ir.Sub(u, w), ir.Sub(one, ir.Mul(u, u))), ir.Const(0.5))), (bu + bw) * slopeBound(bu)
	case 3: // e·a·(1 − a)
		return ir.NewMap(0, []ir.Ref{a, other}, ir.Mul(ir.Mul(u, w), ir.Sub(one, w))), bu * slopeBound(bw)
	default:
		return ir.NewMap(0, []ir.Ref{a}, ir.Sigmoid(u)), 1
	}
}

// tree returns a random expression of args and a bound on its values.
func (g *generator) tree(args []ir.Ref, depth int) (ir.Expr, float64) {
	if depth == 0 || g.rng.IntN(6) == 0 {
		if g.rng.IntN(5) == 0 {
			v := float64(g.rng.IntN(401)-200) / 100
			return ir.Const(v), 2
		}
		i := g.rng.IntN(len(args))
		return ir.Arg(i), g.bound[args[i]]
	}
	fns := ir.Fns()
	fn := fns[int(ir.FnAdd)+g.rng.IntN(len(fns)-int(ir.FnAdd))]
	operands := make([]ir.Expr, fn.Arity())
	bounds := [2]float64{}
	for k := range operands {
		operands[k], bounds[k] = g.tree(args, depth-1)
	}
	e := ir.Apply(fn, operands...)
	switch fn {
	case ir.FnAdd, ir.FnSub:
		return e, bounds[0] + bounds[1]
	case ir.FnMul:
		return e, bounds[0] * bounds[1]
	case ir.FnSquare:
		return e, bounds[0] * bounds[0]
	case ir.FnSigmoid, ir.FnTanh:
		return e, 1
	default:
		return e, bounds[0]
	}
}

func (g *generator) activation() ir.Fn { return []ir.Fn{ir.FnSigmoid, ir.FnTanh}[g.rng.IntN(2)] }

// slopeBound bounds the magnitude of a·(1 − a) and of 1 − a·a for |a| ≤ bound.
func slopeBound(bound float64) float64 { return (1 + bound) * (1 + bound) }

// ends chooses the output and the cost, if there are temporaries of the right
// shapes. It also updates new parameters by one to three temporaries, so that tests
// see the values of these.
func (g *generator) ends() {
	var temporaries []ir.Ref
	for r, b := range g.p.Buffers {
		if b.Kind == ir.Temporary {
			temporaries = append(temporaries, ir.Ref(r))
		}
	}
	g.rng.Shuffle(len(temporaries), func(i, j int) {
		temporaries[i], temporaries[j] = temporaries[j], temporaries[i]
	})
	for _, r := range temporaries {
		switch b := g.at(r); {
		case b.Len() == 1 && g.p.Cost == ir.None:
			g.p.Cost = r
		case b.Rows == g.p.Batch && g.p.Output == ir.None:
			g.p.Output = r
		}
	}
	for _, r := range temporaries[:min(1+g.rng.IntN(3), len(temporaries))] {
		w := g.buffer("", ir.Parameter, g.at(r).Rows, g.at(r).Cols)
		g.p.Code = append(g.p.Code, ir.Instr{Op: ir.Update, Dst: w, Args: []ir.Ref{r}, Rate: g.coin()})
	}
}

// Values returns the results of a run of p: a copy of the parameters, the output
// and the cost, in float64, indexed by Ref. The elements for other buffers are nil.
func Values[T float32 | float64](p *ir.Program, m *ir.Memory[T]) [][]float64 {
	values := make([][]float64, len(p.Buffers))
	for r, b := range p.Buffers {
		if b.Kind != ir.Parameter && !p.IsEnd(ir.Ref(r)) {
			continue
		}
		values[r] = make([]float64, b.Len())
		for i, v := range m.Buf[r] {
			values[r][i] = float64(v)
		}
	}
	return values
}

// Diff describes the first place where two results of Values differ by more than
// tolerance, relative to the larger magnitude or to 1, whichever is more. It returns
// "" if there is none. A NaN differs from everything.
func Diff(p *ir.Program, got, want [][]float64, tolerance float64) string {
	for r, b := range p.Buffers {
		if len(got[r]) != len(want[r]) {
			return fmt.Sprintf("%s has %d values, want %d", b.Name, len(got[r]), len(want[r]))
		}
		for i, w := range want[r] {
			scale := max(1, math.Abs(w), math.Abs(got[r][i]))
			if d := math.Abs(got[r][i] - w); !(d <= tolerance*scale) {
				return fmt.Sprintf("%s[%d,%d] = %v, want %v", b.Name, i/b.Cols, i%b.Cols, got[r][i], w)
			}
		}
	}
	return ""
}
