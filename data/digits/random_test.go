package digits

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
)

// TestNoFusedProducts enforces the second rule of random.go in the source,
// since a test on amd64 cannot see what the compiler fuses elsewhere: a
// product of floating-point numbers that are not constants occurs in mul only.
func TestNoFusedProducts(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	fset := token.NewFileSet()
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	if len(files) < 6 {
		t.Fatalf("%d source files, want all of the package", len(files))
	}
	// Imports are not resolved. Expressions that depend on them have no type, so
	// they do not count as integers.
	info := types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
	config := types.Config{Error: func(error) {}}
	_, _ = config.Check("digits", fset, files, &info)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				return n.Name.Name != "mul"
			case *ast.BinaryExpr:
				if tv := info.Types[n]; n.Op == token.MUL && tv.Value == nil && !isInteger(tv.Type) {
					t.Errorf("%s: a product without mul", fset.Position(n.OpPos))
				}
			case *ast.AssignStmt:
				if n.Tok == token.MUL_ASSIGN && !isInteger(info.Types[n.Lhs[0]].Type) {
					t.Errorf("%s: a product without mul", fset.Position(n.TokPos))
				}
			}
			return true
		})
	}
}

func isInteger(t types.Type) bool {
	b, ok := t.(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}

// TestRandom checks means and counts against bounds of five standard deviations of
// a mean of n draws. A draw of bell has variance 1. Its square has variance
// E x⁴ − 1 = 1.6, because the excess kurtosis of the sum of three uniform numbers is
// −1.2/3.
func TestRandom(t *testing.T) {
	r := random{rand.New(rand.NewPCG(1, 0))}
	const n = 20000
	var sum, squares float64
	var count [3]int
	for range n {
		x := r.bell()
		if math.Abs(x) > 3 {
			t.Fatalf("bell: %g", x)
		}
		sum += x
		squares += x * x
		if u := r.between(-2, 5); u < -2 || u >= 5 {
			t.Fatalf("between(-2, 5): %g", u)
		}
		count[r.below(3)]++
	}
	if mean := sum / n; math.Abs(mean) > 5/math.Sqrt(n) {
		t.Errorf("bell: mean %g, want 0", mean)
	}
	if variance := squares / n; math.Abs(variance-1) > 5*math.Sqrt(1.6/n) {
		t.Errorf("bell: variance %g, want 1", variance)
	}
	for i, c := range count { // binomial: sd = √(n·1/3·2/3)
		if math.Abs(float64(c)-n/3.0) > 5*math.Sqrt(n*2.0/9) {
			t.Errorf("below(3): %d of %d draws are %d", c, n, i)
		}
	}
}
