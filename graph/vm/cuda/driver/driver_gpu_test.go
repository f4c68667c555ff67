//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"trainer/graph/vm/cuda/driver/fake"
)

func TestMain(m *testing.M) {
	if os.Getenv("TEST_PRINT_STATUS") != "" {
		s := Status()
		fmt.Println(s, "|", s.Require(12040))
		_, err := Open(0)
		fmt.Println("open:", err)
		_, err = Devices()
		fmt.Println("devices:", err)
		os.Exit(0)
	}
	os.Exit(fake.Main(m))
}

// quick is an environment setting. With the race detector, a process otherwise
// sleeps a second at exit.
const quick = "GORACE=atexit_sleep_ms=0"

// child runs the test again in another process, because it breaks the driver for
// its process. It reports whether this is the other process.
func child(t *testing.T) bool {
	t.Helper()
	fake.Require(t)
	if os.Getenv("TEST_CHILD") == t.Name() {
		return true
	}
	c := exec.Command(os.Args[0], "-test.run=^"+strings.ReplaceAll(t.Name(), "/", "$/^")+"$", "-test.v")
	c.Env = append(os.Environ(), "TEST_CHILD="+t.Name(), quick)
	out, err := c.CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS")) {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// device opens the fake device with the kernels of testdata.
func device(t testing.TB) *Device {
	t.Helper()
	fake.Require(t)
	t.Setenv("CUDA_FAKE_KERNELS", fake.Compile(t, "testdata/kernels.c"))
	d, err := Open(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

func kernel(t testing.TB, d *Device, name string) *Function {
	t.Helper()
	m := must(d.Load("kernels", ".version 8.0"))(t)
	t.Cleanup(func() { check(t, m.Close()) })
	return must(m.Function(name))(t)
}

// argument returns a kernel's argument.
func argument(address uint64) []byte { return binary.LittleEndian.AppendUint64(nil, address) }

func must[T any](v T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Error(err)
	}
}

func wantError(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q lacks %q", err, p)
		}
	}
}

