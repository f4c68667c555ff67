package machines

import (
	"errors"
	"reflect"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu"
	"trainer/graph/vm/cuda"
	"trainer/graph/vm/cuda/driver"
)

var network = model.Network{Layers: []int{6, 4, 3}, Bias: true, Precision: model.Float64}

var errNoDriver = errors.New("cuda: no driver here")

// onGPU is a machine that says that it is on a GPU.
type onGPU struct{ vm.VM }

func (onGPU) Name() string { return "cuda" }
func (onGPU) Describe(int) (lang.Text, error) {
	return lang.Text{En: "compiled, dense mode", Zh: "已编译"}, nil
}
func (onGPU) Fleet(int) (fleet vm.Fleet, err error) { return fleet, errors.New("not a fleet") }

func newOnGPU(n model.Network, c vm.Compiler, _ cuda.Options) (vm.VM, error) {
	m, err := cpu.New(n, c, cpu.Options{Kernels: "go"})
	return onGPU{m}, err
}

// The computers on which a machine may be opened.
var (
	notBuilt = gpu{no, fails(errNoDriver), takes(0, errNoDriver)}
	noDriver = gpu{yes, fails(errNoDriver), takes(0, errNoDriver)}
	working  = gpu{yes, newOnGPU, takes(1e-9, nil)}
	slow     = gpu{yes, newOnGPU, takes(1, nil)}
	broken   = gpu{yes, fails(errNoDriver), takes(1e-9, nil)}
)

func takes(seconds float64, err error) func(model.Network, vm.Compiler, int, int) (cuda.Estimate, error) {
	return func(model.Network, vm.Compiler, int, int) (cuda.Estimate, error) {
		return cuda.Estimate{Device: driver.Info{Name: "Fake GPU"}, Seconds: seconds}, err
	}
}

func yes() bool { return true }
func no() bool  { return false }

func fails(err error) func(model.Network, vm.Compiler, cuda.Options) (vm.VM, error) {
	return func(model.Network, vm.Compiler, cuda.Options) (vm.VM, error) { return nil, err }
}

