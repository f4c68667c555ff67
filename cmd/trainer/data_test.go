package main

import (
	"encoding/json"
	"fmt"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"trainer/data"
	"trainer/data/describe"
	"trainer/graph/model"
	"trainer/train/rundir"
)

// digits8 writes the built-in digits in the layout of the digits of scikit-learn:
// 8×8 values from 0 to 16, and the label in the last column. With a header it is
// how pandas writes them, an index and decimals included.
func digits8(t *testing.T, images int, header bool, label func(uint8) string) string {
	t.Helper()
	s := data.GenerateDigits(5, images, 0).Train
	var b strings.Builder
	if header {
		for k := range 64 {
			fmt.Fprintf(&b, ",pixel_%d_%d", k/8, k%8)
		}
		b.WriteString(",target\n")
	}
	for i := range s.Len() {
		if header {
			fmt.Fprintf(&b, "%d,", i)
		}
		for k := range 64 {
			sum := 0
			for m := range 9 {
				sum += int(s.Image(i)[(2+k/8*3+m/3)*28+2+k%8*3+m%3])
			}
			v := strconv.Itoa((sum*16/9 + 127) / 255)
			if header {
				v += ".0"
			}
			b.WriteString(v + ",")
		}
		b.WriteString(label(s.Labels[i]) + "\n")
	}
	path := filepath.Join(t.TempDir(), "digits.csv")
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func number(label uint8) string { return strconv.Itoa(int(label)) }

// TestOwnCSV: a table of scikit-learn's digits trains in one command, and the run
// folder keeps what was found out about it, so that it evaluates on its own.
func TestOwnCSV(t *testing.T) {
	for name, c := range map[string]struct {
		header bool
		flags  []string
		said   []string
	}{
		"header": {true, nil, []string{`column 1 ("") is left out: it numbers the lines`, `the label is column 66 ("target")`}},
		"plain":  {false, []string{"-set", "data.csv.label=last"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			file, dir := digits8(t, 600, c.header, number), filepath.Join(t.TempDir(), "run")
			code, stdout, stderr := trainer(append([]string{"-set", "data.train=" + file, "-set", "model.layers=[64, 30, 10]",
				"-set", "train.epochs=30", "-set", "train.rate.initial=0.5", "-out", dir}, c.flags...)...)
			if code != exitDone || !strings.Contains(stdout, "480 + 120 images") {
				t.Fatalf("exit code %d, %q, %q", code, stdout, stderr)
			}
			for _, want := range append(c.said, "note: "+file+": the largest value is 16: values are taken to go from 0 to 16", "120 of the 600 images") {
				if !strings.Contains(stderr, want) {
					t.Errorf("standard error lacks %q:\n%s", want, stderr)
				}
			}
			logged, err := os.ReadFile(filepath.Join(dir, rundir.LogFile))
			if want := stderr; err != nil || !strings.HasPrefix(string(logged), want) {
				t.Errorf("log.txt lacks the notes: %v\n%s", err, logged)
			}
			m, err := model.Read(filepath.Join(dir, rundir.BestFile))
			if err != nil || m.Metadata["values"] != "[0,16]" {
				t.Errorf("metadata %v, %v", m.Metadata, err)
			}
			accuracy, err := strconv.ParseFloat(m.Metadata["test_accuracy"], 64)
			if err != nil || accuracy < 0.85 {
				t.Errorf("test accuracy %v, %v", accuracy, err)
			}
			code, stdout, stderr = trainer("eval", "-json", "-model", dir)
			var e struct{ Test struct{ Accuracy float64 } }
			if err := json.Unmarshal([]byte(stdout), &e); code != exitDone || err != nil || e.Test.Accuracy != accuracy {
				t.Errorf("eval: exit code %d, accuracy %v, want %v: %v, %q", code, e.Test.Accuracy, accuracy, err, stderr)
			}
			// The model file alone says what the values of the files are, also where
			// those of the test set do not show it.
			alone := filepath.Join(t.TempDir(), "model.safetensors")
			if b, err := os.ReadFile(filepath.Join(dir, rundir.BestFile)); err != nil || os.WriteFile(alone, b, 0o600) != nil {
				t.Fatal(err)
			}
			faint := filepath.Join(t.TempDir(), "faint.csv")
			if err := os.WriteFile(faint, []byte(strings.Repeat("0,", 63)+"1\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			_, fromFolder, _ := trainer("predict", "-json", "-model", dir, "-data", faint)
			code, fromFile, stderr := trainer("predict", "-json", "-model", alone, "-data", faint)
			if code != exitDone || fromFile != fromFolder || fromFile == "" {
				t.Errorf("predict with the file alone: exit code %d, %q, want %q; %s", code, fromFile, fromFolder, stderr)
			}
			code, _, stderr = trainer("eval", "-model", alone, "-set", "data.test="+file, "-set", "data.inputs.high=2")
			if code != exitUsage || !strings.Contains(stderr, "data.inputs.high=2: have 2, but the model "+alone+" was trained with 1") {
				t.Errorf("other inputs: exit code %d, %q", code, stderr)
			}
		})
	}
	// Nothing says that the label is the last column: the first cannot be it.
	code, _, stderr := trainer("-set", "data.train="+digits8(t, 100, false, number), "-set", "model.layers=[64, 10]", "-out", filepath.Join(t.TempDir(), "run"))
	if code != exitFailed || !strings.Contains(stderr, "column 65, the last, has whole numbers from 0 to 9: if it is the label, set data.csv.label to last") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// TestClassNames: labels as texts are classes in their order, and the model file
// and the configuration of the run keep which is which.
func TestClassNames(t *testing.T) {
	letter := func(label uint8) string { return string(rune('J' - label)) }
	file, dir := digits8(t, 200, true, letter), filepath.Join(t.TempDir(), "run")
	flags := []string{"-set", "data.train=" + file, "-set", "model.layers=[64, 20, 10]", "-set", "train.epochs=2"}
	code, _, stderr := trainer(append(flags, "-out", dir)...)
	if code != exitDone || !strings.Contains(stderr, `the labels are, in sorted order, the classes 0 to 9: "A", "B", "C", …, "I", "J"`) {
		t.Fatalf("exit code %d, %q", code, stderr)
	}
	m, err := model.Read(filepath.Join(dir, rundir.BestFile))
	if want := `["A","B","C","D","E","F","G","H","I","J"]`; err != nil || m.Metadata["classes"] != want {
		t.Errorf("metadata %v, %v", m.Metadata, err)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.ConfigFile))
	if err != nil || !strings.Contains(string(text), `classes: ["A", "B", "C", "D", "E", "F", "G", "H", "I", "J"]`) || !strings.Contains(string(text), "max: 16\n") {
		t.Errorf("%v, configuration\n%s", err, text)
	}
	if code, _, stderr = trainer("eval", "-model", dir); code != exitDone {
		t.Errorf("eval: exit code %d, %q", code, stderr)
	}
	code, _, stderr = trainer("eval", "-model", dir, "-set", "data.train="+digits8(t, 50, true, func(l uint8) string { return strings.ToLower(letter(l)) }))
	if code != exitFailed || !strings.Contains(stderr, `label "a" is none of the 10 names (data.classes)`) {
		t.Errorf("labels of another kind: exit code %d, %q", code, stderr)
	}
}

// TestDataCommand: a data set is described, whatever the network.
func TestDataCommand(t *testing.T) {
	file := digits8(t, 300, true, number)
	sheet := filepath.Join(t.TempDir(), "sheet.png")
	code, stdout, stderr := trainer("data", "-set", "data.train="+file, "-set", "data.validation=0.1", "-o", sheet)
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, %q", code, stderr)
	}
	for _, want := range []string{
		"216 training, 24 validation, 60 test, 8×8 pixels: 64 inputs", "0 to 16, as inputs 0 to 1", "class  training  validation  test",
		`the label is column 66 ("target")`, "█", "the network is 784-50-10 sigmoid, with bias, float32: for this data set, set model.layers to [64, 50, 10]",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("standard output lacks %q:\n%s", want, stdout)
		}
	}
	if strings.ContainsAny(stdout, "\x1b\r") {
		t.Errorf("control characters: %q", stdout)
	}
	f, err := os.Open(sheet)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if m, err := png.Decode(f); err != nil || m.Bounds().Dx() < 16*56 || m.Bounds().Dy() < 10*56 {
		t.Errorf("the sheet: %v, %v", m.Bounds(), err)
	}
	code, stdout, _ = trainer("data", "-json", "-set", "data.train="+file)
	var r describe.Report
	if err := json.Unmarshal([]byte(stdout), &r); code != exitDone || err != nil || len(r.Classes) != 10 || r.Sets[0].Images != 240 || r.Values != [2]float64{0, 16} {
		t.Errorf("-json: %v, %q", err, stdout)
	}
	// A sheet that cannot be written leaves what is there.
	if code, _, stderr := trainer("data", "-set", "data.train="+file, "-o", filepath.Join(file, "sheet.png")); code != exitFailed || !strings.Contains(stderr, "digits.csv") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
}

// TestDataErrors: messages of data that does not fit the network, and a run folder
// is not made.
func TestDataErrors(t *testing.T) {
	file := digits8(t, 100, true, number)
	binary := digits8(t, 100, true, func(label uint8) string { return number(label % 2) })
	for want, flags := range map[string][]string{
		"8×8 pixels, and a network of 784 inputs (model.layers): for this data set, set model.layers to [64, 50, 10]": {"data.train=" + file},
		"label 5, want 0 to 4: the network has 5 outputs, one for each class: for these labels the last of model.layers has to be 10": {
			"data.train=" + file, "model.layers=[64, 5]"},
		"the network has an output for each class, also where there are two: the last of model.layers has to be 2": {"data.train=" + binary, "model.layers=[64, 1]"},
		"data.validation: ": {"data.train=" + file, "model.layers=[64, 10]", "data.validation=5000"},
	} {
		dir := filepath.Join(t.TempDir(), "run")
		args := []string{"-out", dir}
		for _, f := range flags {
			args = append(args, "-set", f)
		}
		code, stdout, stderr := trainer(args...)
		wantCode := exitUsage // the network does not fit the data
		if strings.HasPrefix(want, "data.validation") {
			wantCode = exitFailed
		}
		if code != wantCode || stdout != "" || !strings.Contains(stderr, want) {
			t.Errorf("%v: exit code %d, %q, %q; want %q", flags, code, stdout, stderr, want)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%v: there is a run folder", flags)
		}
	}
	for want, flags := range map[string][]string{
		"data.dataset: is mnist": {"-set", "data.dataset=mnist", "-set", "data.train=" + file},
		"excludes data.dir":      {"-set", "data.dir=x", "-set", "data.train=" + file},
	} {
		if code, _, stderr := trainer(flags...); code != exitUsage || !strings.Contains(stderr, strings.TrimPrefix(want, "data.dataset: ")) {
			t.Errorf("%v: exit code %d, %q", flags, code, stderr)
		}
	}
	flags := slices.Concat([]string{"-set", "data.train=" + binary, "-set", "model.layers=[64, 5, 10]", "-set", "train.epochs=1"}, []string{"-out", filepath.Join(t.TempDir(), "run")})
	if code, _, stderr := trainer(flags...); code != exitDone || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, "no image of the classes 2, 3, 4, 5, …, 9") {
		t.Errorf("classes without images: exit code %d, %q", code, stderr)
	}
}
