package sweep

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"trainer/train/config"
)

func plan(t *testing.T, over string) *config.Sweep {
	t.Helper()
	p, err := config.ReadSweep("", nil, config.SweepFlags{Over: []string{over}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestBeginTogether: the tasks of an array begin the same sweep at the same time.
func TestBeginTogether(t *testing.T) {
	p := plan(t, "train.rate.initial=0.1,0.3")
	for range 50 {
		dir := filepath.Join(t.TempDir(), "sweep")
		var all sync.WaitGroup
		for range 6 {
			all.Go(func() {
				if err := (&Sweep{Plan: p, Dir: dir}).Begin(); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if t.Failed() {
			return
		}
	}
}

// TestBegin: a folder that is begun is accepted, and none with other things in it.
func TestBegin(t *testing.T) {
	for _, c := range []struct{ there, want string }{
		{"", ""},
		{"runs/", "(runs) and holds no sweep"},
		{".trainer-part-0123456789abcdef", ""},
		{"runs/20260101-120000-mnist/", "(runs) and holds no sweep"},
		{"runs", "(runs) and holds no sweep"},
		{"notes.txt", "(notes.txt) and holds no sweep"},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, filepath.FromSlash(c.there))
		var err error
		if strings.HasSuffix(c.there, "/") {
			err = os.MkdirAll(path, 0o700)
		} else if c.there != "" {
			err = os.WriteFile(path, nil, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
		err = (&Sweep{Plan: plan(t, "train.rate.initial=0.1,0.3"), Dir: dir}).Begin()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%q: error %v, want %q", c.there, err, c.want)
		}
		if c.want == "" {
			err := (&Sweep{Plan: plan(t, "train.rate.initial=0.1,0.5"), Dir: dir}).Begin()
			if err == nil || !strings.Contains(err.Error(), "train.rate.initial") {
				t.Errorf("%q: another sweep: error %v", c.there, err)
			}
		}
	}
}
