// Package bench compares the speed of two machines in one run: training steps with
// several batch sizes, evaluation, and loading a data set. Times on a shared computer
// are noisy, so the machines take turns and the shortest time of each counts. The
// ratio of the two is more stable than the times. Of a machine on a device, Run also says
// how long the device worked by its own clock.
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
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/terminal"
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
	Only    *Rows                 // the rows to measure; nil: all

	// Other makes a machine for another network, which is compared with the peers, or
	// measured by Grow. The cores are those of Grow; 0: all.
	Other func(n model.Network, cores int) (vm.VM, error)
}

// Rows is a choice of rows.
type Rows struct {
	Load, Evaluate bool
	Batches        []int
}

// Report is the result of Run.
type Report struct {
	Network lang.Text `json:"network"`
	Machine string    `json:"machine"`
	Witness lang.Text `json:"witness"`
	Data    lang.Text `json:"data"`
	Rows    []Row     `json:"rows"`
	NumPy   *Peer     `json:"numpy,omitempty"`

	Comparisons []Comparison `json:"comparisons,omitempty"`
	Missing     []string     `json:"missing,omitempty"` // the peers that are not installed, and why
}

// Row is a measurement. A time is the shortest of several.
type Row struct {
	What    lang.Text `json:"what"`
	How     lang.Text `json:"how,omitzero"` // of a pass, how the machine makes it
	Nanos   float64   `json:"ns_per_sample"`
	Epoch   float64   `json:"seconds_per_epoch"`              // for 60,000 samples
	Device  float64   `json:"device_ns_per_sample,omitempty"` // by the device's own clock (vm.Timed), in the pass of Nanos; 0: it has none
	Witness float64   `json:"witness_ns_per_sample"`          // 0: not measured
	Ratio   float64   `json:"witness_time_by_machine"`        // how many times as fast the machine is
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
		Network: n.Text(), Machine: a.Name(), Witness: lang.Text{En: "%s: %s", Zh: "%s：%s"}.With(b.Name(), witness),
		Data: imagesText.With(o.Set.Name, o.Set.Len()),
	}
	p := model.Normal(n, model.HiddenRule(n), data.Stream(1, "bench", 0))
	if timed, ok := a.(vm.Timed); ok {
		if err := timed.TimeDevice(); err != nil {
			return r, err
		}
	}
	rows := Rows{true, true, Batches}
	if o.Only != nil {
		rows = *o.Only
	}
	if rows.Load {
		load, err := shortest(ctx, o.Least, func() (took, error) {
			m, err := o.New()
			if err != nil {
				return took{}, err
			}
			start := time.Now()
			err = m.Load(o.Set)
			return took{host: time.Since(start)}, errors.Join(err, m.Close())
		})
		if err != nil {
			return r, err
		}
		r.add(loadText, lang.Text{}, load.each(o.Set.Len()), nanos{})
	}

	some := o.Set.Slice(0, min(o.Set.Len(), witnessSamples))
	for _, batch := range rows.Batches {
		own, other, err := alternate(ctx, o.Least, a, b, p, training(ctx, o.Set, batch), training(ctx, some, batch))
		if err != nil {
			return r, err
		}
		var how lang.Text
		if own.host > 0 {
			if how, err = a.Describe(batch); err != nil {
				return r, err
			}
		}
		r.add(trainText.With(batch), how, own, other)
		if batch == 1 && o.Python != "" {
			if r.NumPy, err = numpy(ctx, o.Python, own.host); err != nil {
				return r, err
			}
		}
	}
	if rows.Evaluate {
		own, other, err := alternate(ctx, o.Least, a, b, p, evaluation(ctx, o.Set), evaluation(ctx, some))
		if err != nil {
			return r, err
		}
		r.add(evaluateText, lang.Text{}, own, other)
	}
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

// took is the time of a pass: the host's, and the device's part of it.
type took struct{ host, device time.Duration }

// nanos is took for a sample, in nanoseconds. The host's is 0 where nothing was
// measured.
type nanos struct{ host, device float64 }

// each returns the time of one of some samples.
func (t took) each(samples int) nanos {
	return nanos{float64(t.host) / float64(samples), float64(t.device) / float64(samples)}
}

func (r *Report) add(what, how lang.Text, own, other nanos) {
	if own.host > 0 {
		r.Rows = append(r.Rows, Row{
			What: what, How: how, Nanos: own.host, Epoch: own.host * epoch / 1e9, Device: own.device,
			Witness: other.host, Ratio: other.host / own.host,
		})
	}
}

// witnessSamples is the maximum number of samples for the witness, which may be
// hundreds of times slower.
const witnessSamples = 2000

