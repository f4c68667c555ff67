package rundir

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trainer/data/files"
)

// plants are what somebody else may put in the place of a file of a run. Each names
// the victim, a file that must not change.
var plants = map[string]func(path, victim string) error{
	"link":          func(path, victim string) error { return os.Symlink(victim, path) },
	"dangling link": func(path, _ string) error { return os.Symlink("/nowhere/x", path) },
	"inner link":    func(path, _ string) error { return os.Symlink("victim", path) },
	"hard link":     func(path, victim string) error { return os.Link(victim, path) },
	"file":          func(path, _ string) error { return os.WriteFile(path, []byte("precious"), 0o600) },
	"folder":        func(path, _ string) error { return os.Mkdir(path, 0o700) },
}

// TestForeignFiles: whatever stands in the place of a file of the run or of one of its
// temporary files, is refused, stays as it is, and nothing waits.
func TestForeignFiles(t *testing.T) {
	for what, plant := range plants {
		for _, name := range []string{MetricsFile, ModelFile, tempName(ModelFile), lockName} {
			for _, when := range []string{"before the start", "during the run", "in place of ours"} {
				t.Run(fmt.Sprintf("%s, %s, %s", what, name, when), func(t *testing.T) {
					testForeignFile(t, name, when, plant)
				})
			}
		}
	}
}

