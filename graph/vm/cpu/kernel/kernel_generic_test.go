//go:build !amd64 || noasm

package kernel

func others32() []Set[float32] { return nil }

func others64() []Set[float64] { return nil }
