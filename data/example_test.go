package data_test

import (
	"context"
	"fmt"
	"log"

	"trainer/data"
)

// MNIST where it can be had, else the built-in digits with a warning, would be
// data.Spec{Kind: data.MNIST, Fallback: true}; here it is a few of the built-in
// digits.
func ExampleOpen() {
	d, _, err := data.Open(context.Background(), data.Spec{Kind: data.Digits, Seed: 1, Train: 100, Test: 20})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s: %d + %d images of %d×%d pixels, %d classes\n",
		d.Name, d.Train.Len(), d.Test.Len(), d.Train.Rows, d.Train.Cols, d.Train.Classes)
	x := make([]float32, d.Train.Inputs())
	data.Input(x, d.Train, 0)
	middle := 14*d.Train.Cols + 14
	fmt.Printf("the first is a %d: its pixel in the middle is %d, as an input %.3f\n", d.Train.Labels[0], d.Train.Image(0)[middle], x[middle])
	// Output:
	// digits (built in): 100 + 20 images of 28×28 pixels, 10 classes
	// the first is a 1: its pixel in the middle is 254, as an input 0.996
}
