//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"

	"gorgonia.org/cu"
)

// ErrClosed is the error of a call to a closed device.
var ErrClosed = errors.New("the CUDA device is closed")

// Device is an open device. The package comment says how it uses threads.
type Device struct {
	info    Info
	device  cu.Device
	context cu.CUContext
	thread  int // id of the thread that owns the context

	jobs chan job
	quit chan struct{} // closed by Close
	done chan struct{} // closed when the thread has ended

	closing  sync.Once
	closeErr error

	lost atomic.Pointer[Error] // the first sticky error
}

type job struct {
	f      func() error
	result chan error
}

// Open opens a device and retains its primary context. Close it after use.
func Open(ordinal int) (*Device, error) {
	if s := Status(); s.Err != nil {
		return nil, s.Err
	} else if ordinal < 0 || ordinal >= s.Devices {
		return nil, fmt.Errorf("CUDA device %d: %s, numbered from 0: see `trainer devices`", ordinal, s)
	}
	d := &Device{
		jobs: make(chan job),
		quit: make(chan struct{}),
		done: make(chan struct{}),
	}
	opened := make(chan error)
	go d.serve(ordinal, opened)
	if err := <-opened; err != nil {
		return nil, err
	}
	return d, nil
}

// serve owns the device's thread from Open to Close.
func (d *Device) serve(ordinal int, opened chan<- error) {
	// The thread is never unlocked, so it ends with the goroutine, and its current
	// context with it.
	runtime.LockOSThread()
	defer close(d.done)
	d.thread = syscall.Gettid()
	err := d.open(ordinal)
	opened <- err
	if err != nil {
		return
	}
	for {
		select {
		case j := <-d.jobs:
			j.result <- j.f()
		case <-d.quit:
			if err := d.device.ReleasePrimaryCtx(); err != nil && d.lost.Load() == nil {
				d.closeErr = newError("cuDevicePrimaryCtxRelease", "", codeOf(err))
			}
			return
		}
	}
}

func (d *Device) open(ordinal int) error {
	what := fmt.Sprintf("device %d", ordinal)
	var err error
	if d.device, err = cu.GetDevice(ordinal); err != nil {
		return newError("cuDeviceGet", what, codeOf(err))
	}
	if d.info, err = describe(ordinal, d.device); err != nil {
		return err
	}
	if d.context, err = d.device.RetainPrimaryCtx(); err != nil {
		return newError("cuDevicePrimaryCtxRetain", what, codeOf(err))
	}
	if err = cu.SetCurrentContext(d.context); err != nil {
		err = newError("cuCtxSetCurrent", what, codeOf(err))
		return errors.Join(err, d.device.ReleasePrimaryCtx())
	}
	return nil
}

// Info describes the device.
func (d *Device) Info() Info { return d.info }

// Do runs f on the device's thread and returns its error. Inside f, the methods
// of the device, its memory, streams and modules run directly. f must return: it
// must not end its goroutine, as testing.T.FailNow does. It must not close the
// device.
func (d *Device) Do(f func() error) error {
	// Only the goroutine of serve can run on the thread: it is locked to it.
	if syscall.Gettid() == d.thread {
		return f()
	}
	j := job{f, make(chan error, 1)}
	select {
	case d.jobs <- j:
		return <-j.result
	case <-d.done:
		return ErrClosed
	}
}

// call runs one call of the driver on the thread, unless the device is lost.
func (d *Device) call(f func() error) error {
	return d.Do(func() error {
		if lost := d.lost.Load(); lost != nil {
			return lost
		}
		return f()
	})
}

// fail makes the error of a failed call. After a sticky one, the device is lost.
func (d *Device) fail(call, what string, code int) error {
	e := newError(call, what, code)
	if sticky[code] {
		d.lost.CompareAndSwap(nil, e)
	}
	return e
}

// check returns nil for nil, otherwise fail for the error of cu.
func (d *Device) check(call, what string, err error) error {
	if err == nil {
		return nil
	}
	return d.fail(call, what, codeOf(err))
}

// release frees something with f, unless the device is lost: then everything is
// freed already.
func (d *Device) release(f func() error) error {
	return d.Do(func() error {
		if d.lost.Load() == nil {
			return f()
		}
		return nil
	})
}

// Close waits for the current call, releases the context, which frees all that
// was not freed, and ends the thread. A second Close does nothing.
func (d *Device) Close() error {
	if syscall.Gettid() == d.thread {
		panic("BUG: the CUDA device was closed inside its Do")
	}
	d.closing.Do(func() { close(d.quit) })
	<-d.done
	return d.closeErr
}

// MemoryInfo returns the free and the total bytes of device memory.
func (d *Device) MemoryInfo() (free, total int64, err error) {
	err = d.call(func() error {
		var err error
		free, total, err = cu.MemInfo()
		return d.check("cuMemGetInfo", "", err)
	})
	return free, total, err
}
