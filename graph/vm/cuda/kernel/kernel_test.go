package kernel_test

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph"
	"trainer/graph/ir"
	"trainer/graph/ir/irtest"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/kernel"
	"trainer/graph/vm/cuda/kernel/kerneltest"
)

// set is a small dataset. If it has pixels, x has their inputs, and y the targets.
type set struct {
	inputs, classes int
	x, y            []float64 // a row for each sample
	pixels, labels  []uint8   // nil: the kernel gets x and y instead
	scale           data.Scale
}

func (s set) samples() int { return len(s.x) / s.inputs }

// pixelSet returns random images. Sample 0 is all black, sample 1 all white.
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
			s.x = append(s.x, data.InputOf[float64](p))
		}
		s.labels = append(s.labels, uint8(rng.IntN(classes)))
		row := make([]float64, classes)
		row[s.labels[i]] = 1
		s.y = append(s.y, row...)
	}
	return s
}

// valueSet returns random inputs and targets that are not images.
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

// launch describes one launch, for the kernel and for the interpreter.
type launch struct {
	image    *kernel.Image
	set      set
	params   [][][]float64 // [run][buffer]
	order    [][]int32     // [run]
	rates    []float64     // [run]
	steps    int
	poll     int
	stop     bool
	position int
	first    int      // number of the first step
	bad      uint32   // Status.NonFinite that the launch must have
	ended    []uint32 // [run]; nil: not asked for
}

type result struct {
	params      [][][]float64 // [run][buffer]
	costs       [][]float64   // [run]
	status      []kernel.Status
	predictions []float64
	tileCosts   []float64
	confusion   []uint32
	ended       []uint32 // [run]
}

// convert returns values with another element type.
func convert[U, T float32 | float64](values []T) []U {
	out := make([]U, len(values))
	for i, v := range values {
		out[i] = U(v)
	}
	return out
}

// run launches on the CPU.
func run(t testing.TB, h *kerneltest.Host, l launch) result {
	t.Helper()
	r, err := tryRun(h, l)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func tryRun(h *kerneltest.Host, l launch) (result, error) {
	if l.image.Program.Elem == ir.Float64 {
		return runAs[float64](h, l)
	}
	return runAs[float32](h, l)
}

func runAs[T float32 | float64](h *kerneltest.Host, l launch) (result, error) {
	im, m, p, s := l.image, &kerneltest.Memory{}, kernel.Params{}, l.set
	im.Supply(&p)
	p.Code, p.Operands, p.Bytecode, p.Constants = m.Put(im.Code), m.Put(im.Operands), m.Put(im.Bytecode), m.Put(im.Constants)
	table := data.TableOf[T](s.scale)
	targets := s.scale.TargetRange()
	p.Table = m.PutValues(append(table[:], T(targets.Low), T(targets.High)))
	runs := len(l.params)
	params := make([]T, runs*im.ParamCount)
	for r, values := range l.params {
		for i, ref := range im.Program.Parameters() {
			cols := im.Program.Buffers[ref].Cols
			for k, v := range values[ref] {
				params[r*im.ParamCount+im.Placements[i].At(k/cols, k%cols)] = T(v)
			}
		}
	}
	p.Parameters = m.PutValues(params)
	blocks := runs
	switch im.Options.Mode {
	case kernel.Grid, kernel.Exchange:
		blocks = im.Options.Blocks
	case kernel.Tiles:
		blocks = 3
	}
	arena := make([]T, max(1, im.ArenaCount*blocks))
	for i := range arena {
		arena[i] = T(math.NaN())
	}
	p.Arena = m.PutValues(arena)

	// The data: only what the image asks for.
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
	if im.NeedsPixels {
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
	costs := make([]T, runs*(l.first+l.steps))
	p.Costs, p.CostStride, p.FirstStep = m.PutValues(costs), uint64(l.first+l.steps), uint64(l.first)
	p.Status = m.Put(make([]byte, runs*kernel.StatusSize))
	stop := uint32(0)
	if l.stop {
		stop = 1
	}
	p.Stop = m.PutValues(stop)
	p.Control = m.Put(make([]byte, kernel.ControlSize))
	r := result{ended: slices.Clone(l.ended)}
	if l.ended != nil {
		p.Ended = m.PutValues(l.ended)
	}
	predictions := make([]T, s.samples()*s.classes)
	if im.Options.Mode == kernel.Tiles {
		r.tileCosts = make([]float64, l.steps*((im.Program.Batch+31)/32))
		r.confusion = make([]uint32, s.classes*s.classes)
		p.Predictions, p.TileCosts = m.PutValues(predictions), m.PutValues(r.tileCosts)
		if s.labels != nil {
			p.Confusion = m.PutValues(r.confusion)
		}
	}

	if err := h.Launch(im.Entry, blocks, im.Options.Threads, im.SharedBytes, m, p); err != nil {
		return r, err
	}

	m.Get(p.Parameters, params)
	if l.ended != nil {
		m.Get(p.Ended, r.ended)
	}
	m.Get(p.Costs, costs)
	for i := range runs {
		var words [kernel.StatusSize / 4]uint32
		m.Get(p.Status+kernel.Address(i*kernel.StatusSize), &words)
		r.status = append(r.status, kernel.Status{Step: words[0], NonFinite: words[1], Stopped: words[2]})
		values := make([][]float64, len(im.Program.Buffers))
		for n, ref := range im.Program.Parameters() {
			b := im.Program.Buffers[ref]
			values[ref] = make([]float64, b.Len())
			for k := range values[ref] {
				values[ref][k] = float64(params[i*im.ParamCount+im.Placements[n].At(k/b.Cols, k%b.Cols)])
			}
		}
		r.params = append(r.params, values)
		r.costs = append(r.costs, convert[float64](costs[i*(l.first+l.steps)+l.first:(i+1)*(l.first+l.steps)]))
	}
	if im.Options.Mode == kernel.Tiles {
		m.Get(p.Predictions, predictions)
		r.predictions = convert[float64](predictions)
		m.Get(p.TileCosts, r.tileCosts)
		if p.Confusion != 0 {
			m.Get(p.Confusion, r.confusion)
		}
	}
	return r, nil
}

// interpret makes run r of l with the interpreter, in float64. It returns the
// values of the parameters and the output after it, and the cost of each step.
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
		if p.Cost != ir.None {
			costs = append(costs, m.Buf[p.Cost][0])
		}
	}
	return irtest.Values(p, m), costs
}

