// Package fake runs tests on a CUDA driver that needs no GPU. The driver is
// libcuda.c in this folder. Its first comment describes its settings and how it
// finds kernels.
//
// A test binary with the tag gpu uses it like this:
//
//	func TestMain(m *testing.M) { os.Exit(fake.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		fake.Require(t)
//		t.Setenv("CUDA_FAKE_KERNELS", fake.Compile(t, "kernels.cpp"))
//		…
//	}
//
// It needs gcc, and g++ for C++ sources. Without it, tests that require the fake
// driver are skipped.
package fake

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// running is the environment variable with the folder of the fake driver, in the
// second process.
const running = "CUDA_FAKE_DRIVER"

// Main builds the fake driver, runs the test binary again with it, and returns
// its exit code. The second process is needed because LD_LIBRARY_PATH must be
// set when a process starts.
func Main(m *testing.M) int {
	if os.Getenv(running) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "fake-cuda-")
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake CUDA driver:", err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := Build(dir); errors.Is(err, exec.ErrNotFound) {
		fmt.Fprintf(os.Stderr, "NOT TESTED: the CUDA machine on the fake driver: %v: install gcc\n", err)
		return m.Run()
	} else if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintln(os.Stderr, "fake CUDA driver:", err)
		return 1
	}
	c := exec.Command(self, os.Args[1:]...)
	c.Env = append(os.Environ(), running+"="+dir, "LD_LIBRARY_PATH="+dir+":"+os.Getenv("LD_LIBRARY_PATH"))
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	err = c.Run()
	if c.ProcessState == nil {
		fmt.Fprintln(os.Stderr, "fake CUDA driver:", err)
		return 1
	}
	if code := c.ProcessState.ExitCode(); code >= 0 {
		return code
	}
	fmt.Fprintln(os.Stderr, "fake CUDA driver:", err)
	return 2
}

// Require skips the test if there is no fake driver.
func Require(t testing.TB) {
	t.Helper()
	if os.Getenv(running) == "" {
		t.Skip("NOT TESTED: there is no fake CUDA driver: it needs gcc, and fake.Main in TestMain")
	}
	// Stat the files, so that the cache of go test depends on them.
	for _, f := range []string{"libcuda.c", "../cuda.h", "../cuda_enums.h"} {
		if _, err := os.Stat(filepath.Join(folder(), f)); err != nil {
			t.Fatal(err)
		}
	}
}

// Build builds the fake libcuda.so.1 in a folder.
func Build(dir string) error {
	return compile(filepath.Join(dir, "libcuda.so.1"), filepath.Join(folder(), "libcuda.c"))
}

// Compile builds a shared object from C or C++ sources and returns its path.
// Arguments that begin with "-" go to the compiler.
func Compile(t testing.TB, arguments ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kernels.so")
	for _, a := range arguments {
		if _, err := os.Stat(a); err != nil && !strings.HasPrefix(a, "-") {
			t.Fatal(err)
		}
	}
	if err := compile(path, arguments...); errors.Is(err, exec.ErrNotFound) {
		t.Skipf("NOT TESTED: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	return path
}

func compile(output string, arguments ...string) error {
	compiler := "gcc"
	for _, a := range arguments {
		if ext := filepath.Ext(a); ext == ".cpp" || ext == ".cc" || ext == ".cu" {
			compiler = "g++"
		}
	}
	path, err := exec.LookPath(compiler)
	if err != nil {
		return fmt.Errorf("fake CUDA driver: %w", err)
	}
	c := exec.Command(path, append([]string{"-shared", "-fPIC", "-O2", "-pthread", "-o", output}, arguments...)...)
	c.Args = append(c.Args, "-ldl")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Run(); err != nil {
		return fmt.Errorf("fake CUDA driver: %s: %w\n%s", strings.Join(c.Args, " "), err, out.Bytes())
	}
	return nil
}

// folder returns the folder of this file.
func folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Dir(file)
}
