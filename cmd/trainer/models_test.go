package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/safetensors"
	"trainer/train/evaluation"
	"trainer/train/prediction"
	"trainer/train/rundir"
)

// trained trains on the small set of rows and returns the run folder and the
// folder of the set.
func trained(t *testing.T) (run, set string) {
	t.Helper()
	flags := rows(t)
	run = filepath.Join(t.TempDir(), "run")
	if code, _, stderr := trainer(append(flags, "-set", "train.epochs=30", "-out", run)...); code != exitDone {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	return run, strings.TrimPrefix(flags[3], "data.dir=")
}

// foreign writes the model of a run as another program would: with PyTorch's
// names, without metadata.
func foreign(t *testing.T, run string, change func(*safetensors.File)) string {
	t.Helper()
	f, err := safetensors.ReadFile(filepath.Join(run, rundir.BestFile))
	if err != nil {
		t.Fatal(err)
	}
	f.Metadata = nil
	for i := range f.Tensors {
		f.Tensors[i].Name = strings.NewReplacer("layers.0", "fc1", "layers.1", "fc2").Replace(f.Tensors[i].Name)
	}
	if change != nil {
		change(f)
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, f); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "foreign.safetensors")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestModelContradicted: what the configuration says against the model file is
// refused with both values, by every command that takes a model.
func TestModelContradicted(t *testing.T) {
	run, set := trained(t)
	file := filepath.Join(run, rundir.BestFile)
	conf := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(conf, []byte("model:\n  activation: tanh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, command := range [][]string{
		{"eval", "-model", run}, {"gradcheck", "-model", run}, {"predict", "-data", "none.csv", "-model", file},
		{"-set", "data.dataset=idx", "-set", "data.dir=" + set, "-set", "model.init.file=" + run, "-out", out},
	} {
		for _, c := range []struct {
			flags []string
			want  []string
		}{
			{[]string{"-set", "model.layers=[16, 6, 3]"}, []string{"[16, 6, 3]", "[16, 5, 3]"}},
			{[]string{"-set", "model.activation=tanh"}, []string{"tanh", "sigmoid"}},
			{[]string{"-set", "model.bias=false"}, []string{"false", "true"}},
			{[]string{"-config", conf}, []string{conf + ":2:15", "tanh", "sigmoid"}},
		} {
			code, stdout, stderr := trainer(append(command, c.flags...)...)
			if code != exitUsage || stdout != "" {
				t.Errorf("%v %v: exit code %d, %q, %q", command, c.flags, code, stdout, stderr)
			}
			for _, want := range append(c.want, file) {
				if !strings.Contains(stderr, want) {
					t.Errorf("%v %v: standard error lacks %q: %s", command, c.flags, want, stderr)
				}
			}
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a run that was refused has left a folder")
	}
	for _, command := range []string{"eval", "gradcheck"} {
		code, _, stderr := trainer(command, "-model", run, "-set", "precision=float64")
		if code != exitUsage || !strings.Contains(stderr, "have float64") || !strings.Contains(stderr, "has float32") {
			t.Errorf("%s in float64: exit code %d, %s", command, code, stderr)
		}
		code, _, stderr = trainer(command, "-model", run, "-set", "model.layers=[16,5,3]", "-set", "model.activation=sigmoid")
		if code != exitDone {
			t.Errorf("%s with what the file says: exit code %d, %s", command, code, stderr)
		}
	}
}

// TestModelSaysNoActivation: it is asked for, and then used.
func TestModelSaysNoActivation(t *testing.T) {
	run, set := trained(t)
	file := foreign(t, run, nil)
	own := []string{"-set", "data.dataset=idx", "-set", "data.dir=" + set}
	cost := func(model string, more ...string) float64 {
		t.Helper()
		code, stdout, stderr := trainer(append(append([]string{"eval", "-json", "-model", model}, own...), more...)...)
		var r evaluation.Report
		if err := json.Unmarshal([]byte(stdout), &r); code != exitDone || err != nil {
			t.Fatalf("%s %v: exit code %d, %v, %s", model, more, code, err, stderr)
		}
		return r.Test.Cost
	}
	sigmoid, tanh := cost(file, "-set", "model.activation=sigmoid"), cost(file, "-set", "model.activation=tanh")
	if want := cost(run); sigmoid != want || tanh == want {
		t.Errorf("cost %v as sigmoid, %v as tanh; want %v of the run, and another", sigmoid, tanh, want)
	}
	for _, args := range [][]string{
		append([]string{"eval", "-model", file}, own...), {"gradcheck", "-model", file}, {"predict", "-model", file, "-data", "x"},
		append([]string{"-out", filepath.Join(t.TempDir(), "x"), "-set", "model.init.file=" + file}, own...),
	} {
		code, _, stderr := trainer(args...)
		if code != exitUsage || !strings.Contains(stderr, "-set model.activation=sigmoid or tanh") || !strings.Contains(stderr, file) {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	keras := foreign(t, run, func(f *safetensors.File) {
		for i, tensor := range f.Tensors {
			if len(tensor.Shape) == 2 {
				f.Tensors[i].Shape = []int{tensor.Shape[1], tensor.Shape[0]}
			}
		}
	})
	if code, _, stderr := trainer("eval", "-model", keras, "-set", "model.activation=sigmoid"); code != exitFailed || !strings.Contains(stderr, "transposed") {
		t.Errorf("transposed: exit code %d, %s", code, stderr)
	}
}

// TestInitFromModel: a training takes the network of the model that it starts
// from, a run folder or a file; a wrong path leaves no folder.
func TestInitFromModel(t *testing.T) {
	run, set := trained(t)
	out := filepath.Join(t.TempDir(), "out")
	flags := []string{"-set", "data.dataset=idx", "-set", "data.dir=" + set, "-set", "train.epochs=1", "-out", out}
	code, _, stderr := trainer(append(flags, "-set", "model.init.file="+filepath.Join(run, "bset.safetensors"))...)
	if code != exitFailed || !strings.Contains(stderr, "model.init.file") || !strings.Contains(stderr, "bset.safetensors") {
		t.Errorf("a typo: exit code %d, %s", code, stderr)
	}
	code, stdout, stderr := trainer(append(flags, "-set", "model.init.file="+run, "-set", "precision=float64")...)
	if code != exitDone || !strings.Contains(stdout, "16-5-3 sigmoid, with bias, float64") {
		t.Errorf("the corrected path: exit code %d, %s\n%s", code, stdout, stderr)
	}
	text, err := os.ReadFile(filepath.Join(out, rundir.ConfigFile))
	if err != nil || !bytes.Contains(text, []byte("layers: [16, 5, 3]")) {
		t.Errorf("config.yaml: %s, %v", text, err)
	}
}

// TestEvalTestOnly: the test set is enough; -train adds the training set; a set
// that has moved is named.
func TestEvalTestOnly(t *testing.T) {
	run, set := trained(t)
	moved := filepath.Join(t.TempDir(), "moved")
	if err := os.Rename(set, moved); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := trainer("eval", "-train", "-model", run, "-set", "data.dir="+moved)
	if code != exitDone || !strings.Contains(stdout, "train ") || !strings.Contains(stdout, "of 60") {
		t.Errorf("-train: exit code %d, %s%s", code, stdout, stderr)
	}
	for _, name := range []string{"train-images-idx3-ubyte", "train-labels-idx1-ubyte"} {
		if err := os.Remove(filepath.Join(moved, name)); err != nil {
			t.Fatal(err)
		}
	}
	code, stdout, stderr = trainer("eval", "-model", run, "-set", "data.dir="+moved)
	if code != exitDone || strings.Contains(stdout, "train ") || !strings.Contains(stdout, "of 30") || stderr != "" {
		t.Errorf("the test set alone: exit code %d, %s%s", code, stdout, stderr)
	}
	code, _, stderr = trainer("eval", "-train", "-model", run, "-set", "data.dir="+moved)
	if code != exitFailed || !strings.Contains(stderr, "train-images-idx3-ubyte") {
		t.Errorf("-train without a training set: exit code %d, %s", code, stderr)
	}
	code, _, stderr = trainer("eval", "-model", run)
	if code != exitFailed || !strings.Contains(stderr, set) {
		t.Errorf("a set that has moved: exit code %d, %s", code, stderr)
	}
}

// TestEvalWithoutBest: the last parameters stand in, with a word, in each command
// that takes a model.
func TestEvalWithoutBest(t *testing.T) {
	run, set := trained(t)
	if err := os.Remove(filepath.Join(run, rundir.BestFile)); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out")
	for _, args := range [][]string{
		{"eval", "-model", run}, {"gradcheck", "-model", run},
		{"-set", "data.dataset=idx", "-set", "data.dir=" + set, "-set", "model.init.file=" + run, "-out", out},
	} {
		code, _, stderr := trainer(args...)
		if code != exitDone || !strings.Contains(stderr, run+" has no best.safetensors") || !strings.Contains(stderr, "taking model.safetensors") {
			t.Errorf("%v: exit code %d, %s", args, code, stderr)
		}
	}
	_, stdout, _ := trainer("eval", "-json", "-model", run)
	var r evaluation.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil || !strings.Contains(r.Note, "no best.safetensors") || filepath.Base(r.Model) != rundir.ModelFile {
		t.Errorf("JSON: %v, %s", err, stdout)
	}
}

// TestPredict: the predictions of the test images, as rows without labels, are
// those that eval counts.
func TestPredictRows(t *testing.T) {
	run, set := trained(t)
	test, err := data.ReadIDX(t.Context(), filepath.Join(set, "t10k-images-idx3-ubyte"), filepath.Join(set, "t10k-labels-idx1-ubyte"), 3)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, test.Inputs())
	for i := range names {
		names[i] = fmt.Sprintf("pixel%d", i)
	}
	plain, named := strings.Join(names, ",")+"\n", "Key,"+strings.Join(names, ",")+"\n"
	for i := range test.Len() {
		row := strings.Trim(strings.ReplaceAll(fmt.Sprintf("%d", test.Image(i)), " ", ","), "[]") + "\n"
		plain, named = plain+row, named+fmt.Sprintf("img_%d.png,", i)+row
	}
	dir := t.TempDir()
	file := func(name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	plainFile, namedFile := file("test.csv", plain), file("named.csv", named)

	_, stdout, _ := trainer("eval", "-json", "-model", run)
	var report evaluation.Report
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	if report.Test.Correct < 20 {
		t.Fatalf("%d of 30 are right: the test needs a network that has learned", report.Test.Correct)
	}
	// check compares the predictions of a CSV text with those that eval counts.
	check := func(text, header string, id func(i int) string) {
		t.Helper()
		all, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil || len(all) != 31 || strings.Join(all[0], ",") != header {
			t.Fatalf("%v, %d lines, %q", err, len(all), text)
		}
		confusion := [3][3]int{}
		for i, line := range all[1:] {
			if line[0] != id(i) {
				t.Errorf("image %d: identifier %q, want %q", i, line[0], id(i))
			}
			confusion[test.Labels[i]][line[1][0]-'0']++
		}
		if got, want := fmt.Sprint(confusion), fmt.Sprint(report.Test.Confusion); got != want {
			t.Errorf("confusion %s, want %s", got, want)
		}
	}
	counted := func(i int) string { return fmt.Sprint(i + 1) }
	for _, c := range []struct {
		args   []string
		header string
		id     func(int) string
	}{
		{[]string{"-data", plainFile}, "id,label", counted},
		{[]string{"-data", plainFile, "-id", "ImageId", "-label", "Label"}, "ImageId,Label", counted},
		{[]string{"-data", namedFile, "-id", "Key"}, "Key,label", func(i int) string { return fmt.Sprintf("img_%d.png", i) }},
		{[]string{"-data", filepath.Join(set, "t10k-images-idx3-ubyte")}, "id,label", counted},
	} {
		code, stdout, stderr := trainer(append([]string{"predict", "-model", run}, c.args...)...)
		if code != exitDone || stderr != "" {
			t.Fatalf("%v: exit code %d, %s", c.args, code, stderr)
		}
		check(stdout, c.header, c.id)
	}

	out := filepath.Join(dir, "out.csv")
	code, stdout, _ := trainer("predict", "-model", run, "-data", plainFile, "-o", out)
	text, err := os.ReadFile(out)
	if code != exitDone || err != nil || stdout != "30 predictions in "+out+"\n" {
		t.Fatalf("-o: exit code %d, %v, %q", code, err, stdout)
	}
	check(string(text), "id,label", counted)
	if left, _ := filepath.Glob(out + ".*"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	var all []prediction.Prediction
	code, stdout, _ = trainer("predict", "-json", "-model", run, "-data", plainFile)
	for line := range strings.Lines(stdout) {
		var p prediction.Prediction
		if err := json.Unmarshal([]byte(line), &p); err != nil {
			t.Fatalf("-json: %v: %s", err, line)
		}
		all = append(all, p)
	}
	if code != exitDone || len(all) != 30 || len(all[0].Outputs) != 3 || all[29].ID != "30" {
		t.Errorf("-json: exit code %d, %s", code, stdout)
	}

	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"-data", plainFile}, exitUsage, "no model"},
		{[]string{"-model", run}, exitUsage, "no images"},
		{[]string{"-model", run, "-data", plainFile, "-json", "-label", "x"}, exitUsage, "-label"},
		{[]string{"-model", run, "-data", filepath.Join(dir, "none.csv")}, exitFailed, "none.csv"},
		{[]string{"-model", run, "-data", file("short.csv", "1,2,3\n")}, exitFailed, "16 inputs"},
		{[]string{"-model", run, "-data", plainFile, "-o", filepath.Join(dir, "no", "out.csv")}, exitFailed, "no such file"},
	} {
		code, _, stderr := trainer(append([]string{"predict"}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, want %d and %q: %s", c.args, code, c.code, c.want, stderr)
		}
	}
}