// parameters returns values without those of temporaries.
func parameters(p *ir.Program, values [][]float64) [][]float64 {
	values = slices.Clone(values)
	for r, b := range p.Buffers {
		if b.Kind != ir.Parameter {
			values[r] = nil
		}
	}
	return values
}

// check compares the parameters and costs of a launch with the interpreter's.
// Only rounding may differ; the callers say how they bound it.
func check(t testing.TB, h *kerneltest.Host, l launch, tolerance float64) result {
	t.Helper()
	got := run(t, h, l)
	p := l.image.Program
	for r := range l.params {
		want, costs := interpret(t, l, r)
		if d := irtest.Diff(p, got.params[r], parameters(p, want), tolerance); d != "" {
			t.Fatalf("run %d: %s\n%v", r, d, p)
		}
		for s, c := range costs {
			if d := math.Abs(got.costs[r][s] - c); !(d <= tolerance*max(1, math.Abs(c))) {
				t.Fatalf("run %d: cost of step %d is %v, want %v", r, s, got.costs[r][s], c)
			}
		}
		if s := got.status[r]; s.Step != uint32(l.steps) || s.Stopped != 0 || s.NonFinite != 0 {
			t.Fatalf("run %d: status %+v, want %d steps", r, s, l.steps)
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

// modes returns options that must give the same results: with different modes,
// numbers of threads, and places of the memory.
func modes(e ir.Elem) []kernel.Options {
	block := []kernel.Options{
		{Mode: kernel.Block, Threads: 32, Shared: 1 << 30},
		{Mode: kernel.Block, Threads: 96, Shared: 1 << 30},
		{Mode: kernel.Block, Threads: 128, Shared: 16 << 10},
	}
	if e == ir.Float64 {
		return block
	}
	return append(block, []kernel.Options{
		{Mode: kernel.Grid, Threads: 32, Blocks: 1, Shared: 1 << 30},
		{Mode: kernel.Grid, Threads: 64, Blocks: 3, Shared: 1 << 30},
		{Mode: kernel.Grid, Threads: 128, Blocks: 8, Shared: 1 << 30},
	}...)
}

// precisions are those of networks. modes has options for each.
var precisions = []model.Precision{model.Float32, model.Float64}

func elem(p model.Precision) ir.Elem {
	if p == model.Float64 {
		return ir.Float64
	}
	return ir.Float32
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
		for _, e := range []ir.Elem{ir.Float64, ir.Float32} {
			rng := rand.New(rand.NewPCG(uint64(seed), 4))
			p := irtest.Random(rng, irtest.Options{Elem: e})
			x, _ := p.Lookup("x")
			y, _ := p.Lookup("y")
			s := valueSet(rng, 2*p.Batch+1, p.Buffers[x].Cols, p.Buffers[y].Cols)
			params := randomParams(rng, p, 1)
			order := make([]int32, s.samples())
			for i, k := range rng.Perm(len(order)) {
				order[i] = int32(k)
			}
			tolerance := 1e-10
			if e == ir.Float32 {
				tolerance = 1e-3
			}
			for _, o := range modes(e) {
				check(t, h, launch{
					image: encode(t, p, o), set: s, params: [][][]float64{params}, order: [][]int32{order}, rates: []float64{0.25}, steps: 1, position: 1,
				}, tolerance)
			}
		}
	}
}

// TestJoin has element-wise instructions that join the product before them, and
// some that may not: V and t have their values only after it.
func TestJoin(t *testing.T) {
	h := kerneltest.Start(t)
	p := ir.MustParse(`program "join" float64 batch 3
  x data      3x5
  y target    3x4
  W parameter 4x5 by input
  U parameter 4x4
  b parameter 1x4
  V parameter 3x4
  D parameter 3x4
  H parameter 3x4
  M parameter 3x4
  N parameter 3x4
  z temporary 3x4
  d temporary 3x4
  h temporary 3x4
  p temporary 3x4
  m temporary 3x4
  q temporary 3x4
  t temporary 3x4
  n temporary 3x4
  z = affine x W b
  d = outputdelta sigmoid z y * 0.5 * -rate
  h = hiddendelta tanh d d
  p = matmul x W^T
  V += y
  m = map p * V
  q = matmul d U
  t = map y * d
  n = hiddendelta sigmoid q t
  D += d
  H -= rate * h
  M += m
  N += n
`)
	rng := rand.New(rand.NewPCG(6, 1))
	s := valueSet(rng, 3, 5, 4)
	for _, o := range modes(p.Elem) {
		check(t, h, launch{image: encode(t, p, o), set: s, params: [][][]float64{randomParams(rng, p, 1)}, rates: []float64{0.25}, steps: 1}, 1e-13)
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

// TestNetworks trains lowered networks for some steps in every mode, in both
// update orders, with single samples and with small and larger mini-batches, on
// data with an empty and a full row. The interpreter computes in float64: the
// bound for float32 is that of a few hundred operations of 2⁻²⁴ each.
func TestNetworks(t *testing.T) {
	h := kerneltest.Start(t)
	for i, n := range networks {
		for _, batch := range []int{1, 3, 29} {
			if testing.Short() && i > 2 {
				continue
			}
			for _, n.Precision = range precisions {
				tolerance := 1e-12
				if n.Precision == model.Float32 {
					tolerance = 2e-5
				}
				for k, o := range modes(elem(n.Precision)) {
					if testing.Short() && k%2 == 0 {
						continue
					}
					rng := rand.New(rand.NewPCG(uint64(i), uint64(batch)))
					p := step(t, n, batch, lower.Options{Listing: k%2 == 1, Cost: true})
					s := pixelSet(rng, 61, n.Inputs(), n.Outputs())
					order := make([]int32, 61)
					for a, b := range rng.Perm(len(order)) {
						order[a] = int32(b)
					}
					check(t, h, launch{
						image: encode(t, p, o), set: s, order: [][]int32{order}, rates: []float64{0.125},
						params: [][][]float64{randomParams(rng, p, 0.25)}, steps: min(20, 60/batch), position: 61 % batch, poll: 2,
					}, tolerance)
				}
			}
		}
	}
}

// TestRuns trains several runs in one launch, with different parameters, orders
// and rates. Each must give the same bits as alone.
func TestRuns(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{21, 9, 4}, Bias: true}
	p := step(t, n, 1, lower.Options{Cost: true})
	rng := rand.New(rand.NewPCG(1, 2))
	s := pixelSet(rng, 40, 21, 4)
	for _, shared := range []int{1 << 20, 6 << 10} {
		l := launch{image: encode(t, p, kernel.Options{Threads: 64, Shared: shared}), set: s, steps: 25}
		for r := range 5 {
			l.params = append(l.params, randomParams(rng, p, 0.5))
			l.rates = append(l.rates, 0.1*float64(r))
			order := make([]int32, 40)
			for a, b := range rng.Perm(40) {
				order[a] = int32(b)
			}
			l.order = append(l.order, order)
		}
		all := check(t, h, l, 1e-5)
		for r := range 5 {
			one := l
			one.params, one.rates, one.order = l.params[r:r+1], l.rates[r:r+1], l.order[r:r+1]
			alone := run(t, h, one)
			if !reflect.DeepEqual(alone.params[0], all.params[r]) || !slices.Equal(alone.costs[0], all.costs[r]) {
				t.Errorf("%d bytes of shared memory: run %d differs from the same run alone", shared, r)
			}
		}
	}
}

// TestGradients runs ir.Gradients with rate −1: the gradients are parameters, and
// the others do not change. The bound for float32 is that of sums of 19 terms of
// 2⁻²⁴ each.
func TestGradients(t *testing.T) {
	h := kerneltest.Start(t)
	for _, precision := range precisions {
		tolerance := 1e-14
		if precision == model.Float32 {
			tolerance = 2e-6
		}
		for _, o := range modes(elem(precision)) {
			for _, batch := range []int{1, 7} {
				n := model.Network{Layers: []int{19, 11, 5}, Bias: true, Precision: precision}
				p := ir.Gradients(step(t, n, batch, lower.Options{Cost: true}))
				rng := rand.New(rand.NewPCG(5, uint64(batch)))
				params := randomParams(rng, p, 0.5)
				all := p.Parameters()
				for _, r := range all[len(all)/2:] {
					clear(params[r])
				}
				got := check(t, h, launch{
					image: encode(t, p, o), set: valueSet(rng, batch, 19, 5), rates: []float64{-1}, params: [][][]float64{params}, steps: 1,
				}, tolerance)
				for _, r := range all[:len(all)/2] {
					if !slices.Equal(got.params[0][r], params[r]) {
						t.Errorf("%v, %d samples: %s changed", o.Mode, batch, p.Buffers[r].Name)
					}
				}
			}
		}
	}
}

// TestTiles evaluates a set whose last mini-batch is ragged, in tiles of less and of
// more than a warp's samples.
func TestTiles(t *testing.T) {
	h := kerneltest.Start(t)
	const samples = 43
	for _, n := range networks {
		for k, o := range []kernel.Options{{Threads: 64, Shared: 1 << 20}, {Threads: 128, Shared: 5 << 10}} {
			n.Precision = model.Float64
			o.Mode = kernel.Tiles
			tile := []int{8, 40}[k]
			g, err := graph.Forward(n, tile)
			if err != nil {
				t.Fatal(err)
			}
			p, err := lower.Program(g, lower.Options{})
			if err != nil {
				t.Fatal(err)
			}
			rng := rand.New(rand.NewPCG(9, 9))
			s := pixelSet(rng, samples, n.Inputs(), n.Outputs())
			l := launch{image: encode(t, p, o), set: s, params: [][][]float64{randomParams(rng, p, 0.5)}, steps: (samples + tile - 1) / tile}
			got := run(t, h, l)
			want := vm.NewScore(n.Outputs())
			cost := 0.0
			for first := 0; first < samples; first += tile {
				part := l
				part.position, part.steps = min(first, samples-tile), 1
				values, _ := interpret(t, part, 0)
				for i := first - part.position; i < tile; i++ {
					id := part.position + i
					a := values[p.Output][i*n.Outputs() : (i+1)*n.Outputs()]
					want.Add(a, s.labels[id])
					for k, v := range a {
						if d := math.Abs(got.predictions[id*n.Outputs()+k] - v); !(d < 1e-13) {
							t.Fatalf("%v: sample %d output %d is %v, want %v", n, id, k, got.predictions[id*n.Outputs()+k], v)
						}
					}
				}
			}
			for _, c := range got.tileCosts {
				cost += c
			}
			if math.Abs(cost-want.Cost) > 1e-12*samples {
				t.Errorf("%v: cost %v, want %v", n, cost, want.Cost)
			}
			for label, row := range want.Confusion {
				for k, count := range row {
					if got.confusion[label*n.Outputs()+k] != uint32(count) {
						t.Errorf("%v: label %d predicted as %d: %d times, want %d", n, label, k, got.confusion[label*n.Outputs()+k], count)
					}
				}
			}
		}
	}
}

// TestNonFinite makes a weight overflow in a known step.
func TestNonFinite(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{3, 1}, Bias: true, Activation: model.Tanh}
	p := step(t, n, 1, lower.Options{})
	w, _ := p.Lookup("W2")
	b, _ := p.Lookup("b2")
	// One tanh unit. Samples 0 and 1 are black with target 0; the others have
	// x = (1, 0, 0) and target 1.
	s := set{inputs: 3, classes: 1, x: []float64{0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0, 1, 0, 0}, y: []float64{0, 0, 1, 1, 1}}
	params := make([][]float64, len(p.Buffers))
	params[w], params[b] = []float64{2e38, 0, 0}, []float64{-2e38}
	for _, o := range modes(p.Elem) {
		l := launch{image: encode(t, p, o), set: s, params: [][][]float64{params}, rates: []float64{3e38}, steps: 3, poll: 1}
		// From sample 2: z = 2e38 − 2e38 = 0, a = 0 and δ = −1, so the first step
		// adds 3e38 to the weight 2e38, which is over the largest float32, 3.4e38.
		l.position = 2
		got := run(t, h, l)
		if st := got.status[0]; st.NonFinite != 1 {
			t.Errorf("%v: status %+v, want step 1 not finite", o, st)
		}
		if st := got.status[0]; st.Stopped != 1 || st.Step != 2 {
			t.Errorf("%v: status %+v, want a stop one step after it was noticed", o, st)
		}
		// From sample 0: tanh is saturated, so δ = 0, and nothing changes.
		l.position = 0
		l.rates = []float64{0.5}
		if st := run(t, h, l).status[0]; st.NonFinite != 0 || st.Stopped != 0 || st.Step != 3 {
			t.Errorf("%v: status %+v of a finite run", o, st)
		}
	}
}

// TestStop sets the stop word before the launch. The kernel reads it in step 0
// and ends after that step.
func TestStop(t *testing.T) {
	h := kerneltest.Start(t)
	for _, precision := range precisions {
		tolerance := 1e-14
		if precision == model.Float32 {
			tolerance = 1e-6 // of sums of 7 terms
		}
		n := model.Network{Layers: []int{7, 5, 3}, Bias: true, Precision: precision}
		p := step(t, n, 2, lower.Options{})
		rng := rand.New(rand.NewPCG(3, 3))
		l := launch{set: pixelSet(rng, 20, 7, 3), params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{1}, poll: 4}
		for _, o := range modes(p.Elem) {
			l.image, l.steps, l.stop = encode(t, p, o), 10, true
			got := run(t, h, l)
			if st := got.status[0]; st.Step != 1 || st.Stopped != 1 {
				t.Errorf("%v: status %+v, want a stop after 1 step", o, st)
			}
			l.steps = 1
			want, _ := interpret(t, l, 0)
			if d := irtest.Diff(p, got.params[0], parameters(p, want), tolerance); d != "" {
				t.Errorf("%v: %s", o, d)
			}
		}
	}
}

// TestEnded: a run that ends before its last step, or with a value that is not
// finite in its last step, sets its word, and a launch does nothing for a run whose
// word is set.
func TestEnded(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{9, 5, 3}}
	p := step(t, n, 1, lower.Options{Cost: true})
	rng := rand.New(rand.NewPCG(3, 5))
	for _, o := range append(modes(p.Elem), kernel.Options{Mode: kernel.Fused, Threads: 128, Shared: 1 << 20}) {
		l := launch{
			image: encode(t, p, o), set: pixelSet(rng, 8, 9, 3), params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.5},
			steps: 4, poll: 1, ended: []uint32{0},
		}
		if got := check(t, h, l, 1e-5); got.ended[0] != 0 {
			t.Errorf("%+v: a whole run ended early", o)
		}
		l.stop = true
		if got := run(t, h, l); got.ended[0] != 1 {
			t.Errorf("%+v: a run that was stopped did not end", o)
		}
		l.stop, l.position, l.steps, l.rates = false, 1, 1, []float64{math.Inf(1)} // sample 1 is white
		if got := run(t, h, l); got.ended[0] != 1 || got.status[0].Stopped != 0 {
			t.Errorf("%+v: a run whose last step is not finite did not end: %+v", o, got.status[0])
		}
		l.ended, l.rates = []uint32{1}, []float64{0.5}
		if got := run(t, h, l); !reflect.DeepEqual(got.params[0], parameters(p, l.params[0])) || got.status[0] != (kernel.Status{}) {
			t.Errorf("%+v: a run that had ended went on: %+v", o, got.status[0])
		}
	}
}

