// Package rundir manages the folder of a run: runs/<time>-<name>, or a folder that
// the user chooses.
//
// Only one process at a time can use a folder. Create and Open lock it, and the lock
// is released when the process ends, for any reason. Create accepts only a new or an
// empty folder, so no run overwrites another.
//
// A Dir holds the folder itself, not its path: if the folder is moved, the run goes on
// in it, and another run can take the path. A Dir follows no link in the folder, and
// neither replaces nor extends a file that is not of its run.
//
// WriteFile replaces a file as a whole. If the process is killed, the disk is full or
// the power fails, the folder contains the old file or the new one, never a part of
// one. AppendLine adds a line with a single write; if the process is killed, at most
// the last line is incomplete. Errors name the path and the call that failed.
//
// A Dir is safe for concurrent use.
package rundir

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"trainer/data/files"
)

// The files of a run.
const (
	ConfigFile   = "config.yaml"       // the resolved configuration, which can be run again
	MetricsFile  = "metrics.jsonl"     // one JSON object per epoch
	ModelFile    = "model.safetensors" // the parameters after the last epoch
	BestFile     = "best.safetensors"  // the parameters of the best epoch, chosen on the validation set, or else on the test set
	FigureSVG    = "accuracy.svg"      // accuracy and cost over epochs
	FigurePNG    = "accuracy.png"      // the same figure
	HiddenSVG    = "hidden.svg"        // the weights of the hidden units as images, after the best epoch
	HiddenPNG    = "hidden.png"
	ConfusionSVG = "confusion.svg" // the confusion matrix of the test set, after the best epoch
	ConfusionPNG = "confusion.png"
	LogFile      = "log.txt"     // the messages on the terminal
	ReportFile   = "report.html" // the report: one page with everything in it

	// EventsFile has the metrics for TensorBoard, if the configuration asks for it
	// (log.tensorboard).
	EventsFile = "events.out.tfevents.trainer"

	CheckpointFile = "checkpoint"   // all that the run needs to go on
	EarlierFile    = "checkpoint.1" // the checkpoint before it

	// ResultFile is the outcome of a run of a sweep, written when it has ended.
	ResultFile = "result.json"

	// Of several runs.
	RunsFile       = "runs.json"  // the result of each run
	RunMetricsFile = "runs.jsonl" // a JSON object for each epoch and run
)

// runFiles lists the files of a run.
var runFiles = []string{ConfigFile, MetricsFile, ModelFile, BestFile, FigureSVG, FigurePNG, HiddenSVG, HiddenPNG, ConfusionSVG, ConfusionPNG, LogFile, ReportFile, EventsFile, CheckpointFile, EarlierFile, ResultFile, RunsFile, RunMetricsFile}

// Parent is the folder in which Create makes the folders of runs without a path.
const Parent = "runs"

const (
	timeLayout  = "20060102-150405" // the <time> of a folder's name
	maxName     = 60                // length of the <name> of a folder, in bytes
	maxSame     = 1000              // number of folders with the same name and time
	otherFolder = "choose another with -out"
	newRun      = "begin a new run from its checkpoint with -fork"
)

// Dir is the folder of a run, locked.
type Dir struct {
	folder *files.Folder
	path   string
	made   []string // the folders that Create made, the innermost first: Close removes those that are empty
	lock   *lockFile
	fs     files.FS // folder, except in tests

	mu   sync.Mutex
	ours map[string]ourFile // the files of this run, by name
}

// ourFile is a file of the run. It is held open where that does not hinder renaming:
// if somebody removes it, its number in the file system is not given to another one.
type ourFile struct {
	info fs.FileInfo
	held *os.File // or nil
}

