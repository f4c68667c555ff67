package main

import (
	"html"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"trainer/train/rundir"
)

// has reports what a file lacks.
func has(t *testing.T, path string, want ...string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range want {
		if !strings.Contains(string(text), w) {
			t.Errorf("%s lacks %q", filepath.Base(path), w)
		}
	}
}

// TestReportPage: training leaves a report, in the language of the locale; the command
// makes it again of what is left of a folder, and compares folders.
func TestReportPage(t *testing.T) {
	const english, chinese = `<html lang="en">`, `<html lang="zh-Hans">`
	flags := rows(t)
	dirs := []string{filepath.Join(t.TempDir(), "one"), filepath.Join(t.TempDir(), "two")}
	t.Setenv("LC_ALL", "zh_CN.UTF-8")
	if code, stdout, stderr := trainer(append(flags, "-out", dirs[0])...); code != exitDone || stderr != "" || !strings.Contains(stdout, rundir.ReportFile) {
		t.Fatalf("exit code %d, %q, %q", code, stdout, stderr)
	}
	page := filepath.Join(dirs[0], rundir.ReportFile)
	has(t, page, chinese, "16-5-3", "计算设备 cpu", "</html>")
	t.Setenv("LC_ALL", "C")
	if code, _, stderr := trainer(append(flags, "-set", "train.runs.count=3", "-set", "data.classes=[<b>两</b>, x, y]", "-out", dirs[1])...); code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, %q", code, stderr)
	}
	has(t, filepath.Join(dirs[1], rundir.ReportFile), english, "The 3 runs", "&lt;b&gt;两&lt;/b&gt;")

	// Again, in another language; elsewhere.
	if code, stdout, stderr := trainer("report", dirs[0]); code != exitDone || stdout != page+"\n" || stderr != "" {
		t.Errorf("exit code %d, %q, %q", code, stdout, stderr)
	}
	has(t, page, english, "machine cpu")
	other := filepath.Join(t.TempDir(), "other.html")
	if code, _, stderr := trainer("report", "-lang", "zh", dirs[0], "-o", other); code != exitDone || stderr != "" {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	has(t, other, chinese)
	has(t, page, english)
	if code, _, stderr := trainer("report", dirs[0], dirs[1], "-o", other); code != exitDone || stderr != "" {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	has(t, other, "Comparison of 2 runs", "train.runs.count", "both right")

	// A run that was cut off in its first epoch.
	for _, name := range []string{rundir.BestFile, rundir.MetricsFile, rundir.LogFile, rundir.FigureSVG} {
		if err := os.Remove(filepath.Join(dirs[0], name)); err != nil {
			t.Fatal(err)
		}
	}
	if code, _, stderr := trainer("report", dirs[0]); code != exitDone || !strings.Contains(stderr, "no epoch was completed") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	has(t, page, "No epoch has been completed", "Worst mistakes")

	// Data that have moved.
	data := strings.TrimPrefix(flags[3], "data.dir=")
	if err := os.Rename(data, data+"-moved"); err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := trainer("report", dirs[1]); code != exitDone || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, "cannot be opened") {
		t.Errorf("exit code %d, %q", code, stderr)
	}
	has(t, filepath.Join(dirs[1], rundir.ReportFile), "Left out:", "The 3 runs")
	if code, _, stderr := trainer("report", dirs[1], "-set", "data.dir="+data+"-moved"); code != exitDone || stderr != "" {
		t.Errorf("exit code %d, %q", code, stderr)
	}

	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{nil, exitUsage, "no run"},
		{[]string{dirs[0], "-lang", "fr"}, exitUsage, `have fr, want auto, en or zh`},
		{[]string{filepath.Join(dirs[0], "no")}, exitFailed, "is no run folder"},
		{[]string{page}, exitFailed, "is no run folder"},
		{[]string{t.TempDir()}, exitFailed, "neither"},
		{[]string{dirs[0], "-set", "model.layers=[4, 3]"}, exitUsage, "model.layers"},
		{[]string{dirs[1], "-set", "data.dir=" + data + "-moved", "-o", filepath.Join(page, "x")}, exitFailed, page},
	} {
		if code, stdout, stderr := trainer(append([]string{"report"}, c.args...)...); code != c.code || !strings.Contains(stderr, c.want) || stdout != "" {
			t.Errorf("%q: exit code %d, %q, %q", c.args, code, stdout, stderr)
		}
	}
}

// TestReportInterrupted: a run that is interrupted leaves a short report at once.
func TestReportInterrupted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	c := process(append(rows(t), "-set", "train.epochs=100000", "-out", dir)...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, filepath.Join(dir, rundir.MetricsFile))
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if _ = c.Wait(); c.ProcessState.ExitCode() != exitSignal+int(syscall.SIGINT) {
		t.Errorf("exit code %d", c.ProcessState.ExitCode())
	}
	page := filepath.Join(dir, rundir.ReportFile)
	has(t, page, "16-5-3", "trainer report makes it", "</html>")
	if code, _, stderr := trainer("report", dir); code != exitDone || stderr != "" {
		t.Fatalf("exit code %d, %q", code, stderr)
	}
	text, err := os.ReadFile(page)
	if err != nil || strings.Contains(string(text), "trainer report makes it") || !strings.Contains(string(text), "All 13 comparisons agree") {
		t.Errorf("the report that is made later is not whole: %v", err)
	}
}

// TestReportAdvice: what is wrong with a run stands in its report, and in the one that
// is made later, in both languages.
func TestReportAdvice(t *testing.T) {
	for _, language := range []string{"en", "zh"} {
		dir := filepath.Join(t.TempDir(), "run")
		code, stdout, stderr := trainer(append(rows(t), "-set", "train.rate.initial=1e-6", "-lang", language, "-out", dir)...)
		if code != exitDone {
			t.Fatalf("exit code %d, %q", code, stderr)
		}
		var advice string // of the closing lines
		for line := range strings.Lines(stdout) {
			for _, word := range []string{"warning: the run ", "警告：本次训练 "} {
				if text, ok := strings.CutPrefix(line, word); ok {
					advice = strings.TrimSpace(text)
				}
			}
		}
		if advice == "" {
			t.Fatalf("no warning in %q", stdout)
		}
		if log, err := os.ReadFile(filepath.Join(dir, rundir.LogFile)); err != nil || !strings.HasPrefix(string(log), stdout) {
			t.Errorf("%v: the log has\n%s, want what was printed,\n%s", err, log, stdout)
		}
		page := filepath.Join(dir, rundir.ReportFile)
		has(t, page, `<p class="warning"`, html.EscapeString(advice))
		if code, _, stderr := trainer("report", dir); code != exitDone || stderr != "" {
			t.Fatalf("exit code %d, %q", code, stderr)
		}
		has(t, page, `<p class="warning"`, html.EscapeString(advice), "machine")
	}
}
