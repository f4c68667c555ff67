package bench_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/tape"
	"trainer/train/bench"
)

func options() bench.Options {
	n := model.Network{Layers: []int{784, 5, 10}}
	random := data.Stream(1, "bench test", 0)
	set := &data.Set{Name: "random", Rows: 28, Cols: 28, Classes: 10, Pixels: make([]uint8, 128*784), Labels: make([]uint8, 128)}
	for i := range set.Pixels {
		set.Pixels[i] = uint8(random.IntN(256))
	}
	return bench.Options{
		New:     func() (vm.VM, error) { return cpu.New(n, lower.Compiler{Network: n}, cpu.Options{}) },
		Witness: func() (vm.VM, error) { return tape.New(n) },
		Set:     set,
		Least:   time.Millisecond,
		Other: func(n model.Network, cores int) (vm.VM, error) {
			return cpu.New(n, lower.Compiler{Network: n}, cpu.Options{Cores: cores})
		},
	}
}

// TestRun checks that every row exists and has times of both machines. It does not
// check the times.
func TestRun(t *testing.T) {
	r, err := bench.Run(context.Background(), options())
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"load the set", "train, batch 1", "train, batch 10", "train, batch 128", "evaluate"}
	if len(r.Rows) != len(want) {
		t.Fatalf("%d rows, want %q", len(r.Rows), want)
	}
	for i, row := range r.Rows {
		if row.What.En != want[i] || row.Nanos <= 0 || i > 0 && (row.Witness <= 0 || row.Ratio != row.Witness/row.Nanos) {
			t.Errorf("row %+v, want %q", row, want[i])
		}
		if strings.HasPrefix(row.What.En, "train") != strings.Contains(row.How.En, "kernels") {
			t.Errorf("row %q is made by %q", row.What, row.How)
		}
	}
	var b bytes.Buffer
	if err := r.Text(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"784-5-10", "train, batch 128", "evaluate", "tape", "cpu"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

// TestPeers: the listing and the mini-batches of the peers run where they are installed,
// and do the same as the machine; the text says which are not.
func TestPeers(t *testing.T) {
	if testing.Short() {
		t.Skip("starts other programs many times")
	}
	if err := exec.Command("python3", "-c", "import numpy").Run(); err != nil {
		t.Skip("python3 with NumPy is not installed")
	}
	o := options()
	o.Python = "python3"
	r, err := bench.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	if r.NumPy == nil || r.NumPy.Nanos <= 0 || r.NumPy.Version == "" {
		t.Errorf("NumPy: %+v", r.NumPy)
	}
	// The set of 128 samples has mini-batches of 10 and 128, and the wider networks fit it.
	if len(r.Comparisons) != 5 {
		t.Fatalf("%d comparisons, want 5: %+v", len(r.Comparisons), r.Comparisons)
	}
	for i, c := range r.Comparisons {
		if c.Samples%c.Batch != 0 || c.Nanos <= 0 || len(c.Peers) == 0 || c.Peers[0].Name != "NumPy" {
			t.Errorf("comparison %+v", c)
		}
		_, noGCC := exec.LookPath("gcc")
		if last := c.Peers[len(c.Peers)-1]; i < 2 && noGCC == nil && !strings.HasPrefix(last.Version, "gcc ") {
			t.Errorf("no peer in C: %+v", c)
		}
		for _, p := range c.Peers {
			if p.Nanos <= 0 || p.Ratio != p.Nanos/c.Nanos || p.Version == "" {
				t.Errorf("%s, batch %d: %+v", c.Network, c.Batch, p)
			}
		}
	}
	var b bytes.Buffer
	if err := r.Text(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	for _, want := range append([]string{"784-1000-1000-10", "NumPy " + r.NumPy.Version}, r.Missing...) {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

// TestGrow: every curve has as many times as places.
func TestGrow(t *testing.T) {
	curves, err := bench.Grow(context.Background(), options())
	if err != nil {
		t.Fatal(err)
	}
	if len(curves) != 5 {
		t.Fatalf("%d curves, want 5", len(curves))
	}
	for _, c := range curves {
		if len(c.At) == 0 || len(c.At) != len(c.Seconds) || slices.Min(c.Seconds) <= 0 || !slices.IsSorted(c.At) {
			t.Errorf("curve %+v", c)
		}
	}
	var b bytes.Buffer
	if err := bench.GrowthText(&b, curves, lang.English); err != nil || !strings.Contains(b.String(), "hidden units") {
		t.Errorf("the text: %v, %s", err, b.String())
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bench.Grow(ctx, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// clocked is a machine with a clock of its own, which says that the device works for a
// microsecond in the first pass that it times, for two in the second, and so on.
type clocked struct {
	vm.VM
	times int // -1: not asked for
}

func (m *clocked) TimeDevice() error { m.times = 0; return nil }
func (m *clocked) DeviceTime() (time.Duration, error) {
	if m.times < 0 {
		return 0, nil
	}
	m.times++
	return time.Duration(m.times) * time.Microsecond, nil
}

// TestOnly: only the rows that are asked for are measured, in their order, and a machine
// with a device is asked for the device's time, which the text and the row have.
func TestOnly(t *testing.T) {
	for _, c := range []struct {
		only bench.Rows
		want []string
	}{
		{bench.Rows{Batches: []int{128, 3}}, []string{"train, batch 128", "train, batch 3"}},
		{bench.Rows{Load: true, Evaluate: true}, []string{"load the set", "evaluate"}},
		{bench.Rows{Batches: []int{100_000}}, nil}, // no work for so few samples
	} {
		o := options()
		cpu := o.New
		o.Only = &c.only
		o.New = func() (vm.VM, error) {
			m, err := cpu()
			return &clocked{m, -1}, err
		}
		r, err := bench.Run(context.Background(), o)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, row := range r.Rows {
			got = append(got, row.What.En)
			passes := row.Device * 1280 / 1000 // of 128 samples, or of a mini-batch ten times
			if timed := row.What.En != "load the set"; timed != (row.Device > 0) || math.Abs(passes-math.Round(passes)) > 1e-6 {
				t.Errorf("%s: %v ns a sample on the device, which is no whole number of microseconds a pass", row.What, row.Device)
			}
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("rows %q, want %q", got, c.want)
		}
		var b bytes.Buffer
		if err := r.Text(&b, lang.English); err != nil || strings.Contains(b.String(), "on the device") != (len(c.want) > 0) {
			t.Errorf("the text: %v\n%s", err, b.String())
		}
	}
}

func TestErrors(t *testing.T) {
	o := options()
	o.Python = "no-such-python"
	if _, err := bench.Run(context.Background(), o); err == nil || !strings.Contains(err.Error(), "no-such-python") {
		t.Errorf("no Python: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := bench.Run(ctx, options()); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	broken := errors.New("broken")
	o = options()
	o.Witness = func() (vm.VM, error) { return nil, broken }
	if _, err := bench.Run(context.Background(), o); !errors.Is(err, broken) {
		t.Errorf("no witness: %v", err)
	}
}
