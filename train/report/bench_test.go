package report_test

import (
	"context"
	"io"
	"os"
	"testing"
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/graph/vm/machines"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/report"
)

// BenchmarkReport measures what the report adds to a run of configs/mnist.yaml. The
// run folder is in REPORT_RUN, and MNIST in TRAINER_DATA.
func BenchmarkReport(b *testing.B) {
	folder := os.Getenv("REPORT_RUN")
	if folder == "" || os.Getenv(data.EnvDir) == "" {
		b.Skip("needs REPORT_RUN, a run folder, and " + data.EnvDir)
	}
	c, err := config.Read(folder+"/config.yaml", nil)
	if err != nil {
		b.Fatal(err)
	}
	d, _, err := data.Open(context.Background(), data.Spec{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		m, err := train.OpenModel(folder)
		if err != nil {
			b.Fatal(err)
		}
		r, err := report.Gather(context.Background(), report.Source{
			Folder: folder, Config: c, Model: m, Dataset: d,
			Open: func(p model.Precision) (vm.VM, vm.Compiler, error) {
				n := c.Network()
				n.Precision = p
				m, _, err := machines.Open(n, machines.Options{})
				return m, machines.Compiler(n, machines.Options{}), err
			},
		})
		if err != nil {
			b.Fatal(err)
		}
		if err := r.HTML(io.Discard, lang.English); err != nil {
			b.Fatal(err)
		}
	}
}

// t0 is a time for the names of folders.
var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
