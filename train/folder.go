package train

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"strconv"
	"time"

	"trainer/graph/model"
	"trainer/train/checkpoint"
	"trainer/train/rundir"
)

// saveEvery is the least time between two saves of the parameters during a
// session: a save waits for the disk.
var saveEvery = time.Second

// folder is what is saved of the best run.
type folder struct {
	last    snapshot  // after its last whole epoch
	best    snapshot  // after its best epoch
	at      *snapshot // where the best run was interrupted in an epoch, else nil
	unsaved bool      // best has changed since the last save
	saved   time.Time
	events  bool // whether the file for TensorBoard has begun

	yaml  []byte            // the configuration
	lines *lines            // what is in the file of metrics
	next  *checkpoint.State // the checkpoint to write next; nil: it is written
	first bool              // the checkpoint there is damaged, and not to be kept
	sum   func() string     // of the data set
}

// snapshot is the parameters of a run at a moment.
type snapshot struct {
	parameters model.Parameters // nil: there is no snapshot
	metrics    Metrics          // of the last whole epoch; zero before the first
	samples    int              // visited since then; 0 unless interrupted
	confusion  [][]int          // of the test set after that epoch: [label][predicted]
}

// firstFiles writes the first files of a run folder, if there is space for all.
func (s *session) firstFiles() error {
	// Two models and two checkpoints, of the parameters of all runs and the best, and
	// some for the rest.
	n := s.Config.Network()
	width := 8
	if n.Precision == model.Float32 {
		width = 4
	}
	if err := s.Dir.CheckSpace(1<<20 + int64(width*n.Size()*(2+2*(len(s.Runs)+1)))); err != nil {
		return err
	}
	s.yaml = s.Config.YAML()
	if err := s.Dir.WriteFile(rundir.ConfigFile, s.write(s.yaml)); err != nil {
		return err
	}
	s.lines = newLines()
	if s.From == nil || len(s.From.History) == 0 && len(s.Dir.Written(s.linesFile())) == 0 {
		return nil
	}
	s.lines.add(s.From.History)
	return errors.Join(
		s.Dir.WriteFile(s.linesFile(), s.write(s.From.History)), // without the lines after it
		s.writeEvents(s.From.History),
	)
}

// write returns what writes some text.
func (s *session) write(text []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(text)
		return err
	}
}

// linesFile is the file that has a line for each epoch.
func (s *session) linesFile() string { return linesFile(s.several()) }

func linesFile(several bool) string {
	if several {
		return rundir.RunMetricsFile
	}
	return rundir.MetricsFile
}

// appendMetrics writes the metrics of a whole epoch of a run.
func (s *session) appendMetrics(m RunMetrics) error {
	v := any(m.Metrics)
	if s.several() {
		v = m
	}
	line, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := s.Dir.AppendLine(s.linesFile(), line); err != nil {
		return err
	}
	s.lines.add(append(line, '\n'))
	return nil
}

// save writes the last parameters of the best run, and the best ones if they
// have changed. If one of the files fails, the other is written.
func (s *session) save() error {
	last := s.last
	if s.at != nil {
		last = *s.at
	}
	if last.parameters == nil {
		return nil
	}
	err := s.writeModel(rundir.ModelFile, last)
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
	try(s.writeCheckpoint())
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
