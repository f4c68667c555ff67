package kernel_test

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"

	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm/cuda/kernel"
	"trainer/graph/vm/cuda/kernel/kerneltest"
)

// exchangeCases are networks and grids for Exchange mode: few and many hidden units,
// outputs and blocks; several samples, several weights of W3, or none, for each block; a
// part of the inputs that is all of them, or only the bias; and inputs that are read 16 at
// a time.
var exchangeCases = []struct {
	layers        []int
	batch, blocks int
}{
	{[]int{17, 6, 4}, 5, 3},
	{[]int{36, 12, 10}, 10, 3},
	{[]int{48, 4, 3}, 9, 8}, // with a bias, the last slice has only that
	{[]int{40, 63, 16}, 33, 18},
	{[]int{9, 64, 1}, 2, 16},
	{[]int{300, 1, 3}, 7, 5},
	{[]int{5, 66, 3}, 70, 18},
	{[]int{5, 4, 3}, 130, 33}, // a thread for each sample
}

func shuffled(rng *rand.Rand, n int) []int32 {
	order := make([]int32, n)
	for a, b := range rng.Perm(n) {
		order[a] = int32(b)
	}
	return order
}

// ragged returns the result of a launch whose last step has fewer samples: of the program,
// and then of that for the rest.
func ragged(t *testing.T, l launch, rest *ir.Program) (values [][]float64, costs []float64) {
	t.Helper()
	l.steps--
	values, costs = interpret(t, l, 0)
	last := l
	last.image = &kernel.Image{Program: rest}
	last.position += l.steps * l.image.Program.Batch
	last.steps, last.params = 1, [][][]float64{make([][]float64, len(rest.Buffers))}
	for k, r := range rest.Parameters() {
		last.params[0][r] = values[l.image.Program.Parameters()[k]]
	}
	values, more := interpret(t, last, 0)
	return values, append(costs, more...)
}

// TestExchange compares the exchange kernel with the interpreter: with whole mini-batches,
// with a last one that has fewer samples, stopped, and with a value that is not finite.
func TestExchange(t *testing.T) {
	h := kerneltest.Start(t)
	for i, c := range exchangeCases {
		for k := range 4 {
			if c.blocks > 8 && (k != i%4 || testing.Short()) {
				continue // it is slow
			}
			n := model.Network{Layers: c.layers, Bias: k%2 == 0, Activation: model.Activation((i + k/2) % 2)}
			rng := rand.New(rand.NewPCG(uint64(i), 9))
			less := 1 + rng.IntN(c.batch-1)
			s := pixelSet(rng, 3*c.batch+less+1, n.Inputs(), n.Outputs())
			if k == 3 {
				s = valueSet(rng, s.samples(), n.Inputs(), n.Outputs())
			}
			l := launch{set: s, steps: 3, poll: 2, position: 1, rates: []float64{0.25}}
			if k != 1 {
				l.order = [][]int32{shuffled(rng, s.samples())}
			}
			o := lower.Options{Listing: k >= 2, Cost: true}
			options := kernel.Options{Mode: kernel.Exchange, Blocks: c.blocks, Shared: 227 << 10}
			p, rest := step(t, n, c.batch, o), step(t, n, less, o)
			l.image, l.params = encode(t, p, options), [][][]float64{randomParams(rng, p, 0.125)}
			got := check(t, h, l, 1e-5)
			if again := run(t, h, l); !reflect.DeepEqual(again, got) {
				t.Errorf("%v: a second run gives other bits", n)
			}

			l.steps++
			got = run(t, h, l)
			values, costs := ragged(t, l, rest)
			if d := irtest.Diff(rest, got.params[0], parameters(rest, values), 1e-5); d != "" {
				t.Errorf("%v: a last step of %d samples: %s", n, less, d)
			}
			for s, c := range costs {
				if d := math.Abs(got.costs[0][s] - c); !(d <= 1e-5) {
					t.Errorf("%v: cost of step %d is %v, want %v", n, s, got.costs[0][s], c)
				}
			}
			l.steps--

			o.Cost = false
			l.image = encode(t, step(t, n, c.batch, o), options)
			check(t, h, l, 1e-5)
			l.stop, l.ended = true, []uint32{0}
			got = run(t, h, l)
			if st := got.status[0]; st.Step != 1 || st.Stopped != 1 || got.ended[0] != 1 {
				t.Errorf("%v: status %+v, ended %v, want a stop after 1 step", n, st, got.ended)
			}
			l.ended = got.ended
			got = run(t, h, l)
			for _, r := range p.Parameters() {
				if !slices.Equal(got.params[0][r], l.params[0][r]) || got.status[0] != (kernel.Status{}) {
					t.Errorf("%v: a run that had ended went on: %+v", n, got.status[0])
				}
			}
			l.ended, l.stop, l.poll, l.rates = nil, false, 1, []float64{math.Inf(1)}
			if st := run(t, h, l).status[0]; st.NonFinite != 1 {
				t.Errorf("%v: status %+v, want step 1 not finite", n, st)
			}
		}
	}
}

