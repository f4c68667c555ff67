//go:build !(gpu && cgo && linux && (amd64 || arm64))

package cuda

import (
	"fmt"

	"trainer/graph/model"
	"trainer/graph/vm"
)

// New returns an error that says why this build has no CUDA machine.
func New(model.Network, vm.Compiler, Options) (vm.VM, error) {
	return nil, fmt.Errorf("cuda: %w", Check())
}
