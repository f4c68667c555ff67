package rundir

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	expect := func(path string, want Found) {
		t.Helper()
		if got, err := Find(path); err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", path, got, err, want)
		}
	}
	put := func(name string) {
		t.Helper()
		if err := os.WriteFile(in(name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Find(dir); err == nil || !strings.Contains(err.Error(), dir+" has neither "+BestFile+" nor "+ModelFile) {
		t.Errorf("an empty folder: %v", err)
	}
	expect(in(ModelFile), Found{Model: in(ModelFile)}) // reading says that it is not there
	expect(in("no/file"), Found{Model: in("no/file")})

	put(ModelFile)
	expect(dir, Found{Model: in(ModelFile), Last: true})
	put(ConfigFile)
	expect(dir, Found{Model: in(ModelFile), Config: in(ConfigFile), Last: true})
	expect(in(ModelFile), Found{Model: in(ModelFile), Config: in(ConfigFile)})
	put(BestFile)
	expect(dir, Found{Model: in(BestFile), Config: in(ConfigFile)})
	expect(in(ModelFile), Found{Model: in(ModelFile), Config: in(ConfigFile)})

	// A link that leads nowhere is not passed over.
	if err := os.Remove(in(BestFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", in(BestFile)); err != nil {
		t.Skip(err)
	}
	expect(dir, Found{Model: in(BestFile), Config: in(ConfigFile)})
}
