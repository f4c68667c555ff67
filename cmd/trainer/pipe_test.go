//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestPipes: a named pipe, a device or a folder in place of any input file is refused
// at once: nobody writes into the pipe, so a read would wait without end.
func TestPipes(t *testing.T) {
	run, set := trained(t)
	dir := t.TempDir()
	pipe := filepath.Join(dir, "mnist_train.csv")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for _, bad := range []string{pipe, "/dev/zero", dir} {
		for _, args := range [][]string{
			{"-config", bad},
			{"-set", "model.init.file=" + bad},
			{"eval", "-model", bad},
			{"eval", "-model", run, "-config", bad},
			{"gradcheck", "-model", bad},
			{"predict", "-model", bad, "-data", bad},
			{"predict", "-model", run, "-data", bad},
			{"-set", "data.dataset=idx", "-set", "data.dir=" + bad},
			{"-set", "data.dataset=csv", "-set", "data.dir=" + bad},
			{"-set", "data.dataset=mnist", "-set", "data.dir=" + bad},
			{"-set", "data.dataset=idx", "-set", "data.dir=" + set, "-set", "model.layers=[16, 3]", "-out", bad},
		} {
			code, stdout, stderr := trainer(args...)
			if code != exitFailed && code != exitUsage || stdout != "" || !strings.Contains(stderr, bad) {
				t.Errorf("%q: exit code %d, %q, %q", args, code, stdout, stderr)
			}
		}
	}
}
