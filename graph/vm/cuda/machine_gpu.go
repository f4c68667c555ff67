//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"trainer/data"
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
	device     *driver.Device
	module     *driver.Module
	stream     *driver.Stream
	functions  map[string]*driver.Function
	shared     map[string]int // bytes of dynamic shared memory that each function is allowed
	table      *driver.Memory
	runs       int          // 1, or the runs of a fleet; each has parameters and a status
	grid       bool         // steps may run in grid mode; false in a fleet
	status     *driver.Host // a kernel.Status for each run, then the stop word
	count      int          // elements of the parameters of a run
	parameters *driver.Memory
	steps      map[stepKey]*loaded
	evaluate   *loaded
	sets       map[*data.Set]*resident
	closed     bool
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
	slower                              string // why it is not in a faster mode, or ""
	code, operands, bytecode, constants *driver.Memory
	arena, control, arguments           *driver.Memory
}

func newMachine[T data.Float](n model.Network, compile vm.Compiler, o Options) (_ vm.VM, err error) {
	m := &machine[T]{
		network: n, compile: compile, options: o, runs: 1,
		functions: map[string]*driver.Function{}, shared: map[string]int{}, steps: map[stepKey]*loaded{}, sets: map[*data.Set]*resident{},
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("cuda: %w", err), m.Close())
		}
	}()
	if m.device, err = driver.Open(o.Device); err != nil {
		return nil, err
	}
	info := m.device.Info()
	if info.Capability() < kernel.LeastCapability {
		return nil, fmt.Errorf("%s has compute capability %d.%d, and the kernels need %d.%d", info.Name, info.Major, info.Minor,
			kernel.LeastCapability/10, kernel.LeastCapability%10)
	}
	if m.module, err = m.device.Load("the kernels", kernel.PTX); err != nil {
		return nil, err
	}
	if m.stream, err = m.device.NewStream(); err != nil {
		return nil, err
	}
	m.grid = info.Cooperative
	if m.status, err = m.device.AllocHost("status", statusSize(1)); err != nil {
		return nil, err
	}
	table := data.InputTable[T]()
	if m.table, err = upload(m.device, "table of pixels", table[:]); err != nil {
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
	m.evaluate, err = m.load(im, 2*info.Multiprocessors)
	return m, err
}

// statusSize returns the size in bytes of the status of n runs and the stop word.
func statusSize(n int) int { return n*kernel.StatusSize + 4 }

// size returns the size of an element in bytes.
func (m *machine[T]) size() int {
	if m.network.Precision == model.Float64 {
		return 8
	}
	return 4
}

// load copies an image to the device, for launches of at most the given blocks.
func (m *machine[T]) load(im *kernel.Image, blocks int) (l *loaded, err error) {
	l = &loaded{Image: im, blocks: blocks}
	if l.function, err = m.function(im.Entry); err != nil {
		return nil, err
	}
	// More shared memory than the default must be allowed. Several images share
	// the function: allow the most that any of them needs.
	if im.SharedBytes > max(m.shared[im.Entry], m.device.Info().SharedStatic) {
		if err := l.function.AllowShared(im.SharedBytes); err != nil {
			return nil, err
		}
		m.shared[im.Entry] = im.SharedBytes
	}
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
	if im.Options.Mode == kernel.Grid {
		arenas = 1
	}
	if l.arena, err = m.device.Alloc("temporaries", max(8, arenas*im.ArenaCount*m.size())); err != nil {
		return nil, err
	}
	if l.control, err = m.device.Alloc("control", kernel.ControlSize); err != nil {
		return nil, err
	}
	l.arguments, err = m.device.Alloc("arguments", len(kernel.Params{}.Bytes()))
	return l, err
}

func (l *loaded) free() error {
	return freeAll(l.code, l.operands, l.bytecode, l.constants, l.arena, l.control, l.arguments)
}

func freeAll(memory ...*driver.Memory) error {
	var errs []error
	for _, m := range memory {
		errs = append(errs, m.Free())
	}
	return errors.Join(errs...)
}

