//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

import (
	"errors"
	"runtime"
	"unsafe"

	"gorgonia.org/cu"
)

// Stream is a queue of work on the device. Copies that are not of a stream wait
// for all streams, and streams wait for them. A Stream has a goroutine, locked to
// its operating system thread, which waits for its work.
type Stream struct {
	d     *Device
	s     cu.Stream
	waits chan chan<- error // nil after Close
	ended chan struct{}     // closed when the goroutine has ended
}

// NewStream makes a stream.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{d: d, waits: make(chan chan<- error, 1), ended: make(chan struct{})}
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
	started := make(chan error)
	go s.serve(started)
	if err := <-started; err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// serve waits for the stream's work, from NewStream to Close.
func (s *Stream) serve(started chan<- error) {
	runtime.LockOSThread() // as in Device.serve
	defer close(s.ended)
	err := s.d.check("cuCtxSetCurrent", "stream", cu.SetCurrentContext(s.d.context))
	started <- err
	if err != nil {
		return
	}
	for done := range s.waits {
		done <- s.d.check("cuStreamSynchronize", "", s.s.Synchronize()) //nolint:misspell // cu's name
	}
}

// Done returns a channel that gets one value when the work that the stream has now
// is done: nil, or the error of a kernel. Other calls of the device may be made
// meanwhile.
func (s *Stream) Done() <-chan error {
	done := make(chan error, 1)
	switch lost := s.d.lost.Load(); {
	case lost != nil:
		done <- lost
	case s.waits == nil:
		done <- errors.New("the CUDA stream is closed")
	default:
		s.waits <- done
	}
	return done
}

// Wait waits until the stream's work is done. It returns the errors of kernels.
func (s *Stream) Wait() error { return <-s.Done() }

// Clear sets n bytes of m from offset to zero, after the work that the stream has
// now.
func (s *Stream) Clear(m *Memory, offset, n int) error {
	return s.d.call(func() error {
		if err := m.inside(offset, n); err != nil || n == 0 {
			return err
		}
		return s.d.check("cuMemsetD8Async", m.what, cu.MemsetD8Async(m.ptr+cu.DevicePtr(offset), 0, int64(n), s.s))
	})
}

// CopyTo copies n bytes of page-locked memory, from its beginning, to the beginning
// of m, after the work that the stream has now. The bytes must not change before
// that is done.
func (s *Stream) CopyTo(m *Memory, from *Host, n int) error {
	return s.d.call(func() error {
		if err := from.inside(0, n); err != nil {
			return err
		}
		if err := m.inside(0, n); err != nil || n == 0 {
			return err
		}
		return s.d.check("cuMemcpyHtoDAsync", m.what, cu.MemcpyHtoDAsync(m.ptr, unsafe.Pointer(from.ptr), int64(n), s.s))
	})
}

// Close destroys the stream; the device completes its work. A second Close does
// nothing.
func (s *Stream) Close() error {
	if s == nil || s.waits == nil {
		return nil
	}
	close(s.waits)
	s.waits = nil
	<-s.ended
	return s.d.release(func() error { return s.d.check("cuStreamDestroy", "", s.s.Destroy()) })
}
