package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"trainer/data/lang"
	"trainer/graph"
	"trainer/graph/lower"
	"trainer/train/config"
)

var update = flag.Bool("update", false, "write the listing in README.md and the golden files anew")

// TestReadmeListing: the program in the README is the one that runs. Run the
// test with -update to write it anew.
func TestReadmeListing(t *testing.T) {
	const path, first, last = "../../README.md", "the textbook's equation:\n\n", "\nNothing of this was derived"
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), first)
	have, after, ok2 := strings.Cut(rest, last)
	if !ok || !ok2 {
		t.Fatalf("%s: want the listing between %q and %q", path, first, last)
	}
	var out, errs bytes.Buffer
	if code := run([]string{"graph", "-set", "train.batch=128"}, &out, &errs); code != exitDone {
		t.Fatalf("exit code %d: %s", code, &errs)
	}
	var listing strings.Builder
	for line := range strings.Lines(out.String()) {
		if code := strings.TrimPrefix(line, "  "); code[0] >= '0' && code[0] <= '9' {
			listing.WriteString("    " + code)
		}
	}
	if have == listing.String() {
		return
	}
	if !*update {
		t.Fatalf("%s has another program than runs (go test ./cmd/trainer -run ReadmeListing -update):\n%s\nwant\n%s", path, have, &listing)
	}
	if err := os.WriteFile(path, []byte(before+first+listing.String()+last+after), 0o666); err != nil {
		t.Fatal(err)
	}
}

// TestReadmePicture: the picture in the README is that of the program that runs for
// the textbook's network. Run the test with -update to write it anew, and look at it.
func TestReadmePicture(t *testing.T) {
	const path = "../../graph/program.svg"
	g, err := graph.Step(config.Default().Network(), 1)
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	if err := writeProgram(&want, g, lower.Options{}, "svg", lang.English); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(path, want.Bytes(), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(path); err != nil || !bytes.Equal(have, want.Bytes()) {
		t.Errorf("%s is another picture than `trainer graph -format svg` writes (%v): run go test ./cmd/trainer -run ReadmePicture -update", path, err)
	}
}
