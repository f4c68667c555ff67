// Package pythontest lets tests ask Python's libraries what they read in our files.
package pythontest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// Env names the interpreter to ask. `make python` installs one.
const Env = "TRAINER_PYTHON"

// Find returns an interpreter that can import the modules ("numpy, onnx"): the one that
// Env names, or python3. Where python3 cannot, it skips the test; where the one that
// was named cannot, the test fails.
func Find(t *testing.T, modules string) string {
	t.Helper()
	exe, err := find(modules)
	switch {
	case err != nil && os.Getenv(Env) != "":
		t.Fatal(err)
	case err != nil:
		t.Skipf("not checked: %v; `make python` installs it", err)
	}
	return exe
}

// Try is Find for modules that `make python` does not install, because they are large:
// it skips the test where they are missing.
func Try(t *testing.T, modules string) string {
	t.Helper()
	exe, err := find(modules)
	if err != nil {
		t.Skipf("not checked: %v; %s=FILE names an interpreter that can", err, Env)
	}
	return exe
}

func find(modules string) (string, error) {
	exe := os.Getenv(Env)
	if exe == "" {
		exe = "python3"
	}
	if out, err := exec.Command(exe, "-c", "import "+modules).CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("%s cannot import %s: %w: %s", exe, modules, err, lines[len(lines)-1])
	}
	return exe, nil
}

// Run runs a script and returns its output. The test fails if the script does.
func Run(t *testing.T, exe, script string, args ...string) string {
	t.Helper()
	out, err := exec.Command(exe, append([]string{"-c", script}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}
