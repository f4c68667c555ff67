//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/ir"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// New opens the device and makes a machine with parameters of zero. compile
// makes its programs.
func New(network model.Network, compile vm.Compiler, o Options) (vm.VM, error) {
	if err := network.Check(); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if err := Check(); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	if network.Inputs() > 1<<16 {
		return nil, fmt.Errorf("cuda: %d inputs: this machine takes up to %d: use machine interpret or tape", network.Inputs(), 1<<16)
	}
	if network.Precision == model.Float64 {
		return newMachine[float64](network, compile, o)
	}
	return newMachine[float32](network, compile, o)
}

// machine is the vm.VM of an element type.
//
// The parameters are on the device. All programs of a network place them alike.
type machine[T data.Float] struct {
	network model.Network
	compile vm.Compiler
	options Options

	mu         sync.Mutex // held while the device works: a snapshot waits for a pass
	shared     *shared
	device     *driver.Device // of shared
	stream     *driver.Stream
	table      *driver.Memory
	runs       int  // 1, or the runs of a fleet; each has parameters
	grid       bool // steps may run in grid or exchange mode; false in a fleet
	count      int  // elements of the parameters of a run
	parameters *driver.Memory
	steps      map[stepKey]*loaded
	evaluate   *loaded
	sets       map[*data.Set]*resident
	closed     bool

	// Kept between passes.
	words  words
	orders orders
	costs  *driver.Memory // T[runs][steps]
	scores *driver.Memory // see score

	timer   *driver.Timer // nil: nothing is timed
	stopped bool          // timer has the time of the last pass or evaluation
}

// stepKey identifies the program of a training step.
type stepKey struct {
	batch    int
	cost     bool // it computes the cost
	gradient bool // it leaves the gradients behind the parameters: see ir.Gradients
}

// loaded is an image with its tables on the device.
type loaded struct {
	*kernel.Image
	function                            *driver.Function
	blocks                              int
	slower                              lang.Text // why it is not in a faster mode, or none
	code, operands, bytecode, constants *driver.Memory
	arena                               *driver.Memory
}

func newMachine[T data.Float](n model.Network, compile vm.Compiler, o Options) (_ vm.VM, err error) {
	m := &machine[T]{
		network: n, compile: compile, options: o, runs: 1,
		steps: map[stepKey]*loaded{}, sets: map[*data.Set]*resident{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cuda: %w", err), m.Close())
		}
	}()
	if m.shared, err = openShared(o.Device); err != nil {
		return nil, err
	}
	m.device = m.shared.device
	info := m.device.Info()
	if m.stream, err = m.device.NewStream(); err != nil {
		return nil, err
	}
	m.grid = info.Cooperative
	if m.words, err = newWords(m.device, 1); err != nil {
		return nil, err
	}
	if m.table, err = upload(m.device, "table of inputs", make([]T, kernel.TableLen)); err != nil {
		return nil, err
	}
	p, err := compile.Forward(tileRows)
	if err != nil {
		return nil, err
	}
	im, err := kernel.Encode(p, kernel.Options{Mode: kernel.Tiles, Shared: info.SharedPerBlock})
	if err != nil {
		return nil, err
	}
	m.count = im.ParamCount
	if m.parameters, err = m.device.Alloc("parameters", m.count*m.size()); err != nil {
		return nil, err
	}
	if err := m.parameters.Clear(); err != nil {
		return nil, err
	}
	m.evaluate, err = m.load(im, 0)
	return m, err
}

// size returns the size of an element in bytes.
func (m *machine[T]) size() int {
	if m.network.Precision == model.Float64 {
		return 8
	}
	return 4
}

// load copies an image to the device, for launches of at most the given blocks; 0: as
// many as the device runs at once.
func (m *machine[T]) load(im *kernel.Image, blocks int) (l *loaded, err error) {
	l = &loaded{Image: im}
	if l.function, err = m.shared.function(im.Entry, im.SharedBytes); err != nil {
		return nil, err
	}
	if blocks == 0 {
		if blocks, err = l.function.BlocksPerMultiprocessor(im.Options.Threads, im.SharedBytes); err != nil {
			return nil, err
		}
		blocks = max(1, blocks) * m.device.Info().Multiprocessors
	}
	l.blocks = blocks
	for _, t := range []struct {
		to   **driver.Memory
		what string
		from []byte
	}{
		{&l.code, "instructions", im.Code}, {&l.operands, "operands", im.Operands},
		{&l.bytecode, "expressions", im.Bytecode}, {&l.constants, "constants", im.Constants},
	} {
		if *t.to, err = upload(m.device, t.what, t.from); err != nil {
			return nil, err
		}
	}
	arenas := blocks
	if im.Options.Mode.Together() {
		arenas = 1
	}
	l.arena, err = m.device.Alloc("temporaries", max(8, arenas*im.ArenaCount*m.size()))
	return l, err
}

