//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

/*
#include "cuda.h"

// load_module is cuModuleLoadDataEx with the compiler's error log.
static CUresult load_module(CUmodule *module, const void *code, char *log, size_t size) {
	CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
	void *values[] = {log, (void *)(uintptr_t)size};
	return cuModuleLoadDataEx(module, code, 2, options, values);
}

// launch launches a kernel with one argument.
static CUresult launch(CUfunction f, int cooperative, unsigned grid, unsigned block, unsigned shared, CUstream stream, void *argument) {
	void *arguments[] = {argument};
	if (cooperative) {
		return cuLaunchCooperativeKernel(f, grid, 1, 1, block, 1, 1, shared, stream, arguments);
	}
	return cuLaunchKernel(f, grid, 1, 1, block, 1, 1, shared, stream, arguments, NULL);
}
*/
import "C"

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"unsafe"

	"gorgonia.org/cu"
)

// Module is a loaded program.
type Module struct {
	d    *Device
	what string
	m    cu.Module
}

// In cu's types a handle is a single pointer in an unexported field. The two
// conversions below rely on that. If it changes, these arrays do not compile.
var (
	_ [unsafe.Sizeof(C.CUmodule(nil))]byte   = [unsafe.Sizeof(cu.Module{})]byte{}
	_ [unsafe.Sizeof(C.CUfunction(nil))]byte = [unsafe.Sizeof(cu.Function{})]byte{}
)

const logSize = 16 << 10

// Load loads a program: PTX, which the driver compiles for the device, or a cubin,
// which must be for it. what is its name in errors. The error has the compiler's
// messages.
func (d *Device) Load(what, code string) (*Module, error) {
	m := &Module{d: d, what: what}
	err := d.call(func() error {
		// Not cu.LoadDataEx: it gives Go memory, hidden in integers, to the
		// driver, and does not tell how much of a log was written.
		text := C.CBytes(append([]byte(code), 0)) // PTX ends with a zero
		defer C.free(text)
		log := (*C.char)(C.calloc(1, logSize))
		defer C.free(unsafe.Pointer(log))
		var handle C.CUmodule
		to := &handle
		// The driver may use all but the last byte, which stays zero.
		r := int(C.load_module(to, text, log, logSize-1))
		if r == codeSuccess {
			m.m = *(*cu.Module)(unsafe.Pointer(&handle))
			return nil
		}
		err := d.fail("cuModuleLoadDataEx", what, r)
		var e *Error
		if errors.As(err, &e) {
			e.Log = strings.TrimSpace(C.GoString(log))
			if e.Code == codeInvalidPTX && e.Hint == "" {
				e.Hint = "the program's PTX does not compile for this device"
			}
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Close unloads the program. A second Close does nothing.
func (m *Module) Close() error {
	if m == nil || m.m == (cu.Module{}) {
		return nil
	}
	handle := m.m
	m.m = cu.Module{}
	return m.d.release(func() error { return m.d.check("cuModuleUnload", m.what, handle.Unload()) })
}

// Function is a kernel. It must not be used after its module is closed.
type Function struct {
	d      *Device
	name   string
	f      cu.Function
	static int // bytes of static shared memory
}

// Function returns the kernel with that name.
func (m *Module) Function(name string) (*Function, error) {
	f := &Function{d: m.d, name: name}
	err := m.d.call(func() error {
		if m.m == (cu.Module{}) {
			return fmt.Errorf("%s: the module was closed", m.what)
		}
		var err error
		if f.f, err = m.m.Function(name); err != nil {
			err = m.d.fail("cuModuleGetFunction", name, codeOf(err))
			var e *Error
			if errors.As(err, &e) && e.Code == codeNotFound {
				e.Hint = fmt.Sprintf("%s has no such kernel", m.what)
			}
			return err
		}
		f.static, err = f.f.Attribute(cu.SharedSizeBytes)
		return m.d.check("cuFuncGetAttribute", name, err)
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// handle returns the driver's handle, for calls that cu does not have.
func (f *Function) handle() C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f.f)) }

// AllowShared allows launches of the kernel with up to size bytes of dynamic
// shared memory. Without it they may have 48 KiB.
func (f *Function) AllowShared(size int) error {
	return f.d.call(func() error {
		if most := f.d.info.SharedPerBlock - f.static; size < 0 || size > most {
			return fmt.Errorf("%s: %d bytes of dynamic shared memory a block: %s has %d", f.name, size, f.d.info.Name, most)
		}
		// cu does not have cuFuncSetAttribute.
		if r := int(C.cuFuncSetAttribute(f.handle(), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(size))); r != codeSuccess {
			return f.d.fail("cuFuncSetAttribute", f.name, r)
		}
		return nil
	})
}

// BlocksPerMultiprocessor returns how many blocks can be resident on a
// multiprocessor. threads and shared are the threads and the bytes of dynamic
// shared memory of a block. For more than 48 KiB, call AllowShared first.
func (f *Function) BlocksPerMultiprocessor(threads, shared int) (int, error) {
	n := 0
	err := f.d.call(func() error {
		var err error
		n, err = f.f.MaxActiveBlocksPerMultiProcessor(threads, int64(shared))
		return f.d.check("cuOccupancyMaxActiveBlocksPerMultiprocessor", f.name, err)
	})
	return n, err
}

// Launch says how to launch a kernel. The grid and the blocks have one dimension.
type Launch struct {
	Grid        int  // blocks
	Block       int  // threads a block
	Shared      int  // bytes of dynamic shared memory a block
	Cooperative bool // all blocks are resident at once, so barriers of the grid are possible
	Stream      *Stream
}

// Launch starts the kernel and does not wait for it. argument has the bytes of the
// kernel's only argument; they may be changed when Launch returns.
func (f *Function) Launch(l Launch, argument []byte) error {
	return f.d.call(func() error {
		switch {
		case len(argument) == 0:
			return fmt.Errorf("%s: no argument", f.name)
		case l.Grid < 1 || int64(l.Grid) > math.MaxInt32:
			return fmt.Errorf("%s: a grid of %d blocks", f.name, l.Grid)
		case l.Block < 1 || l.Block > f.d.info.ThreadsPerBlock:
			return fmt.Errorf("%s: blocks of %d threads: want 1 to %d", f.name, l.Block, f.d.info.ThreadsPerBlock)
		case l.Shared < 0 || l.Shared > f.d.info.SharedPerBlock-f.static:
			return fmt.Errorf("%s: %d bytes of dynamic shared memory a block: %s has %d", f.name, l.Shared, f.d.info.Name, f.d.info.SharedPerBlock-f.static)
		case l.Cooperative && !f.d.info.Cooperative:
			return fmt.Errorf("%s: %s cannot launch cooperatively", f.name, f.d.info.Name)
		}
		what := fmt.Sprintf("%s, %d blocks of %d threads, %d bytes shared", f.name, l.Grid, l.Block, l.Shared)
		// Not cu's launches: the cooperative one is an empty stub.
		call, cooperative := "cuLaunchKernel", C.int(0)
		if l.Cooperative {
			call, cooperative = "cuLaunchCooperativeKernel", 1
		}
		bytes := C.CBytes(argument)
		defer C.free(bytes)
		r := int(C.launch(f.handle(), cooperative, C.uint(l.Grid), C.uint(l.Block), C.uint(l.Shared),
			C.CUstream(unsafe.Pointer(l.Stream.s.C())), bytes))
		if r != codeSuccess {
			return f.d.fail(call, what, r)
		}
		return nil
	})
}
