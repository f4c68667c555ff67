// Package files opens input files and writes output files. All files of the trainer
// go through it.
//
// An input file is a regular file: OpenRegular refuses a folder, a named pipe or a
// device at once, because reading one may wait without end.
//
// An output file is written whole or not at all: Write and Replace write a temporary
// file beside it, flush it to the disk and rename it. Until the rename, an earlier
// file is as it was. No call follows a link or truncates a file that it did not make.
//
// FS is the edge of the file system: it has the calls that writing makes. A test
// replaces it to make each call fail.
package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// FS is a folder. Names are names of files in it, without a path. Errors are those
// of package os, which name the call and the path.
type FS interface {
	Create(name string) (File, error) // makes a new file; an error if the name exists
	Append(name string) (File, error) // opens a regular file, which it may make, to write at its end
	Lstat(name string) (fs.FileInfo, error)
	Rename(from, to string) error // replaces the file to
	Remove(name string) error
	Sync() error // makes the names in the folder durable
}

// File is an open output file.
type File interface {
	io.WriteSeeker
	Stat() (fs.FileInfo, error)
	Chmod(mode fs.FileMode) error
	Sync() error
	Truncate(size int64) error
	Close() error
}

// Folder is an FS: a folder that is held open. If it is moved or replaced by another
// one, the calls still work in the folder that was opened.
type Folder struct {
	root *os.Root
	path string // when it was opened
}

// OpenFolder opens a folder.
func OpenFolder(path string) (*Folder, error) {
	info, err := os.Stat(path) // before opening it: to open a named pipe waits for its writer
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("is %s, not a folder", Kind(info.Mode()))}
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	return &Folder{root, path}, nil
}

// Create implements FS.
func (d *Folder) Create(name string) (File, error) {
	f, err := d.root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, d.named(err)
	}
	_ = TryLock(f) // says until it is closed that it is no leftover: see Sweep
	return f, nil
}

// Append implements FS.
func (d *Folder) Append(name string) (File, error) {
	f, err := d.OpenExisting(name, os.O_WRONLY|os.O_APPEND)
	if errors.Is(err, fs.ErrNotExist) {
		if f, err = d.root.OpenFile(name, os.O_WRONLY|os.O_APPEND|os.O_CREATE|os.O_EXCL, 0o666); err != nil {
			err = d.named(err)
		}
	}
	if err != nil {
		return nil, err
	}
	return f, nil
}

// OpenExisting opens a regular file of the folder. It follows no link.
func (d *Folder) OpenExisting(name string, flag int) (*os.File, error) {
	info, err := d.root.Lstat(name)
	if err != nil {
		return nil, d.named(err)
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: d.File(name), Err: fmt.Errorf("is %s, not a file", Kind(info.Mode()))}
	}
	f, err := d.root.OpenFile(name, flag, 0)
	if err != nil {
		return nil, d.named(err)
	}
	if opened, err := f.Stat(); err != nil || !os.SameFile(info, opened) {
		return nil, errors.Join(replaced(d.File(name)), f.Close())
	}
	return f, nil
}

// ErrReplaced is in the error for a file that is another one than a moment ago.
var ErrReplaced = errors.New("was replaced while it was opened")

func replaced(path string) error { return &fs.PathError{Op: "open", Path: path, Err: ErrReplaced} }

// Lstat implements FS.
func (d *Folder) Lstat(name string) (fs.FileInfo, error) {
	info, err := d.root.Lstat(name)
	return info, d.named(err)
}

// Rename implements FS.
func (d *Folder) Rename(from, to string) error { return d.named(d.root.Rename(from, to)) }

// Remove implements FS.
func (d *Folder) Remove(name string) error { return d.named(d.root.Remove(name)) }

// Sync implements FS.
func (d *Folder) Sync() error {
	if runtime.GOOS == "windows" {
		return nil // Windows cannot flush folders
	}
	f, err := d.root.Open(".")
	if err != nil {
		return d.named(err)
	}
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		err = nil // some network file systems cannot flush folders either
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return d.named(err)
}

// Names returns the names of the entries of the folder, sorted.
func (d *Folder) Names() ([]string, error) {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names, d.named(err)
}

// File returns the path of a file in the folder.
func (d *Folder) File(name string) string { return filepath.Join(d.path, name) }

