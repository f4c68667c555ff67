// Package vm says what a machine that trains a network can do. The machines
// are in the folders below: cpu and cuda run compiled programs fast; interpret
// runs them by plain loops, and tape runs the expression graph as Gorgonia does:
// these two are the witnesses. Package machines opens them.
//
// A machine holds the parameters of one network and the data sets that it was given.
// It runs whole passes over them, not steps, and is free in what it does between two
// samples. All machines compute the same mathematics; only rounding may differ.
// Package vmtest has the suite that checks this.
//
// A machine is used from one goroutine at a time. A snapshot of it may be used from
// another goroutine at the same time, also while the machine loads and unloads other
// sets.
package vm

import (
	"context"
	"fmt"
	"math"
	"time"

	"trainer/data"
	"trainer/data/lang"
	"trainer/graph/ir"
	"trainer/graph/model"
)

// VM trains and evaluates one network. What only some machines have is in the
// interfaces Fleeter, Clamped and Timed, which a caller asks for by a checked type
// assertion.
type VM interface {
	// Name is one word: "cpu", "cuda", "interpret" or "tape".
	Name() string

	// Describe says in a line how the machine makes a pass with batch samples a
	// step, 1 or more, and why in no faster way: "compiled, AVX-512 kernels, at
	// most 2 cores". The error is that of a machine that cannot make such a pass.
	Describe(batch int) (lang.Text, error)

	// Network returns the network that the machine was made for.
	Network() model.Network

	// Load makes a set resident, so that the first pass over it need not.
	// Train and Evaluate load a set that they have not seen.
	Load(set *data.Set) error

	// Unload frees what Load made of a set, so that many sets can be trained on one
	// after the other. A set that is not resident is nothing to free. No snapshot may
	// be evaluating the set.
	Unload(set *data.Set) error

	// SetParameters copies p into the machine, rounded to the network's
	// precision.
	SetParameters(p model.Parameters) error

	// Parameters returns a copy of the parameters.
	Parameters() (model.Parameters, error)

	// Train makes one pass of gradient descent: a step for each mini-batch of
	// the pass, in order. It stops early, after a whole step, when ctx is
	// done, and returns ctx's error; or with a *NonFiniteError. A step that
	// takes long is abandoned as if it had not begun. A pass may be made in
	// parts: passes over the parts of Order, split where Train stopped early, give
	// the same bits as one over all of it. Split after another whole step, they may
	// round differently on some machines.
	Train(ctx context.Context, p Pass) error

	// Evaluate runs the network forward over a set.
	Evaluate(ctx context.Context, set *data.Set) (Score, error)

	// Snapshot copies the present parameters to something that evaluates them,
	// also while the machine trains on.
	Snapshot() (Snapshot, error)

	// LeavesCoresIdle reports whether a pass of this batch size leaves processor cores idle,
	// so that evaluating a snapshot meanwhile costs no time.
	LeavesCoresIdle(batch int) bool

	// Predict returns the outputs a^L, a row of n^L for each row of n^1 in x.
	Predict(x []float64) ([]float64, error)

	// Gradients returns the cost (A.46) of the mini-batch x, y and its
	// gradients, and changes nothing. x has a row of n^1 for each sample, y a
	// row of n^L.
	Gradients(x, y []float64) (cost float64, g model.Parameters, err error)

	// Close frees what the machine holds.
	Close() error
}

// Clamped is a machine whose sigmoid is cut off: it takes σ(z) for 1 from
// z = SigmoidOne() on. Beyond it the machine may be off by 1 − σ(z).
type Clamped interface{ SigmoidOne() float64 }

// Timed is a machine on a device that has a clock of its own.
type Timed interface {
	// TimeDevice makes the device time each pass and evaluation from now on, which
	// costs it a little.
	TimeDevice() error
	// DeviceTime returns how long the last pass or evaluation took on the device, by
	// its clock: without what the host does before and after. 0 if it was not timed, or
	// did nothing.
	DeviceTime() (time.Duration, error)
}

// Snapshot is the parameters of a machine at a moment. It is used from one
// goroutine, which need not be the machine's.
type Snapshot interface {
	// Evaluate runs the network forward over a set that was loaded before.
	Evaluate(ctx context.Context, set *data.Set) (Score, error)
	// Close gives the snapshot back. A machine may have one at a time.
	Close() error
}

// Compiler makes the programs of a network. The parameters of each are those of
// model.Parameters.Tensors, in the same order.
type Compiler interface {
	// Forward returns the program of the outputs of batch samples.
	Forward(batch int) (*ir.Program, error)
	// Step returns the program of a training step with batch samples.
	Step(batch int) (*ir.Program, error)
	// StepWithCost is Step with the mean cost of the mini-batch.
	StepWithCost(batch int) (*ir.Program, error)
}

// Pass is one pass of gradient descent over a set.
type Pass struct {
	Set   *data.Set
	Order []int32 // the samples to visit, in this order; nil: all of Set, in its order
	Batch int     // samples per step; the last step has the rest
	Rate  float64 // η

	// Costs, when not nil, takes the cost (A.46) of each mini-batch before
	// its step. It has Steps() elements.
	Costs []float64

	// Progress, if not nil, is called from time to time with the number of
	// samples done in whole steps, and at the end of the pass, also of one that
	// ends early: the last call says how far it came.
	Progress func(done int)

	// Partial, if not nil, may be called in a step that takes long, with the number
	// of samples visited so far. The step may still be abandoned.
	Partial func(visited int)
}

