package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"trainer/data/files/costtest"
	"trainer/graph/model"
	"trainer/graph/safetensors"
)

func network(p model.Precision) model.Network {
	return model.Network{Layers: []int{3, 2, 2}, Bias: true, Precision: p}
}

// parametersOf returns parameters with values that do not survive a detour through text
// or a sum.
func parametersOf(n model.Network, seed float64) model.Parameters {
	p := model.NewParameters(n)
	k := seed
	p.Tensors(func(_ string, _ []int, values []float64) {
		for i := range values {
			k++
			values[i] = math.Sin(k) * math.Pow(10, math.Mod(k, 30)-20)
		}
	})
	p[0].Bias[0] = math.Copysign(0, -1)
	p.Round(n.Precision)
	return p
}

// state returns a state of three runs, the second of which has failed; two things share
// a set of parameters.
func state(n model.Network) *State {
	first, third := parametersOf(n, 1), parametersOf(n, 3)
	return &State{
		Config: "seed: 1\n", Data: "12", Machine: "cpu", Epoch: 4, Seconds: 0.1, Best: 2,
		Lines: Lines{Size: 99, Sum: "ab"},
		Runs: []Run{
			{Done: 4, Unchanged: 0.25, Labels: []int{1, 2}, Answers: []int{3, 0}, Parameters: first},
			{Failed: "epoch 2, batch 3: bad"},
			{Done: 8, Parameters: third},
		},
		Last: third, BestEpoch: parametersOf(n, 2),
	}
}

func written(tb testing.TB, n model.Network, s *State) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := Write(&b, n, s); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func readBytes(b []byte) (*State, error) { return Read(bytes.NewReader(b), int64(len(b))) }

// TestRoundTrip: what is read is what was written, to the bit, and shared parameters
// are in the file once.
func TestRoundTrip(t *testing.T) {
	for _, precision := range []model.Precision{model.Float32, model.Float64} {
		n := network(precision)
		s := state(n)
		b := written(t, n, s)
		got, err := readBytes(b)
		if err != nil || !reflect.DeepEqual(got, s) || !math.Signbit(got.Last[0].Bias[0]) {
			t.Errorf("read %+v, %v; want %+v", got, err, s)
		}
		if again := written(t, n, got); !bytes.Equal(again, b) {
			t.Error("written again, the bytes differ")
		}
		s.Last = s.Last.Clone()
		if more := written(t, n, s); len(more) <= len(b) {
			t.Errorf("%d bytes with a set more, %d without", len(more), len(b))
		}
	}
	n := network(model.Float64)
	if err := Write(&bytes.Buffer{}, model.Network{Layers: []int{3, 3}}, state(n)); err == nil {
		t.Error("parameters of another network were written")
	}
}

// TestDamage: a file with any byte changed, cut anywhere, or longer is refused, and is
// said to be damaged.
func TestDamage(t *testing.T) {
	n := network(model.Float32)
	b := written(t, n, state(n))
	refused := func(what string, at int, b []byte) {
		if s, err := readBytes(b); s != nil || !errors.Is(err, ErrDamaged) {
			t.Errorf("%s %d: %v, %v", what, at, s, err)
		}
	}
	for i := range b {
		for _, bit := range []byte{1, 0x80, 0xff} {
			changed := bytes.Clone(b)
			changed[i] ^= bit
			refused("changed byte", i, changed)
		}
		refused("cut at", i, b[:i])
		refused("without byte", i, append(bytes.Clone(b[:i]), b[i+1:]...))
	}
	refused("one more", 1, append(bytes.Clone(b), 0))
	refused("twice", 2, append(bytes.Clone(b), b...))
}

