package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"trainer/data/files"
	"trainer/data/lang"
	"trainer/train/export"
)

var exported = lang.Text{
	En: "%[1]s: the model %[2]s, %[3]v",
	Zh: "%[1]s:模型 %[2]s,%[3]v",
}

// exportCommand writes a trained model in a format of other programs.
func exportCommand(args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("export", flag.ContinueOnError)
	var flags configFlags
	flags.register(f)
	path := f.String("model", "", modelUsage)
	name := f.String("format", "", "`"+strings.Join(export.Formats(), "|")+"`; without it, the extension of -o says it")
	out := f.String("o", "", "write to this `file`")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	switch {
	case *path == "":
		return usageError("export: no model: give -model FILE, or -model RUN-FOLDER")
	case *out == "":
		return usageError("export: no file to write: give -o FILE, such as model.onnx")
	}
	format, err := export.FormatOf(*name, *out)
	if err != nil {
		return usageError(fmt.Sprintf("export: %v (-format, or the extension of -o)", err))
	}
	c, m, err := flags.readModel(*path, stderr)
	if err != nil {
		return err
	}
	if same(*out, m.File) {
		return usageError(fmt.Sprintf("export: -o %s is the model itself: give another file", *out))
	}
	n := c.Network()
	if err := files.Write(*out, func(w io.Writer) error {
		return export.Write(w, format, n, m.Parameters, export.Metadata(n, m.Metadata))
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(stdout, exported.Format(flags.language(), *out, m.File, n))
	return err
}

// same reports whether two paths are the same file.
func same(a, b string) bool {
	x, err := os.Stat(a)
	y, bad := os.Stat(b)
	return err == nil && bad == nil && os.SameFile(x, y)
}
