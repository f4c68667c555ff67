package rundir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
)

// lockName is the name of the lock file in a run folder.
const lockName = ".lock"

// lockFile is a lock that this process holds.
type lockFile struct {
	path string
	file *os.File
}

// lock creates the file at path if necessary and locks it. It returns an error if
// another process has the lock. If the system or the file system does not support
// locks, the existence of the file is the lock, which then survives a process that
// is killed.
func lock(path string) (*lockFile, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		created := err == nil
		if errors.Is(err, fs.ErrExist) {
			f, err = os.OpenFile(path, os.O_RDWR, 0o666)
			if errors.Is(err, fs.ErrNotExist) {
				continue // its owner has just removed it
			}
		}
		if err != nil {
			return nil, err
		}
		switch err := tryLock(f); {
		case errors.Is(err, errors.ErrUnsupported) && created:
		case errors.Is(err, errors.ErrUnsupported):
			return nil, errors.Join(fmt.Errorf("in use%s: if no trainer is running there, remove %s", owner(f), path), f.Close())
		case errors.Is(err, errLocked):
			return nil, errors.Join(fmt.Errorf("in use%s: wait for it, or %s", owner(f), otherFolder), f.Close())
		case err != nil:
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		// The owner may have removed the file after we opened it and before we
		// locked it. Then a third process could create and lock a new file.
		if same, err := isAt(f, path); err != nil || !same {
			if e := f.Close(); err == nil {
				err = e
			}
			if err != nil {
				return nil, err
			}
			continue
		}
		l := &lockFile{path: path, file: f}
		err = f.Truncate(0)
		if err == nil {
			_, err = fmt.Fprintf(f, "%d\n", os.Getpid())
		}
		if err != nil {
			return nil, errors.Join(err, l.unlock())
		}
		return l, nil
	}
}

// isAt reports whether f is still the file at path.
func isAt(f *os.File, path string) (bool, error) {
	a, err := f.Stat()
	if err != nil {
		return false, err
	}
	b, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil && os.SameFile(a, b), err
}

// owner names the process whose ID is in f.
func owner(f *os.File) string {
	b, err := io.ReadAll(io.LimitReader(f, 20))
	if pid := strings.TrimSpace(string(b)); err == nil && pid != "" {
		return " by process " + pid
	}
	return " by another process"
}

// unlock removes the file and releases the lock.
func (l *lockFile) unlock() error {
	if canRemoveOpen {
		return errors.Join(os.Remove(l.path), l.file.Close())
	}
	return errors.Join(l.file.Close(), os.Remove(l.path))
}
