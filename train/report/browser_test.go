package report_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"trainer/data/lang"
	"trainer/train/rundir"
)

// TestBrowser: a browser shows the page with nothing to complain about, and its script
// runs.
func TestBrowser(t *testing.T) {
	browser, err := exec.LookPath("chromium")
	if err != nil || testing.Short() {
		t.Skip("needs chromium, and time")
	}
	// open returns the page after its script has run, and what the console has.
	open := func(text string) (dom, console string) {
		path := filepath.Join(t.TempDir(), "page.html")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		var out, errs bytes.Buffer
		c := exec.CommandContext(t.Context(), browser, "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir="+t.TempDir(), "--enable-logging=stderr", "--dump-dom", "file://"+path)
		c.Stdout, c.Stderr = &out, &errs
		if err := c.Run(); err != nil {
			t.Skipf("%v: %s", err, errs.String())
		}
		for line := range strings.Lines(errs.String()) {
			if strings.Contains(line, "CONSOLE") {
				console += line
			}
		}
		return out.String(), console
	}
	d := gather(t, source(t, configOf(16, 5, 3), dataset(4, 4, 3, 30), map[string]string{rundir.MetricsFile: epochs(5, false)}))
	var b bytes.Buffer
	if err := d.HTML(&b, lang.English); err != nil {
		t.Fatal(err)
	}
	dom, console := open(b.String())
	if console != "" {
		t.Errorf("the console has %s", console)
	}
	// The label of the slider is hidden until the script shows it.
	if !strings.Contains(dom, "<label><span>epoch</span>") || !strings.Contains(dom, `class="cursor" x1="100%" x2="100%"`) {
		t.Error("the script has not run")
	}
	// What the policy forbids is seen: this test would notice it.
	if _, console := open(strings.Replace(b.String(), "</main>", `<img src="https://example.invalid/x.png"><script>alert(1)</script></main>`, 1)); strings.Count(console, "CONSOLE") < 2 {
		t.Errorf("a picture of another page and a script: the console has %q", console)
	}
}
