//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package files

import (
	"errors"
	"os"
)

// CanRemoveOpen says whether an open file can be removed.
const CanRemoveOpen = false

// ErrLocked is the error of TryLock for a file that is locked.
var ErrLocked = errors.New("locked by another process")

// TryLock returns an error: there are no locks on this system, so the existence of
// the file is the lock.
func TryLock(*os.File) error { return errors.ErrUnsupported }
