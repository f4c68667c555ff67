package machines_test

import (
	"context"
	"fmt"
	"log"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
)

// A trained model is loaded and predicts: a row of outputs for each row of
// inputs.
func ExampleOpen_predict() {
	xor, err := model.Read("testdata/xor.safetensors")
	check(err)
	m, _, err := machines.Open(xor.Network, machines.Options{})
	check(err)
	defer func() { check(m.Close()) }()
	check(m.SetParameters(xor.Parameters))
	outputs, err := m.Predict([]float64{0, 0, 0, 1, 1, 0, 1, 1})
	check(err)
	fmt.Printf("%.2f\n", outputs)
	// Output: [0.00 1.00 1.00 0.00]
}

// A network is trained on a data set: here on a few of the built-in digits, else
// with data.Spec{Kind: data.IDX, Dir: "folder", Classes: 10} on files of one's
// own.
func ExampleOpen_train() {
	ctx := context.Background()
	d, _, err := data.Open(ctx, data.Spec{Kind: data.Digits, Train: 1000, Test: 500})
	check(err)
	network := model.Network{Layers: []int{d.Train.Inputs(), 30, d.Train.Classes}, Bias: true}
	m, _, err := machines.Open(network, machines.Options{})
	check(err)
	defer func() { check(m.Close()) }()
	check(m.SetParameters(model.Normal(network, 0.05, data.Stream(1, "initialisation", 0))))
	for epoch := range 10 {
		order := data.Shuffled(d.Train.Len(), 1, epoch)
		check(m.Train(ctx, vm.Pass{Set: d.Train, Order: order, Batch: 10, Rate: 1}))
	}
	score, err := m.Evaluate(ctx, d.Test)
	check(err)
	fmt.Println(score.Samples, "digits, more than half of them right:", score.Accuracy() > 0.5)
	// Output: 500 digits, more than half of them right: true
}

// A loop of one's own, on a set that is made by hand: it trains until the mean
// cost of an epoch's steps is small, and halves the learning rate on the way.
func ExampleOpen_loop() {
	set := &data.Set{Name: "rows", Rows: 2, Cols: 2, Classes: 2,
		Pixels: []uint8{255, 255, 0, 0 /**/, 0, 0, 255, 255 /**/, 200, 90, 0, 0 /**/, 0, 9, 99, 200},
		Labels: []uint8{0, 1, 0, 1}}
	network := model.Network{Layers: []int{4, 2}, Activation: model.Sigmoid, Precision: model.Float64}
	m, why, err := machines.Open(network, machines.Options{Kind: machines.Interpret})
	check(err)
	defer func() { check(m.Close()) }()
	pass := vm.Pass{Set: set, Batch: 2, Rate: 8, Costs: make([]float64, 2)}
	for mean := 1.0; mean > 0.02; mean = (pass.Costs[0] + pass.Costs[1]) / 2 {
		check(m.Train(context.Background(), pass))
		pass.Rate = max(pass.Rate/2, 1)
	}
	score, err := m.Evaluate(context.Background(), set)
	check(err)
	fmt.Printf("%s\n%d of %d are right\n", why, score.Correct, score.Samples)
	// Output:
	// machine interpret: compiled, plain loops, one core
	// 4 of 4 are right
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
