// Package bench measures machines beside each other in one run: training steps
// of several batch sizes, evaluation, and what it takes to load a set. Shared
// machines are noisy, so the machines take turns, and the least time of each
// counts; what lasts is the ratio.
package bench

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// Batches are the batch sizes that are measured, those that the set has. The
// last is MNIST's whole training set.
var Batches = []int{1, 10, 128, 1000, 60_000}

// epoch is the number of samples of MNIST's training set.
const epoch = 60_000

// Options say what to measure.
type Options struct {
	New     func() (vm.VM, error) // makes the machine to measure
	Witness func() (vm.VM, error) // makes the machine to compare with
	Set     *data.Set             // what to train and to evaluate on
	Least   time.Duration         // how long to measure each at the least
	Python  string                // the interpreter for the NumPy peer; "": leave it out
}

// Report is what was measured.
type Report struct {
	Network string `json:"network"`
	Machine string `json:"machine"`
	Witness string `json:"witness"`
	Data    string `json:"data"`
	Rows    []Row  `json:"rows"`
	NumPy   *Peer  `json:"numpy,omitempty"`
}

// Row is a measurement. Times are the least that were seen.
type Row struct {
	What    string  `json:"what"`
	Nanos   float64 `json:"ns_per_sample"`
	Epoch   float64 `json:"seconds_per_epoch"`       // for 60,000 samples
	Witness float64 `json:"witness_ns_per_sample"`   // 0: not measured
	Ratio   float64 `json:"witness_time_by_machine"` // how many times faster
}

// Peer is the textbook's algorithm in NumPy, a sample a step, in float64.
type Peer struct {
	Version string  `json:"numpy_version"`
	Nanos   float64 `json:"ns_per_sample"`
	Ratio   float64 `json:"numpy_time_by_machine"` // to the machine's batch 1
}

//go:embed listing.py
var listing string

// Run measures. It ends early with ctx's error.
func Run(ctx context.Context, o Options) (Report, error) {
	a, err := o.New()
	if err != nil {
		return Report{}, err
	}
	b, err := o.Witness()
	if err != nil {
		return Report{}, errors.Join(err, a.Close())
	}
	r, err := measure(ctx, o, a, b)
	return r, errors.Join(err, a.Close(), b.Close())
}

func measure(ctx context.Context, o Options, a, b vm.VM) (Report, error) {
	n := a.Network()
	r := Report{
		Network: n.String(), Machine: fmt.Sprintf("%s: %v", a.Name(), a), Witness: fmt.Sprintf("%s: %v", b.Name(), b),
		Data: fmt.Sprintf("%s, %d images", o.Set.Name, o.Set.Len()),
	}
	p := model.Normal(n, model.HiddenRule(n), data.Stream(1, "bench", 0))
	load, err := least(ctx, o.Least, func() (time.Duration, error) {
		m, err := o.New()
		if err != nil {
			return 0, err
		}
		start := time.Now()
		err = m.Load(o.Set)
		return time.Since(start), errors.Join(err, m.Close())
	})
	if err != nil {
		return r, err
	}
	r.add("load the set", float64(load)/float64(o.Set.Len()), 0)

	some := o.Set.Slice(0, min(o.Set.Len(), witnessSamples)) // for the witness
	for _, batch := range Batches {
		own, other, err := turns(ctx, o.Least, a, b, p, training(ctx, o.Set, batch), training(ctx, some, batch))
		if err != nil {
			return r, err
		}
		r.add(fmt.Sprintf("train, batch %d", batch), own, other)
		if batch == 1 && o.Python != "" {
			if r.NumPy, err = numpy(ctx, o.Python, own); err != nil {
				return r, err
			}
		}
	}
	own, other, err := turns(ctx, o.Least, a, b, p, evaluation(ctx, o.Set), evaluation(ctx, some))
	if err != nil {
		return r, err
	}
	r.add("evaluate", own, other)
	return r, nil
}

// work is something to measure, and how many samples it visits. With none it is
// not measured.
type work struct {
	samples int
	do      func(m vm.VM) error
}

