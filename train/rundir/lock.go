package rundir

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"syscall"

	"trainer/data/files"
)

// lockName is the name of the lock file in a run folder.
const lockName = ".lock"

// lockFile is a lock that this process holds.
type lockFile struct {
	folder *files.Folder
	file   *os.File
}

// tryLock is replaced by tests of systems without locks.
var tryLock = files.TryLock

// ErrInUse is in the error for a folder that another process uses.
var ErrInUse = errors.New("in use")

// maxTries is how often something is tried that another process can undo.
const maxTries = 100

// lock makes the lock file of a folder if necessary and locks it. It returns an error
// if another process has the lock, or if the file is not a lock of the trainer. A file
// whose process has ended is a leftover, which lock takes over.
//
// If the system or the file system does not support locks, the existence of the file
// is the lock, and its text says whether its process still runs. otherwise says what to
// do if the folder is in use.
func lock(folder *files.Folder, otherwise string) (*lockFile, error) {
	for range maxTries {
		created, err := folder.Create(lockName)
		f, _ := created.(*os.File)
		if errors.Is(err, fs.ErrExist) {
			f, err = folder.OpenExisting(lockName, os.O_RDWR)
			if errors.Is(err, fs.ErrNotExist) || errors.Is(err, files.ErrReplaced) {
				continue // its owner has just removed it
			}
		}
		if err != nil {
			return nil, err
		}
		l := &lockFile{folder, f}
		again, err := l.take(created != nil, otherwise)
		if again || err != nil {
			err = errors.Join(err, f.Close())
		}
		if again && err == nil {
			continue
		}
		if err != nil {
			return nil, err
		}
		return l, nil
	}
	return nil, fmt.Errorf("%s changes again and again: %s", folder.File(lockName), otherwise)
}

// take locks the file and writes this process into it. again says that the file has
// been removed meanwhile.
func (l *lockFile) take(created bool, otherwise string) (again bool, err error) {
	path := l.folder.File(lockName)
	owner, err := readOwner(l.file)
	if err != nil {
		return false, fmt.Errorf("%s %w: remove it, or %s", path, err, otherwise)
	}
	switch err := tryLock(l.file); {
	case errors.Is(err, errors.ErrUnsupported) && created:
	case errors.Is(err, errors.ErrUnsupported) && owner.ended():
		return true, l.putAside(owner, otherwise)
	case errors.Is(err, errors.ErrUnsupported):
		return false, fmt.Errorf("%w by %v: if no trainer is running there, remove %s", ErrInUse, owner, path)
	case errors.Is(err, files.ErrLocked):
		return false, fmt.Errorf("%w by %v: wait for it, or %s", ErrInUse, owner, otherwise)
	case err != nil:
		return false, fmt.Errorf("lock %s: %w", path, err)
	}
	// The owner may have removed the file after we opened it and before we locked
	// it. Then a third process could create and lock a new file.
	if !l.isThere() {
		return true, nil
	}
	if err := l.file.Truncate(0); err != nil {
		return false, err
	}
	_, err = l.file.WriteAt([]byte(self().text()), 0)
	return false, err
}

// isThere reports whether the file is still the lock of the folder.
func (l *lockFile) isThere() bool {
	ours, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := l.folder.Lstat(lockName)
	return err == nil && os.SameFile(ours, there)
}

// putAside removes the lock of a process that has ended, where there are no locks. If
// several processes try that at a time, a rename succeeds in one of them.
func (l *lockFile) putAside(ended process, otherwise string) error {
	aside := tempName(fmt.Sprintf("%s-%d", lockName, os.Getpid()))
	if err := l.folder.Rename(lockName, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	}
	f, err := l.folder.OpenExisting(aside, os.O_RDONLY)
	if err != nil {
		return err
	}
	moved, err := readOwner(f)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if moved != ended { // another process was faster: this is its new lock
		return errors.Join(fmt.Errorf("%w by %v: wait for it, or %s", ErrInUse, moved, otherwise), l.folder.Rename(aside, lockName))
	}
	return l.folder.Remove(aside)
}

// unlock removes the file, if it is still the lock of the folder, and releases the
// lock.
func (l *lockFile) unlock() error {
	remove := func() error { return nil }
	if l.isThere() {
		remove = func() error { return l.folder.Remove(lockName) }
	}
	if files.CanRemoveOpen {
		return errors.Join(remove(), l.file.Close())
	}
	return errors.Join(l.file.Close(), remove())
}

// process is the owner of a lock.
type process struct {
	pid  int
	host string
}

// ownerForm is the text of a lock file.
var ownerForm = regexp.MustCompile(`^trainer: this folder is used by process ([0-9]{1,10}) on (\S{0,255})\n$`)

func (p process) text() string {
	return fmt.Sprintf("trainer: this folder is used by process %d on %s\n", p.pid, p.host)
}

func (p process) String() string {
	switch {
	case p == process{}:
		return "another process"
	case p.host != self().host:
		return fmt.Sprintf("process %d on %s", p.pid, p.host)
	}
	return fmt.Sprintf("process %d", p.pid)
}

// self returns this process.
func self() process {
	host, err := os.Hostname()
	if err != nil || !ownerForm.MatchString(process{0, host}.text()) {
		host = "this-computer"
	}
	return process{os.Getpid(), host}
}

// readOwner returns the process that a lock file names. An empty file names none: its
// process is about to write it, or was killed before. It is an error if the file has
// another text.
func readOwner(f *os.File) (process, error) {
	b, err := io.ReadAll(io.LimitReader(io.NewSectionReader(f, 0, 1<<10), 1<<10))
	if err != nil || len(b) == 0 {
		return process{}, err
	}
	m := ownerForm.FindSubmatch(b)
	if m == nil {
		return process{}, errors.New("is not a lock of the trainer")
	}
	pid, err := strconv.Atoi(string(m[1]))
	return process{pid, string(m[2])}, err
}

// ended reports whether the process was on this computer and does not run any more.
func (p process) ended() bool {
	if p.pid == 0 || p.host != self().host {
		return false
	}
	running, err := os.FindProcess(p.pid)
	return err != nil || errors.Is(running.Signal(syscall.Signal(0)), os.ErrProcessDone)
}
