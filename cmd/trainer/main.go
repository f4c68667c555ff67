// Command trainer trains the network that the textbook derives by hand.
//
//	trainer -config configs/mnist.yaml
//
// See `trainer help`.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"trainer/internal/terminal"
	"trainer/train/config"
	"trainer/train/progress"
)

// Exit codes. A signal's is 128 + its number.
const (
	exitDone   = 0
	exitFailed = 1 // something failed while running
	exitUsage  = 2 // wrong usage or configuration
	exitSignal = 128
)

const usage = `trainer trains a fully connected network by gradient descent, as a textbook
derives it by hand: sigmoid layers, half squared error, MNIST.

Usage:
  trainer [-config F] [-device D] [-set key=value]... [-out DIR]
                      train, and leave a run folder
  trainer eval        cost, accuracy and confusion of a trained model
  trainer predict     the classes of images without labels, as CSV
  trainer gradcheck   compare the symbolic gradients with the equations
                      derived by hand and with central differences
  trainer graph       print the expression graph as text, DOT or SVG, or the
                      program that it compiles to
  trainer bench       measure the machine beside Gorgonia's, and NumPy
  trainer devices     list the devices, and how each would train
  trainer version     print the version
  trainer help [config]
                      print this text, or all keys of a configuration

Flags of training:
  -config F           read the configuration F (YAML); without it, all defaults
  -device D           auto, cpu or cuda: short for -set device=D
  -set key=value      set a key of the configuration; may be repeated
  -out DIR            the run folder; else runs/<time>-<name>

'trainer COMMAND -h' prints the flags of a command.
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 interrupted.
`

func main() {
	// A reader that goes away (trainer | head) must not end a run: without
	// this, a write to a closed standard output kills the process.
	signal.Ignore(syscall.SIGPIPE)
	stderr := progress.NewQueue(os.Stderr)
	code := run(os.Args[1:], os.Stdout, stderr)
	flush(stderr, code > exitSignal)
	os.Exit(code)
}

// flush waits until a queue is written. After an interruption it does not wait long for
// a reader who does not read.
func flush(q *progress.Queue, interrupted bool) {
	atMost := time.Duration(-1)
	if interrupted {
		atMost = 300 * time.Millisecond
	}
	q.Flush(atMost)
}

// command is a subcommand. It returns an error of type usageError or
// *config.Error for what the caller got wrong.
type command func(args []string, stdout, stderr io.Writer) error

var commands = map[string]command{
	"train":     trainCommand,
	"eval":      evalCommand,
	"predict":   predictCommand,
	"gradcheck": gradcheckCommand,
	"graph":     graphCommand,
	"bench":     benchCommand,
	"devices":   devicesCommand,
	"version":   versionCommand,
	"help":      helpCommand,
}

// run is the program: it returns the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	name := "train"
	if len(args) > 0 {
		switch first := args[0]; {
		case first == "-h" || first == "-help" || first == "--help":
			name, args = "help", nil
		case first == "-version" || first == "--version":
			name, args = "version", nil
		case !strings.HasPrefix(first, "-"):
			name, args = first, args[1:]
		}
	}
	do, ok := commands[name]
	if !ok {
		do = func([]string, io.Writer, io.Writer) error {
			return usageError(fmt.Sprintf("unknown command %q: want eval, predict, gradcheck, graph, bench, devices, version or help, or flags to train", name))
		}
	}
	return exitCode(do(args, stdout, stderr), stderr)
}

// exitCode prints err and returns the code that says what kind it is.
func exitCode(err error, stderr io.Writer) int {
	const widest = 2000 // a line of a message, in characters
	message := ""
	if err != nil { // its text may come from files and servers
		message = terminal.Shorten(terminal.Printable(err.Error()), widest)
	}
	var interrupted signalError
	var wrong usageError
	var configuration *config.Error
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp): // its text was printed
		return exitDone
	case isClosedOutput(err): // trainer eval | head: the reader has what it wants
		return exitDone
	case errors.As(err, &interrupted):
		_, _ = fmt.Fprintf(stderr, "trainer: %s\n", message)
		return exitSignal + int(interrupted.signal)
	case errors.As(err, &configuration):
		_, _ = fmt.Fprintf(stderr, "trainer: wrong configuration:\n%s\nSee 'trainer help config'.\n", message)
		return exitUsage
	case errors.As(err, &wrong):
		_, _ = fmt.Fprintf(stderr, "trainer: %s\nSee 'trainer help'.\n", message)
		return exitUsage
	}
	_, _ = fmt.Fprintf(stderr, "trainer: %s\n", message)
	return exitFailed
}

// isClosedOutput reports whether err says that the reader of standard output has gone.
func isClosedOutput(err error) bool {
	var e *fs.PathError
	return errors.As(err, &e) && errors.Is(e.Err, syscall.EPIPE) && e.Path == os.Stdout.Name()
}

// usageError is a wrong command line.
type usageError string

func (e usageError) Error() string { return string(e) }

// parseFlags parses args, which are flags only. Wrong ones are usage errors; -h
// prints the command's flags on stdout and gives flag.ErrHelp.
func parseFlags(f *flag.FlagSet, args []string, stdout io.Writer) error {
	f.SetOutput(io.Discard) // errors are printed once, by exitCode
	err := f.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		_, _ = fmt.Fprintf(stdout, "Flags of trainer %s:\n", f.Name())
		f.SetOutput(stdout)
		f.PrintDefaults()
		return err
	}
	if err != nil {
		return usageError(fmt.Sprintf("%s: %v", f.Name(), err))
	}
	if f.NArg() > 0 {
		return usageError(fmt.Sprintf("%s: unexpected argument %q (flags begin with -)", f.Name(), f.Arg(0)))
	}
	return nil
}

// configFlags are the flags that make a configuration.
type configFlags struct {
	file   string
	device string
	sets   settings
}

func (c *configFlags) register(f *flag.FlagSet) {
	f.StringVar(&c.file, "config", "", "read the configuration `file` (YAML); without it, all defaults")
	f.StringVar(&c.device, "device", "", "auto, cpu or cuda: short for -set device=`name`")
	f.Var(&c.sets, "set", "set a key of the configuration, `key=value`; may be repeated")
}

// parse parses a command's flags and reads the configuration.
func (c *configFlags) parse(f *flag.FlagSet, args []string, stdout io.Writer) (config.Config, error) {
	if err := parseFlags(f, args, stdout); err != nil {
		return config.Config{}, err
	}
	return c.read()
}

func (c *configFlags) read() (config.Config, error) {
	return config.Read(c.file, c.settings())
}

// settings returns the settings of -set and those that have a flag of their own.
func (c *configFlags) settings() []string {
	if c.device == "" {
		return c.sets
	}
	return append(slices.Clip(c.sets), "device="+c.device)
}

// settings collects the values of a flag that may be repeated.
type settings []string

func (s *settings) String() string     { return strings.Join(*s, " ") }
func (s *settings) Set(v string) error { *s = append(*s, v); return nil }

func helpCommand(args []string, stdout, _ io.Writer) error {
	switch {
	case len(args) == 0:
		_, err := io.WriteString(stdout, usage)
		return err
	case len(args) == 1 && args[0] == "config":
		_, err := io.WriteString(stdout, config.Help())
		return err
	}
	return usageError(fmt.Sprintf("no help on %q: want 'help' or 'help config'", strings.Join(args, " ")))
}
