package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"math"
	"os"

	"trainer/data"
	"trainer/data/files"
	"trainer/data/lang"
	"trainer/data/photo"
	"trainer/graph/vm"
	"trainer/train/config"
	"trainer/train/prediction"
	"trainer/train/progress"
	"trainer/train/terminal"
)

// predictCommand says which classes a trained model takes images for: pictures, or
// the rows of a file.
func predictCommand(args []string, stdout, stderr io.Writer) (err error) {
	f := flag.NewFlagSet("predict", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", modelUsage)
	asJSON := f.Bool("json", false, "print a line of JSON for each image, with the outputs of the network")
	var pictures pictureOutput
	pictures.register(f)
	var rows rowsOutput
	rows.register(f)
	names, err := parseArgs(f, args, stdout)
	if err != nil {
		return err
	}
	if *path == "" && len(names) > 0 {
		*path, names = names[0], names[1:]
	}
	switch {
	case *path == "":
		return usageError("predict: no model: give a run folder or a safetensors file")
	case rows.file == "" && len(names) == 0:
		return usageError(fmt.Sprintf("predict: no images for the model %q: name PNG, JPEG or GIF files, folders of them, - for standard input, or -data FILE with a row for each image", *path))
	case rows.file != "" && len(names) > 0:
		return usageError(fmt.Sprintf("predict: pictures (%q) and -data: give one of them", names[0]))
	}
	if err := errors.Join(pictures.check(f, rows.file == "", *asJSON), rows.check(f, *asJSON)); err != nil {
		return err
	}
	c, m, err := flags.readModel(*path, stderr)
	if err != nil {
		return err
	}
	o := photo.Options{}
	if rows.file == "" {
		if o, err = pictures.options(m.Network.Inputs()); err != nil {
			return err
		}
	}
	ctx, stop := untilSignal(func(os.Signal) {})
	defer stop()
	machine, _, err := newMachine(c)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, machine.Close()) }()
	if err := machine.SetParameters(m.Parameters); err != nil {
		return err
	}
	if rows.file != "" {
		return cause(ctx, rows.predict(ctx, c, machine, *asJSON, stdout, stderr))
	}
	return pictures.predict(ctx, c, machine, names, o, *asJSON, stdout, stderr)
}

// rowsOutput predicts the rows of a file.
type rowsOutput struct{ file, out, id, label string }

func (r *rowsOutput) register(f *flag.FlagSet) {
	f.StringVar(&r.file, "data", "", "the images, a `file` without labels: CSV with a row for each image, or IDX images")
	f.StringVar(&r.out, "o", "", "with -data: write to this `file`, not to standard output")
	f.StringVar(&r.id, "id", "id", "with -data: `name` of the column of identifiers; a column of the data with this name has them, else they count from 1")
	f.StringVar(&r.label, "label", "label", "with -data: `name` of the column of predictions")
}

// check reports flags that have no effect.
func (r *rowsOutput) check(f *flag.FlagSet, asJSON bool) error {
	for _, name := range []string{"o", "id", "label"} {
		if r.file == "" && isGiven(f, name) {
			return usageError("predict: -" + name + " goes with -data")
		}
	}
	if asJSON && isGiven(f, "label") {
		return usageError("predict: -label names a column of CSV: leave it out, or -json")
	}
	return nil
}

func (r *rowsOutput) predict(ctx context.Context, c config.Config, m vm.VM, asJSON bool, stdout, stderr io.Writer) error {
	rows, err := data.ReadRows(ctx, r.file, data.RowOptions{
		Inputs: m.Network().Inputs(), ID: r.id, Values: c.Data.Values.Range(), Ends: c.Data.Inputs.Range(), Transpose: c.Data.Transpose,
	})
	if err != nil {
		return err
	}
	say(stderr, rows.Notes, c.Language(os.Getenv))
	all, err := prediction.Run(ctx, m, rows, c.Data.Classes)
	if err != nil {
		return err
	}
	write := func(w io.Writer) error { return prediction.CSV(w, all, r.id, r.label) }
	if asJSON {
		write = func(w io.Writer) error { return prediction.JSON(w, all) }
	}
	if r.out == "" {
		return write(stdout)
	}
	if err := files.Write(r.out, write); err != nil {
		return err
	}
	written := lang.Text{En: "%d predictions in %s", Zh: "%[2]s 中有 %[1]d 个预测"}
	_, err = fmt.Fprintln(stdout, written.Format(c.Language(os.Getenv), len(all), terminal.Line(r.out)))
	return err
}

