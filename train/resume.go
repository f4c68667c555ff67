package train

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"trainer/data"
	"trainer/data/files"
	"trainer/graph/vm"
	"trainer/train/checkpoint"
	"trainer/train/config"
	"trainer/train/rundir"
)

// Resume is where a session goes on: a checkpoint, and the lines of the metrics that
// were written before it.
type Resume struct {
	State   *checkpoint.State
	Config  config.Config // of the checkpoint
	History []byte        // of metrics.jsonl, or of several runs of runs.jsonl
	File    string        // path of the checkpoint
	Note    string        // what the user should know about the choice of the file, or ""
}

// CheckpointPath returns the run folder and the checkpoint that a user's path names: a
// run folder, or a checkpoint in it. name is "" for a folder.
func CheckpointPath(path string) (folder, name string, err error) {
	path = filepath.Clean(path)
	info, err := os.Stat(path)
	if err != nil {
		return "", "", err
	}
	if info.IsDir() {
		return path, "", nil
	}
	return filepath.Dir(path), filepath.Base(path), nil
}

// OpenCheckpoint reads a checkpoint of a run folder with the lines before it. Without
// a name it is the newest one. The newest may be missing: the process was killed while
// it put it in its place, and the one before is taken. A damaged one is an error that
// says how to go on from the one before.
func OpenCheckpoint(folder, name string) (*Resume, error) {
	r := &Resume{File: filepath.Join(folder, name)}
	if name == "" {
		r.File = filepath.Join(folder, rundir.CheckpointFile)
		earlier := filepath.Join(folder, rundir.EarlierFile)
		_, err := os.Lstat(r.File)
		_, missing := os.Lstat(earlier)
		switch {
		case errors.Is(err, fs.ErrNotExist) && missing != nil:
			return nil, noCheckpoint(folder)
		case errors.Is(err, fs.ErrNotExist):
			r.Note = fmt.Sprintf("%s has no %s: going on from the one before it, %s", folder, rundir.CheckpointFile, rundir.EarlierFile)
			r.File = earlier
		}
	}
	if err := r.read(); err != nil {
		err = fmt.Errorf("%s: %w", r.File, err)
		if !errors.Is(err, checkpoint.ErrDamaged) {
			return nil, err
		}
		// The one before is offered if it is whole.
		before := &Resume{File: filepath.Join(folder, rundir.EarlierFile)}
		if before.File != r.File && before.read() == nil {
			return nil, &DamagedError{Err: err, Before: before.File, Epoch: before.State.Epoch}
		}
		return nil, &DamagedError{Err: err}
	}
	return r, nil
}

// noCheckpoint says why there is none, and what to do.
func noCheckpoint(folder string) error {
	there := func(name string) bool {
		_, err := os.Lstat(filepath.Join(folder, name))
		return err == nil
	}
	switch {
	case !there(rundir.ConfigFile):
		return fmt.Errorf("%s has no %s: it is not a run folder", folder, rundir.CheckpointFile)
	case there(rundir.ModelFile):
		return fmt.Errorf("%s has no %s: begin a new run from its parameters, with -set model.init.file=%[1]s", folder, rundir.CheckpointFile)
	}
	return fmt.Errorf("%s has no %s, because it was ended before its first one: train it again, with -config %s", folder, rundir.CheckpointFile, filepath.Join(folder, rundir.ConfigFile))
}

// DamagedError says that a checkpoint is damaged. Before is the path of the one before
// it, in an epoch, "" if there is no whole one.
type DamagedError struct {
	Err    error
	Before string
	Epoch  int
}

func (e *DamagedError) Error() string { return e.Err.Error() }
func (e *DamagedError) Unwrap() error { return e.Err }

// read reads the checkpoint r.File and the lines before it.
func (r *Resume) read() error {
	f, err := files.OpenRegular(r.File)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return plain(err)
	}
	if r.State, err = checkpoint.Read(f, info.Size()); err != nil {
		return err
	}
	r.Config, err = config.Parse([]byte(r.State.Config), "the configuration in it", nil)
	if err != nil {
		return err
	}
	several := len(r.State.Runs) > 1
	path := filepath.Join(filepath.Dir(r.File), linesFile(several))
	r.History, err = readLines(path, r.State.Lines)
	return err
}