func testForeignFile(t *testing.T, name, when string, plant func(path, victim string) error) {
	out := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	victim := filepath.Join(filepath.Dir(out), "victim")
	if err := os.WriteFile(victim, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(out, name)
	planted := func() fs.FileInfo {
		if err := plant(path, victim); err != nil {
			t.Fatal(err)
		}
		info, err := os.Lstat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info
	}
	var before fs.FileInfo
	var d *Dir
	var err error
	if when == "before the start" {
		before = planted()
		d, err = Create(out, "", noon)
	} else {
		if d, err = Create(out, "", noon); err != nil {
			t.Fatal(err)
		}
		if when == "in place of ours" {
			mustWrite(t, d, ModelFile, "one")
			if err := d.AppendLine(MetricsFile, []byte("one")); err != nil {
				t.Fatal(err)
			}
		}
		if name == lockName || when == "in place of ours" && !isTemp(name) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		before = planted()
		err = errors.Join(d.WriteFile(ModelFile, text("two")), d.AppendLine(MetricsFile, []byte("two")))
	}
	leftover := when == "before the start" && isTemp(name) && before.Mode().IsRegular() // it has our name
	if err == nil && !leftover && (name != lockName || when == "before the start") {
		t.Error("no error")
	}
	if err != nil && strings.Contains(err.Error(), "\n"+path) {
		t.Errorf("%v", err)
	}
	if d != nil {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	if leftover {
		return
	}
	after, err := os.Lstat(path)
	if err != nil || !os.SameFile(before, after) || before.ModTime() != after.ModTime() || before.Size() != after.Size() && !before.IsDir() {
		t.Errorf("what was there has changed: %v, %v", after, err)
	}
	wantFile(t, victim, "precious")
	if _, err := os.Lstat(filepath.Join(out, "victim")); err == nil {
		t.Error("a link was followed")
	}
}

// TestMoved: a folder that is moved away stays the run's; another run gets its path,
// and neither touches the other.
func TestMoved(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	away := out + "-away"
	d := mustCreate(t, out)
	mustWrite(t, d, ConfigFile, "first")
	if err := os.Rename(out, away); err != nil {
		t.Skip(err) // this system does not move an open folder
	}
	second := mustCreate(t, out)
	mustWrite(t, second, ConfigFile, "second")
	if err := d.AppendLine(MetricsFile, []byte("first")); err != nil {
		t.Error(err)
	}
	mustWrite(t, d, ModelFile, "first")
	if path, moved := d.Where(); !moved || path != away && path != "" {
		t.Errorf("the first run is in %q, %t", path, moved)
	}
	if path, moved := second.Where(); moved || path != out {
		t.Errorf("the second run is in %q, %t", path, moved)
	}
	if _, err := Open(away); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("the moved folder is not locked: %v", err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(out); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("the first run has unlocked the folder of the second: %v", err)
	}
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	for path, want := range map[string][]string{away: {ConfigFile, MetricsFile, ModelFile}, out: {ConfigFile}} {
		if got := namesIn(t, path); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	wantFile(t, filepath.Join(away, ConfigFile), "first")
	wantFile(t, filepath.Join(out, ConfigFile), "second")
}

// TestMovedEmpty: a run that wrote nothing removes its empty folder, but not that of
// another run that has taken the path.
func TestMovedEmpty(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	d := mustCreate(t, out)
	if err := os.Rename(out, out+"-away"); err != nil {
		t.Skip(err)
	}
	if err := os.Mkdir(out, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(out); err != nil {
		t.Error(err)
	}
}

// TestLeftovers: what a start leaves behind that was killed does not stop the next one.
func TestLeftovers(t *testing.T) {
	dead := process{1 << 22, self().host}.text() // above the largest process ID
	leave := func(path string) {
		for name, content := range map[string]string{lockName: dead, tempName("space"): "000", tempName(ConfigFile): "seed"} {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(path, name), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, locks := range []bool{true, false} {
		if !locks {
			tryLock = func(*os.File) error { return errors.ErrUnsupported }
			defer func() { tryLock = files.TryLock }()
		}
		out := filepath.Join(t.TempDir(), "run")
		leave(out)
		d := mustCreate(t, out)
		if got := namesIn(t, out); !slices.Equal(got, []string{lockName}) {
			t.Errorf("locks %t: the folder holds %q", locks, got)
		}
		if _, err := Create(out, "", noon); err == nil || !strings.Contains(err.Error(), "in use by process") {
			t.Errorf("locks %t: a second run got the folder: %v", locks, err)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := namesIn(t, out); len(got) > 0 {
			t.Errorf("locks %t: the folder holds %q", locks, got)
		}
	}
	// A lock whose process may run elsewhere is not taken over.
	out := t.TempDir()
	if err := os.WriteFile(filepath.Join(out, lockName), []byte(process{1 << 22, "elsewhere"}.text()), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(out, "", noon); err == nil || !strings.Contains(err.Error(), "on elsewhere") {
		t.Errorf("took the lock of another computer: %v", err)
	}
}

// TestSweep: the folders of killed starts are removed, and nothing else is.
func TestSweep(t *testing.T) {
	t.Chdir(t.TempDir())
	old := time.Now().Add(-time.Hour)
	for path, content := range map[string][]string{
		"runs/20250101-000000-dead":    {lockName, tempName("space")},
		"runs/20250101-000000-dead-2":  {},
		"runs/20250101-000000-log":     {lockName, LogFile},
		"runs/20250101-000000-foreign": {"notes.txt"},
		"runs/mine":                    {},
		"runs/20250101-000000-young":   {},
	} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, name := range content {
			if err := os.WriteFile(filepath.Join(path, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if !strings.HasSuffix(path, "young") {
			if err := os.Chtimes(path, old, old); err != nil {
				t.Fatal(err)
			}
		}
	}
	d, err := Create("", "live", noon)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if err := os.Chtimes(d.Path(), old, old); err != nil {
		t.Fatal(err)
	}
	e, err := Create("", "second", noon)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want := []string{"20250101-000000-foreign", "20250101-000000-log", "20250101-000000-young", filepath.Base(d.Path()), filepath.Base(e.Path()), "mine"}
	if got := namesIn(t, "runs"); !slices.Equal(got, want) {
		t.Errorf("runs holds %q, want %q", got, want)
	}
}

// TestWritten: only files that are there and of this run are listed.
func TestWritten(t *testing.T) {
	d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
	mustWrite(t, d, ConfigFile, "a")
	mustWrite(t, d, ModelFile, "b")
	mustWrite(t, d, BestFile, "c")
	if err := errors.Join(os.Remove(d.File(ModelFile)), os.Remove(d.File(BestFile)), os.WriteFile(d.File(BestFile), []byte("x"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if got := d.Written(runFiles...); !slices.Equal(got, []string{ConfigFile}) {
		t.Errorf("written %q", got)
	}
}
