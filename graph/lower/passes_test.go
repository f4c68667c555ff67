package lower

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
	"trainer/graph/model"
)

// textCase is a case of testdata/PASS.txt, where PASS has hyphens for spaces:
//
//	=== NAME
//	PROGRAM
//	--- OPTION
//	PROGRAM
//
// The second program is the first one after the pass. OPTION is "after", or
// "listing" for a pass with Options.Listing, or "unchanged", with no second program.
type textCase struct {
	name, before, option, after string
}

func textCases(t *testing.T, pass string) []textCase {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", strings.ReplaceAll(pass, " ", "-")+".txt"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []textCase
	for _, part := range strings.Split("\n"+string(text), "\n=== ")[1:] {
		name, rest, _ := strings.Cut(part, "\n")
		before, rest, ok := strings.Cut(rest, "\n--- ")
		option, after, _ := strings.Cut(rest, "\n")
		if !ok || option == "unchanged" != (strings.TrimSpace(after) == "") {
			t.Fatalf("%s: want a line that begins with --- and, unless it is --- unchanged, a program after it", name)
		}
		cases = append(cases, textCase{name, before, option, after})
	}
	return cases
}

// TestPassText compares the program after each pass with its text in testdata, and
// its results with those of the program before the pass. A second run of the pass
// must change nothing.
func TestPassText(t *testing.T) {
	for _, pass := range Passes {
		cases := textCases(t, pass.Name)
		acts, rests := 0, 0
		for _, c := range cases {
			if c.option == "unchanged" {
				c.after = c.before
				rests++
			} else {
				acts++
			}
			t.Run(pass.Name+"/"+c.name, func(t *testing.T) {
				before, after := parse(t, c.before), parse(t, c.after)
				p := before.Clone()
				if err := pass.Run(p, Options{Listing: c.option == "listing"}); err != nil {
					t.Fatal(err)
				}
				if err := ir.Verify(p); err != nil {
					t.Error(err)
				}
				if !p.Equal(after) {
					t.Errorf("have\n%swant\n%s", p, after)
				}
				if c.option != "listing" {
					if d := difference(t, p, before, 1); d != "" {
						t.Errorf("the pass changed the result: %s", d)
					}
				}
				again := p.Clone()
				if err := pass.Run(again, Options{Listing: c.option == "listing"}); err != nil || !again.Equal(p) {
					t.Errorf("a second run makes (%v)\n%sof\n%s", err, again, p)
				}
			})
		}
		if acts == 0 || rests == 0 {
			t.Errorf("%s: %d cases where it changes the program, %d where it must not: want some of both", pass.Name, acts, rests)
		}
	}
}

func parse(t *testing.T, text string) *ir.Program {
	t.Helper()
	p, err := ir.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	if err := ir.Verify(p); err != nil {
		t.Fatal(err)
	}
	return p
}

// difference runs p and q, whose parameters and inputs are the same, on the same
// random values. It describes where their parameters, outputs and costs differ, or
// returns "". Passes regroup products of a few factors, and differences of values of
// up to irtest.Limit may cancel: that is 1e-16 times 1e4 times a few.
func difference(t *testing.T, p, q *ir.Program, seed uint64) string {
	t.Helper()
	run := results[float64]
	if p.Elem == ir.Float32 {
		run = results[float32] // in the text tests, where nothing is regrouped
	}
	got, want := run(t, p, seed), run(t, q, seed)
	if len(got) != len(want) {
		return fmt.Sprintf("%d results, want %d", len(got), len(want))
	}
	for k := range want {
		if d := compare(got[k], want[k], 1e-11); d != "" {
			return fmt.Sprintf("result %d: %s", k, d)
		}
	}
	return ""
}

// results returns the parameters, the output and the cost after a run of p.
func results[T float32 | float64](t *testing.T, p *ir.Program, seed uint64) [][]float64 {
	t.Helper()
	m := ir.NewMemory[T](p)
	irtest.Fill(rand.New(rand.NewPCG(seed, 0)), p, m)
	if err := ir.Interpret(p, m, 0.5); err != nil {
		t.Fatal(err)
	}
	var results [][]float64
	values := irtest.Values(p, m)
	for r, b := range p.Buffers {
		if b.Kind == ir.Parameter {
			results = append(results, values[r])
		}
	}
	for _, r := range []ir.Ref{p.Output, p.Cost} {
		if r != ir.None {
			results = append(results, values[r])
		}
	}
	return results
}

