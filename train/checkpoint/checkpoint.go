// Package checkpoint reads and writes checkpoints: all that a session needs to go on
// after it was stopped, in one file.
//
// A file consists of
//
//	21 bytes  "trainer checkpoint 1\n": what it is, and the version of the format
//	          a safetensors file: the parameters; the rest is JSON in its metadata, under "state"
//	32 bytes  the SHA-256 of all bytes before
//
// Read looks at the checksum first, and reads nothing of a file that has another one.
// A set of parameters that two things share, such as the last epoch and the best, is
// in the file once. Parameters are in the precision of the network, so they keep their
// bits. The memory that Read needs is linear in the size of the file.
//
// There is no random state: every random number of a session comes from a stream that
// its seed and epoch determine (data.Stream).
package checkpoint

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"trainer/graph/model"
	"trainer/graph/safetensors"
)

// State is where a session is: in an epoch that is not evaluated yet.
type State struct {
	Config  string `json:"config"`  // the resolved configuration, as in config.yaml
	Data    string `json:"data"`    // the checksum of the data set
	Machine string `json:"machine"` // vm.VM.Name of the machine

	Epoch   int     `json:"epoch"`   // in progress, counted from 1
	Seconds float64 `json:"seconds"` // of training in it so far
	Runs    []Run   `json:"runs"`
	Best    int     `json:"best"` // the run with the best epoch; -1 before the first evaluation
	Lines   Lines   `json:"lines"`

	// Last and BestEpoch are parameters of the run Best: after its last whole epoch,
	// and after its best. Last is also set before the first evaluation of a single
	// run. They are nil where there are none.
	Last      model.Parameters `json:"-"`
	BestEpoch model.Parameters `json:"-"`

	// BestConfusion is the confusion matrix of the test set after the best epoch:
	// [label][predicted]. Nil: there is none.
	BestConfusion [][]int `json:"best_confusion,omitempty"`
}

// Run is the state of a run.
type Run struct {
	Done   int    `json:"done"`             // samples visited in the epoch: whole steps, or all
	Failed string `json:"failed,omitempty"` // where a value was no longer finite

	// Of the last evaluation: what the advice at the end needs.
	Unchanged float64 `json:"unchanged,omitempty"`
	Labels    []int   `json:"labels,omitempty"`
	Answers   []int   `json:"answers,omitempty"`

	Parameters model.Parameters `json:"-"` // nil: it has failed
}

// Lines is the beginning of a file of lines, such as the metrics: all that was in it
// when the checkpoint was made.
type Lines struct {
	Size int64  `json:"size"`   // bytes
	Sum  string `json:"sha256"` // of them, in hexadecimal digits
}

const (
	magic   = "trainer checkpoint 1\n"
	sumSize = sha256.Size

	// stateKey is the key of the metadata for the JSON.
	stateKey = "state"
)

// header is the JSON of a file. Sets of parameters are counted from 0; -1 is none.
type header struct {
	State
	Layers    []int  `json:"layers"`
	Bias      bool   `json:"bias"`
	Precision string `json:"precision"`
	RunSets   []int  `json:"run_sets"`
	LastSet   int    `json:"last_set"`
	BestSet   int    `json:"best_set"`
}

// Write writes a checkpoint of a session that trains network n.
func Write(w io.Writer, n model.Network, s *State) error {
	h := header{State: *s, Layers: n.Layers, Bias: n.Bias, Precision: n.Precision.String()}
	f := &safetensors.File{}
	tensor := safetensors.NewF64
	if n.Precision == model.Float32 {
		tensor = safetensors.NewF32
	}
	numbers := map[*model.Layer]int{} // of the sets, by their first layer
	add := func(p model.Parameters) (int, error) {
		if p == nil {
			return -1, nil
		}
		if err := p.Check(n); err != nil {
			return -1, fmt.Errorf("checkpoint: %w", err)
		}
		if known, ok := numbers[&p[0]]; ok {
			return known, nil
		}
		number := len(numbers)
		numbers[&p[0]] = number
		p.Tensors(func(name string, shape []int, values []float64) {
			f.Tensors = append(f.Tensors, tensor(tensorName(number, name), shape, values))
		})
		return number, nil
	}
	var failed [2]error
	h.LastSet, failed[0] = add(s.Last)
	h.BestSet, failed[1] = add(s.BestEpoch)
	if err := errors.Join(failed[:]...); err != nil {
		return err
	}
	for _, r := range s.Runs {
		number, err := add(r.Parameters)
		if err != nil {
			return err
		}
		h.RunSets = append(h.RunSets, number)
	}
	text, err := json.Marshal(h)
	if err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	f.Metadata = map[string]string{stateKey: string(text)}
	sum := sha256.New()
	both := io.MultiWriter(w, sum)
	if _, err := io.WriteString(both, magic); err != nil {
		return err
	}
	if err := safetensors.Write(both, f); err != nil {
		return err
	}
	_, err = w.Write(sum.Sum(nil))
	return err
}

func tensorName(set int, name string) string { return strconv.Itoa(set) + "." + name }

// ErrDamaged is in the error for a file that is not as it was written.
var ErrDamaged = errors.New("the checkpoint is damaged")

