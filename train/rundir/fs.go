package rundir

import (
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"
)

// fileSystem has the file operations that saving needs. A test replaces it to make
// each call fail. Errors are those of package os, which name the call and the path.
type fileSystem interface {
	Create(path string) (file, error) // an empty file, for writing
	Append(path string) (file, error) // for writing at the end
	Rename(from, to string) error     // replaces the file to
	Remove(path string) error
	SyncDir(path string) error // makes renames in the folder durable
}

type file interface {
	io.WriteSeeker
	Sync() error
	Truncate(size int64) error
	Close() error
}

// osFS is the real file system.
type osFS struct{}

func (osFS) Create(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o666)
}

func (osFS) Append(path string) (file, error) {
	return os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
}

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) Remove(path string) error { return os.Remove(path) }

func (osFS) SyncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot flush folders
	}
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // some network file systems cannot flush folders either
	}
	if e := d.Close(); err == nil {
		err = e
	}
	return err
}
