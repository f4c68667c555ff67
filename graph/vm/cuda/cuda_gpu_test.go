//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"testing"
	"time"

	"trainer/data"
	"trainer/graph/gradcheck"
	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda"
	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/driver/fake"
	"trainer/graph/vm/cuda/kernel/kerneltest"
	"trainer/graph/vm/interpret"
	"trainer/graph/vm/vmtest"
)

// If the environment variable device is set, these tests run on a GPU instead of
// the fake driver.
const device = "TRAINER_TEST_GPU"

func TestMain(m *testing.M) {
	if os.Getenv(device) != "" {
		// A machine is open all the time, so that the tests share a context and
		// load the kernels once. If there is none, each test says why.
		_, _ = with(cuda.Options{})(textbook, false)
		os.Exit(m.Run())
	}
	os.Exit(fake.Main(m))
}

// onDevice makes the test run on a GPU or on the fake driver.
func onDevice(t testing.TB) { onMultiprocessors(t, 3) }

// exchanging is a number of multiprocessors on which 784-50-10 runs in exchange mode.
const exchanging = 26

// onMultiprocessors is onDevice; the fake driver's device has n multiprocessors. It reports
// false if the GPU has fewer.
func onMultiprocessors(t testing.TB, n int) bool {
	t.Helper()
	if os.Getenv(device) != "" {
		if err := cuda.Check(); err != nil {
			t.Fatalf("%s is set, but %v", device, err)
		}
		all, err := cuda.Devices()
		if err != nil {
			t.Fatal(err)
		}
		return all[0].Multiprocessors >= n
	}
	fake.Require(t)
	t.Setenv("CUDA_FAKE_KERNELS", kerneltest.Library(t))
	t.Setenv("CUDA_FAKE_ATTRIBUTES", fmt.Sprintf("16=%d", n)) // as many blocks of a grid
	return true
}

func with(o cuda.Options) vmtest.New {
	return func(n model.Network, listing bool) (vm.VM, error) {
		return cuda.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}}, o)
	}
}

func TestConformance(t *testing.T) {
	onDevice(t)
	// Where fused mode would not stop by itself, the sums of the first group of a pass are
	// made of other parts, so they round differently: by some units of 2⁻²⁴.
	vmtest.Run(t, with(cuda.Options{}), vmtest.Options{Split: 16 * 0x1p-24})
}

// TestSmoke runs each kernel for a few steps, and an evaluation after it: what to
// try first on a device. The bound is that of TestModes.
func TestSmoke(t *testing.T) {
	onDevice(t)
	set := images(20)
	for _, c := range []struct {
		mode      string
		precision model.Precision
		batch     int
	}{
		{"fused", model.Float32, 1}, {"block", model.Float32, 1}, {"block", model.Float32, 3}, {"block", model.Float64, 3}, {"grid", model.Float32, 3}, {"exchange", model.Float32, 6},
	} {
		if c.mode == "exchange" && !onMultiprocessors(t, exchanging) {
			t.Logf("SKIPPED: exchange mode, which needs %d multiprocessors", exchanging)
			continue
		}
		n := textbook
		n.Precision = c.precision
		want, err := definition(n, false)
		must(t, err)
		got, err := with(cuda.Options{Mode: c.mode})(n, false)
		if err != nil {
			t.Fatalf("%s mode, %v: %v", c.mode, c.precision, err)
		}
		var scores [2]vm.Score
		var after [2]model.Parameters
		for i, m := range []vm.VM{want, got} {
			must(t, m.SetParameters(model.Normal(n, 0.1, data.Stream(2, "cuda test", 0))))
			must(t, m.Train(context.Background(), vm.Pass{Set: set, Batch: c.batch, Rate: 0.5}))
			scores[i], err = m.Evaluate(context.Background(), set)
			must(t, err)
			after[i], err = m.Parameters()
			must(t, err)
		}
		for l := range after[0] {
			for k, w := range after[0][l].Weight {
				if v := after[1][l].Weight[k]; !(math.Abs(v-w) <= 1e-5) {
					t.Fatalf("%s mode, %v, batch %d: %s[%d] is %v, want %v", c.mode, c.precision, c.batch, model.WeightName(l), k, v, w)
				}
			}
		}
		if d := math.Abs(scores[1].Cost - scores[0].Cost); !(d <= 1e-5) || scores[1].Correct != scores[0].Correct {
			t.Errorf("%s mode, %v, batch %d: score %v, %d correct; want %v, %d", c.mode, c.precision, c.batch,
				scores[1].Cost, scores[1].Correct, scores[0].Cost, scores[0].Correct)
		}
		must(t, got.Close())
	}
}

