package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a huge page on amd64 and arm64, in bytes.
const hugePage = 2 << 20

// adviseHuge asks Linux for huge pages wherever one fits entirely within b. It
// ignores errors, which affect only the speed.
func adviseHuge(b []byte) {
	past := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) % hugePage)
	skip := (hugePage - past) % hugePage
	if pages := (len(b) - skip) / hugePage; pages > 0 {
		_ = unix.Madvise(b[skip:skip+pages*hugePage], unix.MADV_HUGEPAGE)
	}
}
