package homedir

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// home sets the home folder.
func home(t *testing.T, dir string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Setenv("USERPROFILE", dir)
		return
	}
	t.Setenv("HOME", dir)
}

func TestExpand(t *testing.T) {
	dir := t.TempDir()
	home(t, dir)
	for path, want := range map[string]string{
		"":             "",
		"~":            dir,
		"~/":           dir,
		"~/a b/c":      filepath.Join(dir, "a b", "c"),
		"~//x":         filepath.Join(dir, "x"),
		"a":            "a",
		"./~x":         "./~x",
		"a~/b~":        "a~/b~",
		"a/~b/c":       "a/~b/c",
		"../x/":        "../x/",
		`C:\Users\me`:  `C:\Users\me`,
		"手書き数字/\u3000": "手書き数字/\u3000",
	} {
		if got, err := Expand(path); got != want || err != nil {
			t.Errorf("Expand(%q) = %q, %v; want %q", path, got, err, want)
		}
	}
	for path, want := range map[string]string{
		"~ada":     "./~ada for a name",
		"~ada/x":   "not ~ada",
		"~+/x":     "not ~+",
		"./~":      "at the beginning of a path only",
		"a/~/b":    "at the beginning of a path only",
		"~/a/~":    "at the beginning of a path only",
		"D:\new":   `"D:\new" has a control character`,
		"a\x1b[2J": `"a\x1b[2J" has a control character`,
		"a\u0085b": "control character",
	} {
		if got, err := Expand(path); got != "" && err == nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Expand(%q) = %q, %v; want an error with %q", path, got, err, want)
		}
	}
}

// TestExpandExisting: a folder ~ that exists can be named.
func TestExpandExisting(t *testing.T) {
	path := filepath.Join(t.TempDir(), "~", "x")
	if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := Expand(path); got != path || err != nil {
		t.Errorf("Expand(%q) = %q, %v", path, got, err)
	}
}

func TestExpandWithoutHome(t *testing.T) {
	for dir, want := range map[string]string{"": "home folder is not known", "~": "not an absolute path", "a": "not an absolute path"} {
		home(t, dir)
		if got, err := Expand("~/x"); got != "" || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("home %q: %q, %v; want an error with %q", dir, got, err, want)
		}
		if got, err := Expand("x"); got != "x" || err != nil {
			t.Errorf("home %q: a path without ~: %q, %v", dir, got, err)
		}
	}
}
