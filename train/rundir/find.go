package rundir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Find returns the model file that a user's path names: the file itself, or, of
// a run folder, that of the best epoch. config is the configuration beside it,
// "" where there is none. Whether the model is there is seen when it is read.
func Find(path string) (model, config string, err error) {
	model = path
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		model = filepath.Join(path, BestFile)
	}
	config = filepath.Join(filepath.Dir(model), ConfigFile)
	switch _, err := os.Stat(config); {
	case errors.Is(err, fs.ErrNotExist):
		return model, "", nil
	case err != nil:
		return "", "", err
	}
	return model, config, nil
}