func (l *loaded) free() error {
	return freeAll(l.code, l.operands, l.bytecode, l.constants, l.arena)
}

func freeAll(memory ...*driver.Memory) error {
	var errs []error
	for _, m := range memory {
		errs = append(errs, m.Free())
	}
	return errors.Join(errs...)
}

// upload copies values to new device memory.
func upload[E driver.Scalar](d *driver.Device, what string, values []E) (*driver.Memory, error) {
	if len(values) == 0 {
		values = make([]E, 1)
	}
	var m *driver.Memory
	err := d.Do(func() error {
		var err error
		if m, err = d.Alloc(what, len(values)*sizeOf[E]()); err != nil {
			return err
		}
		if err := driver.CopyTo(m, 0, values); err != nil {
			return errors.Join(err, m.Free())
		}
		return nil
	})
	return m, err
}

// Name implements vm.VM.
func (m *machine[T]) Name() string { return "cuda" }

// Describe implements vm.VM: the device, the mode, and why it is no faster one.
func (m *machine[T]) Describe(batch int) (lang.Text, error) {
	if err := vm.CheckBatchSize(batch); err != nil {
		return lang.Text{}, fmt.Errorf("cuda: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l, err := m.step(stepKey{batch: batch})
	if err != nil {
		return lang.Text{}, fmt.Errorf("cuda: %w", err)
	}
	info := m.device.Info()
	return lang.Text{En: "compiled, on %s (compute capability %d.%d), %s%s", Zh: "已编译，%s（计算能力 %d.%d），%s%s"}.With(info.Name, info.Major, info.Minor, modeText(l.Image), l.slower), nil
}

// Network implements vm.VM.
func (m *machine[T]) Network() model.Network { return m.network }

// SetParameters implements vm.VM.
func (m *machine[T]) SetParameters(p model.Parameters) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.upload(0, p)
}

// upload copies p to the device, as the parameters of run r.
func (m *machine[T]) upload(r int, p model.Parameters) error {
	if err := driver.CopyTo(m.parameters, r*m.count*m.size(), m.pack(p)); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}

// Parameters implements vm.VM.
func (m *machine[T]) Parameters() (model.Parameters, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.download(m.parameters, 0)
}

// pack returns p in the layout of the device.
func (m *machine[T]) pack(p model.Parameters) []T {
	packed := make([]T, m.count)
	m.each(p, func(at int, value *float64) { packed[at] = T(*value) })
	return packed
}

// download returns the parameters, or the gradients, of run r from device memory.
func (m *machine[T]) download(from *driver.Memory, r int) (model.Parameters, error) {
	packed := make([]T, m.count)
	if err := driver.CopyFrom(packed, from, r*m.count*m.size()); err != nil {
		return nil, fmt.Errorf("cuda: %w", err)
	}
	p := model.NewParameters(m.network)
	m.each(p, func(at int, value *float64) { *value = float64(packed[at]) })
	return p, nil
}

// each calls f for each element of p: at is its index on the device.
func (m *machine[T]) each(p model.Parameters, f func(at int, value *float64)) {
	places := m.evaluate.Placements
	p.Tensors(func(_ string, shape []int, values []float64) {
		cols := shape[len(shape)-1]
		for k := range values {
			f(places[0].At(k/cols, k%cols), &values[k])
		}
		places = places[1:]
	})
}

// step returns the program of a training step, on the device.
func (m *machine[T]) step(k stepKey) (*loaded, error) {
	if l := m.steps[k]; l != nil {
		return l, nil
	}
	compile := m.compile.Step
	if k.cost {
		compile = m.compile.StepWithCost
	}
	p, err := compile(k.batch)
	if err != nil {
		return nil, err
	}
	o, info := m.options, m.device.Info()
	info.Cooperative = m.grid
	if k.gradient {
		p = ir.Gradients(p)
		switch o.Mode { // these modes update the parameters themselves
		case "fused":
			o.Mode = "block"
		case "exchange":
			o.Mode = "grid"
		}
	}
	im, slower, err := encodeStep(p, o, k.batch, info, m.gridBlocks)
	if err != nil {
		return nil, err
	}
	blocks := m.runs
	if im.Options.Mode.Together() {
		blocks = im.Options.Blocks
	}
	l, err := m.load(im, blocks)
	if err != nil {
		return nil, err
	}
	l.slower = slower
	m.steps[k] = l
	return l, nil
}

// gridBlocks returns the number of blocks of a grid launch: one on each
// multiprocessor, because a barrier of more blocks takes longer.
func (m *machine[T]) gridBlocks() (int, error) {
	f, err := m.shared.function(kernel.GridEntry, 0)
	if err != nil {
		return 0, err
	}
	// The shared memory of the launch is not known yet, but it is less than this.
	each, err := f.BlocksPerMultiprocessor(kernel.MaxThreads, m.device.Info().SharedStatic)
	if err != nil {
		return 0, err
	}
	if each < 1 {
		return 0, fmt.Errorf("no block of %d threads fits on a multiprocessor", kernel.MaxThreads)
	}
	return m.device.Info().Multiprocessors, nil
}

// Train implements vm.VM.
func (m *machine[T]) Train(ctx context.Context, p vm.Pass) error {
	if err := p.Check(m.network); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stopped = false
	if p.Samples() == 0 {
		return ctx.Err()
	}
	failed, err := m.train(ctx, []int{0}, []vm.Pass{p})
	switch {
	case err == nil && failed[0] != nil:
		return failed[0]
	case err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())):
		return fmt.Errorf("cuda: %w", err)
	}
	return err
}

