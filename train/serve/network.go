package serve

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"sync/atomic"

	"trainer/data"
	"trainer/graph/delta"
	"trainer/graph/gradcheck"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/prediction"
)

// state is parameters that nobody changes.
type state struct {
	version    uint64 // other for each state
	parameters model.Parameters
	net        delta.Network // the same numbers
}

// view is what the network does with an image: the answer to most requests.
type view struct {
	Version uint64 `json:"version"` // of the parameters
	Copy    string `json:"copy"`    // the browser's copy; "": the parameters are the page's
	Steps   int    `json:"steps"`   // that were taken on the copy

	Input   prediction.Pixels `json:"input"`   // n^1; 0 is background, 255 full ink
	Hidden  []numbers         `json:"hidden"`  // a^2 … a^(L−1)
	Outputs numbers           `json:"outputs"` // a^L
	Answer  int               `json:"answer"`  // the class with the largest output; the first of equals

	Told *told `json:"told,omitempty"` // where the right label was given
}

// told is what follows from the right label.
type told struct {
	Label  int       `json:"label"`
	Cost   number    `json:"cost"`   // E, A.45
	Before number    `json:"before"` // E before the training that was asked for
	Deltas []numbers `json:"deltas"` // δ^2 … δ^L
	Slope  numbers   `json:"slope"`  // ∂E/∂x = (W^2)ᵀ δ^2, n^1
}

// number is written with six significant digits.
type number float64

// MarshalJSON implements json.Marshaler.
func (v number) MarshalJSON() ([]byte, error) { return v.append(nil) }

func (v number) append(b []byte) ([]byte, error) {
	if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
		return nil, errNotFinite
	}
	return strconv.AppendFloat(b, float64(v), 'g', 6, 64), nil
}

// numbers are written like number.
type numbers []float64

// MarshalJSON implements json.Marshaler.
func (v numbers) MarshalJSON() (b []byte, err error) {
	b = append(b, '[')
	for k, x := range v {
		if k > 0 {
			b = append(b, ',')
		}
		if b, err = number(x).append(b); err != nil {
			return nil, err
		}
	}
	return append(b, ']'), nil
}

// errNotFinite is the error for parameters that are too large to compute with.
var errNotFinite = errors.New("a value of the network is not finite")

// viewer computes views. It may be used from several goroutines.
type viewer struct {
	o        Options
	versions atomic.Uint64

	mu   sync.Mutex
	m    vm.VM
	held *state // whose parameters m has
}

func newViewer(o Options, m vm.VM) *viewer { return &viewer{o: o, m: m} }

func (v *viewer) close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.m.Close()
}

func (v *viewer) newState(p model.Parameters) *state {
	return &state{version: v.versions.Add(1), parameters: p, net: gradcheck.ToDelta(v.o.Network, p)}
}

// answer has the machine predict.
func (v *viewer) answer(s *state, pixels []uint8) (prediction.Answer, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.held != s {
		v.held = nil
		if err := v.m.SetParameters(s.parameters); err != nil {
			return prediction.Answer{}, err
		}
		v.held = s
	}
	return prediction.Of(v.m, prediction.Image{Name: "drawing", Pixels: pixels, Scale: v.o.Scale})
}

// view returns what the parameters of s make of an image of n^1 pixels. label is the
// right one, or negative if it is not known.
func (v *viewer) view(s *state, pixels []uint8, label int) (view, error) {
	a, err := v.answer(s, pixels)
	if err != nil {
		return view{}, err
	}
	x := make(delta.Vector, len(pixels))
	for i, pixel := range pixels {
		x[i] = v.o.Scale.Input(pixel)
	}
	pass := delta.Forward(s.net, x)
	w := view{Version: s.version, Input: a.Input, Outputs: a.Outputs, Answer: a.Label, Hidden: []numbers{}}
	for l := 2; l < s.net.L(); l++ {
		w.Hidden = append(w.Hidden, numbers(pass.A[l]))
	}
	if label < 0 {
		return w, nil
	}
	y := v.target(label)
	d := delta.Deltas(s.net, pass, y)
	w.Told = &told{Label: label, Slope: numbers(delta.TransposeTimes(s.net.W[2], d[2]))}
	w.Told.Cost = number(delta.Cost(y, a.Outputs))
	w.Told.Before = w.Told.Cost
	for l := 2; l <= s.net.L(); l++ {
		w.Told.Deltas = append(w.Told.Deltas, numbers(d[l]))
	}
	return w, nil
}

// target returns y for a label.
func (v *viewer) target(label int) delta.Vector {
	r := v.o.Scale.TargetRange()
	y := make(delta.Vector, v.o.Network.Outputs())
	for k := range y {
		y[k] = r.Low
	}
	y[label] = r.High
	return y
}

// train returns the parameters of s after some steps of gradient descent on one image,
// by a machine of its own: a machine keeps every set that it has seen.
func (v *viewer) train(ctx context.Context, s *state, pixels []uint8, label, steps int, rate float64) (_ *state, err error) {
	m, err := v.o.NewMachine()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := m.SetParameters(s.parameters); err != nil {
		return nil, err
	}
	set := &data.Set{
		Name: "drawing", Rows: v.o.Rows, Cols: v.o.Cols, Classes: v.o.Network.Outputs(),
		Pixels: pixels, Labels: []uint8{uint8(label)}, Scale: v.o.Scale,
	}
	if err := m.Train(ctx, vm.Pass{Set: set, Order: make([]int32, steps), Batch: 1, Rate: rate}); err != nil {
		return nil, err
	}
	p, err := m.Parameters()
	if err != nil {
		return nil, err
	}
	if bad := p.NonFinite(); bad != "" {
		return nil, fmt.Errorf("%w: %s", errNotFinite, bad)
	}
	return v.newState(p), nil
}

// maxUnits is how many units of layer 2 the page shows, and maxImages how many bytes
// of their weights it sends.
const (
	maxUnits  = 400
	maxImages = 4 << 20
)

// units returns how many units of layer 2 have an image.
func units(n model.Network) int {
	return max(1, min(n.Layers[1], maxUnits, maxImages/n.Inputs()))
}

// images returns the weights of the first units of layer 2 as images, n^1 bytes each:
// 128 is 0, and the largest magnitude of a unit's weights becomes 127 more or less.
func (s *state) images(units int) []byte {
	rows := s.net.W[2][:units]
	b := make([]byte, 0, units*len(rows[0]))
	for _, row := range rows {
		top := 0.0
		for _, w := range row {
			top = max(top, math.Abs(w))
		}
		for _, w := range row {
			level := 0.0
			if top > 0 {
				level = math.Round(127 * (w / top))
			}
			b = append(b, uint8(128+level))
		}
	}
	return b
}