// TestMNISTShape trains 784-50-10 with blocks of 512 threads, as in real use:
// with the parameters in shared and in global memory, and in a grid.
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
		p := step(t, n, c.batch, lower.Options{Cost: true})
		l := launch{image: encode(t, p, c.o), set: s, params: [][][]float64{randomParams(rng, p, 0.125)}, rates: []float64{0.1}, steps: c.steps}
		check(t, h, l, 1e-5)
	}
}

// exercises are short launches that reach each instruction and each mode: with sums
// in several parts, and with more pixels than the fused kernel keeps in registers.
func exercises(t testing.TB) []launch {
	t.Helper()
	rng := rand.New(rand.NewPCG(11, 11))
	block := kernel.Options{Threads: 64, Shared: 1 << 20}
	grid := kernel.Options{Mode: kernel.Grid, Threads: 32, Blocks: 3, Shared: 1 << 20}
	fused := kernel.Options{Mode: kernel.Fused, Threads: 160, Shared: 1 << 20}
	var all []launch
	precision := model.Float32
	add := func(layers []int, batch int, o kernel.Options) {
		n := model.Network{Layers: layers, Bias: true, Precision: precision}
		p := step(t, n, batch, lower.Options{Cost: true})
		all = append(all, launch{
			image: encode(t, p, o), set: pixelSet(rng, 12, n.Inputs(), n.Outputs()), params: [][][]float64{randomParams(rng, p, 0.5)},
			rates: []float64{0.1}, steps: min(4, 12/batch), poll: 1,
		})
	}
	small, wide := []int{11, 6, 3}, []int{120, 5, 3}
	for _, batch := range []int{1, 3, 6} {
		add(small, batch, block)
		add(small, batch, grid)
	}
	add([]int{70, 9, 4}, 6, grid) // several loads before the products, and several parts of a sum
	add(wide, 1, block)           // two warps for each row, so an OP_FINISH
	if im := all[len(all)-1].image; im.Barriers <= all[0].image.Barriers {
		t.Fatalf("%d barriers, want one more than %d: the rows are not in two parts", im.Barriers, all[0].image.Barriers)
	}
	add(small, 1, fused)
	add(wide, 1, fused) // a white image has 40 pixels for each warp
	add([]int{11, 60, 3}, 1, fused)
	tight := fused
	tight.Shared = all[len(all)-2].image.SharedBytes - 1 // of wide
	add(wide, 1, tight)
	if im := all[len(all)-1].image; im.Entry != "vm_fused_one_f32" {
		t.Fatalf("with %d bytes of shared memory it runs in %s", tight.Shared, im.Entry)
	}
	white := all[len(all)-3]
	white.position, white.steps = 1, 3 // it begins with that image
	all = append(all, white)
	exchange := kernel.Options{Mode: kernel.Exchange, Blocks: 3, Shared: 1 << 20}
	listing := func(l launch, layers []int) {
		n := model.Network{Layers: layers, Bias: true}
		l.image = encode(t, step(t, n, l.image.Program.Batch, lower.Options{Listing: true, Cost: true}), l.image.Options)
		all = append(all, l)
	}
	add(small, 6, exchange)
	add(small, 3, exchange) // one block has no slice, so it waits only for what W3 needs
	unpolled := all[len(all)-1]
	unpolled.poll = 0
	stopped := all[len(all)-1]
	stopped.stop = true
	all = append(all, unpolled, stopped)
	listing(unpolled, small)
	listing(stopped, small)
	two := []int{20, 4, 3} // the inputs in two parts
	add(two, 3, exchange)
	listing(all[len(all)-1], two)
	exchange.Blocks = 9
	add([]int{143, 4, 3}, 2, exchange) // a warp adds up two parts of z
	add([]int{8, 36, 16}, 2, exchange) // a thread has two pairs of weights of W3
	listing(all[len(all)-1], []int{8, 36, 16})
	// The cost is not finite in the last step. The last thread of the block sees it.
	dear := all[len(all)-3]
	dear.set = valueSet(rng, 2, 143, 3)
	dear.set.y[0], dear.steps, dear.bad = 1e30, 1, 1
	all = append(all, dear)
	precision = model.Float64
	add(small, 1, block)
	add(small, 3, block)
	precision = model.Float32
	for seed := range 3 {
		rng := rand.New(rand.NewPCG(uint64(seed), 12))
		p := irtest.Random(rng, irtest.Options{MaxDim: 9})
		x, _ := p.Lookup("x")
		y, _ := p.Lookup("y")
		for _, o := range []kernel.Options{block, grid} {
			all = append(all, launch{
				image: encode(t, p, o), set: valueSet(rng, p.Batch, p.Buffers[x].Cols, p.Buffers[y].Cols),
				params: [][][]float64{randomParams(rng, p, 1)}, rates: []float64{0.25}, steps: 1,
			})
		}
	}
	// A weight overflows in the last step. A thread of the second block and warp sees it,
	// and the first thread of all must hear of it, in whatever order they run.
	over := step(t, model.Network{Layers: []int{120, 1}, Activation: model.Tanh}, 1, lower.Options{})
	one := set{inputs: 120, classes: 1, x: make([]float64, 120), y: []float64{1}}
	one.x[100], one.x[101] = 1, 1
	weights := randomParams(rng, over, 0)
	w, _ := over.Lookup("W2")
	weights[w][100], weights[w][101] = 2e38, -2e38
	wider := kernel.Options{Mode: kernel.Grid, Threads: 64, Blocks: 2, Shared: 1 << 20}
	for range 8 {
		all = append(all, launch{image: encode(t, over, wider), set: one, params: [][][]float64{weights}, rates: []float64{3e38}, steps: 1, poll: 1, bad: 1})
	}
	n := model.Network{Layers: small, Bias: true}
	g, err := graph.Forward(n, 8)
	if err != nil {
		t.Fatal(err)
	}
	p, err := lower.Program(g, lower.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return append(all, launch{
		image: encode(t, p, kernel.Options{Mode: kernel.Tiles, Threads: 64, Shared: 1 << 20}), set: pixelSet(rng, 43, 11, 3),
		params: [][][]float64{randomParams(rng, p, 0.5)}, steps: 6,
	})
}

// checkExercise compares a launch with the interpreter. Tiles have no parameters to
// compare: TestTiles compares their scores.
func checkExercise(t *testing.T, h *kerneltest.Host, l launch) {
	t.Helper()
	switch {
	case l.image.Options.Mode == kernel.Tiles:
		run(t, h, l)
	case l.stop:
		if st := run(t, h, l).status[0]; st.Step != 1 || st.Stopped != 1 {
			t.Errorf("%s: status %+v, want a stop after 1 step", l.image.Entry, st)
		}
	case l.bad != 0:
		if st := run(t, h, l).status[0]; st.NonFinite != l.bad {
			t.Errorf("%s: status %+v, want step %d not finite", l.image.Entry, st, l.bad)
		}
	default:
		check(t, h, l, 1e-4)
	}
}

// TestThreads runs the kernels under the thread sanitizer. To show that it sees
// data races, the test also removes barriers and expects a report.
func TestThreads(t *testing.T) {
	if testing.Short() {
		t.Skip("the thread sanitizer is slow")
	}
	all := exercises(t)
	intact := kerneltest.StartThreads(t)
	many := 0
	for _, l := range all {
		if l.image.Options.Blocks*l.image.Options.Threads > 1024 {
			continue // too many threads
		}
		if l.image.Entry == kernel.ExchangeEntry {
			if many++; many%3 != 1 && !kerneltest.OnPTX() {
				continue // 768 threads take a second or two: with the flag -ptx, all of them
			}
		}
		if _, err := tryRun(intact, l); err != nil {
			t.Fatalf("%s, %+v: %v", l.image.Program.Name, l.image.Options, err)
		}
	}
	for _, c := range []struct {
		flag string
		l    launch // of batch 3
	}{{"-DDROPPED(k)=true", all[2]}, {"-DNO_SYNCWARP", all[2]}, {"-DDROPPED(k)=true", all[3]}} {
		_, err := tryRun(kerneltest.StartThreads(t, c.flag), c.l)
		if err == nil || !strings.Contains(err.Error(), "data race") {
			t.Errorf("%s: %v, want a report of a data race", c.flag, err)
		}
	}
}

// TestInterleaved runs the kernels with other orders of the threads, also between
// barriers. Without the barriers the results are wrong.
func TestInterleaved(t *testing.T) {
	all := exercises(t)
	for seed := 1; seed <= 3; seed++ {
		h := kerneltest.StartInterleaved(t, seed)
		for _, l := range all {
			checkExercise(t, h, l)
		}
	}
	wrong := 0
	h := kerneltest.StartInterleaved(t, 1, "-DDROPPED(k)=true")
	for _, l := range all[:6] {
		got := run(t, h, l)
		want, _ := interpret(t, l, 0)
		if irtest.Diff(l.image.Program, got.params[0], parameters(l.image.Program, want), 1e-4) != "" {
			wrong++
		}
	}
	if wrong == 0 {
		t.Error("without barriers all results are right: the order of the threads does not change")
	}
}

// TestChecked runs the kernels with checks of alignment and of array bounds.
func TestChecked(t *testing.T) {
	h := kerneltest.StartChecked(t)
	for _, l := range exercises(t) {
		checkExercise(t, h, l)
	}
}

// TestWarps: the shim refuses a shuffle that not all lanes take part in.
func TestWarps(t *testing.T) {
	l := exercises(t)[0]
	_, err := tryRun(kerneltest.Start(t, "-DWARP_ALL=0x7fffffffu"), l)
	if err == nil || !strings.Contains(err.Error(), "mask has not all lanes") {
		t.Errorf("%v, want a report of the mask", err)
	}
}

// TestRefusals: the error of Encode names what cannot run.
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
		{"use block or grid mode", kernel.Options{Mode: kernel.Tiles, Shared: 1 << 20}},
	} {
		_, err := kernel.Encode(p, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: error %v, want %q", c.o, err, c.want)
		}
	}
	double := step(t, model.Network{Layers: []int{4, 3}, Precision: model.Float64}, 2, lower.Options{})
	if _, err := kernel.Encode(double, kernel.Options{Mode: kernel.Grid, Blocks: 1, Shared: 1 << 20}); err == nil || !strings.Contains(err.Error(), "use block mode for float64") {
		t.Errorf("a grid in float64: %v", err)
	}
	q := step(t, model.Network{Layers: []int{4, 3}}, 2, lower.Options{Cost: true})
	if _, err := kernel.Encode(q, kernel.Options{Mode: kernel.Tiles, Shared: 1 << 20}); err == nil || !strings.Contains(err.Error(), "and no cost") {
		t.Errorf("a cost in tiles: %v", err)
	}
	q = p.Clone()
	q.Batch++
	if _, err := kernel.Encode(q, kernel.Options{Shared: 1 << 20}); err == nil || !strings.Contains(err.Error(), "verify") {
		t.Errorf("an invalid program: %v", err)
	}
}

