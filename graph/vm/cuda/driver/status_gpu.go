//go:build gpu && cgo && linux && (amd64 || arm64)

package driver

/*
#cgo CFLAGS: -std=gnu11 -Wall -Wextra
#cgo LDFLAGS: -L${SRCDIR} -ldl
#include "loader.h"
*/
import "C"

import (
	"fmt"
	"reflect"
	"sync"

	"gorgonia.org/cu"
)

// open opens the driver on the first call. With a GPU, that takes a fraction of
// a second.
var open = sync.OnceValue(func() int { return int(C.loader_open()) })

// Status says whether there is a driver and a device. The first call starts the
// driver.
func Status() State {
	r := open()
	s := State{Built: true, Version: int(C.loader_version())}
	switch {
	case r == C.LOADER_ABSENT:
		s.Err = fmt.Errorf("no NVIDIA driver (%s): install the driver for your GPU", C.GoString(C.loader_reason()))
		return s
	case r == C.LOADER_UNUSABLE:
		s.Err = fmt.Errorf("libcuda.so.1 is not an NVIDIA driver (%s): install the driver for your GPU", C.GoString(C.loader_reason()))
		return s
	case r != codeSuccess:
		s.Err = newError("cuInit", "", r)
		return s
	}
	n, err := cu.NumDevices()
	if err != nil {
		s.Err = newError("cuDeviceGetCount", "", codeOf(err))
		return s
	}
	s.Devices = n
	if n == 0 {
		s.Err = newError("cuDeviceGetCount", "", codeNoDevice)
	}
	return s
}

// Devices describes the devices, in the order of the driver.
func Devices() ([]Info, error) {
	s := Status()
	if s.Err != nil {
		return nil, s.Err
	}
	infos := make([]Info, s.Devices)
	for i := range infos {
		d, err := cu.GetDevice(i)
		if err != nil {
			return nil, newError("cuDeviceGet", fmt.Sprintf("device %d", i), codeOf(err))
		}
		if infos[i], err = describe(i, d); err != nil {
			return nil, err
		}
	}
	return infos, nil
}

func describe(ordinal int, d cu.Device) (Info, error) {
	info := Info{Ordinal: ordinal}
	what := fmt.Sprintf("device %d", ordinal)
	var err error
	if info.Name, err = d.Name(); err != nil {
		return info, newError("cuDeviceGetName", what, codeOf(err))
	}
	if info.Memory, err = d.TotalMem(); err != nil {
		return info, newError("cuDeviceTotalMem", what, codeOf(err))
	}
	var cooperative int
	for _, a := range []struct {
		attribute cu.DeviceAttribute
		value     *int
	}{
		{cu.ComputeCapabilityMajor, &info.Major},
		{cu.ComputeCapabilityMinor, &info.Minor},
		{cu.MultiprocessorCount, &info.Multiprocessors},
		// cu does not have names for these two.
		{C.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, &info.SharedPerBlock},
		{C.CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH, &cooperative},
		{cu.MaxSharedMemoryPerBlock, &info.SharedStatic},
		{cu.MaxThreadsPerBlock, &info.ThreadsPerBlock},
		{cu.ClockRate, &info.ClockKHz},
	} {
		if *a.value, err = d.Attribute(a.attribute); err != nil {
			return info, newError("cuDeviceGetAttribute", fmt.Sprintf("%s, attribute %d", what, a.attribute), codeOf(err))
		}
	}
	info.Cooperative = cooperative != 0
	return info, nil
}

// codeOf returns the CUresult of an error of cu. Its type is an unexported
// integer type.
func codeOf(err error) int {
	if v := reflect.ValueOf(err); v.CanInt() {
		return int(v.Int())
	}
	return codeUnknown
}

// newError makes the error of a result code. The name and the text come from the
// driver, because cu spells some names differently and has no texts.
func newError(call, what string, code int) *Error {
	e := &Error{Call: call, What: what, Code: code, Hint: hint(code)}
	var name, text *C.char
	to := &name
	if r := int(C.cuGetErrorName(C.CUresult(code), to)); r != codeSuccess || name == nil {
		name = C.loader_name(C.CUresult(code))
	}
	e.Name = "CUDA error"
	if name != nil {
		e.Name = C.GoString(name)
	}
	to = &text
	if r := int(C.cuGetErrorString(C.CUresult(code), to)); r == codeSuccess && text != nil {
		e.Text = C.GoString(text)
	}
	return e
}