// Read reads a checkpoint of size bytes.
func Read(r io.ReaderAt, size int64) (*State, error) {
	first := make([]byte, min(size, int64(len(magic))))
	if _, err := r.ReadAt(first, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(first) != magic {
		return nil, fmt.Errorf("%w, or of another version of the trainer: it begins with %q, want %q", ErrDamaged, first, magic)
	}
	end := size - sumSize
	if end < int64(len(magic)) {
		return nil, fmt.Errorf("%w: it has %d bytes", ErrDamaged, size)
	}
	sum, have := sha256.New(), make([]byte, sumSize)
	if n, err := io.Copy(sum, io.NewSectionReader(r, 0, end)); err != nil {
		return nil, err
	} else if n < end {
		return nil, fmt.Errorf("%w: it became shorter while it was read", ErrDamaged)
	}
	if _, err := io.ReadFull(io.NewSectionReader(r, end, sumSize), have); err != nil {
		return nil, err
	}
	if !bytes.Equal(sum.Sum(nil), have) {
		return nil, fmt.Errorf("%w: its bytes do not have the SHA-256 at its end", ErrDamaged)
	}
	return decode(io.NewSectionReader(r, int64(len(magic)), end-int64(len(magic))))
}

// decode reads the part between the first line and the checksum. Nothing but an error
// of this program, or intent, gives a right checksum to content that decode refuses.
func decode(r io.Reader) (*State, error) {
	f, err := safetensors.Read(r)
	if err != nil {
		return nil, err
	}
	var h header
	d := json.NewDecoder(strings.NewReader(f.Metadata[stateKey]))
	d.DisallowUnknownFields()
	if err := d.Decode(&h); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if err := h.check(); err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	sets, err := h.parameters(f)
	if err != nil {
		return nil, err
	}
	s := h.State
	for _, use := range []struct {
		number int
		p      *model.Parameters
	}{{h.LastSet, &s.Last}, {h.BestSet, &s.BestEpoch}} {
		if use.number >= 0 {
			*use.p = sets[use.number]
		}
	}
	for r, number := range h.RunSets {
		if number >= 0 {
			s.Runs[r].Parameters = sets[number]
		}
	}
	return &s, nil
}

// check returns an error for numbers that no session has.
func (h *header) check() error {
	switch {
	case h.Epoch < 1 || h.Epoch > math.MaxInt32:
		return fmt.Errorf("epoch %d", h.Epoch)
	case len(h.Runs) < 1 || len(h.Runs) != len(h.RunSets):
		return fmt.Errorf("%d runs with %d sets of parameters", len(h.Runs), len(h.RunSets))
	case h.Best < -1 || h.Best >= len(h.Runs):
		return fmt.Errorf("the best is run %d of %d", h.Best, len(h.Runs))
	case (h.Best < 0) != (h.BestSet < 0) || h.Best >= 0 && h.LastSet < 0:
		return fmt.Errorf("the best is run %d, with the sets %d and %d", h.Best, h.LastSet, h.BestSet)
	case h.Lines.Size < 0:
		return fmt.Errorf("%d bytes of lines", h.Lines.Size)
	case !(h.Seconds >= 0):
		return fmt.Errorf("%g seconds", h.Seconds)
	}
	for _, row := range h.BestConfusion {
		if len(row) != len(h.BestConfusion) || slices.ContainsFunc(row, func(n int) bool { return n < 0 }) {
			return fmt.Errorf("the confusion matrix has a row of %d counts, want %d, none below 0", len(row), len(h.BestConfusion))
		}
	}
	for i, r := range h.Runs {
		switch {
		case r.Done < 0:
			return fmt.Errorf("run %d visited %d samples", i, r.Done)
		case (r.Failed == "") != (h.RunSets[i] >= 0):
			return fmt.Errorf("run %d failed (%q) and has set %d", i, r.Failed, h.RunSets[i])
		}
	}
	return nil
}

// parameters returns the sets of parameters.
func (h *header) parameters(f *safetensors.File) ([]model.Parameters, error) {
	precision, err := model.ParsePrecision(h.Precision)
	if err != nil {
		return nil, err
	}
	n := model.Network{Layers: h.Layers, Bias: h.Bias, Precision: precision}
	if err := n.Check(); err != nil {
		return nil, err
	}
	dtype := safetensors.F64
	if precision == model.Float32 {
		dtype = safetensors.F32
	}
	numbers := append([]int{h.LastSet, h.BestSet}, h.RunSets...)
	count := slices.Max(numbers) + 1
	if slices.Min(numbers) < -1 {
		return nil, fmt.Errorf("sets %d", numbers)
	}
	names := n.TensorNames()
	if count < 0 || len(f.Tensors)/len(names) != count || len(f.Tensors)%len(names) != 0 {
		return nil, fmt.Errorf("%d tensors for %d sets of %d", len(f.Tensors), count, len(names))
	}
	tensors := make(map[string]safetensors.Tensor, len(f.Tensors))
	for _, t := range f.Tensors {
		tensors[t.Name] = t
	}
	sets := make([]model.Parameters, count)
	for k := range sets {
		set := make(model.Parameters, 0, len(h.Layers)-1)
		for i, out := range h.Layers[1:] {
			l := model.Layer{Out: out, In: h.Layers[i]}
			if l.Weight, err = values(tensors, tensorName(k, model.WeightName(i)), dtype, out, l.In); err != nil {
				return nil, err
			}
			if h.Bias {
				if l.Bias, err = values(tensors, tensorName(k, model.BiasName(i)), dtype, out); err != nil {
					return nil, err
				}
			}
			set = append(set, l)
		}
		sets[k] = set
	}
	return sets, nil
}

func values(tensors map[string]safetensors.Tensor, name string, dtype safetensors.DType, shape ...int) ([]float64, error) {
	t, ok := tensors[name]
	if !ok {
		return nil, fmt.Errorf("no tensor %q", name)
	}
	if t.DType != dtype || !slices.Equal(t.Shape, shape) {
		return nil, fmt.Errorf("tensor %q is %v of shape %v, want %v of %v", name, t.DType, t.Shape, dtype, shape)
	}
	v, err := t.Floats()
	if err == nil && !model.Finite(v) {
		err = fmt.Errorf("tensor %q has a value that is not finite", name)
	}
	return v, err
}