// TestFit pins where the parameters of 784-50-10 are on each generation of
// devices, how many barriers a step has, and what of the data it reads.
func TestFit(t *testing.T) {
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true}
	for _, c := range []struct {
		name     string
		batch    int
		o        kernel.Options
		flags    uint32
		barriers int
		pixels   bool
	}{
		{"Hopper, 227 KB", 1, kernel.Options{Shared: 227 << 10}, kernel.FlagParamsShared | kernel.FlagArenaShared, 5, false},
		{"Ada, 99 KB", 1, kernel.Options{Shared: 99 << 10}, kernel.FlagArenaShared, 5, false},
		{"Hopper, grid", 128, kernel.Options{Mode: kernel.Grid, Blocks: 132, Shared: 227 << 10}, 0, 7, true}, // three are before an OP_FINISH
	} {
		im := encode(t, step(t, n, c.batch, lower.Options{}), c.o)
		if im.Flags != c.flags || im.Barriers != c.barriers || im.SharedBytes > c.o.Shared {
			t.Errorf("%s: flags %d, %d barriers, %d bytes: want flags %d, %d barriers", c.name, im.Flags, im.Barriers, im.SharedBytes, c.flags, c.barriers)
		}
		if im.NeedsPixels != c.pixels || !im.NeedsRows {
			t.Errorf("%s: needs dense pixels %t, sparse rows %t: want %t, true", c.name, im.NeedsPixels, im.NeedsRows, c.pixels)
		}
		t.Logf("%s: %d bytes of shared memory, %d barriers", c.name, im.SharedBytes, im.Barriers)
	}
}

