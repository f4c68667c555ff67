package ir_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"trainer/graph/ir"
)

// A training step of one sample in a layer of one node, printed and run. The
// target is 0, the learning rate 8.
func Example() {
	p, err := ir.Parse(`program "step 2-1" float64 batch 1
		x  data       1x2
		y  target     1x1
		W2 parameter  1x2 by input
		z2 temporary  1x1
		a2 temporary  1x1
		d2 temporary  1x1
		output a2
		z2 = matmul x W2^T                    ; z^2 = W^2 a^1
		a2 = activate sigmoid z2              ; a^2 = g(z^2)
		d2 = outputdelta sigmoid a2 y * -rate ; −η × δ^2 (A.64)
		W2 += d2^T x                          ; A.62`)
	if err != nil {
		fmt.Println(err)
		return
	}
	m := ir.NewMemory[float64](p)
	m.Buf[0] = []float64{1, 2} // x; y and W^2 are 0
	if err := ir.Interpret(p, m, 8); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Print(p)
	fmt.Println("W2 is", m.Buf[2])
	// Output:
	// program "step 2-1" float64 batch 1
	//   x  data      1x2
	//   y  target    1x1
	//   W2 parameter 1x2 by input
	//   z2 temporary 1x1
	//   a2 temporary 1x1
	//   d2 temporary 1x1
	//   output a2
	//   0 z2  = matmul x W2^T                    ; z^2 = W^2 a^1
	//   1 a2  = activate sigmoid z2              ; a^2 = g(z^2)
	//   2 d2  = outputdelta sigmoid a2 y * -rate ; −η × δ^2 (A.64)
	//   3 W2 += d2^T x                           ; A.62
	// W2 is [-1 -2]
}

