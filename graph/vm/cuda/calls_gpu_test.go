//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda"
)

// calls returns the calls that reach the fake driver in f, a line each.
func calls(t *testing.T, f func()) []string {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("CUDA_FAKE_LOG", log)
	f()
	t.Setenv("CUDA_FAKE_LOG", "")
	text, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// names returns the names of calls.
func names(calls []string) []string {
	var all []string
	for _, c := range calls {
		name, _, _ := strings.Cut(c, " ")
		all = append(all, name)
	}
	return all
}

// onFake makes the test run on the fake driver.
func onFake(t *testing.T) {
	t.Helper()
	if os.Getenv(device) != "" {
		t.Skip("only the fake driver tells its calls")
	}
	onDevice(t)
}

func newMachine(t *testing.T, o cuda.Options) vm.VM {
	t.Helper()
	m, err := with(o)(textbook, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := m.SetParameters(model.Normal(textbook, 0.1, data.Stream(1, "calls", 0))); err != nil {
		t.Fatal(err)
	}
	return m
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPassCalls: after the first pass, a pass allocates and frees nothing. It makes
// its launches one after the other and waits once, without polling.
func TestPassCalls(t *testing.T) {
	onFake(t)
	set := images(37)
	order := data.FileOrder(37)
	slices.Reverse(order)
	for _, c := range []struct {
		pass vm.Pass
		want []string
	}{
		{vm.Pass{Batch: 1}, []string{"cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuStreamSynchronize"}},
		{vm.Pass{Batch: 1, Order: order}, []string{"cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuStreamSynchronize"}},
		{vm.Pass{Batch: 32, Order: order, Costs: make([]float64, 2)}, []string{
			"cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync_v2", "cuLaunchCooperativeKernel", "cuLaunchKernel", "cuStreamSynchronize", "cuMemcpyDtoH_v2",
		}},
	} {
		c.pass.Set, c.pass.Rate = set, 0.1
		m := newMachine(t, cuda.Options{})
		must(t, m.Load(set))
		for k := range 2 {
			got := calls(t, func() { must(t, m.Train(context.Background(), c.pass)) })
			if k == 1 && !slices.Equal(names(got), c.want) {
				t.Errorf("batch %d: calls\n%s\nwant %v", c.pass.Batch, strings.Join(got, "\n"), c.want)
			}
			dense := fmt.Sprintf("cuMemcpyHtoD_v2 %d", len(set.Pixels))
			if c.pass.Batch == 1 && slices.Contains(got, dense) {
				t.Errorf("single samples: the dense pixels were copied, which nothing reads")
			}
		}
	}
}

// TestTimedCalls: a pass that is timed records two events around its launches, and
// makes no other call more.
func TestTimedCalls(t *testing.T) {
	onFake(t)
	m := newMachine(t, cuda.Options{})
	pass := vm.Pass{Set: images(37), Batch: 32, Rate: 0.1}
	must(t, m.Train(context.Background(), pass))
	timed := m.(vm.Timed)
	must(t, timed.TimeDevice())
	must(t, timed.TimeDevice())
	got := names(calls(t, func() { must(t, m.Train(context.Background(), pass)) }))
	if took, err := timed.DeviceTime(); err != nil || took <= 0 {
		t.Errorf("the device took %v, %v", took, err)
	}
	want := []string{"cuMemcpyHtoDAsync_v2", "cuEventRecord", "cuLaunchCooperativeKernel", "cuLaunchKernel", "cuEventRecord", "cuStreamSynchronize"}
	if !slices.Equal(got, want) {
		t.Errorf("calls %v, want %v", got, want)
	}
}

// TestEvaluateCalls: after the first one, an evaluation allocates and frees nothing.
// It launches as many blocks as the device runs at once.
func TestEvaluateCalls(t *testing.T) {
	onFake(t)
	t.Setenv("CUDA_FAKE_ATTRIBUTES", "16=3 39=512") // 3 multiprocessors, each with one block of 512 threads
	m := newMachine(t, cuda.Options{})
	set := images(200) // 7 tiles
	var got []string
	for range 2 {
		got = calls(t, func() {
			_, err := m.Evaluate(context.Background(), set)
			must(t, err)
		})
	}
	if want := []string{"cuMemsetD8Async", "cuLaunchKernel", "cuStreamSynchronize", "cuMemcpyDtoH_v2"}; !slices.Equal(names(got), want) {
		t.Errorf("calls\n%s\nwant %v", strings.Join(got, "\n"), want)
	}
	if !strings.Contains(got[1], "grid=3,") {
		t.Errorf("%s: want 3 blocks", got[1])
	}
}

// TestFleetCalls: a pass of a fleet is one launch, also if some runs sit out, and
// the evaluation of all runs waits once.
func TestFleetCalls(t *testing.T) {
	onFake(t)
	f, err := fleetOf(cuda.Options{})(textbook, 3)
	must(t, err)
	defer func() { must(t, f.Close()) }()
	set := images(20)
	pass := vm.Pass{Set: set, Batch: 1, Rate: 0.1, Order: data.FileOrder(20)}
	var train, evaluate []string
	for range 2 {
		train = calls(t, func() { must(t, f.Train(context.Background(), []int{0, 2}, []vm.Pass{pass, pass})) })
		evaluate = calls(t, func() {
			_, err := f.Evaluate(context.Background(), set, []int{0, 1, 2})
			must(t, err)
		})
	}
	if want := []string{"cuMemcpyHtoDAsync_v2", "cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuStreamSynchronize"}; !slices.Equal(names(train), want) {
		t.Errorf("a pass: calls\n%s\nwant %v", strings.Join(train, "\n"), want)
	}
	if want := []string{"cuMemsetD8Async", "cuLaunchKernel", "cuLaunchKernel", "cuLaunchKernel", "cuStreamSynchronize", "cuMemcpyDtoH_v2"}; !slices.Equal(names(evaluate), want) {
		t.Errorf("an evaluation: calls\n%s\nwant %v", strings.Join(evaluate, "\n"), want)
	}
}

// TestShared: the machines of a process have one context and load the kernels once,
// those compiled for the device if there are any. The last machine frees both.
func TestShared(t *testing.T) {
	onFake(t)
	for _, c := range []struct {
		what, attributes, fail string
		loads                  int
	}{
		{"Hopper", "16=3", "", 1},
		{"another device", "16=3 75=8", "", 1},
		{"a driver that refuses the cubin and the PTX", "16=3", "cuModuleLoadDataEx=209", 2},
	} {
		t.Setenv("CUDA_FAKE_ATTRIBUTES", c.attributes)
		t.Setenv("CUDA_FAKE_FAIL", c.fail)
		got := calls(t, func() {
			var all []vm.VM
			for range 2 {
				m, err := with(cuda.Options{})(textbook, false)
				if c.fail != "" {
					if err == nil || !strings.Contains(err.Error(), "install a newer NVIDIA driver") {
						t.Errorf("%s: %v", c.what, err)
					}
					return
				}
				must(t, err)
				all = append(all, m)
			}
			for _, m := range all {
				must(t, m.Train(context.Background(), vm.Pass{Set: images(3), Batch: 1, Rate: 0.1}))
				must(t, m.Close())
			}
		})
		count := map[string]int{}
		for _, name := range names(got) {
			count[name]++
		}
		if count["cuDevicePrimaryCtxRetain"] != 1 || count["cuDevicePrimaryCtxRelease_v2"] != 1 || count["cuModuleLoadDataEx"] != c.loads {
			t.Errorf("%s: calls\n%s", c.what, strings.Join(got, "\n"))
		}
	}
}

// TestFailedPart: if a value is not finite in the last whole mini-batch, the ragged
// one is not trained. vmtest's nonFinite explains the weights and the images.
func TestFailedPart(t *testing.T) {
	onDevice(t)
	n := model.Network{Layers: []int{4, 2, 1}}
	p := model.NewParameters(n)
	p[0].Weight[0], p[0].Weight[4] = 1000, -1000
	p[1].Weight[0], p[1].Weight[1] = 1000, -1000
	set := &data.Set{Name: "overflow", Rows: 2, Cols: 2, Classes: 1, Pixels: make([]uint8, 7*4), Labels: make([]uint8, 7)}
	for i := range 7 {
		set.Image(i)[i/4] = 255
	}
	for _, mode := range []string{"block", "grid"} {
		m, err := with(cuda.Options{Mode: mode})(n, false)
		must(t, err)
		must(t, m.SetParameters(p))
		trained := 0
		err = m.Train(context.Background(), vm.Pass{Set: set, Batch: 2, Rate: math.MaxFloat32, Progress: func(n int) { trained = n }})
		var bad *vm.NonFiniteError
		if !errors.As(err, &bad) || *bad != (vm.NonFiniteError{Tensor: "layers.0.weight", Step: 2}) || trained != 6 {
			t.Errorf("%s mode: %v after %d samples, want step 2 of layers.0.weight after 6", mode, err, trained)
		}
		must(t, m.Close())
	}
}