// TestPTXFresh compares the source hash in kernels.ptx with the sources, its
// entries with the kernels, and the hashes in registers.txt with the files.
func TestPTXFresh(t *testing.T) {
	hash := sha256.New()
	for _, name := range []string{"machine.h", "block.cu", "exchange.cu", "fused.cu", "grid.cu", "kernels.cu"} { // as in ptx.py
		text, err := kernel.Sources.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		hash.Write(text)
	}
	if want := "// source " + hex.EncodeToString(hash.Sum(nil)); !strings.Contains(kernel.PTX, want) {
		t.Error("kernels.ptx is stale: run generate.sh in its folder")
	}
	for _, entry := range []string{"vm_block_f32", "vm_block_f64", "vm_exchange_f32", "vm_fused_f32", "vm_fused_one_f32", "vm_fused_wide_f32", kernel.GridEntry} {
		if !strings.Contains(kernel.PTX, ".visible .entry "+entry+"(") {
			t.Errorf("kernels.ptx has no entry %s", entry)
		}
	}
	figures, err := os.ReadFile("registers.txt")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"kernels.ptx": kernel.PTX, "kernels.sm_90.cubin": kernel.Cubin} {
		sum := sha256.Sum256([]byte(text))
		if !strings.Contains(string(figures), "sha256 "+name+" "+hex.EncodeToString(sum[:])+"\n") {
			t.Errorf("%s and registers.txt are not of the same run of generate.sh", name)
		}
	}
	if want := ".target sm_" + strconv.Itoa(kernel.LeastCapability); !strings.Contains(kernel.PTX, want) {
		t.Errorf("kernels.ptx has not %q", want)
	}
}

