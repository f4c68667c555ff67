package cpu

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"trainer/data"
	"trainer/graph/ir"
	"trainer/graph/vm"
	"trainer/graph/vm/cpu/kernel"
)

// block is the number of samples in a block. Each block has its own sum of costs, and
// these sums are added in order, so the result does not depend on the number of cores.
const block = 500

// forwardRows is the number of samples of a forward pass. Where its products take W in
// parts, a part is read for all of them, and stays in the nearest cache.
const forwardRows = 100

// evaluator runs forward passes with some parameters, one sample at a time on each
// core.
type evaluator[T kernel.Float] struct {
	program    *ir.Program
	kernel     kernel.Set[T]
	parameters tensors[T]
	outputs    int
	rows       int // samples of a forward pass, at most forwardRows; then it looks whether it is cancelled
	workers    []*forward[T]
}

// snapshot is a copy of a machine's parameters. It evaluates while the machine
// trains, on the cores that single-sample steps do not use.
type snapshot[T kernel.Float] struct {
	*evaluator[T]
	sets  *residents[T] // the machine's
	cores int
	taken bool
}

// Snapshot implements vm.VM.
func (m *machine[T]) Snapshot() (vm.Snapshot, error) {
	if m.snapshot == nil {
		m.snapshot = &snapshot[T]{evaluator: newEvaluator(m, m.state.like()), sets: m.sets, cores: max(1, m.cores-1)}
	}
	if m.snapshot.taken {
		return nil, errors.New("cpu: the last snapshot is still in use: close it first")
	}
	m.snapshot.taken = true
	m.snapshot.parameters.copyFrom(m.state, m.cores)
	return m.snapshot, nil
}

// LeavesCoresIdle implements vm.VM.
func (m *machine[T]) LeavesCoresIdle(batch int) bool { return batch == 1 && m.cores > 1 }

// Evaluate implements vm.Snapshot.
func (s *snapshot[T]) Evaluate(ctx context.Context, set *data.Set) (vm.Score, error) {
	r := s.sets.get(set)
	if r == nil {
		return vm.Score{}, fmt.Errorf("cpu: snapshot: %s was not loaded", set.Name)
	}
	return s.evaluate(ctx, r, s.cores)
}

// Close implements vm.Snapshot.
func (s *snapshot[T]) Close() error {
	s.taken = false
	return nil
}

// forward holds the buffers of one core.
type forward[T kernel.Float] struct {
	plan   *plan[T]
	output matrix[T] // forwardRows × n^L
	a      []float64 // a copy of a row of output
}

func newEvaluator[T kernel.Float](m *machine[T], parameters tensors[T]) *evaluator[T] {
	return &evaluator[T]{program: m.forward, kernel: m.kernel, parameters: parameters, outputs: m.network.Outputs(), rows: m.atMost(forwardRows, chunkWork)}
}

// worker returns the buffers of core i.
func (e *evaluator[T]) worker(i int) *forward[T] {
	for len(e.workers) <= i {
		pl := newPlan(e.program, e.kernel, e.parameters)
		e.workers = append(e.workers, &forward[T]{plan: pl, output: pl.buffer[e.program.Output], a: make([]float64, e.outputs)})
	}
	return e.workers[i]
}

// run computes the outputs for the first n samples, which are loaded.
func (f *forward[T]) run(n int) {
	f.plan.block(0, n)
	f.plan.run()
}

// of returns the outputs of sample r of the last run. The next call overwrites
// them.
func (f *forward[T]) of(r int) []float64 {
	for k := range f.a {
		f.a[k] = float64(f.output.at(r, k))
	}
	return f.a
}

// evaluate returns the score of a set, using at most cores cores.
func (e *evaluator[T]) evaluate(ctx context.Context, s *rows[T], cores int) (vm.Score, error) {
	blocks := (s.len() + block - 1) / block
	costs := make([]float64, blocks)
	scores := make([]vm.Score, min(cores, blocks)) // by core
	for i := range scores {
		e.worker(i) // made here, because the goroutines below only use them
		scores[i] = vm.NewScoreOf(s.set, e.outputs)
	}
	var next atomic.Int64
	parallel(len(scores), cores, func(from, to int) {
		for core := from; core < to; core++ {
			score, f := &scores[core], e.worker(core)
			s.begin(f.plan)
			f.plan.open()
			for b := int(next.Add(1)) - 1; b < blocks && ctx.Err() == nil; b = int(next.Add(1)) - 1 {
				score.Cost = 0
				e.block(ctx, f, s, b, score)
				costs[b] = score.Cost
			}
			f.plan.close()
			score.Cost = 0 // the sum has the costs of the blocks, in their order
		}
	})
	if err := ctx.Err(); err != nil {
		return vm.Score{}, err
	}
	total := vm.NewScoreOf(s.set, e.outputs)
	for _, s := range scores {
		total.Merge(s)
	}
	for _, c := range costs {
		total.Cost += c
	}
	return total.Mean(), nil
}

// block adds the samples of a block to score, or a part of them if ctx is done.
func (e *evaluator[T]) block(ctx context.Context, f *forward[T], s *rows[T], b int, score *vm.Score) {
	end := min((b+1)*block, s.len())
	for i := b * block; i < end && ctx.Err() == nil; i += e.rows {
		n := min(e.rows, end-i)
		for r := range n {
			s.load(f.plan, r, i+r)
		}
		f.run(n)
		f.plan.trust()
		for r := range n {
			score.Add(f.of(r), s.labels[i+r])
		}
	}
}
