package sweep

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"

	"trainer/data/files"
	"trainer/train/lang"
	"trainer/train/report"
	"trainer/train/rundir"
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
	page, err := t.page(dir, l)
	if err != nil {
		return err
	}
	all = append(all, file{PageFile, func(w io.Writer) error { return page.HTML(w, l) }})
	var failed error
	for _, f := range all {
		failed = errors.Join(failed, files.Write(filepath.Join(dir, f.name), f.write))
	}
	return failed
}

// page returns the page in the folder of the sweep.
func (t *Table) page(dir string, l lang.Language) (*report.Sweep, error) {
	plan, err := t.Plan.YAML()
	if err != nil {
		return nil, err
	}
	s := &report.Sweep{
		Figure: t.drawing(l), Name: t.Plan.Combinations[0].Config.Name, Dataset: t.Dataset, Seeds: t.Seeds, Chosen: t.Set(),
		Missing: t.Missing, Total: len(t.Plan.Combinations), Order: t.Order(), Plan: string(plan),
	}
	for _, c := range t.Combinations {
		s.Failed += c.Failed
		test := math.NaN()
		if c.Test.Mean != nil {
			test = *c.Test.Mean
		}
		s.Test = append(s.Test, test)
	}
	for _, o := range t.Runs {
		r := report.SweepRun{Number: o.Run, Folder: RunsDir + "/" + o.Folder, Seed: o.Seed, Seconds: o.Seconds}
		for _, v := range o.Over {
			r.Values = append(r.Values, Label(v.Value))
		}
		switch {
		case o.State == Failed:
			r.Note = lang.Text{En: "failed: %s", Zh: "失败：%s"}.Format(l, o.Failed)
		case o.Advice != "":
			r.Note = o.Advice
		case o.State == StoppedEarly:
			r.Note = lang.Text{En: "stopped early", Zh: "提前停止"}.In(l)
		}
		if m := o.Best; m != nil {
			r.Epoch, r.Accuracy, r.Test = m.Epoch, judged(*m), m.TestAccuracy
		}
		here := filepath.Join(dir, RunsDir, o.Folder)
		if _, err := os.Stat(filepath.Join(here, rundir.FigureSVG)); err == nil {
			r.Link = link(o.Folder, rundir.FigureSVG)
		}
		s.Runs = append(s.Runs, r)
		if t.Best != nil && t.Best.Run == o.Run {
			best := r
			best.Link = link(o.Folder, rundir.ReportFile)
			s.Best = &best
		}
	}
	return s, nil
}

// link returns the address of a file of a run, from the page.
func link(folder, file string) string {
	return (&url.URL{Path: RunsDir + "/" + folder + "/" + file}).String()
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
