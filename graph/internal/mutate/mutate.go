// Package mutate tests tests. It plants faults in the source of the package under
// test, one at a time, and checks that some test fails for each.
package mutate

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Mutant is a fault: in File, the text Old becomes New. Old must occur exactly
// once.
type Mutant struct {
	Name           string // a Go identifier
	File, Old, New string
}

var all = flag.Bool("mutants", false, "test all mutants, not every third")

var testFunc = regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`)

// Test runs the tests in testFiles, in short mode, on each mutant of the package
// in the current directory. It fails if all tests pass on some mutant, or if a
// test fails without a fault. The test files must belong to the package itself
// and must not call Test; neither they nor the package may embed files.
//
// Each mutant is a package in a subdirectory that exists only in an overlay of
// the go command (-overlay), so Test writes nothing to the source tree. The tests
// are an ordinary file of that package. All mutants are linked into one binary,
// which is much faster than one build per mutant. Without the flag -mutants, which
// `make mutants` sets, Test takes every third mutant only, because the build of all takes
// up to a minute. Test skips in short mode, and where the go command is not installed.
func Test(t *testing.T, testFiles []string, mutants []Mutant) {
	if testing.Short() {
		t.Skip("compiles a package for each mutant")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("the go command is not installed: ", err)
	}
	s := newSuite(t, testFiles)
	s.add("none", maps.Clone(s.source))
	var taken []Mutant
	for i, m := range mutants {
		source := maps.Clone(s.source)
		if n := strings.Count(source[m.File], m.Old); n != 1 {
			t.Fatalf("%s: %q occurs %d times in %s, want once: the source has changed, so change the mutant", m.Name, m.Old, n, m.File)
		}
		if i%3 != 0 && !*all {
			continue
		}
		source[m.File] = strings.Replace(source[m.File], m.Old, m.New, 1)
		s.add(m.Name, source)
		taken = append(taken, m)
	}
	s.build()
	if out, caught := s.run("none"); len(caught) > 0 || !strings.Contains(out, "--- PASS: Test_none") {
		t.Fatalf("without a fault:\n%s", out)
	}
	for _, m := range taken {
		if _, caught := s.run(m.Name); len(caught) == 0 {
			t.Errorf("%s: no test caught %q in place of %q", m.Name, m.New, m.Old)
		} else {
			t.Logf("%s: caught by %s", m.Name, caught[0])
		}
	}
}

// suite is the test binary and the source that it is built from.
type suite struct {
	t       *testing.T
	source  map[string]string // the package without a fault, by file name
	tests   []string          // names of the tests
	path    string            // import path of the package
	dir     string            // directory of the package
	temp    string
	overlay map[string]string // path for the go command → path of the real file
	imports strings.Builder
	calls   strings.Builder
}

func newSuite(t *testing.T, testFiles []string) *suite {
	t.Helper()
	s := &suite{t: t, source: map[string]string{}, temp: t.TempDir(), overlay: map[string]string{}}
	list := exec.Command("go", "list", "-f", "{{.ImportPath}}\n{{.Dir}}\n{{range .GoFiles}}{{.}}\n{{end}}", ".")
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	s.path, s.dir = lines[0], lines[1]
	read := func(file string) string {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	for _, file := range lines[2:] {
		s.source[file] = read(file)
	}
	for _, file := range testFiles {
		text := read(file)
		s.source[strings.TrimSuffix(file, "_test.go")+"_tests.go"] = text
		for _, test := range testFunc.FindAllStringSubmatch(text, -1) {
			s.tests = append(s.tests, test[1])
		}
	}
	return s
}

// write adds a file to the overlay.
func (s *suite) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.temp, fmt.Sprintf("%d", len(s.overlay)))
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
	s.overlay[filepath.Join(s.dir, "mutants", name)] = file
}

// add adds a package with the given source to the binary, and a test Test_NAME
// that runs its tests.
func (s *suite) add(name string, source map[string]string) {
	s.t.Helper()
	for file, text := range source {
		s.write(filepath.Join(name, file), text)
	}
	fmt.Fprintf(&s.imports, "import %s %q\n", name, s.path+"/mutants/"+name)
	fmt.Fprintf(&s.calls, "func Test_%s(t *testing.T) {\n", name)
	for _, test := range s.tests {
		fmt.Fprintf(&s.calls, "\tt.Run(%q, %s.%s)\n", test, name, test)
	}
	s.calls.WriteString("}\n")
}

func (s *suite) build() {
	s.t.Helper()
	s.write("all_test.go", "package mutants\n\nimport \"testing\"\n\n"+s.imports.String()+s.calls.String())
	text, err := json.Marshal(map[string]any{"Replace": s.overlay})
	if err != nil {
		s.t.Fatal(err)
	}
	overlay := filepath.Join(s.temp, "overlay.json")
	if err := os.WriteFile(overlay, text, 0o644); err != nil {
		s.t.Fatal(err)
	}
	// GOFLAGS is empty because the caller's flags (-race, -cover) are not for
	// these tests.
	build := exec.Command("go", "test", "-c", "-overlay", overlay, "-vet=off",
		"-gcflags="+s.path+"/mutants/...=-N -l", "-ldflags=-s -w", "-o", s.binary(), "./mutants")
	build.Dir = s.dir
	build.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local")
	if out, err := build.CombinedOutput(); err != nil {
		s.t.Fatalf("a mutant does not compile: %v\n%s", err, out)
	}
}

func (s *suite) binary() string { return filepath.Join(s.temp, "all.exe") }

var failed = regexp.MustCompile(`--- FAIL: Test_\w+/(Test\w+) `)

// run runs the tests on the mutant with the given name until one fails. It
// returns their output and the names of the failed tests.
func (s *suite) run(name string) (output string, caught []string) {
	out, err := exec.Command(s.binary(), "-test.run=^Test_"+name+"$", "-test.v", "-test.short", "-test.failfast").CombinedOutput()
	for _, c := range failed.FindAllStringSubmatch(string(out), -1) {
		caught = append(caught, c[1])
	}
	if err != nil && len(caught) == 0 {
		s.t.Errorf("%s: %v", name, err)
	}
	return string(out), caught
}
