package kernel_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/kernel"
	"trainer/graph/vm/cuda/kernel/kerneltest"
)

// set is a small dataset of float64 values; those of pixels are multiples of
// 1/255.
type set struct {
	inputs, classes int
	x, y            []float64 // a row for each sample
	pixels, labels  []uint8   // nil: only x and y are given to the kernel
}

func (s set) samples() int { return len(s.x) / s.inputs }

// pixelSet is a set of images; sample 0 is all black, sample 1 all white.
func pixelSet(rng *rand.Rand, samples, inputs, classes int) set {
	s := set{inputs: inputs, classes: classes}
	for i := range samples {
		for range inputs {
			p := uint8(max(0, rng.IntN(512)-256))
			switch i {
			case 0:
				p = 0
			case 1:
				p = 255
			}
			s.pixels = append(s.pixels, p)
			s.x = append(s.x, float64(p)/255)
		}
		s.labels = append(s.labels, uint8(rng.IntN(classes)))
		row := make([]float64, classes)
		row[s.labels[i]] = 1
		s.y = append(s.y, row...)
	}
	return s
}

func valueSet(rng *rand.Rand, samples, inputs, classes int) set {
	s := set{inputs: inputs, classes: classes, x: make([]float64, samples*inputs), y: make([]float64, samples*classes)}
	for i := range s.x {
		s.x[i] = float64(max(0, rng.IntN(513)-256)) / 256
	}
	for i := range s.y {
		s.y[i] = float64(rng.IntN(2))
	}
	return s
}

// launch is one launch of an image, and what the interpreter has to do to
// match it.
type launch struct {
	image    *kernel.Image
	set      set
	params   [][][]float64 // [replica][buffer]
	order    [][]int32     // [replica]
	rates    []float64     // [replica]
	steps    int
	poll     int
	stop     bool
	gradient bool // updates go to zeroed memory, at rate −1
	position int
	first    int // number of the first step
}

type result[T float32 | float64] struct {
	params      [][][]float64 // [replica][buffer]
	outputs     [][]T         // [replica]
	costs       [][]T         // [replica]
	status      []kernel.Status
	predictions []T
	sampleCosts []float64
	confusion   []uint32
}

func convert[T float32 | float64](values []float64) []T {
	out := make([]T, len(values))
	for i, v := range values {
		out[i] = T(v)
	}
	return out
}

