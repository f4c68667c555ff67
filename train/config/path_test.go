package config

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"trainer/configs"
)

func TestHome(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if runtime.GOOS == "windows" {
		t.Setenv("USERPROFILE", home)
	}
	for _, c := range []struct{ dir, want string }{
		{"~/a b", filepath.Join(home, "a b")},
		{`"~/"`, home},
		{"'~'", home},
		{"x/y~z", "x/y~z"},
	} {
		got, err := readSource([]byte("data: {dir: " + c.dir + "}\nmodel: {init: {file: " + c.dir + "}}\n"))
		if err != nil || got.Data.Dir != c.want || got.Model.Init.File != c.want {
			t.Errorf("%s: %+v, %v; want %s", c.dir, got, err, c.want)
		}
		dir := strings.Trim(c.dir, `"'`)
		got, err = Read("", []string{"data.dir=" + dir, "model.init.file=" + dir})
		if err != nil || got.Data.Dir != c.want || got.Model.Init.File != c.want {
			t.Errorf("-set data.dir=%s: %+v, %v; want %s", dir, got, err, c.want)
		}
	}
	for dir, want := range map[string]string{
		"~":       `want a path; write "~/" for the home folder`,
		"~ada/x":  "only ~/ is understood",
		"a/~/x":   "at the beginning of a path only",
		`"a\tb"`:  "a backslash begins an escape",
		`"a\_b"`:  "a backslash begins an escape", // a space that does not break
		`"a\x62"`: "a backslash begins an escape",
	} {
		if _, err := readSource([]byte("data: {dir: " + dir + "}")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("data.dir: %s: %v, want %q", dir, err, want)
		}
	}
	for _, dir := range []string{"a\tb", `"a\tb"`, "a\x07b", "~ada"} {
		if c, err := Read("", []string{"data.dir=" + dir}); err == nil {
			t.Errorf("-set data.dir=%q: %q", dir, c.Data.Dir)
		}
	}
}

// TestHasEscapes: the place of a path is found behind characters of any length and
// line breaks of any kind.
func TestHasEscapes(t *testing.T) {
	for _, source := range []string{
		"data: {fallback: none, dir: \"a\\x62\"}",
		"# 手書き\r\ndata:\r\n  dir: \"a\\x62\"\r\n",
		"# a\rdata:\r  dir: \"a\\x62\"",
		"\ufeffdata: {\"dir\": \"a\\x62\"}",
		"name: r # é\ndata: { fallback: \"none\", dir: \"手\\\\a\\x62\"}",
	} {
		if c, err := readSource([]byte(source)); err == nil || !strings.Contains(err.Error(), "a backslash begins an escape") {
			t.Errorf("%q: %q, %v", source, c.Data.Dir, err)
		}
		if c, err := readSource([]byte(strings.ReplaceAll(source, `\x`, `\\x`))); err != nil {
			t.Errorf("with \\\\ in %q: %q, %v", source, c.Data.Dir, err)
		}
	}
}

func TestAbsolute(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	c := Default()
	if got, err := c.Absolute(); err != nil || !reflect.DeepEqual(got, c) {
		t.Errorf("of the defaults: %+v, %v", got, err)
	}
	elsewhere := filepath.Join(here, "e")
	c.Data.Dir, c.Model.Init = "../sets", Init{File: elsewhere}
	got, err := c.Absolute()
	if err != nil || got.Data.Dir != filepath.Join(filepath.Dir(here), "sets") || got.Model.Init.File != elsewhere {
		t.Errorf("%+v, %v", got, err)
	}
	if c.Data.Dir != "../sets" {
		t.Error("Absolute changes its receiver")
	}
	if runtime.GOOS == "windows" {
		return
	}
	bad := filepath.Join(here, "a\nb")
	if err := os.Mkdir(bad, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(bad)
	c.Data.Dir = "sets"
	if got, err := c.Absolute(); err == nil || !strings.Contains(err.Error(), "data.dir") || strings.Contains(err.Error(), "\n") {
		t.Errorf("in a directory whose name cannot be written: %+v, %v", got, err)
	}
}

// TestPathKeys: every key whose documentation speaks of a folder or a file to read has
// a path.
func TestPathKeys(t *testing.T) {
	for i := range keys {
		k := &keys[i]
		about := strings.HasPrefix(k.doc.En, "Folder") || strings.HasPrefix(k.doc.En, "File") || strings.Contains(k.doc.En, "current directory")
		if k.kind != group && about != k.isPath {
			t.Errorf("%s: isPath is %t, and the documentation %q", k.path, k.isPath, k.doc)
		}
	}
}

// TestPathLists: a list of paths is made absolute and written as one path is.
func TestPathLists(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	keys = append(keys, key{path: "data.files", isPath: true, field: func(*Config) any { return &list }})
	defer func() { keys = keys[:len(keys)-1] }()
	list = []string{"a b", `C:\new`, here}
	before := slices.Clone(list)
	if _, err := Default().Absolute(); err != nil || slices.Equal(list, before) {
		t.Errorf("%q, %v", list, err)
	}
	list = []string{"a b", `C:\new`}
	if got, want := formatPaths(&list), `["a b", 'C:\new']`; got != want {
		t.Errorf("have %s, want %s", got, want)
	}
}

func TestFind(t *testing.T) {
	t.Chdir(t.TempDir())
	find := func(name, path string, preset bool) {
		t.Helper()
		if gotPath, gotPreset := Find(name); gotPath != path || gotPreset != preset {
			t.Errorf("Find(%q) = %q, %t; want %q, %t", name, gotPath, gotPreset, path, preset)
		}
	}
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("seed: 9\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	find("mnist", "mnist", true)
	find("other", "other", false)
	find("./mnist", "./mnist", false)
	write("textbook.yml")
	find("textbook", "textbook.yml", false)
	write("mnist.yaml")
	find("mnist", "mnist.yaml", false)
	write("mnist")
	find("mnist", "mnist", false)
	if c, err := Read("mnist", nil); err != nil || c.Seed != 9 {
		t.Errorf("the file of a preset's name: %+v, %v", c, err)
	}
	want, err := Read(filepath.Join("mini", "batch.yaml"), nil)
	if err == nil {
		t.Errorf("a file that is not there: %+v", want)
	}
	c, err := Read("minibatch", []string{"seed=4"})
	if err != nil || c.Name != "minibatch" || c.Train.Batch != 128 || c.Seed != 4 {
		t.Errorf("a preset: %+v, %v", c, err)
	}
	if !slices.Contains(configs.Names(), "minibatch") {
		t.Error("minibatch is no preset")
	}
}