// TestModes: every mode trains as plain loops in float64 do, at batch sizes for
// which the machine would choose other modes too, and its gradients are those of
// the equations.
func TestModes(t *testing.T) {
	onDevice(t)
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: model.Float64}
	set := images(70)
	p := model.Normal(n, 0.1, data.Stream(2, "cuda test", 0))
	p.Round(model.Float32)
	for _, c := range []struct {
		mode      string
		precision model.Precision
		batch     int
		bound     float64
	}{
		// 70 steps with sums of 784 terms: in float64 1e-12 at most.
		{"block", model.Float64, 1, 1e-11}, {"block", model.Float64, 9, 1e-11}, {"block", model.Float64, 32, 1e-11},
		// In float32 each step rounds a weight below 1 by up to 2⁻²⁵, and an
		// error of 2⁻²² in δ is multiplied by η = 0.5: 70 · 1.5e-7 in all.
		{"block", model.Float32, 32, 1e-5}, {"fused", model.Float32, 1, 1e-5},
		{"grid", model.Float32, 1, 1e-5}, {"grid", model.Float32, 9, 1e-5}, {"grid", model.Float32, 32, 1e-5},
		{"exchange", model.Float32, 9, 1e-5}, {"exchange", model.Float32, 32, 1e-5},
	} {
		if testing.Short() && c.batch == 1 && c.mode != "fused" {
			continue
		}
		t.Run(fmt.Sprintf("%s %v batch %d", c.mode, c.precision, c.batch), func(t *testing.T) {
			if c.mode == "exchange" && !onMultiprocessors(t, exchanging) {
				t.Skipf("SKIPPED: it needs %d multiprocessors", exchanging)
			}
			plain, err := interpret.New(n, lower.Compiler{Network: n})
			if err != nil {
				t.Fatal(err)
			}
			own := n
			own.Precision = c.precision
			m, err := with(cuda.Options{Mode: c.mode})(own, false)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = m.Close() }()
			var after [2]model.Parameters
			for i, v := range []vm.VM{plain, m} {
				if err := v.SetParameters(p); err != nil {
					t.Fatal(err)
				}
				if err := v.Train(context.Background(), vm.Pass{Set: set, Batch: c.batch, Rate: 0.5}); err != nil {
					t.Fatal(err)
				}
				if after[i], err = v.Parameters(); err != nil {
					t.Fatal(err)
				}
			}
			for l := range after[0] {
				for k, want := range after[0][l].Weight {
					if got := after[1][l].Weight[k]; !(math.Abs(got-want) <= c.bound) {
						t.Fatalf("%s[%d] is %v, want %v", model.WeightName(l), k, got, want)
					}
				}
			}
			report, err := gradcheck.Check(m, gradcheck.Options{Batches: []int{c.batch}})
			if err != nil || !report.OK() {
				t.Errorf("gradients: %v, %v", report.Failed(), err)
			}
		})
	}
}

// TestGridPrecision: a float64 machine trains mini-batches in block mode.
func TestGridPrecision(t *testing.T) {
	onDevice(t)
	n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: model.Float64}
	m, err := with(cuda.Options{})(n, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	mode, err := m.Describe(128)
	if err != nil || !strings.Contains(mode.En, "block mode") || !strings.Contains(mode.En, "the grid computes in float32") {
		t.Errorf("mode %q, %v: want block mode and the reason", mode, err)
	}
}

