//go:build !(gpu && cgo && linux && (amd64 || arm64))

package driver

import "errors"

// ErrNotBuilt says that the program was built without CUDA.
var ErrNotBuilt = errors.New("built without CUDA: rebuild with `make gpu` (go build -tags gpu, with cgo, on Linux for amd64 or arm64)")

// Status says that the program was built without CUDA.
func Status() State { return State{Err: ErrNotBuilt} }

// Devices returns ErrNotBuilt.
func Devices() ([]Info, error) { return nil, ErrNotBuilt }
