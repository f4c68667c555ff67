package lower

import (
	"fmt"
	"strings"
	"testing"

	"gorgonia.org/gorgonia"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/model"
)

// TestOps compiles the graphs of all kinds of networks. Every operation must be known,
// and every kind of operation must occur.
func TestOps(t *testing.T) {
	var seen [opKindEnd]bool
	var products [2][2]bool // [TransA][TransB]
	eachNetwork(func(n model.Network) {
		for _, batch := range []int{1, 2, 7} {
			for name, build := range map[string]func(model.Network, int) (*graph.Graph, error){"step": graph.Step, "forward": graph.Forward} {
				g, err := build(n, batch)
				if err != nil {
					t.Fatal(err)
				}
				for _, node := range g.Expr.AllNodes() {
					if node.Op() == nil {
						continue
					}
					op, err := parseOp(node.Op().String())
					if err != nil {
						t.Errorf("%s %v batch %d: node %d: %v", name, n, batch, node.ID(), err)
						continue
					}
					seen[op.kind] = true
					if op.kind == opMatMul {
						products[btoi(op.transA)][btoi(op.transB)] = true
					}
				}
				p, err := Program(g, Options{})
				if err != nil {
					t.Errorf("%s %v batch %d: %v", name, n, batch, err)
					continue
				}
				wantElem(t, p, n)
				if want := name + " " + n.String(); p.Name != want || p.Batch != batch {
					t.Errorf("program %q batch %d, want %q batch %d", p.Name, p.Batch, want, batch)
				}
			}
		}
	})
	for kind := range opKindEnd {
		if !seen[kind] {
			t.Errorf("no network has an operation of kind %d: is it needed?", kind)
		}
	}
	if products != [2][2]bool{{true, true}, {true, false}} {
		t.Errorf("products [TransA][TransB]: %v, want A·B, A·Bᵀ and Aᵀ·B", products)
	}
}

// eachNetwork calls f for networks with 1 to 4 weight matrices, with layers of one
// node in each place, with both activations, with and without biases, in both
// precisions.
func eachNetwork(f func(model.Network)) {
	for _, layers := range [][]int{
		{1, 1}, {3, 1}, {1, 3}, {3, 2},
		{1, 1, 1}, {3, 1, 2}, {1, 2, 1}, {4, 3, 2},
		{1, 1, 1, 1}, {3, 2, 1, 2}, {5, 4, 3, 2}, {3, 3, 3, 3},
		{1, 1, 1, 1, 1}, {3, 1, 1, 2, 3}, {6, 5, 4, 3, 2},
	} {
		for _, bias := range []bool{false, true} {
			for _, activation := range []model.Activation{model.Sigmoid, model.Tanh} {
				for _, precision := range []model.Precision{model.Float32, model.Float64} {
					f(model.Network{Layers: layers, Activation: activation, Bias: bias, Precision: precision})
				}
			}
		}
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func wantElem(t *testing.T, p *ir.Program, n model.Network) {
	t.Helper()
	if p.Elem.String() != n.Precision.String() {
		t.Errorf("the program is in %v, the network in %v", p.Elem, n.Precision)
	}
}

// TestOpText covers texts that the graphs of networks do not have, or not always.
func TestOpText(t *testing.T) {
	for text, want := range map[string]operation{
		"Aᵀ × Bᵀ": {kind: opMatMul, transA: true, transB: true},
		"Σ[0 1]":  {kind: opSum, axes: []int{0, 1}},
		"Σ[12]":   {kind: opSum, axes: []int{12}},
		"Repeat1": {kind: opRepeat},
		"+ false": {kind: opMap, fn: ir.FnAdd},
	} {
		if op, err := parseOp(text); err != nil || fmt.Sprint(op) != fmt.Sprint(want) {
			t.Errorf("%q is %v, %v; want %v", text, op, err, want)
		}
	}
	for _, text := range []string{"", "+ true", "÷ false", "exp", "Σ[x]", "Repeat2", "Aᵀ{0, 1}", "Aᵀ{0, 2, 1}", "a × b", "sigmoid "} {
		if op, err := parseOp(text); err == nil || err.Error() != fmt.Sprintf("unknown operation %q", text) {
			t.Errorf("%q is %v, %v; want an unknown operation", text, op, err)
		}
	}
}

// TestUnknownOps: the error for a graph that is not that of a network names the node
// and the operation, and says which operations are known.
func TestUnknownOps(t *testing.T) {
	for _, tt := range []struct {
		name string
		add  func(a *gorgonia.Node) (*gorgonia.Node, error)
		want string
	}{
		{"exp", gorgonia.Exp, `unknown operation "exp": this compiler knows the operations that networks of package graph have`},
		{"softmax", func(a *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.SoftMax(a) }, `unknown operation "Softmax`},
		{"quotient", func(a *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.HadamardDiv(a, a) }, `unknown operation "÷ false"`},
		{"sum over columns", func(a *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Sum(a, 1) }, `sum over axes [1]: want the rows (0) or all`},
		{"three axes", func(a *gorgonia.Node) (*gorgonia.Node, error) { return gorgonia.Reshape(a, []int{2, 1, 3}) }, `shape (2, 1, 3): want a matrix, a vector or a scalar`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := graph.Forward(model.Network{Layers: []int{4, 3}}, 2)
			if err != nil {
				t.Fatal(err)
			}
			node, err := tt.add(g.Output())
			if err != nil {
				t.Fatal(err)
			}
			_, err = Program(g, Options{})
			if err == nil {
				t.Fatal("no error")
			}
			if at := fmt.Sprintf("lower: node %%%d %q: ", node.ID(), node.Name()); !strings.HasPrefix(err.Error(), at) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("have %v\nwant %s%s", err, at, tt.want)
			}
		})
	}
}
