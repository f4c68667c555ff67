package train

import (
	"fmt"
	"path/filepath"

	"trainer/data"
	"trainer/graph/model"
	"trainer/train/config"
	"trainer/train/rundir"
)

// Trained is a model that a user's path names.
type Trained struct {
	model.Model
	Meaning data.Meaning // as far as the file says it
	File    string       // the model file
	Config  string       // the configuration beside it, "" where there is none
	Note    string       // what the user should know about the choice of the file, or ""
}

// OpenModel reads the model that a path names: a safetensors file, or a run
// folder. Of a run folder it takes the parameters of the best epoch, or the last
// ones where the run did not get through its first epoch; then there is a note.
func OpenModel(path string) (Trained, error) {
	found, err := rundir.Find(path)
	if err != nil {
		return Trained{}, err
	}
	m, err := model.Read(found.Model)
	if err != nil {
		return Trained{}, err
	}
	meaning, err := data.ReadMeaning(m.Metadata)
	if err != nil {
		return Trained{}, fmt.Errorf("model: %s: %w", found.Model, err)
	}
	t := Trained{Model: m, Meaning: meaning, File: found.Model, Config: found.Config}
	if found.Last {
		t.Note = fmt.Sprintf("%s has no %s, because no epoch was completed: taking %s, %s",
			path, rundir.BestFile, filepath.Base(found.Model), reached(m.Metadata))
	}
	return t, nil
}

// reached says which parameters a run has saved that did not complete an epoch.
func reached(metadata map[string]string) string {
	if samples := metadata[metaSamples]; samples != "" {
		return fmt.Sprintf("the parameters after %s samples of its first epoch", samples)
	}
	return "its first parameters, before any training"
}

// Known returns what the configuration of this model must agree with.
func (t Trained) Known() config.Known {
	return config.Known{File: t.File, Network: t.Network, Activation: t.SaysActivation, Precision: t.SaysPrecision, Meaning: t.Meaning}
}