// TestExchangeNonFinite makes a weight of W2 overflow in a step, and one of W3, which is in
// another block, in the next step: the first one must be named, whichever block is ahead.
func TestExchangeNonFinite(t *testing.T) {
	h := kerneltest.Start(t)
	p := step(t, model.Network{Layers: []int{3, 1, 1}, Activation: model.Tanh}, 2, lower.Options{})
	w2, _ := p.Lookup("W2")
	w3, _ := p.Lookup("W3")
	for bad := range 5 {
		for poll := range 4 {
			// As in TestFusedNonFinite, with each sample twice: half of the rate is for each.
			s := set{inputs: 3, classes: 1, x: make([]float64, 16*3), y: make([]float64, 16)}
			for i := 2 * bad; i < 2*bad+2; i++ {
				s.x[i*3], s.x[i*3+1], s.y[i] = 1, 1, 1
				s.x[(i+2)*3+2], s.y[i+2] = 1, -10
			}
			params := make([][]float64, len(p.Buffers))
			params[w2], params[w3] = []float64{3.3e38, -3.3e38, 1}, []float64{0.5}
			got := run(t, h, launch{
				image: encode(t, p, kernel.Options{Mode: kernel.Exchange, Blocks: 2, Shared: 1 << 20}), set: s,
				params: [][][]float64{params}, rates: []float64{3e38}, steps: 8, poll: poll,
			})
			if st := got.status[0]; st.NonFinite != uint32(bad+1) || (st.Stopped != 0) != (st.Step < 8) {
				t.Errorf("step %d, polled every %d: status %+v", bad+1, poll, st)
			}
			if v := got.params[0][w2][0]; v-v == 0 {
				t.Errorf("step %d: W2 is %v, want a weight that is not finite", bad+1, got.params[0][w2])
			}
		}
	}
}

// TestExchangeTwoLaunches splits a pass in two launches. Together they must give the same
// bits as one launch.
func TestExchangeTwoLaunches(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{23, 13, 5}, Bias: true}
	for _, listing := range []bool{false, true} {
		p := step(t, n, 6, lower.Options{Cost: true, Listing: listing})
		rng := rand.New(rand.NewPCG(6, 6))
		whole := launch{
			image: encode(t, p, kernel.Options{Mode: kernel.Exchange, Blocks: 8, Shared: 1 << 20}), set: pixelSet(rng, 40, 23, 5),
			params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.5}, steps: 6, poll: 1,
		}
		want := run(t, h, whole)
		for split := 1; split < whole.steps; split++ {
			one, two := whole, whole
			one.steps = split
			first := run(t, h, one)
			two.steps, two.first, two.position, two.params = whole.steps-split, split, 6*split, first.params
			second := run(t, h, two)
			if !reflect.DeepEqual(second.params, want.params) || !slices.Equal(append(first.costs[0], second.costs[0]...), want.costs[0]) {
				t.Errorf("two launches, split after %d, differ from one", split)
			}
		}
	}
}

// TestExchangeRefuses: which programs Exchange mode refuses.
func TestExchangeRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want     string
		n             model.Network
		batch, blocks int
	}{
		{"single samples", "fused or block mode", model.Network{Layers: []int{5, 4, 3}}, 1, 8},
		{"float64", "float64, 2 parameters", model.Network{Layers: []int{5, 4, 3}, Precision: model.Float64}, 4, 8},
		{"two layers", "use grid mode", model.Network{Layers: []int{5, 3}}, 4, 8},
		{"four layers", "use grid mode", model.Network{Layers: []int{5, 4, 4, 3}}, 4, 8},
		{"many hidden units", "257 hidden units", model.Network{Layers: []int{5, 257, 3}}, 4, 80},
		{"few blocks for the hidden units", "64 hidden units on 8 blocks", model.Network{Layers: []int{5, 64, 3}}, 4, 8},
		{"few blocks for the inputs", "784 inputs of each", model.Network{Layers: []int{784, 8, 3}}, 4, 2},
		{"few blocks for the samples", "at most 4 on each", model.Network{Layers: []int{5, 4, 3}}, 33, 8},
		{"many samples", "want at most 256", model.Network{Layers: []int{5, 4, 3}}, 257, 132},
		{"many outputs", "17 outputs", model.Network{Layers: []int{5, 4, 17}}, 4, 8},
		{"much memory", "bytes of shared memory", model.Network{Layers: []int{784, 50, 10}}, 256, 66},
	} {
		_, err := kernel.Encode(step(t, c.n, c.batch, lower.Options{}), kernel.Options{Mode: kernel.Exchange, Blocks: c.blocks, Shared: 227 << 10})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %q", c.why, err, c.want)
		}
	}
}
