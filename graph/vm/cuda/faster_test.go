package cuda_test

import (
	"strings"
	"testing"

	"trainer/graph/model"
	"trainer/graph/vm/cuda"
	"trainer/graph/vm/cuda/driver"
)

// TestFaster: the device is chosen for much work that it does at once, and the CPU
// for single samples of one run.
func TestFaster(t *testing.T) {
	hopper := driver.Info{Name: "H100", Multiprocessors: 132, Cooperative: true}
	small, wide := []int{784, 50, 10}, []int{784, 1000, 1000, 10}
	for _, c := range []struct {
		layers             []int
		precision          model.Precision
		batch, runs, cores int
		want               bool
	}{
		{small, model.Float32, 1, 1, 1, false},
		{small, model.Float32, 1, 1, 64, false}, // one core trains single samples
		{small, model.Float32, 1, 132, 16, true},
		{small, model.Float32, 1, 8, 16, false},
		{small, model.Float32, 128, 1, 1, true},
		{small, model.Float32, 128, 1, 16, false},
		{small, model.Float32, 60_000, 1, 16, true},
		{small, model.Float64, 60_000, 1, 1, false}, // float64 has no grid
		{wide, model.Float32, 128, 1, 16, true},
		{wide, model.Float32, 1, 1, 16, false},
	} {
		n := model.Network{Layers: c.layers, Bias: true, Precision: c.precision}
		got, why := cuda.Faster(n, c.batch, c.runs, c.cores, hopper)
		if got != c.want || !strings.Contains(why, "H100") || !strings.Contains(why, "estimate") {
			t.Errorf("%v, batch %d, %d runs, %d cores: %t, %q; want %t", n, c.batch, c.runs, c.cores, got, why, c.want)
		}
	}
	_, why := cuda.Faster(model.Network{Layers: small}, 1, 1, 2, hopper)
	if want := "a step takes about 2µs on H100, by an estimate that no measurement has confirmed, and 1.1µs on 2 cores"; why != want {
		t.Errorf("%q, want %q", why, want)
	}
}
