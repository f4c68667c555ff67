package config_test

import (
	"fmt"

	"trainer/train/config"
)

// A file and settings on top of it; all that is wrong is reported at once.
func ExampleRead() {
	c, err := config.Read("../../configs/mnist.yaml", []string{"train.epochs=5", "model.layers=[784, 100, 10]"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(c.Network())
	fmt.Printf("%d epochs, the last at a rate of %.4f\n", c.Train.Epochs, c.Train.Rate.At(c.Train.Epochs))

	_, err = config.Read("", []string{"precison=float64", "device=gpu"})
	fmt.Println(err)
	// Output:
	// 784-100-10 sigmoid, with bias, float32
	// 5 epochs, the last at a rate of 0.1968
	// -set precison=float64: unknown key, did you mean precision? The keys are: name, seed, device, machine, precision, lang, model, data, train, log
	// -set device=gpu: have gpu, want auto, cpu or cuda; did you mean cuda?
}
