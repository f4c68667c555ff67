package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"trainer/train/rundir"
)

// endless are the flags of a run with many short epochs.
func endless(t *testing.T) []string { return append(rows(t), "-set", "train.epochs=100000") }

// lastLine returns the last line of a run's log.
func lastLine(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, rundir.LogFile))
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	return lines[len(lines)-1]
}

// waitForEpochs waits until a run has made n epochs more than the file has now.
func waitForEpochs(t *testing.T, dir string, n int) {
	t.Helper()
	count := func() int {
		text, _ := os.ReadFile(filepath.Join(dir, rundir.MetricsFile))
		return bytes.Count(text, []byte("\n"))
	}
	want := count() + n
	for range 6000 {
		if count() >= want {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the run does not go on: %d epochs, want %d", count(), want)
}

// waitEnd waits for a process that must end.
func waitEnd(t *testing.T, c *exec.Cmd) {
	t.Helper()
	ended := make(chan struct{})
	go func() {
		_ = c.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		_ = c.Process.Kill()
		t.Fatal("the process does not end")
	}
}

// TestStuckReader: readers of both outputs that do not read neither stop a run nor keep
// a signal from saving it.
func TestStuckReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	c := process(append(endless(t), "-out", dir)...)
	c.Stdout, c.Stderr = write, write
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	_ = write.Close()
	waitFor(t, filepath.Join(dir, rundir.MetricsFile))
	waitForEpochs(t, dir, 3000) // a pipe takes 64 KiB, some 600 lines
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, c)
	if code := c.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
	for _, name := range []string{rundir.ModelFile, rundir.BestFile, rundir.FigurePNG} {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	if got := lastLine(t, dir); got != "ended: interrupted by terminated" {
		t.Errorf("the log ends with %q", got)
	}
}

// TestIgnoredSignals: a signal that is ignored at the start, as nohup and jobs in the
// background of scripts have it, does not stop a run. Another one does.
func TestIgnoredSignals(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs a shell")
	}
	for name, signal := range map[string]syscall.Signal{"HUP": syscall.SIGHUP, "INT": syscall.SIGINT} {
		dir := filepath.Join(t.TempDir(), "run")
		c := process(append(endless(t), "-out", dir)...)
		c.Args = append([]string{"sh", "-c", `trap "" ` + name + `; exec "$0" "$@"`}, c.Args...)
		var err error
		if c.Path, err = exec.LookPath("sh"); err != nil {
			t.Skip(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		waitFor(t, filepath.Join(dir, rundir.MetricsFile))
		if err := c.Process.Signal(signal); err != nil {
			t.Fatal(err)
		}
		waitForEpochs(t, dir, 200)
		if err := c.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		waitEnd(t, c)
		if code := c.ProcessState.ExitCode(); code != 143 {
			t.Errorf("SIG%s was ignored at the start: exit code %d, want 143, of SIGTERM", name, code)
		}
	}
}

// TestEnd: the last line of the log says how a run ended, and what is listed is there.
func TestEnd(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	code, stdout, stderr := trainer(append(rows(t), "-out", dir)...)
	if code != exitDone {
		t.Errorf("exit code %d, %s", code, stderr)
	}
	if got := lastLine(t, dir); got != "ended: done" {
		t.Errorf("the log ends with %q", got)
	}
	checkListed(t, dir, stdout)

	// A file of somebody else in place of one of the run's.
	dir = filepath.Join(t.TempDir(), "run")
	c := process(append(endless(t), "-out", dir)...)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(dir, rundir.MetricsFile))
	foreign := filepath.Join(dir, rundir.FigurePNG)
	if err := os.WriteFile(foreign, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	waitForEpochs(t, dir, 5)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, c)
	if code := c.ProcessState.ExitCode(); code != 143 {
		t.Errorf("exit code %d, want 143", code)
	}
	for what, text := range map[string]string{"the last line of the log": lastLine(t, dir), "standard error": errs.String()} {
		if !strings.Contains(text, "interrupted by terminated") || !strings.Contains(text, foreign+" is a file that is not of this run") {
			t.Errorf("%s is %q", what, text)
		}
	}
	if text, err := os.ReadFile(foreign); err != nil || string(text) != "precious" {
		t.Errorf("the file of somebody else is %q, %v", text, err)
	}
	checkListed(t, dir, out.String())
	if strings.Contains(out.String(), ", "+rundir.FigurePNG) || !strings.Contains(out.String(), rundir.BestFile) {
		t.Errorf("the end of the output is %q", out.String()[max(0, out.Len()-300):])
	}
}

// checkListed fails if a file that the output lists is not in the folder.
func checkListed(t *testing.T, dir, stdout string) {
	t.Helper()
	for line := range strings.Lines(stdout) {
		_, list, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "files in "+dir+": ")
		if !ok {
			continue
		}
		for _, name := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			if slices.Contains([]string{"of", "the", "best", "all"}, name) {
				continue
			}
			if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
				t.Errorf("listed, and not there: %v", err)
			}
		}
	}
}

// TestMoved: a folder that is moved during a run stays the run's, and the output says
// where it is.
func TestMoved(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not say where a folder is")
	}
	root := t.TempDir()
	dir, away := filepath.Join(root, "run"), filepath.Join(root, "away")
	c := process(append(endless(t), "-out", dir)...)
	var stdout bytes.Buffer
	c.Stdout = &stdout
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(dir, rundir.MetricsFile))
	if err := os.Rename(dir, away); err != nil {
		t.Fatal(err)
	}
	waitForEpochs(t, away, 50)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	waitEnd(t, c)
	if !strings.Contains(stdout.String(), "files in "+away+": ") {
		t.Errorf("the end of the output is %q", stdout.String()[max(0, stdout.Len()-300):])
	}
	checkListed(t, away, stdout.String())
	if _, err := os.Stat(dir); err == nil {
		t.Error("the folder is there again under its old path")
	}
	if got := lastLine(t, away); got != "ended: interrupted by interrupt" {
		t.Errorf("the log ends with %q", got)
	}
}

// TestGoneReader: a reader who goes away is no error: trainer eval | head.
func TestGoneReader(t *testing.T) {
	run, _ := trained(t)
	c := process("eval", "-model", run)
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = read.Close()
	var stderr bytes.Buffer
	c.Stdout, c.Stderr = write, &stderr
	err = c.Run()
	_ = write.Close()
	if err != nil || stderr.Len() > 0 {
		t.Errorf("%v, %s", err, stderr.String())
	}
}