// run launches on the CPU.
func run[T float32 | float64](t testing.TB, h *kerneltest.Host, l launch) result[T] {
	t.Helper()
	r, err := tryRun[T](h, l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRun[T float32 | float64](h *kerneltest.Host, l launch) (result[T], error) {
	im, m, p := l.image, &kerneltest.Memory{}, l.image.Params()
	p.Code, p.Operands, p.Bytecode, p.Constants = m.Put(im.Code), m.Put(im.Operands), m.Put(im.Bytecode), m.Put(im.Constants)
	table := kernel.Table[T]()
	p.Table = m.PutValues(table[:])
	replicas := len(l.params)
	var params []T
	for _, values := range l.params {
		one := make([]T, im.ParamCount)
		for _, pl := range im.Placements {
			kernel.Pack(im, one, pl.Ref, convert[T](values[pl.Ref]))
		}
		params = append(params, one...)
	}
	p.Parameters = m.PutValues(params)
	if l.gradient {
		p.Update = m.PutValues(make([]T, len(params)))
	}
	blocks := replicas
	switch im.Options.Mode {
	case kernel.Grid:
		blocks = im.Options.Blocks
	case kernel.Tiles:
		blocks = 3
	}
	arena := make([]T, max(1, im.ArenaCount*blocks))
	for i := range arena {
		arena[i] = T(math.NaN())
	}
	p.Arena = m.PutValues(arena)

	// The data: rows always, dense only where the image asks for it.
	s := l.set
	var start []uint32
	var index []uint16
	var rowPixel []uint8
	var rowValue []T
	for i := range s.samples() {
		start = append(start, uint32(len(index)))
		for j := range s.inputs {
			if v := s.x[i*s.inputs+j]; v != 0 {
				index = append(index, uint16(j))
				rowValue = append(rowValue, T(v))
				if s.pixels != nil {
					rowPixel = append(rowPixel, s.pixels[i*s.inputs+j])
				}
			}
		}
	}
	start = append(start, uint32(len(index)))
	if im.NeedsRows {
		p.RowStart, p.RowIndex = m.PutValues(start), m.PutValues(append(index, 0))
		if s.pixels != nil {
			p.RowPixel = m.PutValues(append(rowPixel, 0))
		} else {
			p.RowValue = m.PutValues(append(rowValue, 0))
		}
	}
	if im.NeedsDense {
		if s.pixels != nil {
			p.Pixels = m.PutValues(s.pixels)
		} else {
			p.Values = m.PutValues(convert[T](s.x))
		}
	}
	if s.labels != nil {
		p.Labels = m.PutValues(s.labels)
	} else {
		p.Targets = m.PutValues(convert[T](s.y))
	}
	p.Position, p.End = uint64(l.position), uint64(s.samples())
	if l.order != nil {
		var order []int32
		for _, o := range l.order {
			order = append(order, o...)
		}
		p.Order, p.OrderStride = m.PutValues(order), uint64(len(l.order[0]))
		p.End = p.OrderStride
	}
	if l.rates != nil {
		p.Rates = m.PutValues(l.rates)
	}
	p.Steps, p.PollEvery = uint32(l.steps), uint32(l.poll)
	costs := make([]T, replicas*(l.first+l.steps))
	p.Costs, p.CostStride, p.FirstStep = m.PutValues(costs), uint64(l.first+l.steps), uint64(l.first)
	outputs := make([]T, max(1, replicas*im.OutputCount))
	p.Outputs = m.PutValues(outputs)
	status := make([]kernel.Status, replicas)
	p.Status = m.Put(make([]byte, replicas*kernel.StatusSize))
	stop := uint32(0)
	if l.stop {
		stop = 1
	}
	p.Stop = m.PutValues(stop)
	p.Control = m.Put(make([]byte, kernel.ControlSize))
	r := result[T]{}
	if im.Options.Score != "" {
		r.predictions = make([]T, s.samples()*s.classes)
		r.sampleCosts = make([]float64, s.samples())
		r.confusion = make([]uint32, s.classes*s.classes)
		p.Predictions, p.SampleCosts = m.PutValues(r.predictions), m.PutValues(r.sampleCosts)
		if s.labels != nil {
			p.Confusion = m.PutValues(r.confusion)
		}
	}

	if err := h.Launch(im.Entry, blocks, im.Options.Threads, im.SharedBytes, m, p); err != nil {
		return r, err
	}

	at := p.Parameters
	if l.gradient {
		at = p.Update
	}
	m.Get(at, params)
	m.Get(p.Costs, costs)
	m.Get(p.Outputs, outputs)
	for i := range status {
		words := make([]uint8, kernel.StatusSize)
		m.Get(p.Status+kernel.Address(i*kernel.StatusSize), words)
		status[i] = kernel.DecodeStatus(words)
	}
	r.status = status
	for i := range replicas {
		values := make([][]float64, len(im.Program.Buffers))
		one := params[i*im.ParamCount : (i+1)*im.ParamCount]
		for _, pl := range im.Placements {
			b := im.Program.Buffers[pl.Ref]
			v := make([]T, b.Len())
			kernel.Unpack(im, one, pl.Ref, v)
			for _, x := range v {
				values[pl.Ref] = append(values[pl.Ref], float64(x))
			}
		}
		r.params = append(r.params, values)
		r.outputs = append(r.outputs, outputs[i*im.OutputCount:(i+1)*im.OutputCount])
		r.costs = append(r.costs, costs[i*(l.first+l.steps)+l.first:(i+1)*(l.first+l.steps)])
	}
	if r.predictions != nil {
		m.Get(p.Predictions, r.predictions)
		m.Get(p.SampleCosts, r.sampleCosts)
		if p.Confusion != 0 {
			m.Get(p.Confusion, r.confusion)
		}
	}
	return r, nil
}

// interpret does in float64 what replica r of l is to do, and returns the
// values of the parameters and outputs, and the cost of each step.
func interpret(t testing.TB, l launch, r int) (values [][]float64, costs []float64) {
	t.Helper()
	p := l.image.Program
	m := ir.NewMemory[float64](p)
	for ref, b := range p.Buffers {
		if b.Kind == ir.Parameter {
			copy(m.Buf[ref], l.params[r][ref])
		}
	}
	rate := 0.0
	if l.rates != nil {
		rate = l.rates[r]
	}
	for s := range l.steps {
		for ref, b := range p.Buffers {
			for i := range p.Batch {
				id := l.position + s*p.Batch + i
				if l.order != nil {
					id = int(l.order[r][id])
				}
				switch b.Kind {
				case ir.Data:
					copy(m.Buf[ref][i*b.Cols:(i+1)*b.Cols], l.set.x[id*b.Cols:])
				case ir.Target:
					copy(m.Buf[ref][i*b.Cols:(i+1)*b.Cols], l.set.y[id*b.Cols:])
				}
			}
		}
		if err := ir.Interpret(p, m, rate); err != nil {
			t.Fatal(err)
		}
		if c, ok := p.Lookup(l.image.Options.Cost); ok {
			costs = append(costs, m.Buf[c][0])
		}
	}
	return irtest.Values(p, m), costs
}

// check compares a launch with the interpreter. Rounding is all that may
// differ: see the callers for the bound.
func check[T float32 | float64](t testing.TB, h *kerneltest.Host, l launch, tolerance float64) result[T] {
	t.Helper()
	got := run[T](t, h, l)
	for r := range l.params {
		want, costs := interpret(t, l, r)
		values := slices.Clone(got.params[r])
		at := 0
		for _, ref := range l.image.Outputs {
			values[ref] = nil
			for range l.image.Program.Buffers[ref].Len() {
				values[ref] = append(values[ref], float64(got.outputs[r][at]))
				at++
			}
		}
		if d := irtest.Diff(l.image.Program, values, want, tolerance); d != "" {
			t.Fatalf("replica %d: %s\n%v", r, d, l.image.Program)
		}
		for s, c := range costs {
			if d := math.Abs(float64(got.costs[r][s]) - c); !(d <= tolerance*max(1, math.Abs(c))) {
				t.Fatalf("replica %d: cost of step %d is %v, want %v", r, s, got.costs[r][s], c)
			}
		}
		if s := got.status[r]; s.Step != uint32(l.steps) || s.Stopped != 0 || s.NonFinite != 0 {
			t.Fatalf("replica %d: status %+v, want %d steps", r, s, l.steps)
		}
	}
	return got
}

func randomParams(rng *rand.Rand, p *ir.Program, scale float64) [][]float64 {
	values := make([][]float64, len(p.Buffers))
	for r, b := range p.Buffers {
		if b.Kind == ir.Parameter {
			for range b.Len() {
				values[r] = append(values[r], scale*float64(rng.IntN(513)-256)/256)
			}
		}
	}
	return values
}

// modes are the ways to run a program on a small machine: where the memory is
// and how many threads there are must not matter.
func modes() []kernel.Options {
	return []kernel.Options{
		{Mode: kernel.Block, Threads: 32, Shared: 1 << 30},
		{Mode: kernel.Block, Threads: 96, Shared: 1 << 30},
		{Mode: kernel.Block, Threads: 128, Shared: 16 << 10},
		{Mode: kernel.Grid, Threads: 32, Blocks: 1, Shared: 1 << 30},
		{Mode: kernel.Grid, Threads: 64, Blocks: 3, Shared: 1 << 30},
		{Mode: kernel.Grid, Threads: 128, Blocks: 8, Shared: 1 << 30},
	}
}

// TestRandomPrograms runs every op in every mode. In float64 a sum of at most
// 37² products below 1e4 keeps 11 digits; in float32 the bound is of values
// near irtest.Limit.
func TestRandomPrograms(t *testing.T) {
	h := kerneltest.Start(t)
	n := 40
	if testing.Short() {
		n = 12
	}
	for seed := range n {
		for _, elem := range []ir.Elem{ir.Float64, ir.Float32} {
			rng := rand.New(rand.NewPCG(uint64(seed), 4))
			p := irtest.Random(rng, irtest.Options{Elem: elem, NoPlan: seed%2 == 0})
			x, _ := p.Lookup("x")
			y, _ := p.Lookup("y")
			s := valueSet(rng, 2*p.Batch+1, p.Buffers[x].Cols, p.Buffers[y].Cols)
			params := randomParams(rng, p, 1)
			order := make([]int32, s.samples())
			for i, k := range rng.Perm(len(order)) {
				order[i] = int32(k)
			}
			for _, o := range modes() {
				o.Outputs = true
				im, err := kernel.Encode(p, o)
				if err != nil {
					t.Fatal(err)
				}
				l := launch{image: im, set: s, params: [][][]float64{params}, order: [][]int32{order}, rates: []float64{0.25}, steps: 1, position: 1}
				if elem == ir.Float64 {
					check[float64](t, h, l, 1e-10)
				} else {
					check[float32](t, h, l, 1e-3)
				}
			}
		}
	}
}

func step(t testing.TB, n model.Network, batch int, o lower.Options) *ir.Program {
	t.Helper()
	g, err := graph.Step(n, batch)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lower.Program(g, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func encode(t testing.TB, p *ir.Program, o kernel.Options) *kernel.Image {
	t.Helper()
	im, err := kernel.Encode(p, o)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

var networks = []model.Network{
	{Layers: []int{17, 6, 4}},
	{Layers: []int{17, 6, 4}, Bias: true},
	{Layers: []int{25, 51, 3}, Bias: true, Activation: model.Tanh},
	{Layers: []int{9, 7, 33, 5, 3}, Bias: true},
	{Layers: []int{12, 5}, Bias: true},
	{Layers: []int{30, 131, 10}},
	{Layers: []int{5, 1, 2}, Bias: true},
}

// TestNetworks trains lowered networks for some steps in every mode, both
// update orders, with single samples, small, and larger ragged mini-batches,
// over an empty and a full row. The interpreter runs in float64: the bound for
// float32 is that of a few hundred operations of 2⁻²⁴ each.
func TestNetworks(t *testing.T) {
	h := kerneltest.Start(t)
	for i, n := range networks {
		for _, batch := range []int{1, 3, 29} {
			if testing.Short() && i > 2 {
				continue
			}
			for k, o := range modes() {
				if testing.Short() && k%2 == 0 {
					continue
				}
				n.Precision = model.Precision((i + k) % 2)
				rng := rand.New(rand.NewPCG(uint64(i), uint64(batch)))
				p := step(t, n, batch, lower.Options{Listing: k%2 == 1})
				o.Cost, o.Outputs = "cost", true
				s := pixelSet(rng, 61, n.Inputs(), n.Outputs())
				order := make([]int32, 61)
				for a, b := range rng.Perm(len(order)) {
					order[a] = int32(b)
				}
				l := launch{
					image: encode(t, p, o), set: s, order: [][]int32{order}, rates: []float64{0.125},
					params: [][][]float64{randomParams(rng, p, 0.25)}, steps: min(20, 60/batch), position: 61 % batch, poll: 2,
				}
				if n.Precision == model.Float64 {
					check[float64](t, h, l, 1e-12)
				} else {
					check[float32](t, h, l, 2e-5)
				}
			}
		}
	}
}

// TestReplicas runs independent runs side by side: other parameters, orders
// and rates. Each must be, bit by bit, what it is alone.
func TestReplicas(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{21, 9, 4}, Bias: true}
	p := step(t, n, 1, lower.Options{})
	rng := rand.New(rand.NewPCG(1, 2))
	s := pixelSet(rng, 40, 21, 4)
	for _, shared := range []int{1 << 20, 6 << 10} {
		l := launch{image: encode(t, p, kernel.Options{Threads: 64, Shared: shared, Cost: "cost", Outputs: true}), set: s, steps: 25}
		for r := range 5 {
			l.params = append(l.params, randomParams(rng, p, 0.5))
			l.rates = append(l.rates, 0.1*float64(r))
			order := make([]int32, 40)
			for a, b := range rng.Perm(40) {
				order[a] = int32(b)
			}
			l.order = append(l.order, order)
		}
		all := check[float32](t, h, l, 1e-5)
		for r := range 5 {
			one := l
			one.params, one.rates, one.order = l.params[r:r+1], l.rates[r:r+1], l.order[r:r+1]
			alone := run[float32](t, h, one)
			if !reflect.DeepEqual(alone.params[0], all.params[r]) || !slices.Equal(alone.costs[0], all.costs[r]) {
				t.Errorf("%d bytes of shared memory: replica %d differs from the same run alone", shared, r)
			}
		}
	}
}

// TestGradients takes gradients with the update code itself: targets zero,
// rate −1, parameters untouched.
func TestGradients(t *testing.T) {
	h := kerneltest.Start(t)
	for _, o := range modes() {
		for _, batch := range []int{1, 7} {
			n := model.Network{Layers: []int{19, 11, 5}, Bias: true, Precision: model.Float64}
			p := step(t, n, batch, lower.Options{})
			rng := rand.New(rand.NewPCG(5, uint64(batch)))
			o.Cost = "cost"
			l := launch{
				image: encode(t, p, o), set: valueSet(rng, batch, 19, 5), rates: []float64{-1},
				params: [][][]float64{randomParams(rng, p, 0.5)}, steps: 1, gradient: true,
			}
			got := run[float64](t, h, l)
			// w' = w + G with the same rate, so G = w' - w.
			want, costs := interpret(t, l, 0)
			for r, w := range want {
				if w == nil || p.Buffers[r].Kind != ir.Parameter {
					want[r] = nil
					continue
				}
				for k := range w {
					w[k] -= l.params[0][r][k]
				}
			}
			if d := irtest.Diff(p, got.params[0], want, 1e-14); d != "" {
				t.Errorf("%v, %d samples: gradient %s", o.Mode, batch, d)
			}
			if d := math.Abs(got.costs[0][0] - costs[0]); d > 1e-14 {
				t.Errorf("%v, %d samples: cost %v, want %v", o.Mode, batch, got.costs[0][0], costs[0])
			}
		}
	}
}

// TestTiles evaluates a set whose last tile is ragged.
func TestTiles(t *testing.T) {
	h := kerneltest.Start(t)
	const samples = 43
	for _, n := range networks {
		for _, o := range []kernel.Options{{Threads: 64, Shared: 1 << 20}, {Threads: 128, Shared: 5 << 10}} {
			n.Precision = model.Float64
			o.Mode = kernel.Tiles
			g, err := graph.Forward(n, 8)
			if err != nil {
				t.Fatal(err)
			}
			p, err := lower.Program(g, lower.Options{})
			if err != nil {
				t.Fatal(err)
			}
			out := p.Outputs[0]
			o.Score = p.Buffers[out].Name
			rng := rand.New(rand.NewPCG(9, 9))
			s := pixelSet(rng, samples, n.Inputs(), n.Outputs())
			l := launch{image: encode(t, p, o), set: s, params: [][][]float64{randomParams(rng, p, 0.5)}, steps: (samples + 7) / 8}
			got := run[float64](t, h, l)
			want := vm.NewScore(n.Outputs())
			cost := 0.0
			for first := 0; first < samples; first += 8 {
				part := l
				part.position, part.steps = min(first, samples-8), 1
				values, _ := interpret(t, part, 0)
				for i := first - part.position; i < 8; i++ {
					id := part.position + i
					a := values[out][i*n.Outputs() : (i+1)*n.Outputs()]
					want.Add(a, s.labels[id])
					for k, v := range a {
						if d := math.Abs(got.predictions[id*n.Outputs()+k] - v); !(d < 1e-13) {
							t.Fatalf("%v: sample %d output %d is %v, want %v", n, id, k, got.predictions[id*n.Outputs()+k], v)
						}
					}
					cost += got.sampleCosts[id]
				}
			}
			if math.Abs(cost-want.Cost) > 1e-12*samples {
				t.Errorf("%v: cost %v, want %v", n, cost, want.Cost)
			}
			for label, row := range want.Confusion {
				for k, count := range row {
					if got.confusion[label*n.Outputs()+k] != uint32(count) {
						t.Errorf("%v: label %d taken for %d: %d times, want %d", n, label, k, got.confusion[label*n.Outputs()+k], count)
					}
				}
			}
		}
	}
}

// TestNonFinite starts from a parameter that overflows in a known step: b^2
// is the largest float32 but for less than one update, whose sign is known,
// from the third sample on only.
func TestNonFinite(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{3, 1}, Bias: true, Activation: model.Tanh}
	p := step(t, n, 1, lower.Options{})
	w, _ := p.Lookup("W2")
	b, _ := p.Lookup("b2")
	// One tanh unit: a = 0 for the two black samples, whose target is 0, so that
	// nothing changes; then the white sample has z = 0 too, target 1, δ = −1,
	// and W^2 grows by η = 3e38 · 1, twice: over 3.4e38.
	s := set{inputs: 3, classes: 1, x: []float64{0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0}, y: []float64{0, 0, 1, 1, 1}}
	params := make([][]float64, len(p.Buffers))
	params[w], params[b] = []float64{2e38, 0, 0}, []float64{-2e38}
	for _, o := range modes() {
		l := launch{image: encode(t, p, o), set: s, params: [][][]float64{params}, rates: []float64{3e38}, steps: 3, poll: 1}
		l.position = 2 // z = 2e38 − 2e38 = 0 in the first step
		got := run[float32](t, h, l)
		if st := got.status[0]; st.NonFinite != 1 {
			t.Errorf("%v: status %+v, want the first step to be named", o, st)
		}
		if st := got.status[0]; st.Stopped != 1 || st.Step != 2 {
			t.Errorf("%v: status %+v, want a stop one step after the look", o, st)
		}
		l.position = 0 // δ = 0 − tanh(−2e38) = … the black samples push b^2 by a finite step
		l.rates = []float64{0.5}
		if st := run[float32](t, h, l).status[0]; st.NonFinite != 0 || st.Stopped != 0 || st.Step != 3 {
			t.Errorf("%v: status %+v of a finite run", o, st)
		}
	}
}

// TestStop sets the stop flag before the launch: the first look, at step 0,
// ends it a step later, with the parameters of one whole step.
func TestStop(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{7, 5, 3}, Bias: true, Precision: model.Float64}
	p := step(t, n, 2, lower.Options{})
	rng := rand.New(rand.NewPCG(3, 3))
	l := launch{set: pixelSet(rng, 20, 7, 3), params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{1}, poll: 4}
	for _, o := range modes() {
		l.image, l.steps, l.stop = encode(t, p, o), 10, true
		got := run[float64](t, h, l)
		if st := got.status[0]; st.Step != 1 || st.Stopped != 1 {
			t.Errorf("%v: status %+v, want a stop after 1 step", o, st)
		}
		l.steps = 1
		want, _ := interpret(t, l, 0)
		for _, r := range p.Outputs {
			want[r] = nil
		}
		if d := irtest.Diff(p, got.params[0], want, 1e-14); d != "" {
			t.Errorf("%v: %s", o, d)
		}
	}
}

// TestMNISTShape runs the shape and the blocks of real use: 784-50-10 with
// 512 threads, in shared memory and in a grid.
func TestMNISTShape(t *testing.T) {
	if testing.Short() {
		t.Skip("512 threads are slow on a CPU")
	}
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true}
	rng := rand.New(rand.NewPCG(7, 7))
	s := pixelSet(rng, 140, 784, 10)
	for _, c := range []struct {
		batch, steps int
		o            kernel.Options
	}{
		{1, 8, kernel.Options{Shared: 227 << 10}},
		{1, 3, kernel.Options{Shared: 99 << 10}},
		{10, 2, kernel.Options{Shared: 227 << 10}},
		{128, 1, kernel.Options{Mode: kernel.Grid, Blocks: 4, Shared: 48 << 10}},
	} {
		p := step(t, n, c.batch, lower.Options{})
		c.o.Cost = "cost"
		l := launch{image: encode(t, p, c.o), set: s, params: [][][]float64{randomParams(rng, p, 0.125)}, rates: []float64{0.1}, steps: c.steps}
		l.image.Program = withoutOutputs(p)
		check[float32](t, h, l, 1e-5)
	}
}

// withoutOutputs is p without outputs that nobody reads, for comparisons.
func withoutOutputs(p *ir.Program) *ir.Program {
	q := p.Clone()
	q.Outputs = nil
	return q
}

// TestThreads looks for data races with the thread sanitizer; and, as it could
// be blind, for one that is there when a barrier is taken away.
func TestThreads(t *testing.T) {
	if testing.Short() {
		t.Skip("the thread sanitizer is slow")
	}
	n := model.Network{Layers: []int{11, 6, 3}, Bias: true}
	rng := rand.New(rand.NewPCG(11, 11))
	s := pixelSet(rng, 12, 11, 3)
	try := func(h *kerneltest.Host, batch int, o kernel.Options) error {
		p := step(t, n, batch, lower.Options{})
		o.Cost, o.Outputs = "cost", true
		_, err := tryRun[float32](h, launch{
			image: encode(t, p, o), set: s, params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.1}, steps: 2, poll: 1,
		})
		return err
	}
	block := kernel.Options{Threads: 64, Shared: 1 << 20}
	grid := kernel.Options{Mode: kernel.Grid, Threads: 32, Blocks: 3, Shared: 1 << 20}
	intact := kerneltest.StartThreads(t)
	for _, batch := range []int{1, 3, 6} {
		for _, o := range []kernel.Options{block, grid} {
			if err := try(intact, batch, o); err != nil {
				t.Fatalf("%v: %v", o, err)
			}
		}
	}
	dense := kernel.Options{Mode: kernel.Dense, Threads: 96, Shared: 1 << 20}
	{
		p := step(t, n, 1, lower.Options{})
		dense.Cost = "cost"
		l := launch{image: encode(t, p, dense), set: s, params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.1}, steps: 4, poll: 1}
		if _, err := tryRun[float32](intact, l); err != nil {
			t.Fatalf("dense: %v", err)
		}
	}
	for seed := range 3 {
		rng := rand.New(rand.NewPCG(uint64(seed), 12))
		p := irtest.Random(rng, irtest.Options{MaxDim: 9})
		x, _ := p.Lookup("x")
		y, _ := p.Lookup("y")
		for _, o := range []kernel.Options{block, grid} {
			o.Outputs = true
			l := launch{
				image: encode(t, p, o), set: valueSet(rng, p.Batch, p.Buffers[x].Cols, p.Buffers[y].Cols),
				params: [][][]float64{randomParams(rng, p, 1)}, rates: []float64{0.25}, steps: 1,
			}
			if _, err := tryRun[float32](intact, l); err != nil {
				t.Fatalf("random program %d, %v: %v", seed, o, err)
			}
		}
	}
	for _, c := range []struct {
		flag string
		o    kernel.Options
	}{{"-DDROPPED(k)=true", block}, {"-DNO_SYNCWARP", block}, {"-DDROPPED(k)=true", grid}} {
		err := try(kerneltest.StartThreads(t, c.flag), 3, c.o)
		if err == nil || !strings.Contains(err.Error(), "data race") {
			t.Errorf("%s: %v, want a data race reported", c.flag, err)
		}
	}
}