// Create makes the folder of a new run and locks it. If out is not empty, it is the
// path of the folder, which must be new or empty. Otherwise the folder is
// runs/<time>-<name>, with -2, -3, … added if it already exists. Files that only a
// killed start leaves behind do not count: Create removes them.
func Create(out, name string, now time.Time) (*Dir, error) {
	if out == "" {
		return createIn(Parent, now.Format(timeLayout)+"-"+CleanName(name))
	}
	path := filepath.Clean(out)
	if info, err := os.Stat(path); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("run folder %s is %s: %s", path, kind(info), otherFolder)
	}
	for range maxTries {
		made, err := makeAll(path)
		if err != nil {
			return nil, err
		}
		d, err := hold(path, otherFolder)
		if err != nil {
			removeEmpty(made)
			if errors.Is(err, errGone) {
				continue
			}
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
	return nil, fmt.Errorf("run folder %s is removed again and again: %s", path, otherFolder)
}

// kind says what an existing file is.
func kind(info fs.FileInfo) string {
	if info.Mode().IsRegular() {
		return "a file"
	}
	return files.Kind(info.Mode())
}

// createIn makes parent/base, or parent/base-2, …, and locks it.
func createIn(parent, base string) (*Dir, error) {
	made, err := makeAll(parent)
	if err != nil {
		return nil, err
	}
	sweep(parent)
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
		d, err := hold(path, otherFolder)
		if err != nil {
			removeEmpty(append([]string{path}, made...))
			if errors.Is(err, errGone) {
				continue
			}
			return nil, err
		}
		d.made = append([]string{path}, made...)
		return d, nil
	}
	return nil, fmt.Errorf("run folder: %d folders are named %s: %s", maxSame, filepath.Join(parent, base), otherFolder)
}

// sweepAge is the age from which the folder of a start that was killed is removed. A
// new folder is not locked at once.
const sweepAge = time.Minute

// sweep removes the folders in parent that killed starts left behind: those with the
// name of a run that hold nothing and that no process uses. It looks at the newest
// ones only.
func sweep(parent string) {
	entries, _ := os.ReadDir(parent)
	for _, e := range entries[max(0, len(entries)-maxSame):] {
		if len(e.Name()) < len(timeLayout) || !e.IsDir() {
			continue
		}
		if _, err := time.Parse(timeLayout, e.Name()[:len(timeLayout)]); err != nil {
			continue
		}
		if info, err := e.Info(); err != nil || time.Since(info.ModTime()) < sweepAge {
			continue
		}
		path := filepath.Join(parent, e.Name())
		if !onlyLeftovers(path) {
			continue
		}
		if d, err := hold(path, otherFolder); err == nil {
			if d.checkEmpty() == nil {
				d.made = []string{path}
			}
			_ = d.Close()
		}
	}
}

// onlyLeftovers reports whether a folder has nothing but a lock and temporary files.
func onlyLeftovers(path string) bool {
	f, err := os.Open(path) //nolint:forbidigo // a folder
	if err != nil {
		return false
	}
	defer f.Close()
	names, err := f.Readdirnames(10)
	if err != nil && !errors.Is(err, io.EOF) || len(names) == 10 {
		return false
	}
	return !slices.ContainsFunc(names, func(name string) bool { return name != lockName && !isTemp(name) })
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
		return nil, fmt.Errorf("run folder %s is %s", path, kind(info))
	}
	d, err := hold(path, newRun)
	if err != nil {
		return nil, err
	}
	names, err := d.folder.Names()
	if err == nil {
		err = d.removeTemps(names)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("run folder: %w", err), d.Close())
	}
	for _, name := range names {
		if slices.Contains(runFiles, name) {
			d.know(name)
		}
	}
	return d, nil
}

// errGone says that a folder is not there any more: another process has removed it
// because it was empty.
var errGone = errors.New("was removed")