// TestExact: in every mode a mini-batch in float32 is as exact as the definition.
// Fused mode has single samples only; the machine that chooses uses it for them. On
// the fake driver the mini-batches have at most 1,000 samples: 60,000 take a minute
// for each mode. Package kernel's TestSums has
// longer sums.
func TestExact(t *testing.T) {
	onDevice(t)
	limit := 60_000
	if testing.Short() || os.Getenv(device) == "" {
		limit = 1000
	}
	for _, mode := range []string{"", "block", "grid"} {
		t.Run(fmt.Sprintf("%s mode up to %d samples", cmp.Or(mode, "chosen"), limit), func(t *testing.T) {
			if mode == "" {
				onMultiprocessors(t, 32) // it chooses exchange mode for mini-batches of 128
			}
			vmtest.Exact(t, func(n model.Network, listing bool) (vm.VM, error) {
				o := cuda.Options{Mode: mode}
				if n.Precision == model.Float64 {
					o.Mode = "" // the grid computes in float32
				}
				return with(o)(n, listing)
			}, definition, limit)
		})
	}
}

func definition(n model.Network, listing bool) (vm.VM, error) {
	return interpret.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}})
}

func images(samples int) *data.Set {
	random := data.Stream(1, "cuda test", 0)
	s := &data.Set{Name: "random images", Rows: 28, Cols: 28, Classes: 10, Pixels: make([]uint8, samples*784), Labels: make([]uint8, samples)}
	for i := range s.Pixels {
		if random.IntN(5) == 0 {
			s.Pixels[i] = uint8(random.IntN(256))
		}
	}
	for i := range s.Labels {
		s.Labels[i] = uint8(random.IntN(10))
	}
	return s
}

var textbook = model.Network{Layers: []int{784, 50, 10}, Bias: true}

// BenchmarkModes measures training in each mode.
func BenchmarkModes(b *testing.B) {
	onDevice(b)
	for _, mode := range []string{"", "block", "grid"} {
		b.Run(cmp.Or(mode, "chosen"), func(b *testing.B) { vmtest.BenchmarkTrain(b, with(cuda.Options{Mode: mode})) })
	}
}

// TestDeviceTime: the device's time of a pass and of an evaluation is part of the
// host's, and is 0 where nothing was asked for or done. It changes no result.
func TestDeviceTime(t *testing.T) {
	onDevice(t)
	set := images(70)
	var after [2]model.Parameters
	for i := range after {
		m, err := with(cuda.Options{})(textbook, false)
		must(t, err)
		timed, ok := m.(vm.Timed)
		if !ok {
			t.Fatal("the machine does not time its device")
		}
		if i == 1 {
			must(t, timed.TimeDevice())
		}
		must(t, m.SetParameters(model.Normal(textbook, 0.1, data.Stream(2, "cuda test", 0))))
		for _, do := range []func() error{
			func() error { return m.Train(context.Background(), vm.Pass{Set: set, Batch: 32, Rate: 0.1}) },
			func() error { _, err := m.Evaluate(context.Background(), set); return err },
		} {
			begun := time.Now()
			must(t, do())
			host := time.Since(begun)
			if took, err := timed.DeviceTime(); err != nil || took > host || (took > 0) != (i == 1) {
				t.Errorf("timed %v: the device took %v of the host's %v, %v", i == 1, took, host, err)
			}
		}
		must(t, m.Train(context.Background(), vm.Pass{Set: set, Order: []int32{}, Batch: 1, Rate: 0.1}))
		if took, err := timed.DeviceTime(); err != nil || took != 0 {
			t.Errorf("a pass of no samples took the device %v, %v", took, err)
		}
		after[i], err = m.Parameters()
		must(t, err)
		must(t, m.Close())
	}
	if !reflect.DeepEqual(after[0], after[1]) {
		t.Error("timing changed the parameters")
	}
}

