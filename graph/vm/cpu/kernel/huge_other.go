//go:build !linux

package kernel

// adviseHuge does nothing: only Linux has this advice.
func adviseHuge([]byte) {}
