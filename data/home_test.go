package data

import (
	"context"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// TestHome: ~ in TRAINER_DATA is the home folder, or an error.
func TestHome(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	if runtime.GOOS == "windows" {
		t.Setenv("USERPROFILE", home)
	}
	w := newWorld(t)
	w.env = "~/sets/mnist"
	w.requireFound(t, w.folder(t, filepath.Join(home, "sets", "mnist")))
	w.env = "~ada/mnist"
	if _, err := w.MNIST(context.Background()); err == nil || !strings.Contains(err.Error(), EnvDir) || !strings.Contains(err.Error(), "only ~/ is understood") {
		t.Errorf("TRAINER_DATA=%s: %v", w.env, err)
	}
}

// TestRelativeCache: downloads are not kept in a folder that depends on the current
// directory, such as ~/.cache where HOME is the character ~.
func TestRelativeCache(t *testing.T) {
	w := newWorld(t)
	w.CacheDir = func() (string, error) { return filepath.Join("~", ".cache"), nil }
	if dir, err := w.Finder.cache(); err == nil {
		t.Errorf("cache folder %s", dir)
	}
}
