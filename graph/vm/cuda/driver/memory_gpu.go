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

// Memory is a piece of device memory.
type Memory struct {
	d    *Device
	what string
	ptr  cu.DevicePtr
	size int
}

// Alloc allocates device memory, aligned to 256 bytes, with undefined
// contents. what names it in errors. Where there is too little, the error is a
// *[MemoryError].
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

// Address is the memory's address on the device.
func (m *Memory) Address() uint64 { return uint64(m.ptr) }

// Size is the number of bytes.
func (m *Memory) Size() int { return m.size }

// Free gives the memory back. A second Free does nothing.
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

// inside reports how n bytes from offset are not within the memory.
func (m *Memory) inside(offset, n int) error {
	if m.ptr == 0 {
		return fmt.Errorf("%s: the device memory was freed", m.what)
	}
	return within(m.what, m.size, offset, n)
}

func within(what string, size, offset, n int) error {
	if offset < 0 || n < 0 || offset > size || n > size-offset {
		return fmt.Errorf("%s: %d bytes at %d, in memory of %d", what, n, offset, size)
	}
	return nil
}

// Scalar is an element that host and device share.
type Scalar interface {
	~int8 | ~uint8 | ~int16 | ~uint16 | ~int32 | ~uint32 | ~int64 | ~uint64 | ~float32 | ~float64
}

// CopyTo copies src to the memory, from a byte offset on. It returns when src
// may be changed again.
func CopyTo[T Scalar](m *Memory, offset int, src []T) error {
	return m.d.call(func() error {
		n := len(src) * int(unsafe.Sizeof(*new(T)))
		if err := m.inside(offset, n); err != nil || n == 0 {
			return err
		}
		return m.d.check("cuMemcpyHtoD", m.what, cu.MemcpyHtoD(m.ptr+cu.DevicePtr(offset), unsafe.Pointer(&src[0]), int64(n)))
	})
}

// CopyFrom fills dst from the memory, from a byte offset on, after all that was
// launched before on the default stream and on streams of NewStream.
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

// Host is page-locked host memory that the device sees too, at Address. A
// running kernel and the host can talk through it: use sync/atomic on the host,
// and volatile accesses with __threadfence_system on the device.
type Host struct {
	d       *Device
	what    string
	ptr     unsafe.Pointer
	address uint64
	size    int
}

// AllocHost allocates page-locked host memory, set to zero.
func (d *Device) AllocHost(what string, size int) (*Host, error) {
	if size < 1 {
		return nil, fmt.Errorf("%s: %d bytes of page-locked memory: want 1 or more", what, size)
	}
	h := &Host{d: d, what: what, size: size}
	err := d.call(func() error {
		// cu has neither cuMemHostAlloc nor cuMemHostGetDevicePointer.
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

// Address is the memory's address on the device.
func (h *Host) Address() uint64 { return h.address }

// Size is the number of bytes.
func (h *Host) Size() int { return h.size }

// HostSlice is the memory as a slice of n elements from a byte offset on. It
// must not be used after Free. It panics where it does not fit.
func HostSlice[T Scalar](h *Host, offset, n int) []T {
	size := int(unsafe.Sizeof(*new(T)))
	if h.ptr == nil || offset%size != 0 || within(h.what, h.size, offset, n*size) != nil {
		panic(fmt.Sprintf("BUG: %s: %d elements of %d bytes at %d, in memory of %d", h.what, n, size, offset, h.size))
	}
	return unsafe.Slice((*T)(unsafe.Add(h.ptr, offset)), n)
}

// Free gives the memory back. A second Free does nothing.
func (h *Host) Free() error {
	if h == nil || h.ptr == nil {
		return nil
	}
	ptr := h.ptr
	h.ptr = nil
	return h.d.release(func() error { return h.d.check("cuMemFreeHost", h.what, cu.MemFreeHost(ptr)) })
}
