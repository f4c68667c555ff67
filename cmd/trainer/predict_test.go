package main

import (
	"bytes"
	"encoding/json"
	"image"
	"image/color"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/explain"
)

// trainedRows trains on the set of rows until it knows it, and returns the run folder.
func trainedRows(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	if code, _, stderr := trainer(append(rows(t), "-set", "train.epochs=30", "-out", dir)...); code != exitDone {
		t.Fatal(stderr)
	}
	return dir
}

// rowPicture writes a PNG of 4×4 pixels whose ink is in a row.
func rowPicture(t *testing.T, path string, row int) []int {
	t.Helper()
	img := image.NewGray(image.Rect(0, 0, 4, 4))
	pixels := make([]int, 16)
	for j := range 4 {
		pixels[4*row+j] = 180 + j
		img.SetGray(j, row, color.Gray{uint8(180 + j)})
	}
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	return pixels
}

// answerLine is a line of predict -json.
type answerLine struct {
	File    string
	Label   int
	Outputs []float64
	Input   []int
}

func answers(t *testing.T, text string) (all []answerLine) {
	t.Helper()
	for line := range strings.Lines(text) {
		var a answerLine
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		if err := d.Decode(&a); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		all = append(all, a)
	}
	return all
}

// TestPredict: a line for each picture in the order given, folders in place, errors by
// name on standard error, and the others still done.
func TestPredict(t *testing.T) {
	run, dir := trainedRows(t), t.TempDir()
	folder := filepath.Join(dir, "folder")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	last, first, in := filepath.Join(dir, "z.png"), filepath.Join(dir, "a.png"), filepath.Join(folder, "m.PNG")
	want := map[string]int{last: 2, first: 0, in: 1, "-": 1}
	pixels := map[string][]int{}
	for path, row := range want {
		if path != "-" {
			pixels[path] = rowPicture(t, path, row)
		}
	}
	pixels["-"] = pixels[in]
	bad := filepath.Join(dir, "bad.png")
	for _, path := range []string{bad, filepath.Join(folder, "notes.txt"), filepath.Join(folder, ".hidden.png")} {
		if err := os.WriteFile(path, []byte("no picture"), 0o600); err != nil {
			t.Fatal(err)
		}
	}

	c := process("predict", last, "-json", bad, "-model", run, "-raw", folder, "-", first)
	stdin, err := os.Open(in)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stdin.Close() }()
	var stdout, stderr bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = stdin, &stdout, &stderr
	if err := c.Run(); c.ProcessState.ExitCode() != exitFailed {
		t.Errorf("exit code %d, %v: %s", c.ProcessState.ExitCode(), err, &stderr)
	}
	if s := stderr.String(); !strings.Contains(s, bad+": ") || !strings.Contains(s, "1 of 5 pictures") || strings.Contains(s, "notes.txt") {
		t.Errorf("standard error: %s", s)
	}
	var order []string
	for _, a := range answers(t, stdout.String()) {
		order = append(order, a.File)
		if a.Label != want[a.File] || len(a.Outputs) != 3 || a.Outputs[a.Label] != slices.Max(a.Outputs) || !slices.Equal(a.Input, pixels[a.File]) {
			t.Errorf("%+v, want the label %d and the input %v", a, want[a.File], pixels[a.File])
		}
	}
	if wanted := []string{last, in, "-", first}; !slices.Equal(order, wanted) {
		t.Errorf("order %q, want %q", order, wanted)
	}

	code, text, errs := trainer("predict", "-model", run, "-raw", "-top", "1", first)
	if code != exitDone || errs != "" || !strings.HasPrefix(text, first+": 0\n") || strings.Contains(text, "\x1b") {
		t.Errorf("exit code %d, %q, %q", code, text, errs)
	}
	if n := strings.Count(text, "0."); n != 1 {
		t.Errorf("%d outputs with -top 1:\n%s", n, text)
	}
	if !strings.Contains(text, "+++") && !strings.Contains(text, "***") && !strings.Contains(text, "===") && !strings.Contains(text, "---") {
		t.Errorf("no ink in the picture:\n%s", text)
	}
}

