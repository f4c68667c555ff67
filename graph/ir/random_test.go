package ir_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"trainer/data/files/costtest"
	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// run runs p and returns the memory.
func run[T float32 | float64](t *testing.T, p *ir.Program, seed uint64) *ir.Memory[T] {
	t.Helper()
	m := ir.NewMemory[T](p)
	irtest.Fill(source(seed), p, m)
	if err := ir.Interpret(p, m, 0.25); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRandomRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		p := irtest.Random(source(seed), irtest.Options{Elem: ir.Elem(seed % 2)})
		q, err := ir.Parse(p.String())
		if err != nil {
			t.Fatalf("seed %d: %v\n%v", seed, err, p)
		}
		if !q.Equal(p) {
			t.Fatalf("seed %d: read back as\n%v\nwant\n%v", seed, q, p)
		}
		if q.String() != p.String() {
			t.Fatalf("seed %d: printed again as\n%v\nwant\n%v", seed, q, p)
		}
	}
}

// The values of a random program are finite and at most irtest.Limit.
func TestRandomLimit(t *testing.T) {
	for seed := range uint64(150) {
		p := irtest.Random(source(seed), irtest.Options{MaxDim: 19})
		for r, values := range run[float64](t, p, seed).Buf {
			for _, v := range values {
				if !(math.Abs(v) <= irtest.Limit) {
					t.Fatalf("seed %d: %s has %v\n%v", seed, p.Buffers[r].Name, v, p)
				}
			}
		}
	}
}

// The result of Loop does not depend on where its operands are: a program gives the
// same bits if each buffer is stored by columns, with gaps between the columns.
func TestRandomStrides(t *testing.T) {
	for seed := range uint64(100) {
		p := irtest.Random(source(seed), irtest.Options{MaxDim: 19})
		want := run[float64](t, p, seed)
		m := ir.NewMemory[float64](p)
		irtest.Fill(source(seed), p, m)
		at := make([]ir.Matrix[float64], len(p.Buffers))
		for r, b := range p.Buffers {
			at[r] = ir.Matrix[float64]{V: make([]float64, b.Cols*(b.Rows+3)), Rows: b.Rows, Cols: b.Cols, RowStride: 1, ColStride: b.Rows + 3}
			for k, v := range m.Buf[r] {
				at[r].V[k/b.Cols+k%b.Cols*(b.Rows+3)] = v
			}
		}
		for _, in := range p.Code {
			var args []ir.Matrix[float64]
			for _, r := range in.Args {
				args = append(args, at[r])
			}
			ir.Loop(in, at[in.Dst], args)(0.25)
		}
		for r, b := range p.Buffers {
			for k := range m.Buf[r] {
				m.Buf[r][k] = at[r].At(k/b.Cols, k%b.Cols)
			}
		}
		if d := irtest.Diff(p, irtest.Values(p, m), irtest.Values(p, want), 0); d != "" {
			t.Fatalf("seed %d: %s\n%v", seed, d, p)
		}
	}
}

// float32 differs from float64 by rounding only. A chain of operations can amplify
// a rounding error, and there is no useful bound for all random programs. 1e-3 is
// far above the differences from rounding and far below those from a wrong loop.
func TestRandomFloat32(t *testing.T) {
	for seed := range uint64(50) {
		p := irtest.Random(source(seed), irtest.Options{MaxDim: 19})
		single, double := run[float32](t, p, seed), run[float64](t, p, seed)
		if d := irtest.Diff(p, irtest.Values(p, single), irtest.Values(p, double), 1e-3); d != "" {
			t.Fatalf("seed %d: %s\n%v", seed, d, p)
		}
	}
}

func TestRandomHasAllOps(t *testing.T) {
	p := irtest.Random(source(7), irtest.Options{Extra: 1})
	seen := map[ir.Op]bool{}
	for _, in := range p.Code {
		seen[in.Op] = true
	}
	for _, op := range ir.Ops() {
		if !seen[op] {
			t.Errorf("no %v in\n%v", op, p)
		}
	}
}

