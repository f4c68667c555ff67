//go:build unix

package rundir

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLockPipe: a named pipe in place of the lock is refused at once.
func TestLockPipe(t *testing.T) {
	out := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(out, lockName), 0o600); err != nil {
		t.Skip(err)
	}
	if _, err := Create(out, "", noon); err == nil || !strings.Contains(err.Error(), "a named pipe") {
		t.Errorf("error %v", err)
	}
}
