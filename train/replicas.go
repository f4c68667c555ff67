package train

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"time"

	"trainer/data"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/rundir"
)

// Replicas is a run with train.replicas: independent runs of the same training
// on the same data, of which the best is kept. Replica r is the run of
// Config.Replica(r), and comes to the same parameters and scores, to the bit
// where the fleet promises it.
//
// The folder has, during the run, replicas.jsonl (a ReplicaMetrics an epoch and
// replica), best.safetensors (the best epoch of all replicas) and
// model.safetensors (the last whole epoch of that same, best replica). At the
// end, or when the run is interrupted, replicas.json (a ReplicaResult for each)
// is written, and metrics.jsonl and the figure of the best replica. So
// best.safetensors, model.safetensors and the figure are those of the best
// replica's own run.
//
// A replica that becomes non-finite has failed: the others go on, and its
// epochs before count. When all have failed, so has the run.
type Replicas struct {
	Config  config.Config
	Dataset *data.Dataset
	Fleet   vm.Fleet // of Config.Train.Replicas.Count
	Dir     *rundir.Dir
	Watch   ReplicasWatcher
}

// ReplicasWatcher is told how a run with replicas gets on.
type ReplicasWatcher interface {
	// Batch is called now and then during an epoch, with the number of samples,
	// of all replicas together, that are done.
	Batch(epoch, done int)
	// Epoch is called after an epoch with the metrics of its best replica. best says
	// that no earlier epoch of any replica was better.
	Epoch(m ReplicaMetrics, best bool)
}

// ReplicaID says which replica.
type ReplicaID struct {
	Replica     int     `json:"replica"` // counted from 0
	Seed        uint64  `json:"seed"`
	InitialRate float64 `json:"initial_rate"` // η of the first epoch
}

// ReplicaMetrics is a line of replicas.jsonl. The replicas are trained together,
// so train_seconds, eval_seconds and samples_per_second are those of all.
type ReplicaMetrics struct {
	ReplicaID
	Metrics
}

// ReplicaResult is what became of a replica: an entry of replicas.json.
type ReplicaResult struct {
	ReplicaID
	Best   *Metrics `json:"best"`             // of its best epoch; null when it has none
	Last   *Metrics `json:"last"`             // of its last whole epoch, the same
	Failed string   `json:"failed,omitempty"` // where it became non-finite
}

// ReplicasResult is the outcome of a run with replicas.
type ReplicasResult struct {
	Replicas []ReplicaResult
	Best     int       // the replica with the best epoch of all; -1 when there is no epoch
	Epochs   []Metrics // its epochs
}

// Run trains all replicas for the configured number of epochs, and writes all
// files of the run folder.
//
// When ctx is done, the run ends after a whole step, saves what the whole
// epochs gave, and returns the context's cause. When all replicas have failed,
// the error has a *vm.NonFiniteError.
func (s *Replicas) Run(ctx context.Context) (ReplicasResult, error) {
	r := &replicas{Replicas: s, best: -1, results: make([]ReplicaResult, s.Fleet.Len()), epochs: make([][]Metrics, s.Fleet.Len())}
	if err := r.begin(); err != nil {
		return ReplicasResult{Best: -1}, err
	}
	err := r.train(ctx)
	// Whatever ended the loop, what was reached is written.
	err = errors.Join(err, r.finish())
	result := ReplicasResult{Replicas: r.results, Best: r.best}
	if r.best >= 0 {
		result.Epochs = r.epochs[r.best]
	}
	return result, err
}

// replicas is a Replicas under way.
type replicas struct {
	*Replicas
	results []ReplicaResult
	epochs  [][]Metrics // by replica
	best    int         // the best replica, -1 before the first epoch
	kept    snapshot    // of its best epoch
	last    snapshot    // of its last whole epoch
	saved   time.Time   // the last save of the parameters
	dirty   bool        // kept has changed since
}

// begin sets the first parameters of all replicas and writes the configuration.
func (r *replicas) begin() error {
	if n := r.Config.Train.Replicas.Count; n != r.Fleet.Len() {
		return fmt.Errorf("BUG: a fleet of %d for %d replicas", r.Fleet.Len(), n)
	}
	for i := range r.results {
		c := r.Config.Replica(i)
		r.results[i].ReplicaID = ReplicaID{Replica: i, Seed: c.Seed, InitialRate: c.Train.Rate.Initial}
		p, err := InitialParameters(c)
		if err != nil {
			return err
		}
		if err := r.Fleet.SetParameters(i, p); err != nil {
			return err
		}
	}
	for _, set := range []*data.Set{r.Dataset.Train, r.Dataset.Test} {
		if err := r.Fleet.Load(set); err != nil {
			return fmt.Errorf("load %s: %w", set.Name, err)
		}
	}
	r.saved = time.Now()
	return writeConfig(r.Dir, r.Config)
}

// train is the loop of the run.
func (r *replicas) train(ctx context.Context) error {
	for epoch := 1; epoch <= r.Config.Train.Epochs; epoch++ {
		if err := r.epoch(ctx, epoch); err != nil {
			if ctx.Err() != nil && errors.Is(err, ctx.Err()) {
				return context.Cause(ctx)
			}
			return fmt.Errorf("epoch %d: %w", epoch, err)
		}
	}
	return nil
}

