//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

import (
	"errors"
	"time"

	"gorgonia.org/cu"
)

// Timer measures by the device's clock how long work of a stream takes: a stopwatch
// that the device starts and stops when it gets there. Start, Stop and Close of a nil
// Timer do nothing.
type Timer struct {
	s        *Stream
	from, to cu.Event
}

// NewTimer makes a timer for work of the stream.
func (s *Stream) NewTimer() (*Timer, error) {
	t := &Timer{s: s}
	err := s.d.call(func() error {
		for _, e := range []*cu.Event{&t.from, &t.to} {
			var err error
			if *e, err = cu.MakeEvent(cu.DefaultEvent); err != nil {
				return s.d.check("cuEventCreate", "", err)
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// Start starts the timer after the work that the stream has now.
func (t *Timer) Start() error {
	if t == nil {
		return nil
	}
	return t.record(t.from)
}

// Stop stops the timer after the work that the stream has now.
func (t *Timer) Stop() error {
	if t == nil {
		return nil
	}
	return t.record(t.to)
}

func (t *Timer) record(e cu.Event) error {
	return t.s.d.call(func() error { return t.s.d.check("cuEventRecord", "", e.Record(t.s.s)) })
}

// Elapsed returns the time from Start to Stop, which the stream must have done: see
// Stream.Wait. The device's clock has steps of about half a microsecond.
func (t *Timer) Elapsed() (time.Duration, error) {
	var ms float64
	err := t.s.d.call(func() error {
		var err error
		ms, err = t.from.Elapsed(t.to)
		return t.s.d.check("cuEventElapsedTime", "", err)
	})
	return time.Duration(ms * float64(time.Millisecond)), err
}

// Close frees the timer. A second Close does nothing.
func (t *Timer) Close() error {
	if t == nil {
		return nil
	}
	return t.s.d.release(func() error {
		var errs []error
		for _, e := range []*cu.Event{&t.from, &t.to} {
			if *e != (cu.Event{}) {
				errs = append(errs, t.s.d.check("cuEventDestroy", "", cu.DestroyEvent(e)))
			}
		}
		return errors.Join(errs...)
	})
}
