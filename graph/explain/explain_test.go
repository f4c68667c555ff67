package explain_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/explain"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
)

var update = flag.Bool("update", false, "write the golden text anew")

// largest bounds the difference of the two computations: promised are 1e-10.
const largest = 1e-10

// explained explains one image for the parameters p.
func explained(t *testing.T, o machines.Options, n model.Network, p model.Parameters, set *data.Set, options explain.Options) explain.Explanation {
	t.Helper()
	m, _, err := machines.Open(n, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if err := m.SetParameters(p); err != nil {
		t.Fatal(err)
	}
	options.Listing = o.Listing
	e, err := explain.Explain(m, machines.Compiler(n, o), set, options)
	if err != nil {
		t.Fatal(err)
	}
	after, err := m.Parameters()
	if err != nil || !reflect.DeepEqual(after, p) {
		t.Errorf("the machine has other parameters afterwards, %v", err)
	}
	return e
}

// tiny is a network whose numbers can be computed by hand, and an image for it.
// With c = ln 3, σ(c) = 3/4 and σ(0) = 1/2.
func tiny() (model.Network, model.Parameters, *data.Set) {
	c := math.Log(3)
	return model.Network{Layers: []int{2, 2, 1}, Bias: true, Precision: model.Float64},
		model.Parameters{
			{Out: 2, In: 2, Weight: []float64{0, 5 * c, -2 * c, 0}, Bias: []float64{0, 2 * c}},
			{Out: 1, In: 2, Weight: []float64{2 * c, -c}, Bias: []float64{0}},
		},
		&data.Set{Name: "two pixels", Rows: 1, Cols: 2, Classes: 1, Pixels: []uint8{255, 51}, Labels: []uint8{0}}
}

// TestByHand compares with numbers computed by hand: x = (1, 1/5), z^2 = (c, 0),
// a^2 = (3/4, 1/2), z^3 = c, a^3 = 3/4, E = 1/32, δ^3 = −1/4 · 3/16 = −3/64 and
// δ^2 = (2c · (−3/64) · 3/16, −c · (−3/64) · 1/4).
func TestByHand(t *testing.T) {
	n, p, set := tiny()
	e := explained(t, machines.Options{Device: machines.CPU}, n, p, set, explain.Options{Sample: set.Name, Rate: 1})
	c := math.Log(3)
	first, second := -2*c*3/64*3/16, c*3/64/4
	want := map[string][]float64{
		"z^2 = W^2 a^1 + b^2":       {c, 0},
		"a^2 = g(z^2), g = sigmoid": {0.75, 0.5},
		"z^3 = W^3 a^2 + b^3":       {c},
		"a^3 = g(z^3), g = sigmoid": {0.75},
		"A.45":                      {1.0 / 32},
		"A.46":                      {1.0 / 32},
		"A.50":                      {-3.0 / 64},
		"A.52":                      {-3.0 / 64},
		"A.54":                      {-3.0 / 64},
		"A.59":                      {first, second},
		"A.65":                      {first, second},
		"A.49":                      {-3.0 / 64 * 0.75}, // the larger of the two
	}
	for _, g := range e.Groups {
		for _, q := range g.Equations {
			for _, key := range []string{q.Number, q.Formula} {
				if w, ok := want[key]; ok {
					delete(want, key)
					if explain.Difference(q.Value.Values, w) > 1e-15 {
						t.Errorf("%s: %v, want %v", key, q.Value.Values, w)
					}
				}
			}
		}
	}
	if len(want) > 0 {
		t.Errorf("not in the explanation: %v", want)
	}
	// The largest gradient of W^2 is ∂E/∂w^2[0,0] = δ^2[0] x_0.
	if g := e.Gradient; g.Weight != (explain.Weight{Layer: 2}) || math.Abs(g.Delta-first) > 1e-15 || math.Abs(g.Machine-first) > 1e-15 ||
		math.Abs(g.Differences-first) > 1e-6*math.Abs(first)+g.Error {
		t.Errorf("gradient %+v, want %v", g, first)
	}
	if e.Step.CostBefore != e.Groups[1].Equations[0].Value.Norm || e.Step.CostAfter >= e.Step.CostBefore {
		t.Errorf("step %+v", e.Step)
	}
}

// TestGolden pins the text. Differences and last digits depend on the processor.
func TestGolden(t *testing.T) {
	n, p, set := tiny()
	e := explained(t, machines.Options{Device: machines.CPU}, n, p, set,
		explain.Options{Sample: set.Name, Rate: 1, Weight: &explain.Weight{Layer: 3, I: 0, J: 1}})
	e.Difference, e.Step.Difference, e.Gradient.Error = 0, 0, 1e-10
	for _, g := range e.Groups {
		for k := range g.Equations {
			g.Equations[k].Difference = 0
		}
	}
	for _, v := range []*float64{&e.Gradient.Machine, &e.Gradient.Delta, &e.Gradient.Differences} {
		*v = math.Round(*v*1e8) / 1e8
	}
	var b bytes.Buffer
	if err := e.Text(&b, true, lang.English); err != nil {
		t.Fatal(err)
	}
	const path = "testdata/tiny.txt"
	if *update {
		if err := os.WriteFile(path, b.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("have\n%s\nwant that of %s (go test ./graph/explain -run Golden -update)", b.String(), path)
	}
}

// numbers returns the equations of an explanation for a network with these
// properties, each once, in the order of the book.
func numbers(bias, hidden bool) (list []string) {
	for k := 45; k <= 66; k++ {
		if !bias && slices.Contains([]int{48, 60, 61, 63}, k) || !hidden && slices.Contains([]int{56, 57, 58, 59, 65}, k) {
			continue
		}
		list = append(list, fmt.Sprintf("A.%d", k))
	}
	return list
}

// TestAll explains networks of any depth on each machine. The equations are all
// there, each with the instructions that compute it, and all instructions of the
// program are explained.
func TestAll(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, layers := range [][]int{{6, 3}, {6, 1}, {1, 1, 1}, {6, 4, 3}, {12, 5, 4, 2}, {6, 11, 3, 4, 5}} {
		for variant := range 8 {
			n := model.Network{Layers: layers, Bias: variant&1 > 0, Activation: model.Activation(variant >> 1 & 1), Precision: model.Float64}
			o := machines.Options{Device: machines.CPU, Listing: variant&4 > 0, Kind: machines.Compiled}
			if variant == 3 {
				o.Kind = machines.Tape
			}
			set := &data.Set{Name: "random", Rows: 1, Cols: n.Inputs(), Classes: n.Outputs(), Labels: []uint8{uint8(r.IntN(n.Outputs()))}}
			for range n.Inputs() {
				set.Pixels = append(set.Pixels, uint8(r.UintN(256)))
			}
			p := model.Normal(n, 1, r)
			for _, l := range p {
				for k := range l.Bias {
					l.Bias[k] = r.NormFloat64()
				}
			}
			e := explained(t, o, n, p, set, explain.Options{Sample: "random", Rate: 0.5})
			check(t, e, n)

			program, err := machines.Compiler(n, o).Step(1)
			if err != nil {
				t.Fatal(err)
			}
			known := map[int]string{}
			for _, g := range e.Groups {
				for _, q := range g.Equations {
					for _, in := range q.Instructions {
						if in.Number >= 0 {
							known[in.Number] = in.Text
						}
					}
				}
			}
			for k := range program.Code {
				if known[k] != program.Text(k) {
					t.Errorf("%v: instruction %d is %q, want %q", n, k, known[k], program.Text(k))
				}
			}
		}
	}
}

// check checks what holds for every explanation.
func check(t *testing.T, e explain.Explanation, n model.Network) {
	t.Helper()
	if !(e.Difference <= largest) {
		t.Errorf("%v: the largest difference is %g", n, e.Difference)
	}
	var list []string
	for _, g := range e.Groups {
		if (len(g.Equations) == 0) && g.Note == (lang.Text{}) {
			t.Errorf("%v: %s: neither equations nor a reason", n, g.Title)
		}
		for _, q := range g.Equations {
			if q.Number != "" {
				list = append(list, q.Number)
			}
			if len(q.Instructions) == 0 {
				t.Errorf("%v: %s: no instructions", n, q.Formula)
			}
			if !(q.Difference <= e.Difference) {
				t.Errorf("%v: %s differs by %g, more than %g", n, q.Formula, q.Difference, e.Difference)
			}
		}
	}
	if !slices.IsSorted(list) {
		t.Errorf("%v: not in the order of the book: %v", n, list)
	}
	if got, want := slices.Compact(list), numbers(n.Bias, len(n.Layers) > 2); !slices.Equal(got, want) {
		t.Errorf("%v: equations %v, want %v", n, got, want)
	}
	g := e.Gradient
	if d := math.Abs(g.Differences - g.Delta); d > 1e-6*math.Abs(g.Delta)+g.Error {
		t.Errorf("%v: %v: difference %g, delta %g, error at most %g", n, g.Weight, g.Differences, g.Delta, g.Error)
	}
	text, err := json.Marshal(e)
	if err != nil {
		t.Fatalf("%v: %v", n, err)
	}
	var back explain.Explanation
	if err := json.Unmarshal(text, &back); err != nil || back.Difference != e.Difference || len(back.Groups) != len(e.Groups) {
		t.Errorf("%v: from JSON: %v", n, err)
	}
	var b bytes.Buffer
	if err := e.Text(&b, true, lang.English); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if columns := utf8.RuneCountInString(strings.TrimRight(line, "\n")); columns > 100 {
			t.Errorf("%v: %d columns: %s", n, columns, line)
		}
	}
}

// TestSamples explains a right, a wrong and a saturated sample of a trained network.
func TestSamples(t *testing.T) {
	d := data.GenerateDigits(1, 2000, 300)
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: model.Float64}
	o := machines.Options{Device: machines.CPU}
	m, _, err := machines.Open(n, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if err := m.SetParameters(model.Normal(n, model.HiddenRule(n), data.Stream(1, "initialisation", 0))); err != nil {
		t.Fatal(err)
	}
	if err := m.Train(context.Background(), vm.Pass{Set: d.Train, Batch: 1, Rate: 0.3}); err != nil {
		t.Fatal(err)
	}
	p, err := m.Parameters()
	if err != nil {
		t.Fatal(err)
	}
	right, wrong := false, false
	for i := 0; i < d.Test.Len() && (!right || !wrong); i++ {
		x, set := make([]float64, 784), d.Test.Slice(i, i+1)
		data.Input(x, set, 0)
		a, err := m.Predict(x)
		if err != nil {
			t.Fatal(err)
		}
		isRight := slices.Index(a, slices.Max(a)) == int(set.Labels[0])
		if isRight && right || !isRight && wrong {
			continue
		}
		right, wrong = right || isRight, wrong || !isRight
		e := explained(t, o, n, p, set, explain.Options{Sample: "digit", Rate: 0.3})
		check(t, e, n)
		if (e.Answer == e.Label) != isRight || e.Label != int(set.Labels[0]) {
			t.Errorf("image %d: label %d, answer %d", i, e.Label, e.Answer)
		}
	}
	if !right || !wrong {
		t.Errorf("a right sample: %t, a wrong one: %t", right, wrong)
	}

	for _, l := range p { // z of hundreds: a is 0 or 1, and δ is 0
		for k := range l.Weight {
			l.Weight[k] *= 1000
		}
	}
	e := explained(t, o, n, p, d.Test.Slice(0, 1), explain.Options{Sample: "saturated", Rate: 0.3})
	check(t, e, n)
	if z := e.Groups[0].Equations[0].Value; z.Max < 100 {
		t.Errorf("z^2 is at most %g: not saturated", z.Max)
	}
}

// wrongMachine is a machine whose gradients are wrong by a thousandth.
type wrongMachine struct{ vm.VM }

func (m wrongMachine) Gradients(x, y []float64) (float64, model.Parameters, error) {
	cost, g, err := m.VM.Gradients(x, y)
	if err == nil {
		g[0].Weight[0] *= 1.001
	}
	return cost, g, err
}

// TestWrongMachine: a difference is seen, and a Difference of numbers that are none
// is not 0.
func TestWrongMachine(t *testing.T) {
	n, p, set := tiny()
	o := machines.Options{Device: machines.CPU}
	m, _, err := machines.Open(n, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	if err := m.SetParameters(p); err != nil {
		t.Fatal(err)
	}
	e, err := explain.Explain(wrongMachine{m}, machines.Compiler(n, o), set, explain.Options{Rate: 1})
	if err != nil || e.Difference < 1e-6 {
		t.Errorf("difference %g, %v; want 1e-3 of ∂E/∂w^2[0,0]", e.Difference, err)
	}
	for _, v := range [][]float64{{math.NaN()}, {}, {math.Inf(1)}} {
		if d := explain.Difference(v, []float64{1}); !math.IsInf(d, 1) {
			t.Errorf("%v and 1 differ by %v", v, d)
		}
	}
}

func TestErrors(t *testing.T) {
	n, p, set := tiny()
	for name, c := range map[string]struct {
		change func(n *model.Network, s *data.Set, o *explain.Options)
		want   string
	}{
		"precision": {func(n *model.Network, _ *data.Set, _ *explain.Options) { n.Precision = model.Float32 }, "want one for float64"},
		"two":       {func(_ *model.Network, s *data.Set, _ *explain.Options) { s.Labels = append(s.Labels, 0) }, "2 images: want one"},
		"size":      {func(_ *model.Network, s *data.Set, _ *explain.Options) { s.Rows = 2 }, "2×2 pixels"},
		"rate":      {func(_ *model.Network, _ *data.Set, o *explain.Options) { o.Rate = math.NaN() }, "rate NaN"},
		"layer":     {func(_ *model.Network, _ *data.Set, o *explain.Options) { o.Weight = &explain.Weight{Layer: 4} }, "layer 4, want 2 to 3"},
		"node":      {func(_ *model.Network, _ *data.Set, o *explain.Options) { o.Weight = &explain.Weight{Layer: 3, I: 1} }, "node 1 of layer 3, want 0 to 0"},
		"before":    {func(_ *model.Network, _ *data.Set, o *explain.Options) { o.Weight = &explain.Weight{Layer: 3, J: 2} }, "node 2 of layer 2, want 0 to 1"},
	} {
		changed, other, o := n, *set, explain.Options{Rate: 1}
		c.change(&changed, &other, &o)
		m, _, err := machines.Open(changed, machines.Options{Device: machines.CPU})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetParameters(p); err != nil {
			t.Fatal(err)
		}
		_, err = explain.Explain(m, machines.Compiler(changed, machines.Options{}), &other, o)
		if err == nil || !strings.HasPrefix(err.Error(), "explain: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
		_ = m.Close()
	}
}
