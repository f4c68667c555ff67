package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"trainer/configs"
	"trainer/train/config"
)

// completion returns the completion for a shell.
func completion(t *testing.T, shell string) string {
	t.Helper()
	code, stdout, stderr := trainer("completion", shell)
	if code != exitDone || stderr != "" {
		t.Fatalf("%s: exit code %d, %q", shell, code, stderr)
	}
	return stdout
}

// TestCompletionWords: each completion has all commands, flags, keys, and values of
// keys.
func TestCompletionWords(t *testing.T) {
	for _, shell := range shellNames() {
		text := completion(t, shell)
		words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n'\"|()[]:;*", r) })
		want := configs.Names()
		for _, c := range commands() {
			want = append(want, c.name)
			for _, f := range c.flags() {
				if shell == "fish" {
					want = append(want, f.Name)
				} else {
					want = append(want, "-"+f.Name)
				}
			}
		}
		for _, k := range config.Keys() {
			if shell == "zsh" {
				want = append(want, k.Path)
				want = append(want, k.Values...)
				continue
			}
			want = append(want, k.Path+"=")
			for _, v := range k.Values {
				want = append(want, k.Path+"="+v)
			}
		}
		for _, w := range want {
			if !slices.Contains(words, w) {
				t.Errorf("%s: no %s", shell, w)
			}
		}
		if strings.Contains(text, "<no value>") {
			t.Errorf("%s: a hole in the template", shell)
		}
	}
}

// TestCompletionSyntax: each shell that is there reads its completion.
func TestCompletionSyntax(t *testing.T) {
	for shell, flag := range map[string]string{"bash": "-n", "zsh": "-n", "fish": "--no-execute"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skipf("%s is not installed: the syntax of its completion is not checked", shell)
			}
			file := filepath.Join(t.TempDir(), "completion")
			if err := os.WriteFile(file, []byte(completion(t, shell)), 0o600); err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(path, flag, file).CombinedOutput(); err != nil || len(out) > 0 {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// TestCompletionBash runs bash's completion as bash does. Bash splits words at =.
func TestCompletionBash(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash is not installed")
	}
	dir := t.TempDir()
	for _, name := range []string{"my set.yaml", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "runs"), 0o700); err != nil {
		t.Fatal(err)
	}
	var names []string
	flags := map[string]string{}
	for _, c := range commands() {
		names = append(names, c.name)
		for _, f := range c.flags() {
			flags[c.name] += "-" + f.Name + "|"
		}
	}
	presets := strings.Join(configs.Names(), "|")
	var keys []string
	for _, k := range config.Keys() {
		keys = append(keys, k.Path+"=")
	}
	var script strings.Builder
	script.WriteString(completion(t, "bash"))
	script.WriteString("complete -p trainer\n")
	tests := []struct{ words, want string }{
		{"ev", "eval"},
		{"", presets + "|my set.yaml|runs|" + strings.Join(names, "|")},
		{"-", flags["train"] + "-h"},
		{"--co", "-config"},
		{"eval -", flags["eval"] + "-h"},
		{"eval r", "runs"},
		{"eval -model n", "notes.txt"},
		{"-out ''", "runs"},
		{"-config ''", presets + "|my set.yaml|runs"},
		{"-config m", "minibatch|mnist|my set.yaml"},
		{"-config = m", "minibatch|mnist|my set.yaml"},
		{"-device ''", strings.Join(config.Devices, "|")},
		{"--device c", "cpu|cuda"},
		{"-device = cu", "cuda"},
		{"-set ''", strings.Join(keys, "|")},
		{"-set train.ep", "train.epochs="},
		{"-set train.epochs = ''", ""},
		{"-set device =", strings.Join(config.Devices, "|")},
		{"-set device = c", "cpu|cuda"},
		{"-set = device = c", "cpu|cuda"},
		{"-set model.bias = t", "true"},
		{"-set data.dir = r", "runs"},
		{"-set seed = 1 -set update", ""},
		{"-set seed = 1 -set train.update_order = l", "listing"},
		{"mnist -set seed = 1 -dev", "-device"},
		{"graph -format ''", "text|dot|svg"},
		{"graph -format s", "svg"},
		{"graph min", "minibatch"},
		{"init m", "minibatch|mnist"},
		{"completion ''", "bash|zsh|fish"},
		{"help co", "config|compare|completion"},
		{"version ''", ""},
	}
	for _, c := range tests {
		fmt.Fprintf(&script, "COMP_WORDS=(trainer %s); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); COMPREPLY=(); _trainer; (IFS='|'; echo \"${COMPREPLY[*]}\")\n",
			map[bool]string{true: "''", false: c.words}[c.words == ""])
	}
	c := exec.Command(bash, "--norc", "--noprofile", "-c", script.String())
	c.Dir = dir
	out, err := c.CombinedOutput()
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if err != nil || len(lines) != len(tests)+1 || !strings.Contains(lines[0], "_trainer") {
		t.Fatalf("%v, %d lines: %s", err, len(lines), out)
	}
	sorted := func(s string) []string { return slices.Sorted(slices.Values(strings.Split(s, "|"))) }
	for i, c := range tests {
		if got := lines[i+1]; !slices.Equal(sorted(got), sorted(c.want)) {
			t.Errorf("trainer %s: %q, want %q", c.words, got, c.want)
		}
	}
}
