package train

import (
	"fmt"

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
