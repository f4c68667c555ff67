package memory

import "golang.org/x/sys/unix"

// limits returns the memory of the computer.
func limits() []Limit {
	n, err := unix.SysctlUint64("hw.memsize")
	if err != nil {
		return nil
	}
	return []Limit{{int64(n), "the memory of this computer"}}
}
