package ir_test

import (
	"testing"

	"trainer/graph/ir"
)

// TestGradients: the gradients are the products and sums of the updates, and the
// parameters do not change.
func TestGradients(t *testing.T) {
	p := ir.MustParse(`program "step" float64 batch 2
  x data 2x2
  d temporary 2x1
  W2 parameter 1x2
  b2 parameter 1x1
  0 d = fill 3
  1 W2 -= rate * d^T x
  2 b2 -= rate * sumrows d
`)
	g := ir.Gradients(p)
	if err := ir.Verify(g); err != nil {
		t.Fatal(err)
	}
	m := ir.NewMemory[float64](g)
	set := func(name string, values ...float64) {
		r, ok := g.Lookup(name)
		if !ok {
			t.Fatalf("no buffer %s", name)
		}
		copy(m.Buf[r], values)
	}
	set("x", 1, 2, 3, 4)
	set("W2", 5, 6)
	if err := ir.Interpret(g, m, -1); err != nil {
		t.Fatal(err)
	}
	want := map[string][]float64{"grad_W2": {12, 18}, "grad_b2": {6}, "W2": {5, 6}, "b2": {0}} // 3·(1+3), 3·(2+4)
	for name, values := range want {
		r, _ := g.Lookup(name)
		for i, v := range values {
			if m.Buf[r][i] != v {
				t.Errorf("%s[%d] is %v, want %v", name, i, m.Buf[r][i], v)
			}
		}
	}
}
