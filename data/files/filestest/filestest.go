// Package filestest makes the calls of a file system fail, for tests.
package filestest

import (
	"errors"
	"io/fs"

	"trainer/data/files"
)

// ErrFault is the error of a call that an FS lets fail.
var ErrFault = errors.New("no space left on device")

// FS is a file system in which call number Fail fails, counted from 1 over all calls;
// 0: none fails. With All, every later call that writes fails too, as on a full disk.
// With Short, a failing write writes half of its bytes first.
type FS struct {
	files.FS
	Fail  int
	All   bool
	Short bool

	Calls  int    // so far
	Failed string // the first call that failed: "open"
}

// fault counts a call and returns its error.
func (f *FS) fault(call, name string) error {
	f.Calls++
	if f.Fail == 0 || f.Calls < f.Fail || f.Calls > f.Fail && !f.All {
		return nil
	}
	if f.Failed == "" {
		f.Failed = call
	}
	return &fs.PathError{Op: call, Path: f.path(name), Err: ErrFault}
}

func (f *FS) path(name string) string {
	if d, ok := f.FS.(*files.Folder); ok {
		return d.File(name)
	}
	return name
}

// Create implements files.FS.
func (f *FS) Create(name string) (files.File, error) { return f.open(name, f.FS.Create) }

// Append implements files.FS.
func (f *FS) Append(name string) (files.File, error) { return f.open(name, f.FS.Append) }

func (f *FS) open(name string, open func(string) (files.File, error)) (files.File, error) {
	if err := f.fault("open", name); err != nil {
		return nil, err
	}
	g, err := open(name)
	if err != nil {
		return nil, err
	}
	return &file{g, f, name}, nil
}

// Lstat implements files.FS.
func (f *FS) Lstat(name string) (fs.FileInfo, error) {
	if !f.All {
		if err := f.fault("lstat", name); err != nil {
			return nil, err
		}
	}
	return f.FS.Lstat(name)
}

// Rename implements files.FS.
func (f *FS) Rename(from, to string) error {
	if err := f.fault("rename", from); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

// Sync implements files.FS.
func (f *FS) Sync() error {
	if err := f.fault("sync", ""); err != nil {
		return err
	}
	return f.FS.Sync()
}

type file struct {
	files.File
	fs   *FS
	name string
}

func (f *file) Write(b []byte) (int, error) {
	if err := f.fs.fault("write", f.name); err != nil {
		n := 0
		if f.fs.Short {
			n, _ = f.File.Write(b[:len(b)/2])
		}
		return n, err
	}
	return f.File.Write(b)
}

func (f *file) Seek(offset int64, whence int) (int64, error) {
	if err := f.fs.fault("seek", f.name); err != nil {
		return 0, err
	}
	return f.File.Seek(offset, whence)
}

func (f *file) Stat() (fs.FileInfo, error) {
	if err := f.fs.fault("stat", f.name); err != nil {
		return nil, err
	}
	return f.File.Stat()
}

func (f *file) Chmod(mode fs.FileMode) error {
	if err := f.fs.fault("chmod", f.name); err != nil {
		return err
	}
	return f.File.Chmod(mode)
}

func (f *file) Sync() error {
	if err := f.fs.fault("sync", f.name); err != nil {
		return err
	}
	return f.File.Sync()
}

func (f *file) Close() error {
	err := f.fs.fault("close", f.name)
	return errors.Join(f.File.Close(), err)
}
