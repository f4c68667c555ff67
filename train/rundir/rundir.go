// Package rundir keeps the folder of a run: runs/<time>-<name>, or the one
// that the user gave.
//
// A folder belongs to one process at a time: Create and Open lock it, and the
// lock ends with the process, however it ends. Create takes only a new or an
// empty folder, so no run overwrites another.
//
// WriteFile replaces a file as a whole. Whatever happens meanwhile (a kill, a
// full disk, a power cut), the folder holds the earlier file or the new one,
// never a part of one. AppendLine adds a line with a single write; a kill can
// tear only the last line. Errors name the path and the call that failed.
//
// A Dir is used from one goroutine at a time.
package rundir

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"
)

// The files of a run.
const (
	ConfigFile  = "config.yaml"       // the resolved configuration, re-runnable
	MetricsFile = "metrics.jsonl"     // a JSON object an epoch
	ModelFile   = "model.safetensors" // the parameters after the last epoch
	BestFile    = "best.safetensors"  // the parameters of the best epoch
	FigureSVG   = "accuracy.svg"      // accuracy over epoch
	FigurePNG   = "accuracy.png"      // the same
	LogFile     = "log.txt"           // what was said on the terminal

	// Of a run with replicas.
	ReplicasFile       = "replicas.json"  // the result of each replica
	ReplicaMetricsFile = "replicas.jsonl" // a JSON object an epoch and replica
)

// Parent is where the folders of runs go that were given no path.
const Parent = "runs"

const (
	timeLayout  = "20060102-150405" // the <time> of a folder's name
	maxName     = 60                // bytes of a folder's <name>
	maxSame     = 1000              // folders of one name and second
	otherFolder = "choose another with -out"
)

// Dir is the folder of a run, locked.
type Dir struct {
	path string
	made bool // by Create: removed by Close when nothing was written
	lock *lockFile
	fs   fileSystem
}

// Create makes the folder of a new run and locks it. With out it is that
// folder, which must be new or empty; else it is runs/<time>-<name>, with -2,
// -3, … added while there is such a folder already.
func Create(out, name string, now time.Time) (*Dir, error) {
	if out == "" {
		return createIn(Parent, now.Format(timeLayout)+"-"+CleanName(name))
	}
	path := filepath.Clean(out)
	made := true
	switch info, err := os.Stat(path); {
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("run folder %s is a file: %s", path, otherFolder)
	case err == nil:
		made = false
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return nil, fmt.Errorf("run folder: %w: %s", err, otherFolder)
	}
	d, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	d.made = made
	// Only now: before the lock another process could still be starting.
	if err := d.checkEmpty(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// createIn makes parent/base, or parent/base-2, ….
func createIn(parent, base string) (*Dir, error) {
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, fmt.Errorf("run folder: %w: %s", err, otherFolder)
	}
	for i := 1; i <= maxSame; i++ {
		path := filepath.Join(parent, base)
		if i > 1 {
			path += fmt.Sprintf("-%d", i)
		}
		err := os.Mkdir(path, 0o777) // one process only makes a folder
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("run folder: %w: %s", err, otherFolder)
		}
		d, err := lockDir(path)
		if err != nil {
			return nil, err
		}
		d.made = true
		return d, nil
	}
	return nil, fmt.Errorf("run folder: %d folders are named %s: %s", maxSame, filepath.Join(parent, base), otherFolder)
}

// Open locks the folder of an earlier run, to go on with it, and clears away
// what a killed process left half-written.
func Open(path string) (*Dir, error) {
	path = filepath.Clean(path)
	if info, err := os.Stat(path); err != nil {
		return nil, fmt.Errorf("run folder: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("run folder %s is a file", path)
	}
	d, err := lockDir(path)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(path)
	for _, e := range entries {
		if isTemp(e.Name()) && err == nil {
			err = os.Remove(d.File(e.Name()))
		}
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run folder: %w", err), d.Close())
	}
	return d, nil
}

func lockDir(path string) (*Dir, error) {
	l, err := lock(filepath.Join(path, lockName))
	if err != nil {
		return nil, fmt.Errorf("run folder %s: %w", path, err)
	}
	return &Dir{path: path, lock: l, fs: osFS{}}, nil
}

func (d *Dir) checkEmpty() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	other := ""
	for _, e := range entries {
		switch e.Name() {
		case lockName:
		case ConfigFile, MetricsFile, ModelFile, BestFile:
			return fmt.Errorf("run folder %s already holds a run (%s): %s", d.path, e.Name(), otherFolder)
		default:
			other = e.Name()
		}
	}
	if other != "" {
		return fmt.Errorf("run folder %s is not empty (%s): %s", d.path, other, otherFolder)
	}
	return nil
}

