//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

const (
	// pollSamples is the number of samples after which a kernel reads the stop
	// word again: a few milliseconds.
	pollSamples = 2048
	// watchEvery is the time between two reads of the status, for Progress.
	watchEvery = 2 * time.Millisecond
	// passParts is the most launches of a pass: the whole mini-batches, and the
	// ragged last one, if it is not in the same launch.
	passParts = 2
)

// words is what the host and the kernels of a pass share: page-locked memory that
// the kernels read and write while they run, and a copy of its beginning on the
// device. So a pass needs no allocation, one small copy, and no call of the driver
// while it waits.
//
// The copied part has a kernel's control words for each launch, which are zero, and
// a word for each run that tells the kernels to leave it out (kernel.Params.Ended).
// Then follow kernel.Status for each launch and run, the learning rate of each run,
// and the stop word.
type words struct {
	runs    int
	host    *driver.Host
	control *driver.Memory
}

func newWords(d *driver.Device, runs int) (w words, err error) {
	w.runs = runs
	if w.host, err = d.AllocHost("status", w.stopAt()+4); err != nil {
		return w, err
	}
	w.control, err = d.Alloc("control", w.copied())
	return w, err
}

func (w words) free() error { return errors.Join(w.host.Free(), w.control.Free()) }

// The places of the parts, in bytes.
func (w words) endedAt() int             { return passParts * kernel.ControlSize }
func (w words) copied() int              { return w.endedAt() + (4*w.runs+7)&^7 }
func (w words) statusAt(part, r int) int { return w.copied() + (part*w.runs+r)*kernel.StatusSize }
func (w words) ratesAt() int             { return w.statusAt(passParts, 0) }
func (w words) stopAt() int              { return w.ratesAt() + 8*w.runs }
func (w words) at(bytes int) kernel.Address {
	return kernel.Address(w.host.Address()) + kernel.Address(bytes)
}

// status returns the words of a kernel.Status.
func (w words) status(part, r int) []uint32 {
	return driver.View[uint32](w.host, w.statusAt(part, r), kernel.StatusSize/4)
}

// begin prepares a pass of the runs with their learning rates. The other runs do
// nothing.
func (w words) begin(s *driver.Stream, runs []int, rates []float64) error {
	clear(driver.View[uint32](w.host, 0, w.host.Size()/4))
	ended := driver.View[uint32](w.host, w.endedAt(), w.runs)
	for r := range ended {
		ended[r] = 1
	}
	for i, r := range runs {
		ended[r] = 0
		driver.View[float64](w.host, w.ratesAt(), w.runs)[r] = rates[i]
	}
	return s.CopyTo(w.control, w.host, w.copied())
}

// supply writes the addresses for a launch to a.
func (w words) supply(a *kernel.Params, part int) {
	device := address(w.control)
	a.Control, a.Ended = device+kernel.Address(part*kernel.ControlSize), device+kernel.Address(w.endedAt())
	a.Status, a.Rates, a.Stop = w.at(w.statusAt(part, 0)), w.at(w.ratesAt()), w.at(w.stopAt())
}

// wait waits for the work of the stream. If ctx is done, it stops the kernels. It
// calls watch every watchEvery.
func (w words) wait(ctx context.Context, s *driver.Stream, watch func()) error {
	stop := &driver.View[uint32](w.host, w.stopAt(), 1)[0]
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for done, cancelled := s.Done(), ctx.Done(); ; {
		select {
		case err := <-done:
			return err
		case <-cancelled:
			atomic.StoreUint32(stop, 1)
			cancelled = nil
		case <-tick.C:
			watch()
		}
	}
}

// keep makes *m at least size bytes of device memory. What was in it is lost if it
// grows.
func keep(d *driver.Device, m **driver.Memory, what string, size int) error {
	if *m != nil && (*m).Size() >= size {
		return nil
	}
	if err := (*m).Free(); err != nil {
		return err
	}
	var err error
	*m, err = d.Alloc(what, size)
	return err
}

