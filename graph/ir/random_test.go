package ir_test

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
)

func source(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 1)) }

// run runs p in memory of its own for each buffer, or in the arena, and returns
// the memory.
func run[T float32 | float64](t *testing.T, p *ir.Program, seed uint64, arena bool) *ir.Memory[T] {
	t.Helper()
	m := ir.NewMemory[T](p)
	if arena {
		var err error
		if m, err = ir.NewArena[T](p); err != nil {
			t.Fatal(err)
		}
	}
	irtest.Fill(source(seed), p, m)
	if err := ir.Interpret(p, m, 0.25); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestRandomRoundTrip(t *testing.T) {
	for seed := range uint64(300) {
		p := irtest.Random(source(seed), irtest.Options{Elem: ir.Elem(seed % 2), NoPlan: seed%3 == 0})
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

// A program gives the same bits with temporaries in the arena, and its values
// stay under irtest.Limit and are finite.
func TestRandomArena(t *testing.T) {
	inPlace := 0
	for seed := range uint64(150) {
		p := irtest.Random(source(seed), irtest.Options{MaxDim: 19})
		own := run[float64](t, p, seed, false)
		for r, values := range own.Buf {
			for _, v := range values {
				if !(math.Abs(v) <= irtest.Limit) {
					t.Fatalf("seed %d: %s has %v\n%v", seed, p.Buffers[r].Name, v, p)
				}
			}
		}
		shared := run[float64](t, p, seed, true)
		if d := irtest.Diff(p, irtest.Values(p, shared), irtest.Values(p, own), 0); d != "" {
			t.Fatalf("seed %d: in the arena %s\n%v", seed, d, p)
		}
		for _, in := range p.Code {
			for _, r := range in.Args {
				if o := p.Buffers[r].Offset; o != ir.Unplaced && o == p.Buffers[in.Dst].Offset {
					inPlace++
				}
			}
		}
	}
	if inPlace < 20 {
		t.Errorf("%d results in place of an argument in all programs, want 20 or more", inPlace)
	}
}

// A plan with one temporary moved is refused, or gives the same results: and
// plans that would give others are among those refused.
func TestRandomWrongPlan(t *testing.T) {
	refused, accepted, wrong := 0, 0, 0
	for seed := range uint64(400) {
		rng := source(seed)
		p := irtest.Random(rng, irtest.Options{MaxDim: 9})
		own := run[float64](t, p, seed, false)
		var temporaries []*ir.Buffer
		for r := range p.Buffers {
			if p.Buffers[r].Kind == ir.Temporary {
				temporaries = append(temporaries, &p.Buffers[r])
			}
		}
		b := temporaries[rng.IntN(len(temporaries))]
		good := b.Offset
		b.Offset = rng.IntN(p.Arena - b.Len() + 1)
		if err := ir.Verify(p); err != nil {
			if !strings.Contains(err.Error(), "share elements") {
				t.Fatalf("seed %d: %v", seed, err)
			}
			refused++
			bad := b.Offset
			b.Offset = good
			if d := runWrong(t, p, b, bad, seed, own); d != "" {
				wrong++
			}
			continue
		}
		accepted++
		shared := run[float64](t, p, seed, true)
		if d := irtest.Diff(p, irtest.Values(p, shared), irtest.Values(p, own), 0); d != "" {
			t.Fatalf("seed %d: Verify accepts the plan, and %s\n%v", seed, d, p)
		}
	}
	t.Logf("%d refused, of which %d give other results; %d accepted", refused, wrong, accepted)
	if refused < 50 || accepted < 50 || wrong < 25 {
		t.Errorf("%d refused, of which %d wrong, %d accepted: the test shows too little", refused, wrong, accepted)
	}
}

// runWrong runs the good plan p in an arena in which b lies at offset bad.
func runWrong(t *testing.T, p *ir.Program, b *ir.Buffer, bad int, seed uint64, own *ir.Memory[float64]) string {
	t.Helper()
	arena := make([]float64, p.Arena)
	m := ir.NewMemory[float64](p)
	for r := range p.Buffers {
		c := &p.Buffers[r]
		if c.Kind != ir.Temporary {
			continue
		}
		at := c.Offset
		if c == b {
			at = bad
		}
		m.Buf[r] = arena[at : at+c.Len()]
	}
	irtest.Fill(source(seed), p, m)
	if err := ir.Interpret(p, m, 0.25); err != nil {
		t.Fatal(err)
	}
	return irtest.Diff(p, irtest.Values(p, m), irtest.Values(p, own), 0)
}

// float32 differs from float64 by rounding only. A chain of operations can
// amplify a rounding error without a bound that we could state for all random
// programs; 1e-3 of Limit is far above what rounding gives and far below what
// a wrong loop gives.
func TestRandomFloat32(t *testing.T) {
	for seed := range uint64(50) {
		p := irtest.Random(source(seed), irtest.Options{MaxDim: 19})
		single, double := run[float32](t, p, seed, true), run[float64](t, p, seed, true)
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

// Neither Parse, String nor Verify panics, and what Verify accepts reads back.
func FuzzParse(f *testing.F) {
	for seed := range uint64(5) {
		f.Add(irtest.Random(source(seed), irtest.Options{MaxDim: 5}).String())
	}
	f.Add("program \"a;b\" float64 batch 1\nx data 1x2 @0\nkeep x\n0 x = map -(1) * --2 ; n")
	f.Add("program \"\" float32 batch 2147483647 arena 3\nx data 2147483647x1\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ir.Parse(text)
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