// function returns the kernel named entry.
func (m *machine[T]) function(entry string) (*driver.Function, error) {
	if f := m.functions[entry]; f != nil {
		return f, nil
	}
	f, err := m.module.Function(entry)
	if err == nil {
		m.functions[entry] = f
	}
	return f, err
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
func (m *machine[T]) Describe(batch int) (string, error) {
	if err := vm.CheckBatchSize(batch); err != nil {
		return "", fmt.Errorf("cuda: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l, err := m.step(stepKey{batch: batch})
	if err != nil {
		return "", fmt.Errorf("cuda: %w", err)
	}
	info := m.device.Info()
	return fmt.Sprintf("compiled, on %s (compute capability %d.%d), %s%s", info.Name, info.Major, info.Minor, modeText(l.Image), l.slower), nil
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
		if o.Mode == "fused" {
			o.Mode = "block" // fused mode updates the parameters themselves
		}
	}
	im, slower, err := encodeStep(p, o, k.batch, info, m.gridBlocks)
	if err != nil {
		return nil, err
	}
	blocks := m.runs
	if im.Options.Mode == kernel.Grid {
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
	f, err := m.function(kernel.GridEntry)
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
	if p.Samples() == 0 {
		return ctx.Err()
	}
	failed, err := m.train(ctx, []vm.Pass{p})
	switch {
	case err == nil && failed[0] != nil:
		return failed[0]
	case err != nil && (ctx.Err() == nil || !errors.Is(err, ctx.Err())):
		return fmt.Errorf("cuda: %w", err)
	}
	return err
}

// train makes a pass with each run, and returns the runs that failed.
func (m *machine[T]) train(ctx context.Context, passes []vm.Pass) (map[int]*vm.NonFiniteError, error) {
	p := passes[0]
	failed := map[int]*vm.NonFiniteError{}
	set, err := m.resident(p.Set)
	if err != nil {
		return nil, err
	}
	a := kernel.Params{End: uint64(p.Samples()), PollEvery: uint32(max(1, pollSamples/p.Batch))}
	rates, err := upload(m.device, "learning rates", ratesOf(passes))
	if err != nil {
		return nil, err
	}
	defer func() { _ = rates.Free() }()
	a.Rates = address(rates)
	if orders := ordersOf(passes); orders != nil {
		order, err := upload(m.device, "order", orders)
		if err != nil {
			return nil, err
		}
		defer func() { _ = order.Free() }()
		a.Order, a.OrderStride = address(order), uint64(p.Samples())
	}
	var costs *driver.Memory
	wanted := slices.ContainsFunc(passes, func(p vm.Pass) bool { return p.Costs != nil })
	if wanted {
		if costs, err = m.device.Alloc("costs", len(passes)*p.Steps()*m.size()); err != nil {
			return nil, err
		}
		defer func() { _ = costs.Free() }()
		a.Costs, a.CostStride = address(costs), uint64(p.Steps())
	}
	// The whole mini-batches, then the ragged last one.
	whole, ragged := p.Samples()/p.Batch, p.Samples()%p.Batch
	for _, part := range []struct{ batch, steps, first int }{{p.Batch, whole, 0}, {ragged, 1, whole}} {
		if part.batch == 0 || part.steps == 0 {
			continue
		}
		l, err := m.step(stepKey{batch: part.batch, cost: wanted})
		if err != nil {
			return nil, err
		}
		a.Steps, a.FirstStep, a.Position = uint32(part.steps), uint64(part.first), uint64(part.first*p.Batch)
		if err := m.launchSteps(ctx, l, set, a, failed, func(r, steps int) {
			if report := passes[r].Progress; report != nil && steps > 0 {
				report(part.first*p.Batch + steps*part.batch)
			}
		}); err != nil {
			return nil, err
		}
		if len(failed) == len(passes) {
			return failed, nil
		}
	}
	for r, p := range passes {
		if p.Costs == nil {
			continue
		}
		values := make([]T, p.Steps())
		if err := driver.CopyFrom(values, costs, r*p.Steps()*m.size()); err != nil {
			return nil, err
		}
		for i, v := range values {
			p.Costs[i] = float64(v)
		}
	}
	return failed, nil
}

func ratesOf(passes []vm.Pass) []float64 {
	rates := make([]float64, len(passes))
	for r, p := range passes {
		rates[r] = p.Rate
	}
	return rates
}

// ordersOf returns the orders of all passes, one after the other; nil if all
// passes use the order of the file.
func ordersOf(passes []vm.Pass) []int32 {
	if !slices.ContainsFunc(passes, func(p vm.Pass) bool { return p.Order != nil }) {
		return nil
	}
	if len(passes) == 1 {
		return passes[0].Order
	}
	orders := make([]int32, 0, len(passes)*passes[0].Samples())
	for _, p := range passes {
		if p.Order == nil {
			p.Order = data.FileOrder(p.Samples())
		}
		orders = append(orders, p.Order...)
	}
	return orders
}

const (
	// pollSamples is the number of samples after which a kernel reads the stop
	// word again: a few milliseconds.
	pollSamples = 2048
	// watchEvery is the longest time between two reads of the status. It bounds
	// how late Ctrl-C reaches the device.
	watchEvery = 2 * time.Millisecond
)

// launchSteps launches training steps and waits for them. It reports the steps
// done by each run to progress, adds the runs that fail to failed, and stops the
// kernel when ctx is done.
func (m *machine[T]) launchSteps(ctx context.Context, l *loaded, set *resident, a kernel.Params, failed map[int]*vm.NonFiniteError, progress func(r, steps int)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	const words = kernel.StatusSize / 4
	status := m.status.Words()
	clear(status)
	stop := &status[m.runs*words]
	a.Status = kernel.Address(m.status.Address())
	a.Stop = a.Status + kernel.Address(m.runs*kernel.StatusSize)
	if err := m.launch(l, set, a, address(m.parameters)); err != nil {
		return err
	}
	seen := make([]int, m.runs)
	for wait := 20 * time.Microsecond; ; wait = min(2*wait, watchEvery) {
		idle, err := m.stream.Idle()
		if err != nil {
			return err
		}
		if idle {
			break
		}
		if ctx.Err() != nil {
			storeWord(stop, 1)
		} else {
			for r := range seen {
				if now := int(loadWord(&status[r*words])); now > seen[r] {
					seen[r] = now
					progress(r, now)
				}
			}
		}
		time.Sleep(wait)
	}
	stopped := false
	for r := range seen {
		s := kernel.Status{Step: loadWord(&status[r*words]), NonFinite: loadWord(&status[r*words+1]), Stopped: loadWord(&status[r*words+2])}
		progress(r, int(s.Step))
		switch {
		case s.NonFinite > 0 && failed[r] == nil:
			bad, err := m.nonFinite(int(a.FirstStep)+int(s.NonFinite)-1, r)
			if err != nil {
				return err
			}
			failed[r] = bad
		case s.NonFinite == 0 && s.Stopped != 0:
			stopped = true
			if ctx.Err() == nil {
				return fmt.Errorf("BUG: the kernel %s stopped after step %d of %d without being told to", l.Entry, s.Step, a.Steps)
			}
		}
	}
	if stopped {
		return ctx.Err()
	}
	return nil
}

// nonFinite names the tensor of run r that is not finite after a step.
func (m *machine[T]) nonFinite(step, r int) (*vm.NonFiniteError, error) {
	p, err := m.download(m.parameters, r)
	if err != nil {
		return nil, err
	}
	bad := p.NonFinite()
	if bad == "" {
		bad = "cost"
	}
	return &vm.NonFiniteError{Tensor: bad, Step: step}, nil
}

// launch starts a kernel on the machine's stream. a has the fields of the
// launch's argument that neither the image nor the machine nor the set knows.
func (m *machine[T]) launch(l *loaded, set *resident, a kernel.Params, parameters kernel.Address) error {
	p := l.Params()
	p.Code, p.Operands, p.Bytecode, p.Constants = address(l.code), address(l.operands), address(l.bytecode), address(l.constants)
	p.Table, p.Parameters, p.Arena, p.Control = address(m.table), parameters, address(l.arena), address(l.control)
	if err := m.supply(&p, set, l.Image); err != nil {
		return err
	}
	p.Order, p.OrderStride, p.Rates = a.Order, a.OrderStride, a.Rates
	p.Costs, p.CostStride, p.Status, p.Stop = a.Costs, a.CostStride, a.Status, a.Stop
	p.Predictions, p.SampleCosts, p.Confusion = a.Predictions, a.SampleCosts, a.Confusion
	p.Position, p.End, p.FirstStep, p.Steps, p.PollEvery = a.Position, a.End, a.FirstStep, a.Steps, a.PollEvery
	blocks := l.blocks
	if l.Options.Mode == kernel.Tiles {
		blocks = min(blocks, int(p.Steps))
	}
	return m.device.Do(func() error {
		if err := l.control.Clear(); err != nil {
			return err
		}
		if err := driver.CopyTo(l.arguments, 0, p.Bytes()); err != nil {
			return err
		}
		return l.function.Launch(driver.Launch{
			Grid: blocks, Block: l.Options.Threads, Shared: l.SharedBytes,
			Cooperative: l.Options.Mode == kernel.Grid, Stream: m.stream,
		}, l.arguments.Address())
	})
}

// address returns the address of m; 0 if m is nil.
func address(m *driver.Memory) kernel.Address {
	if m == nil {
		return 0
	}
	return kernel.Address(m.Address())
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
	rates, err := upload(m.device, "learning rate", []float64{-1})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, rates.Free()) }()
	costs, err := upload(m.device, "cost", []T{0})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, costs.Free()) }()
	a := kernel.Params{
		Rates: address(rates), Costs: address(costs), CostStride: 1, End: uint64(batch), Steps: 1,
	}
	if err := m.launch(l, set, a, address(both)); err != nil {
		return 0, nil, err
	}
	if err := m.stream.Wait(); err != nil {
		return 0, nil, err
	}
	var cost [1]T
	if err := driver.CopyFrom(cost[:], costs, 0); err != nil {
		return 0, nil, err
	}
	g, err := m.download(both, 1) // where a second run would be
	return float64(cost[0]), g, err
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
	errs = append(errs, m.parameters.Free(), m.table.Free(), m.status.Free(), m.stream.Close())
	if m.module != nil {
		errs = append(errs, m.module.Close())
	}
	return errors.Join(append(errs, m.device.Close())...)
}
