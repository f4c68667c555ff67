package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Found is what a user's path of a model names.
type Found struct {
	Model  string // the model file
	Config string // the configuration beside it, "" where there is none

	// Last says that Model is the last parameters of a run folder, because there are
	// none of a best epoch: the run did not get through its first.
	Last bool
}

// Find returns what a path names: a model file, or a run folder, whose model is
// that of its best epoch. Whether a file is there is seen when it is read; a folder
// without a model is an error.
func Find(path string) (Found, error) {
	f := Found{Model: path}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		f.Model = filepath.Join(path, BestFile)
		if missing, err := isMissing(f.Model); err != nil {
			return Found{}, err
		} else if missing {
			f.Model, f.Last = filepath.Join(path, ModelFile), true
			if missing, err = isMissing(f.Model); err != nil {
				return Found{}, err
			} else if missing {
				return Found{}, fmt.Errorf("%s has neither %s nor %s: it is not a run folder, or the run has saved nothing yet", path, BestFile, ModelFile)
			}
		}
	}
	beside := filepath.Join(filepath.Dir(f.Model), ConfigFile)
	if missing, err := isMissing(beside); err == nil && !missing {
		f.Config = beside
	}
	return f, nil
}

// isMissing reports whether nothing has this name. A broken link is there: reading
// it says what is wrong.
func isMissing(path string) (bool, error) {
	_, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	return false, err
}
