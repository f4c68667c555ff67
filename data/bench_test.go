package data

import (
	"context"
	"os"
	"testing"
)

// realMNIST returns MNIST from the folder in TRAINER_DATA, or skips.
func realMNIST(tb testing.TB) *Dataset {
	tb.Helper()
	dir := os.Getenv(EnvDir)
	if dir == "" {
		tb.Skipf("skipped: %s does not name a folder with MNIST", EnvDir)
	}
	d, err := (&Finder{Dir: dir}).MNIST(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return d
}

// BenchmarkMNIST loads and verifies real MNIST in each format.
func BenchmarkMNIST(b *testing.B) {
	d := realMNIST(b)
	for _, f := range []struct {
		name  string
		write func(dir string)
	}{
		{"idx", func(dir string) {
			if err := WriteIDX(dir, d); err != nil {
				b.Fatal(err)
			}
		}},
		{"csv", func(dir string) { putCSV(b, dir, d, false) }},
		{"csv.gz", func(dir string) { putCSV(b, dir, d, true) }},
	} {
		dir := b.TempDir()
		f.write(dir)
		b.Run(f.name, func(b *testing.B) { benchmarkLoad(b, dir) })
	}
	b.Run("TRAINER_DATA", func(b *testing.B) { benchmarkLoad(b, os.Getenv(EnvDir)) })
}

func benchmarkLoad(b *testing.B, dir string) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := (&Finder{Dir: dir}).MNIST(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkShuffled(b *testing.B) {
	for b.Loop() {
		Shuffled(60000, 1, 1)
	}
}
