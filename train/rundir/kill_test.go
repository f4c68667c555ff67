package rundir

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childVariable is set in the process that saves until it is killed.
const childVariable = "RUNDIR_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childVariable); path != "" {
		fmt.Fprintln(os.Stderr, saveForever(path))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// saveForever saves checkpoint after checkpoint. A checkpoint is its number, filler,
// and the checksum of both. After each it appends a line with the number.
func saveForever(path string) error {
	d, err := Create(path, "", time.Now())
	if err != nil {
		return err
	}
	for n := 1; ; n++ {
		body := fmt.Sprintf("%d ", n) + strings.Repeat("x", rand.IntN(1<<20))
		err := d.WriteFile(ModelFile, func(w io.Writer) error {
			sum := sha256.Sum256([]byte(body))
			_, err := io.WriteString(w, body)
			if err == nil {
				_, err = w.Write(sum[:])
			}
			return err
		})
		if err == nil {
			err = d.AppendLine(MetricsFile, []byte(strconv.Itoa(n)))
		}
		if err != nil {
			return err
		}
	}
}

// TestKill kills processes (kill -9) at random times, some of them during a save.
// Afterwards the newest checkpoint must be complete and at least as new as the last
// line, and the folder must not be locked. RUNDIR_TEST_KILLS sets the number of
// processes.
func TestKill(t *testing.T) {
	kills := 20
	if s := os.Getenv("RUNDIR_TEST_KILLS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		kills = n
	}
	during := 0 // number of kills during a save
	for range kills {
		path := filepath.Join(t.TempDir(), "run")
		killChild(t, path)

		n := readCheckpoint(t, filepath.Join(path, ModelFile))
		lines, err := os.ReadFile(filepath.Join(path, MetricsFile))
		if err != nil && (n > 1 || !errors.Is(err, fs.ErrNotExist)) {
			t.Fatal(err)
		}
		for i, line := range bytes.SplitAfter(lines, []byte("\n")) {
			if want := strconv.Itoa(i+1) + "\n"; string(line) != want && len(line) > 0 && bytes.HasSuffix(line, []byte("\n")) {
				t.Errorf("line %d is %q", i+1, line)
			}
		}
		if last := bytes.Count(lines, []byte("\n")); last > n {
			t.Errorf("checkpoint %d and %d lines", n, last)
		}

		if _, err := os.Stat(filepath.Join(path, tempName(ModelFile))); err == nil {
			during++
		}
		if d, err := Create(path, "", time.Now()); err == nil || !strings.Contains(err.Error(), "already holds a run") {
			t.Errorf("Create accepted the folder of the killed run: %v, %v", d, err)
		}
		d, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		mustWrite(t, d, ConfigFile, "written by the next process")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d of %d kills happened during a save", during, kills)
}

// killChild runs saveForever on path in a child process. It kills the child at a
// random time after its first checkpoint.
func killChild(t *testing.T, path string) {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	child := exec.Command(exe)
	child.Env = append(os.Environ(), childVariable+"="+path)
	var stderr bytes.Buffer
	child.Stderr = &stderr
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		if _, err := os.Stat(filepath.Join(path, ModelFile)); err == nil || time.Now().After(deadline) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	time.Sleep(time.Duration(rand.IntN(30_000)) * time.Microsecond)
	if err := child.Process.Kill(); err != nil {
		t.Fatalf("the child ended by itself: %v: %s", err, stderr.Bytes())
	}
	_ = child.Wait() // "signal: killed"
	if stderr.Len() > 0 {
		t.Fatalf("the child failed: %s", stderr.Bytes())
	}
}

// readCheckpoint reads a file of saveForever, verifies its checksum and returns its
// number.
func readCheckpoint(t *testing.T, path string) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) < sha256.Size {
		t.Fatalf("checkpoint of %d bytes", len(b))
	}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if s := sha256.Sum256(body); !bytes.Equal(s[:], sum) {
		t.Fatalf("torn checkpoint of %d bytes", len(b))
	}
	n, err := strconv.Atoi(string(body[:bytes.IndexByte(body, ' ')]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