// alternate measures the work own of machine a and the work other of machine b in
// turn. The result for no work is 0.
func alternate(ctx context.Context, duration time.Duration, a, b vm.VM, p model.Parameters, own, other work) (ownNanos, otherNanos nanos, err error) {
	machines, works, best := [2]vm.VM{a, b}, [2]work{own, other}, [2]nanos{}
	const rounds = 3
	for round := range rounds + 1 {
		for i, w := range works {
			if w.samples == 0 {
				continue
			}
			once := func() (took, error) {
				if err := machines[i].SetParameters(p); err != nil {
					return took{}, err
				}
				start := time.Now()
				err := w.do(machines[i])
				t := took{host: time.Since(start)}
				if timed, ok := machines[i].(vm.Timed); ok && err == nil {
					t.device, err = timed.DeviceTime()
				}
				return t, err
			}
			if round == 0 { // the first round compiles programs and loads sets
				if _, err := once(); err != nil {
					return nanos{}, nanos{}, err
				}
				continue
			}
			t, err := shortest(ctx, duration/rounds, once)
			if err != nil {
				return nanos{}, nanos{}, err
			}
			if ns := t.each(w.samples); best[i].host == 0 || ns.host < best[i].host {
				best[i] = ns
			}
		}
	}
	return best[0], best[1], nil
}

// shortest repeats do, at least once, until duration has passed. It returns the
// times of the pass that was the shortest for the host.
func shortest(ctx context.Context, duration time.Duration, do func() (took, error)) (took, error) {
	var best took
	for start := time.Now(); best.host == 0 || time.Since(start) < duration; {
		if err := ctx.Err(); err != nil {
			return took{}, err
		}
		t, err := do()
		if err != nil {
			return took{}, err
		}
		if best.host == 0 || t.host < best.host {
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
func (r Report) Text(w io.Writer, l lang.Language) error {
	lines := []string{r.Network.In(l) + " · " + r.Data.In(l), machineText.Format(l, r.Machine), witnessText.Format(l, r.Witness), ""}
	if len(r.Rows) == 0 {
		return write(w, append(lines, nothingText.In(l)))
	}
	ns := func(v float64) string {
		switch {
		case v == 0:
			return ""
		case v < 10: // the full batch on a GPU
			return strconv.FormatFloat(v, 'f', 2, 64)
		}
		return strconv.FormatFloat(v, 'f', 0, 64)
	}
	table := [][]string{{"", nanosText.In(l), deviceText.In(l), epochText.In(l), witnessNanosText.In(l), fasterText.In(l), howText.In(l)}}
	for _, row := range r.Rows {
		ratio := ""
		if row.Witness > 0 {
			ratio = strconv.FormatFloat(row.Ratio, 'f', 1, 64)
		}
		table = append(table, []string{
			row.What.In(l), ns(row.Nanos), ns(row.Device), fmt.Sprintf("%.4f", row.Epoch), ns(row.Witness), ratio, row.How.In(l),
		})
	}
	if p := r.NumPy; p != nil {
		table = append(table, []string{
			listingText.Format(l, p.Version), ns(p.Nanos), "", fmt.Sprintf("%.4f", p.Nanos*epoch/1e9), "", strconv.FormatFloat(p.Ratio, 'f', 1, 64), listingRatioText.In(l),
		})
	}
	if !slices.ContainsFunc(r.Rows, func(row Row) bool { return row.Device > 0 }) {
		for i, row := range table {
			table[i] = slices.Delete(row, 2, 3)
		}
	}
	return write(w, append(append(lines, terminal.LeftTable(table)...), comparisonText(l, r.Comparisons, r.Missing)...))
}

func write(w io.Writer, lines []string) error {
	_, err := io.WriteString(w, strings.Join(lines, "\n")+"\n")
	return err
}

// What the table says.
var (
	machineText      = lang.Text{En: "machine  %s", Zh: "执行器  %s"}
	witnessText      = lang.Text{En: "witness  %s", Zh: "对照    %s"}
	imagesText       = lang.Text{En: "%s, %d images", Zh: "%s，%d 幅图像"}
	nothingText      = lang.Text{En: "nothing was measured: these mini-batches are much larger than the set", Zh: "没有可测量的内容：这些小批量远大于数据集"}
	nanosText        = lang.Text{En: "ns per sample", Zh: "每样本，纳秒"}
	deviceText       = lang.Text{En: "on the device", Zh: "其中设备，纳秒"}
	epochText        = lang.Text{En: "s for 60,000", Zh: "60,000 样本，秒"}
	witnessNanosText = lang.Text{En: "witness, ns", Zh: "对照，纳秒"}
	fasterText       = lang.Text{En: "times as fast", Zh: "速度倍数"}
	howText          = lang.Text{En: "how", Zh: "方式"}
	loadText         = lang.Text{En: "load the set", Zh: "载入数据集"}
	trainText        = lang.Text{En: "train, batch %d", Zh: "训练，批量 %d"}
	evaluateText     = lang.Text{En: "evaluate", Zh: "评估"}
	listingText      = lang.Text{En: "listing, NumPy %s", Zh: "教科书程序，NumPy %s"}
	listingRatioText = lang.Text{En: "how fast batch 1 is, relative to the listing", Zh: "批量 1 相对于教科书程序的速度"}
)
