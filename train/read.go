package train

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"trainer/data/files"
	"trainer/train/rundir"
)

// ReadMetrics reads the metrics of a run folder, an entry for each whole epoch. A folder
// without them has none. The last line may be torn, as a run that was killed leaves it;
// it is left out. Any other line that is no metrics is an error.
func ReadMetrics(folder string) ([]Metrics, error) {
	path := filepath.Join(folder, rundir.MetricsFile)
	f, err := files.OpenRegular(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	text, err := io.ReadAll(f)
	if err != nil {
		return nil, err
	}
	var all []Metrics
	number := 0
	for line := range bytes.Lines(text) {
		number++
		var m Metrics
		if err := json.Unmarshal(line, &m); err != nil {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break
			}
			return nil, fmt.Errorf("%s:%d: %w", path, number, err)
		}
		all = append(all, m)
	}
	return all, nil
}

// BestEpoch returns the index of the best of some epochs, as a run judges them; -1 if
// there is none.
func BestEpoch(epochs []Metrics) int {
	best := -1
	for i, m := range epochs {
		if best < 0 || m.better(epochs[best]) {
			best = i
		}
	}
	return best
}