// TestSpills: the kernels that are to be fast keep everything in registers, so no loop
// of theirs spills. vm_block_f64 is a witness, and must not spill more than this.
func TestSpills(t *testing.T) {
	figures, err := os.ReadFile("registers.txt")
	if err != nil {
		t.Fatal(err)
	}
	kernels := 0
	for line := range strings.Lines(string(figures)) {
		var target, name string
		var registers, stack, stores, loads int
		if n, _ := fmt.Sscanf(line, "%s %s registers %d stack %d spill-stores %d spill-loads %d", &target, &name, &registers, &stack, &stores, &loads); n != 6 {
			continue
		}
		kernels++
		most := map[string]int{"vm_block_f64": 36}[name]
		if max(stores, loads) > most {
			t.Errorf("%s spills %d bytes and loads %d, want at most %d", name, stores, loads, most)
		}
	}
	if kernels != 14 {
		t.Errorf("registers.txt has %d lines of kernels, want 14", kernels)
	}
}

// TestFused compares the fused kernel with the interpreter, and tests which
// programs Fused mode refuses.
func TestFused(t *testing.T) {
	h := kerneltest.Start(t)
	for i, layers := range [][]int{{784, 50, 10}, {17, 6, 4}, {40, 63, 16}, {9, 64, 1}, {300, 1, 3}, {784, 52, 10}} {
		for k, threads := range []int{512, 160, 128} {
			if threads == 512 && (layers[0] != 784 || testing.Short()) {
				continue
			}
			n := model.Network{Layers: layers, Bias: (i+k)%2 == 0, Activation: model.Activation(k % 2)}
			rng := rand.New(rand.NewPCG(uint64(i), 8))
			s := pixelSet(rng, 12, n.Inputs(), n.Outputs())
			l := launch{set: s, steps: 10, poll: 3, position: 1}
			for r := range 2 {
				l.rates = append(l.rates, 0.05*float64(r+1))
				order := make([]int32, 12)
				for a, b := range rng.Perm(12) {
					order[a] = int32(b)
				}
				l.order = append(l.order, order)
			}
			o := kernel.Options{Mode: kernel.Fused, Threads: threads, Shared: 227 << 10}
			for _, cost := range []bool{false, true} {
				p := step(t, n, 1, lower.Options{Listing: i%2 == 1, Cost: cost})
				l.params = nil
				for range 2 {
					l.params = append(l.params, randomParams(rng, p, 0.125))
				}
				l.image = encode(t, p, o)
				check(t, h, l, 1e-5)
			}
			l.stop = true
			if st := run(t, h, l).status[0]; st.Step != 3 || st.Stopped != 1 {
				t.Errorf("%v: status %+v, want a stop after 3 steps", n, st)
			}
			l.stop, l.poll, l.rates = false, 1, []float64{1e38, math.Inf(1)}
			if st := run(t, h, l).status[1]; st.NonFinite != 1 || st.Stopped != 1 {
				t.Errorf("%v: status %+v, want step 1 not finite", n, st)
			}
		}
	}
	o := kernel.Options{Mode: kernel.Fused, Shared: 227 << 10}
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
		if _, err := kernel.Encode(step(t, c.n, c.batch, lower.Options{}), o); err == nil || !strings.Contains(err.Error(), "use block mode") {
			t.Errorf("%s: error %v, want a reason and block mode", c.why, err)
		}
	}
}

