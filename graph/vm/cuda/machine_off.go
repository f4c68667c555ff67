//go:build !(gpu && cgo && linux && (amd64 || arm64))

package cuda

import (
	"fmt"

	"trainer/graph/model"
	"trainer/graph/vm"
)

// New says why there is no CUDA machine in this build.
func New(model.Network, vm.Compiler, Options) (vm.VM, error) {
	return nil, fmt.Errorf("cuda: %w", Check())
}