// orders is the memory of the orders of a pass, kept between passes: page-locked,
// and on the device.
type orders struct {
	host   *driver.Host
	device *driver.Memory
}

func (o *orders) free() error { return errors.Join(o.host.Free(), o.device.Free()) }

// begin copies the orders of passes to the device, each to the place of its run. It
// reports false if all passes use the order of the file.
func (o *orders) begin(s *driver.Stream, d *driver.Device, all int, runs []int, passes []vm.Pass) (bool, error) {
	if !slices.ContainsFunc(passes, func(p vm.Pass) bool { return p.Order != nil }) {
		return false, nil
	}
	n := passes[0].Samples()
	size := 4 * all * n
	if err := keep(d, &o.device, "orders", size); err != nil {
		return false, err
	}
	if o.host == nil || o.host.Size() < size {
		if err := o.host.Free(); err != nil {
			return false, err
		}
		var err error
		if o.host, err = d.AllocHost("orders", size); err != nil {
			return false, err
		}
	}
	to := driver.View[int32](o.host, 0, all*n)
	// 132 runs of 60,000 samples have 32 MB.
	var group sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(runs))
	for k := range workers {
		group.Go(func() {
			for i := k; i < len(runs); i += workers {
				order := passes[i].Order
				if order == nil {
					order = data.FileOrder(n)
				}
				copy(to[runs[i]*n:(runs[i]+1)*n], order)
			}
		})
	}
	group.Wait()
	return true, s.CopyTo(o.device, o.host, size)
}

// part is a launch of a pass.
type part struct {
	*loaded
	batch, steps, first int // first: the number of its first step
	arguments           kernel.Params
}