// TestRefusals are the programs and options that cannot run, each with words.
func TestRefusals(t *testing.T) {
	p := step(t, model.Network{Layers: []int{4, 3}}, 2, lower.Options{})
	for _, c := range []struct {
		want string
		o    kernel.Options
	}{
		{"multiple of 32", kernel.Options{Threads: 100, Shared: 1 << 20}},
		{"multiple of 32", kernel.Options{Threads: 1024, Shared: 1 << 20}},
		{"0 blocks", kernel.Options{Mode: kernel.Grid, Shared: 1 << 20}},
		{"bytes of shared memory", kernel.Options{Shared: 1 << 10}},
		{"no temporary \"z9\"", kernel.Options{Cost: "z9", Shared: 1 << 20}},
		{"elements, want 1", kernel.Options{Cost: "a2", Shared: 1 << 20}},
		{"use block or grid mode", kernel.Options{Mode: kernel.Tiles, Shared: 1 << 20}},
		{"for tiles mode only", kernel.Options{Score: "a2", Shared: 1 << 20}},
		{"use a score", kernel.Options{Mode: kernel.Tiles, Cost: "cost", Shared: 1 << 20}},
	} {
		_, err := kernel.Encode(p, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
	q := p.Clone()
	q.Batch++
	if _, err := kernel.Encode(q, kernel.Options{Shared: 1 << 20}); err == nil || !strings.Contains(err.Error(), "verify") {
		t.Errorf("a program that is not verified: %v", err)
	}
}

// TestFit pins what 784-50-10 needs: where its parameters are on each
// generation of devices, and how many barriers a step has.
func TestFit(t *testing.T) {
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true}
	for _, c := range []struct {
		name     string
		batch    int
		o        kernel.Options
		flags    uint32
		barriers int
	}{
		{"Hopper, 227 KB", 1, kernel.Options{Shared: 227 << 10}, kernel.FlagParamsShared | kernel.FlagArenaShared, 5},
		{"Ada, 99 KB", 1, kernel.Options{Shared: 99 << 10}, kernel.FlagArenaShared, 5},
		{"Hopper, grid", 128, kernel.Options{Mode: kernel.Grid, Blocks: 132, Shared: 227 << 10}, 0, 4},
	} {
		im := encode(t, step(t, n, c.batch, lower.Options{}), c.o)
		if im.Flags != c.flags || im.Barriers != c.barriers || im.SharedBytes > c.o.Shared {
			t.Errorf("%s: flags %d, %d barriers, %d bytes: want flags %d, %d barriers", c.name, im.Flags, im.Barriers, im.SharedBytes, c.flags, c.barriers)
		}
		t.Logf("%s: %d bytes of shared memory, %d instructions, %d barriers", c.name, im.SharedBytes, im.Params().Instructions, im.Barriers)
	}
}

func TestPTXFresh(t *testing.T) {
	if err := kernel.CheckPTX(); err != nil {
		t.Error(err)
	}
	for _, entry := range kernel.Entries() {
		if !strings.Contains(kernel.PTX, ".visible .entry "+entry+"(") {
			t.Errorf("kernels.ptx has no entry %s", entry)
		}
	}
	if want := ".target sm_" + strconv.Itoa(kernel.LeastCapability); !strings.Contains(kernel.PTX, want) {
		t.Errorf("kernels.ptx is not for %q", want)
	}
}

// TestDense compares the written-out kernel with the interpreter's loops, and
// its decision with what it is written for.
func TestDense(t *testing.T) {
	h := kerneltest.Start(t)
	for i, layers := range [][]int{{784, 50, 10}, {17, 6, 4}, {40, 63, 16}, {9, 64, 1}, {300, 1, 3}} {
		for k, threads := range []int{512, 64, 32} {
			if threads == 512 && (i > 0 || testing.Short()) {
				continue
			}
			n := model.Network{Layers: layers, Bias: (i+k)%2 == 0, Activation: model.Activation(k % 2)}
			rng := rand.New(rand.NewPCG(uint64(i), 8))
			p := step(t, n, 1, lower.Options{Listing: i%2 == 1})
			s := pixelSet(rng, 12, n.Inputs(), n.Outputs())
			l := launch{set: s, steps: 10, poll: 3, position: 1}
			for r := range 2 {
				l.params = append(l.params, randomParams(rng, p, 0.125))
				l.rates = append(l.rates, 0.05*float64(r+1))
				order := make([]int32, 12)
				for a, b := range rng.Perm(12) {
					order[a] = int32(b)
				}
				l.order = append(l.order, order)
			}
			o := kernel.Options{Mode: kernel.Dense, Threads: threads, Shared: 227 << 10}
			for _, o.Cost = range []string{"", "cost"} {
				l.image = encode(t, p, o)
				l.image.Program = withoutOutputs(p)
				if l.image.Entry != "vm_dense_f32" {
					t.Fatalf("entry %s", l.image.Entry)
				}
				check[float32](t, h, l, 1e-5)
			}
			l.stop = true
			if st := run[float32](t, h, l).status[0]; st.Step != 1 || st.Stopped != 1 {
				t.Errorf("%v: status %+v, want a stop after 1 step", n, st)
			}
			l.stop, l.poll, l.rates = false, 1, []float64{1e38, math.Inf(1)}
			if st := run[float32](t, h, l).status[1]; st.NonFinite != 1 || st.Stopped != 1 {
				t.Errorf("%v: status %+v, want the first step named", n, st)
			}
		}
	}
	o := kernel.Options{Mode: kernel.Dense, Shared: 227 << 10}
	for _, c := range []struct {
		why   string
		n     model.Network
		batch int
	}{
		{"mini-batch", model.Network{Layers: []int{5, 4, 3}}, 2},
		{"float64", model.Network{Layers: []int{5, 4, 3}, Precision: model.Float64}, 1},
		{"two layers", model.Network{Layers: []int{5, 3}}, 1},
		{"four layers", model.Network{Layers: []int{5, 4, 4, 3}}, 1},
		{"many hidden units", model.Network{Layers: []int{5, 65, 3}}, 1},
		{"many outputs", model.Network{Layers: []int{5, 4, 17}}, 1},
		{"much memory", model.Network{Layers: []int{2000, 50, 10}}, 1},
	} {
		if _, err := kernel.Encode(step(t, c.n, c.batch, lower.Options{}), o); !errors.Is(err, kernel.ErrNotDense) {
			t.Errorf("%s: error %v, want ErrNotDense", c.why, err)
		}
	}
}

// TestDenseRefuses changes a program in each place of its code: what Dense
// mode still accepts it must compute.
func TestDenseRefuses(t *testing.T) {
	h := kerneltest.Start(t)
	p := step(t, model.Network{Layers: []int{9, 5, 3}, Bias: true}, 1, lower.Options{})
	rng := rand.New(rand.NewPCG(4, 4))
	s := pixelSet(rng, 4, 9, 3)
	accepted := 0
	for i := range p.Code {
		for change := range 4 {
			q := p.Clone()
			in := &q.Code[i]
			switch {
			case change == 0 && len(in.Args) > 0:
				// Another buffer of the same shape.
				for r, b := range q.Buffers {
					if a := q.Buffers[in.Args[0]]; b.Rows == a.Rows && b.Cols == a.Cols && ir.Ref(r) != in.Args[0] {
						in.Args[0] = ir.Ref(r)
						break
					}
				}
			case change == 1 && in.Op == ir.Map:
				*in = ir.NewMap(in.Dst, in.Args, ir.Neg(in.Expr))
			case change == 2 && in.Op == ir.Map:
				*in = ir.NewMap(in.Dst, in.Args, ir.Mul(in.Expr, ir.Const(0.75)))
			case change == 3:
				q.Code = slices.Delete(q.Code, i, i+1)
				q.Outputs = nil
			default:
				continue
			}
			for r := range q.Buffers {
				q.Buffers[r].Offset = ir.Unplaced
			}
			q.Arena = 0
			im, err := kernel.Encode(q, kernel.Options{Mode: kernel.Dense, Threads: 32, Shared: 1 << 20, Cost: "cost"})
			if err != nil {
				continue
			}
			accepted++
			im.Program = withoutOutputs(q)
			check[float32](t, h, launch{image: im, set: s, steps: 3, params: [][][]float64{randomParams(rng, q, 0.5)}, rates: []float64{0.5}}, 1e-5)
		}
	}
	t.Logf("%d changed programs accepted", accepted)
}

// TestTwoLaunches splits a pass: the second launch goes on where the first
// ended, and gives the same bits as one launch, run after run.
func TestTwoLaunches(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{23, 13, 5}, Bias: true}
	for _, o := range append(modes(), kernel.Options{Mode: kernel.Dense, Threads: 64, Shared: 1 << 20}) {
		p := step(t, n, 1, lower.Options{})
		rng := rand.New(rand.NewPCG(6, 6))
		o.Cost = "cost"
		whole := launch{
			image: encode(t, p, o), set: pixelSet(rng, 12, 23, 5), params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.5}, steps: 12,
		}
		want := run[float32](t, h, whole)
		if again := run[float32](t, h, whole); !reflect.DeepEqual(again.params, want.params) {
			t.Errorf("%v: a second run gives other bits", o.Mode)
		}
		one, two := whole, whole
		one.steps = 5
		first := run[float32](t, h, one)
		two.steps, two.first, two.position, two.params = 7, 5, 5, first.params
		second := run[float32](t, h, two)
		if !reflect.DeepEqual(second.params, want.params) || !slices.Equal(append(first.costs[0], second.costs[0]...), want.costs[0]) {
			t.Errorf("%v: two launches differ from one", o.Mode)
		}
	}
}

