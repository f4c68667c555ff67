package main

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"trainer/configs"
	"trainer/train/config"
)

// TestInit writes each built-in configuration, which means the same as the built-in
// one, and never over a file that is there.
func TestInit(t *testing.T) {
	t.Chdir(t.TempDir())
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, name := range configs.Names() {
		builtIn, err := config.Read(name, nil)
		if err != nil {
			t.Fatal(err)
		}
		code, stdout, stderr := trainer("init", name)
		if code != exitDone || stderr != "" || !strings.Contains(stdout, "trainer -config "+name+".yaml\n") {
			t.Errorf("init %s: exit code %d, %q, %q", name, code, stdout, stderr)
		}
		if c, err := config.Read(name+".yaml", nil); err != nil || !reflect.DeepEqual(c, builtIn) {
			t.Errorf("%s.yaml: %+v, %v; want %+v", name, c, err, builtIn)
		}
	}
	if err := os.WriteFile("mnist.yaml", []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init"}, {"init", "mnist"}, {"init", "mnist.yaml"}, {"init", "textbook", "-o", "mnist.yaml"}} {
		code, stdout, stderr := trainer(args...)
		if code != exitFailed || stdout != "" || !strings.Contains(stderr, "mnist.yaml is there already") {
			t.Errorf("%v: exit code %d, %q, %q", args, code, stdout, stderr)
		}
	}
	if text, err := os.ReadFile("mnist.yaml"); err != nil || string(text) != "mine" {
		t.Errorf("mnist.yaml: %q, %v", text, err)
	}
	if code, stdout, stderr := trainer("init", "-o", "~/my first.yaml"); code != exitDone || !strings.Contains(stdout, "my first.yaml'\n") {
		t.Errorf("-o ~/: exit code %d, %q, %q", code, stdout, stderr)
	}
	text, err := os.ReadFile(filepath.Join(home, "my first.yaml"))
	if err != nil || !strings.Contains(string(text), "trainer -config '"+filepath.Join(home, "my first.yaml")+"'\n") {
		t.Errorf("%v, %s", err, text)
	}
}

// TestPresets: a built-in configuration works without files, a file here comes first,
// and what was taken is said.
func TestPresets(t *testing.T) {
	t.Chdir(t.TempDir())
	data := rows(t)
	say := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := trainer(append(args, data...)...)
		if code != exitDone || stderr != "" || !strings.HasPrefix(stdout, want) || want == "" && strings.HasPrefix(stdout, "configuration") {
			t.Errorf("%v: exit code %d, %q, %q; want %q", args, code, stdout, stderr, want)
		}
	}
	say("configuration mnist (built in)\n", "-config", "mnist")
	say("configuration mnist (built in)\n", "mnist")
	say("configuration textbook (built in)\n", "train", "textbook")
	if err := os.Mkdir("mnist", 0o700); err != nil { // a folder of data, say
		t.Fatal(err)
	}
	say("configuration mnist (built in)\n", "-config=mnist")
	if err := os.WriteFile("mnist.yaml", []byte("name: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	say("configuration mnist.yaml (the file here, not the built-in mnist)\n", "-config", "mnist")
	say("", "mnist.yaml")
	if err := os.WriteFile("textbook", []byte("name: mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	say("", "textbook")
	mine, err := filepath.Glob(filepath.Join("runs", "*-mine*"))
	if err != nil || len(mine) != 3 {
		t.Errorf("run folders of the files here: %v, %v", mine, err)
	}
	builtIn, err := filepath.Glob(filepath.Join("runs", "*-mnist*"))
	if err != nil || len(builtIn) != 3 {
		t.Errorf("run folders of mnist: %v, %v", builtIn, err)
	}
}