// hold opens and locks a folder. otherwise says what to do if it is in use.
func hold(path, otherwise string) (*Dir, error) {
	folder, err := files.OpenFolder(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = errGone
		}
		return nil, fmt.Errorf("run folder %s: %w", path, err)
	}
	l, err := lock(folder, otherwise)
	if err != nil {
		if !folder.IsAt(path) {
			err = errGone
		}
		return nil, errors.Join(fmt.Errorf("run folder %s: %w", path, err), folder.Close())
	}
	d := &Dir{folder: folder, path: path, lock: l, fs: folder, ours: map[string]ourFile{}}
	if !folder.IsAt(path) {
		return nil, errors.Join(fmt.Errorf("run folder %s: %w", path, errGone), d.Close())
	}
	return d, nil
}

// checkEmpty returns an error if the folder has files. It removes those that a killed
// start left behind, if there are no others.
func (d *Dir) checkEmpty() error {
	names, err := d.folder.Names()
	if err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	other := ""
	for _, name := range names {
		switch {
		case name == lockName || isTemp(name):
		case slices.Contains(runFiles, name) && name != LogFile:
			return fmt.Errorf("run folder %s already holds a run (%s): %s, or go on with it with -resume", d.path, name, otherFolder)
		default:
			other = name
		}
	}
	if other != "" {
		return fmt.Errorf("run folder %s is not empty (%s): %s", d.path, other, otherFolder)
	}
	if err := d.removeTemps(names); err != nil {
		return fmt.Errorf("run folder: %w", err)
	}
	return nil
}