// TestOpen: which machine each pair of a device and a kind is on each computer,
// and why.
func TestOpen(t *testing.T) {
	for _, c := range []struct {
		o         Options
		on        gpu
		name, why string // the machine, and how the line begins
	}{
		{Options{}, notBuilt, "cpu", "machine cpu (auto: built without CUDA): compiled, "},
		{Options{}, noDriver, "cpu", "machine cpu (auto: cuda: no driver here): compiled, "},
		{Options{}, broken, "cpu", "machine cpu (auto: cuda: no driver here): compiled, "},
		{Options{}, working, "cuda", "machine cuda (auto: a step is estimated at 0.001 µs on Fake GPU and at "},
		{Options{}, slow, "cpu", "machine cpu (auto: a step is estimated at 1 s on Fake GPU and at "},
		{Options{Device: CUDA}, slow, "cuda", "machine cuda: compiled, dense mode"},
		{Options{Device: Auto, Kind: Compiled}, notBuilt, "cpu", "machine cpu (auto: built without CUDA): compiled, "},
		{Options{Device: CPU}, working, "cpu", "machine cpu: compiled, "},
		{Options{Device: CUDA}, working, "cuda", "machine cuda: compiled, dense mode"},
		{Options{Device: CUDA, Runs: 3}, working, "cuda", "machine cuda: compiled, all runs in one launch"},
		{Options{Device: CPU, Batch: 4, Cores: 2}, working, "cpu", "machine cpu: compiled, "},

		{Options{Kind: Interpret}, working, "interpret", "machine interpret: compiled, plain loops"},
		{Options{Kind: Interpret, Device: CPU}, working, "interpret", "machine interpret: compiled, plain loops"},
		{Options{Kind: Interpret, Device: CUDA}, working, "interpret", "machine interpret (on the CPU: the device cuda is for the compiled machine): "},
		{Options{Kind: Tape}, working, "tape", "machine tape: not compiled, "},
		{Options{Kind: Tape, Device: CPU}, working, "tape", "machine tape: not compiled, "},
		{Options{Kind: Tape, Device: CUDA}, notBuilt, "tape", "machine tape (on the CPU: the device cuda is for the compiled machine): "},
	} {
		m, why, err := open(network, c.o, c.on)
		if err != nil {
			t.Errorf("%+v: %v", c.o, err)
			continue
		}
		if m.Name() != c.name || !strings.HasPrefix(why.En, c.why) || strings.Contains(why.En, "\n") {
			t.Errorf("%+v: %s, %q; want %s, %q", c.o, m.Name(), why, c.name, c.why)
		}
		if !reflect.DeepEqual(m.Network(), network) {
			t.Errorf("%+v: a machine for %v, want %v", c.o, m.Network(), network)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenCores: the compiled machine takes what it is allowed.
func TestOpenCores(t *testing.T) {
	for cores, want := range map[int]string{1: "one core", 2: "at most 2 cores"} {
		m, why, err := Open(network, Options{Device: CPU, Cores: cores, Batch: 64})
		if err != nil || !strings.HasSuffix(why.En, want) {
			t.Fatalf("%d cores: %q, %v; want %q", cores, why, err, want)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestOpenErrors: a device that was asked for is not replaced, and the error
// says what to do.
func TestOpenErrors(t *testing.T) {
	for _, c := range []struct {
		o    Options
		n    model.Network
		on   gpu
		want []string
	}{
		{Options{Device: CUDA}, network, notBuilt, []string{"cuda: no driver here", "device cpu"}},
		{Options{Device: CUDA}, network, noDriver, []string{"cuda: no driver here", "device cpu"}},
		{Options{Device: "gpu"}, network, working, []string{`unknown device "gpu"`, "auto, cpu or cuda"}},
		{Options{Kind: "cpu"}, network, working, []string{`unknown machine "cpu"`, "compiled, interpret or tape"}},
		{Options{Kind: Tape, Listing: true}, network, working, []string{"listing", "tape"}},
		{Options{Batch: -1}, network, notBuilt, []string{"batch of -1"}},
		{Options{}, model.Network{Layers: []int{3}}, notBuilt, []string{"network of 1 layers"}},
		{Options{}, model.Network{Layers: []int{70_000, 2}}, notBuilt, []string{"70000 inputs", "machine interpret or tape"}},
	} {
		m, why, err := open(c.n, c.o, c.on)
		if m != nil || !why.IsZero() || err == nil {
			t.Errorf("%+v: %v, %q, %v; want an error", c.o, m, why, err)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%+v: error %q lacks %q", c.o, err, want)
			}
		}
	}
	// The real door of a build without CUDA.
	if !cuda.Built() {
		if _, _, err := Open(network, Options{Device: CUDA}); err == nil || !strings.Contains(err.Error(), "device cpu") {
			t.Errorf("cuda where it is not built: %v", err)
		}
		if m, why, err := Open(network, Options{}); err != nil || m.Name() != "cpu" || !strings.Contains(why.En, "built without CUDA") {
			t.Errorf("auto where CUDA is not built: %q, %v", why, err)
		}
	}
}

// TestListing: the option reaches the program: a step comes to other weights.
func TestListing(t *testing.T) {
	var after []model.Parameters
	for _, listing := range []bool{false, true} {
		m, _, err := Open(network, Options{Kind: Interpret, Listing: listing})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.SetParameters(model.Normal(network, 0.5, data.Stream(1, "machines test", 0))); err != nil {
			t.Fatal(err)
		}
		set := &data.Set{Name: "one", Rows: 2, Cols: 3, Classes: 3, Pixels: []uint8{1, 50, 99, 150, 200, 255}, Labels: []uint8{2}}
		if err := m.Train(t.Context(), vm.Pass{Set: set, Batch: 1, Rate: 1}); err != nil {
			t.Fatal(err)
		}
		p, err := m.Parameters()
		if err != nil {
			t.Fatal(err)
		}
		after = append(after, p)
	}
	if reflect.DeepEqual(after[0][0], after[1][0]) {
		t.Error("the hidden weights are the same in both update orders")
	}
}

// TestDevices: the CPU with each batch size; CUDA, or why there is none.
func TestDevices(t *testing.T) {
	found, err := Devices(network, Options{Cores: 2}, 1, 128)
	if err != nil || len(found) < 2 {
		t.Fatalf("%+v, %v", found, err)
	}
	one := found[0]
	if one.Device != CPU || len(one.How) != 2 || one.How[0].Batch != 1 || !strings.HasSuffix(one.How[0].Text.En, "one core") ||
		one.How[1].Batch != 128 || !strings.HasSuffix(one.How[1].Text.En, "at most 2 cores") {
		t.Errorf("the CPU is %+v", one)
	}
	if gpu := found[1]; gpu.Device != CUDA || (cuda.Check() != nil) != strings.HasPrefix(gpu.About.En, "none: ") {
		t.Errorf("CUDA is %+v", gpu)
	}
	if _, err := Devices(model.Network{Layers: []int{3}}, Options{}, 1); err == nil {
		t.Error("the devices of a network of one layer: no error")
	}
	found, err = Devices(network, Options{}, 0)
	if err != nil || !strings.Contains(found[0].How[0].Text.En, "batch of 0") {
		t.Errorf("batch 0: %+v, %v; want the error in its place", found, err)
	}
}
