//go:build unix

package files_test

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"trainer/data/files"
)

// TestOpenRegular: what is no regular file is refused at once, also as a folder.
func TestOpenRegular(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip(err)
	}
	for path, want := range map[string]string{pipe: "a named pipe", dir: "a folder", "/dev/zero": "a device"} {
		if _, err := files.OpenRegular(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := files.OpenFolder(pipe); err == nil || !strings.Contains(err.Error(), "not a folder") {
		t.Errorf("a pipe as a folder: %v", err)
	}
}
