package train

import (
	"fmt"

	"trainer/data"
	"trainer/graph/model"
	"trainer/train/config"
)

// InitialParameters returns the parameters that training starts from, as the
// configuration's model.init says.
//
// Weights and biases draw from streams of their own, so that random biases change
// no weight.
func InitialParameters(c config.Config) (model.Parameters, error) {
	n, init := c.Network(), c.Model.Init
	if init.File != "" {
		p, err := parametersOf(init.File, n)
		if err != nil {
			return nil, fmt.Errorf("model.init.file: %w", err)
		}
		return p, nil
	}
	var p model.Parameters
	random := data.Stream(c.Seed, "initialisation", 0)
	switch init.Rule {
	case "":
		p = model.NormalLayers(n, init.Std.Each(len(n.Layers)-1), random)
	case "hidden":
		p = model.Normal(n, model.HiddenRule(n), random)
	case "fan_in":
		p = model.NormalLayers(n, model.FanInRule(n), random)
	case "xavier":
		p = model.NormalLayers(n, model.XavierRule(n), random)
	case "zeros":
		p = model.NewParameters(n)
	default:
		return nil, fmt.Errorf("model.init.rule: unknown rule %q", init.Rule)
	}
	if init.BiasStd > 0 {
		p.NormalBiases(init.BiasStd, n.Precision, data.Stream(c.Seed, "initial biases", 0))
	}
	return p, nil
}

// parametersOf returns the parameters of the model that a path names, for network
// n, in the precision of n.
func parametersOf(path string, n model.Network) (model.Parameters, error) {
	m, err := OpenModel(path)
	if err != nil {
		return nil, err
	}
	if err := m.Parameters.Check(n); err != nil {
		return nil, fmt.Errorf("%s does not fit model.layers and model.bias: %w", m.File, err)
	}
	if m.SaysActivation && m.Network.Activation != n.Activation {
		return nil, fmt.Errorf("%s is of %v layers, and model.activation is %v", m.File, m.Network.Activation, n.Activation)
	}
	m.Parameters.Round(n.Precision)
	if bad := m.Parameters.NonFinite(); bad != "" {
		return nil, fmt.Errorf("%s: %s has a value that is too large for %v: set precision to float64", m.File, bad, n.Precision)
	}
	return m.Parameters, nil
}