// train makes a pass with each of some runs, and returns the runs that failed, also
// when it was stopped.
func (m *machine[T]) train(ctx context.Context, runs []int, passes []vm.Pass) (map[int]*vm.NonFiniteError, error) {
	p := passes[0]
	set, err := m.resident(p.Set)
	if err != nil {
		return nil, err
	}
	wanted := slices.ContainsFunc(passes, func(p vm.Pass) bool { return p.Costs != nil })
	a := kernel.Params{End: uint64(p.Samples()), PollEvery: uint32(max(1, pollSamples/p.Batch))}
	if wanted {
		if err := keep(m.device, &m.costs, "costs", m.runs*p.Steps()*m.size()); err != nil {
			return nil, err
		}
		a.Costs, a.CostStride = address(m.costs), uint64(p.Steps())
	}
	var parts []part
	whole, ragged := p.Samples()/p.Batch, p.Samples()%p.Batch
	for _, k := range []part{{batch: p.Batch, steps: whole}, {batch: ragged, steps: 1, first: whole}} {
		if k.batch == 0 || k.steps == 0 || k.first > 0 && parts[0].Ragged {
			continue
		}
		if k.loaded, err = m.step(stepKey{batch: k.batch, cost: wanted}); err != nil {
			return nil, err
		}
		if k.Ragged && ragged > 0 && k.first == 0 && k.batch == p.Batch {
			k.steps++ // the last one is in the same launch
		}
		k.arguments = a
		k.arguments.Steps, k.arguments.FirstStep, k.arguments.Position = uint32(k.steps), uint64(k.first), uint64(k.first*p.Batch)
		if err := m.supply(&k.arguments, set, k.Image); err != nil {
			return nil, err
		}
		m.words.supply(&k.arguments, len(parts))
		parts = append(parts, k)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := m.start(runs, passes, parts); err != nil {
		return nil, errors.Join(err, m.stream.Wait())
	}
	seen := make([]int, len(passes)) // samples reported
	watch := func() {
		for i, r := range runs {
			now := 0
			for k, part := range parts {
				now += int(atomic.LoadUint32(&m.words.status(k, r)[0])) * part.batch
			}
			now = min(now, p.Samples()) // a last step may have fewer
			if report := passes[i].Progress; report != nil && now > seen[i] {
				seen[i] = now
				report(now)
			}
		}
	}
	if err := m.words.wait(ctx, m.stream, watch); err != nil {
		return nil, err
	}
	m.stopped = m.timer != nil
	watch()
	failed, err := m.ends(ctx, runs, parts)
	if err != nil {
		return failed, err
	}
	return failed, m.takeCosts(runs, passes, failed)
}

// start launches the parts of a pass.
func (m *machine[T]) start(runs []int, passes []vm.Pass, parts []part) error {
	rates := make([]float64, len(passes))
	for i, p := range passes {
		rates[i] = p.Rate
	}
	return m.device.Do(func() error {
		if err := m.words.begin(m.stream, runs, rates); err != nil {
			return err
		}
		ordered, err := m.orders.begin(m.stream, m.device, m.runs, runs, passes)
		if err != nil {
			return err
		}
		return m.timed(func() error {
			for _, k := range parts {
				if ordered {
					k.arguments.Order, k.arguments.OrderStride = address(m.orders.device), uint64(passes[0].Samples())
				}
				if err := m.launch(k.loaded, k.arguments, address(m.parameters)); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// ends reads how the runs of a pass ended. A run does not take part in the launches
// after the one in which it ends early.
func (m *machine[T]) ends(ctx context.Context, runs []int, parts []part) (map[int]*vm.NonFiniteError, error) {
	failed := map[int]*vm.NonFiniteError{}
	stopped := false
	for _, r := range runs {
		for k, part := range parts {
			w := m.words.status(k, r)
			s := kernel.Status{Step: w[0], NonFinite: w[1], Stopped: w[2]}
			if s.NonFinite > 0 {
				bad, err := m.nonFinite(part.first+int(s.NonFinite)-1, r)
				if err != nil {
					return nil, err
				}
				failed[r] = bad
				break
			}
			if s.Stopped != 0 {
				if ctx.Err() == nil {
					return nil, fmt.Errorf("BUG: the kernel %s stopped after step %d of %d without being told to", part.Entry, s.Step, part.steps)
				}
				stopped = true
				break
			}
		}
	}
	if stopped {
		return failed, ctx.Err()
	}
	return failed, nil
}

// takeCosts copies the costs of the steps from the device, for the passes that want
// them and did not fail.
func (m *machine[T]) takeCosts(runs []int, passes []vm.Pass, failed map[int]*vm.NonFiniteError) error {
	for i, p := range passes {
		if p.Costs == nil || failed[runs[i]] != nil {
			continue
		}
		values := make([]T, p.Steps())
		if err := driver.CopyFrom(values, m.costs, runs[i]*p.Steps()*m.size()); err != nil {
			return err
		}
		for k, v := range values {
			p.Costs[k] = float64(v)
		}
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

// launch starts a kernel on the machine's stream. a has the fields of the argument
// that neither the image nor the machine knows.
func (m *machine[T]) launch(l *loaded, a kernel.Params, parameters kernel.Address) error {
	p := a
	l.Supply(&p)
	p.Code, p.Operands, p.Bytecode, p.Constants = address(l.code), address(l.operands), address(l.bytecode), address(l.constants)
	p.Parameters, p.Arena = parameters, address(l.arena)
	blocks := l.blocks
	if l.Options.Mode == kernel.Tiles {
		blocks = min(blocks, int(p.Steps))
	}
	return l.function.Launch(driver.Launch{
		Grid: blocks, Block: l.Options.Threads, Shared: l.SharedBytes,
		Cooperative: l.Options.Mode.Together(), Stream: m.stream,
	}, p.Bytes())
}

// address returns the address of m; 0 if m is nil.
func address(m *driver.Memory) kernel.Address {
	if m == nil {
		return 0
	}
	return kernel.Address(m.Address())
}
