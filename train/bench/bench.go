// Package bench compares the speed of two machines in one run: training steps with
// several batch sizes, evaluation, and loading a data set. Times on a shared computer
// are noisy, so the machines take turns and the shortest time of each counts. The
// ratio of the two is more stable than the times.
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

// Batches lists the batch sizes to measure. Run omits those that are much larger than
// the set. The last one is the whole training set of MNIST.
var Batches = []int{1, 10, 128, 1000, 60_000}

// epoch is the number of samples of MNIST's training set.
const epoch = 60_000

// Options says what to measure.
type Options struct {
	New     func() (vm.VM, error) // makes the machine to measure
	Witness func() (vm.VM, error) // makes the machine to compare with
	Set     *data.Set             // the samples for training and evaluation
	Least   time.Duration         // minimum duration of each measurement
	Python  string                // the Python interpreter for the peers; "": omit them

	// Other makes a machine for another network, which is compared with the peers, or
	// measured by Grow. The cores are those of Grow; 0: all.
	Other func(n model.Network, cores int) (vm.VM, error)
}

// Report is the result of Run.
type Report struct {
	Network string `json:"network"`
	Machine string `json:"machine"`
	Witness string `json:"witness"`
	Data    string `json:"data"`
	Rows    []Row  `json:"rows"`
	NumPy   *Peer  `json:"numpy,omitempty"`

	Comparisons []Comparison `json:"comparisons,omitempty"`
	Missing     []string     `json:"missing,omitempty"` // the peers that are not installed, and why
}

// Row is a measurement. A time is the shortest of several.
type Row struct {
	What    string  `json:"what"`
	How     string  `json:"how,omitempty"` // of a pass, how the machine makes it
	Nanos   float64 `json:"ns_per_sample"`
	Epoch   float64 `json:"seconds_per_epoch"`       // for 60,000 samples
	Witness float64 `json:"witness_ns_per_sample"`   // 0: not measured
	Ratio   float64 `json:"witness_time_by_machine"` // how many times as fast the machine is
}

// Peer is the measurement of the textbook's algorithm in NumPy, with one sample per
// step, in float64.
type Peer struct {
	Version string  `json:"numpy_version"`
	Nanos   float64 `json:"ns_per_sample"`
	Ratio   float64 `json:"numpy_time_by_machine"` // relative to the machine with batch 1
}

//go:embed listing.py
var listing string

// Run measures the two machines. If ctx is cancelled, it returns the error of ctx.
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
	witness, err := b.Describe(1)
	if err != nil {
		return Report{}, err
	}
	r := Report{
		Network: n.String(), Machine: a.Name(), Witness: b.Name() + ": " + witness.En,
		Data: fmt.Sprintf("%s, %d images", o.Set.Name, o.Set.Len()),
	}
	p := model.Normal(n, model.HiddenRule(n), data.Stream(1, "bench", 0))
	load, err := shortest(ctx, o.Least, func() (time.Duration, error) {
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
	r.add("load the set", "", float64(load)/float64(o.Set.Len()), 0)

	some := o.Set.Slice(0, min(o.Set.Len(), witnessSamples))
	for _, batch := range Batches {
		own, other, err := alternate(ctx, o.Least, a, b, p, training(ctx, o.Set, batch), training(ctx, some, batch))
		if err != nil {
			return r, err
		}
		how := ""
		if own > 0 {
			text, err := a.Describe(batch)
			if err != nil {
				return r, err
			}
			how = text.En
		}
		r.add(fmt.Sprintf("train, batch %d", batch), how, own, other)
		if batch == 1 && o.Python != "" {
			if r.NumPy, err = numpy(ctx, o.Python, own); err != nil {
				return r, err
			}
		}
	}
	own, other, err := alternate(ctx, o.Least, a, b, p, evaluation(ctx, o.Set), evaluation(ctx, some))
	if err != nil {
		return r, err
	}
	r.add("evaluate", "", own, other)
	if o.Python != "" {
		r.Comparisons, r.Missing, err = comparisons(ctx, o, n)
	}
	return r, err
}

// work is an operation to measure and the number of samples that it processes. If
// samples is 0, it is not measured.
type work struct {
	samples int
	do      func(m vm.VM) error
}

// training returns a training pass in random order. If the set is a single
// mini-batch, the pass repeats it ten times. If the set is smaller than a mini-batch,
// the pass repeats samples to fill one. If it has less than a quarter of a mini-batch,
// there is no work.
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

// evaluation returns an evaluation of set.
func evaluation(ctx context.Context, set *data.Set) work {
	return work{set.Len(), func(m vm.VM) error {
		_, err := m.Evaluate(ctx, set)
		return err
	}}
}

func (r *Report) add(what, how string, own, other float64) {
	if own > 0 {
		r.Rows = append(r.Rows, Row{what, how, own, own * epoch / 1e9, other, other / own})
	}
}

// witnessSamples is the maximum number of samples for the witness, which may be
// hundreds of times slower.
const witnessSamples = 2000

// alternate measures the work own of machine a and the work other of machine b in
// turn, in nanoseconds per sample. The result for no work is 0.
func alternate(ctx context.Context, duration time.Duration, a, b vm.VM, p model.Parameters, own, other work) (ownNanos, otherNanos float64, err error) {
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
			if round == 0 { // the first round compiles programs and loads sets
				if _, err := once(); err != nil {
					return 0, 0, err
				}
				continue
			}
			t, err := shortest(ctx, duration/rounds, once)
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

// shortest repeats do, at least once, until duration has passed. It returns the
// shortest of the times that do returned.
func shortest(ctx context.Context, duration time.Duration, do func() (time.Duration, error)) (time.Duration, error) {
	var best time.Duration
	for start := time.Now(); best == 0 || time.Since(start) < duration; {
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

// numpy measures the listing in Python on one thread. own is the time of the machine
// with batch 1, in nanoseconds per sample.
func numpy(ctx context.Context, python string, own float64) (*Peer, error) {
	c := exec.CommandContext(ctx, python, "-")
	c.Stdin = strings.NewReader(listing)
	c.Env = append(c.Environ(), "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1", "MKL_NUM_THREADS=1")
	out, err := c.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, lastLine(exit.Stderr))
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
	_, _ = fmt.Fprintln(t, "\tns per sample\ts for 60,000\twitness, ns\ttimes as fast\thow")
	for _, row := range r.Rows {
		_, _ = fmt.Fprintf(t, "%s\t%.0f\t%.4f", row.What, row.Nanos, row.Epoch)
		switch {
		case row.Witness > 0:
			_, _ = fmt.Fprintf(t, "\t%.0f\t%.1f\t%s", row.Witness, row.Ratio, row.How)
		case row.How != "":
			_, _ = fmt.Fprintf(t, "\t\t\t%s", row.How)
		}
		_, _ = fmt.Fprintln(t)
	}
	if p := r.NumPy; p != nil {
		_, _ = fmt.Fprintf(t, "listing, NumPy %s\t%.0f\t%.4f\t\t%.1f (train, batch 1, relative to the listing)\n", p.Version, p.Nanos, p.Nanos*epoch/1e9, p.Ratio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return comparisonText(w, r.Comparisons, r.Missing)
}
