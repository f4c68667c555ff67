package train_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/safetensors"
	"trainer/graph/vm"
	"trainer/graph/vm/tape"
	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
)

// TestOpenModel: a path is a model file or a run folder, and of a run folder
// without a best epoch the last parameters are taken, with a note.
func TestOpenModel(t *testing.T) {
	s, dir := session(t, smallConfig(t, "train.epochs=2"), &watcher{})
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	best, last := filepath.Join(dir, rundir.BestFile), filepath.Join(dir, rundir.ModelFile)
	for path, want := range map[string]string{dir: best, last: last} {
		m, err := train.OpenModel(path)
		if err != nil || m.File != want || m.Note != "" || m.Config != filepath.Join(dir, rundir.ConfigFile) {
			t.Errorf("%s: %s, configuration %s, note %q, %v; want %s", path, m.File, m.Config, m.Note, err, want)
		}
	}
	m, err := train.OpenModel(last)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Known{File: last, Network: s.Config.Network(), Activation: true, Precision: true,
		Meaning: data.Meaning{Values: data.Range{Low: 0, High: 255}, Inputs: data.Range{Low: 0, High: 1}, Targets: data.Range{Low: 0, High: 1}}}
	if got := m.Known(); !reflect.DeepEqual(got, want) {
		t.Errorf("known %+v, want %+v", got, want)
	}

	ctx, cancel := context.WithCancelCause(context.Background())
	s, dir = session(t, smallConfig(t), &watcher{batch: func(int, int) { cancel(errStop) }})
	if _, err := s.Run(ctx); !errors.Is(err, errStop) {
		t.Fatal(err)
	}
	note := dir + " has no best.safetensors, because no epoch was completed: taking model.safetensors, the parameters after 4 samples of its first epoch"
	if m, err := train.OpenModel(dir); err != nil || m.Note != note || m.File != filepath.Join(dir, rundir.ModelFile) {
		t.Errorf("interrupted: %s, note %q, %v", m.File, m.Note, err)
	}

	c := smallConfig(t)
	s, dir = sessionOn(t, func() (vm.VM, error) {
		m, err := tape.New(c.Network())
		return &failing{VM: m, epoch: 2}, err // its first epoch fails
	}, c, &watcher{})
	if _, err := s.Run(context.Background()); err == nil {
		t.Fatal("the run did not fail")
	}
	m, err = train.OpenModel(dir)
	if err != nil || !strings.HasSuffix(m.Note, "its first parameters, before any training") {
		t.Fatalf("not finite: note %q, %v", m.Note, err)
	}
	first, err := train.InitialParameters(c)
	if err != nil || !reflect.DeepEqual(m.Parameters, first) {
		t.Errorf("not finite: the parameters are not the first ones, %v", err)
	}
	// And a training may start from such a folder.
	again, err := train.InitialParameters(smallConfig(t, "model.init.file="+dir))
	if err != nil || !reflect.DeepEqual(again, first) {
		t.Errorf("model.init.file with a run folder: %v", err)
	}

	if _, err := train.OpenModel(t.TempDir()); err == nil || !strings.Contains(err.Error(), "neither best.safetensors nor model.safetensors") {
		t.Errorf("an empty folder: %v", err)
	}
}

// write writes a model file without metadata.
func write(t *testing.T, tensors ...safetensors.Tensor) string {
	t.Helper()
	var b bytes.Buffer
	if err := safetensors.Write(&b, &safetensors.File{Tensors: tensors}); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestInitFromOthers: a model of another program has the activation of the
// configuration, and what does not fit into float32 is refused.
func TestInitFromOthers(t *testing.T) {
	weights := make([]float64, 48)
	weights[5] = 1e300
	file := write(t, safetensors.NewF64("0.weight", []int{3, 16}, weights), safetensors.NewF64("0.bias", []int{3}, []float64{1, 2, 3}))
	sets := []string{"model.layers=[16, 3]", "model.activation=tanh", "model.init.file=" + file}
	p, err := train.InitialParameters(smallConfig(t, sets...))
	if err != nil || p[0].Weight[5] != 1e300 || p[0].Bias[2] != 3 {
		t.Errorf("%v, %v", p, err)
	}
	_, err = train.InitialParameters(smallConfig(t, append(sets, "precision=float32")...))
	if err == nil || !strings.Contains(err.Error(), "layers.0.weight has a value that is too large for float32: set precision to float64") {
		t.Errorf("1e300 in float32: %v", err)
	}
}

// TestInitialStreams: weights are draws of one stream, scaled by the standard
// deviation of their layer; biases are draws of another.
func TestInitialStreams(t *testing.T) {
	hidden, xavier := 1/math.Sqrt(6), []float64{math.Sqrt(2.0 / 22), math.Sqrt(2.0 / 9)}
	for _, c := range []struct {
		set string
		std []float64
	}{
		{"model.init.std=0.25", []float64{0.25, 0.25}},
		{"model.init.std=[0.25, 2]", []float64{0.25, 2}},
		{"model.init.rule=hidden", []float64{hidden, hidden}},
		{"model.init.rule=fan_in", []float64{0.25, hidden}},
		{"model.init.rule=xavier", xavier},
		{"model.init.rule=zeros", []float64{0, 0}},
	} {
		for _, biasStd := range []float64{0, 3} {
			sets := []string{"seed=5", c.set, "model.init.bias_std=0"}
			if biasStd > 0 {
				sets[2] = "model.init.bias_std=3"
			}
			p, err := train.InitialParameters(smallConfig(t, sets...))
			if err != nil {
				t.Fatal(err)
			}
			weights, biases := data.Stream(5, "initialisation", 0), data.Stream(5, "initial biases", 0)
			near := func(have, want float64) bool { return math.Abs(have-want) <= 1e-15*math.Abs(want) }
			for i, l := range p {
				for _, w := range l.Weight {
					if want := c.std[i] * weights.NormFloat64(); !near(w, want) {
						t.Fatalf("%s, biases %v: a weight of layer %d is %v, want %v", c.set, biasStd, i, w, want)
					}
				}
				for _, b := range l.Bias {
					if want := biasStd * biases.NormFloat64(); !near(b, want) {
						t.Fatalf("%s, biases %v: a bias of layer %d is %v, want %v", c.set, biasStd, i, b, want)
					}
				}
			}
		}
	}
	p, err := train.InitialParameters(smallConfig(t, "model.init.bias_std=1", "precision=float32"))
	if err != nil || p[0].Bias[0] == 0 || p[0].Bias[0] != float64(float32(p[0].Bias[0])) {
		t.Errorf("float32 biases: %v, %v", p, err)
	}
}
