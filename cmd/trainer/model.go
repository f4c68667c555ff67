package main

import (
	"fmt"
	"io"

	"trainer/train"
	"trainer/train/config"
	"trainer/train/terminal"
)

// modelUsage is the text of the flag -model.
const modelUsage = "the `model`: a safetensors file, or a run folder, of which best.safetensors is taken"

// readModel reads the model that path names, and the configuration for it: that
// of the flags, or, where they name none, the one that is beside the model. It
// says on stderr what there is to know about the choice of the file.
func (c *configFlags) readModel(path string, stderr io.Writer) (config.Config, train.Trained, error) {
	m, err := openModel(path, stderr)
	if err != nil {
		return config.Config{}, m, err
	}
	if c.file == "" {
		c.file = m.Config
	}
	settings, err := c.readFor(m.Known())
	return settings, m, err
}

// readInitial reads the configuration again for a training that starts from a
// model (model.init.file).
func (c *configFlags) readInitial(path string, stderr io.Writer) (config.Config, error) {
	m, err := openModel(path, stderr)
	if err != nil {
		return config.Config{}, fmt.Errorf("model.init.file: %w", err)
	}
	known := m.Known()
	known.ToTrain = true
	return c.readFor(known)
}

// readFor reads the configuration for the network of a model.
func (c *configFlags) readFor(known config.Known) (config.Config, error) {
	sets, err := c.settings()
	if err != nil {
		return config.Config{}, err
	}
	return config.ReadFor(c.file, sets, known)
}

func openModel(path string, stderr io.Writer) (train.Trained, error) {
	m, err := train.OpenModel(path)
	if err == nil && m.Note != "" {
		_, _ = fmt.Fprintln(stderr, terminal.Line(m.Note))
	}
	return m, err
}
