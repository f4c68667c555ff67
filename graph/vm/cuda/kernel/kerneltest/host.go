// Package kerneltest runs the kernels on the CPU, for tests without a GPU: their
// sources, compiled with g++ and host/shim.h, or their PTX, with package ptxsim.
package kerneltest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"

	"trainer/graph/vm/cuda/kernel"
	"trainer/graph/vm/cuda/kernel/ptxsim"
)

// Library compiles the kernels to a shared library that exports NAME_host for
// each kernel NAME, and returns its path. It caches the library in the folder
// for temporary files until the sources change. Without g++ it skips the test.
func Library(tb testing.TB, flags ...string) string {
	tb.Helper()
	return compile(tb, "libkernels.so", append([]string{"-fPIC", "-shared", "-x", "c++", "kernels.cu"}, flags...))
}

// Host runs kernels: in a process, or on the emulator.
type Host struct {
	in     io.WriteCloser
	out    io.Reader
	stderr *bytes.Buffer
	cmd    *exec.Cmd

	program *ptxsim.Program // nil: a process
	options ptxsim.Options
	// Counts are those of the emulator's last launch.
	Counts ptxsim.Counts
}

var onPTX = flag.Bool("ptx", false, "run the kernels' tests on kernels.ptx, emulated, instead of on their sources")

// OnPTX reports whether the flag -ptx is given.
func OnPTX() bool { return *onPTX }

// Start starts a process that runs the kernels of Library. With the flag -ptx it is
// StartPTX.
func Start(tb testing.TB, flags ...string) *Host {
	tb.Helper()
	if *onPTX && len(flags) == 0 {
		return StartPTX(tb, kernel.PTX, ptxsim.Options{Seed: 1})
	}
	runner := compile(tb, "run", []string{"-x", "c++", "host/run.cpp", "-ldl"})
	return start(tb, exec.Command(runner, Library(tb, flags...)))
}

var parsed = struct {
	sync.Mutex
	programs map[string]*ptxsim.Program
}{programs: map[string]*ptxsim.Program{}}

// StartPTX runs the kernels of PTX on the emulator. A fault of theirs is an error of
// Launch. Tests that use the same text do not run in parallel.
func StartPTX(tb testing.TB, ptx string, o ptxsim.Options) *Host {
	tb.Helper()
	parsed.Lock()
	defer parsed.Unlock()
	p := parsed.programs[ptx]
	if p == nil {
		var err error
		if p, err = ptxsim.Parse(ptx); err != nil {
			tb.Fatal(err)
		}
		if ptx == kernel.PTX {
			parsed.programs[ptx] = p
		}
	}
	return &Host{program: p, options: o}
}

// Executed returns the lines of the PTX that the emulator has executed.
func (h *Host) Executed() []int { return h.program.Executed() }

// emulate runs a launch on the emulator.
func (h *Host) emulate(entry string, grid, block, shared int, m *Memory, p kernel.Params) error {
	argument := p.Bytes()
	for k := range addresses {
		if at := argument[8*k:]; binary.LittleEndian.Uint64(at) != 0 {
			binary.LittleEndian.PutUint64(at, ptxsim.Address(binary.LittleEndian.Uint64(at)))
		}
	}
	h.options.Seed += 16 // another order for each launch
	memory := &ptxsim.Memory{Bytes: m.bytes, Allocations: m.allocations}
	var err error
	h.Counts, err = h.program.Run(ptxsim.Launch{
		Entry: entry, Grid: grid, Block: block, Shared: shared, Cooperative: kernel.Cooperative(entry), Argument: argument,
	}, memory, h.options)
	if err != nil {
		return fmt.Errorf("kerneltest: %w", err)
	}
	return nil
}

// StartInterleaved starts a process that also switches between the CUDA threads
// between barriers, at random. seed is not 0.
func StartInterleaved(tb testing.TB, seed int, flags ...string) *Host {
	tb.Helper()
	return Start(tb, append(flags, fmt.Sprintf("-DINTERLEAVE=%d", seed), "-fsanitize-coverage=trace-pc")...)
}

// StartChecked starts a process that ends at an access that is not aligned, or
// outside of an array.
func StartChecked(tb testing.TB) *Host {
	tb.Helper()
	return Start(tb, "-fsanitize=alignment,bounds", "-fno-sanitize-recover=all") //nolint:misspell // the compiler's name
}

// StartThreads starts a process that runs each CUDA thread as a thread, under
// the thread sanitizer. A data race ends the process.
func StartThreads(tb testing.TB, flags ...string) *Host {
	tb.Helper()
	args := append([]string{"-DHOST_THREADS", "-fsanitize=thread", "-g", "-rdynamic", "-x", "c++", "kernels.cu", "host/run.cpp", "-ldl"}, flags...)
	cmd := exec.Command(compile(tb, "run-threads", args))
	cmd.Env = append(os.Environ(), "TSAN_OPTIONS=halt_on_error=1 exitcode=66")
	return start(tb, cmd)
}