// The memory for a text is linear in its size.
func TestParseCost(t *testing.T) {
	const head = "program \"a\" float32 batch 1\n"
	for name, bomb := range map[string]func(size int) []byte{
		"buffers": func(size int) []byte {
			var b strings.Builder
			b.WriteString(head)
			for i := range size / 20 {
				fmt.Fprintf(&b, "b%d temporary 1x1\n", i)
			}
			return []byte(b.String())
		},
		"instructions": func(size int) []byte {
			return []byte(head + "x temporary 1x1\n" + strings.Repeat("x = transpose x\n", size/16))
		},
		"nesting": func(size int) []byte {
			return []byte(head + "x temporary 1x1\nx = map " + strings.Repeat("-(", size/2))
		},
		"lines": func(size int) []byte { return []byte(head + strings.Repeat("\n", size)) },
		"notes": func(size int) []byte { return []byte(head + strings.Repeat(";", size)) },
	} {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, 20_000, bomb, func(b []byte) { _, _ = ir.Parse(string(b)) })
		})
	}
}

// Parse, String and Verify do not panic, and Parse reads back the text of a valid
// program.
func FuzzParse(f *testing.F) {
	for seed := range uint64(5) {
		f.Add(irtest.Random(source(seed), irtest.Options{MaxDim: 5}).String())
	}
	f.Add("program \"a;b\" float64 batch 1\nx data 1x2 by input\noutput x\n0 x = map -(1) * --2 ; n")
	f.Add("program \"\" float32 batch 2147483647\nx data 2147483647x1\n")
	f.Fuzz(func(t *testing.T, text string) {
		var p *ir.Program
		var err error
		costtest.Check(t, len(text), 1<<20, 2000, func() { p, err = ir.Parse(text) })
		if err != nil {
			if !strings.HasPrefix(err.Error(), "ir: ") {
				t.Errorf("error %q", err)
			}
			return
		}
		printed := p.String()
		if ir.Verify(p) != nil {
			return
		}
		q, err := ir.Parse(printed)
		if err != nil {
			t.Fatalf("%v\n%s", err, printed)
		}
		if !q.Equal(p) {
			t.Fatalf("read back as\n%v\nwant\n%v", q, p)
		}
	})
}

// Sums are taken in blocks, and these in pairs: a sum of 2^20 + 300 tenths in
// float32 is exact but for some roundings of 2^-24, while a running sum is off by
// far more. The order is that of SumBlock.
func TestSumBlock(t *testing.T) {
	const n = 1<<20 + 300
	p := ir.MustParse(fmt.Sprintf("program \"s\" float32 batch 1\na parameter %dx1\nr temporary 1x1\nr = sumrows a", n))
	m := ir.NewMemory[float32](p)
	running := float32(0)
	for i := range m.Buf[0] {
		m.Buf[0][i] = 0.1
		running += 0.1
	}
	if err := ir.Interpret(p, m, 0); err != nil {
		t.Fatal(err)
	}
	want := n * float64(float32(0.1))
	if got := float64(m.Buf[1][0]); math.Abs(got/want-1) > 40*0x1p-24 || math.Abs(float64(running)/want-1) < 1e-3 {
		t.Errorf("got %v, a running sum %v, want %v", got, running, want)
	}
	// Blocks, pairs of blocks, and the rest, written out.
	for _, blocks := range []int{1, 2, 3, 5, 7} {
		n := ir.SumBlock*(blocks-1) + 3
		p := ir.MustParse(fmt.Sprintf("program \"s\" float32 batch 1\na parameter %dx1\nr temporary 1x1\nr = sumrows a", n))
		m := ir.NewMemory[float32](p)
		rng := source(uint64(blocks))
		for i := range m.Buf[0] {
			m.Buf[0][i] = rng.Float32() - 0.25
		}
		if err := ir.Interpret(p, m, 0); err != nil {
			t.Fatal(err)
		}
		if want := pairwise(m.Buf[0]); m.Buf[1][0] != want {
			t.Errorf("%d blocks: got %v, want %v", blocks, m.Buf[1][0], want)
		}
	}
}

// pairwise is the sum of v: the largest power of two of whole blocks on the left.
func pairwise(v []float32) float32 {
	if len(v) <= ir.SumBlock {
		s := float32(0)
		for _, x := range v {
			s += x
		}
		return s
	}
	left := ir.SumBlock
	for 2*left < len(v) {
		left *= 2
	}
	return pairwise(v[:left]) + pairwise(v[left:])
}
