package cpu_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"trainer/data"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
)

// largeMachine returns a machine for a network of 28×28 inputs with small weights, and
// a set for it.
func largeMachine(tb testing.TB, samples, cores int, layers ...int) (vm.VM, *data.Set) {
	n := model.Network{Layers: append([]int{784}, layers...), Bias: true}
	m, err := cpu.New(n, lower.Compiler{Network: n}, cpu.Options{Cores: cores})
	if err != nil {
		tb.Fatal(err)
	}
	p := model.NewParameters(n)
	for _, l := range p {
		for i := range l.Weight {
			l.Weight[i] = float64(i%7-3) / 1000
		}
	}
	if err := m.SetParameters(p); err != nil {
		tb.Fatal(err)
	}
	set := &data.Set{Name: "noise", Rows: 28, Cols: 28, Classes: 10, Pixels: make([]uint8, samples*784), Labels: make([]uint8, samples)}
	for i := range set.Pixels {
		if i%5 == 0 {
			set.Pixels[i] = uint8(i * 7)
		}
	}
	return m, set
}

// lookedAt is a context that counts how often somebody looks at it.
type lookedAt struct {
	context.Context
	looks atomic.Int64
}

func (c *lookedAt) Err() error {
	c.looks.Add(1)
	return c.Context.Err()
}

// TestLooks: a pass or an evaluation of a large network looks at its context after few
// samples, because a sample takes long.
func TestLooks(t *testing.T) {
	const samples, few = 70, 32 // few: those of 500 million weights
	m, set := largeMachine(t, samples, 2, 20000, 10)
	for name, do := range map[string]func(context.Context) error{
		"train":    func(ctx context.Context) error { return m.Train(ctx, vm.Pass{Set: set, Batch: 1, Rate: 1e-9}) },
		"evaluate": func(ctx context.Context) error { _, err := m.Evaluate(ctx, set); return err },
	} {
		ctx := &lookedAt{Context: context.Background()}
		if err := do(ctx); err != nil {
			t.Fatal(err)
		}
		if n := ctx.looks.Load(); n < samples/few {
			t.Errorf("%s: looked %d times at the context, want %d", name, n, samples/few)
		}
	}
}

// TestAbandonedStep: a long step that is cancelled is abandoned, and leaves the
// parameters as they were before it.
func TestAbandonedStep(t *testing.T) {
	if testing.Short() {
		t.Skip("a step of a large mini-batch")
	}
	for _, cores := range []int{1, 2} {
		for _, batch := range []int{200, 3000} { // one block, and several
			m, set := largeMachine(t, batch, cores, 3000, 10)
			before, err := m.Parameters()
			if err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(context.Background())
			pass := vm.Pass{Set: set, Batch: batch, Rate: 1, Order: make([]int32, 50*batch)}
			time.AfterFunc(30*time.Millisecond, cancel)
			err = m.Train(ctx, pass)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("%d cores, batch %d: %v", cores, batch, err)
			}
			after, err := m.Parameters()
			if err != nil {
				t.Fatal(err)
			}
			// As many whole steps lead from one to the other.
			again, _ := largeMachine(t, 1, cores, 3000, 10)
			pass.Order = pass.Order[:batch]
			for step := 0; ; step++ {
				if fmt.Sprint(before[1].Weight[:300]) == fmt.Sprint(after[1].Weight[:300]) {
					break
				}
				if step > 5 || batch == 3000 { // its first step takes far longer than 30 ms
					t.Fatalf("%d cores, batch %d: the parameters are not those after a whole step", cores, batch)
				}
				if err := again.Train(context.Background(), pass); err != nil {
					t.Fatal(err)
				}
				if before, err = again.Parameters(); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// BenchmarkStop measures how long a pass or an evaluation of a network of 88 million
// parameters goes on at most after it is cancelled.
func BenchmarkStop(b *testing.B) {
	for _, layers := range [][]int{{9000, 9000, 10}, {110000, 10}} {
		m, set := largeMachine(b, 4000, 0, layers...)
		passes := map[string]func(context.Context) error{
			"evaluate": func(ctx context.Context) error { _, err := m.Evaluate(ctx, set); return err },
		}
		for _, batch := range []int{1, 10, 100, 4000} {
			passes[fmt.Sprint("batch ", batch)] = func(ctx context.Context) error {
				return m.Train(ctx, vm.Pass{Set: set, Batch: batch, Rate: 1e-9})
			}
		}
		for name, do := range passes {
			b.Run(fmt.Sprintf("%v/%s", layers, name), func(b *testing.B) {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				_ = do(ctx) // compiles, and takes memory
				worst := time.Duration(0)
				for i := range b.N {
					ctx, cancel := context.WithCancel(context.Background())
					var at atomic.Int64
					time.AfterFunc(time.Duration(300+100*(i%10))*time.Millisecond, func() {
						at.Store(time.Now().UnixNano())
						cancel()
					})
					if err := do(ctx); err == nil {
						b.Fatal("it was not cancelled")
					}
					worst = max(worst, time.Duration(time.Now().UnixNano()-at.Load()))
				}
				b.ReportMetric(worst.Seconds()*1000, "ms-to-stop")
			})
		}
	}
}
