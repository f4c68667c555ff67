//go:build darwin || dragonfly || freebsd || illumos || linux || netbsd || openbsd

package files

import (
	"errors"
	"os"
	"syscall"
)

// CanRemoveOpen says whether an open file can be removed.
const CanRemoveOpen = true

// ErrLocked is the error of TryLock for a file that is locked.
var ErrLocked = errors.New("locked by another process")

// TryLock locks f until f is closed or the process ends. It returns ErrLocked if
// another open file has the lock.
func TryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EWOULDBLOCK):
			return ErrLocked
		}
		return err
	}
}
