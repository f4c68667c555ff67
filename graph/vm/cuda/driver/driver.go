// Package driver is a thin layer over NVIDIA's CUDA driver, and the only
// package with cgo or unsafe of the CUDA machine. It loads programs (PTX),
// holds device memory, copies, launches and measures.
//
// It is built with the tag gpu, on Linux for amd64 and arm64, with cgo and with
// this folder on the C include and library path: see the Makefile's target gpu.
// No CUDA toolkit is needed: cuda.h is in this folder. Without the tag, Status
// says how to get CUDA, and nothing else is there. (The tag is not called cuda
// because that switches on Gorgonia's own CUDA files.)
//
// The driver library is optional when the program runs. [Status] says whether
// it is there and usable, and if not, why not and what to do.
//
// # Threads
//
// Open starts one goroutine, locked to its operating system's thread, on which
// the device's context is current and on which all calls for the device are
// made. Methods may be called from any goroutine, one after the other or at the
// same time; each is handed to that thread. A hand-over costs some
// microseconds: to make many calls together, use [Device.Do], inside which
// methods run directly.
//
// # Memory
//
// Nothing is freed by the garbage collector: what has a Free or Close method
// must be given back with it, at the latest before the Device is closed.
// Offsets and sizes are in bytes, and all copies are checked against the size
// of the memory.
//
// # Errors
//
// Errors of the driver are of type *[Error]. After a sticky one ([IsSticky]) the
// device is lost for this process: every further call returns that same error.
package driver

import (
	"errors"
	"fmt"
	"strings"
)

// State says whether CUDA can be used.
type State struct {
	Built   bool // built with CUDA (tag gpu)
	Version int  // the newest CUDA that the driver supports, 1000·major + 10·minor; 0: unknown
	Devices int  // devices found
	Err     error
}

// Ready says whether there is a driver and a device.
func (s State) Ready() bool { return s.Err == nil }

// String is the state in one line.
func (s State) String() string {
	if s.Err != nil {
		return s.Err.Error()
	}
	devices := "1 device"
	if s.Devices != 1 {
		devices = fmt.Sprintf("%d devices", s.Devices)
	}
	return fmt.Sprintf("driver for CUDA %s, %s", FormatVersion(s.Version), devices)
}

// Require returns nil when CUDA is usable and the driver supports the CUDA
// version, say 12040 for CUDA 12.4. PTX made by the compiler of a CUDA version
// needs a driver for that version or a later one.
func (s State) Require(version int) error {
	if s.Err != nil {
		return s.Err
	}
	if s.Version < version {
		return tooOld(s.Version, version)
	}
	return nil
}

func tooOld(have, want int) error {
	branch := ""
	if b := driverBranch(want); b != "" {
		branch = fmt.Sprintf(" (version %s or later on Linux)", b)
	}
	return fmt.Errorf("the NVIDIA driver supports CUDA up to %s, and this program needs %s: install a newer driver%s", FormatVersion(have), FormatVersion(want), branch)
}

// FormatVersion writes a CUDA version as it is spoken of: 12040 is 12.4.
func FormatVersion(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// driverBranch is the branch of Linux drivers that brought support for a CUDA
// version, from table 3 of NVIDIA's CUDA release notes.
func driverBranch(version int) string {
	return map[int]string{
		11000: "450", 11010: "455", 11020: "460", 11030: "465", 11040: "470",
		11050: "495", 11060: "510", 11070: "515", 11080: "520",
		12000: "525", 12010: "530", 12020: "535", 12030: "545", 12040: "550",
		12050: "555", 12060: "560", 12080: "570", 12090: "575",
		13000: "580",
	}[version]
}

// Info describes a device.
type Info struct {
	Ordinal         int
	Name            string
	Memory          int64 // bytes in all
	Free            int64 // bytes free now; -1: not known, because the device has not been opened
	Major, Minor    int   // compute capability
	Multiprocessors int
	SharedPerBlock  int // bytes of shared memory that a block can ask for, at most (opt-in)
	SharedStatic    int // bytes of shared memory that a block has without asking
	ThreadsPerBlock int // at most
	RegistersPerSM  int
	ClockKHz        int // the multiprocessors' peak
	MemoryClockKHz  int
	L2              int  // bytes of second-level cache
	Cooperative     bool // grid-wide barriers (cooperative launch)
	WatchdogEnabled bool // long kernels are killed, because a display is attached
}

// Capability is the compute capability as nvcc writes it: 90 for 9.0.
func (i Info) Capability() int { return 10*i.Major + i.Minor }

// String is the device in one line.
func (i Info) String() string {
	return fmt.Sprintf("%d: %s, compute capability %d.%d, %.1f GiB, %d multiprocessors at %d MHz, %d KiB of shared memory a block",
		i.Ordinal, i.Name, i.Major, i.Minor, float64(i.Memory)/(1<<30), i.Multiprocessors, i.ClockKHz/1000, i.SharedPerBlock/1024)
}

// Error is a failed call of the driver.
type Error struct {
	Call string // "cuMemAlloc"
	What string // what it was for, "training images"; may be empty
	Code int    // the CUresult
	Name string // "CUDA_ERROR_OUT_OF_MEMORY"
	Text string // the driver's description; may be empty
	Hint string // what to do; may be empty
	Log  string // the compiler's messages, for PTX that does not load
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Call)
	if e.What != "" {
		fmt.Fprintf(&b, " (%s)", e.What)
	}
	fmt.Fprintf(&b, ": %s (%d)", e.Name, e.Code)
	if e.Text != "" {
		fmt.Fprintf(&b, ": %s", e.Text)
	}
	if e.Hint != "" {
		fmt.Fprintf(&b, ": %s", e.Hint)
	}
	if e.Log != "" {
		fmt.Fprintf(&b, "\n%s", e.Log)
	}
	return b.String()
}

// MemoryError says that a device's memory did not suffice. Its Unwrap is the
// driver's error.
type MemoryError struct {
	What   string // what the memory was for
	Device string
	Needed int64 // bytes asked for
	Free   int64 // bytes that were free
	Total  int64 // bytes of the device
	Err    error
}

func (e *MemoryError) Error() string {
	return fmt.Sprintf("%s: out of memory on %s: needed %s, free %s of %s: end other programs on the device, or use a smaller batch or data set (%v)",
		e.What, e.Device, formatBytes(e.Needed), formatBytes(e.Free), formatBytes(e.Total), e.Err)
}

func (e *MemoryError) Unwrap() error { return e.Err }

func formatBytes(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.2f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%d bytes", n)
}

// sticky are the results after which the driver answers every further call of
// the process with the same error (NVIDIA's description of CUresult: "the
// process must be terminated and relaunched"), and those that end the context
// in other ways.
var sticky = map[int]bool{
	214: true, // ECC_UNCORRECTABLE
	220: true, // NVLINK_UNCORRECTABLE
	226: true, // CONTAINED
	700: true, // ILLEGAL_ADDRESS
	702: true, // LAUNCH_TIMEOUT
	709: true, // CONTEXT_IS_DESTROYED
	710: true, // ASSERT
	714: true, // HARDWARE_STACK_ERROR
	715: true, // ILLEGAL_INSTRUCTION
	716: true, // MISALIGNED_ADDRESS
	717: true, // INVALID_ADDRESS_SPACE
	718: true, // INVALID_PC
	719: true, // LAUNCH_FAILED
	721: true, // TENSOR_MEMORY_LEAK
}

// IsSticky says whether err leaves the device unusable for this process:
// nothing is to be retried.
func IsSticky(err error) bool {
	var e *Error
	return errors.As(err, &e) && sticky[e.Code]
}
