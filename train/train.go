// Package train is the training loop: epochs of gradient descent on a machine,
// the learning rate's schedule, the evaluation after each epoch, and the files
// of a run.
//
// A Session has everything that a run needs. Its machine is a vm.VM of any
// kind; nothing here knows which. Replicas is the run that is several: a
// vm.Fleet trains them, and the best is kept. Equal configurations, data and machines give
// equal bits: random numbers come from streams of the run's seed.
package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"trainer/data"
	"trainer/graph/model"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/figure"
	"trainer/train/rundir"
)

// saveEvery is the least time between two saves of the parameters within a
// run: a save waits for the disk.
const saveEvery = time.Second

// Session is a run.
type Session struct {
	Config  config.Config
	Dataset *data.Dataset
	Machine vm.VM
	Dir     *rundir.Dir
	Watch   Watcher
}

// Watcher is told how a run gets on.
type Watcher interface {
	// Batch is called now and then during an epoch, with the number of its
	// samples that are done.
	Batch(epoch, done int)
	// Epoch is called after an epoch and its evaluations, perhaps while the next
	// one trains, and then from another goroutine. best says that no earlier
	// epoch was better.
	Epoch(m Metrics, best bool)
}

// Result is the outcome of a run.
type Result struct {
	Epochs       []Metrics
	Best         Metrics // of the epoch whose parameters are in best.safetensors
	StoppedEarly bool    // by train.early_stopping
}

// Run trains, once: train.replicas is the business of Replicas. It sets the
// machine's parameters, trains and evaluates for the configured number of
// epochs, and writes all files of the run folder.
//
// When ctx is done, the run ends after a whole step, saves, and returns the
// context's cause with what was reached. When a value is no longer finite, it
// returns a *vm.NonFiniteError, wrapped, and model.safetensors holds the
// parameters of the last whole epoch.
func (s *Session) Run(ctx context.Context) (Result, error) {
	r := &run{Session: s}
	if err := r.begin(); err != nil {
		return Result{}, err
	}
	err := r.epochs(ctx)
	// Whatever ended the loop, what was reached is written.
	return r.result, errors.Join(err, r.finish())
}

// run is a Session under way.
type run struct {
	*Session
	result Result
	last   snapshot // after the last whole epoch, or where the run was interrupted
	best   snapshot
	waited int       // epochs without improvement, for early stopping
	mark   float64   // the test accuracy that has to be passed, for the same
	saved  time.Time // the last save of the parameters
	dirty  bool      // best has changed since
}

// begin sets the first parameters and writes the configuration.
func (r *run) begin() error {
	if n := r.Config.Train.Replicas.Count; n > 1 {
		return fmt.Errorf("BUG: train.replicas.count is %d, and a Session is one run", n)
	}
	p, err := InitialParameters(r.Config)
	if err != nil {
		return err
	}
	if err := r.Machine.SetParameters(p); err != nil {
		return err
	}
	r.last = snapshot{parameters: p}
	for _, set := range []*data.Set{r.Dataset.Train, r.Dataset.Test} {
		if err := r.Machine.Load(set); err != nil {
			return fmt.Errorf("load %s: %w", set.Name, err)
		}
	}
	r.saved = time.Now()
	return writeConfig(r.Dir, r.Config)
}

// writeConfig writes the first file of a run, when there is space for all.
func writeConfig(dir *rundir.Dir, c config.Config) error {
	// Two models of eight bytes a parameter, and some for the rest.
	if err := dir.CheckSpace(1<<20 + int64(2*8*c.Network().Size())); err != nil {
		return err
	}
	return dir.WriteFile(rundir.ConfigFile, func(w io.Writer) error {
		_, err := w.Write(c.YAML())
		return err
	})
}

// epochs is the loop of the run. Where the machine leaves cores idle, an epoch
// is evaluated and recorded while the next one trains.
func (r *run) epochs(ctx context.Context) error {
	t := r.Config.Train
	ahead := r.Machine.Idle(t.Batch) && t.EarlyStopping.Patience == 0
	var pending chan error // of the evaluation under way
	wait := func() error {
		if pending == nil {
			return nil
		}
		err := <-pending
		pending = nil
		return err
	}
	for epoch := 1; epoch <= t.Epochs; epoch++ {
		m, done, err := r.train(ctx, epoch)
		if earlier := wait(); earlier != nil {
			return earlier
		}
		if err != nil {
			return r.stopped(ctx, err, epoch, done)
		}
		p, err := r.Machine.Parameters()
		if err != nil {
			return fmt.Errorf("epoch %d: %w", epoch, err)
		}
		if ahead && epoch < t.Epochs {
			s, err := r.Machine.Snapshot()
			if err != nil {
				return fmt.Errorf("epoch %d: %w", epoch, err)
			}
			pending = make(chan error, 1)
			go func() {
				// It is short, and an interrupted run should have its last epoch.
				err := r.evaluate(context.WithoutCancel(ctx), s, m, p)
				pending <- errors.Join(err, s.Close())
			}()
			continue
		}
		if err := r.evaluate(ctx, r.Machine, m, p); err != nil {
			return r.stopped(ctx, err, epoch, done)
		}
		if r.exhausted() {
			r.result.StoppedEarly = true
			return nil
		}
	}
	return nil
}

