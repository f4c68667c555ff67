package ir_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"trainer/graph/ir"
)

var a0, a1, a2 = ir.Arg(0), ir.Arg(1), ir.Arg(2)

// Values: a0 = ln 3, a1 = ln 2, a2 = -4.
func TestExpr(t *testing.T) {
	args := []float64{math.Log(3), math.Ln2, -4}
	for _, c := range []struct {
		e    ir.Expr
		text string
		want float64
	}{
		{a2, "$2", -4},
		{ir.Const(0.5), "0.5", 0.5},
		{ir.Const(-1e-7), "-1e-07", -1e-7},
		{ir.Add(a2, ir.Const(1)), "$2 + 1", -3},
		{ir.Sub(a2, ir.Const(1)), "$2 - 1", -5},
		{ir.Mul(a2, ir.Const(3)), "$2 * 3", -12},
		{ir.Neg(a2), "-$2", 4},
		{ir.Square(a2), "square($2)", 16},
		{ir.Sigmoid(a0), "sigmoid($0)", 0.75}, // 1/(1 + 1/3)
		{ir.Tanh(a1), "tanh($1)", 0.6},        // (2 - 1/2)/(2 + 1/2)
		{ir.Add(ir.Add(a2, a2), a2), "$2 + $2 + $2", -12},
		{ir.Add(a2, ir.Add(a2, a2)), "$2 + ($2 + $2)", -12},
		{ir.Sub(ir.Sub(a2, a2), a2), "$2 - $2 - $2", 4},
		{ir.Sub(a2, ir.Sub(a2, a2)), "$2 - ($2 - $2)", -4},
		{ir.Sub(a2, ir.Add(a2, a2)), "$2 - ($2 + $2)", 4},
		{ir.Mul(a2, ir.Mul(a2, a2)), "$2 * ($2 * $2)", -64},
		{ir.Mul(ir.Sub(a2, ir.Const(1)), ir.Add(a2, ir.Const(1))), "($2 - 1) * ($2 + 1)", 15},
		{ir.Add(ir.Mul(a2, a2), a2), "$2 * $2 + $2", 12},
		{ir.Mul(ir.Neg(a2), a2), "-$2 * $2", -16},
		{ir.Neg(ir.Mul(a2, a2)), "-($2 * $2)", -16},
		{ir.Mul(a2, ir.Neg(a2)), "$2 * -$2", -16},
		{ir.Sub(a2, ir.Const(-1)), "$2 - -1", -3},
		{ir.Neg(ir.Neg(a2)), "--$2", -4},
		{ir.Neg(ir.Const(1)), "-(1)", -1},
		{ir.Neg(ir.Const(-1)), "--1", 1},
		{ir.Neg(ir.Square(a2)), "-square($2)", -16},
		{ir.Square(ir.Add(a2, ir.Const(1))), "square($2 + 1)", 9},
	} {
		if got := c.e.String(); got != c.text {
			t.Errorf("printed as %s, want %s", got, c.text)
		}
		if got := ir.Eval(c.e.Terms(), args); math.Abs(got-c.want) > 1e-15*max(1, math.Abs(c.want)) {
			t.Errorf("%s = %v, want %v", c.text, got, c.want)
		}
		// It reads back, so the parentheses are right.
		p, err := ir.Parse("program \"e\" float64 batch 1\na0 parameter 1x1\na1 parameter 1x1\na2 parameter 1x1\nr temporary 1x1\nr = map " +
			c.e.Format(func(i int) string { return fmt.Sprintf("a%d", i) }))
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if want := ir.NewMap(4, []ir.Ref{0, 1, 2}, c.e); p.Code[0].Expr != want.Expr || !slices.Equal(p.Code[0].Args, want.Args) {
			t.Errorf("%s: read back as %v", c.text, p.Text(0))
		}
	}
}