// TestPredictDigits: a picture that is no image of MNIST's form becomes one.
func TestPredictDigits(t *testing.T) {
	d := data.GenerateDigits(3, 2000, 20)
	dir := t.TempDir()
	if err := data.WriteIDX(dir, d); err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(dir, "run")
	if code, _, stderr := trainer("-set", "data.dataset=idx", "-set", "data.dir="+dir, "-set", "train.epochs=3", "-out", run); code != exitDone {
		t.Fatal(stderr)
	}
	args := []string{"predict", "-json", "-model", run}
	for i := range d.Test.Len() { // black on white, five times as large, off the centre
		img := image.NewGray(image.Rect(0, 0, 300, 200))
		for k := range img.Pix {
			img.Pix[k] = 255
		}
		for y := range 140 {
			for x := range 140 {
				img.SetGray(150+x, 10+y, color.Gray{255 - d.Test.Image(i)[y/5*28+x/5]})
			}
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, string(rune('a'+i))+".png")
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	code, stdout, stderr := trainer(args...)
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	right := 0
	for i, a := range answers(t, stdout) {
		if a.Label == int(d.Test.Labels[i]) {
			right++
		}
	}
	if right < 15 { // the network itself is right on about 18
		t.Errorf("%d of %d right", right, d.Test.Len())
	}
}

func TestExplain(t *testing.T) {
	run := trainedRows(t)
	code, stdout, stderr := trainer("explain", "-model", run, "-image", "7", "-step", "-weight", "2,1,b")
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d: %s", code, stderr)
	}
	for _, want := range []string{"label 1, answer 1", "A.45", "A.66", "η = 3", "b^2[1]", "== A step =="} {
		if !strings.Contains(stdout, want) {
			t.Errorf("lacks %q:\n%s", want, stdout)
		}
	}
	if _, stdout, _ = trainer("explain", "-model", run, "-image", "7"); strings.Contains(stdout, "== A step ==") {
		t.Error("a step without -step")
	}
	path := filepath.Join(t.TempDir(), "row.png")
	rowPicture(t, path, 2)
	code, stdout, stderr = trainer("explain", "-model", run, "-image", path, "-label", "0", "-raw", "-json")
	var e explain.Explanation
	if err := json.Unmarshal([]byte(stdout), &e); code != exitDone || err != nil {
		t.Fatalf("exit code %d, %v: %s", code, err, stderr)
	}
	if e.Label != 0 || e.Answer != 2 || e.Rate != 3 || e.Difference > 1e-10 {
		t.Errorf("label %d, answer %d, rate %v, difference %g", e.Label, e.Answer, e.Rate, e.Difference)
	}
}

// TestPictureErrors: wrong usage of predict and explain says what is right.
func TestPictureErrors(t *testing.T) {
	run := trainedRows(t)
	empty := t.TempDir()
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"predict", "a.png"}, exitUsage, `no images for the model "a.png"`},
		{[]string{"predict", "-model", run}, exitUsage, "no images"},
		{[]string{"predict", "-model", run, "-bogus", "a.png"}, exitUsage, "-bogus"},
		{[]string{"predict", "-model", run, "-top", "-1", "a.png"}, exitUsage, "-top"},
		{[]string{"predict", "-model", run, "-top", "1", "-json", "a.png"}, exitUsage, "-top"},
		{[]string{"predict", "-model", run, "-size", "3x4", "a.png"}, exitUsage, "16 inputs"},
		{[]string{"predict", "-model", run, "-size", "4", "a.png"}, exitUsage, "28x28"},
		{[]string{"predict", "-model", run, "-size", "2x8", "none.png"}, exitFailed, "none.png"},
		{[]string{"predict", "-model", run, "--", "-json"}, exitFailed, "-json: no such file"},
		{[]string{"predict", "-model", run, "no\x1b[31mne.png"}, exitFailed, `no\x1b[31mne.png`},
		{[]string{"predict", "-model", run, empty}, exitFailed, empty + ": no pictures"},
		{[]string{"explain", "-model", run}, exitUsage, "-image"},
		{[]string{"explain", "-image", "1"}, exitUsage, "-model"},
		{[]string{"explain", "-model", run, "-image", "30"}, exitUsage, "0 to 29"},
		{[]string{"explain", "-model", run, "-image", "a.png"}, exitUsage, "-label, from 0 to 2"},
		{[]string{"explain", "-model", run, "-image", "1", "-label", "1"}, exitUsage, "-image FILE"},
		{[]string{"explain", "-model", run, "-image", "1", "-weight", "2,3"}, exitUsage, "l,i,j"},
		{[]string{"explain", "-model", run, "-image", "1", "-weight", "4,0,0"}, exitUsage, "layer 4, want 2 to 3"},
		{[]string{"explain", "-model", run, "-image", "none.png", "-label", "1"}, exitFailed, "none.png"},
	} {
		code, stdout, stderr := trainer(c.args...)
		if code != c.code || stdout != "" || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "\x1b") {
			t.Errorf("%q: exit code %d, %q, %q; want %d, %q", c.args, code, stdout, stderr, c.code, c.want)
		}
	}
}
