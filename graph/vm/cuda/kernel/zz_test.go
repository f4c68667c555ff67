package kernel_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"

	"trainer/graph/lower"
	"trainer/graph/model"
	"trainer/graph/vm/cuda/kernel"
	"trainer/graph/vm/cuda/kernel/kerneltest"
	"trainer/graph/vm/cuda/kernel/ptxsim"
)

func TestZZ(t *testing.T) {
	hidden, _ := strconv.Atoi(os.Getenv("ZH"))
	batch, _ := strconv.Atoi(os.Getenv("ZB"))
	n := model.Network{Layers: []int{784, hidden, 10}, Bias: true}
	p := step(t, n, batch, lower.Options{})
	rng := rand.New(rand.NewPCG(7, 7))
	h := kerneltest.StartPTX(t, kernel.PTX, ptxsim.Options{Timed: true})
	l := launch{image: encode(t, p, kernel.Options{Mode: kernel.Grid, Blocks: 132, Shared: 227 << 10}), set: centred(rng, 2*batch, 784), params: [][][]float64{randomParams(rng, p, 0.125)}, rates: []float64{0.1}, steps: 1}
	run(t, h, l)
	a := h.Counts.Cycles
	l.steps = 2
	run(t, h, l)
	fmt.Printf("hidden %d batch %d: %+v (start %d)\n", hidden, batch, h.Counts.Cycles-a, 2*a-h.Counts.Cycles)
}
