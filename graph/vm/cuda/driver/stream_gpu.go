//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

import "gorgonia.org/cu"

// Stream is a queue of work on the device. Copies wait for all streams, and
// streams wait for copies.
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

// Wait waits until the stream's work is done. It returns the errors of kernels.
func (s *Stream) Wait() error {
	return s.d.call(func() error { return s.d.check("cuStreamSynchronize", "", s.s.Synchronize()) }) //nolint:misspell // cu's name
}

// Idle reports whether the stream's work is done. It returns the errors of
// kernels.
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

// Close destroys the stream; the device completes its work. A second Close does
// nothing.
func (s *Stream) Close() error {
	if s == nil || s.s == cu.NoStream {
		return nil
	}
	handle := s.s
	s.s = cu.NoStream
	return s.d.release(func() error { return s.d.check("cuStreamDestroy", "", handle.Destroy()) })
}