// The text of an expression of three operands reads back, and it does not if its
// parentheses are left out.
func TestFewestParentheses(t *testing.T) {
	binary := []ir.Fn{ir.FnAdd, ir.FnSub, ir.FnMul}
	parse := func(text string) ir.Expr {
		p := ir.MustParse("program \"e\" float64 batch 1\na parameter 1x1\nb parameter 1x1\nc parameter 1x1\nr temporary 1x1\nr = map " + text)
		return p.Code[0].Expr
	}
	name := func(i int) string { return string("abc"[i]) }
	for _, f := range binary {
		for _, g := range binary {
			for _, e := range []ir.Expr{
				ir.Apply(f, ir.Apply(g, a0, a1), a2),
				ir.Apply(f, a0, ir.Apply(g, a1, a2)),
				ir.Apply(f, ir.Neg(ir.Apply(g, a0, a1)), a2),
			} {
				text := e.Format(name)
				if parse(text) != e {
					t.Errorf("%s reads back as %v", text, parse(text))
				}
				without := strings.NewReplacer("(", "", ")", "").Replace(text)
				if without != text && parse(without) == e {
					t.Errorf("%s: the parentheses are not needed", text)
				}
			}
		}
	}
}

func TestExprRewrite(t *testing.T) {
	e := ir.Mul(ir.Sub(a0, a1), a0)
	for _, c := range []struct {
		got  ir.Expr
		want string
	}{
		{e.Inline(0, ir.Sigmoid(a2)), "(sigmoid($2) - $1) * sigmoid($2)"},
		{e.Inline(5, a2), "($0 - $1) * $0"},
		{e.Substitute([]ir.Expr{a1, ir.Const(2)}), "($1 - 2) * $1"},
		{ir.Arg(300).Inline(300, a0), "$0"},
		{ir.Expr{}.Inline(0, a1), ""},
	} {
		if c.got.String() != c.want {
			t.Errorf("got %v, want %s", c.got, c.want)
		}
	}
	in := ir.NewMap(9, []ir.Ref{7, 8, 7}, ir.Add(ir.Mul(a1, a2), a0))
	if in.Dst != 9 || !slices.Equal(in.Args, []ir.Ref{8, 7}) || in.Expr.String() != "$0 * $1 + $1" {
		t.Errorf("NewMap gives %v of %v", in.Expr, in.Args)
	}
}

// Expressions are equal if their terms are equal, and can be keys.
func TestExprEqual(t *testing.T) {
	seen := map[ir.Expr]bool{ir.Add(a0, a1): true}
	if !seen[ir.Add(ir.Arg(0), ir.Arg(1))] || seen[ir.Add(a1, a0)] || seen[ir.Sub(a0, a1)] {
		t.Error("an expression is not a good key")
	}
	if ir.Const(0) == ir.Const(math.Copysign(0, -1)) {
		t.Error("0 and -0 are one constant")
	}
	if d := ir.Add(a0, ir.Mul(a1, ir.Neg(a2))).Depth(); d != 3 {
		t.Errorf("depth %d, want 3", d)
	}
	if !(ir.Expr{}).IsZero() || a0.IsZero() {
		t.Error("IsZero is wrong")
	}
}

func TestFns(t *testing.T) {
	for _, f := range ir.Fns() {
		if strings.Contains(f.String(), "(") {
			t.Errorf("fn %d has no name", f)
		}
	}
	for name, f := range map[string]func(){
		"Arg(-1)":     func() { ir.Arg(-1) },
		"one operand": func() { ir.Apply(ir.FnAdd, a0) },
		"zero Expr":   func() { ir.Neg(ir.Expr{}) },
		"Apply(arg)":  func() { ir.Apply(ir.FnArg) },
	} {
		func() {
			defer func() {
				if r := recover(); r == nil || !strings.HasPrefix(fmt.Sprint(r), "BUG: ") {
					t.Errorf("%s: panic %v, want BUG", name, r)
				}
			}()
			f()
		}()
	}
}
