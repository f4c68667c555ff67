package sweep

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"trainer/data/files"
	"trainer/train/lang"
)

// Write writes the table, the figure and the page into the folder of a sweep. If the
// best run is in another folder, it is copied.
func (t *Table) Write(dir string, l lang.Language) error {
	if err := t.copyBest(dir); err != nil {
		return err
	}
	type file struct {
		name  string
		write func(io.Writer) error
	}
	all := []file{{CSVFile, t.CSV}, {JSONFile, t.JSON}}
	if t.Best != nil { // else there is nothing to draw
		f, err := t.Figure(l)
		if err != nil {
			return err
		}
		all = append(all, file{FigureSVG, f.SVG}, file{FigurePNG, f.PNG})
	}
	var failed error
	for _, f := range all {
		failed = errors.Join(failed, files.Write(filepath.Join(dir, f.name), f.write))
	}
	return failed
}

// copyBest copies the folder of the best run into the folder of the sweep, if it is in
// another one.
func (t *Table) copyBest(dir string) error {
	if t.Best == nil {
		return nil
	}
	from := t.Folders[t.Best.Run]
	to := filepath.Join(dir, filepath.FromSlash(t.Best.Folder))
	if a, err := os.Stat(from); err != nil {
		return err
	} else if b, err := os.Stat(to); err == nil && os.SameFile(a, b) {
		return nil
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o777); err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || e.Name()[0] == '.' {
			continue
		}
		if err := copyFile(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return fmt.Errorf("copy of the best run: %w", err)
		}
	}
	return nil
}

func copyFile(from, to string) error {
	f, err := files.OpenRegular(from)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }() // opened for reading: nothing to lose
	return files.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, f)
		return err
	})
}
