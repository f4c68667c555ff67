package train_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/lang"
	"trainer/train/figure"
	"trainer/train/rundir"
)

// TestFigures: the hidden units and the confusion matrix are those of best.safetensors,
// in the language of the session, and the titles name the run.
func TestFigures(t *testing.T) {
	for l, title := range map[lang.Language]string{
		lang.English: "手写 · %s, with bias, float64",
		lang.Chinese: "手写 · %s，含偏置，float64",
	} {
		c := smallConfig(t, "name=手写", "train.epochs=4")
		s, dir := session(t, c, &watcher{})
		s.Language = l
		result, err := s.Run(context.Background())
		if err != nil || result.Undrawn != "" {
			t.Fatalf("%v, and %q has no outline", err, result.Undrawn)
		}
		n := c.Network()
		colon := map[lang.Language]string{lang.English: ": ", lang.Chinese: "："}[l]
		title = strings.Replace(title, "%s", s.Dataset.Name+colon+strings.Split(n.String(), ",")[0], 1)
		best := readModel(t, dir, rundir.BestFile)
		if err := s.Fleet.SetParameters(0, best.Parameters); err != nil {
			t.Fatal(err)
		}
		scores, err := s.Fleet.Evaluate(context.Background(), s.Dataset.Test, []int{0})
		if err != nil {
			t.Fatal(err)
		}
		epoch := result.Runs[0].Best.Epoch
		train := s.Dataset.Train
		for name, f := range map[string]interface {
			Figure() (*figure.Figure, error)
		}{
			rundir.ConfusionSVG: figure.Matrix{Title: title, Language: l, Set: figure.TestSet, Epoch: epoch, Counts: scores[0].Confusion, Name: s.Dataset.Test.ClassName},
			rundir.HiddenSVG:    figure.Units{Title: title, Language: l, Epoch: epoch, Weights: best.Parameters[0].Weight, Rows: train.Rows, Cols: train.Cols},
		} {
			drawn, err := f.Figure()
			if err != nil {
				t.Fatal(err)
			}
			var want bytes.Buffer
			if err := drawn.SVG(&want); err != nil {
				t.Fatal(err)
			}
			if got := read(t, dir, name); !bytes.Equal(got, want.Bytes()) {
				t.Errorf("%v: %s is not that of %s with the title %q:\n%.300s", l, name, rundir.BestFile, title, got)
			}
		}
		accuracy := string(read(t, dir, rundir.FigureSVG))
		for _, want := range map[lang.Language][]string{
			lang.English: {`"epoch"`, `"accuracy"`, `"training 0.`, `"test 0.`, title},
			lang.Chinese: {`"迭代轮数"`, `"准确率"`, `"训练准确率 0.`, `"测试准确率 0.`, title},
		}[l] {
			if !strings.Contains(accuracy, want) {
				t.Errorf("%v: %s has no %s", l, rundir.FigureSVG, want)
			}
		}
	}
}

// TestFiguresWithoutImages: a table's rows are no images, so there is no figure of the
// hidden units, and that is no error.
func TestFiguresWithoutImages(t *testing.T) {
	s, dir := session(t, smallConfig(t, "train.epochs=1"), &watcher{})
	row := func(set *data.Set) *data.Set {
		r := *set
		r.Rows, r.Cols = 1, set.Inputs()
		return &r
	}
	d := *s.Dataset
	d.Train, d.Test = row(d.Train), row(d.Test)
	s.Dataset = &d
	if _, err := s.Run(context.Background()); err != nil {
		t.Fatal(err)
	}
	files := filesOf(t, dir)
	if slices.Contains(files, rundir.HiddenSVG) || slices.Contains(files, rundir.HiddenPNG) || !slices.Contains(files, rundir.ConfusionPNG) {
		t.Errorf("files %q", files)
	}
}

// TestFiguresUndrawn: the caller is told which characters have no outline, once each.
func TestFiguresUndrawn(t *testing.T) {
	s, dir := session(t, smallConfig(t, "name=鑫鑫-淼", "train.epochs=1"), &watcher{})
	result, err := s.Run(context.Background())
	if err != nil || result.Undrawn != "淼鑫" {
		t.Errorf("%q, %v", result.Undrawn, err)
	}
	for _, name := range []string{rundir.FigureSVG, rundir.HiddenSVG, rundir.ConfusionSVG} {
		if !bytes.Contains(read(t, dir, name), []byte(">鑫鑫</text>")) {
			t.Errorf("%s lacks the name of the run", name)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, rundir.FigurePNG)); err != nil {
		t.Error(err)
	}
}
