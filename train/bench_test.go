package train_test

import (
	"io"
	"path/filepath"
	"testing"
	"time"

	"trainer/data"
	"trainer/graph/model"
	"trainer/train/checkpoint"
	"trainer/train/config"
	"trainer/train/rundir"
)

// BenchmarkCheckpoint writes a checkpoint of the textbook's network, as a session does
// at most once a second: the last parameters and the best, in float32.
func BenchmarkCheckpoint(b *testing.B) {
	c := config.Default()
	n := c.Network()
	s := &checkpoint.State{
		Config: string(c.YAML()), Epoch: 2, Last: model.NewParameters(n), BestEpoch: model.NewParameters(n),
	}
	s.Runs = []checkpoint.Run{{Parameters: s.Last}}
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			if err := checkpoint.Write(io.Discard, n, s); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("write", func(b *testing.B) {
		dir, err := rundir.Create(filepath.Join(b.TempDir(), "run"), "", time.Now())
		if err != nil {
			b.Fatal(err)
		}
		defer dir.Close()
		for b.Loop() {
			if err := dir.WriteNext(rundir.CheckpointFile, rundir.EarlierFile, func(w io.Writer) error {
				return checkpoint.Write(w, n, s)
			}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkSum is the checksum of a data set as large as MNIST, which a session computes
// once, beside its first epoch.
func BenchmarkSum(b *testing.B) {
	set := func(n int) *data.Set {
		return &data.Set{Rows: 28, Cols: 28, Classes: 10, Pixels: make([]uint8, 784*n), Labels: make([]uint8, n)}
	}
	d := &data.Dataset{Train: set(60_000), Test: set(10_000)}
	for b.Loop() {
		d.Sum()
	}
}
