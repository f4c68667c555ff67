package ir_test

import (
	"math"
	"strings"
	"testing"

	"trainer/graph/ir"
)

// good is a step of 4-3 with a batch of 2. Each case of TestVerify breaks one thing
// in it.
const good = `program "good" float32 batch 2
  x  data      2x4
  y  target    2x3
  W2 parameter 3x4 by input
  b2 parameter 1x3
  z2 temporary 2x3
  a2 temporary 2x3
  d2 temporary 2x3
  c  temporary 1x1
  output a2
  cost c
  0 z2  = matmul x W2^T
  1 a2  = map sigmoid(z2 + b2) ; a^2 = g(z^2)
  2 d2  = map (a2 - y) * a2 * (1 - a2)
  3 W2 -= rate * d2^T x
  4 b2 -= rate * sumrows d2
  5 c   = sumall d2
`

// The good program's buffers.
const (
	x ir.Ref = iota
	y
	w2
	b2
	z2
	act2
	d2
	cost
)

func deep(n int) ir.Expr {
	e := ir.Arg(0)
	for range n {
		e = ir.Add(ir.Arg(0), e)
	}
	return e
}

func TestVerify(t *testing.T) {
	base := ir.MustParse(good)
	if err := ir.Verify(base); err != nil {
		t.Fatal(err)
	}
	if base.String() != good {
		t.Fatalf("printed as\n%v", base)
	}
	type program = *ir.Program
	insert := func(at int, in ir.Instr) func(program) {
		return func(p program) { p.Code = append(p.Code[:at:at], append([]ir.Instr{in}, p.Code[at:]...)...) }
	}
	// extra appends a temporary and an instruction that writes it.
	extra := func(rows, cols int, in ir.Instr) func(program) {
		return func(p program) {
			in.Dst = ir.Ref(len(p.Buffers))
			p.Buffers = append(p.Buffers, ir.Buffer{Name: "e", Kind: ir.Temporary, Rows: rows, Cols: cols})
			p.Code = append(p.Code, in)
		}
	}
	param := func(rows, cols int, in ir.Instr) func(program) {
		return func(p program) {
			in.Dst = ir.Ref(len(p.Buffers))
			p.Buffers = append(p.Buffers, ir.Buffer{Name: "e", Kind: ir.Parameter, Rows: rows, Cols: cols})
			p.Code = append(p.Code, in)
		}
	}
	for _, c := range []struct {
		name  string
		spoil func(program)
		want  string
	}{
		{"header: element", func(p program) { p.Elem = 9 }, "element type Elem(9), want float32 or float64"},
		{"header: batch", func(p program) { p.Batch = 0 }, "batch 0, want 1 to 2147483647"},

		{"names: empty", func(p program) { p.Buffers[x].Name = "" }, `buffer 0 "": want a name of letters`},
		{"names: digit first", func(p program) { p.Buffers[x].Name = "2x" }, `buffer 0 "2x": want a name of letters`},
		{"names: letters", func(p program) { p.Buffers[x].Name = "x^2" }, `buffer 0 "x^2": want a name of letters`},
		{"names: reserved", func(p program) { p.Buffers[x].Name = "rate" }, `buffer 0 "rate": want a name of letters`},
		{"names: unique", func(p program) { p.Buffers[d2].Name = "y" }, `buffer 6 "y": the name is not unique`},

		{"shapes: rows", func(p program) { p.Buffers[b2].Rows = 0 }, `buffer 3 "b2": shape 0x3, want 1 or more`},
		{"shapes: cols", func(p program) { p.Buffers[b2].Cols = -1 }, `buffer 3 "b2": shape 1x-1, want 1 or more`},
		{"shapes: size", func(p program) { p.Buffers[b2].Rows = math.MaxInt32 }, `shape 2147483647x3, want 1 or more rows and columns, at most 2147483647 elements`},

		{"kinds: kind", func(p program) { p.Buffers[x].Kind = 7 }, `buffer 0 "x": kind Kind(7), want data, target`},
		{"kinds: two", func(p program) { p.Buffers[y].Kind = ir.Data }, `buffer 1 "y": a second data, want one at most`},
		{"kinds: batch", func(p program) { p.Buffers[x].Rows = 3 }, `buffer 0 "x": data of 3 rows, want 2, one per sample`},

		{"layout: by input", func(p program) { p.Buffers[z2].ByInput = true }, `buffer 4 "z2": temporary by input, which only a parameter can be`},

		{"operands: op", func(p program) { p.Code[1].Op = 99 }, "#1 Op(99): unknown op"},
		{"operands: too few", func(p program) { p.Code[0].Args = []ir.Ref{x} }, "#0 matmul: have 1 arguments, want 2"},
		{"operands: too many", insert(0, ir.Instr{Op: ir.Fill, Dst: z2, Args: []ir.Ref{x}}), "#0 fill: have 1 arguments, want 0"},
		{"operands: result", func(p program) { p.Code[5].Dst = 8 }, "#5 sumall: no buffer 8, want 0 to 7"},
		{"operands: argument", func(p program) { p.Code[5].Args[0] = -1 }, "#5 sumall: no buffer -1, want 0 to 7"},
		{"operands: transposed", func(p program) { p.Code[5].TransA = true }, "#5 sumall: transposed, which only matmul can be"},
		{"operands: value", func(p program) { p.Code[5].Value = 1 }, "#5 sumall: value 1, which only fill and outputdelta have"},
		{"operands: expression", func(p program) { p.Code[5].Expr = a0 }, "#5 sumall: expression $0, which only map has"},
		{"operands: activation", extra(2, 3, ir.Instr{Op: ir.Activate, Args: []ir.Ref{act2}, G: ir.FnSquare}), "#6 activate: activation square, want sigmoid or tanh"},
		{"operands: no activation", extra(2, 3, ir.Instr{Op: ir.HiddenDelta, Args: []ir.Ref{act2, z2}}), "#6 hiddendelta: activation arg, want sigmoid or tanh"},
		{"operands: an activation", func(p program) { p.Code[5].G = ir.FnTanh }, "#5 sumall: activation tanh, which only activate, outputdelta and hiddendelta have"},
		{"operands: rate", func(p program) { p.Code[5].Rate = true }, "#5 sumall: the rate, which only outputdelta and updates have"},
		{"operands: target", extra(2, 3, ir.Instr{Op: ir.OutputDelta, Args: []ir.Ref{act2, z2}, G: ir.FnTanh, Value: 1}), "#6 outputdelta: argument z2 is not the target"},

		{"agreement: inner", func(p program) { p.Code[0].TransB = false }, "#0 matmul: have 2x4 · 3x4, want equal inner dimensions"},
		{"agreement: matmul", extra(2, 2, ir.Instr{Op: ir.MatMul, Args: []ir.Ref{x, x}, TransA: true}), "#6 matmul: result e is 2x2, want 4x4"},
		{"agreement: affine inner", extra(2, 3, ir.Instr{Op: ir.Affine, Args: []ir.Ref{z2, w2, b2}}), "#6 affine: have 2x3 · (3x4)ᵀ, want equal inner dimensions"},
		{"agreement: affine bias", extra(2, 3, ir.Instr{Op: ir.Affine, Args: []ir.Ref{x, w2, z2}}), "#6 affine: bias z2 is 2x3, want 1x3"},
		{"agreement: affine", extra(3, 2, ir.Instr{Op: ir.Affine, Args: []ir.Ref{x, w2, b2}}), "#6 affine: result e is 3x2, want 2x3"},
		{"agreement: activate", extra(1, 3, ir.Instr{Op: ir.Activate, Args: []ir.Ref{z2}, G: ir.FnTanh}), "#6 activate: result e is 1x3, want 2x3"},
		{"agreement: outputdelta", extra(2, 4, ir.Instr{Op: ir.OutputDelta, Args: []ir.Ref{x, y}, G: ir.FnTanh, Value: 1}), "#6 outputdelta: result e is 2x4, want 2x3"},
		{"agreement: hiddendelta", extra(2, 3, ir.Instr{Op: ir.HiddenDelta, Args: []ir.Ref{z2, b2}, G: ir.FnTanh}), "#6 hiddendelta: result e is 2x3, want 1x3"},
		{"agreement: transpose", extra(2, 4, ir.Instr{Op: ir.Transpose, Args: []ir.Ref{x}}), "#6 transpose: result e is 2x4, want 4x2"},
		{"agreement: reshape", extra(3, 3, ir.Instr{Op: ir.Reshape, Args: []ir.Ref{x}}), "#6 reshape: have 2x4 to 3x3, want the same number of elements"},
		{"agreement: repeat", extra(2, 4, ir.Instr{Op: ir.Repeat, Args: []ir.Ref{x}}), "#6 repeat: have 2x4 to 2x4, want one row or one column"},
		{"agreement: repeat cols", extra(2, 4, ir.Instr{Op: ir.Repeat, Args: []ir.Ref{b2}}), "#6 repeat: have 1x3 to 2x4, want one row or one column"},
		{"agreement: sumrows", extra(2, 1, ir.Instr{Op: ir.SumRows, Args: []ir.Ref{x}}), "#6 sumrows: result e is 2x1, want 1x4"},
		{"agreement: sumall", extra(1, 2, ir.Instr{Op: ir.SumAll, Args: []ir.Ref{x}}), "#6 sumall: result e is 1x2, want 1x1"},
		{"agreement: map", extra(2, 3, ir.NewMap(0, []ir.Ref{x}, a0)), "#6 map: argument x is 2x4, want 2x3, or one row or one column of it"},
		{"agreement: update", param(4, 2, ir.Instr{Op: ir.Update, Args: []ir.Ref{x}}), "#6 update: result e is 4x2, want 2x4"},
		{"agreement: rankupdate", param(4, 3, ir.Instr{Op: ir.RankUpdate, Args: []ir.Ref{d2, x}}), "#6 rankupdate: result e is 4x3, want 3x4"},
		{"agreement: rankupdate inner", param(2, 4, ir.Instr{Op: ir.RankUpdate, Args: []ir.Ref{w2, x}}), "#6 rankupdate: have 4x3 · 2x4, want equal inner dimensions"},
		{"agreement: rowupdate", param(2, 3, ir.Instr{Op: ir.RowUpdate, Args: []ir.Ref{d2}}), "#6 rowupdate: result e is 2x3, want 1x3"},

		{"expressions: none", func(p program) { p.Code[1].Expr = ir.Expr{} }, `#1 map: expression "" without an argument: use fill`},
		{"expressions: constant", func(p program) { p.Code[1].Expr = ir.Const(1) }, `#1 map: expression "1" without an argument: use fill`},
		{"expressions: missing", func(p program) { p.Code[1].Expr = ir.Add(a0, a2) }, "#1 map: expression $0 + $2, and 2 arguments"},
		{"expressions: unused", func(p program) { p.Code[1].Expr = a0 }, "#1 map: argument b2 is not in the expression"},
		{"expressions: order", func(p program) { p.Code[1].Expr = ir.Add(a1, a0) }, "#1 map: expression $1 + $0, want arguments numbered in the order of first use"},
		{"expressions: twice", func(p program) { p.Code[2].Args[1] = act2 }, "#2 map: argument a2 occurs twice"},
		{"expressions: deep", func(p program) { p.Code[1].Expr = ir.Add(deep(15), a1) }, ""},
		{"expressions: too deep", func(p program) { p.Code[1].Expr = ir.Add(deep(16), a1) }, "#1 map: expression 17 deep, want at most 16"},
		{"expressions: long", func(p program) {
			for range 16 {
				p.Code[1].Expr = ir.Add(p.Code[1].Expr, ir.Add(a0, a1))
			}
		}, "#1 map: expression of 68 terms, want at most 64"},

		{"constants: NaN", func(p program) { p.Code[1].Expr = ir.Add(ir.Mul(a0, a1), ir.Const(math.NaN())) }, "#1 map: constant NaN, want a finite float32"},
		{"constants: factor", extra(2, 3, ir.Instr{Op: ir.OutputDelta, Args: []ir.Ref{act2, y}, G: ir.FnTanh, Value: 1e39}), "#6 outputdelta: constant +Inf, want a finite float32"},
		{"constants: fill", extra(1, 1, ir.Instr{Op: ir.Fill, Value: math.Inf(1)}), "#6 fill: constant +Inf, want a finite float32"},
		{"constants: float32", extra(1, 1, ir.Instr{Op: ir.Fill, Value: 1e39}), "#6 fill: constant +Inf, want a finite float32"},
		{"constants: float64", func(p program) {
			extra(1, 1, ir.Instr{Op: ir.Fill, Value: 1e39})(p)
			p.Elem = ir.Float64
		}, ""},

		{"single assignment: before", func(p program) { p.Code[0], p.Code[1] = p.Code[1], p.Code[0] }, "#0 map: z2 is read before it is written"},
		{"single assignment: itself", func(p program) { p.Code[1].Args[0] = act2 }, "#1 map: a2 is read before it is written"},
		{"single assignment: twice", insert(1, ir.Instr{Op: ir.Fill, Dst: z2}), "#1 fill: z2 is written a second time"},
		{"single assignment: never", func(p program) { p.Code = p.Code[:5] }, `buffer 7 "c": no instruction writes it: drop it (Compact does)`},
		{"single assignment: update", func(p program) { p.Code[4].Dst = z2 }, "#4 rowupdate: z2 is a temporary, and updates write parameters"},

		{"updates: data", func(p program) { p.Code[3].Dst = x }, "#3 rankupdate: x is data, which nothing writes"},
		{"updates: target", func(p program) { p.Code[2].Dst = y }, "#2 map: y is target, which nothing writes"},
		{"updates: parameter", func(p program) { p.Code[5].Dst = b2 }, "#5 sumall: b2 is a parameter, which only updates write"},
		{"updates: twice", insert(5, ir.Instr{Op: ir.Update, Dst: b2, Args: []ir.Ref{b2}}), "#5 update: b2 is written a second time"},
		{"updates: itself", func(p program) { p.Code[4] = ir.Instr{Op: ir.Update, Dst: b2, Args: []ir.Ref{b2}} }, "#4 update: b2 is updated from itself"},

		{"ends: exists", func(p program) { p.Output = 77 }, "output: no buffer 77, want 0 to 7"},
		{"ends: kind", func(p program) { p.Cost = w2 }, "cost W2 is parameter, want a temporary"},
		{"ends: rows", func(p program) { p.Output = cost }, "output c has 1 rows, want 2, one per sample"},
		{"ends: shape", func(p program) { p.Cost = d2 }, "cost d2 is 2x3, want 1x1"},
		{"ends: two", func(p program) {
			*p = *ir.MustParse("program \"e\" float32 batch 1\nx data 1x1\nc temporary 1x1\noutput c\ncost c\nc = sumall x")
		}, "c is both the output and the cost, want two temporaries"},
		{"ends: none", func(p program) { p.Output, p.Cost = ir.None, ir.None }, ""},

		{"notes: space", func(p program) { p.Code[1].Note = " n" }, `#1 map: note " n", want one line without leading or trailing space`},
		{"notes: line", func(p program) { p.Code[1].Note = "n\nm" }, `#1 map: note "n\nm", want one line without leading or trailing space`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := base.Clone()
			c.spoil(p)
			err := ir.Verify(p)
			_ = p.String() // does not panic
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.HasPrefix(err.Error(), "ir: verify: ") || !strings.Contains(err.Error(), c.want)):
				t.Errorf("error %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestVerifyShowsLines(t *testing.T) {
	p := ir.MustParse(good)
	p.Code[3].Args[1] = d2
	want := `ir: verify: #3 rankupdate: result W2 is 3x4, want 3x3
     1 a2  = map sigmoid(z2 + b2) ; a^2 = g(z^2)
     2 d2  = map (a2 - y) * a2 * (1 - a2)
  -> 3 W2 -= rate * d2^T d2
     4 b2 -= rate * sumrows d2
     5 c   = sumall d2`
	if err := ir.Verify(p); err == nil || err.Error() != want {
		t.Errorf("error\n%v\nwant\n%s", err, want)
	}
}