// plain returns an error of the file system without the path.
func plain(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// readLines reads the lines of a file that a checkpoint says were there. What comes
// after them was written later, or torn by a crash.
func readLines(path string, want checkpoint.Lines) ([]byte, error) {
	if want.Size == 0 {
		return nil, nil
	}
	f, err := files.OpenRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, want.Size))
	if err != nil {
		return nil, err
	}
	have := newLines()
	have.add(text)
	if have.now() != want {
		return nil, fmt.Errorf("%s is not as it was: its first %d bytes have another SHA-256", path, want.Size)
	}
	return text, nil
}

// lines is the size and the checksum of a file of lines.
type lines struct {
	size int64
	hash hash.Hash
}

func newLines() *lines { return &lines{hash: sha256.New()} }

func (l *lines) add(text []byte) {
	l.size += int64(len(text))
	l.hash.Write(text)
}

func (l *lines) now() checkpoint.Lines {
	return checkpoint.Lines{Size: l.size, Sum: hex.EncodeToString(l.hash.Sum(nil))}
}

// Fork makes r the beginning of a new run in another folder, with configuration c on
// data set d. It returns what the user should know. With the same data the run goes on
// at the same place, with the results so far; with other data it begins anew from the
// parameters, because its results could not be compared.
func (r *Resume) Fork(c config.Config, d *data.Dataset, machine string) (note string, err error) {
	s := r.State
	if n := len(s.Runs); c.Train.Runs.Count != n {
		return "", fmt.Errorf("train.runs.count is %d, and the checkpoint has %d runs", c.Train.Runs.Count, n)
	}
	changed := config.Changed(r.Config, c)
	sum := d.Sum()
	switch partial := slices.ContainsFunc(s.Runs, func(run checkpoint.Run) bool { return run.Done > 0 }); {
	case sum != s.Data:
		note = "other data: the epochs are counted from 1"
		s.Epoch, s.Best, s.Last, s.BestEpoch, s.Lines, r.History = 1, -1, nil, nil, newLines().now(), nil
		if len(s.Runs) == 1 {
			s.Last = s.Runs[0].Parameters
		}
		r.restart()
	case partial && slices.ContainsFunc(changed, func(path string) bool {
		return slices.Contains([]string{"seed", "train.batch", "train.shuffle"}, path)
	}):
		note = fmt.Sprintf("another order: epoch %d begins again", s.Epoch)
		r.restart()
	}
	s.Data, s.Machine, r.Config = sum, machine, c
	return note, nil
}

// restart goes back to the beginning of the epoch, with the parameters of now.
func (r *Resume) restart() {
	r.State.Seconds = 0
	for i := range r.State.Runs {
		r.State.Runs[i].Done = 0
	}
}

// restore sets all runs to where the checkpoint has them.
func (s *session) restore() error {
	state := s.From.State
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%s: %s", s.From.File, fmt.Sprintf(format, args...))
	}
	if len(state.Runs) != len(s.Runs) {
		return bad("%d runs, want %d (train.runs.count)", len(state.Runs), len(s.Runs))
	}
	if state.Machine != s.Machine {
		return bad("the machine was %s, and now is %s: only rounding differs, but the run would not be the same; -fork makes a new run", state.Machine, s.Machine)
	}
	if state.Data != s.sum() {
		return bad("the data are not those of the run: their checksum is %.16s…, and was %.16s…; -fork makes a new run", s.sum(), state.Data)
	}
	if err := s.replay(s.From.History); err != nil {
		return bad("%v", err)
	}
	for r, was := range state.Runs {
		run := &s.Runs[r]
		run.Failed, run.unchanged, run.labels, run.answers = was.Failed, was.Unchanged, was.Labels, was.Answers
		// A run that goes on has made all epochs before this one.
		epochs, ended := len(run.Epochs), run.Failed != "" || run.StoppedEarly
		if epochs > 0 && run.Last.Epoch != epochs || !ended && epochs != state.Epoch-1 || epochs >= state.Epoch {
			return bad("run %d has %d epochs, in epoch %d", r, epochs, state.Epoch)
		}
		if n := s.Dataset.Train.Len(); was.Done > n || was.Done < n && was.Done%s.Config.Train.Batch != 0 {
			return bad("run %d visited %d samples of %d", r, was.Done, n)
		}
		if was.Parameters != nil {
			if err := s.Fleet.SetParameters(r, was.Parameters); err != nil {
				return bad("%v", err)
			}
			if r == max(state.Best, 0) && s.Parameters != nil {
				s.Parameters(was.Parameters)
			}
		}
	}
	s.start = s.newEpoch(state.Epoch)
	s.start.seconds = state.Seconds
	for r, was := range state.Runs {
		s.start.done[r] = was.Done
	}
	s.Best = state.Best
	if state.Last != nil {
		s.last.parameters = state.Last
	}
	if s.Best >= 0 {
		run := s.Runs[s.Best]
		if run.Best == nil {
			return bad("the best run has no epoch")
		}
		s.last.metrics = *run.Last
		s.best = snapshot{parameters: state.BestEpoch, metrics: *run.Best, confusion: state.BestConfusion}
		s.unsaved = true
	}
	s.first = s.From.File != s.Dir.File(rundir.CheckpointFile)
	return nil
}

