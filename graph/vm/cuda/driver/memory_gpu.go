//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

// #include "cuda.h"
import "C"

import (
	"errors"
	"fmt"
	"unsafe"

	"gorgonia.org/cu"
)

// Memory is an allocation of device memory.
type Memory struct {
	d    *Device
	what string
	ptr  cu.DevicePtr
	size int
}

// Alloc allocates size bytes of device memory, aligned to 256 bytes. The
// contents are undefined. what is its name in errors. If there is too little
// memory, the error is a *[MemoryError].
func (d *Device) Alloc(what string, size int) (*Memory, error) {
	if size < 1 {
		return nil, fmt.Errorf("%s: %d bytes of device memory: want 1 or more", what, size)
	}
	m := &Memory{d: d, what: what, size: size}
	err := d.call(func() error {
		ptr, err := cu.MemAlloc(int64(size))
		fault := d.check("cuMemAlloc", what, err)
		if fault == nil || codeOf(err) != codeOutOfMemory {
			m.ptr = ptr
			return fault
		}
		free, total, err := cu.MemInfo()
		if err != nil {
			return fault
		}
		return &MemoryError{What: what, Device: d.info.Name, Needed: int64(size), Free: free, Total: total, Err: fault}
	})
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Size returns the size in bytes.
func (m *Memory) Size() int { return m.size }

// Address returns the memory's address on the device.
func (m *Memory) Address() uint64 { return uint64(m.ptr) }

// Free frees the memory. A second Free does nothing.
func (m *Memory) Free() error {
	if m == nil || m.ptr == 0 {
		return nil
	}
	ptr := m.ptr
	m.ptr = 0
	return m.d.release(func() error { return m.d.check("cuMemFree", m.what, cu.MemFree(ptr)) })
}

// Clear sets all bytes to zero.
func (m *Memory) Clear() error {
	return m.d.call(func() error {
		if err := m.inside(0, m.size); err != nil {
			return err
		}
		return m.d.check("cuMemsetD8", m.what, cu.MemsetD8(m.ptr, 0, int64(m.size)))
	})
}

// inside returns an error unless n bytes from offset are within the memory.
func (m *Memory) inside(offset, n int) error {
	if m.ptr == 0 {
		return fmt.Errorf("%s: the device memory was freed", m.what)
	}
	return within(m.what, m.size, offset, n)
}

// within returns an error unless n bytes from offset are within size bytes.
func within(what string, size, offset, n int) error {
	if offset < 0 || n < 0 || offset > size || n > size-offset {
		return fmt.Errorf("%s: %d bytes at %d, in memory of %d", what, n, offset, size)
	}
	return nil
}

// Scalar is the type of an element that can be copied to and from the device.
type Scalar interface {
	~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// CopyTo copies src to the memory at a byte offset. When it returns, src may be
// changed.
func CopyTo[T Scalar](m *Memory, offset int, src []T) error {
	return m.d.call(func() error {
		n := len(src) * int(unsafe.Sizeof(*new(T)))
		if err := m.inside(offset, n); err != nil || n == 0 {
			return err
		}
		return m.d.check("cuMemcpyHtoD", m.what, cu.MemcpyHtoD(m.ptr+cu.DevicePtr(offset), unsafe.Pointer(&src[0]), int64(n)))
	})
}

// CopyFrom fills dst from the memory at a byte offset. It first waits for all
// streams.
func CopyFrom[T Scalar](dst []T, m *Memory, offset int) error {
	return m.d.call(func() error {
		n := len(dst) * int(unsafe.Sizeof(*new(T)))
		if err := m.inside(offset, n); err != nil || n == 0 {
			return err
		}
		return m.d.check("cuMemcpyDtoH", m.what, cu.MemcpyDtoH(unsafe.Pointer(&dst[0]), m.ptr+cu.DevicePtr(offset), int64(n)))
	})
}

// Copy copies n bytes within the device.
func (m *Memory) Copy(offset int, from *Memory, fromOffset, n int) error {
	return m.d.call(func() error {
		if err := m.inside(offset, n); err != nil {
			return err
		}
		if err := from.inside(fromOffset, n); err != nil || n == 0 {
			return err
		}
		return m.d.check("cuMemcpyDtoD", m.what, cu.MemcpyDtoD(m.ptr+cu.DevicePtr(offset), from.ptr+cu.DevicePtr(fromOffset), int64(n)))
	})
}

// Host is page-locked host memory that the device can access too, at Address. A
// running kernel and the host can communicate through it, with sync/atomic on
// the host and volatile accesses on the device.
type Host struct {
	d       *Device
	what    string
	ptr     unsafe.Pointer
	address uint64
	size    int
}

// AllocHost allocates size bytes of page-locked host memory, set to zero. what
// is its name in errors.
func (d *Device) AllocHost(what string, size int) (*Host, error) {
	if size < 1 {
		return nil, fmt.Errorf("%s: %d bytes of page-locked memory: want 1 or more", what, size)
	}
	h := &Host{d: d, what: what, size: size}
	err := d.call(func() error {
		// cu does not have cuMemHostAlloc and cuMemHostGetDevicePointer.
		const flags = C.CU_MEMHOSTALLOC_PORTABLE | C.CU_MEMHOSTALLOC_DEVICEMAP
		var ptr unsafe.Pointer
		to := &ptr
		if r := int(C.cuMemHostAlloc(to, C.size_t(size), flags)); r != codeSuccess {
			err := d.fail("cuMemHostAlloc", what, r)
			if r == codeOutOfMemory {
				return fmt.Errorf("%s of page-locked host memory: %w", formatBytes(int64(size)), err)
			}
			return err
		}
		var address C.CUdeviceptr
		if r := int(C.cuMemHostGetDevicePointer(&address, ptr, 0)); r != codeSuccess {
			err := d.fail("cuMemHostGetDevicePointer", what, r)
			return errors.Join(err, d.check("cuMemFreeHost", what, cu.MemFreeHost(ptr)))
		}
		clear(unsafe.Slice((*byte)(ptr), size))
		h.ptr, h.address = ptr, uint64(address)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return h, nil
}

// Address returns the memory's address on the device.
func (h *Host) Address() uint64 { return h.address }

// Size returns the size in bytes.
func (h *Host) Size() int { return h.size }

// inside returns an error unless n bytes from offset are within the memory.
func (h *Host) inside(offset, n int) error {
	if h.ptr == nil {
		return fmt.Errorf("%s: the page-locked memory was freed", h.what)
	}
	return within(h.what, h.size, offset, n)
}

// View returns n elements of the memory from a byte offset, which must be a
// multiple of their size. They must not be used after Free.
func View[T Scalar](h *Host, offset, n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	if err := h.inside(offset, n*size); err != nil || offset%size != 0 {
		panic(fmt.Sprintf("BUG: %d elements of %d bytes at %d: %v", n, size, offset, err))
	}
	return unsafe.Slice((*T)(unsafe.Add(h.ptr, offset)), n)
}

// Free frees the memory. A second Free does nothing.
func (h *Host) Free() error {
	if h == nil || h.ptr == nil {
		return nil
	}
	ptr := h.ptr
	h.ptr = nil
	return h.d.release(func() error { return h.d.check("cuMemFreeHost", h.what, cu.MemFreeHost(ptr)) })
}
