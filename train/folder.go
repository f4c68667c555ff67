package train

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strconv"
	"time"

	"trainer/graph/model"
	"trainer/train/rundir"
)

// saveEvery is the least time between two saves of the parameters during a
// session: a save waits for the disk.
const saveEvery = time.Second

// folder is what is saved of the best run.
type folder struct {
	last    snapshot // after its last whole epoch, or where it was interrupted
	best    snapshot // after its best epoch
	unsaved bool     // best has changed since the last save
	saved   time.Time
	events  bool // whether the file for TensorBoard has begun
}

// snapshot is the parameters of a run at a moment.
type snapshot struct {
	parameters model.Parameters // nil: there is no snapshot
	metrics    Metrics          // of the last whole epoch; zero before the first
	samples    int              // visited since then; 0 unless interrupted
	confusion  [][]int          // of the test set after that epoch: [label][predicted]
}

// writeConfig writes the first file of a run folder, if there is space for all.
func (s *session) writeConfig() error {
	// Two models of eight bytes a parameter, and some for the rest.
	if err := s.Dir.CheckSpace(1<<20 + int64(2*8*s.Config.Network().Size())); err != nil {
		return err
	}
	return s.Dir.WriteFile(rundir.ConfigFile, func(w io.Writer) error {
		_, err := w.Write(s.Config.YAML())
		return err
	})
}

// appendMetrics writes the metrics of a whole epoch of a run.
func (s *session) appendMetrics(m RunMetrics) error {
	file, v := rundir.MetricsFile, any(m.Metrics)
	if s.several() {
		file, v = rundir.RunMetricsFile, m
	}
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return s.Dir.AppendLine(file, line)
}

// save writes the last parameters of the best run, and the best ones if they
// have changed. If one of the files fails, the other is written.
func (s *session) save() error {
	if s.last.parameters == nil {
		return nil
	}
	err := s.writeModel(rundir.ModelFile, s.last)
	if s.unsaved {
		best := s.writeModel(rundir.BestFile, s.best)
		s.unsaved = best != nil
		err = errors.Join(err, best)
	}
	if err == nil {
		s.saved = time.Now()
	}
	return err
}

// metaSamples is the key of the metadata of a model for the samples that were
// visited after its last whole epoch.
const metaSamples = "samples_after_epoch"

// writeModel writes a snapshot of the best run as a model file. The metadata
// says what it is, how to evaluate it, and on which set its epoch or its run was
// chosen, if they were.
func (s *session) writeModel(file string, at snapshot) error {
	meta := map[string]string{
		"name":    s.Config.Name,
		"seed":    strconv.FormatUint(s.Runs[max(s.Best, 0)].Seed, 10),
		"dataset": s.Dataset.Name,
		"epoch":   strconv.Itoa(at.metrics.Epoch),
	}
	maps.Copy(meta, s.Dataset.Metadata())
	if at.samples > 0 {
		meta[metaSamples] = strconv.Itoa(at.samples)
	} else if at.metrics.Epoch > 0 {
		meta["train_accuracy"] = formatFloat(at.metrics.TrainAccuracy)
		meta["train_cost"] = formatFloat(at.metrics.TrainCost)
		if v := at.metrics.Validation; v != nil {
			meta["validation_accuracy"] = formatFloat(v.ValidationAccuracy)
			meta["validation_cost"] = formatFloat(v.ValidationCost)
		}
		meta["test_accuracy"] = formatFloat(at.metrics.TestAccuracy)
		meta["test_cost"] = formatFloat(at.metrics.TestCost)
	}
	if file == rundir.BestFile || s.several() || s.Runs[0].StoppedEarly {
		meta["chosen_on"] = ChosenOn(s.Dataset)
	}
	return s.Dir.WriteFile(file, func(w io.Writer) error {
		return model.Write(w, s.Config.Network(), at.parameters, meta)
	})
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// finish writes what was reached, whatever ended the session. If a file fails, the
// others are written, and the error names all that failed.
func (s *session) finish() error {
	var failed error
	try := func(err error) { failed = errors.Join(failed, err) }
	if s.several() {
		try(s.Dir.WriteFile(rundir.RunsFile, func(w io.Writer) error {
			e := json.NewEncoder(w)
			e.SetIndent("", "  ")
			return e.Encode(s.Runs)
		}))
	}
	try(s.save())
	if s.Best < 0 {
		return failed
	}
	if s.several() {
		epochs := s.Runs[s.Best].Epochs
		try(s.Dir.WriteFile(rundir.MetricsFile, func(w io.Writer) error {
			e := json.NewEncoder(w)
			for _, m := range epochs {
				if err := e.Encode(m); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	try(s.writeFigures())
	return failed
}
