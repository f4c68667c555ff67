package graph_test

import (
	"os"
	"os/exec"
	"sync"
	"testing"

	"trainer/graph"
	"trainer/graph/model"
)

// TestTogether: the first graphs of a process are built at the same time, as in a sweep.
// The race detector finds what they share.
func TestTogether(t *testing.T) {
	const first = "GRAPH_TEST_TOGETHER"
	if os.Getenv(first) == "" {
		c := exec.Command(os.Args[0], "-test.run=^TestTogether$", "-test.count=1")
		c.Env = append(os.Environ(), first+"=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		return
	}
	var all sync.WaitGroup
	for i := range 4 {
		all.Go(func() {
			n := model.Network{Layers: []int{4, 3, 2}, Bias: i%2 == 0, Activation: model.Activation(i / 2)}
			for batch := range 5 {
				if _, err := graph.Step(n, batch+1); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
}