// opCases has cases for every op, with results worked out by hand. The learning
// rate is 0.5, and the result is the buffer r.
var opCases = []struct {
	op      ir.Op
	buffers string
	code    string
	in      map[string][]float64
	want    []float64
}{
	{ir.Fill, "r temporary 2x2", "r = fill -1.5", nil, []float64{-1.5, -1.5, -1.5, -1.5}},
	{ir.MatMul, "a parameter 3x2, b parameter 2x3, r temporary 3x3", "r = matmul a b",
		map[string][]float64{"a": {1, 2, 3, 4, 5, 6}, "b": {1, 0, 2, 0, 1, 3}}, []float64{1, 2, 8, 3, 4, 18, 5, 6, 28}},
	{ir.MatMul, "a parameter 2x3, b parameter 2x3, r temporary 3x3", "r = matmul a^T b",
		map[string][]float64{"a": {1, 3, 5, 2, 4, 6}, "b": {1, 0, 2, 0, 1, 3}}, []float64{1, 2, 8, 3, 4, 18, 5, 6, 28}},
	{ir.MatMul, "a parameter 3x2, b parameter 3x2, r temporary 3x3", "r = matmul a b^T",
		map[string][]float64{"a": {1, 2, 3, 4, 5, 6}, "b": {1, 0, 0, 1, 2, 3}}, []float64{1, 2, 8, 3, 4, 18, 5, 6, 28}},
	{ir.MatMul, "a parameter 2x3, b parameter 3x2, r temporary 3x3", "r = matmul a^T b^T",
		map[string][]float64{"a": {1, 3, 5, 2, 4, 6}, "b": {1, 0, 0, 1, 2, 3}}, []float64{1, 2, 8, 3, 4, 18, 5, 6, 28}},
	{ir.Transpose, "a parameter 2x3, r temporary 3x2", "r = transpose a",
		map[string][]float64{"a": {1, 2, 3, 4, 5, 6}}, []float64{1, 4, 2, 5, 3, 6}},
	{ir.Reshape, "a parameter 2x3, r temporary 3x2", "r = reshape a",
		map[string][]float64{"a": {1, 2, 3, 4, 5, 6}}, []float64{1, 2, 3, 4, 5, 6}},
	{ir.Repeat, "a parameter 1x3, r temporary 2x3", "r = repeat a",
		map[string][]float64{"a": {1, 2, 3}}, []float64{1, 2, 3, 1, 2, 3}},
	{ir.Repeat, "a parameter 2x1, r temporary 2x3", "r = repeat a",
		map[string][]float64{"a": {1, 2}}, []float64{1, 1, 1, 2, 2, 2}},
	{ir.Repeat, "a parameter 1x1, r temporary 2x2", "r = repeat a",
		map[string][]float64{"a": {7}}, []float64{7, 7, 7, 7}},
	{ir.SumRows, "a parameter 2x3, r temporary 1x3", "r = sumrows a",
		map[string][]float64{"a": {1, 2, 3, 4, 5, 6}}, []float64{5, 7, 9}},
	{ir.SumAll, "a parameter 2x3, r temporary 1x1", "r = sumall a",
		map[string][]float64{"a": {1, 2, 3, 4, 5, 6}}, []float64{21}},
	{ir.Map, "a parameter 2x3, b parameter 1x3, c parameter 2x1, r temporary 2x3", "r = map (a - b) * c + 0.5",
		map[string][]float64{"a": {1, 2, 3, 4, 5, 6}, "b": {1, 1, 2}, "c": {2, 10}}, []float64{0.5, 2.5, 2.5, 30.5, 40.5, 40.5}},
	{ir.Map, "a parameter 2x2, s parameter 1x1, r temporary 2x2", "r = map -square(a) * s",
		map[string][]float64{"a": {1, 2, 3, 4}, "s": {0.5}}, []float64{-0.5, -2, -4.5, -8}},
	{ir.Affine, "x parameter 2x2, w parameter 3x2, b parameter 1x3, r temporary 2x3", "r = affine x w b",
		map[string][]float64{"x": {1, 2, 3, 4}, "w": {1, 0, 0, 1, 2, 3}, "b": {10, 20, 30}}, []float64{11, 22, 38, 13, 24, 48}},
	{ir.Activate, "z parameter 1x2, r temporary 1x2", "r = activate sigmoid z", map[string][]float64{"z": {0, 1e4}}, []float64{0.5, 1}},
	{ir.Activate, "z parameter 1x3, r temporary 1x3", "r = activate tanh z", map[string][]float64{"z": {0, 1e4, -1e4}}, []float64{0, 1, -1}},
	{ir.OutputDelta, "a parameter 1x3, y target 1x3, r temporary 1x3", "r = outputdelta sigmoid a y",
		map[string][]float64{"a": {0.5, 0.5, 2}, "y": {1, 0, 4}}, []float64{-0.125, 0.125, 4}},
	{ir.OutputDelta, "a parameter 1x2, y target 1x2, r temporary 1x2", "r = outputdelta tanh a y * -4",
		map[string][]float64{"a": {0.5, 2}, "y": {1, 0}}, []float64{1.5, 24}},
	{ir.OutputDelta, "a parameter 1x2, y target 1x2, r temporary 1x2", "r = outputdelta sigmoid a y * -rate",
		map[string][]float64{"a": {0.5, 0.5}, "y": {1, 0}}, []float64{0.0625, -0.0625}},
	{ir.OutputDelta, "a parameter 1x2, y target 1x2, r temporary 1x2", "r = outputdelta tanh a y * 8 * -rate",
		map[string][]float64{"a": {0.5, 2}, "y": {1, 0}}, []float64{1.5, 24}},
	{ir.HiddenDelta, "e parameter 1x2, a parameter 1x2, r temporary 1x2", "r = hiddendelta sigmoid e a",
		map[string][]float64{"e": {8, 3}, "a": {0.25, 2}}, []float64{1.5, -6}},
	{ir.HiddenDelta, "e parameter 1x2, a parameter 1x2, r temporary 1x2", "r = hiddendelta tanh e a",
		map[string][]float64{"e": {8, 3}, "a": {0.5, 2}}, []float64{6, -9}},
	{ir.Update, "r parameter 1x2, g parameter 1x2", "r -= rate * g",
		map[string][]float64{"r": {10, 20}, "g": {1, 2}}, []float64{9.5, 19}},
	{ir.RankUpdate, "r parameter 2x1, a parameter 2x2, b parameter 2x1", "r -= rate * a^T b",
		map[string][]float64{"r": {0, 100}, "a": {1, 2, 3, 4}, "b": {5, 6}}, []float64{-11.5, 83}},
	{ir.RowUpdate, "r parameter 1x2, a parameter 2x2", "r -= rate * sumrows a",
		map[string][]float64{"a": {1, 2, 3, 4}}, []float64{-2, -3}},
	{ir.Update, "r parameter 1x2, g parameter 1x2", "r += g", map[string][]float64{"r": {10, 20}, "g": {1, 2}}, []float64{11, 22}},
	{ir.RankUpdate, "r parameter 2x1, a parameter 2x2, b parameter 2x1", "r += a^T b",
		map[string][]float64{"r": {0, 100}, "a": {1, 2, 3, 4}, "b": {5, 6}}, []float64{23, 134}},
	{ir.RowUpdate, "r parameter 1x2, a parameter 2x2", "r += sumrows a", map[string][]float64{"a": {1, 2, 3, 4}}, []float64{4, 6}},
}

