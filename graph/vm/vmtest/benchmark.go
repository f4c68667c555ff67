package vmtest

import (
	"context"
	"fmt"
	"testing"

	"trainer/graph/model"
	"trainer/graph/vm"
)

// BenchmarkTrain times training steps of the textbook's network, in nanoseconds per
// sample. About a fifth of the pixels are not zero, as in MNIST.
func BenchmarkTrain(b *testing.B, newVM New) {
	const samples = 1000
	for _, precision := range []model.Precision{model.Float32, model.Float64} {
		for _, batch := range []int{1, 10, 128, 1000} {
			b.Run(fmt.Sprintf("%v/batch=%d", precision, batch), func(b *testing.B) {
				n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: precision}
				m := benchmarkMachine(b, newVM, n)
				pass := vm.Pass{Set: randomSet(n, samples, 1), Batch: batch, Rate: 0.1}
				benchmark(b, samples, func() error { return m.Train(context.Background(), pass) })
			})
		}
	}
}

// BenchmarkEvaluate times the forward pass of the textbook's network, in nanoseconds
// per sample.
func BenchmarkEvaluate(b *testing.B, newVM New) {
	const samples = 10_000
	for _, precision := range []model.Precision{model.Float32, model.Float64} {
		b.Run(precision.String(), func(b *testing.B) {
			n := model.Network{Layers: []int{784, 50, 10}, Bias: true, Precision: precision}
			m := benchmarkMachine(b, newVM, n)
			set := randomSet(n, samples, 1)
			benchmark(b, samples, func() error { _, err := m.Evaluate(context.Background(), set); return err })
		})
	}
}

func benchmarkMachine(b *testing.B, newVM New, n model.Network) vm.VM {
	b.Helper()
	m, err := newVM(n, false)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = m.Close() })
	if err := m.SetParameters(randomParameters(n, 1)); err != nil {
		b.Fatal(err)
	}
	return m
}

// benchmark times pass, after a first call that loads the set.
func benchmark(b *testing.B, samples int, pass func() error) {
	b.Helper()
	if err := pass(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := pass(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(samples), "ns/sample")
}
