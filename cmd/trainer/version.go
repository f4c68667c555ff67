package main

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	licences "trainer"
)

// versionCommand prints the module's version and commit, where the build knows
// them, and those of Gorgonia; or the licences.
func versionCommand(args []string, stdout, _ io.Writer) error {
	f := flag.NewFlagSet("version", flag.ContinueOnError)
	notice := f.Bool("notice", false, "the licences of all that is linked into the program")
	if err := parseFlags(f, args, stdout); err != nil {
		return err
	}
	if *notice {
		_, err := io.WriteString(stdout, licences.Notice)
		return err
	}
	version, revision, modified := "(devel)", "", ""
	gorgonia := ""
	if info, ok := debug.ReadBuildInfo(); ok {
		version = info.Main.Version
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = " commit " + s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				modified = " (modified)"
			}
		}
		for _, m := range info.Deps {
			if m.Path == "gorgonia.org/gorgonia" || m.Path == "gorgonia.org/tensor" {
				gorgonia += fmt.Sprintf("%s %s\n", m.Path, m.Version)
			}
		}
	}
	_, err := fmt.Fprintf(stdout, "trainer %s%s%s\n%s %s/%s\n%s", version, revision, modified,
		runtime.Version(), runtime.GOOS, runtime.GOARCH, gorgonia)
	return err
}
