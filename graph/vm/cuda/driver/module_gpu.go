//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

/*
#include "cuda.h"

// load_module is cuModuleLoadDataEx with both of the compiler's logs.
static CUresult load_module(CUmodule *module, const char *ptx, char *errors, char *info, size_t size) {
	CUjit_option options[] = {
		CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES,
		CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
	};
	void *values[] = {errors, (void *)(uintptr_t)size, info, (void *)(uintptr_t)size};
	return cuModuleLoadDataEx(module, ptx, 4, options, values);
}

// launch_cooperative launches with n arguments of one slot each.
static CUresult launch_cooperative(CUfunction f, unsigned grid, unsigned block, unsigned shared, CUstream stream, uint64_t *slots, int n) {
	void *arguments[64];
	for (int i = 0; i < n; i++) {
		arguments[i] = &slots[i];
	}
	return cuLaunchCooperativeKernel(f, grid, 1, 1, block, 1, 1, shared, stream, arguments);
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

	// Log has the compiler's remarks.
	Log string
}

// Handles are single pointers in cu's types, in an unexported field. The two
// conversions below rely on it; these arrays do not compile when it changes.
var (
	_ [unsafe.Sizeof(C.CUmodule(nil))]byte   = [unsafe.Sizeof(cu.Module{})]byte{}
	_ [unsafe.Sizeof(C.CUfunction(nil))]byte = [unsafe.Sizeof(cu.Function{})]byte{}
)

const logSize = 16 << 10

// Load compiles PTX text for the device and loads it. what names it in errors.
// The error has the compiler's messages.
func (d *Device) Load(what, ptx string) (*Module, error) {
	m := &Module{d: d, what: what}
	err := d.call(func() error {
		// Not cu.LoadDataEx: it hands Go memory, hidden in integers, to the
		// driver, and gives no way to see how much of a log was written.
		text := C.CString(ptx)
		defer C.free(unsafe.Pointer(text))
		logs := (*C.char)(C.calloc(2, logSize))
		defer C.free(unsafe.Pointer(logs))
		info := (*C.char)(unsafe.Add(unsafe.Pointer(logs), logSize))
		var handle C.CUmodule
		to := &handle
		// One byte less than there is: a log always ends in a zero.
		r := int(C.load_module(to, text, logs, info, logSize-1))
		if r == codeSuccess {
			m.m = *(*cu.Module)(unsafe.Pointer(&handle))
			m.Log = strings.TrimSpace(C.GoString(info))
			return nil
		}
		err := d.fail("cuModuleLoadDataEx", what, r)
		var e *Error
		if errors.As(err, &e) {
			e.Log = strings.TrimSpace(C.GoString(logs))
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

// Function is a kernel. It lives as long as its module.
type Function struct {
	d      *Device
	name   string
	f      cu.Function
	static int // bytes of static shared memory
}

// Function returns the kernel of that name.
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

// handle is the driver's handle, for the calls that cu lacks.
func (f *Function) handle() C.CUfunction { return *(*C.CUfunction)(unsafe.Pointer(&f.f)) }

// Attributes are what the compiler made of a kernel.
type Attributes struct {
	Registers    int // 32-bit registers a thread
	Local        int // bytes of local memory a thread: spills and arrays
	SharedStatic int // bytes of shared memory a block, without dynamic
	Constant     int // bytes of constant memory
	MaxThreads   int // threads a block, at most
	PTX, Binary  int // versions of the virtual and the real instruction set: 90 is 9.0
}

// Attributes returns what the compiler made of the kernel.
func (f *Function) Attributes() (Attributes, error) {
	var a Attributes
	err := f.d.call(func() error {
		for _, v := range []struct {
			attribute cu.FunctionAttribute
			value     *int
		}{
			{cu.NumRegs, &a.Registers},
			{cu.LocalSizeBytes, &a.Local},
			{cu.SharedSizeBytes, &a.SharedStatic},
			{cu.ConstSizeBytes, &a.Constant},
			{cu.FnMaxThreadsPerBlock, &a.MaxThreads},
			{cu.PtxVersion, &a.PTX},
			{cu.BinaryVersion, &a.Binary},
		} {
			var err error
			if *v.value, err = f.f.Attribute(v.attribute); err != nil {
				return f.d.fail("cuFuncGetAttribute", f.name, codeOf(err))
			}
		}
		return nil
	})
	return a, err
}

// AllowShared lets launches of the kernel have up to size bytes of dynamic
// shared memory, which is needed above 48 KiB.
func (f *Function) AllowShared(size int) error {
	return f.d.call(func() error {
		if most := f.d.info.SharedPerBlock - f.static; size < 0 || size > most {
			return fmt.Errorf("%s: %d bytes of dynamic shared memory a block: %s has %d", f.name, size, f.d.info.Name, most)
		}
		// cu has no cuFuncSetAttribute.
		if r := int(C.cuFuncSetAttribute(f.handle(), C.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, C.int(size))); r != codeSuccess {
			return f.d.fail("cuFuncSetAttribute", f.name, r)
		}
		return nil
	})
}

// BlocksPerMultiprocessor returns how many blocks of so many threads, with so
// many bytes of dynamic shared memory each, a multiprocessor holds at once. For
// more than 48 KiB call AllowShared first.
func (f *Function) BlocksPerMultiprocessor(threads, shared int) (int, error) {
	n := 0
	err := f.d.call(func() error {
		var err error
		n, err = f.f.MaxActiveBlocksPerMultiProcessor(threads, int64(shared))
		return f.d.check("cuOccupancyMaxActiveBlocksPerMultiprocessor", f.name, err)
	})
	return n, err
}

// Argument is an argument of a kernel, in a slot of eight bytes. The driver
// reads as much of a slot as the kernel's parameter has; both sides are
// little-endian, so smaller values lie at the slot's beginning.
type Argument uint64

// Address is a pointer argument.
func Address(a uint64) Argument { return Argument(a) }

// Int32 is an argument of type int.
func Int32(v int32) Argument { return Argument(uint32(v)) }

// Uint32 is an argument of type unsigned.
func Uint32(v uint32) Argument { return Argument(v) }

// Int64 is an argument of type long long.
func Int64(v int64) Argument { return Argument(v) }

// Float32 is an argument of type float.
func Float32(v float32) Argument { return Argument(math.Float32bits(v)) }

// Float64 is an argument of type double.
func Float64(v float64) Argument { return Argument(math.Float64bits(v)) }

// maxArguments is the length of the array in launch_cooperative.
const maxArguments = 64

// Launch says how a kernel is launched: one-dimensional, as all of ours are.
type Launch struct {
	Grid        int     // blocks
	Block       int     // threads a block
	Shared      int     // bytes of dynamic shared memory a block
	Cooperative bool    // all blocks at once, for barriers across the grid
	Stream      *Stream // nil: the default stream
}

// Launch starts the kernel and does not wait for it. The arguments are copied;
// their number and types must be the kernel's: nothing can check them.
func (f *Function) Launch(l Launch, arguments ...Argument) error {
	return f.d.call(func() error {
		switch {
		case l.Grid < 1 || int64(l.Grid) > math.MaxInt32:
			return fmt.Errorf("%s: a grid of %d blocks", f.name, l.Grid)
		case l.Block < 1 || l.Block > f.d.info.ThreadsPerBlock:
			return fmt.Errorf("%s: blocks of %d threads: want 1 to %d", f.name, l.Block, f.d.info.ThreadsPerBlock)
		case l.Shared < 0 || l.Shared > f.d.info.SharedPerBlock-f.static:
			return fmt.Errorf("%s: %d bytes of dynamic shared memory a block: %s has %d", f.name, l.Shared, f.d.info.Name, f.d.info.SharedPerBlock-f.static)
		case len(arguments) > maxArguments:
			return fmt.Errorf("%s: %d arguments: want at most %d", f.name, len(arguments), maxArguments)
		case l.Cooperative && !f.d.info.Cooperative:
			return fmt.Errorf("%s: %s cannot launch cooperatively", f.name, f.d.info.Name)
		}
		what := fmt.Sprintf("%s, %d blocks of %d threads, %d bytes shared", f.name, l.Grid, l.Block, l.Shared)
		if l.Cooperative {
			// cu.LaunchCooperativeKernel is an empty stub.
			slots := make([]C.uint64_t, len(arguments)+1)
			for i, a := range arguments {
				slots[i] = C.uint64_t(a)
			}
			r := int(C.launch_cooperative(f.handle(), C.uint(l.Grid), C.uint(l.Block), C.uint(l.Shared),
				C.CUstream(unsafe.Pointer(l.Stream.handle().C())), &slots[0], C.int(len(arguments))))
			if r != codeSuccess {
				return f.d.fail("cuLaunchCooperativeKernel", what, r)
			}
			return nil
		}
		pointers := make([]unsafe.Pointer, len(arguments))
		for i := range arguments {
			pointers[i] = unsafe.Pointer(&arguments[i])
		}
		return f.d.check("cuLaunchKernel", what, f.f.Launch(l.Grid, 1, 1, l.Block, 1, 1, l.Shared, l.Stream.handle(), pointers))
	})
}
