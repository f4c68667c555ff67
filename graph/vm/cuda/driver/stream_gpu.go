//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

import (
	"fmt"
	"time"
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of work on the device. A nil *Stream is the default stream.
// Synchronous copies wait for all streams, and streams wait for them.
type Stream struct {
	d *Device
	s cu.Stream
}

// NewStream makes a stream.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{d: d}
	err := d.call(func() error {
		var err error
		// Not NonBlocking: a copy from pageable memory may return before its
		// last part has arrived, and a kernel on a non-blocking stream would
		// not wait for it.
		s.s, err = cu.MakeStream(cu.DefaultStream)
		return d.check("cuStreamCreate", "", err)
	})
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Stream) handle() cu.Stream {
	if s == nil {
		return cu.NoStream
	}
	return s.s
}

// Wait waits for the stream's work. Errors of kernels show here.
func (s *Stream) Wait() error {
	return s.d.call(func() error { return s.d.check("cuStreamSynchronize", "", s.s.Synchronize()) }) //nolint:misspell // cu's name
}

// Idle says whether the stream's work is done. Errors of kernels show here.
func (s *Stream) Idle() (bool, error) {
	idle := false
	err := s.d.call(func() error {
		err := s.s.Query()
		if err != nil && codeOf(err) == codeNotReady {
			return nil
		}
		idle = err == nil
		return s.d.check("cuStreamQuery", "", err)
	})
	return idle, err
}

// CopyTo starts copying n bytes of page-locked memory to the device's.
func (s *Stream) CopyTo(m *Memory, offset int, from *Host, fromOffset, n int) error {
	return s.d.call(func() error {
		if err := both(m, offset, from, fromOffset, n); err != nil || n == 0 {
			return err
		}
		return s.d.check("cuMemcpyHtoDAsync", m.what, cu.MemcpyHtoDAsync(m.ptr+cu.DevicePtr(offset), unsafe.Add(from.ptr, fromOffset), int64(n), s.s))
	})
}

// CopyFrom starts copying n bytes of device memory to page-locked memory.
func (s *Stream) CopyFrom(to *Host, toOffset int, m *Memory, offset, n int) error {
	return s.d.call(func() error {
		if err := both(m, offset, to, toOffset, n); err != nil || n == 0 {
			return err
		}
		return s.d.check("cuMemcpyDtoHAsync", m.what, cu.MemcpyDtoHAsync(unsafe.Add(to.ptr, toOffset), m.ptr+cu.DevicePtr(offset), int64(n), s.s))
	})
}

func both(m *Memory, offset int, h *Host, hostOffset, n int) error {
	if err := m.inside(offset, n); err != nil {
		return err
	}
	if h.ptr == nil {
		return fmt.Errorf("%s: the page-locked memory was freed", h.what)
	}
	return within(h.what, h.size, hostOffset, n)
}

// Close gives the stream back; its work is finished by the device. A second
// Close does nothing.
func (s *Stream) Close() error {
	if s == nil || s.s == cu.NoStream {
		return nil
	}
	handle := s.s
	s.s = cu.NoStream
	return s.d.release(func() error { return s.d.check("cuStreamDestroy", "", handle.Destroy()) })
}

// Event is a mark in a stream, with its time.
type Event struct {
	d *Device
	e cu.Event
}

// NewEvent makes an event.
func (d *Device) NewEvent() (*Event, error) {
	e := &Event{d: d}
	err := d.call(func() error {
		var err error
		e.e, err = cu.MakeEvent(cu.DefaultEvent)
		return d.check("cuEventCreate", "", err)
	})
	if err != nil {
		return nil, err
	}
	return e, nil
}

// Record puts the mark behind the stream's work so far.
func (e *Event) Record(s *Stream) error {
	return e.d.call(func() error { return e.d.check("cuEventRecord", "", e.e.Record(s.handle())) })
}

// Since waits for the event and returns the device's time from start to it, to
// about half a microsecond.
func (e *Event) Since(start *Event) (time.Duration, error) {
	var elapsed time.Duration
	err := e.d.call(func() error {
		if err := e.e.Synchronize(); err != nil { //nolint:misspell // cu's name
			return e.d.check("cuEventSynchronize", "", err)
		}
		ms, err := start.e.Elapsed(e.e)
		elapsed = time.Duration(ms * float64(time.Millisecond))
		return e.d.check("cuEventElapsedTime", "", err)
	})
	return elapsed, err
}

// Close gives the event back. A second Close does nothing.
func (e *Event) Close() error {
	if e == nil || e.e == (cu.Event{}) {
		return nil
	}
	handle := e.e
	e.e = cu.Event{}
	return e.d.release(func() error { return e.d.check("cuEventDestroy", "", cu.DestroyEvent(&handle)) })
}
