package train

import (
	"fmt"
	"time"

	"trainer/train/rundir"
	"trainer/train/tensorboard"
)

// appendEvents writes the metrics of a whole epoch of a run for TensorBoard, if the
// configuration asks for it.
func (s *session) appendEvents(m RunMetrics) error {
	if !s.Config.Log.TensorBoard {
		return nil
	}
	return s.Dir.Append(rundir.EventsFile, s.eventsOf(m))
}

// writeEvents writes the file anew, with the epochs before a checkpoint.
func (s *session) writeEvents(history []byte) error {
	if !s.Config.Log.TensorBoard {
		return nil
	}
	var records []byte
	if err := s.eachLine(history, func(m RunMetrics) { records = append(records, s.eventsOf(m)...) }); err != nil {
		return err
	}
	return s.Dir.WriteFile(rundir.EventsFile, s.write(records))
}

// eventsOf returns the records of an epoch, with the beginning of the file before the
// first.
func (s *session) eventsOf(m RunMetrics) []byte {
	group := ""
	if s.several() {
		group = fmt.Sprintf("run %d/", m.Run)
	}
	values := []tensorboard.Scalar{
		{Tag: group + "accuracy/train", Value: m.TrainAccuracy}, {Tag: group + "accuracy/test", Value: m.TestAccuracy},
		{Tag: group + "cost/train", Value: m.TrainCost}, {Tag: group + "cost/test", Value: m.TestCost},
		{Tag: group + "learning_rate", Value: m.LearningRate}, {Tag: group + "samples_per_second", Value: m.SamplesPerSecond},
	}
	if v := m.Validation; v != nil {
		values = append(values, tensorboard.Scalar{Tag: group + "accuracy/validation", Value: v.ValidationAccuracy},
			tensorboard.Scalar{Tag: group + "cost/validation", Value: v.ValidationCost})
	}
	now := time.Now()
	records := tensorboard.Step(now, m.Epoch, values)
	if !s.events {
		records = append(tensorboard.Start(now), records...)
	}
	s.events = true
	return records
}
