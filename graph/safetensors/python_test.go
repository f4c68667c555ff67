package safetensors

import (
	"bytes"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
)

// python returns a command that runs a script with the reference library. It
// skips the test where the library is not installed. $TRAINER_PYTHON names an
// interpreter that must have it.
func python(t *testing.T, script string, args ...string) *exec.Cmd {
	t.Helper()
	if exe := os.Getenv("TRAINER_PYTHON"); exe != "" {
		return exec.Command(exe, append([]string{"-c", script}, args...)...)
	}
	exe, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed")
	}
	if out, err := exec.Command(exe, "-c", "import numpy, safetensors.numpy").CombinedOutput(); err != nil {
		t.Skipf("python3 cannot import numpy and safetensors (pip install numpy safetensors): %s", out)
	}
	return exec.Command(exe, append([]string{"-c", script}, args...)...)
}

// TestPython checks that Python's library reads a file that Write wrote, that
// Read reads a file that the library wrote, and that both write the same bytes
// for the same tensors.
func TestPython(t *testing.T) {
	dir := t.TempDir()
	ours, theirs := filepath.Join(dir, "ours.safetensors"), filepath.Join(dir, "theirs.safetensors")
	f := &File{
		Metadata: map[string]string{"layers": "784-50-10"}, // a single one: the library writes several in random order
		Tensors: []Tensor{
			NewU8("labels", []int{3}, []byte{7, 0, 255}),
			NewF32("layers.0.weight", []int{2, 3}, []float64{1, -2, 0.5, 0.25, 1e-45, 0.1}),
			NewF64("layers.0.bias", []int{2}, []float64{3.141592653589793, -0.5}),
			NewF32("empty", []int{0, 4}, nil),
		},
	}
	if err := os.WriteFile(ours, encode(t, f), 0o600); err != nil {
		t.Fatal(err)
	}
	const script = `
import sys, numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
want = {
    "labels": np.array([7, 0, 255], np.uint8),
    "layers.0.weight": np.array([[1, -2, 0.5], [0.25, 1e-45, 0.1]], np.float32),
    "layers.0.bias": np.array([3.141592653589793, -0.5]),
    "empty": np.zeros((0, 4), np.float32),
}
got = load_file(sys.argv[1])
assert set(got) == set(want), set(got)
for k, v in want.items():
    assert got[k].dtype == v.dtype and got[k].shape == v.shape and (got[k] == v).all(), (k, got[k])
with safe_open(sys.argv[1], "numpy") as f:
    assert f.metadata() == {"layers": "784-50-10"}, f.metadata()
save_file(want, sys.argv[2], {"layers": "784-50-10"})
`
	if out, err := python(t, script, ours, theirs).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	g, err := ReadFile(theirs)
	if err != nil {
		t.Fatal(err)
	}
	w, err := g.Floats("layers.0.weight", 2, 3)
	if err != nil || !slices.Equal(w[:4], []float64{1, -2, 0.5, 0.25}) {
		t.Errorf("weights %v, %v", w, err)
	}
	a, _ := os.ReadFile(ours)
	b, _ := os.ReadFile(theirs)
	if !bytes.Equal(a, b) {
		t.Errorf("the library writes other bytes:\n%q\n%q", a, b)
	}
}

// TestPythonHalf checks all values of binary16 against NumPy's.
func TestPythonHalf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "half.safetensors")
	const script = `
import sys, numpy as np
from safetensors.numpy import save_file
half = np.arange(65536, dtype=np.uint16).view(np.float16)
save_file({"half": half, "wide": half.astype(np.float64)}, sys.argv[1])
`
	if out, err := python(t, script, path).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	f, err := ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	half, err := f.Floats("half", 65536)
	if err != nil {
		t.Fatal(err)
	}
	wide, err := f.Floats("wide", 65536)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range wide {
		if math.Float64bits(half[i]) != math.Float64bits(want) && !(math.IsNaN(half[i]) && math.IsNaN(want)) {
			t.Fatalf("bits %#04x: %v, want %v", i, half[i], want)
		}
	}
}
