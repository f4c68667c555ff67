package rundir

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"trainer/data/files"
	"trainer/data/files/filestest"
)

func writeNext(d *Dir, text string) error {
	return d.WriteNext(CheckpointFile, EarlierFile, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
}

// contentOf returns the content of a file, "" if there is none.
func contentOf(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return string(text)
}

// TestWriteNext: the file before is kept, and only the one before.
func TestWriteNext(t *testing.T) {
	out := filepath.Join(t.TempDir(), "run")
	d, err := Create(out, "", noon)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	before := ""
	for _, text := range []string{"one", "two", "three"} {
		if err := writeNext(d, text); err != nil {
			t.Fatal(err)
		}
		if now, earlier := contentOf(t, d.File(CheckpointFile)), contentOf(t, d.File(EarlierFile)); now != text || earlier != before {
			t.Errorf("%q and %q, want %q and %q", now, earlier, text, before)
		}
		before = text
	}
	// After a kill between the two renames there is no newest one: the one before stays.
	if err := os.Remove(d.File(CheckpointFile)); err != nil {
		t.Fatal(err)
	}
	if err := writeNext(d, "four"); err != nil {
		t.Fatal(err)
	}
	if now, earlier := contentOf(t, d.File(CheckpointFile)), contentOf(t, d.File(EarlierFile)); now != "four" || earlier != "two" {
		t.Errorf("%q and %q, want four and two", now, earlier)
	}
	// A file of somebody else is not touched.
	if err := os.Remove(d.File(EarlierFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(d.File(EarlierFile), []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := writeNext(d, "five"); err == nil || contentOf(t, d.File(EarlierFile)) != "precious" || contentOf(t, d.File(CheckpointFile)) != "four" {
		t.Errorf("with the file of somebody else: %v", err)
	}
}

// TestWriteNextFaults: whichever call fails, once or with all after it, what was there
// is whole, under one of the two names, and no temporary file is left where one could
// be removed.
func TestWriteNextFaults(t *testing.T) {
	for _, all := range []bool{false, true} {
		for k := 1; ; k++ {
			out := filepath.Join(t.TempDir(), "run")
			d, err := Create(out, "", noon)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{"one", "two"} {
				if err := writeNext(d, text); err != nil {
					t.Fatal(err)
				}
			}
			fault := &filestest.FS{Fail: k, All: all, Short: k%2 == 0}
			d.Through(func(f files.FS) files.FS {
				fault.FS = f
				return fault
			})
			err = writeNext(d, "three")
			if e := d.Close(); e != nil {
				t.Error(e)
			}
			if fault.Failed == "" {
				if err != nil || k < 8 {
					t.Errorf("%d calls, none failed: %v", k, err)
				}
				break
			}
			if !errors.Is(err, filestest.ErrFault) {
				t.Errorf("call %d (%s): %v", k, fault.Failed, err)
			}
			now, earlier := contentOf(t, filepath.Join(out, CheckpointFile)), contentOf(t, filepath.Join(out, EarlierFile))
			switch now + " " + earlier {
			case "two one": // as it was
			case "three two": // the flush of the folder failed
			case "two ": // the newest was put back
			case " two": // it could not be put back
				if !all {
					t.Errorf("call %d (%s): the newest one is missing", k, fault.Failed)
				}
			default:
				t.Errorf("call %d (%s): %q and %q", k, fault.Failed, now, earlier)
			}
			if _, err := os.Stat(filepath.Join(out, tempName(CheckpointFile))); err == nil && !all {
				t.Errorf("call %d (%s): a temporary file is left", k, fault.Failed)
			}
		}
	}
}