// epoch trains and evaluates all replicas.
func (r *replicas) epoch(ctx context.Context, epoch int) error {
	passes, alive := r.passes(epoch)
	start := time.Now()
	err := r.Fleet.Train(ctx, passes)
	seconds := time.Since(start).Seconds()
	var some *vm.ReplicasError
	if errors.As(err, &some) {
		for i, bad := range some.Failed {
			r.results[i].Failed = fmt.Sprintf("epoch %d, batch %d: %v", epoch, bad.Step+1, bad)
		}
		if alive -= len(some.Failed); alive == 0 {
			return fmt.Errorf("no replica is left (see %s): %w: the learning rate may be too large (train.replicas.rates, train.rate.initial), or the first weights (model.init)",
				rundir.ReplicasFile, err)
		}
	} else if err != nil {
		return err
	}
	start = time.Now()
	trained, err := r.Fleet.Evaluate(ctx, r.Dataset.Train)
	if err != nil {
		return err
	}
	tested, err := r.Fleet.Evaluate(ctx, r.Dataset.Test)
	if err != nil {
		return err
	}
	evaluation := time.Since(start).Seconds()
	var metrics []ReplicaMetrics
	for i, result := range r.results {
		if result.Failed != "" {
			continue
		}
		metrics = append(metrics, ReplicaMetrics{result.ReplicaID, Metrics{
			Epoch: epoch, LearningRate: passes[i].Rate,
			TrainCost: trained[i].Cost, TrainAccuracy: trained[i].Accuracy(),
			TestCost: tested[i].Cost, TestAccuracy: tested[i].Accuracy(),
			TrainSeconds: seconds, EvalSeconds: evaluation,
			SamplesPerSecond: float64(alive*passes[i].Samples()) / seconds,
		}})
	}
	return r.keep(metrics)
}

// passes returns the pass of each replica, and how many have not failed.
func (r *replicas) passes(epoch int) (passes []vm.Pass, alive int) {
	done, total := make([]int, len(r.results)), 0
	passes = make([]vm.Pass, len(r.results))
	var wait sync.WaitGroup
	for i, result := range r.results {
		c := r.Config.Replica(i)
		passes[i] = vm.Pass{Set: r.Dataset.Train, Batch: c.Train.Batch, Rate: c.Train.Rate.At(epoch), Progress: func(n int) {
			total += n - done[i]
			done[i] = n
			r.Watch.Batch(epoch, total)
		}}
		if result.Failed == "" {
			alive++
		}
	}
	if r.Config.Train.Shuffle {
		workers := runtime.GOMAXPROCS(0)
		for w := range workers {
			wait.Go(func() {
				for i := w; i < len(passes); i += workers {
					passes[i].Order = data.Shuffled(passes[i].Set.Len(), r.results[i].Seed, epoch)
				}
			})
		}
		wait.Wait()
	}
	return passes, alive
}

// keep records a whole epoch of those that have not failed.
func (r *replicas) keep(all []ReplicaMetrics) error {
	top := all[0] // the best of this epoch
	for _, m := range all {
		i := m.Replica
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if err := r.Dir.AppendLine(rundir.ReplicaMetricsFile, line); err != nil {
			return err
		}
		r.epochs[i] = append(r.epochs[i], m.Metrics)
		result := &r.results[i]
		result.Last = &m.Metrics
		if result.Best == nil || m.better(*result.Best) {
			result.Best = &m.Metrics
		}
		if m.better(top.Metrics) {
			top = m
		}
	}
	improved := r.best < 0 || top.better(r.kept.metrics)
	if improved {
		r.best = top.Replica
	}
	if r.results[r.best].Failed == "" {
		p, err := r.Fleet.Parameters(r.best)
		if err != nil {
			return err
		}
		r.last = snapshot{parameters: p, metrics: *r.results[r.best].Last}
		if improved {
			r.kept, r.dirty = r.last, true
		}
	}
	r.Watch.Epoch(top, improved)
	if time.Since(r.saved) < saveEvery {
		return nil
	}
	return r.save()
}

// session returns the run of the best replica, to write its files.
func (r *replicas) session() *Session {
	return &Session{Config: r.Config.Replica(r.best), Dataset: r.Dataset, Dir: r.Dir}
}

// save writes the parameters of the best replica, if there is one.
func (r *replicas) save() error {
	if r.best < 0 {
		return nil
	}
	files := &run{Session: r.session(), last: r.last, best: r.kept, dirty: r.dirty}
	if err := files.save(); err != nil {
		return err
	}
	r.saved, r.dirty = files.saved, false
	return nil
}

// finish writes the results of all replicas, and the files of the best.
func (r *replicas) finish() error {
	if err := r.Dir.WriteFile(rundir.ReplicasFile, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(r.results)
	}); err != nil {
		return err
	}
	if r.best < 0 {
		return nil
	}
	if err := r.save(); err != nil {
		return err
	}
	var lines bytes.Buffer
	for _, m := range r.epochs[r.best] {
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		lines.Write(append(line, '\n'))
	}
	if err := r.Dir.WriteFile(rundir.MetricsFile, func(w io.Writer) error {
		_, err := w.Write(lines.Bytes())
		return err
	}); err != nil {
		return err
	}
	return r.session().writeFigure(r.epochs[r.best])
}
