package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/terminal"
)

// Growth says how the time of a pass grows with one quantity, while all others stay.
type Growth struct {
	What    lang.Text `json:"what"`  // the quantity
	Fixed   lang.Text `json:"fixed"` // the others
	At      []float64 `json:"at"`
	Seconds []float64 `json:"seconds"` // of a pass over epoch samples; over At samples, if What is the samples
}

// growing is a point of a curve.
type growing struct {
	at                    int
	layers                []int
	batch, samples, cores int
}

// Grow measures how the time of a pass grows with the batch, the hidden units, the hidden
// layers, the samples and the cores. It trains in float32, in random order, with biases.
func Grow(ctx context.Context, o Options) ([]Growth, error) {
	in, out, all := o.Set.Inputs(), o.Set.Classes, o.Set.Len()
	narrow := []int{in, 50, out}
	const batch = 128
	some := min(all, wideSamples)
	var batches, units, depth, samples, cores []growing
	for _, b := range []int{1, 3, 10, 30, 100, 300, 1000, 3000, 10_000, epoch} {
		if b <= all {
			batches = append(batches, growing{b, narrow, b, all, 0})
		}
	}
	for _, h := range []int{10, 30, 100, 300, 1000, 2000} {
		units = append(units, growing{h, []int{in, h, out}, batch, some, 0})
	}
	for n := 1; n <= 8; n *= 2 {
		layers := append(append([]int{in}, slices.Repeat([]int{100}, n)...), out)
		depth = append(depth, growing{n, layers, batch, some, 0})
	}
	for n := all; n >= batch && len(samples) < 7; n /= 2 {
		samples = append(samples, growing{n, narrow, batch, n, 0})
	}
	slices.Reverse(samples)
	if len(samples) == 0 {
		samples = []growing{{all, narrow, batch, all, 0}}
	}
	for n := 1; n <= runtime.GOMAXPROCS(0); n++ {
		cores = append(cores, growing{n, []int{in, 1000, out}, batch, some, n})
	}
	var curves []Growth
	for _, c := range []struct {
		what, fixed lang.Text
		points      []growing
	}{
		{batchText, lang.Text{En: "50 hidden units", Zh: "50 个隐藏单元"}, batches},
		{lang.Text{En: "hidden units", Zh: "隐藏单元数"}, lang.Text{En: "one layer, batch 128", Zh: "一层，批量 128"}, units},
		{lang.Text{En: "hidden layers", Zh: "隐藏层数"}, lang.Text{En: "of 100 units, batch 128", Zh: "每层 100 个单元，批量 128"}, depth},
		{samplesText, lang.Text{En: "50 hidden units, batch 128", Zh: "50 个隐藏单元，批量 128"}, samples},
		{lang.Text{En: "cores", Zh: "核数"}, lang.Text{En: "1000 hidden units, batch 128", Zh: "1000 个隐藏单元，批量 128"}, cores},
	} {
		g := Growth{What: c.what, Fixed: c.fixed}
		for _, p := range c.points {
			t, err := p.measure(ctx, o)
			if err != nil {
				return nil, fmt.Errorf("growth with the %s: %d: %w", c.what, p.at, err)
			}
			if c.what != samplesText {
				t *= epoch / float64(p.samples)
			}
			g.At, g.Seconds = append(g.At, float64(p.at)), append(g.Seconds, t)
		}
		curves = append(curves, g)
	}
	return curves, nil
}

// measure returns the seconds of the shortest pass.
func (p growing) measure(ctx context.Context, o Options) (float64, error) {
	n := model.Network{Layers: p.layers, Bias: true, Precision: model.Float32}
	m, err := o.Other(n, p.cores)
	if err != nil {
		return 0, err
	}
	set := o.Set.Slice(0, p.samples)
	pass := vm.Pass{Set: set, Order: data.Shuffled(p.samples, 1, 1), Batch: p.batch, Rate: peerRate}
	once := func() (took, error) {
		start := time.Now()
		err := m.Train(ctx, pass)
		return took{host: time.Since(start)}, err
	}
	err = m.SetParameters(model.Normal(n, model.HiddenRule(n), data.Stream(1, "bench", 0)))
	if err == nil {
		_, err = once() // compiles programs and loads the set
	}
	var t took
	if err == nil {
		t, err = shortest(ctx, o.Least, once)
	}
	return t.host.Seconds(), errors.Join(err, m.Close())
}

// GrowthText writes the curves as tables.
func GrowthText(w io.Writer, curves []Growth, l lang.Language) error {
	var table [][]string
	for _, c := range curves {
		of := epochText
		if c.What == samplesText {
			of = lang.Text{En: "s", Zh: "秒"}
		}
		table = append(table, []string{c.What.In(l), of.In(l), lang.Text{En: "(%s)", Zh: "（%s）"}.Format(l, c.Fixed)})
		for i, at := range c.At {
			table = append(table, []string{fmt.Sprintf("%.0f", at), fmt.Sprintf("%.4f", c.Seconds[i]), ""})
		}
	}
	return write(w, terminal.LeftTable(table))
}

var samplesText = lang.Text{En: "samples", Zh: "样本数"}