// Samples returns how many samples the pass visits.
func (p Pass) Samples() int {
	if p.Order == nil {
		return p.Set.Len()
	}
	return len(p.Order)
}

// Sample returns the index in Set of the k-th sample that the pass visits.
func (p Pass) Sample(k int) int {
	if p.Order == nil {
		return k
	}
	return int(p.Order[k])
}

// Steps returns how many steps the pass makes: samples / batch, rounded up.
func (p Pass) Steps() int { return (p.Samples() + p.Batch - 1) / p.Batch }

// Check reports what makes the pass impossible for network n.
func (p Pass) Check(n model.Network) error {
	if err := CheckSet(p.Set, n); err != nil {
		return err
	}
	if err := CheckBatchSize(p.Batch); err != nil {
		return err
	}
	if p.Costs != nil && len(p.Costs) != p.Steps() {
		return fmt.Errorf("room for %d costs: want %d, one per step", len(p.Costs), p.Steps())
	}
	for i, s := range p.Order {
		if s < 0 || int(s) >= p.Set.Len() {
			return fmt.Errorf("order[%d] is sample %d of %d", i, s, p.Set.Len())
		}
	}
	return nil
}

// CheckSet reports how a set does not fit a network.
func CheckSet(s *data.Set, n model.Network) error {
	if s.Inputs() != n.Inputs() {
		return fmt.Errorf("%s: images of %d×%d pixels, and a network of %d inputs (model.layers)", s.Name, s.Rows, s.Cols, n.Inputs())
	}
	if s.Classes > n.Outputs() {
		return fmt.Errorf("%s: %d classes, and a network of %d outputs (model.layers)", s.Name, s.Classes, n.Outputs())
	}
	return nil
}

// CheckBatchSize reports that a step cannot have batch samples.
func CheckBatchSize(batch int) error {
	if batch < 1 {
		return fmt.Errorf("batch of %d samples: want 1 or more", batch)
	}
	return nil
}

// CheckBatch returns the number of samples of x and y, a row of n^1 and a row
// of n^L for each, or how they do not fit.
func CheckBatch(x, y []float64, n model.Network) (int, error) {
	rows := len(x) / n.Inputs()
	if rows == 0 || len(x) != rows*n.Inputs() || len(y) != rows*n.Outputs() {
		return 0, fmt.Errorf("%d inputs and %d targets: want rows of %d and %d", len(x), len(y), n.Inputs(), n.Outputs())
	}
	return rows, nil
}

// MaxClasses is the number of classes that labels can name: a label is a byte.
const MaxClasses = 256

// Score is the result of an evaluation.
type Score struct {
	Samples int
	Cost    float64 // A.46: the mean of ½‖y − a^L‖² over the samples
	Correct int     // samples whose largest output is the label's; the first of equals

	// Confusion counts the samples by [label][predicted]. It is n^L × n^L, at most
	// MaxClasses × MaxClasses. It lacks the samples that are taken for a class that
	// no label names, and those of no class: with an output that is not a number.
	Confusion [][]int

	targets data.Range // the two values of y
}

// NewScore returns a score without samples, for networks with this number of
// outputs and targets of 0 and 1.
func NewScore(outputs int) Score {
	n := min(outputs, MaxClasses)
	s := Score{Confusion: make([][]int, n), targets: data.Scale{}.TargetRange()}
	for i := range s.Confusion {
		s.Confusion[i] = make([]int, n)
	}
	return s
}

// NewScoreOf is NewScore for the samples of a set, with the targets of its scale.
func NewScoreOf(set *data.Set, outputs int) Score {
	s := NewScore(outputs)
	s.targets = set.Scale.TargetRange()
	return s
}

// Add counts a sample with outputs a (a^L) and its label. Until Mean is
// called, Cost is the sum over the samples.
func (s *Score) Add(a []float64, label uint8) {
	best := 0
	e := 0.0
	for k, v := range a {
		if v > a[best] {
			best = k
		}
		y := s.targets.Low
		if k == int(label) {
			y = s.targets.High
		}
		e += (y - v) * (y - v)
	}
	s.Samples++
	s.Cost += e / 2
	if math.IsNaN(e) {
		return // of no class
	}
	if best < len(s.Confusion) {
		s.Confusion[label][best]++
	}
	if best == int(label) {
		s.Correct++
	}
}

// Merge adds the samples of t to s. Both have sums of costs.
func (s *Score) Merge(t Score) {
	s.Samples += t.Samples
	s.Cost += t.Cost
	s.Correct += t.Correct
	for i, row := range t.Confusion {
		for j, n := range row {
			s.Confusion[i][j] += n
		}
	}
}

// Mean returns s with the cost divided by the number of samples.
func (s Score) Mean() Score {
	if s.Samples > 0 {
		s.Cost /= float64(s.Samples)
	}
	return s
}

// Accuracy returns the fraction of samples that were correct.
func (s Score) Accuracy() float64 {
	if s.Samples == 0 {
		return 0
	}
	return float64(s.Correct) / float64(s.Samples)
}

// NonFiniteError says that a value of the computation was NaN or infinite.
type NonFiniteError struct {
	Tensor string // "cost", "layers.0.weight", …
	Step   int    // the step of the pass, counted from 0
}

func (e *NonFiniteError) Error() string {
	return fmt.Sprintf("%s is not finite after step %d", e.Tensor, e.Step+1)
}
