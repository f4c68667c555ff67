package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"trainer/train"
	"trainer/train/config"
	"trainer/train/rundir"
)

var published = flag.Bool("published", false, "train the configurations of published results with three seeds, and write their table anew")

// publishedRow is a row of the table, but for its last two columns.
var publishedRow = regexp.MustCompile(`(?m)^(\| \[([a-z0-9-]+)\]\(([^)]+)\) \|[^|]*\|[^|]*\|)[^|]*\|[^|]*\|$`)

// TestPublished: the table of published results has a row for each configuration,
// and each can be read. With -published it measures ours.
func TestPublished(t *testing.T) {
	const folder = "../../configs/published"
	table := filepath.Join(folder, "README.md")
	text, err := os.ReadFile(table)
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for _, row := range publishedRow.FindAllSubmatch(text, -1) {
		name, file := string(row[2]), string(row[3])
		listed[filepath.Base(file)] = true
		c, err := config.Read(filepath.Join(folder, file), nil)
		if err != nil {
			t.Error(err)
		}
		if c.Name != name || filepath.Base(file) != name+".yaml" {
			t.Errorf("%s: %s is the configuration %s", name, file, c.Name)
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("%d configurations, %v", len(files), err)
	}
	for _, file := range files {
		if !listed[filepath.Base(file)] {
			t.Errorf("the table has no row for %s", file)
		}
	}
	if !*published || t.Failed() {
		return
	}
	text = publishedRow.ReplaceAllFunc(text, func(row []byte) []byte {
		part := publishedRow.FindSubmatch(row)
		last, best := measured(t, filepath.Join(folder, string(part[3])))
		return fmt.Appendf(nil, "%s %s | %s |", part[1], last, best)
	})
	if err := os.WriteFile(table, text, 0o666); err != nil {
		t.Fatal(err)
	}
}

// measured trains a configuration with three seeds on MNIST. It returns their test
// accuracies in percent.
func measured(t *testing.T, file string) (last, best string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	code, _, stderr := trainer("-config", file, "-out", dir, "-set", "data.fallback=none", "-set", "train.runs.count=3")
	if code != exitDone {
		t.Fatalf("%s: exit code %d, %s", file, code, stderr)
	}
	text, err := os.ReadFile(filepath.Join(dir, rundir.RunsFile))
	if err != nil {
		t.Fatal(err)
	}
	var runs []train.Run
	if err := json.Unmarshal(text, &runs); err != nil {
		t.Fatal(err)
	}
	var lasts, bests []string
	for _, r := range runs {
		if r.Last == nil {
			t.Fatalf("%s: run %d has no whole epoch: %s", file, r.Run, r.Failed)
		}
		lasts = append(lasts, fmt.Sprintf("%.2f", 100*r.Last.TestAccuracy))
		bests = append(bests, fmt.Sprintf("%.2f", 100*r.Best.TestAccuracy))
	}
	return strings.Join(lasts, ", "), strings.Join(bests, ", ")
}
