package sweep_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train/config"
	"trainer/train/sweep"
)

// A sweep in code: two learning rates and two networks, on the built-in digits.
func Example() {
	plan, err := config.ReadSweep("", []string{"data.dataset=digits", "train.epochs=2"}, config.SweepFlags{
		Over: []string{"train.rate.initial=0.001,0.3", "model.layers=[784,10],[784,20,10]"},
	}, nil)
	check(err)
	dir, err := os.MkdirTemp("", "sweep")
	check(err)
	defer func() { check(os.RemoveAll(dir)) }()
	digits := data.GenerateDigits(1, 1000, 500)
	s := &sweep.Sweep{
		Plan: plan, Dir: filepath.Join(dir, "rates"),
		Open: func(_ context.Context, c config.Config) (*data.Dataset, config.Config, error) { return digits, c, nil },
		Machine: func(c config.Config, cores, _ int) (vm.VM, error) {
			m, _, err := machines.Open(c.Network(), machines.Options{Cores: cores})
			return m, err
		},
	}
	check(s.Run(context.Background()))
	table, err := sweep.Collect(plan, s.Dir)
	check(err)
	best := table.Combinations[table.Best.Combination]
	fmt.Println(len(table.Runs), "runs; the best rate is", best.Over[0].Value)
	// Output: 4 runs; the best rate is 0.3
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
