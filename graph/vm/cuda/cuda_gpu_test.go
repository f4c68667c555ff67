//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda_test

import (
	"os"
	"testing"

	"trainer/graph"
	"trainer/graph/lower"
	"trainer/graph/vm"
	"trainer/graph/vm/cuda"
	"trainer/graph/vm/cuda/driver/fake"
	"trainer/graph/vm/cuda/kernel/kerneltest"
	"trainer/graph/vm/vmtest"
)

// device is set to 1 to run these tests on a GPU, not on the fake driver.
const device = "TRAINER_TEST_GPU"

func TestMain(m *testing.M) {
	if os.Getenv(device) != "" {
		os.Exit(m.Run())
	}
	os.Exit(fake.Main(m))
}

// onDevice makes the test run on a GPU or on the fake driver.
func onDevice(t *testing.T) {
	t.Helper()
	if os.Getenv(device) != "" {
		if err := cuda.Check(); err != nil {
			t.Fatalf("%s is set, and %v", device, err)
		}
		return
	}
	fake.Require(t)
	t.Setenv("CUDA_FAKE_KERNELS", kerneltest.Library(t))
	t.Setenv("CUDA_FAKE_ARGUMENTS", "1")
	t.Setenv("CUDA_FAKE_ATTRIBUTES", "16=3") // multiprocessors: a grid of 3 blocks
}

func with(o cuda.Options) vmtest.New {
	return func(n graph.Network, listing bool) (vm.VM, error) {
		return cuda.New(n, lower.Compiler{Network: n, Options: lower.Options{Listing: listing}}, o)
	}
}

func TestConformance(t *testing.T) {
	onDevice(t)
	vmtest.Run(t, with(cuda.Options{}), vmtest.Options{})
}