func TestOps(t *testing.T) {
	tested := map[ir.Op]bool{}
	for _, c := range opCases {
		tested[c.op] = true
		t.Run(c.code, func(t *testing.T) {
			text := "program \"op\" float64 batch 1\n" + strings.ReplaceAll(c.buffers, ", ", "\n") + "\n" + c.code
			p, err := ir.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			if op := p.Code[0].Op; op != c.op {
				t.Errorf("parsed as %v, want %v", op, c.op)
			}
			if p.Text(0) != c.code {
				t.Errorf("printed as %q, want %q", p.Text(0), c.code)
			}
			testOp[float64](t, p, c.in, c.want)
			p.Elem = ir.Float32
			testOp[float32](t, p, c.in, c.want)
		})
	}
	for _, op := range ir.Ops() {
		if !tested[op] {
			t.Errorf("no case for %v", op)
		}
		if strings.Contains(op.String(), "(") {
			t.Errorf("op %d has no name", op)
		}
	}
}

func testOp[T float32 | float64](t *testing.T, p *ir.Program, in map[string][]float64, want []float64) {
	t.Helper()
	m := ir.NewMemory[T](p)
	for name, values := range in {
		r, ok := p.Lookup(name)
		if !ok {
			t.Fatalf("no buffer %s", name)
		}
		for i, v := range values {
			m.Buf[r][i] = T(v)
		}
	}
	if err := ir.Interpret(p, m, 0.5); err != nil {
		t.Fatal(err)
	}
	r, _ := p.Lookup("r")
	got := make([]float64, len(m.Buf[r]))
	for i, v := range m.Buf[r] {
		got[i] = float64(v)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%T: got %v, want %v", m, got, want)
	}
}

// Sums go from the first element to the last and are rounded to the element
// type at each step: 2^24 + 1 is 2^24 in float32. Products are rounded before
// they are added: (1 + 2^-12)² is 1 + 2^-11 in float32, a tie that goes to the
// even neighbour; and (1 + 2^-27)² is 1 + 2^-26 in float64.
func TestRounding(t *testing.T) {
	const big, x = 1 << 24, 1 + 1.0/(1<<12)
	for _, c := range []struct {
		code string
		a, b []float32
		want float32
	}{
		{"r = sumall a", []float32{big, 1, 1}, nil, big},
		{"r = sumall a", []float32{1, 1, big}, nil, big + 2},
		{"r = matmul a b^T", []float32{big, 1, 1}, []float32{1, 1, 1}, big},
		{"r = matmul a b^T", []float32{1, 1, big}, []float32{1, 1, 1}, big + 2},
		{"r = matmul a b^T", []float32{-(1 + 1.0/(1<<11)), x, 0}, []float32{1, x, 0}, 0},
	} {
		p := ir.MustParse("program \"r\" float32 batch 1\na parameter 1x3\nb parameter 1x3\nr temporary 1x1\n" + c.code)
		m := ir.NewMemory[float32](p)
		copy(m.Buf[0], c.a)
		copy(m.Buf[1], c.b)
		if err := ir.Interpret(p, m, 0); err != nil {
			t.Fatal(err)
		}
		if got := m.Buf[2][0]; got != c.want {
			t.Errorf("%s of %v, %v: got %v, want %v", c.code, c.a, c.b, got, c.want)
		}
	}

	const y = 1 + 1.0/(1<<27)
	p := ir.MustParse("program \"r\" float64 batch 1\na parameter 1x2\nb parameter 1x2\nr temporary 1x1\nr = matmul a b^T")
	m := ir.NewMemory[float64](p)
	copy(m.Buf[0], []float64{-(1 + 1.0/(1<<26)), y})
	copy(m.Buf[1], []float64{1, y})
	if err := ir.Interpret(p, m, 0); err != nil {
		t.Fatal(err)
	}
	if got := m.Buf[2][0]; got != 0 {
		t.Errorf("in float64: got %v, want 0", got)
	}
}

