package ptxsim

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/rand/v2"
	"strings"
	"testing"
)

// runBody runs a kernel whose body is given on 64 bytes of memory, of which the first
// 32 are an allocation. %rd1 is its address, %r1 the thread.
func runBody(t *testing.T, body string, o Options) ([]byte, Counts, error) {
	t.Helper()
	p, err := Parse(`.version 8.0
.target sm_70
.extern .shared .align 16 .b8 dynamic_shared[];
.visible .entry test(
	.param .align 8 .b8 test_param_0[8]
)
{
	.reg .pred %p<9>;
	ld.param.u64 %rd1, [test_param_0];
	mov.u32 %r1, %tid.x;
	mul.wide.u32 %rd2, %r1, 4;
	mov.u64 %rd3, dynamic_shared;
	add.s64 %rd4, %rd3, %rd2;
` + body + `
	ret;
}
`)
	if err != nil {
		t.Fatal(err)
	}
	m := &Memory{Bytes: make([]byte, 64), Allocations: [][2]int{{0, 32}}}
	c, err := p.Run(Launch{Entry: "test", Grid: 1, Block: 64, Shared: 512, Argument: binary.LittleEndian.AppendUint64(nil, Address(0))}, m, o)
	return m.Bytes, c, err
}

// TestFaults has a kernel for each fault.
func TestFaults(t *testing.T) {
	for _, c := range []struct{ want, body string }{
		{"misaligned", "ld.global.u32 %r2, [%rd1+2];"},
		{"outside of the allocations", "ld.global.u32 %r2, [%rd1+32];"},
		{"outside of shared memory", "ld.shared.u32 %r2, [%rd4+512];"},
		{"undefined address", "ld.global.u32 %r2, [%rd9];"},
		{"undefined value decides", "setp.eq.s32 %p1, %r9, 0;\n@%p1 bra $L;\n$L:"},
		{"undefined value goes to global memory", "ld.shared.u32 %r2, [%rd4];\nst.global.u32 [%rd1], %r2;"},
		{"race", "st.shared.u32 [%rd3], %r1;"},
		{"race", "st.shared.u32 [%rd4], %r1;\nxor.b32 %r2, %r1, 32;\nmul.wide.u32 %rd5, %r2, 4;\nadd.s64 %rd6, %rd3, %rd5;\nld.shared.u32 %r3, [%rd6];"},
		{"race", "st.shared.u32 [%rd4], %r1;\nxor.b32 %r2, %r1, 1;\nmul.wide.u32 %rd5, %r2, 4;\nadd.s64 %rd6, %rd3, %rd5;\nld.shared.u32 %r3, [%rd6];"},
		{"race", "st.global.u32 [%rd1], %r1;"},
		{"elsewhere", "setp.lt.u32 %p1, %r1, 5;\n@%p1 bra $L;\nbar.sync 0;\n$L:"},
		{"a barrier after some threads", "setp.lt.u32 %p1, %r1, 32;\n@%p1 bra $L;\nbar.sync 0;\n$L:"},
		{"does not take part", "mov.u32 %r3, 40;\nshfl.sync.idx.b32 %r2|%p1, %r1, 20, 31, 1023;"},
		{"more than", "$L:\nbra $L;"},
	} {
		for _, o := range []Options{{Limit: 1e4}, {Limit: 1e4, Seed: 5}} {
			if _, _, err := runBody(t, c.body, o); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%q: error %v, want %q", c.body, err, c.want)
			}
		}
	}
}

// TestOrder: what barriers, of the block and of a warp, order is no race.
func TestOrder(t *testing.T) {
	for _, c := range []struct{ sync, with string }{{"bar.sync 0;", "32"}, {"bar.warp.sync -1;", "1"}} {
		body := "st.shared.u32 [%rd4], %r1;\n" + c.sync + "\nxor.b32 %r2, %r1, " + c.with + `;
mul.wide.u32 %rd5, %r2, 4;
add.s64 %rd6, %rd3, %rd5;
ld.shared.u32 %r3, [%rd6];
setp.ne.s32 %p1, %r1, 7;
@%p1 bra $L;
st.global.u32 [%rd1+4], %r3;
$L:`
		for _, o := range []Options{{Seed: 1}, {Seed: 2, Lanes: true}, {Seed: 3, Weak: true}, {Timed: true}} {
			memory, counts, err := runBody(t, body, o)
			if want := 7 ^ map[string]uint32{"32": 32, "1": 1}[c.with]; err != nil || binary.LittleEndian.Uint32(memory[4:]) != want {
				t.Errorf("%s %+v: %v, error %v, want %d", c.sync, o, memory[4:8], err, want)
			}
			if (counts.Cycles > 0) != o.Timed {
				t.Errorf("%+v: %d cycles", o, counts.Cycles)
			}
		}
	}
}

// TestBanks counts passes over the banks: none, two and 32 conflicts.
func TestBanks(t *testing.T) {
	for stride, want := range map[string]uint64{"4": 1, "8": 2, "0": 1} {
		_, c, err := runBody(t, "mul.wide.u32 %rd5, %r1, "+stride+";\nadd.s64 %rd6, %rd3, %rd5;\nld.shared.u32 %r2, [%rd6];", Options{})
		if err != nil || c.Wavefronts != 2*want || c.Ideal != 2 || c.Shared != 2 {
			t.Errorf("stride %s: %+v, error %v, want %d passes of each warp", stride, c, err, want)
		}
	}
}

// TestRefusals: Parse names what it does not implement.
func TestRefusals(t *testing.T) {
	for _, in := range []string{"sin.approx.f32 %f1, %f2;", "add.rz.f32 %f1, %f2, %f3;", "bar.sync 1;", "fma.rp.f32 %f1, %f2, %f3, %f4;", "bra $nowhere;"} {
		_, err := Parse(".visible .entry k(\n.param .b64 k_0\n)\n{\n" + in + "\n}\n")
		if err == nil || !strings.Contains(err.Error(), "line 5") {
			t.Errorf("%s: error %v, want one of line 5", in, err)
		}
	}
}

// TestFMA compares the fused products with exact arithmetic.
func TestFMA(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	value := func() float32 { return float32(math.Ldexp(rng.Float64()-0.5, rng.IntN(40)-20)) }
	for range 20000 {
		a, b, c := value(), value(), value()
		if rng.IntN(2) == 0 {
			c = -a * b * (1 + float32(rng.IntN(3)-1)*0x1p-23) // cancels
		}
		exact := func(mode big.RoundingMode) float32 {
			x := new(big.Float).SetPrec(200).SetFloat64(float64(a))
			x.Mul(x, big.NewFloat(float64(b)))
			x.Add(x, big.NewFloat(float64(c)))
			v, _ := new(big.Float).SetPrec(24).SetMode(mode).Set(x).Float32()
			return v
		}
		if got, want := fma32(a, b, c), exact(big.ToNearestEven); got != want && math.Abs(float64(want)) > 0x1p-120 {
			t.Fatalf("fma(%v, %v, %v) = %v, want %v", a, b, c, got, want)
		}
		if got, want := fmaDown(a, b, c), exact(big.ToNegativeInf); got != want && math.Abs(float64(want)) > 0x1p-120 {
			t.Fatalf("fma down(%v, %v, %v) = %v, want %v", a, b, c, got, want)
		}
	}
}
