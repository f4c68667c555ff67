package vmtest

import (
	"context"
	"errors"
	"reflect"
	"testing"

	"trainer/graph/model"
	"trainer/graph/vm"
)

// justDone is a context that is done just after it was first asked.
type justDone struct {
	context.Context
	asked bool
}

func (c *justDone) Err() error {
	if !c.asked {
		c.asked = true
		return nil
	}
	return c.Context.Err()
}

// Abandoned checks a machine that leaves a step that is cancelled to itself: the call
// returns, the parameters are those before the step, and the machine goes on from them
// with the bits of another one.
func Abandoned(t *testing.T, newVM New) {
	for _, bias := range []bool{true, false} {
		n := model.Network{Layers: []int{784, 200, 10}, Bias: bias}
		p := randomParameters(n, 21)
		p.Round(n.Precision)
		set := randomSet(n, 600, 22)
		m, err := newVM(n, false)
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		if err := m.SetParameters(p); err != nil {
			t.Fatal(err)
		}
		pass := vm.Pass{Set: set, Batch: 600, Rate: 0.5}
		for range 3 {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := m.Train(&justDone{Context: ctx}, pass); !errors.Is(err, context.Canceled) {
				t.Fatalf("cancelled in a step: %v, want %v", err, context.Canceled)
			}
			if !reflect.DeepEqual(parametersOf(t, m), p) {
				t.Fatal("the parameters are not those before the step")
			}
		}
		if _, err := m.Evaluate(context.Background(), set); err != nil {
			t.Error(err)
		}
		train(t, m, pass)
		other, err := newVM(n, false)
		if err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if err := other.SetParameters(p); err != nil {
			t.Fatal(err)
		}
		train(t, other, pass)
		if !reflect.DeepEqual(parametersOf(t, m), parametersOf(t, other)) {
			t.Error("after a step that was abandoned, the next has other bits")
		}
	}
}
