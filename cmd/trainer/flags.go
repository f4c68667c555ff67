package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"trainer/data/homedir"
	"trainer/train/lang"
	"trainer/train/terminal"
)

// helpError says that the flags had -h, for which the help was printed.
type helpError struct{ flags *flag.FlagSet }

func (helpError) Error() string { return flag.ErrHelp.Error() }
func (helpError) Unwrap() error { return flag.ErrHelp }

// parseFlags parses the arguments of the command f.Name(). An argument that is no
// flag is the value of the flag that is the command's operand. Wrong ones are usage
// errors; -h prints the help on the command and gives a helpError.
//
// See flagValue for what a value must be. The name of a value, in backquotes in the
// flag's usage, says what it is: those of pathNames are paths, in which ~ is the home
// folder; a|b|c is one of some words.
func parseFlags(f *flag.FlagSet, args []string, stdout io.Writer) error {
	operands, err := parseArgs(f, args, stdout)
	if err != nil {
		return err
	}
	return setOperands(f, operands)
}

// setOperands sets the flag that is the command's operand to the arguments that are no
// flags.
func setOperands(f *flag.FlagSet, operands []string) error {
	c, _ := findCommand(f.Name())
	for _, arg := range operands {
		unexpected := func(format string, args ...any) error {
			return usageError(fmt.Sprintf("%s: unexpected argument %q", f.Name(), arg) + fmt.Sprintf(format, args...))
		}
		if strings.HasPrefix(arg, "=") {
			return unexpected(": write key=value without spaces, as in -set train.epochs=5")
		}
		if setting := settingMeant(arg); setting != "" && f.Lookup("set") != nil {
			return unexpected(": did you mean -set %s?", shellQuote(setting))
		}
		if c.operand == "" {
			return unexpected("")
		}
		if err := f.Set(c.operand, arg); err != nil {
			return unexpected(", taken for -%s: %v", c.operand, err)
		}
	}
	return nil
}

// parseArgs is parseFlags for a command with arguments of its own: it returns those
// that are no flags. Flags may follow them.
func parseArgs(f *flag.FlagSet, args []string, stdout io.Writer) (operands []string, err error) {
	f.SetOutput(io.Discard) // errors are printed once, by exitCode
	f.VisitAll(func(f *flag.Flag) { f.Value = &flagValue{Value: f.Value, path: isPath(f)} })
	for {
		err := f.Parse(args)
		left := f.Args()
		taken := len(args) - len(left)
		switch {
		case errors.Is(err, flag.ErrHelp):
			c, _ := findCommand(f.Name())
			if _, err := io.WriteString(stdout, c.help(f, lang.FromLocale(os.Getenv))); err != nil {
				return nil, err
			}
			return nil, helpError{f}
		case err != nil && strings.HasPrefix(err.Error(), "flag provided but not defined"):
			return nil, unknownFlag(f, args[taken-1], left)
		case err != nil:
			return nil, usageError(f.Name() + ": " + terminal.Line(err.Error()))
		case len(left) == 0, taken > 0 && args[taken-1] == "--":
			return append(operands, left...), nil
		}
		operands, args = append(operands, left[0]), left[1:]
	}
}

// flagValue is the value of a flag as users give it: not empty, and once, except for
// settings. ~ in a path is expanded.
type flagValue struct {
	flag.Value
	path  bool
	times int
}

// Set implements flag.Value.
func (g *flagValue) Set(s string) error {
	_, repeats := g.Value.(*settings)
	g.times++
	switch {
	case s == "":
		return errors.New("it is empty: to have the default, leave the flag out")
	case g.times > 1 && !repeats:
		return fmt.Errorf("it is given twice, the first time as %q", g.Value)
	case g.path && strings.HasPrefix(s, "-"):
		return fmt.Errorf("this is a flag, and the value is missing; for a file of that name, write ./%s", s)
	case g.path:
		var err error
		if s, err = homedir.Expand(s); err != nil {
			return err
		}
	}
	return g.Value.Set(s)
}

// IsBoolFlag tells package flag whether the flag takes no value.
func (g *flagValue) IsBoolFlag() bool {
	b, ok := g.Value.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}

// describeFlag returns the name of the flag's value, "" for a flag without one, and its
// usage. Words to choose from are in the name only.
func describeFlag(f *flag.Flag) (value, usage string) {
	plain := *f
	if g, ok := f.Value.(*flagValue); ok { // package flag looks at the type
		plain.Value = g.Value
	}
	value, usage = flag.UnquoteUsage(&plain)
	if strings.Contains(value, "|") {
		usage = strings.TrimLeft(strings.TrimPrefix(usage, value), ",; ")
	}
	return value, usage
}

// pathNames are the names of values that are paths.
var pathNames = []string{"file", "folder", "model", "program"}

// isPath reports whether the value of a flag is a path.
func isPath(f *flag.Flag) bool {
	value, _ := describeFlag(f)
	return slices.Contains(pathNames, value)
}
