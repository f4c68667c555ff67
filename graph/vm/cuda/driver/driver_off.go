//go:build !(gpu && cgo && linux && (amd64 || arm64))

package driver

import "errors"

// errNotBuilt is the error of a program built without CUDA.
var errNotBuilt = errors.New("built without CUDA: rebuild with `make gpu` (go build -tags gpu, with cgo, on Linux for amd64 or arm64)")

// Status says that the program was built without CUDA.
func Status() State { return State{Err: errNotBuilt} }

// Devices returns an error: the program was built without CUDA.
func Devices() ([]Info, error) { return nil, errNotBuilt }
