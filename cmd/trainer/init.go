package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"trainer/configs"
	"trainer/data/files"
	"trainer/train/suggest"
)

// initCommand writes a built-in configuration to a file, to start from.
func initCommand(args []string, stdout, _ io.Writer) error {
	f := flag.NewFlagSet("init", flag.ContinueOnError)
	out := f.String("o", "", "write this `file`; without it, NAME.yaml in the current directory")
	names, err := parseArgs(f, args, stdout)
	if err != nil {
		return err
	}
	if len(names) > 1 {
		return usageError(fmt.Sprintf("init: unexpected argument %q", names[1]))
	}
	name := "mnist"
	if len(names) == 1 {
		name = strings.TrimSuffix(names[0], ".yaml")
	}
	if !slices.Contains(configs.Names(), name) {
		return unknownPreset(name)
	}
	file := cmp.Or(*out, name+".yaml")
	if err := writeNew(file, configs.Starter(name, shellQuote(file))); err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "wrote %s; change it, and train with: trainer -config %s\n", file, shellQuote(file))
	return err
}

// writeNew writes a file that must not be there.
func writeNew(path string, content []byte) error {
	folder, err := files.OpenFolder(filepath.Dir(path))
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	defer func() { _ = folder.Close() }()
	err = files.WriteNew(folder, filepath.Base(path), func(w io.Writer) error {
		_, err := w.Write(content)
		return err
	})
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("init: %s is there already, and is not overwritten: choose another file with -o, or remove it", path)
	}
	if err != nil {
		return fmt.Errorf("init: %w", err)
	}
	return nil
}

// unknownPreset is the error for a name that no built-in configuration has.
func unknownPreset(name string) error {
	var candidates []suggest.Candidate
	for _, preset := range configs.Names() {
		candidates = append(candidates, suggest.Candidate{Means: preset, Names: []string{preset}})
	}
	text := fmt.Sprintf("init: no configuration %q is built in: ", name)
	if near := suggest.Nearest(name, candidates); near != "" {
		return usageError(text + "did you mean " + near + "?")
	}
	return usageError(text + "want one of " + strings.Join(configs.Names(), ", ") + "; -o gives the file another name")
}
