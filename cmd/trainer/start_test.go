package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"

	"trainer/data"
	"trainer/graph/model"
	"trainer/train/config"
	"trainer/train/rundir"
)

// TestHome: ~ is the home folder in every path, or an error; no folder ~ is made.
func TestHome(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("sets HOME")
	}
	flags := rows(t)
	at := slices.IndexFunc(flags, func(s string) bool { return strings.HasPrefix(s, "data.dir=") })
	home, here := t.TempDir(), t.TempDir()
	if err := os.CopyFS(filepath.Join(home, "set"), os.DirFS(strings.TrimPrefix(flags[at], "data.dir="))); err != nil {
		t.Fatal(err)
	}
	flags[at] = "data.dir=~/set"
	t.Chdir(here)
	t.Setenv("HOME", home)
	done := func(args ...string) string {
		t.Helper()
		code, stdout, stderr := trainer(args...)
		if code != exitDone || stderr != "" {
			t.Fatalf("%v: exit code %d, %q, %q", args, code, stdout, stderr)
		}
		return stdout
	}
	done(append(flags, "-out=~/runs/a")...)
	done(append(flags, "-out", "~/b", "-set", "model.init.file=~/runs/a/best.safetensors")...)
	if err := os.WriteFile(filepath.Join(home, "c.yaml"), []byte("data:\n  dataset: idx\n  dir: ~/set\nmodel:\n  layers: [16, 5, 3]\n  init:\n    file: \"~/runs/a/best.safetensors\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	done("~/c.yaml", "-out", "~/c")
	done("-config=~/c.yaml", "-out", "~/d")
	text, err := os.ReadFile(filepath.Join(home, "d", rundir.ConfigFile))
	if err != nil || bytes.Contains(text, []byte("~")) || !bytes.Contains(text, []byte(`dir: "`+filepath.Join(home, "set"))) ||
		!bytes.Contains(text, []byte(`file: "`+filepath.Join(home, "runs", "a", rundir.BestFile))) {
		t.Errorf("config.yaml: %s, %v", text, err)
	}
	done("eval", "~/b")
	done("eval", "-model=~/b/"+rundir.ModelFile, "-config", "~/c.yaml")
	done("gradcheck", "-model", "~/b")
	done("graph", "-o", "~/graph.txt")
	if _, err := os.Stat(filepath.Join(home, "graph.txt")); err != nil {
		t.Error(err)
	}

	for name, change := range map[string]func(*testing.T) []string{
		"no home":      func(t *testing.T) []string { t.Setenv("HOME", ""); return append(flags, "-out=~/x") },
		"home ~":       func(t *testing.T) []string { t.Setenv("HOME", "~"); return append(flags, "-out=~/x") },
		"another user": func(*testing.T) []string { return append(flags, "-out=~ada/x") },
		"later":        func(*testing.T) []string { return append(flags, "-out=runs/~/x") },
		"last":         func(*testing.T) []string { return append(flags, "-out=./~") },
		"data": func(t *testing.T) []string {
			t.Setenv(data.EnvDir, "~ada/mnist")
			return []string{"-config", "mnist", "-out", "x"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			if code, _, stderr := trainer(change(t)...); code == exitDone || !strings.Contains(stderr, "~") {
				t.Errorf("exit code %d, %q", code, stderr)
			}
		})
	}
	if entries, err := os.ReadDir(here); err != nil || len(entries) > 0 {
		t.Errorf("in the current directory: %v, %v", entries, err)
	}
}

// TestFailedStart: a start that fails leaves nothing, and the corrected command works
// at once.
func TestFailedStart(t *testing.T) {
	t.Chdir(t.TempDir())
	flags := append(rows(t), "-set", "train.epochs=1")
	train := func(args ...string) (code int, stderr string) {
		code, stdout, stderr := trainer(append(slices.Clone(flags), args...)...)
		if code != exitDone && stdout != "" {
			t.Errorf("%v: a start that could be known to fail: %q", args, stdout)
		}
		return code, stderr
	}
	if code, stderr := train("-out", "a"); code != exitDone {
		t.Fatal(stderr)
	}
	if err := os.WriteFile("text", []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, bad := range [][]string{
		{"-set", "model.init.file=a/bset.safetensors"},
		{"-set", "model.init.file=text"},
		{"-set", "model.init.file=a/best.safetensors", "-set", "model.layers=[16, 6, 3]"},
		{"-set", "model.init.file=a/best.safetensors", "-set", "model.bias=false"},
		{"-set", "model.init.file=a/best.safetensors", "-set", "model.activation=tanh"},
		{"-set", "model.init.file=a/bset.safetensors", "-set", "train.runs.count=2"},
		{"-set", "data.dir=nowhere"},
		{"-set", "model.layers=[17, 3]"},
		{"-set", "model.layers=[16, 2]"},
	} {
		for _, out := range []string{"-out=exp/1", ""} {
			args := bad
			if out != "" {
				args = append(slices.Clone(bad), out)
			}
			if code, stderr := train(args...); code == exitDone {
				t.Errorf("%v: exit code %d, %q", args, code, stderr)
			}
			for _, path := range []string{"exp", "runs"} {
				if _, err := os.Stat(path); err == nil {
					t.Errorf("%v: %s is there", args, path)
				}
			}
		}
	}
	if code, stderr := train("-set", "model.init.file=a/best.safetensors", "-out=exp/1"); code != exitDone {
		t.Errorf("the corrected command: exit code %d, %q", code, stderr)
	}
	log, err := os.ReadFile(filepath.Join("exp", "1", rundir.LogFile))
	if err != nil || len(log) == 0 {
		t.Errorf("log: %q, %v", log, err)
	}
}

// TestFailedStartLate: the folder has its log already when the session cannot start,
// here because the disk is full.
func TestFailedStartLate(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("limits the size of files")
	}
	dir := t.TempDir()
	c := process(append(rows(t), "-out", filepath.Join(dir, "exp", "run"))...)
	c.Args = append([]string{"sh", "-c", `trap '' XFSZ; ulimit -f 1; exec "$@"`, "sh"}, append([]string{os.Args[0]}, c.Args[1:]...)...)
	c.Path = "/bin/sh"
	var stderr bytes.Buffer
	c.Stderr = &stderr
	err := c.Run()
	if c.ProcessState.ExitCode() != exitFailed || !strings.Contains(stderr.String(), "cannot take") {
		t.Errorf("%v: %s", err, stderr.String())
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

// TestRelativePaths: a run folder is evaluated, run again and checked from anywhere.
func TestRelativePaths(t *testing.T) {
	flags := rows(t)
	at := slices.IndexFunc(flags, func(s string) bool { return strings.HasPrefix(s, "data.dir=") })
	root := t.TempDir()
	if err := os.CopyFS(filepath.Join(root, "手書き 'set'"), os.DirFS(strings.TrimPrefix(flags[at], "data.dir="))); err != nil {
		t.Fatal(err)
	}
	flags[at] = `data.dir="手書き 'set'"`
	t.Chdir(root)
	done := func(args ...string) {
		t.Helper()
		if code, stdout, stderr := trainer(args...); code != exitDone || stderr != "" {
			t.Fatalf("%v: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	done(append(flags, "-out", "first")...)
	done(append(flags, "-out", "run", "-set", "model.init.file=first/best.safetensors")...)
	if err := os.MkdirAll(filepath.Join("other", "place"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Join(root, "other", "place"))
	done("eval", "../../run")
	done("eval", "-model", filepath.Join(root, "run", rundir.ModelFile))
	done("gradcheck", "../../run")
	done("../../run/config.yaml", "-out", "again")
	first, err := os.ReadFile(filepath.Join(root, "run", rundir.ConfigFile))
	if err != nil {
		t.Fatal(err)
	}
	if again, err := os.ReadFile(filepath.Join("again", rundir.ConfigFile)); err != nil || !bytes.Equal(first, again) {
		t.Errorf("the configuration of the second run differs, %v:\n%s", err, again)
	}
	want, err := model.Read(filepath.Join(root, "run", rundir.BestFile))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := model.Read(filepath.Join("again", rundir.BestFile)); err != nil || !reflect.DeepEqual(got.Parameters, want.Parameters) {
		t.Errorf("the parameters of the second run differ, %v", err)
	}
}

// TestSettled: what a run keeps gives the same data elsewhere.
func TestSettled(t *testing.T) {
	t.Chdir(t.TempDir())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ env, set, source, want string }{
		{"", "data.dir=", "/home/ada/.cache/trainer/mnist", ""}, // found from everywhere
		{"", "data.dir=", filepath.Join("data", "mnist"), filepath.Join(here, "data", "mnist")},
		{"sets", "data.dir=", "sets", filepath.Join(here, "sets")},
		{"/sets", "data.dir=", "/sets", "/sets"},
		{"/sets", "data.dir=x", "x", filepath.Join(here, "x")},
		{"/sets", "data.dataset=digits", data.BuiltIn, ""},
	} {
		t.Setenv(data.EnvDir, c.env)
		before, err := config.Read("", []string{c.set})
		if err != nil {
			t.Fatal(err)
		}
		got, err := settled(before, &data.Dataset{Source: c.source})
		if err != nil || got.Data.Dir != c.want {
			t.Errorf("%+v: data.dir %q, %v", c, got.Data.Dir, err)
		}
	}
	got, err := settled(config.Default(), &data.Dataset{Source: data.BuiltIn})
	if err != nil || got.Data.Dataset != "digits" || got.Name != "run-digits" || got.Data.Dir != "" {
		t.Errorf("the fallback: %+v, %v", got, err)
	}
}
