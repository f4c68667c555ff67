// Package memory says how much memory this process can still get. The kernel ends a
// process that takes more, without a word that helps; so what needs much asks before.
package memory

import (
	"fmt"
	"math"
)

// Limit is an upper bound on the memory of this process.
type Limit struct {
	Bytes int64  // that it can still take
	Why   string // what sets the bound: "free memory of this computer"
}

// Available returns the lowest bound that is known. ok is false on systems that do not
// say any.
func Available() (lowest Limit, ok bool) {
	lowest.Bytes = math.MaxInt64
	for _, l := range limits() {
		if l.Bytes < lowest.Bytes {
			lowest, ok = l, true
		}
	}
	lowest.Bytes = max(lowest.Bytes, 0)
	return lowest, ok
}

// Check returns an error that names both numbers if the process cannot get so many
// bytes.
func Check(bytes int64) error {
	if l, ok := Available(); ok && bytes > l.Bytes {
		return fmt.Errorf("needs at least %s of memory, and can get %s (%s)", Format(bytes), Format(l.Bytes), l.Why)
	}
	return nil
}

// Format returns a number of bytes for a message: "1.91 GB".
func Format(bytes int64) string {
	switch v := float64(bytes); {
	case v >= 1e9:
		return fmt.Sprintf("%.3g GB", v/1e9)
	case v >= 1e6:
		return fmt.Sprintf("%.3g MB", v/1e6)
	}
	return fmt.Sprintf("%d bytes", bytes)
}
