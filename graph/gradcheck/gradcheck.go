// Package gradcheck compares three gradients of the same cost:
//
//   - symbolic: the machine's gradients, computed from the derivatives that
//     Gorgonia finds in the expression graph (vm.VM.Gradients);
//   - delta: the textbook's equations A.45 to A.66, derived by hand (package
//     delta);
//   - differences: central differences of the mean cost A.46, evaluated with the
//     forward pass of package delta, always in float64.
//
// The three share no derivation. If they agree, each is very likely right. The
// machine's cost is compared with delta's too, which shows that the differences
// are also those of the machine's cost.
//
// Symbolic and delta are compared at every parameter. A difference costs a few
// forward passes per parameter. For a small network they are taken at every
// parameter. For a large one they are taken at a seeded sample of each tensor,
// which includes its corners, its largest gradients, and the element where
// symbolic and delta differ most, so that the check shows which of the two is
// wrong.
//
// A relative difference is |a − b| / max(|a|, |b|, floor). The bound times the
// floor is the largest error that rounding alone can cause (see rounding and
// slopes). Without a floor the check would demand digits that the arithmetic
// cannot have: in a gradient of 1e-12, where the activation is saturated, float64
// has already lost them in 1 − a.
package gradcheck

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"trainer/graph/delta"
	"trainer/graph/model"
	"trainer/graph/vm"
)

// The bounds on relative differences. In float64 the rounding error of a gradient
// is about 1e-13 for networks of this size; 1e-10 leaves room for long sums. The
// error of the differences themselves is below 1e-7 (see slopes). In float32 the
// error of a sum of 784 products is about 4·√784·2^−24 = 7e-6 of the magnitude of
// its terms, and it grows from layer to layer. The bound 1e-4 is for gradients
// without cancellation; the floor handles those with cancellation.
const (
	BoundDelta       = 1e-10 // symbolic × delta, float64
	BoundDifferences = 1e-6  // delta × differences; symbolic × differences, float64
	BoundFloat32     = 1e-4  // symbolic × either, float32
)

// Options configures Check. The zero value is ready to use.
type Options struct {
	Seed    uint64 // of parameters, inputs, targets and sampled elements
	Batches []int  // sizes of the mini-batches; nil: 1, 3 and 8
	Small   int    // networks with at most this many parameters have differences taken at all of them; 0: 2000
	Samples int    // elements per tensor at which larger networks have differences taken, or a few more; 0: 24

	// Parameters holds the parameters at which to check, such as those after
	// training. The saturated cases then use large inputs. If Parameters is nil,
	// Check draws random parameters, large ones for the saturated cases.
	Parameters model.Parameters
}

// Check compares the gradients of machine m, and leaves m with the parameters
// that it had. The error is for a check that could not be made; whether the
// gradients agree is Report.OK.
func Check(m vm.VM, o Options) (report Report, err error) {
	n := m.Network()
	if err := n.Check(); err != nil {
		return Report{}, fmt.Errorf("gradcheck: %w", err)
	}
	if o.Parameters != nil {
		if err := o.Parameters.Check(n); err != nil {
			return Report{}, fmt.Errorf("gradcheck: the parameters do not fit the network: %w", err)
		}
		if bad := o.Parameters.NonFinite(); bad != "" {
			return Report{}, fmt.Errorf("gradcheck: %s is not finite: use the parameters of an earlier epoch", bad)
		}
	}
	o = o.withDefaults()
	for _, b := range o.Batches {
		if b < 1 {
			return Report{}, fmt.Errorf("gradcheck: batch of %d samples: want 1 or more", b)
		}
	}

	before, err := m.Parameters()
	if err != nil {
		return Report{}, fmt.Errorf("gradcheck: %w", err)
	}
	defer func() {
		if e := m.SetParameters(before); err == nil && e != nil {
			err = fmt.Errorf("gradcheck: restoring the parameters: %w", e)
		}
	}()

	report = newReport(m, o)
	if c, ok := m.(vm.Clamped); ok {
		report.SigmoidOne = c.SigmoidOne()
	}
	r := rand.New(rand.NewPCG(o.Seed, 0x67726164)) // "grad"
	for _, k := range kinds {
		for _, batch := range o.Batches {
			c := newCase(r, n, k, batch, o.Parameters)
			report.Cases = append(report.Cases, c.name)
			if err := report.check(r, m, o, c); err != nil {
				return Report{}, fmt.Errorf("gradcheck: %s: %w", c.name, err)
			}
		}
	}
	return report, nil
}

func (o Options) withDefaults() Options {
	if o.Batches == nil {
		o.Batches = []int{1, 3, 8}
	}
	if o.Small == 0 {
		o.Small = 2000
	}
	if o.Samples == 0 {
		o.Samples = 24
	}
	return o
}