// pictureOutput predicts pictures.
type pictureOutput struct {
	pictureFlags
	top int
}

func (p *pictureOutput) register(f *flag.FlagSet) {
	f.IntVar(&p.top, "top", 0, "show the `k` largest outputs only, the largest first")
	p.pictureFlags.register(f)
}

// check reports flags that have no effect.
func (p *pictureOutput) check(f *flag.FlagSet, pictures, asJSON bool) error {
	for _, name := range []string{"top", "raw", "size"} {
		if !pictures && isGiven(f, name) {
			return usageError("predict: -" + name + " is for pictures, and -data is a file of rows")
		}
	}
	switch {
	case isGiven(f, "top") && p.top < 1:
		return usageError(fmt.Sprintf("predict: -top %d: want 1 or more", p.top))
	case p.top > 0 && asJSON:
		return usageError("predict: -json has all outputs: leave out -top")
	}
	return nil
}

func (p *pictureOutput) predict(ctx context.Context, c config.Config, m vm.VM, files []string, o photo.Options, asJSON bool, stdout, stderr io.Writer) error {
	lines := json.NewEncoder(stdout)
	lines.SetEscapeHTML(false)
	style := prediction.Style{Cols: o.Cols, Top: p.top, Blocks: progress.HasBlocks(stdout)}
	done, failed := 0, 0
	for image, err := range readPictures(files, os.Stdin, o) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var answer prediction.Answer
		if err == nil {
			image.Scale.Inputs = c.Data.Inputs.Range()
			answer, err = prediction.Of(m, image)
		}
		if err != nil {
			failed++
			_, _ = fmt.Fprintf(stderr, "trainer: %s\n", terminal.Printable(err.Error()))
			continue
		}
		if asJSON {
			err = lines.Encode(answer)
		} else {
			_, err = io.WriteString(stdout, answer.Text(style))
		}
		if err != nil {
			return err
		}
		done++
	}
	if failed > 0 {
		return fmt.Errorf("predict: %d of %d pictures could not be used: see above", failed, done+failed)
	}
	return nil
}

// pictureFlags are the flags that say how a picture becomes the network's input.
type pictureFlags struct {
	raw  bool
	size string
}

func (p *pictureFlags) register(f *flag.FlagSet) {
	f.BoolVar(&p.raw, "raw", false, "take pictures that have the size of the network's input as they are: white is ink")
	f.StringVar(&p.size, "size", "", "`ROWSxCOLS` of the network's input; without it, a square")
}

// options returns what is wanted of pictures for a network with so many inputs.
func (p *pictureFlags) options(inputs int) (photo.Options, error) {
	side := int(math.Round(math.Sqrt(float64(inputs))))
	o := photo.Options{Rows: side, Cols: side, Raw: p.raw}
	if p.size != "" {
		if n, err := fmt.Sscanf(p.size+" ", "%dx%d ", &o.Rows, &o.Cols); n != 2 || err != nil || o.Rows < 1 || o.Cols < 1 {
			return o, usageError(fmt.Sprintf("-size %q: want ROWSxCOLS, such as 28x28", p.size))
		}
	}
	if o.Rows*o.Cols != inputs {
		return o, usageError(fmt.Sprintf("the network has %d inputs, and an image of %d×%d has %d: give -size ROWSxCOLS", inputs, o.Rows, o.Cols, o.Rows*o.Cols))
	}
	return o, nil
}

// readPictures yields the images of pictures, in the order of the paths, or an error
// that names the picture. A path is a file, a folder, or - for stdin.
func readPictures(paths []string, stdin io.Reader, o photo.Options) iter.Seq2[prediction.Image, error] {
	return func(yield func(prediction.Image, error) bool) {
		for _, path := range paths {
			if path == "-" {
				pixels, err := photo.Read(stdin, "standard input", o)
				if !yield(prediction.Image{Name: path, Pixels: pixels}, err) {
					return
				}
				continue
			}
			files := []string{path}
			if info, err := os.Stat(path); err == nil && info.IsDir() {
				if files, err = photo.Folder(path); err != nil && !yield(prediction.Image{Name: path}, err) {
					return
				}
			}
			for _, file := range files {
				pixels, err := photo.ReadFile(file, o)
				if !yield(prediction.Image{Name: file, Pixels: pixels}, err) {
					return
				}
			}
		}
	}
}

// isGiven reports whether a flag is on the command line.
func isGiven(f *flag.FlagSet, name string) (ok bool) {
	f.Visit(func(on *flag.Flag) { ok = ok || on.Name == name })
	return ok
}
