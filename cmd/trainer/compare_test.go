package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/train/compare"
)

// TestCompare compares two runs on one test set, and refuses what cannot be compared.
func TestCompare(t *testing.T) {
	t.Setenv("LC_ALL", "C")
	dir := t.TempDir()
	flags := rows(t)
	run := func(name string, more ...string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if code, _, stderr := trainer(append(append(flags, "-set", "train.epochs=3", "-out", path), more...)...); code != exitDone {
			t.Fatalf("exit code %d, %s", code, stderr)
		}
		return path
	}
	first, second := run("first"), run("second", "-set", "train.batch=7", "-set", "train.rate.initial=0.001")
	code, stdout, stderr := trainer("compare", first, second)
	if code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, %s", code, stderr)
	}
	for _, want := range []string{"train.batch ", "train.rate.initial", "p of McNemar's exact test"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	code, stdout, _ = trainer("compare", "-json", second, first)
	var r compare.Report
	if err := json.Unmarshal([]byte(stdout), &r); code != exitDone || err != nil {
		t.Fatalf("exit code %d, %v", code, err)
	}
	if len(r.Runs) != 2 || r.Runs[1].Accuracy != r.Runs[1].Best.TestAccuracy || r.Runs[0].Accuracy != r.Runs[0].Best.TestAccuracy || r.Runs[1].Epochs != 3 {
		t.Errorf("the models' accuracies are not those of the metrics: %s", stdout)
	}

	svg := filepath.Join(dir, "curves.svg")
	if code, _, stderr := trainer("compare", first, second, "-o", svg); code != exitDone {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if drawn, err := os.ReadFile(svg); err != nil || !strings.HasPrefix(string(drawn), "<svg ") || !strings.Contains(string(drawn), "test accuracy") {
		t.Errorf("the curves: %v, %.80s", err, drawn)
	}
	turned := run("turned", "-set", "data.transpose=true")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{first}, exitUsage, "name two run folders or more"},
		{nil, exitUsage, "name two run folders or more"},
		{[]string{first, second, first}, exitUsage, "the same run"},
		{[]string{first, dir}, exitFailed, "not a run folder"},
		{[]string{first, foreign(t, first, nil)}, exitUsage, "model.activation"},
		{[]string{first, turned}, exitFailed, "different test sets"},
		{[]string{first, turned}, exitFailed, "image 0 is another one"},
	} {
		if code, stdout, stderr := trainer(append([]string{"compare"}, c.args...)...); code != c.code || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: exit code %d, %s; want %q", c.args, code, stderr, c.want)
		}
	}
}