func TestMemoryErrors(t *testing.T) {
	const head = "program \"m\" float32 batch 1\na parameter 1x3\nr temporary 1x3"
	right := ir.MustParse(head + "\nr = map a")
	wrong := ir.MustParse(head + "\nr = map 1")
	short := ir.NewMemory[float32](right)
	short.Buf[0] = short.Buf[0][:2]
	for _, c := range []struct {
		err  error
		want string
	}{
		{ir.Interpret(right, short, 0), "a has 2 elements, want 3"},
		{ir.Interpret(right, &ir.Memory[float32]{}, 0), "memory of 0 buffers, want 2"},
		{ir.Interpret(wrong, ir.NewMemory[float32](wrong), 0), "ir: verify: #0 map"},
	} {
		if c.err == nil || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("error %v, want %q", c.err, c.want)
		}
	}
	for _, v := range ir.NewMemory[float32](right).Buf[1] {
		if !math.IsNaN(float64(v)) {
			t.Errorf("a temporary begins as %v, want NaN", v)
		}
	}
}

func TestCompactClone(t *testing.T) {
	p := ir.MustParse(`program "compact" float32 batch 1
		x data 1x2
		unread parameter 1x1
		gone temporary 1x2
		a temporary 1x2
		b temporary 1x1
		cost b
		a = map x
		b = sumall a`)
	q := p.Clone()
	q.Compact()
	want := ir.MustParse(strings.Replace(p.String(), "gone", ";", 1))
	if !q.Equal(want) || ir.Verify(q) != nil {
		t.Errorf("got\n%v\nwant\n%v", q, want)
	}
	if p.Equal(q) || p.Buffers[2].Name != "gone" || p.Code[1].Args[0] != 3 {
		t.Errorf("the original changed with its clone:\n%v", p)
	}
}

func TestEqual(t *testing.T) {
	p := ir.MustParse(good)
	if !p.Equal(p.Clone()) {
		t.Error("a program differs from its clone")
	}
	for name, change := range map[string]func(*ir.Program){
		"name":   func(p *ir.Program) { p.Name = "" },
		"elem":   func(p *ir.Program) { p.Elem = ir.Float64 },
		"batch":  func(p *ir.Program) { p.Batch++ },
		"buffer": func(p *ir.Program) { p.Buffers[d2].ByInput = true },
		"output": func(p *ir.Program) { p.Output = d2 },
		"cost":   func(p *ir.Program) { p.Cost = d2 },
		"g":      func(p *ir.Program) { p.Code[1].G = ir.FnTanh },
		"rate":   func(p *ir.Program) { p.Code[1].Rate = true },
		"length": func(p *ir.Program) { p.Code = p.Code[1:] },
		"op":     func(p *ir.Program) { p.Code[1].Op = ir.Fill },
		"dst":    func(p *ir.Program) { p.Code[1].Dst = d2 },
		"args":   func(p *ir.Program) { p.Code[1].Args[0] = d2 },
		"transA": func(p *ir.Program) { p.Code[0].TransA = true },
		"transB": func(p *ir.Program) { p.Code[0].TransB = false },
		"value":  func(p *ir.Program) { p.Code[1].Value = 1 },
		"expr":   func(p *ir.Program) { p.Code[1].Expr = a0 },
		"note":   func(p *ir.Program) { p.Code[1].Note = "" },
	} {
		q := p.Clone()
		if change(q); p.Equal(q) {
			t.Errorf("equal despite another %s", name)
		}
	}
}
