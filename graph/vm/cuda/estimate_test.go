package cuda

import (
	_ "embed"
	"fmt"
	"strings"
	"testing"

	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm/cuda/driver"
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
		case entry == kernel.ExchangeEntry:
			o.Mode, o.Blocks = kernel.Exchange, 132
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
		if got := stepCycles(im, 132); got < 0.75*want || got > 1.25*want {
			t.Errorf("%s, batch %d: estimated at %.0f cycles, counted %.0f", entry, batch, got, want)
		}
	}
}

// TestExchangeIsFaster: exchange mode is chosen if its estimate is less than that of the
// mode that would be chosen without it.
func TestExchangeIsFaster(t *testing.T) {
	modes := map[string]kernel.Mode{}
	for _, layers := range [][]int{{3, 4, 2}, {36, 12, 10}, {784, 4, 10}, {784, 50, 10}, {784, 256, 10}} {
		for _, batch := range []int{2, 9, 128, 256} {
			n := model.Network{Layers: layers, Bias: true}
			p, err := lower.Compiler{Network: n}.Step(batch)
			if err != nil {
				t.Fatal(err)
			}
			info := driver.Info{Multiprocessors: 132, SharedPerBlock: 232448, Cooperative: true}
			encode := func(o Options) *kernel.Image {
				im, _, err := encodeStep(p, o, batch, info, func() (int, error) { return info.Multiprocessors, nil })
				if err != nil {
					t.Fatal(err)
				}
				return im
			}
			chosen, other := encode(Options{}), encode(Options{Mode: "grid"})
			if batch <= blockRows {
				other = encode(Options{Mode: "block"})
			}
			if stepCycles(chosen, 132) > stepCycles(other, 132) {
				t.Errorf("%v, batch %d: %v mode, slower than %v mode", n, batch, chosen.Options.Mode, other.Options.Mode)
			}
			modes[fmt.Sprint(layers, batch)] = chosen.Options.Mode
		}
	}
	for at, want := range map[string]kernel.Mode{
		"[3 4 2] 2": kernel.Block, "[3 4 2] 128": kernel.Exchange, "[3 4 2] 256": kernel.Grid, "[784 50 10] 2": kernel.Exchange,
		"[784 50 10] 128": kernel.Exchange, "[784 50 10] 256": kernel.Exchange, "[784 256 10] 256": kernel.Grid, // no memory
	} {
		if modes[at] != want {
			t.Errorf("%s: %v mode, want %v", at, modes[at], want)
		}
	}
}
