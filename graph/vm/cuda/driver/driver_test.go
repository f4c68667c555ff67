package driver

import (
	"errors"
	"strings"
	"testing"
)

func TestRequire(t *testing.T) {
	for _, c := range []struct {
		state State
		want  string // part of the error; "": none
	}{
		{State{Built: true, Version: 12040, Devices: 1}, ""},
		{State{Built: true, Version: 13000, Devices: 1}, ""},
		{State{Built: true, Version: 12030, Devices: 1}, "supports CUDA up to 12.3, and this program needs 12.4: install a newer driver (version 550 or later on Linux)"},
		{State{Built: true, Version: 9020, Devices: 1}, "up to 9.2"},
		{State{Err: errors.New("no driver")}, "no driver"},
	} {
		err := c.state.Require(12040)
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.state, err, c.want)
		}
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{Call: "cuMemAlloc", What: "images", Code: 2, Name: "CUDA_ERROR_OUT_OF_MEMORY", Text: "out of memory", Hint: "do this", Log: "line 1"}
	if got, want := e.Error(), "cuMemAlloc (images): CUDA_ERROR_OUT_OF_MEMORY (2): out of memory: do this\nline 1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := (&Error{Call: "cuInit", Code: 100, Name: "CUDA_ERROR_NO_DEVICE"}).Error(), "cuInit: CUDA_ERROR_NO_DEVICE (100)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	m := &MemoryError{What: "images", Device: "GPU", Needed: 3 << 30, Free: 5 << 20, Total: 512, Err: e}
	for _, part := range []string{"images: out of memory on GPU", "needed 3.00 GiB", "free 5.00 MiB of 512 bytes", "CUDA_ERROR_OUT_OF_MEMORY"} {
		if !strings.Contains(m.Error(), part) {
			t.Errorf("%q lacks %q", m, part)
		}
	}
}

func TestInfo(t *testing.T) {
	i := Info{Ordinal: 1, Name: "GPU", Memory: 80 << 30, Major: 9, Multiprocessors: 132, SharedPerBlock: 232448, ClockKHz: 1980000}
	if got, want := i.String(), "1: GPU, compute capability 9.0, 80.0 GiB, 132 multiprocessors at 1980 MHz, 227 KiB of shared memory a block"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if i.Capability() != 90 {
		t.Errorf("capability %d", i.Capability())
	}
}