// TestFusedNonFinite makes a weight overflow in each step of a group, which the fused
// kernel sees a group later: it must name that step, also if a later step overflows
// what it sees at once.
func TestFusedNonFinite(t *testing.T) {
	h := kerneltest.Start(t)
	p := step(t, model.Network{Layers: []int{3, 1, 1}, Activation: model.Tanh}, 1, lower.Options{})
	w2, _ := p.Lookup("W2")
	w3, _ := p.Lookup("W3")
	for bad := range 5 {
		// All samples are black with target 0, which changes nothing, but for sample bad:
		// z = 3e38 − 3e38 = 0, a = 0, and e = W3 (0 − 1) (−rate) = 3e37 goes to two
		// weights of W2, of which one is over 3.4e38 then. Sample bad + 1 makes W3 overflow,
		// which the chain sees at once, before the weights of sample bad are updated.
		s := set{inputs: 3, classes: 1, x: make([]float64, 8*3), y: make([]float64, 8)}
		s.x[bad*3], s.x[bad*3+1], s.y[bad] = 1, 1, 1
		params := make([][]float64, len(p.Buffers))
		params[w2], params[w3] = []float64{3.3e38, -3.3e38, 1}, []float64{0.5}
		l := launch{
			image: encode(t, p, kernel.Options{Mode: kernel.Fused, Threads: 128, Shared: 1 << 20}), set: s,
			params: [][][]float64{params}, rates: []float64{3e38}, steps: 7, poll: 1,
		}
		if bad < 4 {
			s.x[(bad+1)*3+2], s.y[bad+1] = 1, -10
		}
		got := run(t, h, l)
		if st := got.status[0]; st.NonFinite != uint32(bad+1) || bad < 3 && st.Stopped != 1 {
			t.Errorf("sample %d: status %+v, want step %d not finite", bad, st, bad+1)
		}
		if v := got.params[0][w2][0]; v-v == 0 {
			t.Errorf("sample %d: W2 is %v, want a weight that is not finite", bad, got.params[0][w2])
		}
	}
}

// TestFusedRefuses and TestExchangeRefusesChanges change each instruction of a program in
// turn. The mode must refuse the changed program or compute it.
func TestFusedRefuses(t *testing.T) {
	refuses(t, 1, kernel.Options{Mode: kernel.Fused, Threads: 128, Shared: 1 << 20})
}

func TestExchangeRefusesChanges(t *testing.T) {
	refuses(t, 3, kernel.Options{Mode: kernel.Exchange, Blocks: 2, Shared: 1 << 20})
}

func refuses(t *testing.T, batch int, o kernel.Options) {
	t.Helper()
	h := kerneltest.Start(t)
	p := step(t, model.Network{Layers: []int{9, 5, 3}, Bias: true}, batch, lower.Options{Cost: true})
	rng := rand.New(rand.NewPCG(4, 4))
	s := pixelSet(rng, 4*batch, 9, 3)
	changes := []func(q *ir.Program, i int){
		func(q *ir.Program, i int) { // another buffer of the same shape
			args := q.Code[i].Args
			for r, b := range q.Buffers {
				if a := q.Buffers[args[0]]; b.Rows == a.Rows && b.Cols == a.Cols && ir.Ref(r) != args[0] {
					args[0] = ir.Ref(r)
					break
				}
			}
		},
		func(q *ir.Program, i int) {
			if in := q.Code[i]; in.Op == ir.Map {
				q.Code[i] = ir.NewMap(in.Dst, in.Args, ir.Mul(in.Expr, ir.Const(0.75)))
			}
		},
		func(q *ir.Program, i int) { q.Code[i].Rate = !q.Code[i].Rate },
		func(q *ir.Program, i int) { q.Code[i].G = ir.FnTanh },
		func(q *ir.Program, i int) { q.Code[i].Value = 0.75 },
		func(q *ir.Program, i int) { q.Code[i].TransB = true },
		func(q *ir.Program, i int) { q.Code = slices.Delete(q.Code, i, i+1) },
		func(q *ir.Program, i int) {
			if k := max(0, i-1); !slices.Contains(q.Code[i].Args, q.Code[k].Dst) {
				q.Code[i], q.Code[k] = q.Code[k], q.Code[i]
			}
		},
		func(q *ir.Program, i int) { q.Cost = q.Code[i].Dst },
	}
	accepted := 0
	for i := range p.Code {
		for _, change := range changes {
			q := p.Clone()
			change(q, i)
			im, err := kernel.Encode(q, o)
			if err != nil {
				continue
			}
			if !q.Equal(p) {
				accepted++
			}
			check(t, h, launch{image: im, set: s, steps: 3, params: [][][]float64{randomParams(rng, q, 0.5)}, rates: []float64{0.5}}, 1e-5)
		}
	}
	if accepted == 0 {
		t.Error("no other order of the instructions was accepted")
	}
}

