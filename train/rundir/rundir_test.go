package rundir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"trainer/data/files/filestest"
)

var noon = time.Date(2026, 11, 23, 12, 0, 5, 0, time.UTC)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// namesIn returns the names in the folder.
func namesIn(t *testing.T, path string) []string {
	t.Helper()
	entries, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func mustCreate(t *testing.T, out string) *Dir {
	t.Helper()
	d, err := Create(out, "", noon)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func mustWrite(t *testing.T, d *Dir, name, s string) {
	t.Helper()
	if err := d.WriteFile(name, text(s)); err != nil {
		t.Fatal(err)
	}
}

func wantFile(t *testing.T, path, want string) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil || string(b) != want {
		t.Errorf("%s: %q, %v, want %q", path, b, err, want)
	}
}

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"mnist":                  "mnist",
		"MNIST, 784-50-10":       "MNIST-784-50-10",
		"../../etc/passwd":       "..-..-etc-passwd",
		"a/b\\c:d":               "a-b-c-d",
		"  two  words ":          "two-words",
		"...":                    "run",
		"":                       "run",
		"-rf":                    "rf",
		"手写数字 1":                 "手写数字-1",
		"हिन्दी":                 "हिन्दी", // has marks
		"a\x00\x1b[31m\nb":       "a-31m-b",
		"\xff\xfe":               "run",
		strings.Repeat("x", 300): strings.Repeat("x", 60),
		strings.Repeat("字", 100): strings.Repeat("字", 20),
	} {
		want = strings.TrimLeft(want, ".-") // names do not begin with a dot
		if got := CleanName(in); got != want {
			t.Errorf("CleanName(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestCreateNamed(t *testing.T) {
	t.Chdir(t.TempDir())
	for i, want := range []string{"20261123-120005-my-net", "20261123-120005-my-net-2", "20261123-120005-my-net-3"} {
		d, err := Create("", "my net", noon)
		if err != nil {
			t.Fatal(err)
		}
		if d.Path() != filepath.Join("runs", want) {
			t.Errorf("folder %d is %s, want %s", i, d.Path(), want)
		}
		mustWrite(t, d, ConfigFile, "a: 1\n")
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if got := namesIn(t, d.Path()); !slices.Equal(got, []string{ConfigFile}) {
			t.Errorf("the folder holds %q", got)
		}
	}
}

// TestCreateNamedAtOnce starts many runs in the same second. Each must get its own
// folder.
func TestCreateNamedAtOnce(t *testing.T) {
	t.Chdir(t.TempDir())
	const n = 20
	dirs := make([]*Dir, n)
	var wg sync.WaitGroup
	for i := range dirs {
		wg.Go(func() {
			d, err := Create("", "net", noon)
			if err != nil {
				t.Error(err)
				return
			}
			dirs[i] = d
		})
	}
	wg.Wait()
	seen := make(map[string]bool)
	for _, d := range dirs {
		if d == nil {
			continue
		}
		if seen[d.Path()] {
			t.Errorf("two trainers got %s", d.Path())
		}
		seen[d.Path()] = true
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestCreateOutAtOnce starts many runs with the same folder. Exactly one must get
// it.
func TestCreateOutAtOnce(t *testing.T) {
	for range 20 {
		out := filepath.Join(t.TempDir(), "a", "b")
		const n = 8
		var wg sync.WaitGroup
		var mu sync.Mutex
		var got []*Dir
		for range n {
			wg.Go(func() {
				d, err := Create(out, "", noon)
				if err == nil {
					mu.Lock()
					got = append(got, d)
					mu.Unlock()
				} else if !strings.Contains(err.Error(), "in use by") || !strings.Contains(err.Error(), "-out") {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if len(got) != 1 {
			t.Fatalf("%d trainers have the folder", len(got))
		}
		if err := got[0].Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestLockAlone locks and unlocks one folder from several goroutines. At most one
// may have the lock at a time.
func TestLockAlone(t *testing.T) {
	out := t.TempDir()
	var inside, taken int
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 200 {
				d, err := Open(out)
				if err != nil {
					continue
				}
				mu.Lock()
				taken++
				if inside++; inside != 1 {
					t.Error("two goroutines have the lock")
				}
				mu.Unlock()
				runtime.Gosched()
				mu.Lock()
				inside--
				mu.Unlock()
				if err := d.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if taken == 0 || len(namesIn(t, out)) != 0 {
		t.Errorf("the lock was taken %d times and left %q", taken, namesIn(t, out))
	}
}

func TestCreateRefuses(t *testing.T) {
	dir := t.TempDir()
	write := func(path string) string {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o666); err != nil {
			t.Fatal(err)
		}
		return path
	}
	aFile := write("file")
	run := filepath.Dir(write("run/" + MetricsFile))
	other := filepath.Dir(write("other/notes.txt"))
	used := mustCreate(t, filepath.Join(dir, "used"))
	for name, tt := range map[string]struct{ out, want string }{
		"file":      {aFile, aFile + " is a file: choose another with -out"},
		"in a file": {filepath.Join(aFile, "x"), "mkdir " + aFile},
		"run":       {run, run + " already holds a run (metrics.jsonl): choose another with -out"},
		"other":     {other, other + " is not empty (notes.txt): choose another with -out"},
		"in use":    {used.Path(), fmt.Sprintf("%s: in use by process %d: wait for it, or choose another with -out", used.Path(), os.Getpid())},
	} {
		d, err := Create(tt.out, "", noon)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, error %v, want %q", name, d, err, tt.want)
		}
	}
	// Create left the folders unchanged.
	for path, want := range map[string][]string{run: {MetricsFile}, other: {"notes.txt"}} {
		if got := namesIn(t, path); !slices.Equal(got, want) {
			t.Errorf("%s holds %q, want %q", path, got, want)
		}
	}
	// Close removes an empty folder that Create made.
	d := mustCreate(t, filepath.Join(dir, "new"))
	if err := d.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.Path()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the empty folder is still there: %v", err)
	}
	// Create accepts an empty folder of the user, and Close keeps it.
	empty := filepath.Join(dir, "empty")
	if err := os.Mkdir(empty, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := mustCreate(t, empty).Close(); err != nil {
		t.Error(err)
	}
	if got := namesIn(t, empty); len(got) != 0 {
		t.Errorf("the folder holds %q", got)
	}
}

func TestOpen(t *testing.T) {
	d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
	mustWrite(t, d, ConfigFile, "x")
	if _, err := Open(d.Path()); err == nil || !strings.Contains(err.Error(), "in use by process") {
		t.Errorf("Open opened a folder in use: %v", err)
	}
	if err := os.WriteFile(d.File(tempName(ModelFile)), []byte("torn"), 0o666); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	d, err := Open(d.Path())
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if got := namesIn(t, d.Path()); !slices.Equal(got, []string{ConfigFile}) {
		t.Errorf("the folder holds %q", got)
	}
	for _, path := range []string{d.File("none"), d.File(ConfigFile)} {
		if _, err := Open(path); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s was opened: %v", path, err)
		}
	}
}

func TestWriteFile(t *testing.T) {
	d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
	for _, s := range []string{"first", "second, longer", "", strings.Repeat("x", 1<<20)} {
		mustWrite(t, d, ModelFile, s)
		wantFile(t, d.File(ModelFile), s)
	}
	boom := errors.New("boom")
	err := d.WriteFile(ModelFile, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return boom
	})
	if !errors.Is(err, boom) || !strings.Contains(err.Error(), d.File(ModelFile)) {
		t.Errorf("error %v, want boom and the path", err)
	}
	wantFile(t, d.File(ModelFile), strings.Repeat("x", 1<<20))
	if got := namesIn(t, d.Path()); !slices.Equal(got, []string{lockName, ModelFile}) {
		t.Errorf("the folder holds %q", got)
	}
	for _, name := range []string{"", ".", "..", "../x", `a\b`, "a/b", lockName, tempName("a")} {
		if err := d.WriteFile(name, text("x")); err == nil {
			t.Errorf("%q was accepted as a name", name)
		}
		if err := d.AppendLine(name, nil); err == nil {
			t.Errorf("%q was accepted as a name", name)
		}
	}
}

func TestAppendLine(t *testing.T) {
	d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
	for _, s := range []string{`{"epoch":1}`, "", `{"epoch":2}`} {
		if err := d.AppendLine(MetricsFile, []byte(s)); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.AppendLine(MetricsFile, []byte("a\nb")); err == nil {
		t.Error("no error for two lines")
	}
	wantFile(t, d.File(MetricsFile), "{\"epoch\":1}\n\n{\"epoch\":2}\n")
}

func TestCheckSpace(t *testing.T) {
	d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
	if err := d.CheckSpace(3 << 20); err != nil {
		t.Error(err)
	}
	d.fs = &filestest.FS{FS: d.folder, Fail: 2, Short: true}
	err := d.CheckSpace(3 << 20)
	if !errors.Is(err, filestest.ErrFault) || !strings.Contains(err.Error(), "cannot take 3145728 bytes: write ") || !strings.Contains(err.Error(), "-out") {
		t.Errorf("full disk: %v", err)
	}
	if got := namesIn(t, d.Path()); !slices.Equal(got, []string{lockName}) {
		t.Errorf("the folder holds %q", got)
	}
}

// TestFolderGone checks the errors after the folder was removed: they name the path
// and the call.
func TestFolderGone(t *testing.T) {
	d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
	if err := os.RemoveAll(d.Path()); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"WriteFile":  d.WriteFile(ModelFile, text("x")),
		"AppendLine": d.AppendLine(MetricsFile, nil),
		"CheckSpace": d.CheckSpace(1),
	} {
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "open "+d.Path()) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestWriteFileFaults lets call k of a save fail, for every k.
func TestWriteFileFaults(t *testing.T) {
	const old = "the earlier checkpoint"
	long := strings.Repeat("the new one, in more than one write; ", 5000)
	var calls []string
	for k := 1; ; k++ {
		for _, short := range []bool{false, true} {
			d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
			mustWrite(t, d, ModelFile, old)
			f := &filestest.FS{FS: d.folder, Fail: k, Short: short}
			d.fs = f
			err := d.WriteFile(ModelFile, text(long))
			if f.Failed == "" { // a save makes fewer than k calls: the test is done
				if err != nil {
					t.Errorf("without a fault: %v", err)
				}
				want := []string{"lstat", "open", "write", "chmod", "sync", "close", "rename", "sync"}
				if calls = slices.Compact(calls); !slices.Equal(calls, want) {
					t.Errorf("calls %q, want %q", calls, want)
				}
				return
			}
			calls = append(calls, f.Failed)
			if !errors.Is(err, filestest.ErrFault) || !strings.Contains(err.Error(), f.Failed+" "+d.Path()) || !strings.Contains(err.Error(), d.File(ModelFile)) {
				t.Errorf("call %d (%s): error %v does not name the call and the path", k, f.Failed, err)
			}
			want := old
			if f.Failed == "sync" && slices.Contains(calls, "rename") {
				want = long // only the flush of the folder failed: the new file is complete
			}
			wantFile(t, d.File(ModelFile), want)
			if got := namesIn(t, d.Path()); !slices.Equal(got, []string{lockName, ModelFile}) {
				t.Errorf("call %d (%s): the folder holds %q", k, f.Failed, got)
			}
			// Without the fault the next save succeeds.
			d.fs = d.folder
			mustWrite(t, d, ModelFile, long)
			wantFile(t, d.File(ModelFile), long)
		}
	}
}

func TestAppendLineFaults(t *testing.T) {
	for k, call := range []string{"lstat", "open", "stat", "seek", "write", "close", ""} {
		for _, short := range []bool{false, true} {
			d := mustCreate(t, filepath.Join(t.TempDir(), "run"))
			if err := d.AppendLine(MetricsFile, []byte("one")); err != nil {
				t.Fatal(err)
			}
			f := &filestest.FS{FS: d.folder, Fail: k + 1, Short: short}
			d.fs = f
			err := d.AppendLine(MetricsFile, []byte("two"))
			if f.Failed != call {
				t.Fatalf("call %d is %q, want %q", k+1, f.Failed, call)
			}
			want := "one\n"
			if call == "close" || call == "" {
				want = "one\ntwo\n"
			}
			if (err != nil) != (call != "") || err != nil && !strings.Contains(err.Error(), call+" "+d.File(MetricsFile)) {
				t.Errorf("%s: error %v", call, err)
			}
			wantFile(t, d.File(MetricsFile), want)
		}
	}
}
