// Package rundir manages the folder of a run: runs/<time>-<name>, or a folder that
// the user chooses.
//
// Only one process at a time can use a folder. Create and Open lock it, and the lock
// is released when the process ends, for any reason. Create accepts only a new or an
// empty folder, so no run overwrites another.
//
// WriteFile replaces a file as a whole. If the process is killed, the disk is full or
// the power fails, the folder contains the old file or the new one, never a part of
// one. AppendLine adds a line with a single write; if the process is killed, at most
// the last line is incomplete. Errors name the path and the call that failed.
//
// A Dir is not safe for concurrent use.
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
	ConfigFile  = "config.yaml"       // the resolved configuration, which can be run again
	MetricsFile = "metrics.jsonl"     // one JSON object per epoch
	ModelFile   = "model.safetensors" // the parameters after the last epoch
	BestFile    = "best.safetensors"  // the parameters of the best epoch, chosen on the validation set, or else on the test set
	FigureSVG   = "accuracy.svg"      // accuracy over epochs
	FigurePNG   = "accuracy.png"      // the same figure
	LogFile     = "log.txt"           // the messages on the terminal

	// EventsFile has the metrics for TensorBoard, if the configuration asks for it
	// (log.tensorboard).
	EventsFile = "events.out.tfevents.trainer"

	// Of several runs.
	RunsFile       = "runs.json"  // the result of each run
	RunMetricsFile = "runs.jsonl" // a JSON object for each epoch and run
)

// Parent is the folder in which Create makes the folders of runs without a path.
const Parent = "runs"

const (
	timeLayout  = "20060102-150405" // the <time> of a folder's name
	maxName     = 60                // length of the <name> of a folder, in bytes
	maxSame     = 1000              // number of folders with the same name and time
	otherFolder = "choose another with -out"
)

// Dir is the folder of a run, locked.
type Dir struct {
	path string
	made []string // the folders that Create made, the innermost first: Close removes those that are empty
	lock *lockFile
	fs   fileSystem
}

// Create makes the folder of a new run and locks it. If out is not empty, it is the
// path of the folder, which must be new or empty. Otherwise the folder is
// runs/<time>-<name>, with -2, -3, … added if it already exists.
func Create(out, name string, now time.Time) (*Dir, error) {
	if out == "" {
		return createIn(Parent, now.Format(timeLayout)+"-"+CleanName(name))
	}
	path := filepath.Clean(out)
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("run folder %s is a file: %s", path, otherFolder)
	}
	made, err := makeAll(path)
	if err != nil {
		return nil, err
	}
	d, err := lockDir(path)
	if err != nil {
		removeEmpty(made)
		return nil, err
	}
	d.made = made
	// Without the lock, another process could write to the folder after the
	// check.
	if err := d.checkEmpty(); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// createIn makes parent/base, or parent/base-2, …, and locks it.
func createIn(parent, base string) (*Dir, error) {
	made, err := makeAll(parent)
	if err != nil {
		return nil, err
	}
	for i := 1; i <= maxSame; i++ {
		path := filepath.Join(parent, base)
		if i > 1 {
			path += fmt.Sprintf("-%d", i)
		}
		err := os.Mkdir(path, 0o777) // of several processes, Mkdir succeeds in one
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			removeEmpty(made)
			return nil, fmt.Errorf("run folder: %w: %s", err, otherFolder)
		}
		made = append([]string{path}, made...)
		d, err := lockDir(path)
		if err != nil {
			removeEmpty(made)
			return nil, err
		}
		d.made = made
		return d, nil
	}
	return nil, fmt.Errorf("run folder: %d folders are named %s: %s", maxSame, filepath.Join(parent, base), otherFolder)
}

// makeAll makes a folder with its parents. It returns those that it made, the
// innermost first. If it fails, it leaves none of them.
func makeAll(path string) (made []string, err error) {
	for at := path; ; at = filepath.Dir(at) {
		if _, err := os.Lstat(at); err == nil {
			break
		}
		made = append(made, at)
		if filepath.Dir(at) == at { // a volume that is not there
			break
		}
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		removeEmpty(made)
		return nil, fmt.Errorf("run folder: %w: %s", err, otherFolder)
	}
	return made, nil
}

// removeEmpty removes those of the folders, the innermost first, that are there and
// empty.
func removeEmpty(folders []string) {
	for _, path := range folders {
		_ = os.Remove(path) // fails, as intended, for the others
	}
}

// Open locks the folder of an earlier run, to continue the run. It removes temporary
// files that a killed process left behind.
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

// Close unlocks the folder. If Create made the folder and it is empty, Close removes
// it, with the parents that Create made.
func (d *Dir) Close() error {
	err := d.lock.unlock()
	removeEmpty(d.made)
	return err
}

// Discard closes the folder of a run that could not start, and removes what the run
// has written so far: its log and configuration. The folder was new or empty, and can
// be used again at once.
func (d *Dir) Discard() error {
	var failed error
	for _, name := range []string{LogFile, ConfigFile} {
		if err := os.Remove(d.File(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, d.Close())
}

// CheckSpace returns an error if there is no space for a file of n bytes. It writes
// such a file and removes it. A run calls it before its first epoch.
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

// WriteFile writes or replaces the file with the given name as a whole. It writes a
// temporary file in the same folder, flushes it to the disk and renames it. If it
// fails before the rename, the old file is unchanged. WriteFile wraps an error of
// write.
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

// writeTemp writes a file, flushes it to the disk and closes it. If it fails, it
// removes the file.
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

// AppendLine is Append of a line, and a newline.
func (d *Dir) AppendLine(name string, line []byte) error {
	if bytes.ContainsRune(line, '\n') {
		return fmt.Errorf("append to %s: %q is more than one line", d.File(name), line)
	}
	return d.Append(name, append(bytes.Clone(line), '\n'))
}

// Append appends b to the file with the given name, with one write. It creates the file
// if necessary. If only a part could be written, Append removes it. When Append returns,
// b survives the end of the process. After the next WriteFile, or after some seconds, it
// also survives a power failure.
func (d *Dir) Append(name string, b []byte) error {
	if err := checkName(name); err != nil {
		return err
	}
	f, err := d.fs.Append(d.File(name))
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err == nil {
		if _, err = f.Write(b); err != nil {
			_ = f.Truncate(size)
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return nil
}

// checkName returns an error if name cannot be the name of a file in the folder.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || name == lockName || isTemp(name) || strings.ContainsAny(name, `/\`) {
		return fmt.Errorf("%q cannot be the name of a file in a run folder", name)
	}
	return nil
}

func tempName(name string) string { return "." + name + ".tmp" }

func isTemp(name string) bool {
	return strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".tmp")
}

// CleanName converts name to a part of the name of a folder: letters, digits, dots,
// underscores and single dashes, at most 60 bytes. If nothing is left, it returns
// "run".
func CleanName(name string) string {
	var b strings.Builder
	dash := false // whether a dash goes before the next character
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
