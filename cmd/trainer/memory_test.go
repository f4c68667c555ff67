package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestMemory: what cannot fit in memory is refused before anything is made, with the
// numbers, and without a dump of stacks.
func TestMemory(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs limits of processes")
	}
	run, set := trained(t)
	large := []string{"-set", "data.dataset=idx", "-set", "data.dir=" + set, "-set", "model.layers=[16, 1000000, 3]"}
	out := filepath.Join(t.TempDir(), "run")
	for name, args := range map[string][]string{
		"layers":    append(large, "-out", out),
		"runs":      append(rows(t), "-set", "model.layers=[16, 10000, 3]", "-set", "train.runs.count=400", "-out", out),
		"batch":     append(rows(t), "-set", "model.layers=[16, 400000, 3]", "-set", "train.batch=1000", "-out", out),
		"gradcheck": append([]string{"gradcheck"}, large...),
		"bench":     append([]string{"bench"}, large...),
	} {
		c := process(args...)
		// Large enough for the program itself, the test binary included.
		c.Args = append([]string{"sh", "-c", `ulimit -v 1700000 && exec "$0" "$@"`}, c.Args...)
		var err error
		if c.Path, err = exec.LookPath("sh"); err != nil {
			t.Skip(err)
		}
		var stdout, stderr bytes.Buffer
		c.Stdout, c.Stderr = &stdout, &stderr
		_ = c.Run()
		code := c.ProcessState.ExitCode()
		if code != exitUsage || stdout.Len() > 0 || strings.Contains(stderr.String(), "goroutine") ||
			!strings.Contains(stderr.String(), "needs at least") || !strings.Contains(stderr.String(), "ulimit -v") {
			t.Errorf("%s: exit code %d, %q, %.1000s", name, code, stdout.String(), stderr.String())
		}
		if _, err := os.Stat(out); err == nil {
			t.Errorf("%s: the run folder is there", name)
		}
	}
	// What fits is not refused.
	if code, _, stderr := trainer("eval", "-model", run); code != exitDone {
		t.Errorf("exit code %d, %s", code, stderr)
	}
}
