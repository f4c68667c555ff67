package cpu

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"trainer/data"
	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu/kernel"
)

// runProgram runs p as a plan. It takes the values from m and writes them back.
func runProgram[T kernel.Float](p *ir.Program, k kernel.Set[T], m *ir.Memory[T], rate T) *plan[T] {
	parameters := newTensors[T](p)
	for k, r := range p.Parameters() {
		parameters[k].write(widen(m.Buf[r]))
	}
	pl := newPlan(p, k, parameters)
	pl.rate = rate
	pl.block(0, p.Batch)
	for r, b := range p.Buffers {
		switch b.Kind {
		case ir.Data:
			rows := inputRows[T](widen(m.Buf[r]), b.Cols)
			rows.begin(pl)
			for i := range pl.samples {
				rows.load(pl, i, i)
			}
		case ir.Target:
			for i := range pl.samples {
				s := &pl.samples[i]
				s.target = kernel.Aligned[T](kernel.Pad[T](b.Cols))
				copy(s.target, m.Buf[r][i*b.Cols:(i+1)*b.Cols])
			}
		}
	}
	pl.run()
	for r, b := range p.Buffers {
		if b.Kind == ir.Parameter || b.Kind == ir.Temporary {
			values := make([]float64, b.Len())
			pl.buffer[r].read(values)
			for i, v := range values {
				m.Buf[r][i] = T(v)
			}
		}
	}
	return pl
}

func widen[T kernel.Float](v []T) []float64 {
	w := make([]float64, len(v))
	for i := range v {
		w[i] = float64(v[i])
	}
	return w
}

// checkRandom runs a random program as a plan and with ir.Interpret, and compares the
// parameters, the output and the cost.
func checkRandom[T kernel.Float](t *testing.T, seed uint64, elem ir.Elem, k kernel.Set[T]) {
	t.Helper()
	random := rand.New(rand.NewPCG(seed, 1))
	p := irtest.Random(random, irtest.Options{Elem: elem, MaxDim: 1 + int(seed%9)})
	own, want := ir.NewMemory[T](p), ir.NewMemory[T](p)
	irtest.Fill(random, p, own)
	for r := range p.Buffers {
		copy(want.Buf[r], own.Buf[r])
	}
	runProgram(p, k, own, 0.25)
	if err := ir.Interpret(p, want, 0.25); err != nil {
		t.Fatal(err)
	}
	// Values are at most irtest.Limit, sums have tens of terms, and a program has
	// tens of instructions. The bound of 2^14 roundings is more than enough, and
	// far less than the effect of a wrong operand.
	tolerance := math.Pow(2, 14-24)
	if elem == ir.Float64 {
		tolerance = math.Pow(2, 14-53)
	}
	if diff := irtest.Diff(p, irtest.Values(p, own), irtest.Values(p, want), tolerance); diff != "" {
		t.Fatalf("seed %d, kernels %s: %s\n%v", seed, k.Name, diff, p)
	}
}

// TestRandomPrograms: instructions without a kernel are right too.
func TestRandomPrograms(t *testing.T) {
	for seed := range uint64(150) {
		for _, k := range kernel.Float32() {
			checkRandom(t, seed, ir.Float32, k)
		}
		for _, k := range kernel.Float64() {
			checkRandom(t, seed, ir.Float64, k)
		}
	}
}

func FuzzRandomPrograms(f *testing.F) {
	f.Add(uint64(1))
	f.Fuzz(func(t *testing.T, seed uint64) {
		checkRandom(t, seed, ir.Float64, kernel.Float64()[0])
	})
}

func compiler(n model.Network) lower.Compiler { return lower.Compiler{Network: n} }

// plainLoops are the ops that have no kernel on this machine. In the programs of a
// network only the cost needs some of them, and a fast run does not ask for the cost.
var plainLoops = []ir.Op{ir.Fill, ir.Transpose, ir.Reshape, ir.Repeat, ir.SumRows, ir.SumAll, ir.Map}

