//go:build !(darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd)

package rundir

import (
	"errors"
	"os"
)

const canRemoveOpen = false

var errLocked = errors.New("locked by another process")

// tryLock returns an error: there are no locks on this system, so the existence of
// the file is the lock.
func tryLock(*os.File) error { return errors.ErrUnsupported }