// TestDecodeRefuses: content that no session writes is an error, even with a right
// checksum.
func TestDecodeRefuses(t *testing.T) {
	n := network(model.Float64)
	for want, change := range map[string]func(h map[string]any, f *safetensors.File){
		"epoch 0":         func(h map[string]any, _ *safetensors.File) { h["epoch"] = 0 },
		"run 3 of 3":      func(h map[string]any, _ *safetensors.File) { h["best"] = 3 },
		"-4 samples":      func(h map[string]any, _ *safetensors.File) { h["runs"].([]any)[0].(map[string]any)["done"] = -4 },
		"unknown field":   func(h map[string]any, _ *safetensors.File) { h["more"] = 1 },
		"sets":            func(h map[string]any, _ *safetensors.File) { h["run_sets"] = []int{0, -1, 99} },
		"0 runs":          func(h map[string]any, _ *safetensors.File) { h["runs"], h["run_sets"] = []int{}, []int{} },
		"float16":         func(h map[string]any, _ *safetensors.File) { h["precision"] = "float16" },
		"of shape":        func(h map[string]any, _ *safetensors.File) { h["layers"] = []int{2, 3, 2} },
		"no tensor":       func(_ map[string]any, f *safetensors.File) { f.Tensors[0].Name = "x" },
		"12 tensors":      func(h map[string]any, _ *safetensors.File) { h["bias"] = false },
		"is F64 of":       func(h map[string]any, _ *safetensors.File) { h["precision"] = "float32" },
		"not finite":      func(_ map[string]any, f *safetensors.File) { f.Tensors[0].Data[6], f.Tensors[0].Data[7] = 0xf8, 0x7f },
		"network of":      func(h map[string]any, _ *safetensors.File) { h["layers"] = []int{} },
		"has set":         func(h map[string]any, _ *safetensors.File) { h["run_sets"] = []int{-1, -1, 1} },
		"-1 bytes":        func(h map[string]any, _ *safetensors.File) { h["lines"] = map[string]any{"size": -1, "sha256": ""} },
		"best is run 2, ": func(h map[string]any, _ *safetensors.File) { h["best_set"] = -1 },
	} {
		b := written(t, n, state(n))
		f, err := safetensors.Read(bytes.NewReader(b[len(magic) : len(b)-sumSize]))
		if err != nil {
			t.Fatal(err)
		}
		var h map[string]any
		if err := json.Unmarshal([]byte(f.Metadata[stateKey]), &h); err != nil {
			t.Fatal(err)
		}
		change(h, f)
		text, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		f.Metadata[stateKey] = string(text)
		var body bytes.Buffer
		if err := safetensors.Write(&body, f); err != nil {
			t.Fatal(err)
		}
		if s, err := readBytes(sealed(body.Bytes())); s != nil || err == nil || !strings.Contains(err.Error(), want) || errors.Is(err, ErrDamaged) {
			t.Errorf("%v, %v; want %q", s, err, want)
		}
	}
}

// sealed returns a file with this body and a right checksum.
func sealed(body []byte) []byte {
	b := append([]byte(magic), body...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// bodies are contents of about the given size that are costly to read.
var bodies = map[string]func(size int) []byte{
	"runs":    func(size int) []byte { return body(`{"runs":[` + strings.Repeat(`{},`, size/3) + `{}]}`) },
	"layers":  func(size int) []byte { return body(`{"layers":[` + strings.Repeat(`1,`, size/2) + `1]}`) },
	"unknown": func(size int) []byte { return body(`{"` + strings.Repeat("x", size) + `":1}`) },
	"open":    func(size int) []byte { return body(strings.Repeat(`[`, size)) },
	"empty":   func(size int) []byte { return make([]byte, size) },
}

func body(text string) []byte {
	var b bytes.Buffer
	if err := safetensors.Write(&b, &safetensors.File{Metadata: map[string]string{stateKey: text}}); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// TestReadCost checks that the memory for a checkpoint is linear in its size.
func TestReadCost(t *testing.T) {
	for name, bomb := range bodies {
		t.Run(name, func(t *testing.T) {
			costtest.Linear(t, 100_000, func(size int) []byte { return sealed(bomb(size)) }, func(b []byte) { _, _ = readBytes(b) })
		})
	}
	n := model.Network{Layers: []int{100, 100}, Precision: model.Float64}
	costtest.Linear(t, 3, func(size int) []byte {
		s := &State{Epoch: 1, Best: -1}
		for range size {
			s.Runs = append(s.Runs, Run{Parameters: model.NewParameters(n)})
		}
		return written(t, n, s)
	}, func(b []byte) {
		if _, err := readBytes(b); err != nil {
			t.Error(err)
		}
	})
}

// FuzzRead: whatever the bytes, Read returns an error or a state. The input is a whole file, or with seal a body, which gets a right
// checksum: otherwise hardly an input would pass it.
func FuzzRead(f *testing.F) {
	for _, precision := range []model.Precision{model.Float32, model.Float64} {
		n := network(precision)
		b := written(f, n, state(n))
		f.Add(b, false)
		f.Add(b[:len(b)/2], false)
		f.Add(b[len(magic):len(b)-sumSize], true)
	}
	for _, bomb := range bodies {
		f.Add(bomb(300), true)
	}
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			b = sealed(b)
		}
		var s *State
		var err error
		costtest.Check(t, len(b), 4<<20, 300, func() { s, err = readBytes(b) })
		if (s == nil) == (err == nil) {
			t.Fatalf("%v, %v", s, err)
		}
	})
}
