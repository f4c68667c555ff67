// Package driver is a thin layer over NVIDIA's CUDA driver. It is the only
// package of the CUDA machine that uses cgo or unsafe. It loads kernels, allocates
// and copies device memory, and launches kernels.
//
// It is built with the tag gpu, on Linux for amd64 and arm64, with cgo, and with
// this folder on the C include and library path: see the Makefile's target gpu.
// The build needs no CUDA toolkit: cuda.h is in this folder. Without the tag,
// the package has only Status and Devices, and their errors say how to get CUDA.
// The tag is not named cuda because that name would also enable Gorgonia's own
// CUDA files.
//
// The program starts without the driver library. [Status] says whether the
// driver can be used, and if not, why not and what to do.
//
// # Threads
//
// Open starts one goroutine, locked to its operating system thread. The device's
// context is current on that thread, and all calls for the device run on it.
// Methods may be called from any goroutine, also concurrently; each call is sent
// to that thread, which takes some microseconds. To make many calls together,
// use [Device.Do]: inside it, methods run directly. Only waiting for a stream has a
// thread of its own: see [Stream.Done].
//
// # Memory
//
// The garbage collector frees nothing here. Whatever has a Free or Close method
// must be freed or closed before the Device is closed. Offsets and sizes are in
// bytes. Every copy is checked against the size of the memory.
//
// # Errors
//
// Errors of the driver are of type *[Error]. After a sticky error, such as a
// fault of a kernel, the device is lost for this process: every further call
// returns the same error.
package driver

import (
	"fmt"
	"strings"
)

// State says whether CUDA can be used: Err is nil, or says why not.
type State struct {
	Built   bool // the program was built with CUDA (tag gpu)
	Version int  // the newest CUDA that the driver supports, 1000·major + 10·minor; 0: unknown
	Devices int  // number of devices
	Err     error
}

// String describes the state in one line.
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

// Require returns nil if CUDA can be used and the driver supports a version of
// CUDA, such as 12040 for CUDA 12.4. PTX from the compiler of a version needs a
// driver for that version or a later one.
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

// FormatVersion returns a CUDA version in its usual form: 12.4 for 12040.
func FormatVersion(v int) string { return fmt.Sprintf("%d.%d", v/1000, v%1000/10) }

// driverBranch returns the first branch of Linux drivers that supports a CUDA
// version, from table 3 of NVIDIA's CUDA release notes; "" if it is not listed.
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
	Memory          int64 // bytes
	Major, Minor    int   // compute capability
	Multiprocessors int
	SharedPerBlock  int  // most bytes of shared memory that a block can be allowed (opt-in)
	SharedStatic    int  // most bytes of shared memory of a block by default
	ThreadsPerBlock int  // most threads of a block
	ClockKHz        int  // peak clock of the multiprocessors
	Cooperative     bool // cooperative launches, for grid-wide barriers
}

// Capability returns the compute capability as nvcc writes it: 90 for 9.0.
func (i Info) Capability() int { return 10*i.Major + i.Minor }

// String describes the device in one line.
func (i Info) String() string {
	return fmt.Sprintf("%d: %s, compute capability %d.%d, %.1f GiB, %d multiprocessors at %d MHz, %d KiB of shared memory a block",
		i.Ordinal, i.Name, i.Major, i.Minor, float64(i.Memory)/(1<<30), i.Multiprocessors, i.ClockKHz/1000, i.SharedPerBlock/1024)
}

// Error is a failed call of the driver.
type Error struct {
	Call string // "cuMemAlloc"
	What string // its purpose, such as "training images"; may be empty
	Code int    // the CUresult
	Name string // "CUDA_ERROR_OUT_OF_MEMORY"
	Text string // the driver's description; may be empty
	Hint string // what to do; may be empty
	Log  string // the compiler's messages, if PTX does not load
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

// MemoryError is the error of an allocation for which the device has too little
// memory. Its Unwrap is the driver's error.
type MemoryError struct {
	What   string // purpose of the memory
	Device string
	Needed int64 // bytes
	Free   int64
	Total  int64
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