// training is a shuffled pass. A set of one mini-batch is visited ten times, a
// smaller one as often as makes a mini-batch; for one that is much smaller there
// is none.
func training(ctx context.Context, set *data.Set, batch int) work {
	order := data.Shuffled(set.Len(), 1, 1)
	switch n := set.Len(); {
	case n == batch:
		order = slices.Repeat(order, 10)
	case 4*n < batch:
		return work{}
	case n < batch:
		order = slices.Repeat(order, 4)[:batch]
	}
	return work{len(order), func(m vm.VM) error {
		return m.Train(ctx, vm.Pass{Set: set, Order: order, Batch: batch, Rate: 0.1})
	}}
}

func evaluation(ctx context.Context, set *data.Set) work {
	return work{set.Len(), func(m vm.VM) error {
		_, err := m.Evaluate(ctx, set)
		return err
	}}
}

func (r *Report) add(what string, own, other float64) {
	if own > 0 {
		r.Rows = append(r.Rows, Row{what, own, own * epoch / 1e9, other, other / own})
	}
}

// witnessSamples bounds what the witness is given: it may be 300 times slower.
const witnessSamples = 2000

// turns measures some work of a and some of b, by turns, in nanoseconds a
// sample; 0 is for no work.
func turns(ctx context.Context, long time.Duration, a, b vm.VM, p model.Parameters, own, other work) (ownNanos, otherNanos float64, err error) {
	machines, works, best := [2]vm.VM{a, b}, [2]work{own, other}, [2]float64{}
	const rounds = 3
	for round := range rounds + 1 {
		for i, w := range works {
			if w.samples == 0 {
				continue
			}
			once := func() (time.Duration, error) {
				if err := machines[i].SetParameters(p); err != nil {
					return 0, err
				}
				start := time.Now()
				err := w.do(machines[i])
				return time.Since(start), err
			}
			if round == 0 { // programs are made and sets loaded
				if _, err := once(); err != nil {
					return 0, 0, err
				}
				continue
			}
			t, err := least(ctx, long/rounds, once)
			if err != nil {
				return 0, 0, err
			}
			if ns := float64(t) / float64(w.samples); best[i] == 0 || ns < best[i] {
				best[i] = ns
			}
		}
	}
	return best[0], best[1], nil
}

// least repeats do for some time, once at least, and returns the least of its
// times.
func least(ctx context.Context, long time.Duration, do func() (time.Duration, error)) (time.Duration, error) {
	var best time.Duration
	for start := time.Now(); best == 0 || time.Since(start) < long; {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		t, err := do()
		if err != nil {
			return 0, err
		}
		if best == 0 || t < best {
			best = t
		}
	}
	return best, nil
}

// numpy runs the listing in Python on one thread, as the machine's batch 1.
func numpy(ctx context.Context, python string, own float64) (*Peer, error) {
	c := exec.CommandContext(ctx, python, "-")
	c.Stdin = strings.NewReader(listing)
	c.Env = append(c.Environ(), "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1")
	out, err := c.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			lines := strings.Split(strings.TrimSpace(string(exit.Stderr)), "\n")
			err = fmt.Errorf("%w: %s", err, lines[len(lines)-1])
		}
		return nil, fmt.Errorf("NumPy peer: %s: %w", python, err)
	}
	fields := strings.Fields(string(out))
	if len(fields) != 2 {
		return nil, fmt.Errorf("NumPy peer: %s printed %q", python, out)
	}
	ns, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return nil, fmt.Errorf("NumPy peer: %w", err)
	}
	return &Peer{Version: fields[1], Nanos: ns, Ratio: ns / own}, nil
}

// Text writes the report as a table.
func (r Report) Text(w io.Writer) error {
	if _, err := fmt.Fprintf(w, "%s on %s\nmachine  %s\nwitness  %s\n\n", r.Network, r.Data, r.Machine, r.Witness); err != nil {
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "\tns a sample\ts for 60,000\twitness, ns\ttimes faster")
	for _, row := range r.Rows {
		_, _ = fmt.Fprintf(t, "%s\t%.0f\t%.4f", row.What, row.Nanos, row.Epoch)
		if row.Witness > 0 {
			_, _ = fmt.Fprintf(t, "\t%.0f\t%.1f", row.Witness, row.Ratio)
		}
		_, _ = fmt.Fprintln(t)
	}
	if p := r.NumPy; p != nil {
		_, _ = fmt.Fprintf(t, "listing, NumPy %s\t%.0f\t%.4f\t\t%.1f (train, batch 1, by the listing)\n", p.Version, p.Nanos, p.Nanos*epoch/1e9, p.Ratio)
	}
	return t.Flush()
}