// removeTemps removes those of the files that are temporary. No process but this one
// writes them: the folder is locked.
func (d *Dir) removeTemps(names []string) error {
	for _, name := range names {
		if !isTemp(name) {
			continue
		}
		info, err := d.folder.Lstat(name)
		if err == nil && !info.Mode().IsRegular() {
			err = fmt.Errorf("%s is %s, not a file of the trainer", d.File(name), files.Kind(info.Mode()))
		}
		if err == nil {
			err = d.folder.Remove(name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Path returns the path with which the folder was made or opened.
func (d *Dir) Path() string { return d.path }

// Where returns the path at which the folder is now, "" if it cannot be found out, and
// whether it has been moved or removed.
func (d *Dir) Where() (path string, moved bool) { return d.folder.Path() }

// File returns the path of a file in the folder.
func (d *Dir) File(name string) string { return filepath.Join(d.path, name) }

// Through makes d write through another file system, which wraps its own: a test makes
// calls fail.
func (d *Dir) Through(wrap func(files.FS) files.FS) { d.fs = wrap(d.fs) }

// Written returns those of the files that are in the folder and are of this run.
func (d *Dir) Written(names ...string) (there []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, name := range names {
		if info, err := d.fs.Lstat(name); err == nil && d.isOurs(name, info) {
			there = append(there, name)
		}
	}
	return there
}

// Close unlocks the folder. If Create made the folder and it is empty, Close removes
// it, with the parents that Create made.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	err := d.lock.unlock()
	if d.folder.IsAt(d.path) {
		removeEmpty(d.made)
	}
	for name := range d.ours {
		d.forget(name)
	}
	return errors.Join(err, d.folder.Close())
}

// Discard closes the folder of a run that could not start, and removes what the run
// has written so far: its log and configuration. The folder was new or empty, and can
// be used again at once.
func (d *Dir) Discard() error {
	var failed error
	for _, name := range d.Written(LogFile, ConfigFile) {
		failed = errors.Join(failed, d.fs.Remove(name))
	}
	return errors.Join(failed, d.Close())
}

// Reset removes all files of the run, so that it can begin anew.
func (d *Dir) Reset() error {
	var failed error
	for _, name := range d.Written(runFiles...) {
		failed = errors.Join(failed, d.fs.Remove(name))
	}
	return failed
}

// CheckSpace returns an error if there is no space for a file of n bytes. It writes
// such a file and removes it. A run calls it before its first epoch.
func (d *Dir) CheckSpace(n int64) error {
	temp := tempName("space")
	err := files.WriteNew(d.fs, temp, func(w io.Writer) error {
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
	d.mu.Lock()
	defer d.mu.Unlock()
	err := checkName(name)
	if err == nil {
		err = d.check(name)
	}
	if err == nil {
		err = files.Replace(d.fs, tempName(name), name, write)
		d.know(name) // also after an error: the flush of the folder may have failed
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", d.File(name), err)
	}
	return nil
}

// WriteNext is WriteFile for a file of which the one before is kept, under the name
// earlier. If the process is killed between the two renames, only the one before is
// there, and it is whole.
func (d *Dir) WriteNext(name, earlier string, write func(io.Writer) error) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	temp := tempName(name)
	err := errors.Join(checkName(name), checkName(earlier), d.check(name), d.check(earlier))
	if err == nil {
		err = files.WriteNew(d.fs, temp, write)
	}
	if err == nil {
		err = d.shift(temp, name, earlier)
	}
	if err != nil {
		return fmt.Errorf("save %s: %w", d.File(name), err)
	}
	return nil
}

// shift renames name to earlier, if it is there, and temp to name.
func (d *Dir) shift(temp, name, earlier string) error {
	defer d.know(earlier)
	defer d.know(name)
	_, err := d.fs.Lstat(name)
	there := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	if there {
		err = d.fs.Rename(name, earlier)
	}
	if err != nil {
		_ = d.fs.Remove(temp)
		return err
	}
	if err := d.fs.Rename(temp, name); err != nil {
		if there {
			_ = d.fs.Rename(earlier, name)
		}
		_ = d.fs.Remove(temp)
		return err
	}
	return d.fs.Sync()
}

// know notes that the regular file with this name, if there is one, is of this run.
func (d *Dir) know(name string) {
	f, err := d.folder.OpenExisting(name, os.O_RDONLY)
	if err != nil {
		return
	}
	info, err := f.Stat()
	if err != nil || !files.CanRemoveOpen {
		_ = f.Close()
		f = nil
	}
	d.forget(name)
	if err == nil {
		d.ours[name] = ourFile{info, f}
	}
}

// forget is the opposite of know.
func (d *Dir) forget(name string) {
	if f := d.ours[name].held; f != nil {
		_ = f.Close()
	}
	delete(d.ours, name)
}

// isOurs reports whether the file with this name is known to be info.
func (d *Dir) isOurs(name string, info fs.FileInfo) bool {
	ours, ok := d.ours[name]
	return ok && os.SameFile(ours.info, info)
}

// check returns an error if there is a file with this name that is not of this run.
func (d *Dir) check(name string) error {
	there, err := d.fs.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		d.forget(name)
		return nil
	case err != nil:
		return err
	case !d.isOurs(name, there):
		return fmt.Errorf("%s is %s that is not of this run: it stays as it is", d.File(name), kind(there))
	}
	return nil
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
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := checkName(name); err != nil {
		return err
	}
	if err := d.append(name, b); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	return nil
}

func (d *Dir) append(name string, b []byte) error {
	if err := d.check(name); err != nil {
		return err
	}
	_, known := d.ours[name]
	open := d.fs.Append
	if !known {
		open = d.fs.Create // which fails if another process makes the file meanwhile
	}
	f, err := open(name)
	if err != nil {
		return err
	}
	if known {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil && !d.isOurs(name, info) {
			err = fmt.Errorf("%s: %w", d.File(name), files.ErrReplaced)
		}
	} else {
		d.know(name)
	}
	if err == nil {
		var size int64
		if size, err = f.Seek(0, io.SeekEnd); err == nil {
			if _, err = f.Write(b); err != nil {
				_ = f.Truncate(size)
			}
		}
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
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

// CleanName converts name to a part of the name of a folder: letters and their marks, digits, dots,
// underscores and single dashes, at most 60 bytes. If nothing is left, it returns
// "run".
func CleanName(name string) string {
	var b strings.Builder
	dash := false // whether a dash goes before the next character
	for _, r := range name {
		if r == unicode.ReplacementChar || !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) && r != '.' && r != '_' {
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
