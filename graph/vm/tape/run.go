package tape

import (
	"fmt"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"trainer/data"
	"trainer/graph"
	"trainer/graph/model"
)

// tape is a compiled graph with the tensors of its inputs.
type tape struct {
	graph   *graph.Graph
	machine gorgonia.VM
	x, y    *tensor.Dense  // the mini-batch; a forward run does not read y
	output  gorgonia.Value // a^L of the last run
	cost    gorgonia.Value // the cost of the last run; nil in a forward run
}

// newTape compiles g and binds it to the parameters of m.
func (m *VM) newTape(g *graph.Graph) (*tape, error) {
	t := &tape{graph: g, x: m.dense(g.Batch, m.network.Inputs()), y: m.dense(g.Batch, m.network.Outputs())}
	gorgonia.Read(g.Output(), &t.output)
	if err := gorgonia.Let(g.X, t.x); err != nil {
		return nil, err
	}
	var options []gorgonia.VMOpt
	if g.Cost != nil {
		gorgonia.Read(g.Cost, &t.cost)
		if err := gorgonia.Let(g.Y, t.y); err != nil {
			return nil, err
		}
		options = append(options, gorgonia.BindDualValues(g.Learnables()...))
	}
	for i := range g.Weight {
		if err := gorgonia.Let(g.Weight[i], m.weight[i]); err != nil {
			return nil, err
		}
		if g.Bias == nil {
			continue
		}
		if err := gorgonia.Let(g.Bias[i], m.bias[i]); err != nil {
			return nil, err
		}
	}
	t.machine = gorgonia.NewTapeMachine(g.Expr, options...)
	return t, nil
}

// load copies sample i of set to a row of the mini-batch.
func (t *tape) load(row int, set *data.Set, i int) {
	if t.x.Dtype() == tensor.Float32 {
		loadRow(t.x.Float32s(), t.y.Float32s(), t.graph.Network, row, set, i)
	} else {
		loadRow(t.x.Float64s(), t.y.Float64s(), t.graph.Network, row, set, i)
	}
}

func loadRow[T data.Float](x, y []T, n model.Network, row int, set *data.Set, i int) {
	in, out := n.Inputs(), n.Outputs()
	data.Input(x[row*in:(row+1)*in], set, i)
	data.Target(y[row*out:(row+1)*out], set, set.Labels[i])
}

// run executes the tape once.
func (t *tape) run() error {
	t.machine.Reset()
	return t.machine.RunAll()
}

// takeGradient copies the gradient of a parameter to dst and clears it, as a
// solver does. Gorgonia adds to the old gradient otherwise.
func takeGradient(dst []float64, parameter *gorgonia.Node) error {
	g, err := parameter.Grad()
	if err != nil {
		return err
	}
	d, ok := g.(*tensor.Dense)
	if !ok {
		return fmt.Errorf("gradient of %v is a %T, want a dense tensor", parameter, g)
	}
	read(dst, d)
	d.Zero()
	return nil
}

// read copies the elements of d to dst.
func read(dst []float64, d *tensor.Dense) {
	if d.Dtype() == tensor.Float64 {
		copy(dst, d.Float64s())
		return
	}
	for i, v := range d.Float32s() {
		dst[i] = float64(v)
	}
}

// write copies src to d and rounds to the element type of d.
func write(d *tensor.Dense, src []float64) {
	if d.Dtype() == tensor.Float64 {
		copy(d.Float64s(), src)
		return
	}
	dst := d.Float32s()
	for i, v := range src {
		dst[i] = float32(v)
	}
}

func scalar(v gorgonia.Value) float64 {
	if x, ok := v.Data().(float32); ok {
		return float64(x)
	}
	return v.Data().(float64)
}

// finite reports whether all elements of d are finite.
func finite(d *tensor.Dense) bool {
	if d.Dtype() == tensor.Float32 {
		return model.Finite(d.Float32s())
	}
	return model.Finite(d.Float64s())
}
