//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda_test

import (
	"errors"
	"reflect"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda"
	"trainer/graph/vm/vmtest"
)

func fleetOf(o cuda.Options) vmtest.NewFleet {
	return func(n model.Network, runs int) (vm.Fleet, error) {
		return vm.NewFleet(runs, func() (vm.VM, error) { return with(o)(n, false) })
	}
}

// TestFleet runs the suite of fleets with the machine's own fleet.
func TestFleet(t *testing.T) {
	onDevice(t)
	vmtest.RunFleet(t, with(cuda.Options{}), fleetOf(cuda.Options{}))
}

// TestFleetBatch: a fleet trains larger mini-batches in block mode, also if the
// temporaries of a block do not fit in its shared memory. It has no grid mode.
func TestFleetBatch(t *testing.T) {
	onDevice(t)
	n := model.Network{Layers: []int{12, 2000, 3}, Bias: true}
	set := &data.Set{Name: "set", Rows: 3, Cols: 4, Classes: 3, Pixels: make([]uint8, 70*12), Labels: make([]uint8, 70)}
	for i := range set.Pixels {
		set.Pixels[i] = uint8(i * 37)
	}
	for i := range set.Labels {
		set.Labels[i] = uint8(i % 3)
	}
	p := model.Normal(n, 0.3, data.Stream(1, "fleet", 0))
	f, err := fleetOf(cuda.Options{})(n, 2)
	if err != nil {
		t.Fatal(err)
	}
	alone, err := with(cuda.Options{Mode: "block"})(n, false)
	if err != nil {
		t.Fatal(err)
	}
	pass := vm.Pass{Set: set, Batch: 32, Rate: 0.5}
	for _, err := range []error{
		f.SetParameters(0, p), f.SetParameters(1, p), alone.SetParameters(p),
		f.Train(t.Context(), []int{0, 1}, []vm.Pass{pass, pass}), alone.Train(t.Context(), pass),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	want, err := alone.Parameters()
	if err != nil {
		t.Fatal(err)
	}
	for r := range 2 {
		if got, err := f.Parameters(r); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("run %d: not the parameters of block mode, %v", r, err)
		}
	}
	if err := errors.Join(f.Close(), alone.Close()); err != nil {
		t.Error(err)
	}
	if _, err := fleetOf(cuda.Options{Mode: "grid"})(n, 2); err == nil {
		t.Error("a fleet in grid mode: no error")
	}
}