// TestPlacements: programs over the same parameters agree where these are, so
// that a ragged last batch and an evaluation need no copy.
func TestPlacements(t *testing.T) {
	n := model.Network{Layers: []int{784, 51, 10}, Bias: true}
	want := encode(t, step(t, n, 1, lower.Options{}), kernel.Options{Mode: kernel.Dense, Shared: 227 << 10})
	places := func(im *kernel.Image) map[string]kernel.Placement {
		m := map[string]kernel.Placement{}
		for _, pl := range im.Placements {
			name := im.Program.Buffers[pl.Ref].Name
			pl.Ref = 0
			m[name] = pl
		}
		return m
	}
	g, err := graph.Forward(n, 32)
	if err != nil {
		t.Fatal(err)
	}
	forward, err := lower.Program(g, lower.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, im := range []*kernel.Image{
		encode(t, step(t, n, 1, lower.Options{Listing: true}), kernel.Options{Shared: 227 << 10}),
		encode(t, step(t, n, 96, lower.Options{}), kernel.Options{Mode: kernel.Grid, Blocks: 132, Shared: 48 << 10}),
		encode(t, forward, kernel.Options{Mode: kernel.Tiles, Shared: 227 << 10}),
	} {
		if !reflect.DeepEqual(places(im), places(want)) || im.ParamCount != want.ParamCount {
			t.Errorf("%s, %v: parameters at %v, want %v", im.Program.Name, im.Options.Mode, places(im), places(want))
		}
	}
}

// TestManySamples has sums that are long enough to be taken in parts, of every
// kind, with parts that are not all of a length.
func TestManySamples(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{17, 6, 4}, Bias: true, Precision: model.Float64}
	const batch = 2111
	rng := rand.New(rand.NewPCG(2, 1))
	p := step(t, n, batch, lower.Options{})
	l := launch{set: pixelSet(rng, batch, 17, 4), params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.5}, steps: 1}
	for _, o := range []kernel.Options{
		{Threads: 128, Shared: 64 << 10},
		{Mode: kernel.Grid, Threads: 128, Blocks: 8, Shared: 64 << 10},
	} {
		o.Cost = "cost"
		l.image = encode(t, p, o)
		l.image.Program = withoutOutputs(p)
		check[float64](t, h, l, 1e-12)
	}
}
