package bench_test

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"strings"
	"testing"
	"time"

	"trainer/data"
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
		if row.What != want[i] || row.Nanos <= 0 || i > 0 && (row.Witness <= 0 || row.Ratio != row.Witness/row.Nanos) {
			t.Errorf("row %+v, want %q", row, want[i])
		}
		if strings.HasPrefix(row.What, "train") != strings.Contains(row.How, "kernels") {
			t.Errorf("row %q is made by %q", row.What, row.How)
		}
	}
	var b bytes.Buffer
	if err := r.Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"784-5-10", "train, batch 128", "evaluate", "tape", "cpu"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text lacks %q:\n%s", want, b.String())
		}
	}
}

func TestNumPy(t *testing.T) {
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
