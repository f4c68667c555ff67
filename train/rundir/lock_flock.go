//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package rundir

import (
	"errors"
	"os"
	"syscall"
)

// canRemoveOpen says whether an open file can be removed. If so, unlock removes the
// file before it releases the lock.
const canRemoveOpen = true

var errLocked = errors.New("locked by another process")

// tryLock locks f until f is closed or the process ends. It returns errLocked if
// another open file has the lock.
func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return errLocked
		}
		return err
	}
}