// replay adds the epochs of a file of lines to the runs.
func (s *session) replay(history []byte) error {
	return s.eachLine(history, func(m RunMetrics) {
		s.Runs[m.Run].add(m.Metrics, s.Config.Train.EarlyStopping)
	})
}

// eachLine calls do for each epoch in a file of lines.
func (s *session) eachLine(history []byte, do func(RunMetrics)) error {
	in := bufio.NewReader(bytes.NewReader(history))
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			if line != "" {
				return errors.New("the last line of the metrics is not whole")
			}
			return nil
		}
		d := json.NewDecoder(strings.NewReader(line))
		d.DisallowUnknownFields()
		var m RunMetrics
		if s.several() {
			err = d.Decode(&m)
		} else {
			err = d.Decode(&m.Metrics)
		}
		if err != nil {
			return fmt.Errorf("the metrics: %w", err)
		}
		if m.Run < 0 || m.Run >= len(s.Runs) {
			return fmt.Errorf("the metrics have a run %d of %d", m.Run, len(s.Runs))
		}
		do(m)
	}
}

// point returns the checkpoint of an epoch in progress, with the parameters that runs
// have now. It returns nil if some of them are not finite: the pass will say so.
func (s *session) point(runs vm.Runs, e *epoch) (*checkpoint.State, error) {
	state := &checkpoint.State{
		Config: string(s.yaml), Machine: s.Machine,
		Epoch: e.number, Seconds: e.seconds, Best: s.Best, Lines: s.lines.now(),
		Last: s.last.parameters, BestEpoch: s.best.parameters, BestConfusion: s.best.confusion,
	}
	for r := range s.Runs {
		run := &s.Runs[r]
		was := checkpoint.Run{Done: e.done[r], Failed: run.Failed, Unchanged: run.unchanged, Labels: run.labels, Answers: run.answers}
		if run.Failed == "" {
			p := s.last.parameters // or are they others?
			if p == nil || e.done[r] > 0 || r != max(s.Best, 0) || s.last.metrics.Epoch != e.number-1 {
				var err error
				if p, err = runs.Parameters(r); err != nil {
					return nil, err
				}
			}
			if p.NonFinite() != "" {
				return nil, nil
			}
			was.Parameters = p
		}
		state.Runs = append(state.Runs, was)
	}
	return state, nil
}

// writeCheckpoint writes the next checkpoint, if it is not written yet.
func (s *session) writeCheckpoint() error {
	if s.next == nil {
		return nil
	}
	s.next.Data = s.sum()
	write := func(w io.Writer) error { return checkpoint.Write(w, s.Config.Network(), s.next) }
	var err error
	if s.first {
		err = s.Dir.WriteFile(rundir.CheckpointFile, write)
	} else {
		err = s.Dir.WriteNext(rundir.CheckpointFile, rundir.EarlierFile, write)
	}
	if err == nil {
		s.next, s.first = nil, false
	}
	return err
}
