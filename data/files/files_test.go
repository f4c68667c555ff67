package files_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"trainer/data/files"
	"trainer/data/files/filestest"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

func want(t *testing.T, path, want string) {
	t.Helper()
	if b, err := os.ReadFile(path); err != nil || string(b) != want {
		t.Errorf("%s: %q, %v; want %q", path, b, err, want)
	}
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func TestWrite(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.csv")
	for _, s := range []string{"one", "two, longer", "", strings.Repeat("x", 1<<20)} {
		if err := files.Write(path, text(s)); err != nil {
			t.Fatal(err)
		}
		want(t, path, s)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("out.csv", link); err != nil {
		t.Skip(err)
	}
	if err := files.Write(link, text("through the link")); err != nil {
		t.Error(err)
	}
	want(t, path, "through the link")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the permissions are %v, %v", info.Mode(), err)
	}
	boom := errors.New("boom")
	err := files.Write(path, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return boom
	})
	if !errors.Is(err, boom) {
		t.Errorf("error %v", err)
	}
	want(t, path, "through the link")
	if err := os.Chmod(path, 0o440); err != nil {
		t.Fatal(err)
	}
	if err := files.Write(path, text("x")); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), path) {
		t.Errorf("a read-only file: %v", err)
	}
	for _, bad := range []string{dir, filepath.Join(dir, "none", "x"), filepath.Join(path, "x")} {
		if err := files.Write(bad, text("x")); err == nil || !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "dangling")); err != nil {
		t.Fatal(err)
	}
	if err := files.Write(filepath.Join(dir, "dangling"), text("x")); err == nil || !strings.Contains(err.Error(), "is a link") {
		t.Errorf("a dangling link: %v", err)
	}
	if got := names(t, dir); !slices.Equal(got, []string{"dangling", "link", "out.csv"}) {
		t.Errorf("the folder holds %q", got)
	}
	if err := files.Write(os.DevNull, text("x")); err != nil {
		t.Error(err)
	}
}

// TestReplaceFaults: whichever call fails, the old file or the new one is there, and
// nothing else.
func TestReplaceFaults(t *testing.T) {
	dir := t.TempDir()
	d, err := files.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	path := filepath.Join(dir, "f")
	for k := 1; ; k++ {
		if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
		f := &filestest.FS{FS: d, Fail: k, Short: k%2 == 0}
		err := files.Replace(f, "temp", "f", text(strings.Repeat("new", 100_000)))
		if f.Failed == "" {
			if err != nil || k < 8 {
				t.Errorf("without a fault: %v after %d calls", err, k)
			}
			return
		}
		if !errors.Is(err, filestest.ErrFault) {
			t.Errorf("call %d (%s): %v", k, f.Failed, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != "old" && len(b) != 300_000 {
			t.Errorf("call %d (%s): %d bytes, %v", k, f.Failed, len(b), err)
		}
		if got := names(t, dir); !slices.Equal(got, []string{"f"}) {
			t.Errorf("call %d (%s): the folder holds %q", k, f.Failed, got)
		}
	}
}

// TestSweep: what a killed process left is removed; what is young, locked or foreign
// stays.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	d, err := files.OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	busy, err := d.Create(files.TempPrefix + "busy")
	if err != nil {
		t.Fatal(err)
	}
	defer busy.Close()
	old := time.Now().Add(-time.Hour)
	for _, name := range []string{files.TempPrefix + "dead", files.TempPrefix + "young", "other"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{files.TempPrefix + "dead", files.TempPrefix + "busy", "other"} {
		if err := os.Chtimes(filepath.Join(dir, name), old, old); err != nil {
			t.Fatal(err)
		}
	}
	if err := files.Write(filepath.Join(dir, "out"), text("x")); err != nil {
		t.Fatal(err)
	}
	all := []string{files.TempPrefix + "busy", files.TempPrefix + "young", "other", "out"}
	if got := names(t, dir); !slices.Equal(got, all) && files.CanRemoveOpen {
		t.Errorf("the folder holds %q, want %q", got, all)
	}
}