func start(tb testing.TB, cmd *exec.Cmd) *Host {
	tb.Helper()
	h := &Host{cmd: cmd, stderr: &bytes.Buffer{}}
	cmd.Stderr = h.stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	h.in, h.out = in, out
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		_ = in.Close() // ends the process
		_ = cmd.Wait() // Launch has reported any failure
	})
	return h
}

// compile builds name in a folder named by the hash of the sources and flags.
func compile(tb testing.TB, name string, args []string) string {
	tb.Helper()
	compiler, err := exec.LookPath("g++")
	if err != nil {
		tb.Skip("SKIPPED: the kernels are not tested without g++: install g++")
	}
	args = append([]string{"-std=c++20", "-O2", "-DHOST_SHIM", "-Wall", "-Wextra", "-Werror", "-Wno-unknown-pragmas"}, args...)
	hash := sha256.New()
	fmt.Fprintln(hash, compiler, args)
	sources := map[string][]byte{}
	err = fs.WalkDir(kernel.Sources, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		sources[path], err = fs.ReadFile(kernel.Sources, path)
		fmt.Fprintln(hash, path, len(sources[path]))
		hash.Write(sources[path])
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
	folder := filepath.Join(os.TempDir(), fmt.Sprintf("trainer-kernels-%d-%s", os.Getuid(), hex.EncodeToString(hash.Sum(nil)[:8])))
	target := filepath.Join(folder, name)
	if _, err := os.Stat(target); err == nil {
		return target
	}
	// Build a temporary file and rename it: tests may build at the same time.
	work := tb.TempDir()
	for path, text := range sources {
		if err := os.MkdirAll(filepath.Join(work, filepath.Dir(path)), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(work, path), text, 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		tb.Fatal(err)
	}
	temporary, err := os.CreateTemp(folder, name)
	if err != nil {
		tb.Fatal(err)
	}
	if err := temporary.Close(); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command(compiler, append(args, "-o", temporary.Name())...)
	cmd.Dir = work
	if text, err := cmd.CombinedOutput(); err != nil {
		_ = os.Remove(temporary.Name())
		tb.Fatalf("%s: %v\n%s", strings.Join(cmd.Args, " "), err, text)
	}
	if err := os.Rename(temporary.Name(), target); err != nil {
		tb.Fatal(err)
	}
	return target
}

// Memory is device memory. An address is an offset in it; 0 is no address.
type Memory struct {
	bytes       []byte
	allocations [][2]int // offset and size
}

// Put appends b, aligned to 256 bytes, and returns its address; 0 if b is empty.
func (m *Memory) Put(b []byte) kernel.Address {
	if len(b) == 0 {
		return 0
	}
	at := max(256, (len(m.bytes)+255)&^255)
	m.bytes = append(m.bytes, make([]byte, at-len(m.bytes))...)
	m.bytes = append(m.bytes, b...)
	m.allocations = append(m.allocations, [2]int{at, len(b)})
	return kernel.Address(at)
}

// PutValues appends values of fixed size and returns their address.
func (m *Memory) PutValues(values any) kernel.Address {
	var b bytes.Buffer
	if err := binary.Write(&b, binary.LittleEndian, values); err != nil {
		panic("BUG: kerneltest: " + err.Error())
	}
	return m.Put(b.Bytes())
}

// Get fills values, of fixed size, from an address.
func (m *Memory) Get(at kernel.Address, values any) {
	if err := binary.Read(bytes.NewReader(m.bytes[at:]), binary.LittleEndian, values); err != nil {
		panic("BUG: kerneltest: " + err.Error())
	}
}

// addresses is the number of addresses at the beginning of a kernel.Params.
var addresses = func() int {
	n, params := 0, reflect.TypeFor[kernel.Params]()
	for params.Field(n).Type == reflect.TypeFor[kernel.Address]() {
		n++
	}
	return n
}()

// Launch runs a kernel on memory m, which the kernel changes. The error has the
// process's messages: a data race, or a barrier that not all threads reach.
func (h *Host) Launch(entry string, grid, block, shared int, m *Memory, p kernel.Params) error {
	if h.program != nil {
		return h.emulate(entry, grid, block, shared, m, p)
	}
	at := m.Put(p.Bytes())
	head := make([]byte, 32)
	copy(head, entry)
	for _, v := range []int{grid, block, shared, int(at), len(m.bytes), addresses} {
		head = binary.LittleEndian.AppendUint32(head, uint32(v))
	}
	_, err := h.in.Write(append(head, m.bytes...))
	if err == nil {
		_, err = io.ReadFull(h.out, m.bytes)
	}
	if err != nil {
		_ = h.in.Close()
		_ = h.cmd.Wait()
		return fmt.Errorf("kerneltest: %s: %w\n%s", entry, err, h.stderr)
	}
	return nil
}
