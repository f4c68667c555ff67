package machines

import (
	"context"
	"fmt"
	"math"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// TestScale: every machine takes the inputs and the targets from the scale of the
// set. A step from zero pixels is no step from zero inputs where the lowest input
// is not 0. What is right is computed here from the gradients for inputs and
// targets that the test writes out itself.
func TestScale(t *testing.T) {
	for _, scale := range []data.Scale{
		{},
		{Pixels: data.Range{Low: 0, High: 16}},
		{Inputs: data.Range{Low: 0.01, High: 1}, Targets: data.Range{Low: 0.01, High: 0.99}},
		{Inputs: data.Range{Low: 1, High: 0}},
		{Pixels: data.Range{Low: 0, High: 16}, Inputs: data.Range{Low: -1, High: 1}, Targets: data.Range{Low: 0.1, High: 0.8}},
	} {
		top, low, high, off, on := 255.0, 0.0, 1.0, 0.0, 1.0
		if scale.Pixels.High != 0 {
			top = scale.Pixels.High
		}
		if scale.Inputs != (data.Range{}) {
			low, high = scale.Inputs.Low, scale.Inputs.High
		}
		if scale.Targets != (data.Range{}) {
			off, on = scale.Targets.Low, scale.Targets.High
		}
		const samples, in, out = 12, 6, 3
		set := &data.Set{Name: "scaled", Rows: 2, Cols: 3, Classes: out, Pixels: make([]uint8, samples*in), Labels: make([]uint8, samples), Scale: scale}
		x, y := make([]float64, samples*in), make([]float64, samples*out)
		for i := range samples {
			set.Labels[i] = uint8(i % out)
			for j := range in {
				if (i+j)%3 > 0 { // a third of the pixels is zero
					set.Image(i)[j] = uint8((i*7 + j*31) % int(top+1))
				}
				x[i*in+j] = low + (high-low)*float64(set.Image(i)[j])/top
			}
			for k := range out {
				y[i*out+k] = off
			}
			y[i*out+i%out] = on
		}
		for _, batch := range []int{1, 4, samples} {
			for _, o := range []Options{{Device: CPU}, {Kind: Interpret}, {Kind: Tape}} {
				t.Run(fmt.Sprintf("%+v %s%s batch %d", scale, o.Device, o.Kind, batch), func(t *testing.T) {
					m, _, err := Open(network, o)
					check(t, err)
					defer func() { check(t, m.Close()) }()
					p := model.Normal(network, 0.5, data.Stream(1, "initialisation", 0))
					check(t, m.SetParameters(p))
					check(t, m.Train(context.Background(), vm.Pass{Set: set, Batch: batch, Rate: 0.5}))
					got, err := m.Parameters()
					check(t, err)
					for from := 0; from < samples; from += batch {
						check(t, m.SetParameters(p))
						_, g, err := m.Gradients(x[from*in:(from+batch)*in], y[from*out:(from+batch)*out])
						check(t, err)
						p = descend(p, g, 0.5)
					}
					requireClose(t, got, p)

					check(t, m.SetParameters(p))
					a, err := m.Predict(x)
					check(t, err)
					cost := 0.0
					for k := range a {
						cost += (y[k] - a[k]) * (y[k] - a[k]) / 2 / samples
					}
					score, err := m.Evaluate(context.Background(), set)
					check(t, err)
					if math.Abs(score.Cost-cost) > 1e-12 {
						t.Errorf("cost %v, want %v", score.Cost, cost)
					}
				})
			}
		}
	}
}

// descend returns p − rate·g.
func descend(p, g model.Parameters, rate float64) model.Parameters {
	p = p.Clone()
	for i, l := range p {
		for j := range l.Weight {
			l.Weight[j] -= rate * g[i].Weight[j]
		}
		for j := range l.Bias {
			l.Bias[j] -= rate * g[i].Bias[j]
		}
	}
	return p
}

func requireClose(t *testing.T, got, want model.Parameters) {
	t.Helper()
	for i, l := range want {
		for j, v := range l.Weight {
			if math.Abs(got[i].Weight[j]-v) > 1e-12 {
				t.Fatalf("%s[%d] is %v, want %v", model.WeightName(i), j, got[i].Weight[j], v)
			}
		}
		for j, v := range l.Bias {
			if math.Abs(got[i].Bias[j]-v) > 1e-12 {
				t.Fatalf("%s[%d] is %v, want %v", model.BiasName(i), j, got[i].Bias[j], v)
			}
		}
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
