package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inFolder runs a command in a folder, without a network, and returns what it prints.
func inFolder(t *testing.T, dir string, command ...string) string {
	t.Helper()
	c := exec.Command(command[0], command[1:]...)
	c.Dir = dir
	c.Env = append(os.Environ(), "GOPROXY=off", "GOFLAGS=", "GOWORK=")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%q: %v\n%s", command, err, out)
	}
	return string(out)
}

// TestOtherModule: another module uses this one by a replacement, and by a workspace, as
// README.md says.
func TestOtherModule(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another module")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mine := filepath.Join(dir, "mine")
	if err := os.Mkdir(mine, 0o700); err != nil {
		t.Fatal(err)
	}
	const program = `package main

import (
	"fmt"

	"trainer/data"
)

func main() { fmt.Println(data.GenerateDigits(1, 3, 2).Train.Len()) }
`
	if err := os.WriteFile(filepath.Join(mine, "main.go"), []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	inFolder(t, mine, "go", "mod", "init", "example.org/mine")
	for _, way := range [][]string{
		{"go", "mod", "edit", "-require=trainer@v0.0.0", "-replace=trainer=" + root},
		{"go", "work", "init", ".", root},
	} {
		inFolder(t, mine, way...)
		if got := inFolder(t, mine, "go", "run", "."); got != "3\n" {
			t.Errorf("%q: the program prints %q", way, got)
		}
		inFolder(t, mine, "go", "mod", "edit", "-droprequire=trainer", "-dropreplace=trainer")
	}
}

// TestRename: `make rename` in a copy of the module leaves no import of the old name, and
// all packages are found under the new one.
func TestRename(t *testing.T) {
	if testing.Short() {
		t.Skip("builds another module")
	}
	for _, tool := range []string{"make", "perl", "git"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not installed", tool)
		}
	}
	if out, err := exec.Command("git", "-C", "../..", "rev-parse", "--show-prefix").Output(); err != nil || strings.TrimSpace(string(out)) != "" {
		t.Skip("this is no checkout of the repository")
	}
	dir := t.TempDir()
	inFolder(t, ".", "sh", "-c", "cd ../.. && git ls-files -z | xargs -0 tar cf - | tar xf - -C '"+dir+"'")
	inFolder(t, dir, "git", "init", "--quiet")
	inFolder(t, dir, "git", "add", "--all")
	const name = "example.org/you/nets"
	inFolder(t, dir, "make", "rename", "MODULE="+name)
	packages := 0
	for line := range strings.Lines(inFolder(t, dir, "go", "list", "-test", "-deps", "-f", "{{.ImportPath}}", "./...")) {
		if strings.HasPrefix(line, "trainer/") {
			t.Errorf("%s is still imported", strings.TrimSpace(line))
		}
		if strings.HasPrefix(line, name+"/") {
			packages++
		}
	}
	if packages < 40 {
		t.Errorf("%d packages are of the module", packages)
	}
	rules, err := os.ReadFile(filepath.Join(dir, ".golangci.yml"))
	if err != nil {
		t.Fatal(err)
	}
	if text := string(rules); strings.Contains(text, "pkg: trainer") || strings.Contains(text, "[trainer/") || !strings.Contains(text, `"**/cmd/trainer/*.go"`) {
		t.Error("the rules of the linter name the old module, or a folder that is not there")
	}
}
