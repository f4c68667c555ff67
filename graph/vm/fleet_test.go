package vm_test

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"trainer/data"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/tape"
	"trainer/graph/vm/vmtest"
)

var machines = map[string]vmtest.New{
	"cpu": func(n model.Network, listing bool) (vm.VM, error) {
		return cpu.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}}, cpu.Options{})
	},
	"interpret": func(n model.Network, listing bool) (vm.VM, error) {
		return interpret.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}})
	},
	"tape": func(n model.Network, _ bool) (vm.VM, error) { return tape.New(n) },
}

func fleetOf(newVM vmtest.New) vmtest.NewFleet {
	return func(n model.Network, runs int) (vm.Fleet, error) {
		return vm.NewFleet(runs, func() (vm.VM, error) { return newVM(n, false) })
	}
}

// TestFleet runs the suite on one machine, and on 3 side by side where batches
// leave cores idle.
func TestFleet(t *testing.T) {
	for _, test := range []struct {
		name  string
		cores int
	}{{"cpu", 1}, {"cpu", 3}, {"interpret", 3}, {"tape", 1}} {
		t.Run(fmt.Sprintf("%s on %d", test.name, test.cores), func(t *testing.T) {
			if test.name == "tape" && testing.Short() {
				t.Skip("-short: the slowest machine is left out")
			}
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(test.cores))
			vmtest.RunFleet(t, machines[test.name], fleetOf(machines[test.name]))
		})
	}
}

// counted is a machine that counts how many of its kind are open.
type counted struct {
	vm.VM
	open *int
}

func (c counted) Close() error {
	*c.open--
	return c.VM.Close()
}

// TestFleetMachines: the fleet makes as many machines as can work side by side,
// and Close closes them all. A machine that cannot be made is an error.
func TestFleetMachines(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(3))
	n := model.Network{Layers: []int{4, 3}, Bias: true}
	errFull := errors.New("full")
	for _, test := range []struct{ runs, batch, most, want int }{
		{5, 1, 9, 3}, {2, 1, 9, 2}, {5, 4, 9, 1}, {1, 1, 9, 1}, {5, 1, 2, 2}, {5, 1, 0, 0},
	} {
		open := 0
		f, err := vm.NewFleet(test.runs, func() (vm.VM, error) {
			if open == test.most {
				return nil, errFull
			}
			open++
			m, err := machines["cpu"](n, false)
			return counted{m, &open}, err
		})
		if test.most == 0 {
			if !errors.Is(err, errFull) {
				t.Errorf("%+v: %v, want %v", test, err, errFull)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		set := &data.Set{Name: "set", Rows: 2, Cols: 2, Classes: 3, Pixels: make([]uint8, 8*4), Labels: make([]uint8, 8)}
		runs, passes := make([]int, test.runs), make([]vm.Pass, test.runs)
		for r := range runs {
			runs[r] = r
			passes[r] = vm.Pass{Set: set, Batch: test.batch, Rate: 0.1}
		}
		if err := f.Train(t.Context(), runs, passes); (err != nil) != (test.most < 3) || err != nil && !errors.Is(err, errFull) {
			t.Errorf("%+v: %v", test, err)
		}
		if open != test.want {
			t.Errorf("%+v: %d machines, want %d", test, open, test.want)
		}
		if err := f.Close(); err != nil || open != 0 {
			t.Errorf("%+v: %d machines left open, %v", test, open, err)
		}
	}
}
