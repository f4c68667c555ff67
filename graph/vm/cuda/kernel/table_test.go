package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"trainer/graph/ir"
	"trainer/graph/lower"
	"trainer/graph/model"
)

// newTable returns an encoder whose table a test reads.
func newTable(t testing.TB, p *ir.Program, mode Mode) *encoder {
	t.Helper()
	e := &encoder{p: p, o: Options{Mode: mode}, place: map[ir.Ref]Placement{}, image: &Image{}}
	if err := e.layout(); err != nil {
		t.Fatal(err)
	}
	return e
}

// slow says why a device instruction is not as fast as it could be; "" if it is.
func slow(s *step) string {
	switch {
	case s.sink == sinkMap && s.form == formCode:
		return "bytecode"
	case s.sink == sinkUpdate:
		return "a multiplication by the rate for each weight"
	case slices.ContainsFunc(s.operands(), func(m *matrix) bool { return m.operand.Space == spaceData }):
		return "zero pixels"
	}
	return ""
}

// eachProgram calls f with the programs of networks with all activations, with
// and without a bias, in both update orders.
func eachProgram(t *testing.T, layers [][]int, batches []int, f func(what string, p *ir.Program)) {
	t.Helper()
	for _, sizes := range layers {
		for _, activation := range []model.Activation{model.Sigmoid, model.Tanh} {
			for _, bias := range []bool{false, true} {
				for _, listing := range []bool{false, true} {
					for _, batch := range batches {
						n := model.Network{Layers: sizes, Activation: activation, Bias: bias}
						c := lower.Compiler{Network: n, Options: lower.Options{Listing: listing}}
						for what, compile := range map[string]func(int) (*ir.Program, error){"forward": c.Forward, "step": c.Step, "step with cost": c.StepWithCost} {
							p, err := compile(batch)
							if err != nil {
								t.Fatal(err)
							}
							f(fmt.Sprintf("%v, batch %d, listing %t, %s", n, batch, listing, what), p)
						}
					}
				}
			}
		}
	}
}

// TestTable: every op has a device instruction, and those of a network's programs
// are fast, but for the cost. So a pass that stops producing what a device
// instruction takes fails here, before it makes the machine slow.
func TestTable(t *testing.T) {
	eachProgram(t, [][]int{{784, 50, 10}, {9, 4}, {20, 9, 7, 5}, {1, 1, 1}}, []int{1, 6}, func(what string, p *ir.Program) {
		for _, mode := range []Mode{Block, Grid} {
			e, maps := newTable(t, p, mode), 0
			for i, in := range p.Code {
				switch why := slow(e.entry(in)); {
				case p.Cost != ir.None && in.Op == ir.Map:
					maps++
				case why != "":
					t.Errorf("%s, %v mode: %q costs %s", what, mode, p.Text(i), why)
				}
			}
			if want := 2; p.Cost != ir.None && maps != want {
				t.Errorf("%s: the cost has %d maps, want %d\n%v", what, maps, want, p)
			}
		}
	})
	one := ir.MustParse(`program "one of each" float32 batch 1
  x data      1x1
  y target    1x1
  w parameter 1x1
`)
	e := newTable(t, one, Block)
	for _, op := range ir.Ops() {
		if s := e.entry(ir.Instr{Op: op, Dst: 2, Args: []ir.Ref{0, 1, 2}}); s == nil || op != ir.Fill && len(s.operands()) == 0 {
			t.Errorf("%v: no device instruction", op)
		}
	}
}

// TestTableNeedsPasses: TestTable fails when one of these passes is missing.
func TestTableNeedsPasses(t *testing.T) {
	passes := lower.Passes
	defer func() { lower.Passes = passes }()
	for _, name := range []string{"fold bias", "fuse updates", "select", "fold rate", "lay out parameters"} {
		i := slices.IndexFunc(passes, func(p lower.Pass) bool { return p.Name == name })
		if i < 0 {
			t.Fatalf("no pass %q", name)
		}
		lower.Passes = slices.Delete(slices.Clone(passes), i, i+1)
		n := model.Network{Layers: []int{784, 50, 10}, Bias: true}
		p, err := lower.Compiler{Network: n}.Step(6)
		if err != nil {
			t.Fatal(err)
		}
		e := newTable(t, p, Block)
		if !slices.ContainsFunc(p.Code, func(in ir.Instr) bool { return slow(e.entry(in)) != "" }) {
			t.Errorf("without %q every instruction is fast\n%v", name, p)
		}
	}
}

// TestFusedChosen: every step of 784-50-10 with single samples has the fused mode.
func TestFusedChosen(t *testing.T) {
	steps := 0
	eachProgram(t, [][]int{{784, 50, 10}}, []int{1}, func(what string, p *ir.Program) {
		im, err := Encode(p, Options{Mode: Fused, Shared: 227 << 10})
		if strings.HasSuffix(what, "forward") {
			if err == nil {
				t.Errorf("%s: a forward pass in fused mode", what)
			}
			return
		}
		steps++
		if err != nil || im.Entry != "vm_fused_f32" || im.instructions != 1 {
			t.Errorf("%s: %v, want one fused instruction\n%v", what, err, p)
		}
	})
	if want := 16; steps != want { // activation, bias, order, cost
		t.Errorf("%d steps, want %d", steps, want)
	}
}

// TestLongSums: no thread adds more terms than struct Sums takes.
func TestLongSums(t *testing.T) {
	c := lower.Compiler{Network: model.Network{Layers: []int{9, 5, 3}, Bias: true}}
	p, err := c.StepWithCost(3 * sumTerms)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []Options{{Threads: 32, Shared: 1 << 20}, {Mode: Grid, Threads: 32, Blocks: 1, Shared: 1 << 20}} {
		e := newTable(t, p, o.Mode)
		e.o, e.temps, e.next = o, map[int]*temp{}, len(p.Buffers)
		for _, pass := range []func() error{e.translate, e.join, e.split} {
			if err := pass(); err != nil {
				t.Fatal(err)
			}
		}
		parts := 0
		for _, s := range e.steps {
			if s.op == opDot || s.op == opPixels {
				if s.chunk > sumTerms*s.lanes || s.chunk*s.splits < s.inner {
					t.Errorf("%v mode: %d lanes, %d parts of %d terms, for %d terms", o.Mode, s.lanes, s.splits, s.chunk, s.inner)
				}
				parts = max(parts, s.splits)
			}
		}
		if parts < 3 {
			t.Errorf("%v mode: at most %d parts, want 3 or more", o.Mode, parts)
		}
	}
}