// Gradients implements vm.VM: see ir.Gradients.
func (m *machine[T]) Gradients(x, y []float64) (float64, model.Parameters, error) {
	cost, g, err := m.gradients(x, y)
	if err != nil {
		return 0, nil, fmt.Errorf("cuda: gradients: %w", err)
	}
	return cost, g, nil
}

func (m *machine[T]) gradients(x, y []float64) (_ float64, _ model.Parameters, err error) {
	batch, err := vm.CheckBatch(x, y, m.network)
	if err != nil {
		return 0, nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l, err := m.step(stepKey{batch: batch, cost: true, gradient: true})
	if err != nil {
		return 0, nil, err
	}
	set, err := m.inputs(x, y)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, set.free()) }()
	bytes := m.count * m.size()
	both, err := m.device.Alloc("parameters and gradients", 2*bytes)
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, both.Free()) }()
	if err := errors.Join(both.Clear(), both.Copy(0, m.parameters, 0, bytes)); err != nil {
		return 0, nil, err
	}
	if err := keep(m.device, &m.costs, "cost", m.size()); err != nil {
		return 0, nil, err
	}
	a := kernel.Params{Costs: address(m.costs), CostStride: 1, End: uint64(batch), Steps: 1}
	if err := m.supply(&a, set, l.Image); err != nil {
		return 0, nil, err
	}
	m.words.supply(&a, 0)
	if err := m.words.begin(m.stream, []int{0}, []float64{-1}); err != nil {
		return 0, nil, err
	}
	if err := errors.Join(m.launch(l, a, address(both)), m.stream.Wait()); err != nil {
		return 0, nil, err
	}
	var cost [1]T
	if err := driver.CopyFrom(cost[:], m.costs, 0); err != nil {
		return 0, nil, err
	}
	g, err := m.download(both, 1) // where a second run would be
	return float64(cost[0]), g, err
}

// TimeDevice implements vm.Timed. Without it a pass records no events.
func (m *machine[T]) TimeDevice() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.timer != nil {
		return nil
	}
	var err error
	if m.timer, err = m.stream.NewTimer(); err != nil {
		return fmt.Errorf("cuda: %w", err)
	}
	return nil
}

// DeviceTime implements vm.Timed: from before the first launch to after the last
// kernel, without the copies of the rates and the order. The events are read here, so
// that the pass itself does not wait for that.
func (m *machine[T]) DeviceTime() (time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.stopped {
		return 0, nil
	}
	took, err := m.timer.Elapsed()
	if err != nil {
		return 0, fmt.Errorf("cuda: %w", err)
	}
	return took, nil
}

// timed makes launches between the events of the timer, if there is one.
func (m *machine[T]) timed(launches func() error) error {
	if err := m.timer.Start(); err != nil {
		return err
	}
	if err := launches(); err != nil {
		return err
	}
	return m.timer.Stop()
}

// Close implements vm.VM.
func (m *machine[T]) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed || m.device == nil {
		return nil
	}
	m.closed = true
	var errs []error
	for _, s := range m.sets {
		errs = append(errs, s.free())
	}
	for _, l := range m.steps {
		errs = append(errs, l.free())
	}
	if m.evaluate != nil {
		errs = append(errs, m.evaluate.free())
	}
	errs = append(errs, freeAll(m.parameters, m.table, m.costs, m.scores), m.words.free(), m.orders.free(), m.timer.Close(), m.stream.Close())
	return errors.Join(append(errs, m.shared.close())...)
}
