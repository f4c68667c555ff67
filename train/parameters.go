package train

import (
	"fmt"
	"io"
	"strconv"

	"trainer/data"
	"trainer/graph/model"
	"trainer/train/config"
)

// InitialParameters returns the parameters that training starts from, as the
// configuration's model.init says.
func InitialParameters(c config.Config) (model.Parameters, error) {
	n, init := c.Network(), c.Model.Init
	random := data.Stream(c.Seed, "initialisation", 0)
	switch init.Kind() {
	case "file":
		m, err := model.Read(init.File)
		if err != nil {
			return nil, fmt.Errorf("model.init.file: %w", err)
		}
		if err := m.Parameters.Check(n); err != nil {
			return nil, fmt.Errorf("model.init.file: %s does not fit model.layers and model.bias: %w", init.File, err)
		}
		if m.Network.Activation != n.Activation {
			return nil, fmt.Errorf("model.init.file: %s is of %v layers, and model.activation is %v", init.File, m.Network.Activation, n.Activation)
		}
		m.Parameters.Round(n.Precision)
		return m.Parameters, nil
	case "rule":
		if init.Rule == "zeros" {
			return model.NewParameters(n), nil
		}
		return model.Normal(n, model.HiddenRule(n), random), nil
	}
	return model.Normal(n, init.Std, random), nil
}

// snapshot is the parameters at a moment of the run.
type snapshot struct {
	parameters model.Parameters
	metrics    Metrics // of the last whole epoch; zero before the first
	samples    int     // visited since that epoch's end; 0 unless interrupted
}

// writeModel writes a snapshot as a model file. The metadata says what it is
// and how to evaluate it.
func (s *Session) writeModel(at snapshot) func(io.Writer) error {
	meta := map[string]string{
		"name":    s.Config.Name,
		"seed":    strconv.FormatUint(s.Config.Seed, 10),
		"dataset": s.Dataset.Name,
		"epoch":   strconv.Itoa(at.metrics.Epoch),
	}
	if at.samples > 0 {
		meta["samples_after_epoch"] = strconv.Itoa(at.samples)
	} else if at.metrics.Epoch > 0 {
		meta["train_accuracy"] = formatFloat(at.metrics.TrainAccuracy)
		meta["train_cost"] = formatFloat(at.metrics.TrainCost)
		meta["test_accuracy"] = formatFloat(at.metrics.TestAccuracy)
		meta["test_cost"] = formatFloat(at.metrics.TestCost)
	}
	return func(w io.Writer) error {
		return model.Write(w, s.Config.Network(), at.parameters, meta)
	}
}

func formatFloat(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
