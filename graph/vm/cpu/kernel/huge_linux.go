package kernel

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// hugePage is the size of a huge page of amd64 and arm64.
const hugePage = 2 << 20

// adviseHuge asks for huge pages for the whole ones in b. It is advice: an
// error changes nothing but the speed.
func adviseHuge(b []byte) {
	past := int(uintptr(unsafe.Pointer(unsafe.SliceData(b))) % hugePage)
	skip := (hugePage - past) % hugePage
	if pages := (len(b) - skip) / hugePage; pages > 0 {
		_ = unix.Madvise(b[skip:skip+pages*hugePage], unix.MADV_HUGEPAGE)
	}
}
