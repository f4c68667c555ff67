package gradcheck_test

import (
	"fmt"

	"trainer/graph/gradcheck"
	"trainer/graph/model"
	"trainer/graph/vm/tape"
)

// The gradients of a small network on Gorgonia's machine.
func ExampleCheck() {
	n := model.Network{Layers: []int{4, 3, 2}, Bias: true, Precision: model.Float64}
	m, err := tape.New(n)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer m.Close()

	report, err := gradcheck.Check(m, gradcheck.Options{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("ok:", report.OK())
	for _, r := range report.Rows[:4] {
		fmt.Printf("%s, %s: %d compared, bound %.0e\n", r.Tensor, r.Pair, r.Compared, r.Bound)
	}
	// Output:
	// ok: true
	// cost, symbolic × delta: 18 compared, bound 1e-10
	// layers.0.weight, symbolic × delta: 216 compared, bound 1e-10
	// layers.0.weight, symbolic × differences: 216 compared, bound 1e-06
	// layers.0.weight, delta × differences: 216 compared, bound 1e-06
}