// TestNoLibraryNeeded: the program starts without a driver, because it imports
// nothing from libcuda. The test also shows that cuda_functions.h is complete: a
// function that it lacks would be imported, or would not link.
func TestNoLibraryNeeded(t *testing.T) {
	f, err := elf.Open(must(os.Executable())(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { check(t, f.Close()) }()
	for _, l := range must(f.ImportedLibraries())(t) {
		if strings.Contains(l, "cuda") {
			t.Errorf("needs %s: the linker found a libcuda before ours: set CGO_LDFLAGS as make gpu does", l)
		}
	}
	for _, s := range must(f.ImportedSymbols())(t) {
		if strings.HasPrefix(s.Name, "cu") {
			t.Errorf("imports %s: add it to cuda_functions.h", s.Name)
		}
	}
}

func TestStatus(t *testing.T) {
	fake.Require(t)
	driver := os.Getenv("CUDA_FAKE_DRIVER")
	empty, stranger := t.TempDir(), t.TempDir()
	check(t, os.WriteFile(filepath.Join(stranger, "a.c"), []byte("int x;"), 0o600))
	check(t, os.Rename(fake.Compile(t, filepath.Join(stranger, "a.c")), filepath.Join(stranger, "libcuda.so.1")))
	for _, c := range []struct {
		name, path string
		env        string
		want       []string
	}{
		{"none", empty, "", []string{"no NVIDIA driver", "libcuda.so.1", "install the driver", "open: no NVIDIA driver", "devices: no NVIDIA driver"}},
		{"not a driver", stranger, "", []string{"is not an NVIDIA driver", "cuInit"}},
		{"no device", driver, "CUDA_FAKE_INIT=100", []string{"cuInit: CUDA_ERROR_NO_DEVICE (100): there is no NVIDIA GPU", "open: cuInit"}},
		{"mismatch", driver, "CUDA_FAKE_INIT=803", []string{"CUDA_ERROR_SYSTEM_DRIVER_MISMATCH (803)", "restart"}},
		{"unknown code", driver, "CUDA_FAKE_INIT=12345", []string{"cuInit: CUDA error (12345)"}},
		{"no devices counted", driver, "CUDA_FAKE_DEVICES=0", []string{"CUDA_ERROR_NO_DEVICE"}},
		{"count fails", driver, "CUDA_FAKE_FAIL=cuDeviceGetCount=999", []string{"cuDeviceGetCount: CUDA_ERROR_UNKNOWN (999): text of 999"}},
		{"old", driver, "CUDA_FAKE_VERSION=11040", []string{"driver for CUDA 11.4, 1 device | the NVIDIA driver supports CUDA up to 11.4, and this program needs 12.4", "550"}},
		{"good", driver, "CUDA_FAKE_DEVICES=2", []string{"driver for CUDA 13.0, 2 devices | <nil>", "open: <nil>", "devices: <nil>"}},
		{"no such device", driver, "CUDA_FAKE_FAIL=cuDeviceGet=101", []string{"open: cuDeviceGet (device 0): CUDA_ERROR_INVALID_DEVICE (101)", "trainer devices"}},
		{"no context", driver, "CUDA_FAKE_FAIL=cuDevicePrimaryCtxRetain=2", []string{"open: cuDevicePrimaryCtxRetain (device 0): CUDA_ERROR_OUT_OF_MEMORY"}},
		{"context not current", driver, "CUDA_FAKE_FAIL=cuCtxSetCurrent=201", []string{"open: cuCtxSetCurrent"}},
		{"attribute", driver, "CUDA_FAKE_FAIL=cuDeviceGetAttribute=1", []string{"cuDeviceGetAttribute (device 0, attribute 75): CUDA_ERROR_INVALID_VALUE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := exec.Command(os.Args[0])
			p.Env = append(os.Environ(), "TEST_PRINT_STATUS=1", "LD_LIBRARY_PATH="+c.path, quick)
			if c.env != "" {
				p.Env = append(p.Env, c.env)
			}
			out, err := p.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if c.path == empty && !bytes.Contains(out, []byte("no NVIDIA driver")) {
				t.Skipf("NOT TESTED: this machine has a driver: %s", out)
			}
			for _, w := range c.want {
				if !strings.Contains(string(out), w) {
					t.Errorf("%q lacks %q", out, w)
				}
			}
		})
	}
}

func TestDevices(t *testing.T) {
	fake.Require(t)
	t.Setenv("CUDA_FAKE_DEVICES", "2")
	t.Setenv("CUDA_FAKE_ATTRIBUTES", "97=101376")
	infos := must(Devices())(t)
	want := Info{
		Ordinal: 1, Name: "Fake GPU 1", Memory: 1 << 30, Major: 9, Multiprocessors: 132,
		SharedPerBlock: 101376, SharedStatic: 49152, ThreadsPerBlock: 1024, ClockKHz: 1980000, Cooperative: true,
	}
	if len(infos) != 2 || infos[1] != want {
		t.Errorf("%+v, want %+v", infos, want)
	}
	_, err := Open(2)
	wantError(t, err, "CUDA device 2", "2 devices", "trainer devices")
	_, err = Open(-1)
	wantError(t, err, "CUDA device -1")
}

// TestThread: all calls for a device run on one thread.
func TestThread(t *testing.T) {
	d := device(t)
	var wg sync.WaitGroup
	var threads sync.Map
	for range 8 {
		wg.Go(func() {
			for range 50 {
				err := d.Do(func() error {
					threads.Store(syscall.Gettid(), true)
					return d.Do(func() error { // inside Do: runs directly
						_, _, err := d.MemoryInfo()
						return err
					})
				})
				if err != nil {
					t.Error(err)
				}
				m, err := d.Alloc("x", 16)
				if err != nil {
					t.Error(err)
					return
				}
				if err := m.Free(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	n := 0
	threads.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("calls on %d threads", n)
	}
	want := errors.New("mine")
	if err := d.Do(func() error { return want }); !errors.Is(err, want) {
		t.Errorf("Do returned %v", err)
	}
}

func TestClose(t *testing.T) {
	fake.Require(t)
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("CUDA_FAKE_LOG", log)
	d := must(Open(0))(t)
	m := must(d.Alloc("x", 16))(t)
	check(t, m.Free())
	check(t, m.Free())
	check(t, d.Close())
	check(t, d.Close())
	if _, err := d.Alloc("x", 16); !errors.Is(err, ErrClosed) {
		t.Errorf("Alloc after Close: %v", err)
	}
	calls := string(must(os.ReadFile(log))(t))
	for call, want := range map[string]int{"cuDevicePrimaryCtxRetain 0\n": 1, "cuDevicePrimaryCtxRelease_v2 0\n": 1, "cuMemAlloc_v2 16\n": 1, "cuMemFree_v2 \n": 1} {
		if got := strings.Count(calls, call); got != want {
			t.Errorf("%d times %q, want %d, in\n%s", got, call, want, calls)
		}
	}
}

func TestMemory(t *testing.T) {
	d := device(t)
	m := must(d.Alloc("numbers", 40))(t)
	if m.Address() == 0 || m.Address()%256 != 0 {
		t.Errorf("address %#x", m.Address())
	}
	check(t, m.Clear())
	check(t, CopyTo(m, 8, []float32{1, 2, 3}))
	got := make([]float32, 10)
	check(t, CopyFrom(got, m, 0))
	if want := []float32{0, 0, 1, 2, 3, 0, 0, 0, 0, 0}; fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
	n := must(d.Alloc("others", 8))(t)
	check(t, n.Copy(0, m, 12, 8))
	check(t, CopyFrom(got[:2], n, 0))
	if got[0] != 2 || got[1] != 3 {
		t.Errorf("copied %v", got[:2])
	}
	check(t, CopyTo(m, 40, []float64{}))

	wantError(t, CopyTo(m, 36, []float64{1}), "numbers: 8 bytes at 36, in memory of 40")
	wantError(t, CopyTo(m, -1, []uint8{1}), "1 bytes at -1")
	wantError(t, CopyFrom(make([]uint8, 41), m, 0), "41 bytes at 0")
	wantError(t, n.Copy(0, m, 0, 9), "others: 9 bytes")
	wantError(t, m.Copy(0, n, 4, 8), "others: 8 bytes at 4")
	_, err := d.Alloc("nothing", 0)
	wantError(t, err, "nothing: 0 bytes")
	check(t, n.Free())
	check(t, m.Free())
	wantError(t, CopyFrom(got, m, 0), "numbers: the device memory was freed")
	wantError(t, m.Clear(), "was freed")
	if free, total, err := d.MemoryInfo(); err != nil || free != total || total != 1<<30 {
		t.Errorf("free %d of %d, %v: want all free", free, total, err)
	}
}

func TestOutOfMemory(t *testing.T) {
	d := device(t)
	m := must(d.Alloc("images", 1000<<20))(t)
	_, err := d.Alloc("labels", 100<<20)
	wantError(t, err, "labels: out of memory on Fake GPU 0", "needed 100.00 MiB", "free 24.00 MiB of 1.00 GiB", "cuMemAlloc (labels): CUDA_ERROR_OUT_OF_MEMORY (2)")
	var me *MemoryError
	if !errors.As(err, &me) || me.Needed != 100<<20 || me.Free != 24<<20 || me.Total != 1<<30 {
		t.Errorf("%#v", err)
	}
	check(t, m.Free())
	m = must(d.Alloc("labels", 100<<20))(t)
	check(t, m.Free())

	t.Setenv("CUDA_FAKE_FAIL", "cuMemHostAlloc=2")
	_, err = d.AllocHost("progress", 4096)
	wantError(t, err, "4096 bytes of page-locked host memory", "cuMemHostAlloc (progress)")
}

func TestLaunch(t *testing.T) {
	d := device(t)
	f := kernel(t, d, "shape")
	out := must(d.Alloc("out", 12))(t)
	s := must(d.NewStream())(t)
	for _, cooperative := range []bool{false, true} {
		check(t, out.Clear())
		check(t, f.Launch(Launch{Grid: 12, Block: 96, Shared: 1024, Cooperative: cooperative, Stream: s}, argument(out.Address())))
		got := make([]uint32, 3)
		check(t, CopyFrom(got, out, 0))
		if got[0] != 12 || got[1] != 96 || got[2] != 1024 {
			t.Errorf("cooperative %v: %v, want 12 blocks of 96 threads with 1024 bytes", cooperative, got)
		}
	}
	check(t, out.Free())
	check(t, s.Close())
	check(t, s.Close())
}

// TestLaunchCalls pins the calls that reach the driver.
func TestLaunchCalls(t *testing.T) {
	d := device(t)
	f := kernel(t, d, "hungry")
	s := must(d.NewStream())(t)
	log := filepath.Join(t.TempDir(), "log")
	t.Setenv("CUDA_FAKE_LOG", log)
	check(t, f.AllowShared(100000))
	check(t, f.Launch(Launch{Grid: 3, Block: 64, Shared: 100000, Stream: s}, argument(0)))
	check(t, f.Launch(Launch{Grid: 132, Block: 128, Cooperative: true, Stream: s}, argument(0)))
	n := must(f.BlocksPerMultiprocessor(128, 100000))(t)
	check(t, s.Wait())
	want := `cuFuncSetAttribute hungry 8 100000
cuLaunchKernel hungry grid=3,1,1 block=64,1,1 shared=100000
cuLaunchCooperativeKernel hungry grid=132,1,1 block=128,1,1 shared=0
cuOccupancyMaxActiveBlocksPerMultiprocessor hungry 128 100000
cuStreamSynchronize 
`
	if got := string(must(os.ReadFile(log))(t)); got != want {
		t.Errorf("calls:\n%s\nwant:\n%s", got, want)
	}
	if n != 2 { // 233472 / (100000 + 1024 static + 1024 for the system)
		t.Errorf("%d blocks a multiprocessor", n)
	}
	check(t, s.Close())
}

func TestLaunchRefused(t *testing.T) {
	d := device(t)
	f := kernel(t, d, "hungry")
	s := must(d.NewStream())(t)
	l := Launch{Grid: 1, Block: 32, Stream: s}
	for _, c := range []struct {
		change func(*Launch)
		want   []string
	}{
		{func(l *Launch) { l.Grid = 0 }, []string{"hungry: a grid of 0 blocks"}},
		{func(l *Launch) { l.Block = 0 }, []string{"blocks of 0 threads"}},
		{func(l *Launch) { l.Block = 1025 }, []string{"blocks of 1025 threads: want 1 to 1024"}},
		{func(l *Launch) { l.Shared = 231425 }, []string{"231425 bytes", "Fake GPU 0 has 231424"}}, // 232448 − 1024 static
		{func(l *Launch) { l.Shared = 50000 }, []string{"cuLaunchKernel (hungry, 1 blocks of 32 threads, 50000 bytes shared): CUDA_ERROR_INVALID_VALUE (1)"}},
		{func(l *Launch) { l.Grid, l.Block, l.Cooperative = 265, 1024, true }, []string{"cuLaunchCooperativeKernel", "CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE (720)", "whole grid at once"}},
	} {
		l := l
		c.change(&l)
		wantError(t, f.Launch(l, argument(0)), c.want...)
	}
	wantError(t, f.AllowShared(231425), "231425 bytes", "231424")
	check(t, f.AllowShared(231424))
	l.Shared = 231424
	check(t, f.Launch(l, argument(0)))
	check(t, f.Launch(Launch{Grid: 264, Block: 1024, Cooperative: true, Stream: s}, argument(0)))
	check(t, s.Close())

	t.Setenv("CUDA_FAKE_ATTRIBUTES", "95=0")
	old := must(Open(0))(t)
	m := must(old.Load("kernels", ""))(t)
	g := must(m.Function("hungry"))(t)
	wantError(t, g.Launch(Launch{Grid: 1, Block: 1, Cooperative: true}, argument(0)), "cannot launch cooperatively")
	check(t, m.Close())
	check(t, old.Close())
}

// TestHostMemory: the host and a running kernel see what the other writes. A
// launch does not wait for the kernel.
func TestHostMemory(t *testing.T) {
	d := device(t)
	f := kernel(t, d, "wait")
	s := must(d.NewStream())(t)
	h := must(d.AllocHost("flags", 64))(t)
	flags := View[uint32](h, 0, 16)
	if h.Size() != 64 || flags[2] != 0 || flags[3] != 0 {
		t.Errorf("flags %v, want 16 zeros", flags)
	}
	check(t, f.Launch(Launch{Grid: 1, Block: 1, Stream: s}, argument(h.Address()+8)))
	done := s.Done()
	_, _, err := d.MemoryInfo() // other calls work meanwhile
	check(t, err)
	select {
	case err := <-done:
		t.Errorf("the stream is done while the kernel waits: %v", err)
	default:
	}
	atomic.StoreUint32(&flags[2], 41)
	check(t, <-done)
	if got := atomic.LoadUint32(&flags[3]); got != 42 {
		t.Errorf("the kernel answered %d", got)
	}
	check(t, s.Wait())
	check(t, h.Free())
	check(t, h.Free())
	check(t, s.Close())
	wantError(t, s.Wait(), "closed")
}

// BenchmarkWait measures the launch of a kernel of 50 µs and the wait for it: some
// 20 µs more, where a polling loop would sleep for a millisecond.
func BenchmarkWait(b *testing.B) {
	d := device(b)
	f := kernel(b, d, "spin")
	s := must(d.NewStream())(b)
	for b.Loop() {
		check(b, f.Launch(Launch{Grid: 1, Block: 1, Stream: s}, argument(0)))
		check(b, s.Wait())
	}
	check(b, s.Close())
}

// TestStreamCopies: copies and clears of a stream are done in its order.
func TestStreamCopies(t *testing.T) {
	d := device(t)
	s := must(d.NewStream())(t)
	h := must(d.AllocHost("numbers", 16))(t)
	m := must(d.Alloc("numbers", 16))(t)
	numbers := View[int32](h, 0, 4)
	copy(numbers, []int32{1, 2, 3, 4})
	for _, err := range []error{s.CopyTo(m, h, 16), s.Clear(m, 4, 8), s.Wait()} {
		check(t, err)
	}
	got := make([]int32, 4)
	check(t, CopyFrom(got, m, 0))
	if want := []int32{1, 0, 0, 4}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	wantError(t, s.CopyTo(m, h, 17), "17 bytes")
	wantError(t, s.Clear(m, 8, 12), "12 bytes at 8")
	for _, err := range []error{h.Free(), m.Free(), s.Close()} {
		check(t, err)
	}
	wantError(t, s.CopyTo(m, h, 1), "freed")
}

// TestTimer: the time is that of the work between Start and Stop, and there is none
// before the stream has done it.
func TestTimer(t *testing.T) {
	d := device(t)
	f := kernel(t, d, "wait")
	s := must(d.NewStream())(t)
	h := must(d.AllocHost("flags", 64))(t)
	timer := must(s.NewTimer())(t)
	_, err := timer.Elapsed()
	wantError(t, err, "cuEventElapsedTime: CUDA_ERROR_INVALID_HANDLE (400)")
	release := &View[uint32](h, 0, 16)[0] // the kernel ends when it is set
	launch := func() {
		atomic.StoreUint32(release, 0)
		check(t, f.Launch(Launch{Grid: 1, Block: 1, Stream: s}, argument(h.Address())))
	}
	const pause = 10 * time.Millisecond

	// A kernel between Start and Stop.
	check(t, timer.Start())
	check(t, s.Wait())
	launch()
	check(t, timer.Stop())
	_, err = timer.Elapsed()
	wantError(t, err, "CUDA_ERROR_NOT_READY (600)")
	time.Sleep(pause)
	atomic.StoreUint32(release, 1)
	check(t, s.Wait())
	if took := must(timer.Elapsed())(t); took < pause {
		t.Errorf("%v for a kernel of at least %v", took, pause)
	}

	// A kernel before Start.
	launch()
	check(t, timer.Start())
	check(t, timer.Stop())
	time.Sleep(pause)
	ends := time.Now()
	atomic.StoreUint32(release, 1)
	check(t, s.Wait())
	if took, most := must(timer.Elapsed())(t), time.Since(ends); took > most {
		t.Errorf("%v for no work, within %v", took, most)
	}
	var none *Timer
	for _, err := range []error{none.Start(), none.Stop(), none.Close(), timer.Close(), timer.Close(), h.Free(), s.Close()} {
		check(t, err)
	}
}

func TestLoad(t *testing.T) {
	d := device(t)
	_, err := must(d.Load("kernels.ptx", ".version 8.0"))(t).Function("absent")
	wantError(t, err, "cuModuleGetFunction (absent): CUDA_ERROR_NOT_FOUND (500)", "kernels.ptx has no such kernel")

	t.Setenv("CUDA_FAKE_JIT_LOG", "ptxas application ptx input, line 12; fatal : Parsing error near 'x'")
	t.Setenv("CUDA_FAKE_FAIL", "cuModuleLoadDataEx=218")
	_, err = d.Load("kernels.ptx", "x")
	wantError(t, err, "cuModuleLoadDataEx (kernels.ptx): CUDA_ERROR_INVALID_PTX (218)", "does not compile", "\nptxas application ptx input, line 12; fatal")
	t.Setenv("CUDA_FAKE_FAIL", "cuModuleLoadDataEx=222")
	_, err = d.Load("kernels.ptx", "x")
	wantError(t, err, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION (222)", "install a newer NVIDIA driver")

	// A log that is longer than the buffer is cut.
	t.Setenv("CUDA_FAKE_JIT_LOG", strings.Repeat("y", 2*logSize))
	_, err = d.Load("kernels.ptx", "x")
	var e *Error
	if !errors.As(err, &e) || len(e.Log) != logSize-2 { // snprintf's zero, and ours
		t.Errorf("a log of %d bytes", len(e.Log))
	}
}

// TestSticky: after a fault of a kernel, every call returns its error. Freeing
// and closing return no error.
func TestSticky(t *testing.T) {
	if !child(t) {
		return
	}
	d := device(t)
	m := must(d.Alloc("numbers", 16))(t)
	h := must(d.AllocHost("flags", 16))(t)
	s := must(d.NewStream())(t)
	mod := must(d.Load("kernels", ""))(t)
	f := must(mod.Function("hungry"))(t)
	t.Setenv("CUDA_FAKE_FAIL", "kernel=719")
	check(t, f.Launch(Launch{Grid: 1, Block: 1, Stream: s}, argument(0))) // asynchronous: no error yet
	err := s.Wait()
	wantError(t, err, "cuStreamSynchronize: CUDA_ERROR_LAUNCH_FAILED (719)", "cannot be used again")
	t.Setenv("CUDA_FAKE_FAIL", "")
	_, alloc := d.Alloc("x", 1)
	_, load := d.Load("x", "")
	for name, again := range map[string]error{
		"Alloc": alloc, "Load": load, "Wait": s.Wait(), "Launch": f.Launch(Launch{Grid: 1, Block: 1, Stream: s}, argument(0)),
		"CopyTo": CopyTo(m, 0, []uint8{1}), "Clear": m.Clear(),
	} {
		if !errors.Is(again, err) {
			t.Errorf("%s after the fault: %v", name, again)
		}
	}
	for _, c := range []func() error{mod.Close, s.Close, h.Free, m.Free, d.Close} {
		check(t, c())
	}
}

// TestEveryCallFails: the error of a failed call names it, and the next call
// works again.
func TestEveryCallFails(t *testing.T) {
	d := device(t)
	m := must(d.Alloc("numbers", 16))(t)
	s := must(d.NewStream())(t)
	timer := must(s.NewTimer())(t)
	pinned := must(d.AllocHost("numbers", 16))(t)
	mod := must(d.Load("kernels", ""))(t)
	f := must(mod.Function("hungry"))(t)
	for _, c := range []struct {
		symbol string
		call   func() error
	}{
		{"cuMemAlloc_v2", func() error { _, err := d.Alloc("x", 1); return err }},
		{"cuMemGetInfo_v2", func() error { _, _, err := d.MemoryInfo(); return err }},
		{"cuMemHostAlloc", func() error { _, err := d.AllocHost("x", 1); return err }},
		{"cuMemHostGetDevicePointer_v2", func() error { _, err := d.AllocHost("x", 1); return err }},
		{"cuMemsetD8_v2", m.Clear},
		{"cuMemcpyHtoD_v2", func() error { return CopyTo(m, 0, []int32{1}) }},
		{"cuMemcpyDtoH_v2", func() error { return CopyFrom([]int32{1}, m, 0) }},
		{"cuMemcpyDtoD_v2", func() error { return m.Copy(0, m, 8, 8) }},
		{"cuStreamCreate", func() error { _, err := d.NewStream(); return err }},
		{"cuStreamSynchronize", s.Wait},
		{"cuEventCreate", func() error { _, err := s.NewTimer(); return err }},
		{"cuEventRecord", timer.Start},
		{"cuEventElapsedTime", func() error {
			if err := errors.Join(timer.Start(), timer.Stop(), s.Wait()); err != nil {
				return err
			}
			_, err := timer.Elapsed()
			return err
		}},
		{"cuEventDestroy_v2", func() error { return must(s.NewTimer())(t).Close() }},
		{"cuMemsetD8Async", func() error { return s.Clear(m, 0, 16) }},
		{"cuMemcpyHtoDAsync_v2", func() error { return s.CopyTo(m, pinned, 16) }},
		{"cuModuleLoadDataEx", func() error { _, err := d.Load("x", ""); return err }},
		{"cuModuleGetFunction", func() error { _, err := mod.Function("hungry"); return err }},
		{"cuFuncGetAttribute", func() error { _, err := mod.Function("hungry"); return err }},
		{"cuFuncSetAttribute", func() error { return f.AllowShared(100) }},
		{"cuOccupancyMaxActiveBlocksPerMultiprocessor", func() error { _, err := f.BlocksPerMultiprocessor(1, 1); return err }},
		{"cuLaunchKernel", func() error { return f.Launch(Launch{Grid: 1, Block: 1, Stream: s}, argument(0)) }},
		{"cuLaunchCooperativeKernel", func() error { return f.Launch(Launch{Grid: 1, Block: 1, Cooperative: true, Stream: s}, argument(0)) }},
		{"cuStreamDestroy_v2", func() error { return must(d.NewStream())(t).Close() }},
		{"cuModuleUnload", func() error { return must(d.Load("x", ""))(t).Close() }},
		{"cuMemFree_v2", func() error { return must(d.Alloc("x", 1))(t).Free() }},
		{"cuMemFreeHost", func() error { return must(d.AllocHost("x", 1))(t).Free() }},
		{"cuDevicePrimaryCtxRelease_v2", func() error { return must(Open(0))(t).Close() }},
	} {
		t.Run(c.symbol, func(t *testing.T) {
			check(t, c.call())
			t.Setenv("CUDA_FAKE_FAIL", c.symbol+"=999")
			name, _, _ := strings.Cut(c.symbol, "_v2")
			wantError(t, c.call(), name, "CUDA_ERROR_UNKNOWN (999): text of 999")
			t.Setenv("CUDA_FAKE_FAIL", "")
			check(t, c.call())
		})
	}
}
