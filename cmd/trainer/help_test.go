package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"trainer/data/lang"
	"trainer/train/config"
	"trainer/train/terminal"
)

// TestHelp compares the help texts with golden files. Run the test with -update to
// write them anew.
func TestHelp(t *testing.T) {
	texts := map[string][]string{"trainer": {"help"}}
	for _, c := range commands() {
		texts[c.name] = []string{"help", c.name}
	}
	for name, args := range texts {
		code, stdout, stderr := trainer(args...)
		if code != exitDone || stderr != "" {
			t.Errorf("%v: exit code %d, %q", args, code, stderr)
		}
		for line := range strings.Lines(stdout) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width || strings.TrimRight(line, " \n") != strings.TrimSuffix(line, "\n") {
				t.Errorf("%v: a line of %d characters, or with spaces at its end: %q", args, n, line)
			}
		}
		path := filepath.Join("testdata", "help", name+".txt")
		if *update {
			if err := os.WriteFile(path, []byte(stdout), 0o666); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if want, err := os.ReadFile(path); err != nil || stdout != string(want) {
			t.Errorf("%v: %v; run go test ./cmd/trainer -run TestHelp -update, and look at the difference; have\n%s", args, err, stdout)
		}
	}
}

// TestHelpEverywhere: the help is the same in all the ways to ask for it, and a bare
// trainer trains nothing.
func TestHelpEverywhere(t *testing.T) {
	t.Chdir(t.TempDir())
	same := func(want string, args ...string) {
		t.Helper()
		code, stdout, stderr := trainer(args...)
		if code != exitDone || stderr != "" || stdout != want {
			t.Errorf("%v: exit code %d, %q; have\n%s\nwant\n%s", args, code, stderr, stdout, want)
		}
	}
	for _, args := range [][]string{{}, {"help"}, {"-h"}, {"-help"}, {"--help"}} {
		same(usage(lang.English), args...)
	}
	same(config.Help(lang.English), "help", "config")
	for _, c := range commands() {
		_, want, _ := trainer("help", c.name)
		for _, flag := range []string{"-h", "-help", "--help"} {
			same(want, c.name, flag)
		}
		same(want, "--help", c.name)
		if !strings.Contains(usage(lang.English), "\n  "+c.name+" ") {
			t.Errorf("no line for %s in the help", c.name)
		}
		if c.example == "" || c.about.IsZero() || !strings.Contains(want, "For example:\n  ") {
			t.Errorf("%s has no example, or does not say what it does", c.name)
		}
	}
	_, want, _ := trainer("help", "eval")
	same(want, "eval", "some", "-json", "-h")
	if entries, err := os.ReadDir("."); err != nil || len(entries) > 0 {
		t.Errorf("files: %v, %v", entries, err)
	}
	if code, stdout, _ := trainer("version"); code != exitDone || !strings.HasPrefix(stdout, "trainer ") {
		t.Errorf("version: exit code %d, %q", code, stdout)
	}
	if code, stdout, _ := trainer("devices"); code != exitDone || !strings.HasPrefix(stdout, "cpu ") {
		t.Errorf("devices: exit code %d, %q", code, stdout)
	}
}

// TestExamples: the examples of the help are understood, as far as can be seen without
// running them: their flags and keys are there.
func TestExamples(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, c := range commands() {
		for line := range strings.Lines(c.example) {
			line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "source <("), ")")
			line, _, _ = strings.Cut(line, " | ")
			args := strings.Fields(line)[1:]
			if code, _, stderr := trainer(append(args, "-h")...); code != exitDone {
				t.Errorf("%s: exit code %d, %s", line, code, stderr)
			}
			for i, arg := range args {
				if arg == "-set" {
					if _, err := config.Read("", args[i+1:i+2]); err != nil {
						t.Errorf("%s: %v", line, err)
					}
				}
			}
		}
	}
}

// TestHelpChinese: in a Chinese locale the help is Chinese, and no line is wider than a
// terminal.
func TestHelpChinese(t *testing.T) {
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	for _, args := range [][]string{{"help"}, {"help", "train"}, {"help", "init"}, {"help", "serve"}} {
		code, stdout, _ := trainer(args...)
		if code != exitDone || !strings.Contains(stdout, "训练") && !strings.Contains(stdout, "配置") {
			t.Errorf("%v: exit code %d, %s", args, code, stdout)
		}
		for line := range strings.Lines(stdout) {
			if line = strings.TrimSuffix(line, "\n"); terminal.Columns(line) > width {
				t.Errorf("%v: %d columns: %s", args, terminal.Columns(line), line)
			}
		}
	}
}

// TestFlagTexts: each flag of the commands has a Chinese usage, and each usage a flag.
func TestFlagTexts(t *testing.T) {
	used := map[string]bool{}
	for _, c := range commands() {
		for _, f := range c.flags() {
			_, usage := describeFlag(f)
			used[usage] = true
			if flagText(usage, lang.Chinese) == usage {
				t.Errorf("%s -%s has no Chinese usage: %s", c.name, f.Name, usage)
			}
		}
	}
	for _, text := range flagTexts {
		if !used[text.En] {
			t.Errorf("no flag has the usage %q", text.En)
		}
	}
}