// TestTable: every op has a kernel in some program of a network, or is declared to run
// as a plain loop. And every instruction of a network's programs has a kernel, except
// for the cost. If a pass no longer produces what a kernel needs, this test fails;
// otherwise the machine would just become slow.
func TestTable(t *testing.T) {
	kernels := map[ir.Op]bool{}
	for _, activation := range []model.Activation{model.Sigmoid, model.Tanh} {
		for _, bias := range []bool{false, true} {
			for _, layers := range [][]int{{784, 50, 10}, {9, 4}, {20, 9, 7, 5}, {1, 1, 1}} {
				for _, batch := range []int{1, 6} {
					for _, listing := range []bool{false, true} {
						n := model.Network{Layers: layers, Activation: activation, Bias: bias}
						c := lower.Compiler{Network: n, Options: lower.Options{Listing: listing}}
						for what, compile := range map[string]func(int) (*ir.Program, error){"forward": c.Forward, "step": c.Step, "step with cost": c.StepWithCost} {
							p, err := compile(batch)
							if err != nil {
								t.Fatal(err)
							}
							pl := newPlan(p, kernel.Float32()[0], newTensors[float32](p))
							plain := 0
							for i, in := range p.Code {
								switch e := pl.entry(in); {
								case e.kernel != "":
									kernels[in.Op] = true
								case p.Cost == ir.None || !slices.Contains(plainLoops, in.Op):
									t.Errorf("%v, batch %d, listing %t, %s: %q runs as a plain loop", n, batch, listing, what, p.Text(i))
								default:
									plain++
								}
							}
							if want := 3; p.Cost != ir.None && plain != want {
								t.Errorf("%v, batch %d: the cost takes %d plain loops, want %d\n%v", n, batch, plain, want, p)
							}
							if p.Cost == ir.None && !listing && (!pl.parallel || len(pl.stages) != 1) {
								t.Errorf("%v, batch %d, %s: %d stages, want 1, parallel\n%v", n, batch, what, len(pl.stages), p)
							}
						}
					}
				}
			}
		}
	}
	for _, op := range ir.Ops() {
		// The update of b is an Update for one sample and a RowUpdate for several:
		// both are among the programs above.
		if kernels[op] == slices.Contains(plainLoops, op) {
			t.Errorf("%v: kernel %t, declared to be a plain loop %t", op, kernels[op], slices.Contains(plainLoops, op))
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
		p, err := compiler(n).Step(6)
		if err != nil {
			t.Fatal(err)
		}
		if newPlan(p, kernel.Float32()[0], newTensors[float32](p)).parallel {
			t.Errorf("without %q every instruction has a kernel\n%v", name, p)
		}
	}
}

// randomSet returns n images of inputs pixels. The share density of them is not zero.
func randomSet(n, inputs int, density float64) *data.Set {
	random := rand.New(rand.NewPCG(2, uint64(n)))
	s := &data.Set{Name: "random", Rows: 1, Cols: inputs, Classes: 10, Pixels: make([]uint8, n*inputs), Labels: make([]uint8, n)}
	for i := range s.Pixels {
		if random.Float64() < density {
			s.Pixels[i] = uint8(1 + random.IntN(255))
		}
	}
	for i := range s.Labels {
		s.Labels[i] = uint8(random.IntN(10))
	}
	return s
}

func parameters(n model.Network) model.Parameters {
	p := model.Normal(n, 0.3, data.Stream(3, "cpu test", 0))
	for _, l := range p {
		for i := range l.Bias {
			l.Bias[i] = 0.01 * float64(i)
		}
	}
	p.Round(n.Precision)
	return p
}

// TestSameBitsOnAnyCores: parameters and scores do not depend on the number of cores,
// for dense and sparse sets, with ragged batches, with and without an order.
func TestSameBitsOnAnyCores(t *testing.T) {
	for _, density := range []float64{0.2, 1} {
		for _, batch := range []int{1, 7, 64} {
			for _, layers := range [][]int{{100, 50, 10}, {100, 13, 17, 10}, {100, 300, 10}} {
				for _, precision := range []model.Precision{model.Float32, model.Float64} {
					n := model.Network{Layers: layers, Bias: true, Precision: precision}
					set := randomSet(1203, 100, density)
					var first model.Parameters
					var score vm.Score
					for _, cores := range []int{1, 2, 3, 5} {
						m, err := New(n, compiler(n), Options{Cores: cores})
						if err != nil {
							t.Fatal(err)
						}
						if err := m.SetParameters(parameters(n)); err != nil {
							t.Fatal(err)
						}
						for _, order := range [][]int32{nil, data.Shuffled(set.Len(), 4, 1)} {
							if err := m.Train(context.Background(), vm.Pass{Set: set, Order: order, Batch: batch, Rate: 0.3}); err != nil {
								t.Fatal(err)
							}
						}
						p, err := m.Parameters()
						if err != nil {
							t.Fatal(err)
						}
						s, err := m.Evaluate(context.Background(), set)
						if err != nil {
							t.Fatal(err)
						}
						if first == nil {
							first, score = p, s
						}
						if !reflect.DeepEqual(p, first) {
							t.Errorf("density %g, %v, batch %d: other parameters on %d cores than on one", density, n, batch, cores)
						}
						if !reflect.DeepEqual(s, score) {
							t.Errorf("density %g, %v, batch %d: score %v on %d cores, %v on one", density, n, batch, s, cores, score)
						}
						if err := m.Close(); err != nil {
							t.Error(err)
						}
					}
				}
			}
		}
	}
}

// TestDenseIsSparse: dense rows give the same as sparse rows, except for rounding.
func TestDenseIsSparse(t *testing.T) {
	n := model.Network{Layers: []int{100, 50, 10}, Bias: true, Precision: model.Float64}
	dense := randomSet(300, 100, 1)
	got := map[bool]model.Parameters{}
	for _, asDense := range []bool{false, true} {
		v, err := New(n, compiler(n), Options{})
		if err != nil {
			t.Fatal(err)
		}
		m := v.(*machine[float64])
		r, err := m.resident(dense)
		if err != nil {
			t.Fatal(err)
		}
		if r.dense == nil {
			t.Fatal("a set without zeros is not dense")
		}
		if !asDense {
			x := make([]float64, len(dense.Pixels))
			for i := range dense.Len() {
				data.Input(x[i*100:(i+1)*100], dense, i)
			}
			s := inputRows[float64](x, 100)
			s.set, s.labels, s.target = dense, dense.Labels, r.target
			m.sets.put(dense, s)
		}
		if err := m.SetParameters(parameters(n)); err != nil {
			t.Fatal(err)
		}
		if err := m.Train(context.Background(), vm.Pass{Set: dense, Batch: 1, Rate: 0.3}); err != nil {
			t.Fatal(err)
		}
		if got[asDense], err = m.Parameters(); err != nil {
			t.Fatal(err)
		}
	}
	for i, l := range got[true] {
		for j, v := range l.Weight {
			if w := got[false][i].Weight[j]; math.Abs(v-w) > 1e-12 {
				t.Fatalf("%s[%d] is %v dense, %v sparse", model.WeightName(i), j, v, w)
			}
		}
	}
}

// TestNoAllocation: the number of allocations of a pass does not depend on its length,
// on one core and on several.
func TestNoAllocation(t *testing.T) {
	n := model.Network{Layers: []int{100, 50, 10}, Bias: true}
	set := randomSet(20_000, 100, 0.2)
	for _, cores := range []int{1, 2} {
		for _, batch := range []int{1, 50} {
			m, err := New(n, compiler(n), Options{Cores: cores})
			if err != nil {
				t.Fatal(err)
			}
			allocations := func(samples int) float64 {
				pass := vm.Pass{Set: set.Slice(0, samples), Batch: batch, Rate: 0.1}
				return testing.AllocsPerRun(3, func() {
					if err := m.Train(context.Background(), pass); err != nil {
						t.Fatal(err)
					}
				})
			}
			// The goroutines of a team may allocate when they start. The steps may
			// not.
			if few, many := allocations(1000), allocations(20_000); many > few+4 {
				t.Errorf("%d cores, batch %d: %v allocations for 1,000 samples, %v for 20,000", cores, batch, few, many)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestSnapshot: a snapshot evaluates the parameters of its time while the machine
// trains.
func TestSnapshot(t *testing.T) {
	n := model.Network{Layers: []int{100, 50, 10}, Bias: true}
	set := randomSet(3000, 100, 0.2)
	m, err := New(n, compiler(n), Options{Cores: 2})
	if err != nil {
		t.Fatal(err)
	}
	if err := m.SetParameters(parameters(n)); err != nil {
		t.Fatal(err)
	}
	want, err := m.Evaluate(context.Background(), set)
	if err != nil {
		t.Fatal(err)
	}
	s, err := m.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Snapshot(); err == nil {
		t.Error("a second snapshot at a time: no error")
	}
	done := make(chan error, 1)
	go func() {
		for range 20 {
			got, err := s.Evaluate(context.Background(), set)
			if err == nil && !reflect.DeepEqual(got, want) {
				err = fmt.Errorf("score %v, want %v", got, want)
			}
			if err != nil {
				done <- err
				return
			}
		}
		done <- s.Close()
	}()
	for range 5 {
		if err := m.Train(context.Background(), vm.Pass{Set: set, Batch: 1, Rate: 0.5}); err != nil {
			t.Fatal(err)
		}
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if s, err = m.Snapshot(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Evaluate(context.Background(), set); err != nil || reflect.DeepEqual(got, want) {
		t.Errorf("a snapshot after training has the score from before it, %v", err)
	}
	if _, err := s.Evaluate(context.Background(), set.Slice(0, 5)); err == nil || !strings.Contains(err.Error(), "not loaded") {
		t.Errorf("a set that was not loaded: %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	wide := model.Network{Layers: []int{65537, 1}}
	if _, err := New(wide, compiler(wide), Options{}); err == nil || !strings.Contains(err.Error(), "65536") {
		t.Errorf("65,537 inputs: %v", err)
	}
	n := model.Network{Layers: []int{4, 1}}
	if _, err := New(n, compiler(n), Options{Kernels: "mmx"}); err == nil || !strings.Contains(err.Error(), `"mmx"`) {
		t.Errorf("unknown kernels: %v", err)
	}
}

// BenchmarkDensity times a training step with sparse and with dense rows, for several
// shares of pixels that are not zero. denseFrom comes from it.
func BenchmarkDensity(b *testing.B) {
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true}
	for _, density := range []float64{0.2, 0.5, 0.7, 0.8, 0.9, 1} {
		set := randomSet(1000, 784, density)
		for _, asDense := range []bool{false, true} {
			b.Run(fmt.Sprintf("%g/dense=%t", density, asDense), func(b *testing.B) {
				v, err := New(n, compiler(n), Options{})
				if err != nil {
					b.Fatal(err)
				}
				m := v.(*machine[float32])
				x := make([]float64, len(set.Pixels))
				dense := make([]float32, len(set.Pixels))
				for i := range set.Len() {
					data.Input(x[i*784:(i+1)*784], set, i)
				}
				for i, v := range x {
					dense[i] = float32(v)
				}
				r := inputRows[float32](x, 784)
				r.labels = set.Labels
				if asDense {
					r.dense = dense
				}
				m.sets.put(set, r)
				for b.Loop() {
					if err := m.Train(context.Background(), vm.Pass{Set: set, Batch: 1, Rate: 0.01}); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1000, "ns/sample")
			})
		}
	}
}

// TestLongRow: a layer can be so wide that the sum of its bias is larger than the memory
// that is summed at a time.
func TestLongRow(t *testing.T) {
	n := model.Network{Layers: []int{4, 30_000, 10}, Bias: true}
	set := randomSet(6, 4, 1)
	for _, cores := range []int{1, 2} {
		m, err := New(n, compiler(n), Options{Cores: cores})
		if err != nil {
			t.Fatal(err)
		}
		before, err := m.Parameters()
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Train(t.Context(), vm.Pass{Set: set, Batch: 3, Rate: 1e-4}); err != nil {
			t.Fatal(err)
		}
		after, err := m.Parameters()
		if err != nil {
			t.Fatal(err)
		}
		// A small rate keeps the outputs from saturation, with so many hidden nodes.
		// From weights of zero all outputs are 1/2 in the first step, so the second
		// moves every hidden bias, and all by the same.
		for i, b := range after[0].Bias {
			if b == before[0].Bias[i] || b != after[0].Bias[0] {
				t.Fatalf("%d cores: hidden bias %d is %g, the first %g", cores, i, b, after[0].Bias[0])
			}
		}
	}
}

// TestStages: the number of stages that decides how many cores a mini-batch gets is that
// of its plan.
func TestStages(t *testing.T) {
	for _, layers := range [][]int{{784, 50, 10}, {784, 1000, 10}, {784, 300, 100, 10}, {784, 30, 100, 60, 10}, {100, 60, 60, 60, 10}} {
		for _, batch := range []int{1, 4, 32, 300} {
			n := model.Network{Layers: layers, Bias: true}
			v, err := New(n, compiler(n), Options{})
			if err != nil {
				t.Fatal(err)
			}
			m := v.(*machine[float32])
			pl, err := m.plan(batch, false)
			if err != nil {
				t.Fatal(err)
			}
			if got := m.stages(batch); got != len(pl.stages) {
				t.Errorf("%v, batch %d: %d stages, the plan has %d", layers, batch, got, len(pl.stages))
			}
		}
	}
}

// BenchmarkGuards measures what the numerical guards cost: the copy of the parameters
// and the check that they are finite, as a part of the steps between two checks.
func BenchmarkGuards(b *testing.B) {
	for _, c := range []struct {
		layers []int
		batch  int
	}{{[]int{784, 50, 10}, 1}, {[]int{784, 50, 10}, 10}, {[]int{784, 50, 10}, 128}, {[]int{784, 1000, 1000, 10}, 128}, {[]int{784, 9000, 9000, 10}, 1}} {
		b.Run(fmt.Sprint(c.layers, " batch ", c.batch), func(b *testing.B) {
			n := model.Network{Layers: c.layers, Precision: model.Float32, Bias: true}
			v, err := New(n, compiler(n), Options{})
			if err != nil {
				b.Fatal(err)
			}
			m := v.(*machine[float32])
			if err := m.SetParameters(model.Normal(n, model.HiddenRule(n), data.Stream(1, "guards", 0))); err != nil {
				b.Fatal(err)
			}
			interval := max(1, m.atMost(checkSamples, checkWork)/c.batch) * c.batch
			set := &data.Set{Name: "noise", Rows: 28, Cols: 28, Classes: 10, Pixels: make([]uint8, interval*784), Labels: make([]uint8, interval)}
			for i := range set.Pixels {
				if i%5 == 0 {
					set.Pixels[i] = uint8(i * 7)
				}
			}
			pass := vm.Pass{Set: set, Batch: c.batch, Rate: 1e-9}
			if err := m.Train(b.Context(), pass); err != nil { // compiles, and loads the set
				b.Fatal(err)
			}
			var all, guards time.Duration
			for b.Loop() {
				start := time.Now()
				if err := m.Train(b.Context(), pass); err != nil {
					b.Fatal(err)
				}
				trained := time.Now()
				m.saved.copyFrom(m.state, m.cores)
				if bad := m.nonFinite(); bad != "" {
					b.Fatal(bad)
				}
				all, guards = all+trained.Sub(start), guards+time.Since(trained)
			}
			b.ReportMetric(100*guards.Seconds()/all.Seconds(), "%guards")
		})
	}
}
