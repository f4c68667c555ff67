package graph_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"trainer/graph"
	"trainer/graph/draw"
	"trainer/graph/model"
)

func TestStepShapes(t *testing.T) {
	for _, precision := range []model.Precision{model.Float32, model.Float64} {
		for _, bias := range []bool{false, true} {
			for _, batch := range []int{1, 7} {
				n := model.Network{Layers: []int{12, 5, 4, 3}, Bias: bias, Precision: precision}
				g, err := graph.Step(n, batch)
				if err != nil {
					t.Fatalf("%v, batch %d: %v", n, batch, err)
				}
				for i, w := range g.Weight {
					out, in := n.Layers[i+1], n.Layers[i]
					want := fmt.Sprint([]int{out, in})
					if got := fmt.Sprint([]int(w.Shape())); got != want {
						t.Errorf("%v: W^%d is %s, want %s", n, i+2, got, want)
					}
					if got := fmt.Sprint([]int(g.WeightGrad[i].Shape())); got != want {
						t.Errorf("%v: ∇W^%d is %s, want %s", n, i+2, got, want)
					}
					want = fmt.Sprint([]int{batch, out})
					if got := fmt.Sprint([]int(g.A[i].Shape())); got != want {
						t.Errorf("%v: a^%d is %s, want %s", n, i+2, got, want)
					}
					if bias {
						want = fmt.Sprint([]int{1, out})
						if got := fmt.Sprint([]int(g.BiasGrad[i].Shape())); got != want {
							t.Errorf("%v: ∇b^%d is %s, want %s", n, i+2, got, want)
						}
					}
				}
				if (g.Bias != nil) != bias || (g.BiasGrad != nil) != bias {
					t.Errorf("%v: bias nodes %v, gradients %v", n, g.Bias, g.BiasGrad)
				}
				if len(g.Learnables()) != len(g.Weight)+len(g.Bias) {
					t.Errorf("%v: learnables %v", n, g.Learnables())
				}
				if g.Cost.Dtype() != graph.Dtype(precision) || !g.Cost.IsScalar() {
					t.Errorf("%v: the cost is a %v of shape %v", n, g.Cost.Dtype(), g.Cost.Shape())
				}
			}
		}
	}
}

func TestBuildRefuses(t *testing.T) {
	good := model.Network{Layers: []int{4, 3}}
	for want, build := range map[string]func() (*graph.Graph, error){
		"batch of 0":    func() (*graph.Graph, error) { return graph.Step(good, 0) },
		"network of 1":  func() (*graph.Graph, error) { return graph.Step(model.Network{Layers: []int{4}}, 1) },
		"layer 2 has 0": func() (*graph.Graph, error) { return graph.Forward(model.Network{Layers: []int{4, 0}}, 1) },
		"activation(7)": func() (*graph.Graph, error) {
			return graph.Forward(model.Network{Layers: []int{4, 1}, Activation: 7}, 1)
		},
		"and precision(9)": func() (*graph.Graph, error) {
			return graph.Forward(model.Network{Layers: []int{4, 1}, Precision: 9}, 1)
		},
	} {
		if _, err := build(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
}

// TestDrawing checks that the drawing contains each symbol of the derivation
// once, and that every format can draw it.
func TestDrawing(t *testing.T) {
	for _, bias := range []bool{false, true} {
		for _, batch := range []int{1, 4} {
			g, err := graph.Step(model.Network{Layers: []int{6, 5, 4, 3}, Bias: bias}, batch)
			if err != nil {
				t.Fatal(err)
			}
			d := g.Drawing()
			notes := map[string]int{}
			for _, n := range d.Nodes {
				notes[n.Note]++
			}
			delta := "δ^%d (A.%d)"
			if bias && batch == 1 { // the same node
				delta = "δ^%[1]d = ∇b^%[1]d E (A.61, A.%[2]d)"
			}
			want := []string{
				fmt.Sprintf(delta, 4, 64), fmt.Sprintf(delta, 3, 65), fmt.Sprintf(delta, 2, 65),
				"x = a^1, one row per sample", "y, one row per sample", "W^2", "W^3", "W^4", "a^4 = g(z^4)",
				"∇W^4 E (A.55)", "∇W^3 E (A.56)", "∇W^2 E (A.56)",
				"E (A.45), its mean over the mini-batch (A.46)",
			}
			if bias {
				want = append(want, "b^2", "z^2 = W^2 a^1 + b^2")
			} else {
				want = append(want, "z^2 = W^2 a^1")
			}
			for _, note := range want {
				if notes[note] != 1 {
					t.Errorf("bias %t, batch %d: %d nodes have the note %q, want 1", bias, batch, notes[note], note)
				}
			}
			for name, write := range map[string]func() error{
				"text": func() error { return draw.Text(new(bytes.Buffer), d) },
				"dot":  func() error { return draw.DOT(new(bytes.Buffer), d) },
				"svg":  func() error { return draw.SVG(new(bytes.Buffer), d) },
			} {
				if err := write(); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		}
	}
}
