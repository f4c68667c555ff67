package rundir

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TestDiscard: a start that fails leaves nothing, not even the parents that it made,
// and the same path works at once.
func TestDiscard(t *testing.T) {
	root := t.TempDir()
	out := filepath.Join(root, "a", "b", "run")
	for range 2 {
		d, err := Create(out, "x", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.AppendLine(LogFile, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if err := d.WriteFile(ConfigFile, func(w io.Writer) error { _, err := io.WriteString(w, "seed: 1\n"); return err }); err != nil {
			t.Fatal(err)
		}
		if err := d.Discard(); err != nil {
			t.Fatal(err)
		}
		if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
			t.Fatalf("left behind: %v, %v", entries, err)
		}
	}

	// A folder that was there stays.
	if err := os.Mkdir(filepath.Join(root, "a"), 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := Create(filepath.Join(root, "a"), "x", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Discard(); err != nil {
		t.Fatal(err)
	}
	if entries, err := os.ReadDir(filepath.Join(root, "a")); err != nil || len(entries) > 0 {
		t.Errorf("the folder that was there: %v, %v", entries, err)
	}
}

// TestDiscardParent: the parent of runs without a path is removed too if it is new.
func TestDiscardParent(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, before := range []bool{false, true} {
		if before {
			if err := os.Mkdir(Parent, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		d, err := Create("", "x", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Discard(); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(Parent); errors.Is(err, fs.ErrNotExist) == before {
			t.Errorf("%s was there: %t; now: %v", Parent, before, err)
		}
	}
}

// TestCreateFails: a path that cannot be made leaves no part of it.
func TestCreateFails(t *testing.T) {
	root := t.TempDir()
	long := make([]byte, 300) // longer than a name may be
	for i := range long {
		long[i] = 'x'
	}
	if _, err := Create(filepath.Join(root, "a", string(long), "b"), "x", time.Now()); err == nil {
		t.Error("no error")
	}
	if entries, err := os.ReadDir(root); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}