// check runs one case and adds its results to the report.
func (rep *Report) check(r *rand.Rand, m vm.VM, o Options, c testCase) error {
	n := m.Network()
	if err := m.SetParameters(c.parameters); err != nil {
		return err
	}
	cost, symbolic, err := m.Gradients(slices.Concat(c.xs...), slices.Concat(c.ys...))
	if err != nil {
		return err
	}
	if err := symbolic.Check(n); err != nil {
		return fmt.Errorf("the machine's gradients: %w", err)
	}
	net := ToDelta(n, c.parameters)
	deltaCost, g := delta.MiniBatch(net, c.xs, c.ys)
	byHand := FromDelta(n, g)

	// The largest rounding errors of the machine's values and of delta's.
	machineCost, e := rounding(net, c.xs, c.ys, unitRoundoff(n.Precision), rep.SigmoidOne)
	machine := FromDelta(n, e)
	ownCost, e := rounding(net, c.xs, c.ys, unitRoundoff(model.Float64), 0)
	own := FromDelta(n, e)

	rep.row(costTensor(n), pairSymbolicDelta).compare(c.name, 0, cost, deltaCost, machineCost+ownCost)
	slopes := newSlopes(net, c.xs, c.ys, ownCost)
	all := count(c.parameters) <= o.Small
	for i := range symbolic {
		for _, t := range tensors(n, i, symbolic, byHand, machine, own) {
			worst := 0
			row := rep.row(t, pairSymbolicDelta)
			for k, s := range t.symbolic {
				row.compare(c.name, k, s, t.delta[k], t.machine[k]+t.own[k])
				if d := math.Abs(s - t.delta[k]); math.IsNaN(d) || d > math.Abs(t.symbolic[worst]-t.delta[worst]) {
					worst = k
				}
			}
			for _, k := range t.sample(r, all, o.Samples, worst) {
				slope, slopeError := slopes.at(t.layer, k/t.cols, k%t.cols, t.bias)
				rep.row(t, pairSymbolicDifferences).compare(c.name, k, t.symbolic[k], slope, t.machine[k]+slopeError)
				rep.row(t, pairDeltaDifferences).compare(c.name, k, t.delta[k], slope, t.own[k]+slopeError)
			}
		}
	}
	return nil
}

// tensor is a weight matrix or a bias, with its gradients. A bias has one column.
type tensor struct {
	name       string
	layer      int // l, from 2
	rows, cols int
	bias       bool

	symbolic, delta []float64
	machine, own    []float64 // rounding errors allowed in symbolic and in delta
	bounds          [pairEnd]float64
}

// tensors returns the tensors of the layer at index i: the weight matrix, and the
// bias if the network has one.
func tensors(n model.Network, i int, symbolic, delta, machine, own model.Parameters) []tensor {
	w := tensor{
		name: model.WeightName(i), layer: i + 2, rows: symbolic[i].Out, cols: symbolic[i].In,
		symbolic: symbolic[i].Weight, delta: delta[i].Weight,
		machine: machine[i].Weight, own: own[i].Weight,
		bounds: bounds(n.Precision),
	}
	if !n.Bias {
		return []tensor{w}
	}
	b := w
	b.name, b.cols, b.bias = model.BiasName(i), 1, true
	b.symbolic, b.delta = symbolic[i].Bias, delta[i].Bias
	b.machine, b.own = machine[i].Bias, own[i].Bias
	return []tensor{w, b}
}

// costTensor represents the cost, which is compared like a tensor with one
// element.
func costTensor(n model.Network) tensor {
	return tensor{name: "cost", rows: 1, cols: 1, bounds: bounds(n.Precision)}
}

// sample returns the elements at which to take differences: all of them, or about
// as many as samples says. worst is always among them.
func (t tensor) sample(r *rand.Rand, all bool, samples, worst int) []int {
	size := len(t.delta)
	if all || size <= samples {
		s := make([]int, size)
		for k := range s {
			s[k] = k
		}
		return s
	}
	picked := map[int]bool{worst: true}
	for _, k := range []int{0, t.cols - 1, size - t.cols, size - 1} { // the corners
		picked[k] = true
	}
	const largest = 4
	var top []int // the elements with the largest gradients, in descending order
	for k, g := range t.delta {
		at := len(top)
		for at > 0 && math.Abs(t.delta[top[at-1]]) < math.Abs(g) {
			at--
		}
		if at < largest {
			top = slices.Insert(top, at, k)[:min(len(top)+1, largest)]
		}
	}
	for _, k := range top {
		picked[k] = true
	}
	for len(picked) < samples {
		picked[r.IntN(size)] = true
	}
	s := make([]int, 0, len(picked))
	for k := range picked {
		s = append(s, k)
	}
	slices.Sort(s)
	return s
}

func bounds(p model.Precision) [pairEnd]float64 {
	if p == model.Float32 {
		return [pairEnd]float64{BoundFloat32, BoundFloat32, BoundDifferences}
	}
	return [pairEnd]float64{BoundDelta, BoundDifferences, BoundDifferences}
}

// unitRoundoff returns the largest relative rounding error of one operation.
func unitRoundoff(p model.Precision) float64 {
	if p == model.Float32 {
		return 0x1p-24
	}
	return 0x1p-53
}

func count(p model.Parameters) int {
	n := 0
	for _, l := range p {
		n += len(l.Weight) + len(l.Bias)
	}
	return n
}