// Path returns the folder's path.
func (d *Dir) Path() string { return d.path }

// File returns the path of a file in the folder.
func (d *Dir) File(name string) string { return filepath.Join(d.path, name) }

// Close unlocks the folder. A folder that Create made and in which nothing was
// written is removed.
func (d *Dir) Close() error {
	err := d.lock.unlock()
	if d.made {
		_ = os.Remove(d.path) // fails, as it should, when there are files
	}
	return err
}

// CheckSpace reports an error when the folder cannot take a file of n bytes
// now: it writes one and removes it. A run calls it before its first epoch.
func (d *Dir) CheckSpace(n int64) error {
	const name = "space"
	temp := d.File(tempName(name))
	err := d.writeTemp(temp, func(w io.Writer) error {
		_, err := io.CopyN(w, zeros{}, n)
		return err
	})
	if err == nil {
		err = d.fs.Remove(temp)
	}
	if err != nil {
		return fmt.Errorf("run folder %s cannot take %d bytes: %w: free some space, or %s", d.path, n, err, otherFolder)
	}
	return nil
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	clear(b)
	return len(b), nil
}

// WriteFile writes the file of that name, or replaces it, as a whole: into a
// temporary file in the same folder, flushed to the disk and then renamed.
// After an error the earlier file is as it was. An error of write itself is
// returned wrapped.
func (d *Dir) WriteFile(name string, write func(io.Writer) error) error {
	if err := checkName(name); err != nil {
		return err
	}
	temp := d.File(tempName(name))
	if err := d.writeTemp(temp, write); err != nil {
		return fmt.Errorf("save %s: %w", d.File(name), err)
	}
	if err := d.fs.Rename(temp, d.File(name)); err != nil {
		_ = d.fs.Remove(temp)
		return fmt.Errorf("save %s: %w", d.File(name), err)
	}
	if err := d.fs.SyncDir(d.path); err != nil {
		return fmt.Errorf("save %s: %w", d.File(name), err)
	}
	return nil
}

// writeTemp writes a file, flushes it to the disk and closes it. After an
// error the file is gone.
func (d *Dir) writeTemp(path string, write func(io.Writer) error) error {
	f, err := d.fs.Create(path)
	if err != nil {
		return err
	}
	b := bufio.NewWriterSize(f, 1<<16)
	if err = write(b); err == nil {
		err = b.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = d.fs.Remove(path)
	}
	return err
}

// AppendLine adds line and a newline to the file of that name with one write,
// and makes the file if there is none. A write that fails half-way is taken
// back. The line is safe from the end of the process when AppendLine returns,
// and from a power cut after the next WriteFile or some seconds.
func (d *Dir) AppendLine(name string, line []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	if bytes.ContainsRune(line, '\n') {
		return fmt.Errorf("append to %s: %q is more than a line", d.File(name), line)
	}
	f, err := d.fs.Append(d.File(name))
	if err != nil {
		return fmt.Errorf("append a line: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		if _, err = f.Write(append(bytes.Clone(line), '\n')); err != nil {
			_ = f.Truncate(size)
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("append a line: %w", err)
	}
	return nil
}

// checkName takes the names of files in the folder itself.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || name == lockName || isTemp(name) || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q cannot be the name of a file of a run", name)
	}
	return nil
}

func tempName(name string) string { return "." + name + ".tmp" }

func isTemp(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp")
}

// CleanName returns name as a part of a folder's name: letters, digits, dots,
// underscores and single dashes, 60 bytes at most, and "run" for nothing.
func CleanName(name string) string {
	var b strings.Builder
	dash := false // a dash is owed before the next character
	for _, r := range name {
		if r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '.' && r != '_' {
			dash = true
			continue
		}
		s := string(r)
		if dash && b.Len() > 0 {
			s = "-" + s
		}
		dash = false
		if b.Len()+len(s) > maxName {
			break
		}
		b.WriteString(s)
	}
	s := strings.Trim(b.String(), ".-") // no hidden folder, no trailing dot
	if s == "" {
		return "run"
	}
	return s
}
