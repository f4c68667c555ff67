package configs

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestPresets: every preset is the file of this folder, says what it is, and makes a
// file to start from.
func TestPresets(t *testing.T) {
	for _, name := range Names() {
		file, err := os.ReadFile(name + extension)
		if err != nil {
			t.Fatal(err)
		}
		source, ok := Read(name)
		if !ok || !bytes.Equal(source, file) {
			t.Errorf("%s is not its file", name)
		}
		if about := About(name); len(about) < 20 || strings.Contains(about, "schema") || strings.HasSuffix(about, ".") {
			t.Errorf("%s: about %q", name, about)
		}
		starter := string(Starter(name, "my.yaml"))
		if strings.Contains(starter, "schema") || strings.Contains(starter, "go run") || !strings.Contains(starter, "#   trainer -config my.yaml\n") {
			t.Errorf("%s: starter\n%s", name, starter)
		}
		if want := bytes.Count(file, []byte("\n")) - 2; strings.Count(starter, "\n") != want {
			t.Errorf("%s: the starter has %d lines, want %d", name, strings.Count(starter, "\n"), want)
		}
	}
	if len(Names()) < 3 {
		t.Errorf("presets %q", Names())
	}
	for _, name := range []string{"", "nothing", "../configs/mnist", "mnist.yaml"} {
		if _, ok := Read(name); ok {
			t.Errorf("there is a preset %q", name)
		}
	}
}