// train makes the pass of an epoch. It returns how many samples were visited.
func (r *run) train(ctx context.Context, epoch int) (m Metrics, done int, err error) {
	t := r.Config.Train
	m = Metrics{Epoch: epoch, LearningRate: t.Rate.At(epoch)}
	pass := vm.Pass{Set: r.Dataset.Train, Batch: t.Batch, Rate: m.LearningRate, Progress: func(n int) {
		done = n
		r.Watch.Batch(epoch, n)
	}}
	if t.Shuffle {
		pass.Order = data.Shuffled(pass.Set.Len(), r.Config.Seed, epoch)
	}
	start := time.Now()
	err = r.Machine.Train(ctx, pass)
	m.TrainSeconds = time.Since(start).Seconds()
	m.SamplesPerSecond = float64(pass.Samples()) / m.TrainSeconds
	return m, done, err
}

// evaluator is a machine, or a snapshot of one.
type evaluator interface {
	Evaluate(ctx context.Context, set *data.Set) (vm.Score, error)
}

// evaluate completes the metrics of an epoch by the scores on both sets, and
// records it with its parameters.
func (r *run) evaluate(ctx context.Context, e evaluator, m Metrics, p model.Parameters) error {
	start := time.Now()
	train, err := e.Evaluate(ctx, r.Dataset.Train)
	if err != nil {
		return err
	}
	test, err := e.Evaluate(ctx, r.Dataset.Test)
	if err != nil {
		return err
	}
	m.EvalSeconds = time.Since(start).Seconds()
	m.TrainCost, m.TrainAccuracy = train.Cost, train.Accuracy()
	m.TestCost, m.TestAccuracy = test.Cost, test.Accuracy()
	if err := r.keep(snapshot{parameters: p, metrics: m}); err != nil {
		return err
	}
	r.Watch.Epoch(m, r.result.Best.Epoch == m.Epoch)
	return nil
}

// stopped makes the error of an epoch that did not come to its end. After an
// interruption the last parameters are those of the last whole step.
func (r *run) stopped(ctx context.Context, err error, epoch, done int) error {
	var bad *vm.NonFiniteError
	switch {
	case errors.As(err, &bad):
		return fmt.Errorf("epoch %d, batch %d: %w: the learning rate %g may be too large (train.rate.initial), or the first weights (model.init)",
			epoch, bad.Step+1, err, r.Config.Train.Rate.At(epoch))
	case ctx.Err() != nil && errors.Is(err, ctx.Err()):
		p, e := r.Machine.Parameters()
		if e != nil {
			return errors.Join(context.Cause(ctx), e)
		}
		r.last.parameters, r.last.samples = p, done
		return context.Cause(ctx)
	}
	return fmt.Errorf("epoch %d: %w", epoch, err)
}

// keep records a whole epoch: its metrics, its parameters, and whether it is
// the best.
func (r *run) keep(s snapshot) error {
	m := s.metrics
	r.last = s
	if len(r.result.Epochs) == 0 || m.better(r.result.Best) {
		r.best, r.result.Best, r.dirty = s, m, true
	}
	stopping := r.Config.Train.EarlyStopping
	if len(r.result.Epochs) == 0 || m.TestAccuracy > r.mark+stopping.MinDelta {
		r.mark, r.waited = m.TestAccuracy, 0
	} else {
		r.waited++
	}
	r.result.Epochs = append(r.result.Epochs, m)
	line, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("epoch %d: %w", m.Epoch, err)
	}
	if err := r.Dir.AppendLine(rundir.MetricsFile, line); err != nil {
		return err
	}
	if time.Since(r.saved) < saveEvery {
		return nil
	}
	return r.save()
}

// save writes the last parameters, and the best if they are others than those
// of the last save.
func (r *run) save() error {
	if err := r.Dir.WriteFile(rundir.ModelFile, r.writeModel(r.last)); err != nil {
		return err
	}
	if r.dirty {
		if err := r.Dir.WriteFile(rundir.BestFile, r.writeModel(r.best)); err != nil {
			return err
		}
		r.dirty = false
	}
	r.saved = time.Now()
	return nil
}

// exhausted reports whether early stopping ends the run now.
func (r *run) exhausted() bool {
	patience := r.Config.Train.EarlyStopping.Patience
	return patience > 0 && r.waited >= patience
}

// finish writes the last and the best parameters, and the figure.
func (r *run) finish() error {
	if err := r.save(); err != nil {
		return err
	}
	if len(r.result.Epochs) == 0 {
		return nil
	}
	return r.writeFigure(r.result.Epochs)
}

// writeFigure draws the accuracies of some epochs.
func (s *Session) writeFigure(epochs []Metrics) error {
	c := figure.Curve{Title: figureTitle(s.Config.Network(), s.Dataset)}
	for _, m := range epochs {
		c.Train = append(c.Train, m.TrainAccuracy)
		c.Test = append(c.Test, m.TestAccuracy)
	}
	if err := s.Dir.WriteFile(rundir.FigureSVG, func(w io.Writer) error { return figure.SVG(w, c) }); err != nil {
		return err
	}
	return s.Dir.WriteFile(rundir.FigurePNG, func(w io.Writer) error { return figure.PNG(w, c) })
}

func figureTitle(n model.Network, d *data.Dataset) string { return fmt.Sprintf("%s: %v", d.Name, n) }