// TestStopLatency: a pass that is cancelled ends within half a second.
func TestStopLatency(t *testing.T) {
	onDevice(t)
	m, err := with(cuda.Options{})(textbook, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	set := images(100_000)
	if err := m.Load(set); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	started := make(chan time.Time, 1)
	go func() {
		time.Sleep(200 * time.Millisecond)
		started <- time.Now()
		cancel()
	}()
	err = m.Train(ctx, vm.Pass{Set: set, Batch: 1, Rate: 0.1})
	select {
	case at := <-started:
		// On the CPU a step takes much longer, and the kernel reads the stop word
		// only every pollSamples samples. There, it is enough that the pass ends.
		if took := time.Since(at); os.Getenv(device) != "" && took > 500*time.Millisecond {
			t.Errorf("the pass ended %v after it was cancelled", took)
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("a cancelled pass: %v", err)
		}
	default:
		t.Log("the pass ended before it was cancelled")
	}
}

// TestOutOfMemory: the error names what is needed and what is free.
func TestOutOfMemory(t *testing.T) {
	if os.Getenv(device) != "" {
		t.Skip("only the fake driver has a device with little memory")
	}
	onDevice(t)
	t.Setenv("CUDA_FAKE_MEMORY", "4000000")
	m, err := with(cuda.Options{})(textbook, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	err = m.Load(images(20_000)) // 3 bytes for each of 3.1 million pixels
	var memory *driver.MemoryError
	if !errors.As(err, &memory) || memory.Needed < 9_000_000 || memory.Free > 4_000_000 {
		t.Fatalf("%v, want a MemoryError", err)
	}
	for _, want := range []string{"random images", "needed", "free"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	// The machine still works with a smaller set.
	if err := m.Train(context.Background(), vm.Pass{Set: images(10), Batch: 5, Rate: 0.1}); err != nil {
		t.Errorf("training on a smaller set: %v", err)
	}
}

// TestNoDevice: the error of New says why there is no machine, and what to do.
func TestNoDevice(t *testing.T) {
	if os.Getenv(device) != "" {
		t.Skip("there is a device")
	}
	fake.Require(t)
	for _, c := range []struct{ setting, value, want string }{
		{"CUDA_FAKE_DEVICES", "0", "no"},
		{"CUDA_FAKE_VERSION", "11080", "install a newer driver"},
		{"CUDA_FAKE_ATTRIBUTES", "75=6 76=1", "compute capability 6.1"},
	} {
		t.Run(c.setting, func(t *testing.T) {
			command := exec.Command(os.Args[0], "-test.run=^TestNew$")
			command.Env = append(os.Environ(), c.setting+"="+c.value, "TRAINER_TEST_NEW=1")
			out, err := command.CombinedOutput()
			if err == nil || !strings.Contains(string(out), c.want) {
				t.Errorf("%v, want an error with %q:\n%s", err, c.want, out)
			}
		})
	}
}

// TestNew makes a machine. TestNoDevice runs it in another process.
func TestNew(t *testing.T) {
	if os.Getenv("TRAINER_TEST_NEW") == "" {
		t.Skip("TestNoDevice runs it")
	}
	if _, err := with(cuda.Options{})(textbook, false); err != nil {
		t.Fatal(err)
	}
}

// TestStickyError: after a fault of a kernel, every pass returns its error.
func TestStickyError(t *testing.T) {
	if os.Getenv("TRAINER_TEST_NEW") != "sticky" {
		if os.Getenv(device) != "" {
			t.Skip("only the fake driver has faults")
		}
		fake.Require(t)
		command := exec.Command(os.Args[0], "-test.run=^TestStickyError$", "-test.v")
		command.Env = append(os.Environ(), "TRAINER_TEST_NEW=sticky")
		if out, err := command.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: TestStickyError") {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	onDevice(t)
	m, err := with(cuda.Options{})(textbook, false)
	if err != nil {
		t.Fatal(err)
	}
	set := images(10)
	t.Setenv("CUDA_FAKE_FAIL", "kernel=719")
	for range 2 {
		err := m.Train(context.Background(), vm.Pass{Set: set, Batch: 5, Rate: 0.1})
		if err == nil || !strings.Contains(err.Error(), "719") || !strings.Contains(err.Error(), "cannot be used again") {
			t.Errorf("training after a fault: %v", err)
		}
	}
	if err := m.Close(); err != nil {
		t.Errorf("Close after a fault: %v", err)
	}
}

// TestDescribe: the device, and the mode of each batch size.
func TestDescribe(t *testing.T) {
	onDevice(t)
	m, err := with(cuda.Options{})(textbook, false)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close() }()
	// 50 hidden units are too many for the exchange between 3 multiprocessors.
	for batch, want := range map[int]string{4: "block mode", 128: "grid mode"} {
		got, err := m.Describe(batch)
		if err != nil || !strings.Contains(got.En, want) || !strings.HasPrefix(got.En, "compiled, on ") {
			t.Errorf("batch %d: %q, %v; want the device and %s", batch, got, err, want)
		}
	}
}

// TestModeOf: what `trainer devices` says.
func TestModeOf(t *testing.T) {
	hopper := driver.Info{Multiprocessors: 132, SharedPerBlock: 232448, Cooperative: true}
	ada := driver.Info{Multiprocessors: 128, SharedPerBlock: 101376, Cooperative: true}
	for _, c := range []struct {
		info  driver.Info
		batch int
		want  string
	}{
		{hopper, 1, "fused mode, parameters in shared"}, {hopper, 4, "exchange mode"}, {hopper, 128, "exchange mode, parameters in shared"},
		{hopper, 300, "grid mode"}, {hopper, 300, "want at most 256"}, {ada, 128, "grid mode"},
		{ada, 1, "block mode, parameters in global"}, {ada, 1, "slower than possible: kernel: step 784-50-10"},
	} {
		got, err := cuda.ModeOf(textbook, lower.Compiler{Network: textbook}, c.batch, c.info)
		if err != nil || !strings.Contains(got.En, c.want) {
			t.Errorf("batch %d with %d bytes: %q, %v; want %q", c.batch, c.info.SharedPerBlock, got, err, c.want)
		}
	}
}

// TestScale: the machine takes the inputs and the targets from the scale of the set,
// in every mode, as plain loops do: also where a black pixel is no input of zero, and a
// white one is.
func TestScale(t *testing.T) {
	onDevice(t)
	n := model.Network{Layers: []int{49, 20, 10}, Bias: true, Precision: model.Float32}
	p := model.Normal(n, 0.3, data.Stream(2, "cuda test", 0))
	random := data.Stream(3, "cuda test", 0)
	for _, scale := range []data.Scale{
		{Pixels: data.Range{High: 16}},
		{Inputs: data.Range{Low: 0.01, High: 1}},
		{Inputs: data.Range{Low: 1, High: 0}},
		{Pixels: data.Range{High: 16}, Inputs: data.Range{Low: -1, High: 1}, Targets: data.Range{Low: 0.1, High: 0.9}},
	} {
		set := &data.Set{Name: "scaled", Rows: 7, Cols: 7, Classes: 10, Pixels: make([]uint8, 20*49), Labels: make([]uint8, 20), Scale: scale}
		for i := range set.Pixels {
			set.Pixels[i] = []uint8{0, 0, 0, 7, 16, 16}[random.IntN(6)]
			if scale.Pixels.High == 0 && set.Pixels[i] == 16 {
				set.Pixels[i] = 255
			}
		}
		for i := range set.Labels {
			set.Labels[i] = uint8(random.IntN(10))
		}
		want, err := definition(n, false)
		must(t, err)
		for _, c := range []struct {
			mode  string
			batch int
		}{{"fused", 1}, {"block", 1}, {"block", 3}, {"grid", 7}} {
			got, err := with(cuda.Options{Mode: c.mode})(n, false)
			must(t, err)
			var scores [2]vm.Score
			var after [2]model.Parameters
			for i, m := range []vm.VM{want, got} {
				must(t, m.SetParameters(p))
				must(t, m.Train(t.Context(), vm.Pass{Set: set, Batch: c.batch, Rate: 0.5}))
				scores[i], err = m.Evaluate(t.Context(), set)
				must(t, err)
				after[i], err = m.Parameters()
				must(t, err)
			}
			for l := range after[0] {
				for k, w := range after[0][l].Weight {
					if v := after[1][l].Weight[k]; !(math.Abs(v-w) <= 1e-5) {
						t.Fatalf("%+v, %s mode, batch %d: %s[%d] is %v, want %v", scale, c.mode, c.batch, model.WeightName(l), k, v, w)
					}
				}
			}
			if d := math.Abs(scores[1].Cost - scores[0].Cost); !(d <= 1e-5) || scores[1].Correct != scores[0].Correct {
				t.Errorf("%+v, %s mode: cost %v, %d correct; want %v, %d", scale, c.mode, scores[1].Cost, scores[1].Correct, scores[0].Cost, scores[0].Correct)
			}
			must(t, got.Close())
		}
	}
}
