package model_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data/files/costtest"
	"trainer/graph/model"
	"trainer/graph/safetensors"
)

// layersFile returns a model file of n layers, each of one node.
func layersFile(tb testing.TB, n int, name string) []byte {
	tb.Helper()
	f := &safetensors.File{}
	for i := range n {
		f.Tensors = append(f.Tensors, safetensors.NewF32(fmt.Sprintf(name, i), []int{1, 1}, []float64{1}))
	}
	var b bytes.Buffer
	if err := safetensors.Write(&b, f); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func readBytes(tb testing.TB, b []byte) (model.Model, error) {
	path := filepath.Join(tb.TempDir(), "m.safetensors")
	if err := os.WriteFile(path, b, 0o600); err != nil {
		tb.Fatal(err)
	}
	return model.Read(path)
}

// TestReadCost: the memory for a model is linear in the size of its file, also for one
// of very many layers.
func TestReadCost(t *testing.T) {
	for name, form := range map[string]string{
		"layers":  "layers.%d.weight",
		"numbers": "%d.1.%[1]d.weight",
		"no name": "x%d",
		"words":   strings.Repeat("x", 50) + "%d.weight",
	} {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, 2000, func(n int) []byte { return layersFile(t, n, form) }, func(b []byte) { _, _ = readBytes(t, b) })
		})
	}
}

// FuzzRead: whatever the bytes, Read returns an error or a consistent model.
func FuzzRead(f *testing.F) {
	f.Add(layersFile(f, 3, "layers.%d.weight"))
	f.Add(layersFile(f, 9, "%[1]c.weight"))
	n := model.Network{Layers: []int{3, 2, 2}, Bias: true}
	var b bytes.Buffer
	if err := model.Write(&b, n, model.NewParameters(n), map[string]string{"epoch": "3"}); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Fuzz(func(t *testing.T, b []byte) {
		var m model.Model
		var err error
		costtest.Check(t, len(b), 1<<20, 1000, func() { m, err = readBytes(t, b) })
		if err != nil {
			return
		}
		if err := m.Parameters.Check(m.Network); err != nil || m.Parameters.NonFinite() != "" {
			t.Errorf("%v: %v, %q is not finite", m.Network, err, m.Parameters.NonFinite())
		}
	})
}
