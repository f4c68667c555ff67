package rundir

import (
	"os"
	"path/filepath"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	for path, want := range map[string]string{
		dir:                              filepath.Join(dir, BestFile),
		filepath.Join(dir, ModelFile):    filepath.Join(dir, ModelFile),
		filepath.Join(dir, "no", "file"): filepath.Join(dir, "no", "file"),
	} {
		if model, config, err := Find(path); err != nil || model != want || config != "" {
			t.Errorf("%s: %q, %q, %v; want %q and no configuration", path, model, config, err, want)
		}
	}
	beside := filepath.Join(dir, ConfigFile)
	if err := os.WriteFile(beside, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, filepath.Join(dir, ModelFile)} {
		if _, config, err := Find(path); err != nil || config != beside {
			t.Errorf("%s: configuration %q, %v; want %q", path, config, err, beside)
		}
	}
}
