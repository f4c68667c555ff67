//go:build gpu && cgo && linux && (amd64 || arm64)

package cuda

import (
	"errors"
	"fmt"
	"sync"

	"trainer/graph/vm/cuda/driver"
	"trainer/graph/vm/cuda/kernel"
)

// shared is an open device with the kernels. All machines of a device share it, so
// a process has one context and loads the kernels once.
type shared struct {
	ordinal int
	device  *driver.Device
	module  *driver.Module
	users   int // machines; with open's lock

	mu        sync.Mutex
	functions map[string]*driver.Function
	allowed   map[string]int // bytes of dynamic shared memory that each function is allowed
}

var open = struct {
	sync.Mutex
	devices map[int]*shared
}{devices: map[int]*shared{}}

// openShared returns a device. Each call needs a close.
func openShared(ordinal int) (_ *shared, err error) {
	open.Lock()
	defer open.Unlock()
	if s := open.devices[ordinal]; s != nil {
		s.users++
		return s, nil
	}
	s := &shared{ordinal: ordinal, users: 1, functions: map[string]*driver.Function{}, allowed: map[string]int{}}
	if s.device, err = driver.Open(ordinal); err != nil {
		return nil, err
	}
	if err := s.load(); err != nil {
		return nil, errors.Join(err, s.device.Close())
	}
	open.devices[ordinal] = s
	return s, nil
}

// load loads the kernels: those that are compiled for this device, or those that
// the driver compiles.
func (s *shared) load() (err error) {
	info := s.device.Info()
	if info.Capability() < kernel.LeastCapability {
		return fmt.Errorf("%s has compute capability %d.%d, and the kernels need %d.%d", info.Name, info.Major, info.Minor,
			kernel.LeastCapability/10, kernel.LeastCapability%10)
	}
	if info.Capability() == kernel.CubinCapability {
		if s.module, err = s.device.Load("the compiled kernels", kernel.Cubin); err == nil {
			return nil
		} // an older driver may refuse them
	}
	s.module, err = s.device.Load("the kernels", kernel.PTX)
	return err
}

// close closes the device after the last of its machines.
func (s *shared) close() error {
	open.Lock()
	defer open.Unlock()
	if s.users--; s.users > 0 {
		return nil
	}
	delete(open.devices, s.ordinal)
	return errors.Join(s.module.Close(), s.device.Close())
}

// function returns the kernel named entry, for launches with so much dynamic
// shared memory.
func (s *shared) function(entry string, sharedBytes int) (*driver.Function, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.functions[entry]
	if f == nil {
		var err error
		if f, err = s.module.Function(entry); err != nil {
			return nil, err
		}
		s.functions[entry] = f
	}
	// More shared memory than the default must be allowed. Several images share
	// the function: allow the most that any of them needs.
	if sharedBytes > max(s.allowed[entry], s.device.Info().SharedStatic) {
		if err := f.AllowShared(sharedBytes); err != nil {
			return nil, err
		}
		s.allowed[entry] = sharedBytes
	}
	return f, nil
}
