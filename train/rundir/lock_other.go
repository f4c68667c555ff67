//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package rundir

import (
	"errors"
	"os"
)

const canRemoveOpen = false

var errLocked = errors.New("locked by another process")

// tryLock has nothing to lock with: that the file exists is the lock.
func tryLock(*os.File) error { return errors.ErrUnsupported }
