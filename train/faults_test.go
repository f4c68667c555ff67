package train_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data/files"
	"trainer/data/files/filestest"
	"trainer/graph/model"
	"trainer/train/rundir"
)

// TestFileFaults lets call k of a session fail, for every k: once, and, as on a full
// disk, that call and all after it. The error says which call and file it was, the
// files are whole, and one file that fails does not keep the others from being written.
func TestFileFaults(t *testing.T) {
	for _, all := range []bool{false, true} {
		for k := 1; ; k += 1 + k/20 { // all of the first 20, and more and more seldom later
			c := smallConfig(t, "train.epochs=3")
			s, dir := session(t, c, &watcher{})
			fault := &filestest.FS{Fail: k, All: all, Short: k%2 == 0}
			s.Dir.Through(func(d files.FS) files.FS {
				fault.FS = d
				return fault
			})
			_, err := s.Run(context.Background())
			if fault.Failed == "" {
				if err != nil || k < 40 {
					t.Errorf("%d calls, none failed: %v", k, err)
				}
				break
			}
			if !errors.Is(err, filestest.ErrFault) || !strings.Contains(err.Error(), fault.Failed+" "+dir) {
				t.Errorf("call %d (%s): error %v", k, fault.Failed, err)
			}
			checkWhole(t, dir)
			metrics, _ := os.ReadFile(filepath.Join(dir, rundir.MetricsFile))
			epochs := bytes.Count(metrics, []byte("\n"))
			for _, name := range []string{rundir.ModelFile, rundir.BestFile, rundir.FigureSVG, rundir.FigurePNG} {
				_, missing := os.Stat(filepath.Join(dir, name))
				// If nothing but one call failed, one file is missing at most, and it
				// is the one that the error names.
				if !all && missing != nil && epochs > 0 && !strings.Contains(err.Error(), name) {
					t.Errorf("call %d (%s): %s is missing, and the error is %v", k, fault.Failed, name, err)
				}
			}
			if all && epochs == 3 { // each file that could not be written is named
				for _, name := range []string{rundir.FigureSVG, rundir.FigurePNG} {
					if _, missing := os.Stat(filepath.Join(dir, name)); missing != nil && !strings.Contains(err.Error(), name) {
						t.Errorf("call %d (%s): %s is missing and not named: %v", k, fault.Failed, name, err)
					}
				}
			}
		}
	}
}

// checkWhole fails if a file of a run folder is not whole.
func checkWhole(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			t.Error(err)
		}
		switch filepath.Ext(path) {
		case ".safetensors":
			_, err = model.Read(path)
		case ".jsonl":
			for line := range bytes.Lines(text) {
				if !json.Valid(line) || !bytes.HasSuffix(line, []byte("\n")) {
					t.Errorf("%s: torn line %q", path, line)
				}
			}
		case ".svg":
			if !bytes.Contains(text, []byte("</svg>")) {
				err = errors.New("torn")
			}
		case ".tmp":
			err = errors.New("left behind")
		}
		if err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}