// IsAt reports whether path names the folder.
func (d *Folder) IsAt(path string) bool {
	held, err := d.root.Stat(".")
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// Path returns the path of the folder: the one with which it was opened, or if it
// was moved, where it is now. moved reports that it is not where it was opened;
// then the path is empty if the system does not say it.
func (d *Folder) Path() (path string, moved bool) {
	if d.IsAt(d.path) {
		return d.path, false
	}
	f, err := d.root.Open(".")
	if err != nil {
		return "", true
	}
	defer f.Close()
	if path, err = os.Readlink(fmt.Sprintf("/proc/self/fd/%d", f.Fd())); err != nil || !d.IsAt(path) {
		return "", true
	}
	return path, true
}

// Close gives the folder back.
func (d *Folder) Close() error { return d.root.Close() }

// named returns an error of root with the whole path of the file, and without the
// "at" of the system calls.
func (d *Folder) named(err error) error {
	switch e := err.(type) { //nolint:errorlint // root's errors are not wrapped
	case *fs.PathError:
		return &fs.PathError{Op: strings.TrimSuffix(e.Op, "at"), Path: d.File(e.Path), Err: e.Err}
	case *os.LinkError:
		return &os.LinkError{Op: strings.TrimSuffix(e.Op, "at"), Old: d.File(e.Old), New: d.File(e.New), Err: e.Err}
	}
	return err
}

// Kind says in words what a file is that is not a regular file.
func Kind(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "no regular file"
}

// OpenRegular opens a regular file, or a link to one, for reading. It refuses
// anything else at once.
func OpenRegular(path string) (*os.File, error) {
	info, err := os.Stat(path)
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		e.Op = "open" // what the caller wants
	} else if err == nil && !info.Mode().IsRegular() {
		err = &fs.PathError{Op: "open", Path: path, Err: fmt.Errorf("is %s, not a file", Kind(info.Mode()))}
	}
	if err != nil {
		return nil, err
	}
	// If a named pipe has taken its place meanwhile, opening it must not wait.
	f, err := os.OpenFile(path, os.O_RDONLY|nonBlocking, 0)
	if err != nil {
		return nil, err
	}
	if opened, err := f.Stat(); err != nil || !opened.Mode().IsRegular() {
		return nil, errors.Join(replaced(path), f.Close())
	}
	return f, nil
}

// Replace writes or replaces the file with the given name in a folder as a whole,
// through the new file temp. An earlier file keeps its permissions, and is left as it
// was if anything fails before the rename; then temp is removed. Replace refuses to
// replace anything but a regular file. It wraps an error of write.
func Replace(d FS, temp, name string, write func(io.Writer) error) error {
	old, err := d.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		old = nil
	case err != nil:
		return err
	case !old.Mode().IsRegular():
		return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("is %s, not a file", Kind(old.Mode()))}
	case old.Mode().Perm()&0o200 == 0:
		return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("is read-only: %w", fs.ErrPermission)}
	}
	f, err := d.Create(temp)
	if err != nil {
		return err
	}
	if err = fill(f, old, write); err == nil {
		err = d.Rename(temp, name)
	}
	if err != nil {
		_ = d.Remove(temp)
		return err
	}
	return d.Sync()
}

// WriteNew writes a new file and flushes it to the disk. If that fails, it leaves no
// file. It is an error if the file exists.
func WriteNew(d FS, name string, write func(io.Writer) error) error {
	f, err := d.Create(name)
	if err != nil {
		return err
	}
	if err := fill(f, nil, write); err != nil {
		_ = d.Remove(name)
		return err
	}
	return nil
}

// fill writes a file, flushes it to the disk and closes it. It gives the file the
// permissions of old, which may be nil.
func fill(f File, old fs.FileInfo, write func(io.Writer) error) error {
	b := bufio.NewWriterSize(f, 1<<16)
	err := write(b)
	if err == nil {
		err = b.Flush()
	}
	if err == nil && old != nil {
		err = f.Chmod(old.Mode().Perm())
		if errors.Is(err, errors.ErrUnsupported) || errors.Is(err, fs.ErrPermission) {
			err = nil // file systems without permissions
		}
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

// TempPrefix begins the names of the temporary files of Write.
const TempPrefix = ".trainer-part-"

// Write writes or replaces the file at path as Replace does. It follows a link to the
// file, because the user named it. It writes into a device or a named pipe as it is.
// It removes what earlier processes left in the folder.
func Write(path string, write func(io.Writer) error) error {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() && !info.IsDir() { // /dev/stdout
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return errors.Join(write(f), f.Close())
	}
	if err == nil { // otherwise Replace says what is wrong
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	d, err := OpenFolder(filepath.Dir(path))
	if err != nil {
		return err
	}
	defer d.Close()
	d.sweep()
	if err := Replace(d, fmt.Sprintf("%s%016x", TempPrefix, rand.Uint64()), filepath.Base(path), write); err != nil {
		return fmt.Errorf("save %s: %w", path, err)
	}
	return nil
}

// staleAge is the age from which a temporary file that nobody has locked is a leftover.
// A new one is not locked at once.
const staleAge = time.Minute

// Sweep removes the temporary files of Write that processes left behind in a folder
// when they were killed. One that is still being written is locked. Write does that
// too.
func Sweep(dir string) error {
	d, err := OpenFolder(dir)
	if err != nil {
		return err
	}
	d.sweep()
	return d.Close()
}

func (d *Folder) sweep() {
	names, _ := d.Names()
	for _, name := range names {
		if !strings.HasPrefix(name, TempPrefix) {
			continue
		}
		if f, err := d.OpenExisting(name, os.O_RDWR); err == nil {
			info, err := f.Stat()
			if err == nil && time.Since(info.ModTime()) > staleAge && !errors.Is(TryLock(f), ErrLocked) {
				_ = d.Remove(name)
			}
			_ = f.Close()
		}
	}
}
