package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"trainer/data"
	"trainer/graph/safetensors"
	"trainer/train/rundir"
)

// checkText fails if a text has what could control a terminal, or a very long line.
func checkText(t *testing.T, what, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || r == '\u202e' }) || !utf8.ValidString(line) {
			t.Errorf("%s: control characters in %q", what, line)
		}
		if n := utf8.RuneCountInString(line); n > 2100 {
			t.Errorf("%s: a line of %d characters", what, n)
		}
	}
}

// TestForeignText: names of files, tensors and columns, and the reasons of servers, do
// not control the terminal, wherever they are shown.
func TestForeignText(t *testing.T) {
	const evil = "\x1b]0;pwn\a\r\u202e\u009b1m"
	// The data set is named after its folder, so its name is in all that is shown. No
	// flag and no key takes a path with a control character; \u202e is none.
	const turned = "\u202e"
	flags := rows(t)
	set := filepath.Join(t.TempDir(), "set"+turned)
	if err := os.Rename(strings.TrimPrefix(flags[3], "data.dir="), set); err != nil {
		t.Skip(err)
	}
	flags[3] = "data.dir=" + set
	out := filepath.Join(t.TempDir(), "run"+turned)
	check := func(what string, code int, args ...string) {
		t.Helper()
		got, stdout, stderr := trainer(args...)
		if got != code {
			t.Errorf("%s: exit code %d, want %d: %s", what, got, code, stderr)
		}
		checkText(t, what, stdout)
		checkText(t, what, stderr)
	}
	check("train", exitDone, append(flags, "-out", out)...)
	check("the same folder", exitFailed, append(flags, "-out", out)...)
	check("eval", exitDone, "eval", "-model", out)
	logged, err := os.ReadFile(filepath.Join(out, rundir.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	checkText(t, "log.txt", string(logged))
	svg, err := os.ReadFile(filepath.Join(out, rundir.FigureSVG))
	if err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(bytes.NewReader(svg)); ; {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("%s: %v", rundir.FigureSVG, err)
		}
	}

	named := func(name string) string {
		return foreign(t, out, func(f *safetensors.File) { f.Tensors[0].Name = name })
	}
	check("tensor", exitFailed, "eval", "-model", named(evil))
	check("long tensor", exitFailed, "eval", "-model", named(strings.Repeat("x", 1<<20)))
	metadata := foreign(t, out, func(f *safetensors.File) { f.Metadata = map[string]string{"activation": evil} })
	check("metadata", exitFailed, "eval", "-model", metadata)
	csv := filepath.Join(t.TempDir(), "rows"+turned+".csv")
	header := "id" + strings.Repeat(",p"+evil, 16) + ",label\n1" + strings.Repeat(",0", 17) + "\n"
	if err := os.WriteFile(csv, []byte(strings.ReplaceAll(header, "\r", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	check("predict", exitDone, "predict", "-model", out, "-data", csv, "-o", filepath.Join(t.TempDir(), "p"+turned))
	if err := os.WriteFile(csv, []byte(strings.Repeat(evil+",", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	check("bad rows", exitFailed, "predict", "-model", out, "-data", csv)
	yaml := filepath.Join(t.TempDir(), "c"+turned+".yaml")
	if err := os.WriteFile(yaml, []byte(`"\e]0;pwn\a": 1`+"\n"+strings.Repeat("x", 5000)+": 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check("configuration", exitUsage, "-config", yaml)
	check("a path", exitUsage, "-out", "run"+evil)
	check("a path of a model", exitUsage, "eval", "-model", "run"+evil)
	check("a path of data", exitUsage, "-set", "data.dir=set"+evil)
	images := t.TempDir()
	for _, class := range []string{"a" + strings.ReplaceAll(evil, "\r", ""), "b"} {
		if err := os.MkdirAll(filepath.Join(images, class), 0o777); err != nil {
			t.Skip(err)
		}
		if err := os.WriteFile(filepath.Join(images, class, "no"+evil+".png"), []byte("no image"), 0o600); err != nil {
			t.Skip(err)
		}
	}
	check("names of classes and images", exitFailed, "-set", "data.train="+images)
	check("command", exitUsage, evil)
	check("flag", exitUsage, "-"+evil)
	check("setting", exitUsage, "-set", evil+"=1")

	var shown bytes.Buffer
	show := downloadProgress(&shown, false)
	show(data.Progress{File: "f", Mirror: "m" + evil, Err: errors.New("the mirror answered 500 " + evil + strings.Repeat("x", 100_000))})
	checkText(t, "download", shown.String())
}
