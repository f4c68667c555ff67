package cuda

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm/cuda/kernel"
)

// counted is embedded, because the tests also run where there is no source.
//
//go:embed kernel/cycles.txt
var counted string

// TestStepCycles: the estimates are near the cycles that were counted on the emulator.
func TestStepCycles(t *testing.T) {
	for line := range strings.Lines(counted) {
		var entry, precision string
		var in, hidden, out, batch, shared int
		var want float64
		_, err := fmt.Sscanf(line, "%s %d-%d-%d sigmoid, with bias, %s batch %d shared %d cycles %f", &entry, &in, &hidden, &out, &precision, &batch, &shared, &want)
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		n := model.Network{Layers: []int{in, hidden, out}, Bias: true}
		if precision == "float64" {
			n.Precision = model.Float64
		}
		p, err := lower.Compiler{Network: n}.Step(batch)
		if err != nil {
			t.Fatal(err)
		}
		o := kernel.Options{Shared: 232448}
		switch {
		case strings.HasPrefix(entry, "vm_fused"):
			o.Mode = kernel.Fused
		case entry == kernel.GridEntry:
			o.Mode, o.Blocks = kernel.Grid, 132
		default:
			o.Mode = kernel.Block
		}
		im, err := kernel.Encode(p, o)
		if err != nil {
			t.Fatal(err)
		}
		if im.Entry != entry {
			t.Errorf("%v, batch %d: kernel %s, want %s", n, batch, im.Entry, entry)
		}
		if got := stepCycles(im, n, batch, 132); got < 0.75*want || got > 1.25*want {
			t.Errorf("%s, batch %d: estimated at %.0f cycles, counted %.0f", entry, batch, got, want)
		}
	}
}