// TestTwoLaunches splits a pass in two launches, where a launch may end early.
// Together they must give the same bits as one launch; in fused mode, where a sum is
// made of other parts at the beginning of a section, they agree to a few roundings of
// 2⁻²⁴ if the split is elsewhere. A repeated launch must give the same bits, too.
func TestTwoLaunches(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{23, 13, 5}, Bias: true}
	for _, o := range append(modes(ir.Float32), kernel.Options{Mode: kernel.Fused, Threads: 128, Shared: 1 << 20}) {
		for _, poll := range []int{0, 1, 2, 3, 4, 5} {
			p := step(t, n, 1, lower.Options{Cost: true})
			rng := rand.New(rand.NewPCG(6, 6))
			whole := launch{
				image: encode(t, p, o), set: pixelSet(rng, 12, 23, 5), params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.5}, steps: 12, poll: poll,
			}
			want := run(t, h, whole)
			if again := run(t, h, whole); !reflect.DeepEqual(again.params, want.params) {
				t.Errorf("%v: a second run gives other bits", o.Mode)
			}
			for split := 1; split < whole.steps; split++ {
				if o.Mode != kernel.Fused && split != 5 {
					continue
				}
				one, two := whole, whole
				one.steps = split
				first := run(t, h, one)
				two.steps, two.first, two.position, two.params = whole.steps-split, split, split, first.params
				second := run(t, h, two)
				if o.Mode == kernel.Fused && (poll == 0 || split%poll != 0) {
					if d := irtest.Diff(p, second.params[0], want.params[0], 1e-6); d != "" {
						t.Errorf("%v, sections of %d: split after %d: %s", o.Mode, poll, split, d)
					}
					continue
				}
				if !reflect.DeepEqual(second.params, want.params) || !slices.Equal(append(first.costs[0], second.costs[0]...), want.costs[0]) {
					t.Errorf("%v, sections of %d: two launches, split after %d, differ from one", o.Mode, poll, split)
				}
			}
		}
	}
}

// TestPlacements: all programs of a network place its parameters alike, so that
// they can share the memory.
func TestPlacements(t *testing.T) {
	n := model.Network{Layers: []int{784, 51, 10}, Bias: true}
	want := encode(t, step(t, n, 1, lower.Options{}), kernel.Options{Mode: kernel.Fused, Shared: 227 << 10})
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
		encode(t, step(t, n, 96, lower.Options{}), kernel.Options{Mode: kernel.Exchange, Blocks: 132, Shared: 227 << 10}),
		encode(t, forward, kernel.Options{Mode: kernel.Tiles, Shared: 227 << 10}),
	} {
		if !slices.Equal(im.Placements, want.Placements) || im.ParamCount != want.ParamCount {
			t.Errorf("%s, %v: parameters at %v, want %v", im.Program.Name, im.Options.Mode, im.Placements, want.Placements)
		}
	}
}

// TestManySamples has sums of every kind over the samples, in mini-batches of
// less than a block of terms to many blocks, in parts of different lengths. In
// float32 the bound for networks is that of the values from which the sums are
// made; TestSums has that of the sums.
func TestManySamples(t *testing.T) {
	h := kerneltest.Start(t)
	try := func(batch int, precision model.Precision, o kernel.Options) {
		tolerance := 1e-12
		if precision == model.Float32 {
			tolerance = 2e-5
		}
		n := model.Network{Layers: []int{17, 6, 4}, Bias: true, Precision: precision}
		rng := rand.New(rand.NewPCG(2, 1))
		p := step(t, n, batch, lower.Options{Cost: true})
		check(t, h, launch{
			image: encode(t, p, o), set: pixelSet(rng, batch, 17, 4), params: [][][]float64{randomParams(rng, p, 0.5)}, rates: []float64{0.5}, steps: 1,
		}, tolerance)
	}
	for _, precision := range precisions {
		for _, o := range modes(elem(precision)) {
			try(65, precision, o)
		}
		try(2111, precision, kernel.Options{Threads: 128, Shared: 64 << 10})
	}
	try(2111, model.Float32, kernel.Options{Mode: kernel.Grid, Threads: 128, Blocks: 8, Shared: 64 << 10})
}

// TestSums adds equal terms, whose rounding errors do not cancel: for every kind
// of sum, a mini-batch of 20,000 samples in float32 has a relative error of at most
// that of 2·64 additions in a thread, 5 in a warp and 2·64 for the parts, and of two
// roundings for a term: 263 · 2⁻²⁴. A running sum of 20,000 terms has twice that.
func TestSums(t *testing.T) {
	h := kerneltest.Start(t)
	p := ir.MustParse(`program "sums" float32 batch 20000
  x data      20000x3
  y target    20000x2
  W parameter 2x3 by input
  U parameter 2x3
  V parameter 2x2
  b parameter 1x2
  d temporary 20000x2
  c temporary 1x1
  cost c
  d = map y * 1
  c = sumall d
  W += d^T x
  U += d^T x
  V += d^T y
  b += sumrows d
`)
	s := set{inputs: 3, classes: 2, x: make([]float64, 3*20000), y: make([]float64, 2*20000)}
	for i := range s.x {
		s.x[i] = 0.3
	}
	for i := range s.y {
		s.y[i] = 0.1
	}
	zero := randomParams(rand.New(rand.NewPCG(1, 1)), p, 0)
	for _, o := range []kernel.Options{
		{Threads: 32, Shared: 1 << 30}, {Threads: 128, Shared: 16 << 10}, {Mode: kernel.Grid, Threads: 32, Blocks: 1, Shared: 1 << 30},
		{Mode: kernel.Grid, Threads: 128, Blocks: 8, Shared: 1 << 30},
	} {
		l := launch{image: encode(t, p, o), set: s, params: [][][]float64{zero}, rates: []float64{1}, steps: 1}
		got := run(t, h, l)
		want, costs := interpret(t, l, 0)
		near := func(what string, got, want float64) {
			if e := math.Abs(got/want - 1); !(e <= 263*0x1p-24) {
				t.Errorf("%+v: %s is %v, want %v: relative error %.2g", o, what, got, want, e)
			}
		}
		near("the cost", got.costs[0][0], costs[0])
		for _, r := range p.Parameters() {
			for k, v := range got.params[0][r] {
				near(p.Buffers[r].Name, v, want[r][k])
			}
		}
	}
}

// TestLongRows has rows of many blocks of non-zero inputs. The bound is that of
// TestSums.
func TestLongRows(t *testing.T) {
	h := kerneltest.Start(t)
	n := model.Network{Layers: []int{5000, 3}, Bias: true}
	p := step(t, n, 2, lower.Options{})
	s := set{inputs: 5000, classes: 3, x: make([]float64, 2*5000), y: make([]float64, 2*3)}
	for i := range s.x {
		s.x[i] = 0.1
	}
	params := randomParams(rand.New(rand.NewPCG(1, 1)), p, 0)
	w, _ := p.Lookup("W2")
	for k := range params[w] {
		params[w][k] = 0.003
	}
	for _, o := range modes(p.Elem) {
		check(t, h, launch{image: encode(t, p, o), set: s, params: [][][]float64{params}, rates: []float64{1}, steps: 1}, 263*0x1p-24)
	}
}