// TestRandomPrograms runs all passes on random programs that are not networks, with
// the updates at the end, where Import puts them. No pass may change what a program
// computes.
func TestRandomPrograms(t *testing.T) {
	programs := 600
	if testing.Short() {
		programs = 60
	}
	acted := map[string]int{}
	for seed := range uint64(programs) {
		rng := rand.New(rand.NewPCG(seed, 3))
		p := irtest.Random(rng, irtest.Options{Elem: ir.Float64, MaxDim: 5, Extra: 1 + rng.IntN(30)})
		updatesLast(p)
		first := p.Clone()
		for _, pass := range Passes {
			before := p.Clone()
			if err := pass.Run(p, Options{}); err != nil {
				t.Fatal(err)
			}
			if err := ir.Verify(p); err != nil {
				t.Fatalf("seed %d, %s: %v\n%swas\n%s", seed, pass.Name, err, p, before)
			}
			if d := difference(t, p, first, seed); d != "" {
				t.Fatalf("seed %d, %s: %s\n%swas\n%s", seed, pass.Name, d, p, before)
			}
			if !p.Equal(before) {
				acted[pass.Name]++
			}
		}
	}
	for _, pass := range Passes {
		if acted[pass.Name] == 0 && !testing.Short() && pass.Name != "share sigmoids" { // σ(z) and σ(−z) are too rare
			t.Errorf("%s never changed a program, so this test says nothing about it", pass.Name)
		}
	}
}

// updatesLast moves the updates of p after all other instructions.
func updatesLast(p *ir.Program) {
	var updates []ir.Instr
	rest := p.Code[:0:0]
	for _, in := range p.Code {
		if in.Op.IsUpdate() {
			updates = append(updates, in)
		} else {
			rest = append(rest, in)
		}
	}
	p.Code = slices.Concat(rest, updates)
}

// TestTrace checks that Trace is called for the import and for each pass in order,
// and last with the result.
func TestTrace(t *testing.T) {
	g, err := graph.Step(model.Network{Layers: []int{4, 3, 2}, Bias: true}, 2)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	var last *ir.Program
	p, err := Program(g, Options{Trace: func(pass string, p *ir.Program) {
		names = append(names, pass)
		last = p.Clone()
	}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"import"}
	for _, pass := range Passes {
		want = append(want, pass.Name)
		if pass.Why == "" {
			t.Errorf("%s: no reason", pass.Name)
		}
	}
	if fmt.Sprint(names) != fmt.Sprint(want) {
		t.Errorf("traced %q, want %q", names, want)
	}
	if !last.Equal(p) {
		t.Error("the last trace is not the result")
	}
}

// TestBrokenPass checks that a fault of a pass is reported as a bug, with the name of
// the pass, and that the later passes do not run.
func TestBrokenPass(t *testing.T) {
	g, err := graph.Step(model.Network{Layers: []int{4, 3, 2}}, 1)
	if err != nil {
		t.Fatal(err)
	}
	passes := Passes
	defer func() { Passes = passes }()
	never := Pass{"never", "", func(*ir.Program, Options) error {
		t.Error("the pass after the broken one ran")
		return nil
	}}
	backwards := Pass{"backwards", "", func(p *ir.Program, _ Options) error {
		p.Code[0], p.Code[1] = p.Code[1], p.Code[0]
		return nil
	}}
	Passes = []Pass{passes[0], backwards, never}
	_, err = Program(g, Options{Trace: func(pass string, _ *ir.Program) {
		if pass == "backwards" {
			t.Error("a broken program was traced")
		}
	}})
	if err == nil || !strings.HasPrefix(err.Error(), "BUG: lower: after backwards: ir: verify: ") {
		t.Errorf("have %v, want a BUG after backwards", err)
	}

	full := errors.New("full")
	Passes = []Pass{{"refuses", "", func(*ir.Program, Options) error { return full }}, never}
	if _, err = Program(g, Options{}); !errors.Is(err, full) || !strings.HasPrefix(err.Error(), "lower: refuses: ") {
		t.Errorf("have %v, want lower: refuses: full", err)
	}
}

// compare describes where two tensors differ by more than bound, relative to the
// largest magnitude of want, or returns "". A NaN differs from everything.
func compare(got, want []float64, bound float64) string {
	if len(got) != len(want) {
		return fmt.Sprintf("%d values, want %d", len(got), len(want))
	}
	scale := 0.0
	for _, w := range want {
		scale = max(scale, math.Abs(w))
	}
	for i, w := range want {
		if d := math.Abs(got[i] - w); !(d <= bound*scale) {
			return fmt.Sprintf("value %d is %v, want %v: %.3g of %.3g, at most %.3g", i, got[i], w, d, scale, bound)
		}
	}
	return ""
}
